"""Job: read a frame once, for its data hash and the statistics that the notebook printed."""

import hashlib

from tapewatch.jobs.workplace import STRIP, open_raw
from tapewatch.model import Content, MeasureFrame, Report, Workplace
from tapewatch.science.quality import RunningStatistics


def measure_frame(job: MeasureFrame, place: Workplace) -> Report:
    """Measure a raw frame; nothing is written.

    Parameters
    ----------
    job : MeasureFrame
        Which frame.
    place : Workplace
        Where it lies.

    Returns
    -------
    Report
        Its content and the statistics of its pixels.

    Raises
    ------
    IncompleteFileError
        The file is shorter than its header says.
    RejectedError
        It is no frame that can be read.
    """
    hasher = hashlib.sha256()
    statistics = RunningStatistics(place.treatment.saturation)
    with open_raw(job.frame, place) as raw:
        for start, stop in raw.strips(STRIP):
            stored = raw.stored(start, stop)
            hasher.update(stored)
            statistics.add(raw.physical_of(stored))
        content = Content(raw.identity, hasher.hexdigest(), raw.header_hash, statistics.result())
    return Report(statistics.result(), content)
