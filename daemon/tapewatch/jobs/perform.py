"""The door through which a worker gets its job."""

import time
from dataclasses import replace
from functools import partial

from tapewatch.fitsfile.fence import within_term
from tapewatch.fitsfile.product import OpenOutput, ProductWriter
from tapewatch.jobs.build import build_master
from tapewatch.jobs.calibrate import calibrate_frame
from tapewatch.jobs.measure import measure_frame
from tapewatch.jobs.second_look import second_look
from tapewatch.jobs.workplace import check_space
from tapewatch.model import BuildMaster, CalibrateFrame, Job, MeasureFrame, Report, Workplace
from tapewatch.whereabouts import FOLDER, see_that_it_is_there


def perform(job: Job, place: Workplace, attempt: str) -> Report:
    """Do a job; runs in a worker process.

    Parameters
    ----------
    job : Job
        What to do.
    place : Workplace
        Where.
    attempt : str
        Names this attempt within the daemon's term, and with it its temporary files.

    Returns
    -------
    Report
        What was made; all of it is durably on disk.

    Raises
    ------
    TapewatchError
        Retriable or rejected, with file, keyword and value.
    FolderTakenError
        Another daemon has begun to work on the output folder; nothing was made.
    OSError
        What the system said.
    """
    began = time.monotonic()
    report = (
        measure_frame(job, place) if isinstance(job, MeasureFrame) else _make(job, place, attempt)
    )
    return replace(report, seconds=time.monotonic() - began, ended=time.time())


def _make(job: BuildMaster | CalibrateFrame, place: Workplace, attempt: str) -> Report:
    """Do a job that writes a file."""
    if place.term:
        see_that_it_is_there(place.output)
    check_space(place)
    attempt = f"{place.term}{attempt}"
    if isinstance(job, CalibrateFrame):
        return calibrate_frame(job, place, attempt, _fenced(place))
    report = build_master(job, place, attempt, _fenced(place))
    warnings, advice = second_look(job, place)
    return replace(report, warnings=(*report.warnings, *warnings), advice=advice)


def _fenced(place: Workplace) -> OpenOutput:
    """Give the writer of products whose last step is done while the daemon's term lasts."""
    if not place.term:
        return ProductWriter
    return partial(ProductWriter, fence=partial(within_term, place.output / FOLDER, place.term))
