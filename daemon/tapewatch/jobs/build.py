"""Job: combine a calibration set into a master, tile by tile.

The memory needed is that of one tile of every frame, whatever the frames' size: for bias and dark
the frames are read once, for flats three times (twice for the median that normalises each).
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import nan

from tapewatch import __version__
from tapewatch.errors import RejectedError
from tapewatch.fitsfile.hdus import table_plan
from tapewatch.fitsfile.product import OpenOutput, ProductWriter, product_cards
from tapewatch.fitsfile.read import RawFrame
from tapewatch.fitsfile.structure import ProductStructure
from tapewatch.headers import provenance
from tapewatch.jobs.masters import load_master, master_noise
from tapewatch.jobs.stack import Stack, Subtracted
from tapewatch.jobs.workplace import by, open_raw, processing_time
from tapewatch.ledger import rows
from tapewatch.model import (
    BuildMaster,
    Kind,
    Master,
    MasterNoise,
    Report,
    Statistics,
    Workplace,
)
from tapewatch.planning.identity import recipe_of_masters
from tapewatch.science.clip import FEWEST
from tapewatch.science.quality import RunningStatistics
from tapewatch.science.variance import Noise

_UNKNOWN = Statistics(nan, nan, nan, nan)  # until all pixels have been seen


def build_master(
    job: BuildMaster, place: Workplace, attempt: str, open_output: OpenOutput = ProductWriter
) -> Report:
    """Combine a set and write its master.

    Parameters
    ----------
    job : BuildMaster
        The set and the master that it shall give.
    place : Workplace
        Where to read and write.
    attempt : str
        Names the temporary file.
    open_output : callable
        Where it is written; another one looks at what is made and writes nothing.

    Returns
    -------
    Report
        The master, durably on disk, and its statistics.

    Raises
    ------
    IncompleteFileError, MasterLostError, OutputError
        May succeed later.
    RejectedError
        A frame cannot be read, or does not have the shape or type of the others.
    """
    now = processing_time()
    with ExitStack() as opened:
        frames = [opened.enter_context(open_raw(frame, place)) for frame in job.frames]
        _see_that_they_agree(job.master.stem, frames)
        subtracted = _subtracted(job, place, frames[-1])
        stack = Stack(job.master.kind, frames, subtracted, place.treatment, _camera(job))
        cards = _cards(job, frames[-1], place, stack.noise(None), _UNKNOWN, now)
        structure = ProductStructure(frames[-1], cards, _unit(job.master.kind))
        tables = [
            table_plan(provenance.INPUTS, provenance.inputs_of(job)),
            table_plan(provenance.RECORD, {"MASTER": [_record(job.master)]}),
        ]
        statistics = RunningStatistics()
        target = place.output / job.master.path
        hdus = [*structure.hdus, *(plan for plan, _ in tables)]
        with open_output(target, hdus, attempt) as writer:
            for start, tile in stack.combined():
                writer.write(structure.image(frames[0].plane_at(start)), tile)
                statistics.add(tile)
            for index, (_, data) in enumerate(tables, start=len(structure.hdus)):
                writer.write(index, data)
            noise = stack.noise(_readnoise(job, place))
            told = provenance.rounded(statistics.result())
            writer.commit({0: _cards(job, frames[-1], place, noise, told, now)})
    return Report(
        told,
        inputs=tuple(each.result() for each in stack.inputs),
        identities=tuple(frame.identity for frame in frames),
        noise=noise,
        warnings=_warnings(job, place),
    )


def _see_that_they_agree(stem: str, frames: Sequence[RawFrame]) -> None:
    """Refuse frames whose pixels cannot be combined."""
    dtypes = {str(frame.dtype) for frame in frames}
    if len(dtypes) > 1:
        raise RejectedError(f"the frames of {stem} have pixels of types {' and '.join(dtypes)}")
    left = {(frame.shapes, frame.corner) for frame in frames}
    if len(left) > 1:
        sections = " and ".join(sorted(by(shapes) for shapes, _ in left))
        raise RejectedError(f"the frames of {stem} are trimmed to {sections} pixels")


def _subtracted(job: BuildMaster, place: Workplace, raw: RawFrame) -> Subtracted:
    """Load the masters that are subtracted from the frames."""
    bias, dark = (
        None if master is None else load_master(place.output, master, job.master.detector, raw)
        for master in (job.bias, job.dark)
    )
    return Subtracted(bias, dark, job.dark_scales)


def _record(master: Master) -> str:
    """Write what the state file holds of a master; its inputs stand in a table of their own."""
    return rows.to_json(replace(master, inputs=(), built=True))


def _cards(
    job: BuildMaster,
    last: RawFrame,
    place: Workplace,
    noise: MasterNoise,
    statistics: Statistics,
    now: str,
) -> list[bytes]:
    """Make the master's header, as many cards whatever is known of its pixels."""
    recipe = recipe_of_masters(place.treatment)
    told = provenance.of_master(job, noise, last.leading, recipe, __version__, now)
    cards = told.cards | provenance.statistics_cards(statistics)
    history = (*told.history, *(f"  {warning}" for warning in _warnings(job, place)))
    return product_cards(last.leading, cards, history)


def _unit(kind: Kind) -> dict[str, tuple[str, str]]:
    return {"BUNIT": ("" if kind is Kind.FLAT else "adu", "unit of the pixels")}


def _camera(job: BuildMaster) -> Noise | None:
    """Give gain and read noise where the header of the last frame tells both."""
    frame = job.frames[-1]
    if frame.gain is None or frame.readnoise is None:
        return None
    return Noise(frame.gain, frame.readnoise / frame.gain)


def _readnoise(job: BuildMaster, place: Workplace) -> float | None:
    """Give the noise of frames without light, ADU: by their master, else by the header."""
    unlit = job.bias or job.dark
    if unlit is not None and (noise := master_noise(place.output, unlit).noise) is not None:
        return noise
    camera = _camera(job)
    return None if camera is None else camera.readnoise


def _warnings(job: BuildMaster, place: Workplace) -> tuple[str, ...]:
    count = len(job.frames)
    if place.treatment.combine != "sigclip" or count >= FEWEST:
        return ()
    why = f"COMBINE sigclip needs {FEWEST} frames or more, {job.master.stem} has {count}"
    return (f"{why}: their median was taken",)
