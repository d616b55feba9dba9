"""Running statistics are those of the whole frame, however it comes in."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tapewatch.model import Statistics
from tapewatch.science import quality
from tapewatch.science.quality import RunningStatistics

Pixels = NDArray[np.number]


def in_strips(pixels: Pixels, strip: int, saturation: float | None = None) -> Statistics:
    """Statistics of pixels that come strip by strip."""
    running = RunningStatistics(saturation)
    for start in range(0, pixels.size, strip):
        running.add(pixels[start : start + strip])
    return running.result()


def agree(found: Statistics, pixels: Pixels) -> bool:
    """Whether statistics are those that numpy gives for the whole frame in double precision."""
    wide = pixels.astype(np.float64)
    scale = float(np.abs(wide).max())
    return (
        math.isclose(found.mean, np.mean(wide), rel_tol=1e-9, abs_tol=1e-14 * scale)
        and math.isclose(found.std, np.std(wide), rel_tol=1e-9, abs_tol=1e-14 * scale)
        and (found.min, found.max) == (wide.min(), wide.max())
    )


@given(
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]).flatmap(
        lambda dtype: hnp.arrays(dtype, st.integers(1, 200))
    ),
    st.integers(1, 200),
)
def test_integers_have_the_statistics_of_the_whole_frame(pixels: Pixels, strip: int) -> None:
    assert agree(in_strips(pixels, strip), pixels)


@given(
    hnp.arrays("f4", st.integers(1, 200), elements=st.floats(-1e6, 1e6, width=32)),
    st.integers(1, 200),
)
def test_floats_have_the_statistics_of_the_whole_frame(pixels: Pixels, strip: int) -> None:
    assert agree(in_strips(pixels, strip), pixels)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("strip", [1000, quality.BLOCK, 200_000])
def test_a_small_spread_on_a_high_level_keeps_its_digits(dtype: str, strip: int) -> None:
    pixels = np.random.default_rng(4).normal(60000, 1, 200_000).astype(dtype)
    pixels[0] = 0  # a dead first pixel: no centre to take deviations from
    found = in_strips(pixels, strip)
    assert found.mean == pytest.approx(np.mean(pixels, dtype="f8"), rel=1e-13)
    assert found.std == pytest.approx(np.std(pixels, dtype="f8"), rel=1e-9)


def test_a_constant_frame_has_no_spread() -> None:
    found = in_strips(np.full(100_000, 0.1, "f4"), 30_000)
    assert found.mean == pytest.approx(float(np.float32(0.1)), rel=1e-15)
    assert found.std < 1e-15


@given(
    hnp.arrays("f4", 100, elements=st.floats(0, 100, width=32) | st.just(math.nan)),
    st.integers(1, 100),
)
def test_nan_pixels_are_left_out(pixels: Pixels, strip: int) -> None:
    rest = pixels[~np.isnan(pixels)]
    found = in_strips(pixels, strip, saturation=50)
    if rest.size:
        assert agree(found, rest)
        assert found.saturated == np.count_nonzero(rest >= 50)


@pytest.mark.parametrize("pixels", [np.full(10, np.nan, "f4"), np.empty(0, "u2")])
def test_a_frame_of_nothing_but_nan_gives_nan(pixels: Pixels) -> None:
    found = in_strips(pixels, 3, saturation=1)
    assert np.isnan([found.mean, found.std, found.max, found.min]).all()
    assert found.saturated == 0


def test_a_strip_without_pixels_changes_nothing() -> None:
    running = RunningStatistics(1)
    running.add(np.array([1, 3], "u2"))
    running.add(np.empty(0, "u2"))
    assert running.result() == Statistics(2, 1, 3, 1, 2)


@pytest.mark.parametrize(
    ("saturation", "expected"), [(None, 0), (65535, 2), (65534.5, 2), (65534, 3), (70000, 0)]
)
def test_pixels_at_or_above_saturation_are_counted(saturation: float | None, expected: int) -> None:
    pixels = np.array([0, 65535, 65533, 65534, 65535], "u2")
    assert in_strips(pixels, 2, saturation).saturated == expected


@pytest.mark.parametrize("saturation", [None, 100])
def test_infinite_pixels_raise_no_error(saturation: float | None) -> None:
    found = in_strips(np.array([1, np.inf, -np.inf, 2, 1e300]), 2, saturation)
    assert (found.min, found.max) == (-math.inf, math.inf)
    assert found.saturated == (0 if saturation is None else 2)


def test_the_pixels_stay_as_they_are() -> None:
    pixels = np.array([1, np.nan, 3])
    pixels.flags.writeable = False
    assert in_strips(pixels, 3) == Statistics(2, 1, 3, 1)


def test_a_frame_of_stars_has_the_statistics_numpy_gives_it() -> None:
    random = np.random.default_rng(5)
    stars = random.exponential(1, 300_000) ** 6 * 10
    pixels = np.minimum(random.normal(600, 9, 300_000) + stars, 65535).astype("u2")
    found = in_strips(pixels, 65536, 65535)
    assert agree(found, pixels)
    assert found.saturated == np.count_nonzero(pixels == 65535) > 0
