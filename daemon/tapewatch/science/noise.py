"""Read noise and gain, measured from pairs of frames while a set is combined.

The difference of two frames of the same scene has twice the variance of one and nothing of the
scene. That of two biases gives the read noise, that of two flats, with their level, the gain: the
photon transfer method (J. R. Janesick, "Photon transfer", SPIE 2007, chapter 5). A small sample of
each tile is taken, of one pair after the other, and clipped, for the sake of cosmic rays and stars.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tapewatch.science.calibrate import Pixels

Floats = NDArray[np.floating]

SAMPLE = 1 << 13
"""Pixels of a tile that are looked at."""

CLIP = 4.0
"""Standard deviations beyond which a difference is left out."""

_EACH_OF_FIRST = 16  # tiles; of the many more of a large frame one in four says enough
_ONE_IN = 4
_ROUNDS = 5
_FEWEST = 64  # pixels without which a tile says nothing
_GAINS = (1e-3, 1e3)  # e-/ADU that a camera may have


def clipped_variance(values: Floats) -> float | None:
    """Return the variance of values without their outliers.

    Begins with 1.4826 x MAD, then leaves out what is further than `CLIP` standard deviations from
    the mean until nothing changes; the tails of a normal distribution that are lost are made up.

    Parameters
    ----------
    values : numpy.ndarray
        (n,); what is not finite is left out.

    Returns
    -------
    float or None
        In the square of their unit; None where fewer than 64 are left.
    """
    values = values[np.isfinite(values)].astype(np.float64)
    if values.size < _FEWEST:
        return None
    center = np.median(values)
    sigma = 1.4826 * float(np.median(np.abs(values - center)))
    if sigma == 0:  # more than half are equal: integers of little noise
        sigma = float(values.std())
    for _ in range(_ROUNDS):
        kept = values[np.abs(values - center) <= CLIP * sigma]
        if kept.size < _FEWEST:
            return None
        center, before = kept.mean(), sigma
        sigma = float(kept.std()) / _LEFT_OF_SIGMA
        if math.isclose(sigma, before, rel_tol=1e-6):
            break
    return sigma**2


# Standard deviation of a normal distribution cut at `CLIP`, over that of the whole.
_LEFT_OF_SIGMA = math.sqrt(
    1 - 2 * CLIP * math.exp(-(CLIP**2) / 2) / math.sqrt(2 * math.pi) / math.erf(CLIP / math.sqrt(2))
)


@dataclass(slots=True)
class PairNoise:
    """Gathers, tile by tile, the noise of frames that show the same scene."""

    _variances: list[float] = field(default_factory=list)
    _levels: list[float] = field(default_factory=list)
    _tiles: int = 0

    def add(self, tiles: Sequence[Pixels]) -> None:
        """Take in the same tile of every frame.

        Parameters
        ----------
        tiles : sequence of numpy.ndarray
            (n,), of one level (normalised flats) and any unit; fewer than two say nothing.
        """
        if len(tiles) < 2:  # noqa: PLR2004  (a pair)
            return
        number, self._tiles = self._tiles, self._tiles + 1
        if number >= _EACH_OF_FIRST and number % _ONE_IN:
            return
        first = len(self._variances) % (len(tiles) - 1)
        middle = max((tiles[0].size - SAMPLE) // 2, 0)
        one, other = (
            tile[middle : middle + SAMPLE].astype(np.float64) for tile in tiles[first : first + 2]
        )
        with np.errstate(invalid="ignore", over="ignore"):
            variance = clipped_variance(one - other)
            level = float(np.median((one + other) / 2))
        if variance is not None and math.isfinite(level):
            self._variances.append(variance / 2)
            self._levels.append(level)

    @property
    def variance(self) -> float | None:
        """Variance of one frame, in the square of the unit; None where it is not known."""
        return float(np.median(self._variances)) if self._variances else None

    @property
    def level(self) -> float | None:
        """Level at which it was measured."""
        return float(np.median(self._levels)) if self._levels else None


def gain_of_flats(pairs: PairNoise, level: float, readnoise: float) -> float | None:
    """Return the gain by which normalised flats have the noise they have.

    Parameters
    ----------
    pairs : PairNoise
        Of the flats, each divided by its level.
    level : float
        Of the flats, ADU.
    readnoise : float
        Of one frame, ADU.

    Returns
    -------
    float or None
        e-/ADU; None where it cannot be told: noise of less than the read noise, or a gain that no
        camera has.
    """
    variance, relative = pairs.variance, pairs.level
    if variance is None or relative is None or not level > 0 or not relative > 0:
        return None
    of_photons = variance * level**2 - readnoise**2
    if of_photons <= 0:
        return None
    gain = relative * level / of_photons
    return gain if _GAINS[0] <= gain <= _GAINS[1] else None
