"""Figures by which observers judge a frame, gathered while its pixels pass by."""

import math

import numpy as np
from numpy.typing import NDArray

from tapewatch.model import Statistics
from tapewatch.science.calibrate import Pixels

BLOCK = 1 << 17
"""Pixels looked at together: few enough for their float64 copies to stay in the cache."""

ROW = 1 << 13
"""Pixels in one scalar product: above 10,000 OpenBLAS would spread it over threads, at a loss."""


class RunningStatistics:
    """Mean, standard deviation, extremes and saturated pixels of a frame, in one pass over it.

    Each block's deviations are taken from the block's own mean, and the blocks joined after Chan,
    Golub & LeVeque, "Algorithms for computing the sample variance", The American Statistician 37,
    1983, p. 242: a standard deviation of 1 on a level of 60000 keeps nine digits.

    Parameters
    ----------
    saturation : float or None
        Level from which a pixel counts as saturated, in the unit of the pixels; None: none does.
    """

    def __init__(self, saturation: float | None = None) -> None:
        self._saturation = math.nan if saturation is None else saturation  # nothing is >= NaN
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0  # sum of squared deviations from the mean
        self._max = -math.inf
        self._min = math.inf
        self._saturated = 0

    def add(self, pixels: Pixels) -> None:
        """Take in further pixels of the frame; nothing that they hold makes it fail.

        Parameters
        ----------
        pixels : numpy.ndarray
            (n,), of any native data type of real numbers, n >= 0; only read. NaN pixels are left
            out.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, pixels.size, BLOCK):
                self._add_block(pixels[start : start + BLOCK])

    def result(self) -> Statistics:
        """Return the statistics of all pixels taken in so far.

        Returns
        -------
        tapewatch.model.Statistics
            In the unit of the pixels; `std` is the population's. Mean, standard deviation and
            extremes are NaN where there is no pixel but NaN; an infinite pixel makes them inf or
            NaN, too.
        """
        if not self._count:
            return Statistics(math.nan, math.nan, math.nan, math.nan)
        std = math.sqrt(self._squares / self._count)
        return Statistics(self._mean, std, self._max, self._min, self._saturated)

    def _add_block(self, pixels: Pixels) -> None:
        low, high = _extremes(pixels)
        if math.isnan(low):
            pixels = pixels[~np.isnan(pixels)]
            if not pixels.size:
                return
            low, high = _extremes(pixels)
        self._min, self._max = min(self._min, low), max(self._max, high)
        values = pixels.astype(np.float64)
        if high >= self._saturation:
            self._saturated += int(np.count_nonzero(values >= self._saturation))
        self._add_moments(values)

    def _add_moments(self, values: NDArray[np.float64]) -> None:
        before, count = self._count, values.size
        mean = float(np.add.reduce(values)) / count
        values -= mean
        rows, rest = values[: count - count % ROW].reshape(-1, ROW), values[count - count % ROW :]
        squares = float(np.vecdot(rows, rows).sum() + np.dot(rest, rest))
        shift = mean - self._mean
        self._count = before + count
        self._mean += shift * count / self._count
        self._squares += squares + shift * shift * before * count / self._count


def _extremes(pixels: Pixels) -> tuple[float, float]:
    """Return minimum and maximum; the methods of an array would cost as much again."""
    return float(np.minimum.reduce(pixels)), float(np.maximum.reduce(pixels))
