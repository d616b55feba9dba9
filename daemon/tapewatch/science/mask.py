"""Masks: which pixels not to trust, and why, as bits (`tapewatch.model.Bit`).

What the masters say of a pixel is the same for every frame that they calibrate, and is worked out
once (`of_masters`); what the raw pixels say is added frame by frame (`of_frame`).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tapewatch.model import Bit
from tapewatch.science.calibrate import Master, Pixels
from tapewatch.science.combine import frame_median

Mask = NDArray[np.uint8]

HOT_SIGMAS = 10
"""A pixel is hot so many robust standard deviations above the median of the master dark."""

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

MEAN_TO_SIGMA = 1.2533
"""The same over its mean absolute deviation: sqrt(pi / 2)."""

NEARLY_SATURATED = 0.9
"""Part of SATU from which what bias and dark predict counts as saturated."""

FLATDARK_SHARE = 0.01
"""Part of a flat that dark current may be."""

_STRIP = 1 << 17


def hot_limit(dark: Master) -> float:
    """Return the level above which a pixel of a master dark is hot.

    It is the median + 10 x 1.4826 x MAD (median absolute deviation). Where more than half of the
    pixels are equal and the MAD is 0, the mean absolute deviation takes its place (B. Iglewicz &
    D. Hoaglin, "How to detect and handle outliers", 1993, p. 12).

    Parameters
    ----------
    dark : numpy.ndarray
        (n,) float32, ADU; pixels that are not finite are left out.

    Returns
    -------
    float
        ADU; inf where no pixel is finite.
    """

    def strips() -> Iterator[Master]:
        for start in range(0, dark.size, _STRIP):
            strip = dark[start : start + _STRIP]
            finite = np.isfinite(strip)
            strip = strip if finite.all() else strip[finite]
            if strip.size:
                yield strip

    if not any(True for _ in strips()):
        return float("inf")
    middle = frame_median(strips)
    spread = MAD_TO_SIGMA * float(frame_median(lambda: (np.abs(one - middle) for one in strips())))
    if spread == 0:
        total = sum(float(np.abs(one - middle).sum(dtype=float)) for one in strips())
        spread = MEAN_TO_SIGMA * total / sum(one.size for one in strips())
    return float(middle) + HOT_SIGMAS * spread


def nearly_saturated(
    bias: Master | None, dark: Master | None, dark_scale: float, saturation: float
) -> NDArray[np.bool_] | None:
    """Tell where bias and dark alone fill a pixel, so that nothing can be told of its light.

    Parameters
    ----------
    bias, dark : numpy.ndarray or None
        (n,) float32, ADU; None where the step is left out.
    dark_scale : float
        Exposure time of the frame over that of the dark.
    saturation : float
        Saturation of raw pixels, ADU.

    Returns
    -------
    numpy.ndarray or None
        (n,) bool: ``bias + dark_scale x dark >= 0.9 x saturation``; None without a dark.
    """
    if dark is None:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        expected = np.multiply(dark, dark_scale, dtype=np.float32)
        if bias is not None:
            expected += bias
        return expected >= NEARLY_SATURATED * saturation


def bad_flat(flat: Master) -> NDArray[np.bool_]:
    """Tell where a flat cannot be divided by: zero, negative or not finite.

    Parameters
    ----------
    flat : numpy.ndarray
        (n,) float32, relative to 1.

    Returns
    -------
    numpy.ndarray
        (n,) bool.
    """
    return ~((flat > 0) & (flat < np.inf))


def dark_in_flat(flat: Master, dark: Master, time_ratio: float, level: float) -> NDArray[np.bool_]:
    """Tell where dark current that was not subtracted makes over 1 % of a flat.

    Parameters
    ----------
    flat : numpy.ndarray
        (n,) float32, relative to 1.
    dark : numpy.ndarray
        (n,) float32, ADU, without bias.
    time_ratio : float
        Exposure time of the flats over that of the dark.
    level : float
        Level of the flats that is 1 in the master, ADU.

    Returns
    -------
    numpy.ndarray
        (n,) bool.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return dark * np.float32(time_ratio) > flat * np.float32(FLATDARK_SHARE * level)


def add_bit(mask: Mask, bit: Bit, where: NDArray[np.bool_] | None) -> None:
    """Set a bit of a mask in place.

    Parameters
    ----------
    mask : numpy.ndarray
        (n,) uint8.
    bit : Bit
        Which.
    where : numpy.ndarray or None
        (n,) bool; None: nowhere.
    """
    if where is not None and where.any():
        mask[where] |= bit.value


def of_frame(
    known: Mask, raw: Pixels, saturated: NDArray[np.bool_], product: NDArray[np.float32]
) -> Mask:
    """Add to what the masters say what a frame's own pixels say.

    Parameters
    ----------
    known : numpy.ndarray
        (n,) uint8: bits from the masters and the observer's list.
    raw : numpy.ndarray
        (n,), ADU.
    saturated : numpy.ndarray
        (n,) bool: the raw pixels that reach SATU.
    product : numpy.ndarray
        (n,) float32: what the arithmetic gave, NaN where it gave no finite number.

    Returns
    -------
    numpy.ndarray
        (n,) uint8, new. No pixel of the product is NaN without a bit: where nothing else
        says why, it is NODATA.
    """
    mask = known.copy()
    add_bit(mask, Bit.SATURATED, saturated)
    if raw.dtype.kind == "f":
        add_bit(mask, Bit.NODATA, np.isnan(raw))
    missing = np.isnan(product)
    if missing.any():
        mask[missing & (mask & ~np.uint8(Bit.SATURATED) == 0)] |= Bit.NODATA.value
    return mask


def of_masters(
    pixels: int,
    bias: Master | None,
    dark: Master | None,
    dark_scale: float,
    flat: Master | None,
    saturation: float,
) -> Mask:
    """Return what bias, dark and flat say of every frame that they calibrate.

    Parameters
    ----------
    pixels : int
        Of the frame, n.
    bias, dark, flat : numpy.ndarray or None
        (n,) float32: ADU, ADU, relative to 1; None where the step is left out.
    dark_scale : float
        Exposure time of the frame over that of the dark.
    saturation : float
        Saturation of raw pixels, ADU.

    Returns
    -------
    numpy.ndarray
        (n,) uint8: the bits SATURATED (predicted), HOT, BADFLAT, and NODATA where bias or dark
        is not finite.
    """
    mask = np.zeros(pixels, np.uint8)
    add_bit(mask, Bit.SATURATED, nearly_saturated(bias, dark, dark_scale, saturation))
    for additive in (bias, dark):
        if additive is not None:
            add_bit(mask, Bit.NODATA, ~np.isfinite(additive))
    if dark is not None:
        add_bit(mask, Bit.HOT, dark > hot_limit(dark))
    if flat is not None:
        add_bit(mask, Bit.BADFLAT, bad_flat(flat))
    return mask
