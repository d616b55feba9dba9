"""Flats beside the dark that they do without (FLATDARK 0): would it matter? Pure."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from tapewatch.model import BuildMaster, FlatDark, Kind, Master
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import PlannedSet
from tapewatch.planning.match import find_dark_of_flat, flats_need_dark
from tapewatch.planning.setcheck import pedestal_of

DARK_SHARE = 0.002
"""Dark current of a flat relative to its level from which it is told."""

_SHARE_OF_PIXELS = 0.01  # that have so much


def with_flats_and_darks(
    builds: Sequence[BuildMaster],
    planned: Sequence[PlannedSet],
    masters: Sequence[Master],
    parameters: Parameters,
) -> tuple[BuildMaster, ...]:
    """Add to jobs the flats and darks to look at together, where flats do without a dark.

    Whichever of the two is built last looks at both.

    Parameters
    ----------
    builds : sequence of BuildMaster
        What can be combined now.
    planned : sequence of PlannedSet
        The folder's sets.
    masters : sequence of Master
        In use in other folders.
    parameters : Parameters
        As for `find_dark_of_flat`.

    Returns
    -------
    tuple of BuildMaster
        The same jobs.
    """
    if flats_need_dark(parameters) or not builds:
        return tuple(builds)
    here = [one.master for one in planned if one.master is not None]
    pairs = [
        pair
        for one in planned
        if (pair := _flat_and_dark(one, planned, [*here, *masters], parameters))
    ]
    return tuple(
        replace(
            job,
            flat_darks=tuple(
                pair for pair in pairs if job.master.id in {pair.flat.id, pair.dark.id}
            ),
        )
        for job in builds
    )


def _flat_and_dark(
    one: PlannedSet,
    planned: Sequence[PlannedSet],
    masters: Sequence[Master],
    parameters: Parameters,
) -> FlatDark | None:
    flat, frames = one.master, one.calibration_set
    if flat is None or flat.kind is not Kind.FLAT or flat.dark_id:
        return None
    dark = find_dark_of_flat(frames.last, masters, parameters).master
    pedestal = pedestal_of(frames, [other.calibration_set for other in planned])
    rates = [
        member.frame.exptime / (member.profile.level - pedestal)
        for member in frames.frames
        if member.profile is not None and member.profile.level > pedestal
    ]
    if dark is None or not rates or not dark.exptime:
        return None
    return FlatDark(flat, dark, median(rates) / dark.exptime)


def flatdark_advice(pair: FlatDark, above: float, far_above: float) -> tuple[str, bool]:
    """Say what FLATDARK 1 would change.

    Parameters
    ----------
    pair : FlatDark
        Flat and dark.
    above, far_above : float
        Fractions of the pixels with dark current above `DARK_SHARE`, and above 1 %.

    Returns
    -------
    text : str
        Empty where it would change little.
    grave : bool
        So many pixels are off by more than 1 % that it is to be warned of.
    """
    if above <= _SHARE_OF_PIXELS:
        return "", False
    text = (
        f"dark current is more than {DARK_SHARE:.1%} of the flat {pair.flat.path} in {above:.1%} of"
        f" its pixels, more than 1 % in {far_above:.2%}, by {pair.dark.path}: FLATDARK 1 would"
        " subtract it"
    )
    return text, far_above > _SHARE_OF_PIXELS
