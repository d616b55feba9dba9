"""Where jobs read and write, and how they read a frame's pixels once for all that is wanted."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tapewatch.errors import NoSpaceError, RejectedError
from tapewatch.fitsfile.read import RawFrame, open_frame
from tapewatch.model import Frame, Workplace

# Pixels that are read, computed and written at a time: small enough to stay in the processor's
# cache, large enough that the calls do not count.
STRIP = 1 << 17


@contextmanager
def open_raw(frame: Frame, place: Workplace) -> Iterator[RawFrame]:
    """Open a raw frame and see that it is still the one that was planned for.

    Parameters
    ----------
    frame : Frame
        As classified.
    place : Workplace
        Where it lies, and whether its overscan is subtracted.

    Yields
    ------
    RawFrame
        Open.

    Raises
    ------
    RejectedError
        Its shape is another than when it was classified.
    """
    with open_frame(place.watchdir / frame.path, overscan=place.treatment.overscan) as raw:
        if raw.stored_shapes != frame.detector.shapes:
            raise RejectedError(
                f"{frame.path} has {by(raw.stored_shapes)} pixels, not {by(frame.detector.shapes)}"
                " as its header said before"
            )
        yield raw


def by(shapes: tuple[tuple[int, int], ...]) -> str:
    """Write the sizes of images (ny, nx) as ``2048x4096 + 2048x4096``."""
    return " + ".join(f"{columns}x{rows}" for rows, columns in shapes)


def processing_time() -> str:
    """Give the time of processing, UTC, as the notebook wrote it into DATE-PRC.

    Returns
    -------
    str
        As ``2026-03-25T18:00:00``.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def check_space(place: Workplace) -> None:
    """See that the output disk has room.

    Parameters
    ----------
    place : Workplace
        Output folder and MINFREE.

    Raises
    ------
    NoSpaceError
        Less than MINFREE percent are free.
    """
    folder = place.output
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    free = 100 * disk.f_bavail / disk.f_blocks if disk.f_blocks else 100.0
    if free < place.minfree:
        raise NoSpaceError(
            f"{free:.1f} % of the disk of {place.output} is free, MINFREE is {place.minfree:g} %"
        )
