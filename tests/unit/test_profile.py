"""Robust figures of a sub-sample: what they tell of a frame, and what does not move them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tapewatch.model import Profile
from tapewatch.science.profile import Sampler

SHAPE = (400, 300)


def noise(level: float, sigma: float, shape: tuple[int, int] = SHAPE) -> NDArray[np.float32]:
    """Give a frame of normal noise."""
    return np.random.default_rng(7).normal(level, sigma, shape).astype(np.float32)


def profile_of(pixels: NDArray[np.number], strip: int = 1 << 17, saturated: int = 0) -> Profile:
    """Profile of a frame whose pixels pass by strip by strip."""
    sampler = Sampler((pixels.shape[0], pixels.shape[1]))
    flat = pixels.ravel()
    for start in range(0, flat.size, strip):
        sampler.add(flat[start : start + strip])
    return sampler.result(saturated)


def test_level_and_scatter_are_those_of_the_noise() -> None:
    found = profile_of(noise(1000.0, 10.0))
    assert found.level == pytest.approx(1000, abs=0.5)
    assert found.scatter == pytest.approx(10, rel=0.03)
    assert found.structure == pytest.approx([0.0] * 64, abs=4.0)  # 10 / sqrt(256), six sigma
    assert (found.bright, found.constant, found.invalid, found.saturated) == (0, 0, 0, 0)


def test_a_gradient_is_structure_and_no_scatter() -> None:
    ramp = np.linspace(-200, 200, SHAPE[0], dtype=np.float32)[:, np.newaxis]
    found = profile_of(noise(1000.0, 10.0) + ramp)
    rows = np.reshape(found.structure, (8, 8))
    assert rows.mean(axis=1) == pytest.approx(np.arange(-175, 176, 50), abs=5)
    assert np.ptp(rows, axis=1).max() < 8
    assert found.scatter == pytest.approx(math.hypot(10, 50 / math.sqrt(12)), rel=0.15)


def test_stars_are_counted_and_move_nothing_else() -> None:
    sky = noise(1000.0, 10.0)
    stars = sky.copy()
    spots = np.random.default_rng(8).choice(sky.size, sky.size // 50, replace=False)
    stars.ravel()[spots] += 5000
    calm, found = profile_of(sky), profile_of(stars)
    assert calm.bright == 0
    assert found.bright == pytest.approx(0.02, rel=0.2)
    assert found.level == pytest.approx(calm.level, abs=1)
    assert found.scatter == pytest.approx(calm.scatter, rel=0.05)


def test_rows_without_an_image_are_counted() -> None:
    cut = noise(1000.0, 10.0)
    cut[SHAPE[0] // 4 :] = 0
    assert profile_of(cut).constant == pytest.approx(0.75, abs=0.01)


def test_what_is_no_number_is_counted_and_left_out() -> None:
    holed = noise(1000.0, 10.0)
    holed[:, : SHAPE[1] // 2] = np.nan
    holed[0, -1] = np.inf
    found = profile_of(holed)
    assert found.invalid == pytest.approx(0.5, abs=0.01)
    assert found.level == pytest.approx(1000, abs=1)
    nothing = profile_of(np.full(SHAPE, np.nan, dtype=np.float32))
    assert math.isnan(nothing.level)
    assert (nothing.structure, nothing.invalid) == ((), 1.0)


def test_both_colours_of_a_row_are_in_the_sample() -> None:
    mosaic = np.zeros(SHAPE, dtype=np.float32)
    mosaic[:, 1::2] = 100
    sampler = Sampler(SHAPE)
    sampler.add(mosaic.ravel())
    assert np.unique(sampler._sample, return_counts=True)[1].tolist() == [8192, 8192]
    assert Sampler((300, 301))._index.max() < 300 * 301


def test_the_saturated_fraction_is_of_the_whole_frame() -> None:
    assert profile_of(noise(1000.0, 10.0), saturated=60).saturated == 60 / (400 * 300)


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.integers(1, 5000),
    st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"]),
)
def test_the_strips_do_not_matter(shape: tuple[int, int], strip: int, dtype: str) -> None:
    pixels = np.random.default_rng(shape).integers(0, 100, shape).astype(dtype)
    whole, parts = profile_of(pixels, pixels.size), profile_of(pixels, strip)
    assert parts == whole
    assert pixels.min() <= whole.level <= pixels.max()
    assert len(whole.structure) == 64
