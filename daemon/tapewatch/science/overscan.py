"""The level without light, from the pixels that an amplifier reads without any behind them."""

import numpy as np
from numpy.typing import NDArray

from tapewatch.science.calibrate import Pixels, working_dtype


def overscan_levels(section: Pixels, axis: int | None) -> NDArray[np.floating]:
    """Return the median of an overscan section, line by line or of all of it.

    As ``ccdproc.subtract_overscan(..., median=True)`` without a model.

    Parameters
    ----------
    section : numpy.ndarray
        (ny, nx), ADU.
    axis : int or None
        1 for a level a row, 0 for a level a column; None for one level.

    Returns
    -------
    numpy.ndarray
        (ny, 1), (1, nx) or (1, 1), ADU, in the working precision; NaN where a pixel is NaN.
    """
    levels = np.median(section, axis=axis, keepdims=True)
    working: NDArray[np.floating] = levels.astype(working_dtype(section.dtype))
    return working


@np.errstate(invalid="ignore", over="ignore")
def subtract_overscan(raw: Pixels, level: NDArray[np.floating] | None) -> Pixels:
    """Return ``raw - level``.

    Parameters
    ----------
    raw : numpy.ndarray
        (n,) raw pixels, ADU, native byte order.
    level : numpy.ndarray or None
        (n,) level of each, ADU; None where there is none.

    Returns
    -------
    numpy.ndarray
        In the working precision, ADU; `raw` itself where there is no level.
    """
    if level is None:
        return raw
    less: Pixels = np.subtract(raw, level, dtype=working_dtype(raw.dtype))
    return less
