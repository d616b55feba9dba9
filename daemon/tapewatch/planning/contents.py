"""What a frame's pixels say of it by themselves: of no use, or not what its header says it is."""

import math

from tapewatch.model import Kind, Profile, Statistics

_MOSTLY = 0.5  # fraction of saturated pixels above which nothing is to be had from a frame
_ELECTRONS = 10.0  # an ADU, more than any camera has
BRIGHT = 0.1
"""Fraction of SATU that a dark sky does not reach."""

_STARLESS = 0.0002  # fraction of bright pixels: three of the sample
_EVEN = 0.25  # largest deviation of a part of a flat from the whole: vignetting
_SMOOTH = 0.05  # scatter of a flat relative to its level


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


def contradiction(kind: Kind, profile: Profile, saturation: float) -> str:
    """Tell whether a bias or dark has seen light, whatever its header says.

    Light has photon noise: a level that comes without any is the camera's pedestal. No camera
    counts more than `_ELECTRONS` electrons an ADU, so that a signal S scatters by the root of
    S / `_ELECTRONS` at least.

    Parameters
    ----------
    kind : Kind
        What the header says it is.
    profile : Profile
        Of its raw pixels.
    saturation : float
        SATU, ADU.

    Returns
    -------
    str
        What does not go together; empty where nothing does not.
    """
    brightest = {Kind.BIAS: 0.1, Kind.DARK: 0.25, Kind.FLATDARK: 0.25}.get(kind)
    if brightest is None or profile.level <= brightest * saturation:
        return ""
    if profile.scatter**2 < profile.level / _ELECTRONS:
        return ""
    return (
        f"a {kind} as bright as a flat: its level of {profile.level:.0f} ADU is"
        f" {profile.level / saturation:.0%} of SATU, with the noise of light"
    )


def looks_like_a_flat(profile: Profile, saturation: float) -> str:
    """Tell whether an object frame has a flat's statistics: bright, smooth, without stars.

    Parameters
    ----------
    profile : Profile
        Of its product, ADU: without bias, and with most of the vignetting gone.
    saturation : float
        SATU, ADU.

    Returns
    -------
    str
        The figures; empty where it does not.
    """
    light = profile.level
    if not light > BRIGHT * saturation or profile.bright > _STARLESS:
        return ""
    uneven = max(map(abs, profile.structure), default=math.inf) / light
    if uneven > _EVEN or profile.scatter > _SMOOTH * light:
        return ""
    return (
        f"its level of {light:.0f} ADU is {light / saturation:.0%} of SATU, even to {uneven:.1%},"
        f" and {profile.bright:.2%} of its pixels stand out as stars do"
    )
