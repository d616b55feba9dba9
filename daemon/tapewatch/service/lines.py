"""What the canonical log lines say: one a frame, with all about it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from tapewatch.model import (
    UNDECIDED,
    BuildMaster,
    CalibrateFrame,
    Frame,
    Job,
    Kind,
    MeasureFrame,
    Report,
    State,
    Statistics,
)

Line = dict[str, Any]


def of_frame(job: MeasureFrame, report: Report) -> Line:
    """Describe a calibration frame that has been read."""
    return {
        **_about(job.frame),
        **_figures(report.statistics),
        "saturated": report.statistics.saturated,
        "seconds": report.seconds,
    }


def of_product(job: CalibrateFrame, report: Report, arrived: float) -> Line:
    """Describe a calibrated frame; `latency` runs from the file's last change to its product."""
    masters = {str(master.kind): master.path for master in job.masters}
    line: Line = {**_about(job.frame), **masters}
    if Kind.DARK in masters:
        line["dark_scale"] = job.recipe.dark_scale
    return {
        **line,
        "flags": list(job.recipe.flags),
        **_figures(report.statistics),
        "saturated": report.statistics.saturated,
        "seconds": report.seconds,
        **({"again": True} if job.redo else {"latency": report.ended - arrived}),
        "product": "" if report.product is None else report.product.path,
    }


def named(job: Job) -> Line:
    """Name what a job is about, for a line about its quality."""
    return {"master": job.master.path} if isinstance(job, BuildMaster) else {"file": job.frame.path}


def of_job(job: Job) -> Line:
    """Describe a job of any sort."""
    return of_set(job) if isinstance(job, BuildMaster) else _about(job.frame)


def of_set(job: BuildMaster) -> Line:
    """Describe a set that is being combined."""
    master = job.master
    line: Line = {"master": master.path, "kind": str(master.kind), "frames": len(job.frames)}
    if master.kind is Kind.FLAT:
        line["filter"] = master.filter
    elif master.kind is not Kind.BIAS:
        line["exptime"] = master.exptime
    return line


def of_inputs(job: BuildMaster, report: Report) -> Iterator[Line]:
    """Describe each flat after bias and normalisation, as the notebook printed them."""
    for frame, statistics in zip(job.frames, report.inputs, strict=False):
        yield {**_about(frame), "master": job.master.path, **_figures(statistics)}


def of_master(job: BuildMaster, report: Report) -> Line:
    """Describe a master that is on disk."""
    line = of_set(job)
    if job.bias is not None:
        line["bias"] = job.bias.path
    return {**line, **_figures(report.statistics), "seconds": report.seconds}


def outcome(counts: Mapping[str, int], *, worked: bool, stopped: bool) -> str:
    """Say what is still open, or why nothing was done.

    Parameters
    ----------
    counts : mapping of str to int
        Number of frames in each state.
    worked : bool
        Whether anything was done.
    stopped : bool
        Whether it ended by a signal.

    Returns
    -------
    str
        Empty where all was done, just now.
    """
    undecided = sum(counts.get(state, 0) for state in UNDECIDED)
    provisional = counts.get(State.PROVISIONAL, 0)
    is_open = [f"{undecided} frames wait"] if undecided else []
    if provisional:
        is_open.append(f"{provisional} products are provisional, for want of masters")
    if is_open:
        return "; ".join(is_open)
    if worked:
        return ""
    if failed := sum(counts.get(state, 0) for state in (State.FAILED, State.STALLED)):
        return f"nothing to do, but {failed} frames failed or stalled"
    return "stopped" if stopped else "nothing to do: all was done already"


def _about(frame: Frame) -> Line:
    line: Line = {"file": frame.path, "kind": str(frame.kind)}
    if frame.kind in {Kind.FLAT, Kind.OBJECT}:
        line["filter"] = frame.filter
    if frame.kind is not Kind.BIAS:
        line["exptime"] = frame.exptime
    if frame.kind is Kind.OBJECT:
        line["object"] = frame.object
    return {**line, "date_obs": frame.date_obs}


def _figures(statistics: Statistics) -> Line:
    return {
        "mean": statistics.mean,
        "std": statistics.std,
        "max": statistics.max,
        "min": statistics.min,
    }
