"""What a frame's pixels say of it by themselves: of no use, or not what its header says it is."""

import math

from tapewatch.model import Profile, Statistics

_MOSTLY = 0.5  # fraction of saturated pixels above which nothing is to be had from a frame


def useless(statistics: Statistics, profile: Profile) -> str:
    """Tell whether no arithmetic can use a calibration frame.

    Parameters
    ----------
    statistics : Statistics
        Of its raw pixels.
    profile : Profile
        Of the same.

    Returns
    -------
    str
        Why it is of no use; empty where it may be.
    """
    if math.isnan(statistics.max):
        return "none of its pixels is a number"
    if statistics.min == statistics.max:
        return f"all its pixels are {statistics.max:g}: no image"
    if profile.saturated > _MOSTLY:
        return f"{profile.saturated:.0%} of its pixels are saturated (at or above SATU)"
    return ""
