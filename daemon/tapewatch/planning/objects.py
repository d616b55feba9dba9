"""Where each object frame stands: done, to be calibrated, or waiting and for what."""

from collections.abc import Mapping
from dataclasses import replace

from tapewatch.model import (
    PROVISIONAL,
    CalibrateFrame,
    Chain,
    Frame,
    Kind,
    MeasureFrame,
    ObjectFrame,
    Product,
    Recipe,
    State,
)
from tapewatch.planning.consensus import Stock
from tapewatch.planning.decisions import Verdict
from tapewatch.planning.match import Match
from tapewatch.planning.sequences import Decision, Ruling


def plan_object(
    one: ObjectFrame,
    found: Mapping[Kind, Match],
    waiting: str,
    sequence: Decision | None,
    stock: Stock,
    *,
    soon: bool = False,
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
    sequence : Decision or None
        On the frame's sequence; None where each frame is decided on by itself.
    stock : Stock
        The masters there are.
    soon : bool
        What it waits for may be there in seconds.

    Returns
    -------
    job : CalibrateFrame, MeasureFrame or None
        What can be done for it now.
    verdict : Verdict
        Done, stale, provisional, or waiting and for what.
    """
    frame, product = one.frame, one.product
    if product is None or product.recipe.provisional:
        if not waiting:
            job = _calibration(frame, found, stock, redo=product is not None)
            return job, Verdict(frame.path, State.WAITING, "to be calibrated")
        return _plan_provisional(one, found, stock, waiting, soon=soon)
    if sequence is None:
        if waiting:
            reason = f"calibrated, to be done anew: {waiting}"
            return None, Verdict(frame.path, State.STALE, reason)
        ruling = Ruling(State.DONE)
    else:
        ruling = sequence.ruling(frame.exptime, Chain.of(product.recipe))
        if waiting and ruling.state is State.STALE:
            reason = f"calibrated; {ruling.reason}; {waiting}"
            return None, Verdict(frame.path, State.STALE, reason)
    if one.content is None:
        return MeasureFrame(frame), Verdict(frame.path, State.STALE, "its file has changed")
    return _plan_product(one, product, found, ruling, stock, waits=bool(waiting))


def _plan_product(
    one: ObjectFrame,
    product: Product,
    found: Mapping[Kind, Match],
    ruling: Ruling,
    stock: Stock,
    *,
    waits: bool,
) -> tuple[CalibrateFrame | None, Verdict]:
    """Decide on a frame that has its product, and whose pixels are known."""
    path = one.frame.path
    changed = (product.data_hash, product.header_hash) != one.content
    stays = f"calibrated: {product.path}" + (f"; {ruling.reason}" if ruling.reason else "")
    if not changed and ruling.reason and not ruling.redo:
        return None, Verdict(path, ruling.state, stays)
    job = _calibration(one.frame, found, stock, redo=True)
    if waits or (not changed and product.recipe == job.recipe):
        return None, Verdict(path, State.DONE, stays)
    if not changed and not stock.parameters.recal:
        reason = "calibrated; its masters were superseded, and RECAL is never"
        return None, Verdict(path, State.STALE, reason)
    why = "its file has changed" if changed else "better masters have come"
    job = replace(job, redo=product.recipe != job.recipe)
    return job, Verdict(path, State.STALE, f"to be calibrated anew: {why}")


def _plan_provisional(
    one: ObjectFrame, found: Mapping[Kind, Match], stock: Stock, waiting: str, *, soon: bool
) -> tuple[CalibrateFrame | None, Verdict]:
    """Decide on a frame without all of its masters: do what can be done, or wait for seconds."""
    path, product = one.frame.path, one.product
    built = {
        kind: match
        for kind, match in found.items()
        if match.master is not None and match.master.built
    }
    job = None
    if built and not soon and stock.parameters.provisional:
        job = _calibration(one.frame, built, stock, redo=product is not None, flag=PROVISIONAL)
        content = None if product is None else (product.data_hash, product.header_hash)
        if product is not None and product.recipe == job.recipe and content == one.content:
            job = None
    if product is None:
        reason = waiting if job is None else f"to be calibrated provisionally: {waiting}"
        return job, Verdict(path, State.WAITING, reason)
    return job, Verdict(path, State.PROVISIONAL, f"provisional: {product.path}; {waiting}")


def _calibration(
    frame: Frame, found: Mapping[Kind, Match], stock: Stock, *, redo: bool, flag: str = ""
) -> CalibrateFrame:
    """Make the job of calibrating a frame by the masters that were found."""
    masters = {kind: match.master for kind, match in found.items() if match.master is not None}
    flags = [flag for match in found.values() for flag in match.flags]
    recipe = Recipe(
        **{str(kind): master.id for kind, master in masters.items()},
        dark_scale=found[Kind.DARK].scale if Kind.DARK in found else 1.0,
        flags=tuple(dict.fromkeys([*flags, *([flag] if flag else [])])),
        parameters=stock.recipe_id,
    )
    return CalibrateFrame(frame, recipe, tuple(masters.values()), redo)
