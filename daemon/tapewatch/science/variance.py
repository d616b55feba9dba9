"""The variance of calibrated pixels, with that of the masters.

A calibrated pixel is P = (raw - b - k (D - b)) / F, where b is the master bias, D the median of the
raw darks (the master dark is D - b), k the ratio of exposures and F the master flat. The bias
enters once, with the factor k - 1, so that to propagate it through each step on its own would count
it twice. To first order in the noise, in ADU^2,

    var(P) = [ron^2 + signal / g + (1 - k)^2 var(b) + k^2 var(D)] / F^2 + (P sigma_F / F)^2

with the read noise ron in ADU, the gain g in e-/ADU and the signal above the bias in ADU: its
electrons are Poisson's (J. R. Janesick, "Scientific charge-coupled devices", SPIE 2001, chapter 2).
The first two terms are the frame's own; the others are the masters', common to all frames that they
calibrate, and do not go down when those are averaged.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

# N times the variance of the median of N values of a normal distribution of variance 1: by
# numerical integration over the order statistics (H. A. David & H. N. Nagaraja, "Order statistics",
# 3rd edition 2003, section 2.3), for N = 1 to 15.
_OF_MEDIANS = (
    *(1.0, 1.0, 1.3460, 1.1928, 1.4342, 1.2884, 1.4731, 1.3455),
    *(1.4949, 1.3834, 1.5088, 1.4102, 1.5184, 1.4303, 1.5254),
)
# For more it goes to pi / 2 as 1 - c / N.
_ODD_DEFICIT, _EVEN_DEFICIT = 0.43, 1.3

REACH = 4
"""Pixels to either side in the row from which the signal of a pixel is expected."""

LIKE_ITS_NEIGHBOURS = 3.0
"""Standard deviations up to which a pixel's signal may be that of its neighbours."""


def of_median(count: int) -> float:
    """Return N times the variance of the median of N normal values, over that of one.

    Parameters
    ----------
    count : int
        N, 1 or more.

    Returns
    -------
    float
        1 for one and two values, 1.35 for 3, 1.43 for 5, pi / 2 in the limit.
    """
    if count <= len(_OF_MEDIANS):
        return _OF_MEDIANS[count - 1]
    deficit = _ODD_DEFICIT if count % 2 else _EVEN_DEFICIT
    return math.pi / 2 * (1 - deficit / count)


@dataclass(frozen=True, slots=True)
class Noise:
    """What the electronics add and how electrons are counted.

    Parameters
    ----------
    gain : float
        e-/ADU, above 0.
    readnoise : float
        Of one frame, ADU, 0 or more.
    """

    gain: float
    readnoise: float

    def variance(self, signal: Floats) -> Floats:
        """Return the variance of raw pixels.

        Parameters
        ----------
        signal : numpy.ndarray
            ADU above the bias; below 0 it counts as none.

        Returns
        -------
        numpy.ndarray
            Of the same shape and type, ADU^2: ``readnoise^2 + signal / gain``.
        """
        return np.maximum(signal, 0) / self.gain + self.readnoise**2


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the variance of one frame is left in a master.

    Parameters
    ----------
    count : int
        Frames that were combined.
    is_median : bool
        Whether by their median; else by their mean.
    """

    count: int
    is_median: bool = True

    @property
    def value(self) -> float:
        """Variance of the master over that of one frame."""
        return (of_median(self.count) if self.is_median else 1.0) / self.count


def expected_signal(signal: Floats, noise: Noise, share: float = 1.0) -> Floats:
    """Return the signal from which the variance of each pixel is worked out, of a frame or a dark.

    A pixel's own value makes a poor estimate of it: where it is low by chance its variance comes
    out low too, so that weights of 1 / variance pull every mean down by about one electron
    (K. J. Mighell, "Parameter estimation in astronomy with Poisson-distributed data. I.", ApJ 518,
    1999, p. 380). So the mean of up to eight neighbours in the row is taken, without the pixel
    itself, wherever the pixel is like them; where it is not (stars, hot pixels), its own value.

    Parameters
    ----------
    signal : numpy.ndarray
        (rows, columns), ADU above the bias; NaN where there is no value.
    noise : Noise
        Gain and read noise.
    share : float
        Part of the variance of one frame that is left in this one.

    Returns
    -------
    numpy.ndarray
        The same shape, ADU; NaN only where the pixel and all its neighbours are.
    """
    finite = np.isfinite(signal)
    values = np.where(finite, signal, 0).astype(np.float64)
    count = _sum_of_neighbours(finite.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = _sum_of_neighbours(values) / count
        tolerance = LIKE_ITS_NEIGHBOURS**2 * noise.variance(mean) * (share * (1 + 1 / count))
        own = finite & ~((signal - mean) ** 2 <= tolerance)
    return np.where(own, signal, mean).astype(signal.dtype)


def _sum_of_neighbours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up to `REACH` values on either side in the row, without the middle one."""
    rows, columns = values.shape
    padded = np.zeros((rows, columns + 2 * REACH))
    padded[:, REACH:-REACH] = values
    total = np.zeros_like(values)
    for shift in range(2 * REACH + 1):
        if shift != REACH:
            total += padded[:, shift : shift + columns]
    return total


@dataclass(frozen=True, slots=True)
class FlatNoise:
    """What the noise of a master flat is worked out from.

    Parameters
    ----------
    share : Share
        Frames combined, and how.
    level : float
        Their level that is 1 in the master, ADU; above 0.
    noise : Noise
        Of one of them.
    """

    share: Share
    level: float
    noise: Noise

    def variance(self, flat: Floats) -> Floats:
        """Return the variance of a master flat.

        Parameters
        ----------
        flat : numpy.ndarray
            Relative to 1.

        Returns
        -------
        numpy.ndarray
            Relative to 1, squared: that of raw pixels of this level, less by combining.
        """
        return self.noise.variance(flat * self.level) * (self.share.value / self.level**2)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def of_frame(signal: Floats, noise: Noise, flat: Floats | None) -> Floats:
    """Return the part of the variance that is the frame's own.

    Parameters
    ----------
    signal : numpy.ndarray
        ADU above the bias, as from `expected_signal`.
    noise : Noise
        Gain and read noise.
    flat : numpy.ndarray or None
        Master flat; None where the step is left out.

    Returns
    -------
    numpy.ndarray
        ADU^2; inf or NaN where the flat is 0 or NaN.
    """
    variance = noise.variance(signal)
    return variance if flat is None else variance / np.square(flat)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def of_masters(
    product: Floats,
    additive: Floats | float,
    flat: Floats | None,
    flat_variance: Floats | None,
) -> Floats:
    """Return the part of the variance that comes from the masters.

    Parameters
    ----------
    product : numpy.ndarray
        Calibrated pixels, ADU.
    additive : numpy.ndarray or float
        ``(1 - k)^2 var(b) + k^2 var(D)``, ADU^2: see `of_subtracted`.
    flat, flat_variance : numpy.ndarray or None
        Master flat and its variance; None where the step is left out.

    Returns
    -------
    numpy.ndarray
        ADU^2; inf or NaN where the flat is 0 or NaN.
    """
    if flat is None or flat_variance is None:
        return np.broadcast_to(np.asarray(additive, product.dtype), product.shape)
    return (additive + np.square(product) * flat_variance) / np.square(flat)


def of_subtracted(
    noise: Noise,
    bias: Share | None,
    dark: Floats | None,
    dark_share: Share | None,
    dark_scale: float,
) -> Floats | float:
    """Return the variance of what was subtracted: ``(1 - k)^2 var(b) + k^2 var(D)``.

    Parameters
    ----------
    noise : Noise
        Gain and read noise.
    bias : Share or None
        Of the master bias; None where there is none.
    dark : numpy.ndarray or None
        Master dark, ADU above the bias; None where there is none.
    dark_share : Share or None
        Of the master dark.
    dark_scale : float
        k.

    Returns
    -------
    numpy.ndarray or float
        ADU^2, of the dark's shape; a number where no dark was subtracted.
    """
    k = 0.0 if dark is None else dark_scale
    common = 0.0 if bias is None else (1 - k) ** 2 * noise.readnoise**2 * bias.value
    if dark is None or dark_share is None:
        return common
    return noise.variance(dark) * (k**2 * dark_share.value) + common
