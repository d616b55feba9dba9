"""Calibration is the notebook's arithmetic, to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tapewatch.science.calibrate import calibrate, normalise_flat, subtract_bias, working_dtype

Pixels = NDArray[np.number]
Single = NDArray[np.float32]

SHAPE = (7, 11)


def single(low: float, high: float) -> st.SearchStrategy[Single]:
    """Masters with values in a range."""
    return hnp.arrays(np.float32, SHAPE, elements=st.floats(low, high, width=32))


biases = single(0, 2000)
darks = single(-100, 60000)
flats = single(-2, 2)  # with zeros and negative values among them
scales = st.floats(0.001, 1000)
raws = hnp.arrays(np.uint16, SHAPE)


def notebook(raw: Pixels, bias: Pixels, dark: Pixels, scale: float, flat: Pixels) -> Single:
    """Calibrate as the notebook's cell does, with its names and its order of operations."""
    with np.errstate(all="ignore"):
        cIMAGE = raw  # noqa: N806 - the notebook's own names
        dFRAME = dark  # noqa: N806
        dFRAME = dFRAME * scale  # noqa: N806
        cIMAGE = cIMAGE - bias - dFRAME  # noqa: N806
        return np.array(cIMAGE / flat, dtype=np.float32)


def nan_for_infinite(image: Single) -> Single:
    """Put NaN where an image is infinite, as products have it."""
    return np.where(np.isinf(image), np.float32(np.nan), image)


def same_bits(one: Pixels, other: Pixels) -> bool:
    """Whether two images are equal in type and to the bit, all NaN taken as one."""
    nan = np.isnan(one)
    assert one.dtype == other.dtype
    return np.array_equal(nan, np.isnan(other)) and one[~nan].tobytes() == other[~nan].tobytes()


@given(raws, biases, darks, scales, flats)
def test_object_frames_are_the_notebook_to_the_bit(
    raw: Pixels, bias: Single, dark: Single, scale: float, flat: Single
) -> None:
    expected = nan_for_infinite(notebook(raw, bias, dark, scale, flat))
    assert same_bits(calibrate(raw, bias, dark, scale, flat), expected)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "f4"])
def test_narrow_types_are_the_notebook_to_the_bit(dtype: str) -> None:
    random = np.random.default_rng(1)
    raw = random.normal(60, 15, 10_000).astype(dtype)
    bias, dark, flat = random.normal(1, 0.1, (3, 10_000)).astype("f4")
    expected = notebook(raw, bias, dark, 200 / 180, flat)
    assert same_bits(calibrate(raw, bias, dark, 200 / 180, flat), expected)


@pytest.mark.parametrize("dtype", ["u4", "i4", "i8", "f8"])
def test_wide_types_are_worked_out_in_double_precision(dtype: str) -> None:
    random = np.random.default_rng(1)
    bias, dark, flat = random.normal(1, 0.1, (3, 10_000)).astype("f4")
    dark *= 1e6
    raw = (dark * (200 / 180)).astype(
        dtype
    )  # what is left is of the order of the dark's last digit
    expected = notebook(raw, bias, dark.astype("f8"), 200 / 180, flat)
    assert same_bits(calibrate(raw, bias, dark, 200 / 180, flat), expected)


@given(raws, biases, darks, scales, flats)
def test_a_missing_step_is_left_out(
    raw: Pixels, bias: Single, dark: Single, scale: float, flat: Single
) -> None:
    with np.errstate(all="ignore"):
        expected = {
            "none": raw.astype("f4"),
            "bias": raw - bias,
            "bias, dark": raw - bias - dark * scale,
            "bias, flat": (raw - bias) / flat,
            "dark, flat": (raw - dark * scale) / flat,
        }
    found = {
        "none": calibrate(raw),
        "bias": calibrate(raw, bias),
        "bias, dark": calibrate(raw, bias, dark, scale),
        "bias, flat": calibrate(raw, bias, flat=flat),
        "dark, flat": calibrate(raw, dark=dark, dark_scale=scale, flat=flat),
    }
    for steps, image in expected.items():
        assert same_bits(found[steps], nan_for_infinite(image)), steps


def test_a_frame_in_strips_is_the_whole_frame() -> None:
    random = np.random.default_rng(2)
    raw = random.integers(0, 65536, 1000, dtype="u2")
    bias, dark, flat = random.normal(1, 0.1, (3, 1000)).astype("f4")
    strips = [slice(start, start + 333) for start in range(0, 1000, 333)]
    parts = [calibrate(raw[s], bias[s], dark[s], 1.5, flat[s]) for s in strips]
    assert same_bits(np.concatenate(parts), calibrate(raw, bias, dark, 1.5, flat))


def test_zero_in_the_flat_gives_nan_and_a_negative_one_a_number() -> None:
    raw = np.array([100, 0, 5, 100], "u2")
    bias = np.array([0, 0, 5, 0], "f4")
    flat = np.array([0, 0, 0, -0.5], "f4")
    result = calibrate(raw, bias, flat=flat)
    assert np.isnan(result).tolist() == [True, True, True, False]
    assert result[3] == -200


def test_what_float32_cannot_hold_gives_nan() -> None:
    assert np.isnan(calibrate(np.array([1e300, -np.inf, np.nan]))).all()


def test_inputs_stay_as_they_are() -> None:
    raw = np.array([np.inf, np.nan, 3], "f4")
    masters = [np.full(3, value, "f4") for value in (1, 2, 0.5)]
    for array in (raw, *masters):
        array.flags.writeable = False
    result = calibrate(raw, masters[0], masters[1], 2.0, masters[2])
    assert result[2] == -4
    assert calibrate(raw)[2] == 3
    assert np.isinf(raw[0])


@pytest.mark.parametrize(
    ("raw", "working"),
    [
        *[(dtype, "f4") for dtype in ("u1", "i1", "u2", "i2", "f4", ">i2", ">f4")],
        *[(dtype, "f8") for dtype in ("u4", "i4", "u8", "i8", "f8", ">i4", ">f8")],
    ],
)
def test_the_working_precision_is_the_notebook_precision(raw: str, working: str) -> None:
    assert working_dtype(np.dtype(raw)) == np.dtype(working)
    assert working_dtype(np.dtype(raw)).isnative
    assert (np.ones(2, raw) - np.ones(2, "f4")).dtype == np.dtype(working)


@given(raws, biases)
def test_bias_is_subtracted_as_in_the_notebook(raw: Pixels, bias: Single) -> None:
    assert same_bits(subtract_bias(raw, bias), raw - bias)
    assert same_bits(subtract_bias(raw, None), raw.astype("f4"))


@given(raws, biases)
def test_flats_are_normalised_as_in_the_notebook(raw: Pixels, bias: Single) -> None:
    dat = raw - bias
    level = np.median(dat)
    with np.errstate(all="ignore"):
        fdat = dat / level
    assert same_bits(normalise_flat(raw, bias, level), fdat)


def test_wide_flats_are_normalised_in_double_precision() -> None:
    raw = np.random.default_rng(3).integers(10**6, 10**7, 999, dtype="i4")
    bias = np.full(999, 1000.5, "f4")
    dat = raw - bias
    level = np.median(dat)
    assert dat.dtype == np.float64
    assert same_bits(normalise_flat(raw, bias, level), dat / level)
