"""Where each object frame stands: done, to be calibrated, or waiting and for what."""

from collections.abc import Mapping

from tapewatch.model import (
    CalibrateFrame,
    Kind,
    MeasureFrame,
    ObjectFrame,
    Recipe,
    State,
)
from tapewatch.planning.decisions import Verdict
from tapewatch.planning.match import Match


def plan_object(
    one: ObjectFrame, found: Mapping[Kind, Match], waiting: str, recipe_id: str
) -> tuple[CalibrateFrame | MeasureFrame | None, Verdict]:
    """Decide on one object frame.

    Parameters
    ----------
    one : ObjectFrame
        The frame, and the product it has.
    found : mapping of Kind to Match
        Master of each kind that it needs.
    waiting : str
        What it waits for, from `reasons.waits_for`; empty where all masters are on disk.
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
    if waiting:
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
