"""The corrections of a frame, bit for bit those of the notebook that tapewatch replaces.

All functions work on whole frames or on any part of them, pixel by pixel, so that a frame may be
handled in strips of any length. Order and precision of the operations are part of the promise:
premultiplied or reciprocal forms would change the last bit of most pixels.
"""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.number]
Master = NDArray[np.float32]


def working_dtype(dtype: np.dtype[np.number]) -> np.dtype[np.floating]:
    """Return the precision in which frames of a data type are calibrated.

    It is numpy's for (raw - float32 master), hence the notebook's.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the raw pixels, native or not.

    Returns
    -------
    numpy.dtype
        Native float32 for integers of 8 and 16 bits and for float32; float64 for all others.
    """
    return np.result_type(dtype, np.float32)


@np.errstate(invalid="ignore", over="ignore")
def subtract_bias(raw: Pixels, bias: Master | None) -> NDArray[np.floating]:
    """Return ``raw - bias``.

    Parameters
    ----------
    raw : numpy.ndarray
        Raw pixels, ADU, native byte order.
    bias : numpy.ndarray or None
        Master bias of the same shape, float32, ADU; None where the step is left out.

    Returns
    -------
    numpy.ndarray
        A new array in the working precision, ADU.
    """
    working = working_dtype(raw.dtype)
    if bias is None:
        return raw.astype(working)
    return np.subtract(raw, bias, dtype=working)


@np.errstate(invalid="ignore", over="ignore")
def subtract_dark(
    image: NDArray[np.floating], dark: Master | None, dark_scale: float
) -> NDArray[np.floating]:
    """Subtract ``dark * dark_scale`` from an image in place, and return it.

    Parameters
    ----------
    image : numpy.ndarray
        ADU, in the working precision.
    dark : numpy.ndarray or None
        Master dark of the same shape, float32, ADU; None where the step is left out.
    dark_scale : float
        Exposure time of the image over that of the dark.

    Returns
    -------
    numpy.ndarray
        `image`, ADU.
    """
    if dark is not None:
        image -= np.multiply(dark, dark_scale, dtype=image.dtype)
    return image


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def normalise_flat(
    raw: Pixels,
    bias: Master | None,
    level: np.floating,
    dark: Master | None = None,
    dark_scale: float = 1.0,
) -> NDArray[np.floating]:
    """Return ``((raw - bias) - dark * dark_scale) / level``.

    Parameters
    ----------
    raw : numpy.ndarray
        Raw pixels of a flat, ADU, native byte order.
    bias : numpy.ndarray or None
        Master bias of the same shape, float32, ADU; None where the step is left out.
    level : numpy.floating
        Median of the whole of what is divided, ADU, in the working precision.
    dark : numpy.ndarray or None
        Master dark of the same shape, float32, ADU; None where flats are left with theirs.
    dark_scale : float
        Exposure time of the flat over that of the dark.

    Returns
    -------
    numpy.ndarray
        A new array in the working precision, relative to 1; inf or NaN where `level` is 0 or NaN.
    """
    flat = subtract_dark(subtract_bias(raw, bias), dark, dark_scale)
    flat /= level
    return flat


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def calibrate(
    raw: Pixels,
    bias: Master | None = None,
    dark: Master | None = None,
    dark_scale: float = 1.0,
    flat: Master | None = None,
) -> NDArray[np.float32]:
    """Return ``((raw - bias) - dark * dark_scale) / flat``, in this order.

    Parameters
    ----------
    raw : numpy.ndarray
        Raw pixels, ADU, native byte order.
    bias, dark, flat : numpy.ndarray or None
        Masters of the same shape, float32: ADU, ADU, relative to 1. None leaves the step out.
    dark_scale : float
        Exposure time of the frame over that of the dark.

    Returns
    -------
    numpy.ndarray
        A new array, float32, ADU: worked out in the working precision and rounded at the end.
        Where the arithmetic gives inf or NaN, it is NaN. Where the flat is negative, it is the
        finite value that the arithmetic gives.
    """
    image = subtract_dark(subtract_bias(raw, bias), dark, dark_scale)
    if flat is not None:
        image /= flat
    product = image.astype(np.float32, copy=False)
    finite = np.isfinite(product)
    if not finite.all():
        product[~finite] = np.nan
    return product
