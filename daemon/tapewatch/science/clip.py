"""The clipped mean of a stack of frames: as steady as a mean, and yet without cosmic rays.

Pixel by pixel, what is further from the median than so many standard deviations is left out, once,
and the mean of the rest taken. The standard deviation is 1.4826 x MAD of the stack, as in ccdproc's
``sigma_clipping`` with ``mad_std``; where the noise of the camera is known and larger, it is that:
the MAD of few values is often small by chance. Of fewer than nine frames nothing can be left out
for good reason: clipping at 3 standard deviations would never reject, or reject by chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapewatch.science.calibrate import Pixels
from tapewatch.science.combine import median, workspace

FEWEST = 9
"""Frames from which on a stack is clipped; of fewer the median is taken."""

BLOCK = 1 << 14
"""Pixels worked on at once: their copies stay in the cache."""

_MAD_TO_SIGMA = 1.482602218505602  # 1 / norm.ppf(3 / 4), to the digits that astropy uses

_ADDED_EXACTLY = 256

Floats = NDArray[np.floating]
NoiseModel = Callable[[Floats], Floats | None]
"""Noise of one frame, for the median of all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is left out.

    Parameters
    ----------
    low, high : float
        Standard deviations below and above the median up to which a value is kept.
    quantum : float
        Step of the values, in their unit: smaller deviations are never left out; 0: no step.
    """

    low: float = 3.0
    high: float = 3.0
    quantum: float = 0.0


class ClippedMean:
    """Combines tile after tile of the same frames, with memory that is used again.

    Parameters
    ----------
    limits : Limits
        What is left out.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._work: Pixels | None = None

    def combine(self, frames: Sequence[Pixels], noise: NoiseModel) -> NDArray[np.float64]:
        """Return the clipped mean of a tile, pixel by pixel.

        Parameters
        ----------
        frames : sequence of numpy.ndarray
            The same tile of every frame: (n,), of one native data type.
        noise : callable
            Gives the noise of one frame for the median of all, both in the unit of the frames;
            None where it is not known.

        Returns
        -------
        numpy.ndarray
            (n,) float64. Values that are not finite are passed over; NaN where no frame has a
            finite one.
        """
        # What is worked out of integers of 16 bits is exact in float32, up to the limits.
        small = frames[0].dtype.kind in "iu" and frames[0].dtype.itemsize <= 2  # noqa: PLR2004
        dtype: np.dtype[np.floating] = np.dtype(np.float32 if small else np.float64)
        result = np.empty(frames[0].shape)
        if self._work is None or self._work.dtype != dtype:
            self._work = workspace(len(frames), dtype)
        for start in range(0, result.size, BLOCK):
            block = slice(start, start + BLOCK)
            values = np.empty((len(frames), result[block].size), dtype)
            for value, frame in zip(values, frames, strict=True):
                value[:] = frame[block]
            finite = np.isfinite(values)
            if finite.all():
                result[block] = self._clipped(values, noise)
            else:
                result[block] = self._with_gaps(values, finite, noise)
        return result

    def _clipped(self, values: Floats, noise: NoiseModel) -> Floats:
        center = median(list(values), self._work)
        deviations = values - center
        mad = median(list(np.abs(deviations)), self._work)
        return self._mean(values, deviations, mad, noise(center))

    def _with_gaps(self, values: Floats, finite: NDArray[np.bool_], noise: NoiseModel) -> Floats:
        """Do the same where some frames have no value: those pixels by sorting."""
        result = np.full(values.shape[1], np.nan)
        whole = finite.all(axis=0)
        if whole.any():
            result[whole] = self._clipped(np.ascontiguousarray(values[:, whole]), noise)
        some = ~whole & finite.any(axis=0)
        if some.any():
            parts = np.where(finite, values, np.nan)[:, some]
            center = _nanmedian(parts)
            deviations = parts - center
            mad = _nanmedian(np.abs(deviations))
            result[some] = self._mean(parts, deviations, mad, noise(center))
        return result

    def _mean(
        self, values: Floats, deviations: Floats, mad: Floats, model: Floats | None
    ) -> Floats:
        scale = mad * values.dtype.type(_MAD_TO_SIGMA)
        if model is not None:
            scale = np.fmax(scale, model.astype(scale.dtype, copy=False))
        limits = self._limits
        low = -np.maximum(scale * limits.low, limits.quantum)
        high = np.maximum(scale * limits.high, limits.quantum)
        # Up to 256 integers of 16 bits add up exactly in float32.
        exact = values.dtype if len(values) <= _ADDED_EXACTLY else np.dtype(np.float64)
        total, count = np.zeros(mad.size, exact), np.zeros(mad.size, np.uint16)
        for value, deviation in zip(values, deviations, strict=True):
            kept = deviation >= low
            kept &= deviation <= high
            # A NaN of those with gaps stays out: NaN x 0 would be NaN.
            total += np.where(kept, value, 0)
            count += kept
        mean: Floats = np.divide(total, count, dtype=np.float64)
        return mean


def _nanmedian(values: Floats) -> Floats:
    """Return the median of each column, NaN left out; each has one finite value at least."""
    ordered = np.sort(values, axis=0)  # NaN come last
    count = np.count_nonzero(~np.isnan(values), axis=0)
    columns = np.arange(values.shape[1])
    middle: Floats = (ordered[(count - 1) // 2, columns] + ordered[count // 2, columns]) / 2
    return middle
