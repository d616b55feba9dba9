"""Job: combine a calibration set into a master, tile by tile.

The memory needed is that of one tile of every frame, whatever the frames' size: for bias and dark
the frames are read once, for flats three times (twice for the median that normalises each).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tapewatch import __version__
from tapewatch.errors import RejectedError
from tapewatch.fitsfile.hdus import table_plan
from tapewatch.fitsfile.product import OpenOutput, ProductWriter, product_cards
from tapewatch.fitsfile.read import RawFrame
from tapewatch.fitsfile.structure import ProductStructure
from tapewatch.headers import provenance
from tapewatch.jobs.workplace import (
    STRIP,
    load_master,
    open_raw,
    processing_time,
)
from tapewatch.model import BuildMaster, Kind, Report, Workplace
from tapewatch.planning.identity import recipe_of_masters
from tapewatch.science.calibrate import normalise_flat, subtract_bias
from tapewatch.science.combine import frame_median, median, workspace
from tapewatch.science.quality import RunningStatistics

Bias = NDArray[np.float32] | None

# Pixels of a tile at most, of all frames together.
_STACK = 1 << 22


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
    bias = None if job.bias is None else load_master(place.output, job.bias)
    with ExitStack() as stack:
        frames = [stack.enter_context(open_raw(frame, place)) for frame in job.frames]
        dtypes = {frame.dtype for frame in frames}
        if len(dtypes) > 1:
            names = " and ".join(sorted(str(dtype) for dtype in dtypes))
            raise RejectedError(f"the frames of {job.master.stem} have pixels of types {names}")
        inputs = [RunningStatistics() for _ in frames] if job.master.kind is Kind.FLAT else []
        told = provenance.of_master(
            job,
            frames[-1].leading,
            recipe_of_masters(place.treatment),
            __version__,
            processing_time(),
        )
        cards = product_cards(frames[-1].leading, told.cards, told.history)
        statistics = RunningStatistics()
        target = place.output / job.master.path
        structure = ProductStructure(frames[-1], cards, {"BUNIT": told.cards["BUNIT"]})
        table, rows = table_plan(provenance.INPUTS, provenance.inputs_of(job))
        with open_output(target, [*structure.hdus, table], attempt) as writer:
            for start, tile in _combined(job.master.kind, frames, bias, inputs):
                writer.write(structure.image(frames[0].plane_at(start)), tile)
                statistics.add(tile)
            writer.write(len(structure.hdus), rows)
            writer.commit()
    return Report(
        statistics.result(),
        inputs=tuple(each.result() for each in inputs),
        identities=tuple(frame.identity for frame in frames),
    )


def _combined(
    kind: Kind, frames: Sequence[RawFrame], bias: Bias, inputs: Sequence[RunningStatistics]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Combine tile by tile, with the first pixel of each.

    Of flats, note the statistics as the notebook printed them.
    """
    levels = _levels(frames, bias) if kind is Kind.FLAT else []
    size = max(min(STRIP, _STACK // len(frames)), 1)
    work = None
    for start, stop in frames[0].strips(size):
        part = None if bias is None else bias[start:stop]
        tiles: list[NDArray[np.number]] = [frame.physical(start, stop) for frame in frames]
        if kind is Kind.FLAT:
            tiles = [
                normalise_flat(tile, part, level) for tile, level in zip(tiles, levels, strict=True)
            ]
            for statistics, tile in zip(inputs, tiles, strict=True):
                statistics.add(tile)
        bias_last = part is not None and kind is not Kind.FLAT and _commutes(tiles[0].dtype, part)
        if part is not None and kind is not Kind.FLAT and not bias_last:
            tiles = [subtract_bias(tile, part) for tile in tiles]
        if work is None or work.dtype != tiles[0].dtype:
            work = workspace(len(tiles), tiles[0].dtype)
        combined = median(tiles, work)
        if bias_last:
            combined = subtract_bias(combined, part)
        yield start, combined.astype(np.float32, copy=False)


def _levels(frames: Sequence[RawFrame], bias: Bias) -> list[np.floating]:
    """Median of each flat less bias, ADU."""

    def strips(frame: RawFrame) -> Iterator[NDArray[np.floating]]:
        for start, stop in frame.strips(STRIP):
            part = None if bias is None else bias[start:stop]
            yield subtract_bias(frame.physical(start, stop), part)

    return [frame_median(partial(strips, frame)) for frame in frames]


def _commutes(dtype: np.dtype[np.number], bias: NDArray[np.float32]) -> bool:
    """Tell whether median(raw - bias) equals median(raw) - bias to the bit.

    It does for integers of 8 and 16 bits and a bias of half-integers, as a median of such
    integers is: every difference is exact in float32. The median of integers is far cheaper.
    """
    if dtype.kind not in "iu" or dtype.itemsize > 2:  # noqa: PLR2004  (bytes)
        return False
    doubled = bias * 2
    return bool(np.array_equal(doubled, np.rint(doubled)))
