"""Read noise and gain of a simulated camera, as measured from its frames."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tapewatch.science.noise import PairNoise, clipped_variance, gain_of_flats

Floats = NDArray[np.floating]


def rng() -> np.random.Generator:
    return np.random.default_rng(20260304)


def in_tiles(frames: Sequence[Floats], size: int = 20_000) -> PairNoise:
    pairs = PairNoise()
    for start in range(0, frames[0].size, size):
        pairs.add([frame[start : start + size] for frame in frames])
    return pairs


def test_outliers_leave_the_variance_alone() -> None:
    values = rng().normal(100, 7, 200_000)
    values[::100] += 5000
    values[1::1000] = np.nan
    assert clipped_variance(values) == pytest.approx(49, rel=0.01)


def test_integers_of_little_noise_have_their_variance() -> None:
    values = np.zeros(10_000)
    values[::5] = 1
    assert clipped_variance(values) == pytest.approx(values.var(), rel=0.01)
    assert clipped_variance(np.zeros(100)) == 0


@pytest.mark.parametrize("values", [[], [1.0] * 63, [np.nan] * 1000])
def test_too_few_values_have_none(values: list[float]) -> None:
    assert clipped_variance(np.array(values)) is None


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
@pytest.mark.parametrize("count", [2, 3, 9])
def test_read_noise_is_that_of_the_camera_whatever_the_pattern(dtype: str, count: int) -> None:
    random = rng()
    pattern = np.repeat(random.normal(1000, 50, 100), 4000)
    frames = [
        np.rint(pattern + random.normal(0, 4.5, pattern.size)).astype(dtype) for _ in range(count)
    ]
    variance = in_tiles(frames).variance
    assert variance is not None
    assert np.sqrt(variance) == pytest.approx(np.hypot(4.5, np.sqrt(1 / 12)), rel=0.02)


@pytest.mark.parametrize(("gain", "level"), [(0.25, 40_000), (1.7, 20_000), (2.3, 3000)])
def test_gain_is_that_of_the_camera(gain: float, level: float) -> None:
    random = rng()
    response = random.normal(1, 0.02, 400_000)
    flats: list[Floats] = [
        (random.poisson(response * level * gain * brightness) / gain
         + random.normal(0, 5, response.size)) / (level * brightness)
        for brightness in (1, 1.02, 0.97, 1)
    ]  # fmt: skip
    assert gain_of_flats(in_tiles(flats), level, 5.0) == pytest.approx(gain, rel=0.02)


def test_a_gain_that_cannot_be_told_is_none() -> None:
    quiet = [np.ones(1000) + rng().normal(0, 1e-4, 1000) for _ in range(2)]
    assert gain_of_flats(in_tiles(quiet), 1000, 5.0) is None  # less than the read noise
    assert gain_of_flats(in_tiles(quiet), 1e9, 0.0) is None  # below any camera's
    assert gain_of_flats(PairNoise(), 1000, 5.0) is None
    assert gain_of_flats(in_tiles(quiet), 0.0, 0.0) is None
    assert gain_of_flats(in_tiles([np.full(1000, np.nan)] * 2), 1000, 0.0) is None


def test_one_frame_tells_nothing() -> None:
    pairs = in_tiles([rng().normal(0, 1, 1000)])
    assert (pairs.variance, pairs.level) == (None, None)
