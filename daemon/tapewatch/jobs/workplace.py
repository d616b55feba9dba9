"""Where jobs read and write, and how they read a frame's pixels once for all that is wanted."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapewatch.errors import MasterLostError, NoSpaceError, RejectedError
from tapewatch.fitsfile.read import RawFrame, open_frame
from tapewatch.headers.noise import noise_of
from tapewatch.model import Frame, Master, MasterNoise, Workplace

# Pixels that are read, computed and written at a time: small enough to stay in the processor's
# cache, large enough that the calls do not count.
STRIP = 1 << 17

# Masters stay in a worker's memory between frames: a night's alternating filters and exposures
# at 2048 x 2048 pixels, or one frame's at 4096 x 4096.
_MEMORY_OF_MASTERS = 1 << 28  # bytes
_MASTERS: dict[Path, NDArray[np.float32]] = {}


@contextmanager
def open_raw(frame: Frame, place: Workplace) -> Iterator[RawFrame]:
    """Open a raw frame and see that it is still the one that was planned for.

    Parameters
    ----------
    frame : Frame
        As classified.
    place : Workplace
        Where it lies.

    Yields
    ------
    RawFrame
        Open.

    Raises
    ------
    RejectedError
        Its shape is another than when it was classified.
    """
    with open_frame(place.watchdir / frame.path) as raw:
        if raw.shapes != frame.detector.shapes:
            raise RejectedError(
                f"{frame.path} has {_by(raw.shapes)} pixels, not {_by(frame.detector.shapes)} as"
                " its header said before"
            )
        yield raw


def _by(shapes: tuple[tuple[int, int], ...]) -> str:
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


def load_master(output: Path, master: Master) -> NDArray[np.float32]:
    """Read a master; those used last stay in memory.

    Parameters
    ----------
    output : Path
        Output folder.
    master : Master
        Which.

    Returns
    -------
    ndarray
        (n,) float32, native byte order, not to be changed: all its pixels, of a mosaic those of
        one image after the other.

    Raises
    ------
    MasterLostError
        The file is gone, or is not that master any more.
    """
    path = output / master.path
    pixels = _MASTERS.pop(path, None)
    if pixels is None:
        pixels = _read_master(path, master)
    _MASTERS[path] = pixels  # the last in order is the one used last
    while len(_MASTERS) > 1 and sum(one.nbytes for one in _MASTERS.values()) > _MEMORY_OF_MASTERS:
        del _MASTERS[next(iter(_MASTERS))]
    return pixels


def _read_master(path: Path, master: Master) -> NDArray[np.float32]:
    try:
        with open_frame(path) as stored:
            if stored.header.get("TWID") != master.id or stored.shapes != master.detector.shapes:
                raise MasterLostError(f"{path} is not master {master.id} any more", master.id)
            pixels = np.empty(stored.pixels, np.float32)
            for start, stop in stored.strips(stored.pixels):  # an image each
                pixels[start:stop] = stored.physical(start, stop)
    except FileNotFoundError as error:
        raise MasterLostError(f"{path} is gone", master.id) from error
    pixels.flags.writeable = False
    return pixels


def master_noise(output: Path, master: Master) -> MasterNoise:
    """Read from a master's header what was measured of its noise.

    Parameters
    ----------
    output : Path
        Output folder.
    master : Master
        Which.

    Returns
    -------
    MasterNoise

    Raises
    ------
    MasterLostError
        The file is gone, or is not that master any more.
    """
    path = output / master.path
    try:
        with open_frame(path) as stored:
            if stored.leading.get("TWID") != master.id:
                raise MasterLostError(f"{path} is not master {master.id} any more", master.id)
            return noise_of(stored.leading)
    except FileNotFoundError as error:
        raise MasterLostError(f"{path} is gone", master.id) from error
