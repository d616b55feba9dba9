"""What a frame looks like, from a sub-sample of its pixels taken while all of them pass by.

Robust figures: a median is not moved by stars, cosmic rays and hot pixels, which are counted apart.
The sample is a grid of rows and columns, the same for every frame of a shape, so that frames can be
compared cell by cell.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tapewatch.model import Profile
from tapewatch.science.calibrate import Pixels

GRID = 8
"""Cells in x and in y by which the large-scale structure is told."""

_SIDE = 16  # rows and columns of a cell that are looked at: its median is one of 256 pixels
_BRIGHT = 8.0  # scatters above its cell's median from which a pixel is a bright outlier
_STEP = 1.0  # ADU; a camera of little noise scatters by less than the step between two numbers
_NORMAL = 1.4826  # standard deviation of a normal distribution over its median deviation


class Sampler:
    """Takes a sub-sample of a frame's pixels while they pass by in order.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx) of the frame, pixels.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._index, self._order = _places(shape)
        self._sample = np.full(self._index.size, np.nan, dtype=np.float32)
        self._pixels = math.prod(shape)
        self._passed = 0

    def add(self, pixels: Pixels) -> None:
        """Take from the next pixels of the frame; nothing that they hold makes it fail.

        Parameters
        ----------
        pixels : numpy.ndarray
            (n,), of any native data type of real numbers, n >= 0; only read.
        """
        start, self._passed = self._passed, self._passed + pixels.size
        first, last = np.searchsorted(self._index, (start, self._passed))
        with np.errstate(over="ignore"):
            self._sample[first:last] = pixels[self._index[first:last] - start]

    @property
    def level(self) -> float:
        """Median of the sample, in the unit of the pixels; NaN where none of it is finite."""
        return _middle(self._sample[np.isfinite(self._sample)])

    def result(self, saturated: int = 0) -> Profile:
        """Describe the frame.

        Parameters
        ----------
        saturated : int
            Pixels at or above saturation, of the whole frame.

        Returns
        -------
        tapewatch.model.Profile
            In the unit of the pixels.
        """
        level, overfull = self.level, saturated / max(self._pixels, 1)
        if math.isnan(level):
            return Profile(level, level, (), 0.0, 1.0, 1.0, overfull)
        sample = self._sample[self._order].reshape(GRID * _SIDE, -1)
        finite = np.isfinite(sample)
        sample = np.where(finite, sample, np.float32(level))
        cells = sample.reshape(GRID, _SIDE, GRID, _SIDE).swapaxes(1, 2).reshape(GRID * GRID, -1)
        half = cells.shape[1] // 2
        medians = np.partition(cells, half)[:, half]
        residuals = cells - medians[:, np.newaxis]
        scatter = _NORMAL * _middle(np.abs(residuals))
        return Profile(
            level=level,
            scatter=scatter,
            structure=tuple((medians - np.float32(level)).tolist()),
            bright=_fraction(residuals > _BRIGHT * max(scatter, _STEP)),
            constant=_fraction((sample == sample[:, :1]).all(axis=1)),
            invalid=1 - _fraction(finite),
            saturated=overfull,
        )


@lru_cache(maxsize=8)  # a night's frames have few shapes
def _places(shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose the pixels of the sample, and say which of them stands where in it.

    They are counted from the first of the frame, in order; those of a small frame come in the
    sample several times.
    """
    rows, columns = (_spread(length) for length in shape)
    places, order = np.unique(rows[:, np.newaxis] * shape[1] + columns, return_inverse=True)
    return places, order.ravel()


def _spread(length: int) -> NDArray[np.intp]:
    """Choose positions along an axis, as many in every cell, even and odd ones alike.

    Colour cameras and double amplifiers differ between even and odd columns. Of an axis that is
    too short positions come several times.
    """
    count = GRID * _SIDE
    positions = (np.arange(count) * length) // count
    if length >= 2 * count:
        positions += np.arange(count) % 2 - positions % 2
    return positions


def _fraction(true: NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(true)) / true.size


def _middle(values: NDArray[np.float32]) -> float:
    """Median of values, the upper one of an even number: ten times as fast as `numpy.median`."""
    half = values.size // 2
    return float(np.partition(values, half, axis=None)[half]) if values.size else math.nan
