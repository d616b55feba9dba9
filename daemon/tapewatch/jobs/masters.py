"""Masters as jobs need them: the pixels that belong to a frame's, kept in memory between frames."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tapewatch.errors import MasterLostError, RejectedError
from tapewatch.fitsfile.read import RawFrame, open_frame
from tapewatch.headers.noise import noise_of
from tapewatch.headers.sections import parse_section
from tapewatch.headers.trimmed import TRIM
from tapewatch.headers.values import as_text
from tapewatch.jobs.memory import Memory
from tapewatch.jobs.workplace import by
from tapewatch.model import Detector, Master, MasterNoise
from tapewatch.planning.cuts import cut_of

# A night's alternating filters and exposures at 2048 x 2048 pixels, or one frame's at 4096 x 4096.
_MASTERS: Final[Memory[np.float32]] = Memory(1 << 28)  # bytes


def load_master(
    output: Path, master: Master, detector: Detector, raw: RawFrame
) -> NDArray[np.float32]:
    """Read a master, or the cut of it that belongs to a frame of a smaller window.

    Parameters
    ----------
    output : Path
        Output folder.
    master : Master
        Which.
    detector : Detector
        How the frame was read out.
    raw : RawFrame
        The frame.

    Returns
    -------
    ndarray
        (n,) float32, native byte order, not to be changed: as many pixels as `raw` has, of a
        mosaic those of one image after the other.

    Raises
    ------
    MasterLostError
        The file is gone, or is not that master any more.
    RejectedError
        It does not hold the frame's pixels.
    """
    path = output / master.path
    # A master that is known by its file alone (verify) has the size that the trim has left.
    same = (raw.shapes, detector.window) == (master.detector.shapes, master.detector.window)
    window = (0, 0) if same else cut_of(master.detector, detector)
    if window is None:
        raise RejectedError(f"{path} does not hold the pixels of the frame: {by(raw.shapes)}")
    key = (path, master.id, window, raw.shapes, raw.corner)
    return _MASTERS.get(key, lambda: _read(path, master, window, raw))


def _read(
    path: Path, master: Master, window: tuple[int, int], raw: RawFrame
) -> NDArray[np.float32]:
    try:
        with open_frame(path) as stored:
            trim = parse_section(as_text(stored.header.get(TRIM)))
            as_planned = trim is not None or stored.shapes == master.detector.shapes
            if stored.header.get("TWID") != master.id or not as_planned:
                raise MasterLostError(f"{path} is not master {master.id} any more", master.id)
            pixels = np.empty(stored.pixels, np.float32)
            for start, stop in stored.strips(stored.pixels):  # an image each
                pixels[start:stop] = stored.physical(start, stop)
            shapes = stored.shapes
    except FileNotFoundError as error:
        raise MasterLostError(f"{path} is gone", master.id) from error
    if shapes == raw.shapes:
        return pixels
    # A window is counted on the detector; what either was trimmed of at that corner is not there.
    corner = (0, 0) if trim is None else (trim.top, trim.left)
    top, left = (
        cut + ours - its for cut, ours, its in zip(window, raw.corner, corner, strict=True)
    )
    rows, columns = raw.shape
    cut = pixels.reshape(shapes[0])[top : top + rows, left : left + columns]
    if len(shapes) > 1 or min(top, left) < 0 or cut.shape != raw.shape:
        raise RejectedError(f"{path} has {by(shapes)} pixels, the frame {by(raw.shapes)}")
    return cut.ravel()


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
