"""Medians are numpy's, to the bit: of stacks in tiles, and of frames in strips."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tapewatch.science import combine
from tapewatch.science.combine import frame_median, median, workspace

Pixels = NDArray[np.number]
Floats = NDArray[np.floating]

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]


def numpy_median(frames: list[Pixels]) -> Floats:
    """Combine a stack as the notebook does, before it casts."""
    with np.errstate(all="ignore"):
        return np.asarray(np.median(np.array(frames), axis=0))


def same_bits(one: Floats, other: Floats) -> bool:
    """Whether two arrays of one type are equal to the bit, all NaN taken as one."""
    nan = np.isnan(one)
    assert one.dtype == other.dtype
    return np.array_equal(nan, np.isnan(other)) and one[~nan].tobytes() == other[~nan].tobytes()


@st.composite
def stacks(draw: st.DrawFn) -> list[Pixels]:
    """Frames of one type: any values of that type, NaN and infinities too, many of them alike."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    shape = draw(st.integers(1, 21)), draw(st.integers(1, 20))
    values = draw(st.lists(hnp.from_dtype(dtype), min_size=1, max_size=30))
    seed = draw(st.integers(0, 2**32 - 1))
    picked = np.random.default_rng(seed).choice(np.array(values, dtype), shape)
    return list(picked)


@given(stacks())
def test_a_stack_gives_the_notebook_median(frames: list[Pixels]) -> None:
    result = median(frames)
    expected = numpy_median(frames)
    narrow = frames[0].dtype.itemsize <= 2 or frames[0].dtype == np.float32
    assert same_bits(result, expected.astype("f4" if narrow else "f8"))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [1, 2, 5, 6, 11, 12, 15, 16])
def test_random_stacks_give_the_notebook_median(count: int, dtype: str) -> None:
    random = np.random.default_rng(count)
    frames = list(random.normal(100, 12, (count, 3000)).astype(dtype))
    with np.errstate(all="ignore"):
        assert same_bits(median(frames).astype("f4"), numpy_median(frames).astype("f4"))


@pytest.mark.parametrize(
    ("dtype", "pair", "expected"),
    [
        ("u1", (254, 255), 254.5),
        ("u2", (65534, 65535), 65534.5),
        ("i2", (-32768, -32767), -32767.5),
        ("i2", (32766, 32767), 32766.5),
        ("i4", (2**31 - 2, 2**31 - 1), 2**31 - 1.5),
        ("u4", (2**32 - 2, 2**32 - 1), 2**32 - 1.5),
    ],
)
def test_the_mean_of_two_middle_values_does_not_overflow(
    dtype: str, pair: tuple[int, int], expected: float
) -> None:
    assert median([np.array([value], dtype) for value in pair])[0] == expected


@pytest.mark.parametrize("count", [*range(1, 18), 32])
def test_nan_in_any_frame_gives_nan(count: int) -> None:
    frames = np.random.default_rng(count).normal(0, 1, (count, count + 1)).astype("f4")
    np.fill_diagonal(frames, np.nan)  # pixel k of frame k; the last pixel stays whole
    assert np.isnan(median(list(frames))).tolist() == [True] * count + [False]


@pytest.mark.parametrize("pair", [(3e38, 3e38), (-np.inf, np.inf), (-0.0, -0.0)])
def test_extreme_values_give_what_numpy_gives_without_a_warning(pair: tuple[float, float]) -> None:
    frames = [np.array([value], "f4") for value in pair]
    assert same_bits(median(frames), numpy_median(list(frames)))
    assert Frame(np.array(pair, "f4"), 2).has_numpy_median()


def test_the_frames_stay_as_they_are() -> None:
    frames = list(np.random.default_rng(0).integers(0, 65536, (15, 500), dtype="u2"))
    before = [frame.copy() for frame in frames]
    for frame in frames:
        frame.flags.writeable = False
    median(frames)
    assert all(map(np.array_equal, frames, before))


def test_one_workspace_serves_tile_after_tile() -> None:
    frames = np.random.default_rng(0).integers(0, 65536, (6, 3 * combine.BLOCK + 7), dtype="u2")
    work = workspace(6, frames.dtype)
    tile = combine.BLOCK + 100  # more than a block, and a short tile at the end
    tiles = (frames[:, start : start + tile] for start in range(0, frames.shape[1], tile))
    result = np.concatenate([median(list(tile), work) for tile in tiles])
    assert same_bits(result, numpy_median(list(frames)).astype("f4"))


def test_no_frames_have_no_median() -> None:
    with pytest.raises(ValueError, match="one or more"):
        median([])


class Frame:
    """A frame that is delivered strip by strip, in one buffer, and counts its deliveries."""

    def __init__(self, pixels: Floats, strip: int) -> None:
        self.pixels = pixels
        self.buffer = np.empty(strip, pixels.dtype)
        self.passes = 0

    def strips(self) -> Iterator[Floats]:
        self.passes += 1
        for start in range(0, self.pixels.size, self.buffer.size):
            part = self.pixels[start : start + self.buffer.size]
            self.buffer[: part.size] = part
            yield self.buffer[: part.size]

    def has_numpy_median(self) -> bool:
        """Whether the median is numpy's of the whole frame, in bits and type."""
        found = frame_median(self.strips)
        with np.errstate(all="ignore"):
            expected = np.median(self.pixels)
        assert type(found) is type(expected)
        return same_bits(np.array([found]), np.array([expected]))


@st.composite
def floats(draw: st.DrawFn) -> Floats:
    """Pixels of one frame: all kinds of values, many of them alike."""
    dtype = np.dtype(draw(st.sampled_from(["f4", "f8"])))
    finite = draw(st.booleans())
    element = hnp.from_dtype(dtype, allow_nan=False, allow_infinity=not finite)
    values = draw(st.lists(element, min_size=1, max_size=200))
    repeats = draw(st.integers(1, 4))
    return np.array(values * repeats, dtype)


@given(floats(), st.integers(1, 100))
def test_a_frame_gives_numpy_median(pixels: Floats, strip: int) -> None:
    assert Frame(pixels, strip).has_numpy_median()


@given(floats(), st.integers(1, 100), st.integers(1, 9), st.integers(1, 9), st.floats(0, 4))
def test_a_frame_gives_numpy_median_however_narrow_the_search(
    pixels: Floats, strip: int, stride: int, held: int, errors: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(combine, "SAMPLE_STRIDE", stride)
        patch.setattr(combine, "SAMPLE_ERRORS", errors)
        patch.setattr(combine, "COLLECTED_ALWAYS", held)
        assert Frame(pixels, strip).has_numpy_median()


def flat_field(size: int, dtype: str) -> Floats:
    """Pixels of a flat, as random numbers."""
    return np.random.default_rng(size).normal(20000, 150, size).astype(dtype)


@pytest.mark.parametrize("size", [600_000, 600_001])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_two_passes_find_the_median_of_a_flat(size: int, dtype: str) -> None:
    frame = Frame(flat_field(size, dtype), 50_000)
    assert frame.has_numpy_median()
    assert frame.passes == 2


@pytest.mark.parametrize(
    "pixels",
    [
        np.full(300_000, 7, "f4"),
        np.repeat(np.array([1, 2], "f4"), 150_000),
        np.tile(np.array([1, 2], "f4"), 150_000),
        np.round(flat_field(300_000, "f4") / 100),
        np.sort(flat_field(300_000, "f4")),
    ],
    ids=["constant", "two halves", "two values", "few values", "sorted"],
)
def test_ties_and_order_do_not_matter(pixels: Floats) -> None:
    frame = Frame(pixels, 50_000)
    assert frame.has_numpy_median()
    assert frame.passes == 2


@pytest.mark.parametrize("value", [-np.inf, 0, 1e9])
def test_a_sample_that_misleads_costs_passes_only(value: float) -> None:
    pixels = flat_field(2_000_000, "f4")
    strip = 1000 * combine.SAMPLE_STRIDE
    pixels[:: combine.SAMPLE_STRIDE] = value  # every pixel that the sample looks at
    frame = Frame(pixels, strip)
    assert frame.has_numpy_median()
    assert frame.passes > 2


@pytest.mark.parametrize("misleading", [False, True])
@pytest.mark.parametrize("levels", [1, 2, 3, 1000, 10**9])
def test_a_frame_is_never_held(levels: int, *, misleading: bool) -> None:
    count, length = 100, 20_000

    def strips() -> Iterator[Floats]:
        for number in range(count):
            random = np.random.default_rng(number)
            strip = random.integers(0, levels, length).astype("f4")
            if misleading:  # the sample says that the median is between -1 and infinity
                strip[:: 2 * combine.SAMPLE_STRIDE] = -1
                strip[combine.SAMPLE_STRIDE :: 2 * combine.SAMPLE_STRIDE] = np.inf
            yield strip

    tracemalloc.start()
    frame_median(strips)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < count * length * 4 / 5


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("place", [0, 777, 999])
def test_one_nan_makes_the_frame_median_nan(place: int, dtype: str) -> None:
    pixels = np.ones(1000, dtype)
    pixels[place] = np.nan
    assert Frame(pixels, 100).has_numpy_median()


def test_a_frame_without_pixels_has_no_median() -> None:
    with pytest.raises(ValueError, match="without pixels"):
        frame_median(lambda: iter(()))
