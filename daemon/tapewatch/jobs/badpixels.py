"""The observer's bad pixels (BADPIX), as a frame was read out: binned, and cut to its window."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.read import RawFrame, open_frame
from tapewatch.headers.regions import FITS_MARK, Box, parse_regions
from tapewatch.model import BadPixels, Detector

Flags = NDArray[np.bool_]


class UnfitError(RejectedError):
    """The bad pixels are not those of this detector."""


def bad_pixels(wanted: BadPixels, detector: Detector, raw: RawFrame) -> Flags:
    """Tell which pixels of a frame are bad.

    Parameters
    ----------
    wanted : BadPixels
        A FITS image (what is not 0 is bad) or a list, of the unbinned detector; or a FITS image of
        the very shape of the frames.
    detector : Detector
        How the frame was read out.
    raw : RawFrame
        The frame, open: it may have been trimmed.

    Returns
    -------
    numpy.ndarray
        (n,) bool, of all images of the frame, one after the other. A binned pixel is bad where any
        of its pixels is.

    Raises
    ------
    UnfitError
        The image has another shape, the list is for one image and the frame has several, or the
        file was changed since tape.par was read.
    """
    try:
        content = wanted.path.read_bytes()
    except OSError as error:
        raise UnfitError(f"BADPIX {wanted.path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != wanted.digest:
        raise UnfitError(f"BADPIX {wanted.path} was changed: it counts from the next start on")
    if content.startswith(FITS_MARK):
        return _of_image(wanted.path, detector, raw)
    if detector.further:
        raise UnfitError(f"BADPIX {wanted.path} is a list for one image, the frame has several")
    return _trimmed(_of_list(parse_regions(content.decode()), detector), raw)


def _of_image(path: Path, detector: Detector, raw: RawFrame) -> Flags:
    with open_frame(path) as stored:
        flags = np.concatenate(
            [stored.physical(start, stop) != 0 for start, stop in stored.strips(stored.pixels)]
        )
        if stored.shapes == raw.shapes:
            return flags
        if len(stored.shapes) == 1 and not detector.further:
            cut = _as_read_out(flags.reshape(stored.shape), detector)
            if cut.shape == detector.shape:
                return _trimmed(cut, raw)
    have, want = ("x".join(map(str, shape[::-1])) for shape in (stored.shape, detector.shape))
    raise UnfitError(f"BADPIX {path} has {have} pixels, which does not fit frames of {want}")


def _as_read_out(flags: Flags, detector: Detector) -> Flags:
    """Bin the whole detector's pixels, and cut them to the window."""
    (x, y), (rows, columns) = detector.window, detector.shape
    across, along = detector.binning
    height, width = flags.shape[0] // along * along, flags.shape[1] // across * across
    blocks = flags[:height, :width].reshape(height // along, along, width // across, across)
    binned = np.asarray(blocks.any(axis=(1, 3)))
    return binned[y : y + rows, x : x + columns]


def _trimmed(flags: Flags, raw: RawFrame) -> Flags:
    """Leave out what was trimmed of the frame."""
    (top, left), (rows, columns) = raw.corner, raw.shape
    return flags[top : top + rows, left : left + columns].ravel()


def _of_list(boxes: tuple[Box, ...], detector: Detector) -> Flags:
    flags = np.zeros(detector.shape, bool)
    across, along = detector.binning
    x, y = detector.window
    for box in boxes:
        rows = slice(max((box.y1 - 1) // along - y, 0), max((box.y2 - 1) // along - y + 1, 0))
        columns = slice(max((box.x1 - 1) // across - x, 0), max((box.x2 - 1) // across - x + 1, 0))
        flags[rows, columns] = True
    return flags
