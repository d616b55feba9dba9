"""The frames of a set, combined tile by tile, and what their noise tells meanwhile."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile.read import RawFrame
from tapewatch.jobs.levels import flat_levels
from tapewatch.jobs.workplace import STRIP
from tapewatch.model import Kind, MasterNoise, Treatment
from tapewatch.science import clip
from tapewatch.science.calibrate import Pixels, normalise_flat, subtract_bias, subtract_dark
from tapewatch.science.combine import median, workspace
from tapewatch.science.noise import PairNoise, gain_of_flats
from tapewatch.science.quality import RunningStatistics
from tapewatch.science.variance import Noise

# Pixels of a tile at most, of all frames together.
_STACK = 1 << 22

Tile = tuple[int, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Subtracted:
    """What is subtracted from the frames of a set before they are combined.

    Parameters
    ----------
    bias : numpy.ndarray or None
        (n,) float32, ADU.
    dark : numpy.ndarray or None
        (n,) float32, ADU, from flats alone.
    dark_scales : tuple of float
        Exposure time of each frame over that of the dark.
    """

    bias: NDArray[np.float32] | None = None
    dark: NDArray[np.float32] | None = None
    dark_scales: tuple[float, ...] = ()

    def part(self, start: int, stop: int) -> "Subtracted":
        """Give what belongs to a strip of pixels."""
        bias, dark = (None if one is None else one[start:stop] for one in (self.bias, self.dark))
        return Subtracted(bias, dark, self.dark_scales)

    def from_pixels(self, raw: Pixels, dark_scale: float) -> NDArray[np.floating]:
        """Subtract from raw pixels: ``(raw - bias) - dark * dark_scale``."""
        return subtract_dark(subtract_bias(raw, self.bias), self.dark, dark_scale)


class Stack:
    """A set of frames being combined.

    Parameters
    ----------
    kind : Kind
        Of the frames.
    frames : sequence of RawFrame
        Open, of one shape and type.
    subtracted : Subtracted
        What is subtracted from each.
    treatment : Treatment
        COMBINE, CLIPSIG and FLATREGION.
    camera : Noise or None
        Gain and read noise where the headers tell them.
    """

    def __init__(
        self,
        kind: Kind,
        frames: Sequence[RawFrame],
        subtracted: Subtracted,
        treatment: Treatment,
        camera: Noise | None = None,
    ) -> None:
        self.inputs = [RunningStatistics() for _ in frames] if kind is Kind.FLAT else []
        self._kind = kind
        self._frames = frames
        self._subtracted = subtracted
        self._pairs = PairNoise()
        self._levels: list[np.floating] = []
        self._work: Pixels | None = None
        self._camera = camera
        self._region = treatment.flatregion
        self.is_clipped = treatment.combine == "sigclip" and len(frames) >= clip.FEWEST
        is_integer = kind is not Kind.FLAT and frames[0].dtype.kind in "iu"
        self._clipped = clip.ClippedMean(clip.Limits(*treatment.clipsig, quantum=float(is_integer)))

    def combined(self) -> Iterator[Tile]:
        """Combine the frames; to be called once.

        Yields
        ------
        (int, numpy.ndarray)
            First pixel of a tile, and its (n,) float32, ADU or relative to 1.
        """
        if self._kind is Kind.FLAT:
            scales = self._subtracted.dark_scales
            self._levels = [
                level
                for frame, scale in zip(self._frames, scales, strict=True)
                for level in flat_levels([frame], partial(self._corrected, scale), self._region)
            ]
        size = max(min(STRIP, _STACK // len(self._frames)), 1)
        for start, stop in self._frames[0].strips(size):
            raws: list[Pixels] = [frame.less_overscan(start, stop) for frame in self._frames]
            part = self._subtracted.part(start, stop)
            tile = self._of_flats(raws, part) if self._kind is Kind.FLAT else self._sum(raws, part)
            yield start, tile.astype(np.float32, copy=False)

    def noise(self, readnoise: float | None) -> MasterNoise:
        """Tell what the noise of the frames was, all of them combined.

        Parameters
        ----------
        readnoise : float or None
            Of one frame, ADU; flats alone need it, for their gain.

        Returns
        -------
        MasterNoise
        """
        variance, count = self._pairs.variance, len(self._frames)
        noise = None if variance is None else math.sqrt(variance)
        if self._kind is not Kind.FLAT:
            return MasterNoise(count, not self.is_clipped, noise)
        level = _harmonic_mean(self._levels)
        if level is None:
            return MasterNoise(count, not self.is_clipped)
        gain = None if readnoise is None else gain_of_flats(self._pairs, level, readnoise)
        of_frame = None if noise is None else noise * level
        return MasterNoise(count, not self.is_clipped, of_frame, level, gain)

    def _corrected(
        self, dark_scale: float, frame: RawFrame, start: int, stop: int
    ) -> NDArray[np.floating]:
        part = self._subtracted.part(start, stop)
        return part.from_pixels(frame.less_overscan(start, stop), dark_scale)

    def _of_flats(self, raws: Sequence[Pixels], part: Subtracted) -> NDArray[np.floating]:
        tiles = [
            normalise_flat(raw, part.bias, level, part.dark, scale)
            for raw, level, scale in zip(raws, self._levels, part.dark_scales, strict=True)
        ]
        for statistics, tile in zip(self.inputs, tiles, strict=True):
            statistics.add(tile)
        self._pairs.add(tiles)
        return self._middle(tiles)

    def _sum(self, raws: list[Pixels], part: Subtracted) -> NDArray[np.floating]:
        """Combine frames whose levels add up: biases and darks."""
        self._pairs.add(raws)
        if part.bias is None or _commutes(raws[0].dtype, part.bias):
            return subtract_bias(self._middle(raws), part.bias)
        return self._middle([subtract_bias(raw, part.bias) for raw in raws])

    def _middle(self, tiles: Sequence[Pixels]) -> NDArray[np.floating]:
        if self.is_clipped:
            return self._clipped.combine(tiles, self._expected_noise)
        if self._work is None or self._work.dtype != tiles[0].dtype:
            self._work = workspace(len(tiles), tiles[0].dtype)
        return median(tiles, self._work)

    def _expected_noise(self, center: NDArray[np.floating]) -> NDArray[np.floating] | None:
        """Give the noise of one frame by gain and read noise; of dark current it knows nothing."""
        if self._camera is None:
            return None
        if self._kind is not Kind.FLAT:
            return np.full(center.shape, self._camera.readnoise)
        level = _harmonic_mean(self._levels)
        return None if level is None else np.sqrt(self._camera.variance(center * level)) / level


def _harmonic_mean(levels: Sequence[np.floating]) -> float | None:
    """Return the level of flats of which 1 / level is the mean; None where any has none."""
    values = [float(level) for level in levels]
    if not values or not all(0 < value < math.inf for value in values):
        return None
    return len(values) / sum(1 / value for value in values)


def _commutes(dtype: np.dtype[np.number], bias: NDArray[np.float32]) -> bool:
    """Tell whether median(raw - bias) equals median(raw) - bias to the bit.

    It does for integers of 8 and 16 bits and a bias of half-integers, as a median of such
    integers is: every difference is exact in float32. The median of integers is far cheaper.
    """
    if dtype.kind not in "iu" or dtype.itemsize > 2:  # noqa: PLR2004  (bytes)
        return False
    doubled = bias * 2
    return bool(np.array_equal(doubled, np.rint(doubled)))
