"""Job: read a frame once, for its data hash and the statistics that the notebook printed."""

from tapewatch.errors import RejectedError
from tapewatch.jobs.workplace import STRIP, open_raw
from tapewatch.model import Content, Kind, MeasureFrame, Report, Workplace
from tapewatch.planning.contents import useless
from tapewatch.science.profile import Sampler
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
        Its content, with the profile and the statistics of its pixels.

    Raises
    ------
    IncompleteFileError
        The file is shorter than its header says.
    RejectedError
        It is no frame that can be read, or one that no arithmetic can use.
    """
    statistics = RunningStatistics(place.treatment.saturation)
    with open_raw(job.frame, place) as raw:
        sampler = Sampler(raw.stacked)
        for start, stop in raw.strips(STRIP):
            pixels = raw.physical(start, stop, hashed=True)
            statistics.add(pixels)
            sampler.add(pixels)
        figures = statistics.result()
        profile = sampler.result(figures.saturated)
        if job.frame.kind is not Kind.OBJECT and (reason := useless(figures, profile)):
            raise RejectedError(reason)
        content = Content(raw.identity, raw.data_hash(), raw.header_hash, figures, profile)
        warnings = raw.warnings
    return Report(figures, content, warnings=warnings)
