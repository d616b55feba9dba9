"""Masks: each bit where a pixel deserves it, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tapewatch.model import MEANING_OF_BITS, Bit
from tapewatch.science.calibrate import calibrate
from tapewatch.science.mask import (
    add_bit,
    bad_flat,
    dark_in_flat,
    hot_limit,
    nearly_saturated,
    of_frame,
    of_masters,
)

Single = NDArray[np.float32]
NAN, INF = float("nan"), float("inf")


def single(*values: float) -> Single:
    return np.array(values, np.float32)


def test_hot_is_above_the_median_plus_ten_robust_deviations() -> None:
    dark = np.random.default_rng(1).normal(20, 3, 100_001).astype("f4")
    median = np.median(dark)
    mad = np.median(np.abs(dark - median))
    assert hot_limit(dark) == pytest.approx(median + 10 * 1.4826 * mad, rel=1e-6)
    dark[:3] = (60, NAN, INF)
    assert np.flatnonzero(dark > hot_limit(dark)).tolist() == [0, 2]


def test_a_dark_of_few_values_has_no_ordinary_pixel_hot() -> None:
    # The median of integers: over half of the pixels are 0 and the MAD with them.
    dark = np.repeat(single(0, 0.5, 1), (900, 80, 20))
    dark[0] = 500
    assert np.flatnonzero(dark > hot_limit(dark)).tolist() == [0]
    assert not (np.zeros(9, "f4") > hot_limit(np.zeros(9, "f4"))).any()


def test_a_dark_without_a_number_has_no_hot_pixel() -> None:
    assert hot_limit(np.full(9, NAN, "f4")) == INF


def test_saturation_is_predicted_from_bias_and_scaled_dark() -> None:
    bias, dark = single(1000, 1000, 1000, NAN), single(10, 20_000, 28_000, 60_000)
    found = nearly_saturated(bias, dark, 2.0, 60_000)
    assert found is not None
    assert found.tolist() == [False, False, True, False]
    alone = nearly_saturated(None, dark, 2.0, 60_000)
    assert alone is not None
    assert alone.tolist() == [False, False, True, True]
    assert nearly_saturated(bias, None, 2.0, 60_000) is None


def test_a_flat_is_bad_where_nothing_can_be_divided_by_it() -> None:
    flat = single(1, 1e-30, 0, -0.0, -0.5, NAN, INF, -INF)
    assert bad_flat(flat).tolist() == [False, False, True, True, True, True, True, True]


def test_dark_current_in_a_flat_counts_from_one_percent_on() -> None:
    # 300 s dark, 30 s flat of 20,000 ADU: 1 % is 200 ADU in the flat, 2,000 in the dark.
    dark, flat = single(1900, 2100, 1900, NAN), single(1, 1, 0.9, 1)
    assert dark_in_flat(flat, dark, 30 / 300, 20_000).tolist() == [False, True, True, False]


def test_masters_set_their_bits_together() -> None:
    bias = np.full(1000, 100, "f4")
    dark = np.random.default_rng(2).normal(5, 1, 1000).astype("f4")
    flat = np.ones(1000, "f4")
    dark[1], flat[2], bias[3], dark[4], flat[4] = 40_000, 0, NAN, 100, -1
    mask = of_masters(1000, bias, dark, 2.0, flat, 60_000)
    expected = np.zeros(1000, "u1")
    expected[1] = Bit.HOT | Bit.SATURATED
    expected[2] = Bit.BADFLAT
    expected[3] = Bit.NODATA
    expected[4] = Bit.HOT | Bit.BADFLAT
    assert np.array_equal(mask, expected)
    assert not of_masters(9, None, None, 1.0, None, 60_000).any()


@pytest.mark.parametrize("dtype", ["u2", "i2", "f4", "f8"])
def test_a_frame_adds_what_its_own_pixels_say(dtype: str) -> None:
    raw = np.array([10, 30_000, 20, 30], dtype)
    known = np.array([0, Bit.HOT, Bit.BADFLAT, 0], "u1")
    if raw.dtype.kind == "f":
        raw[3] = NAN
    product = calibrate(raw, flat=single(1, 1, 0, 1))
    mask = of_frame(known, raw, raw >= 30_000, product)
    last = Bit.NODATA if raw.dtype.kind == "f" else 0
    assert mask.tolist() == [0, Bit.HOT | Bit.SATURATED, Bit.BADFLAT, last]
    assert known.tolist() == [0, Bit.HOT, Bit.BADFLAT, 0]


values = st.floats(-(2.0**100), 2.0**100, width=32) | st.sampled_from([NAN, INF, -INF, 0.0])
lines = hnp.arrays(np.float32, 13, elements=values)


@given(lines, lines, lines, lines, st.floats(0, 1000))
def test_no_pixel_without_a_value_is_without_a_bit(
    raw: Single, bias: Single, dark: Single, flat: Single, scale: float
) -> None:
    product = calibrate(raw, bias, dark, scale, flat)
    mask = of_frame(of_masters(13, bias, dark, scale, flat, 60_000), raw, raw >= 60_000, product)
    assert (mask[np.isnan(product)] & ~np.uint8(Bit.SATURATED) != 0).all()
    assert ((mask & Bit.BADFLAT != 0) == ~((flat > 0) & np.isfinite(flat))).all()


def test_every_bit_is_a_power_of_two_with_a_meaning() -> None:
    assert [bit.value for bit in Bit] == [1, 2, 4, 8, 16, 32, 64]
    assert set(MEANING_OF_BITS) == set(Bit)


def test_bits_add_up_and_nowhere_means_nowhere() -> None:
    mask = np.array([Bit.HOT, 0], "u1")
    add_bit(mask, Bit.BADPIX, np.array([True, False]))
    add_bit(mask, Bit.COSMIC, None)
    assert mask.tolist() == [Bit.HOT | Bit.BADPIX, 0]
