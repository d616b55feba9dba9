"""Where each object frame stands: done, to be calibrated, or waiting and for what."""

from collections.abc import Mapping, Sequence

from tapewatch.model import (
    CalibrateFrame,
    Frame,
    Kind,
    Master,
    MeasureFrame,
    ObjectFrame,
    Recipe,
    State,
)
from tapewatch.planning.decisions import PlannedSet, Verdict
from tapewatch.planning.match import Match, detector_objection


def plan_object(
    one: ObjectFrame, found: Mapping[Kind, Match], sets: Sequence[PlannedSet], recipe_id: str
) -> tuple[CalibrateFrame | MeasureFrame | None, Verdict]:
    """Decide on one object frame.

    Parameters
    ----------
    one : ObjectFrame
        The frame, and the product it has.
    found : mapping of Kind to Match
        Master of each kind that it needs.
    sets : sequence of PlannedSet
        The folder's calibration sets, for what is still to come.
    recipe_id : str
        Hash of the parameters that decide the pixels.

    Returns
    -------
    job : CalibrateFrame, MeasureFrame or None
        What can be done for it now.
    verdict : Verdict
        Done, stale, or waiting and for what.
    """
    frame, product = one.frame, one.product
    waits = []
    for kind, match in found.items():
        if match.master is None:
            waits.append(_missing(kind, frame, match, sets))
        elif not match.master.built:
            waits.append(f"master {_label(match.master)} is being combined")
    if waits:
        waiting = "waits: " + "; ".join(waits)
        if product is None:
            return None, Verdict(frame.path, State.WAITING, waiting)
        return None, Verdict(frame.path, State.STALE, f"calibrated, to be done anew: {waiting}")
    masters = {kind: match.master for kind, match in found.items() if match.master is not None}
    recipe = Recipe(
        **{str(kind): master.id for kind, master in masters.items()},
        dark_scale=found[Kind.DARK].scale if Kind.DARK in found else 1.0,
        flags=tuple(dict.fromkeys(flag for match in found.values() for flag in match.flags)),
        parameters=recipe_id,
    )
    if product is not None and one.content is None:
        return MeasureFrame(frame), Verdict(frame.path, State.STALE, "its file has changed")
    if product is None:
        job = CalibrateFrame(frame, recipe, tuple(masters.values()))
        return job, Verdict(frame.path, State.WAITING, "to be calibrated")
    if (product.data_hash, product.header_hash) == one.content and product.recipe == recipe:
        return None, Verdict(frame.path, State.DONE, f"calibrated: {product.path}")
    job = CalibrateFrame(frame, recipe, tuple(masters.values()), redo=product.recipe != recipe)
    why = "better masters have come" if product.recipe != recipe else "its file has changed"
    return job, Verdict(frame.path, State.STALE, f"to be calibrated anew: {why}")


def _missing(kind: Kind, frame: Frame, match: Match, sets: Sequence[PlannedSet]) -> str:
    """Say why there is no master of a kind for a frame: a set in the making, or nothing suits."""
    name = {Kind.FLAT: f"flat {frame.filter}", Kind.DARK: f"dark ({frame.exptime:g} s)"}
    wanted = f"for a master {name.get(kind, kind)}"
    for planned in sets:
        one = planned.calibration_set
        alike = one.kind is kind and (kind is not Kind.FLAT or one.last.filter == frame.filter)
        if (
            alike
            and planned.master is None
            and not detector_objection(one.detector, frame.detector)
        ):
            return f"{wanted}: {planned.reason}"
    if match.turned_down:
        master, reason = match.turned_down[0]
        more = f" and {len(match.turned_down) - 1} more" if match.turned_down[1:] else ""
        return f"{wanted}: {_label(master)} does not suit ({reason}){more}"
    return f"{wanted}: no {kind} frames yet"


def _label(master: Master) -> str:
    """Short name of a master for a person: kind, what tells it apart, folder."""
    detail = {Kind.DARK: f" {master.exptime:g} s", Kind.FLAT: f" {master.filter}"}
    place = f" in {master.folder}" if master.folder else ""
    return f"{master.kind}{detail.get(master.kind, '')}{place}"
