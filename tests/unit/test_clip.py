"""The clipped mean: what ccdproc gives, and no good pixel lost."""

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.stats import mad_std
from ccdproc import Combiner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tapewatch.science.clip import BLOCK, ClippedMean, Limits

Floats = NDArray[np.floating]


def unknown(_: Floats) -> None:
    """Tell nothing of the noise."""


def stack(count: int, size: int = 20_000, seed: int = 1) -> Floats:
    """Frames of noise with cosmic rays and dead pixels in one of a hundred."""
    random = np.random.default_rng(seed)
    frames = random.normal(1000, 8, (count, size)).astype("f4")
    struck = random.random((count, size)) < 0.01
    frames[struck] += random.uniform(-500, 20_000, np.count_nonzero(struck)).astype("f4")
    return frames


@pytest.mark.parametrize("count", [9, 10, 15])
@pytest.mark.parametrize(("low", "high"), [(3.0, 3.0), (2.0, 5.0)])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_it_is_ccdprocs_to_float32_rounding(
    count: int, low: float, high: float, dtype: str
) -> None:
    frames = stack(count).astype(dtype)
    combiner = Combiner([CCDData(frame, unit="adu") for frame in frames])
    combiner.sigma_clipping(low_thresh=low, high_thresh=high, func=np.ma.median, dev_func=mad_std)
    theirs = combiner.average_combine().data
    ours = ClippedMean(Limits(low, high)).combine(list(frames), unknown)
    assert np.abs(ours / theirs - 1).max() < 1e-7


def by_hand(values: Floats, limits: Limits, sigma: float | None) -> float:
    """Clip one pixel, written out."""
    good = values[np.isfinite(values)].astype("f8")
    if not good.size:
        return float("nan")
    deviations = good - np.median(good)
    scale = 1.482602218505602 * np.median(np.abs(deviations))
    if sigma is not None:
        scale = max(scale, sigma)
    low, high = max(limits.low * scale, limits.quantum), max(limits.high * scale, limits.quantum)
    return float(good[(deviations >= -low) & (deviations <= high)].mean())


whole = st.integers(-50, 50).map(float) | st.sampled_from([float("nan"), float("inf"), 6e4])
sigmas = st.none() | st.floats(0, 50)


@given(hnp.arrays(np.float64, (9, 5), elements=whole), sigmas, st.sampled_from([0.0, 1.0]))
def test_each_pixel_is_clipped_as_written_out(
    values: Floats, sigma: float | None, quantum: float
) -> None:
    limits = Limits(2.5, 3.5, quantum)

    def model(center: Floats) -> Floats | None:
        return None if sigma is None else np.full(center.shape, sigma)

    found = ClippedMean(limits).combine(list(values), model)
    expected = [by_hand(values[:, column], limits, sigma) for column in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_every_type_is_taken_and_tiles_are_used_again(dtype: str) -> None:
    random = np.random.default_rng(3)
    frames = random.normal(100, 5, (11, BLOCK + 777)).astype(dtype)
    combining = ClippedMean(Limits(quantum=1))
    for _ in range(2):
        found = combining.combine(list(frames), unknown)
        columns = (0, 17, BLOCK - 1, BLOCK, BLOCK + 776)
        expected = [by_hand(frames[:, column], Limits(quantum=1), None) for column in columns]
        assert found[list(columns)] == pytest.approx(expected, rel=1e-6)


def test_integers_that_differ_by_one_step_are_all_kept() -> None:
    frames = np.full((9, 1), 100, "u2")
    frames[:3] = 101  # the MAD is 0, and so ccdproc would leave them out
    assert ClippedMean(Limits(quantum=1)).combine(list(frames), unknown)[0] == pytest.approx(
        100 + 1 / 3
    )
    assert ClippedMean(Limits()).combine(list(frames), unknown)[0] == 100


def test_the_camera_noise_keeps_what_the_mad_would_lose() -> None:
    # 40,000 pixels of pure noise: by the MAD of nine values many are lost, by the model 3 in 1000.
    frames = np.random.default_rng(4).normal(0, 5, (9, 40_000)).astype("f4")

    def five(center: Floats) -> Floats:
        return np.full(center.shape, 5.0)

    by_mad = ClippedMean(Limits()).combine(list(frames), unknown).var() * 9 / 25
    by_model = ClippedMean(Limits()).combine(list(frames), five).var() * 9 / 25
    assert 1.0 <= by_model < 1.03 < by_mad


def test_a_pixel_without_any_value_is_nan() -> None:
    frames = np.full((9, 3), np.nan, "f4")
    frames[4, 1] = 7
    assert ClippedMean(Limits()).combine(list(frames), unknown).tolist() == [
        pytest.approx(np.nan, nan_ok=True),
        7,
        pytest.approx(np.nan, nan_ok=True),
    ]
