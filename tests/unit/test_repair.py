"""Repairs: the median of good neighbours, the same however the frame is cut into strips."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tapewatch.science.repair import REACH, Strip, repaired

Single = NDArray[np.float32]
Flags = NDArray[np.bool_]
SHAPE = (23, 17)


def strips(image: Single, bad: Flags, rows: int) -> Iterator[Strip]:
    for start in range(0, len(image), rows):
        part = slice(start, start + rows)
        yield Strip(image[part], ~bad[part], bad[part])


def mend(image: Single, bad: Flags, rows: int = 100) -> Single:
    return np.concatenate(list(repaired(strips(image, bad, rows))))


def by_hand(image: Single, bad: Flags) -> Single:
    """Look around each bad pixel, one by one."""
    result = image.copy()
    for row, column in np.argwhere(bad):
        squares = [
            (slice(max(row - r, 0), row + r + 1), slice(max(column - r, 0), column + r + 1))
            for r in (1, 2, 3)
        ]
        lines = [(slice(max(row - r, 0), row + r + 1), slice(None)) for r in (0, 3)]
        for place in squares + lines:
            good = image[place][~bad[place]]
            if good.size:
                result[row, column] = np.median(good.astype("f8"))
                break
    return result


images = hnp.arrays(np.float32, SHAPE, elements=st.integers(-1000, 1000).map(float))


@given(images, st.floats(0, 1), st.integers(REACH, 30), st.integers(0, 2**32 - 1))
def test_strips_of_any_height_are_mended_as_pixel_by_pixel(
    image: Single, share: float, rows: int, seed: int
) -> None:
    bad = np.random.default_rng(seed).random(SHAPE) < share
    before = image.copy()
    assert np.array_equal(mend(image, bad, rows), by_hand(image, bad))
    assert np.array_equal(image, before)


def test_a_block_without_good_pixels_takes_its_row() -> None:
    image = np.arange(400, dtype="f4").reshape(20, 20)
    bad = np.zeros((20, 20), bool)
    bad[2:18, 2:18] = True
    mended = mend(image, bad, 5)
    assert mended[9, 9] == np.median([180, 181, 198, 199])
    assert np.isfinite(mended).all()


def test_bad_rows_take_the_rows_beside_them_and_a_bad_frame_stays() -> None:
    image = np.full((9, 8), 5, "f4")
    image[3:8] = np.nan
    assert (mend(image, np.isnan(image), 3) == 5).all()
    nothing = np.full((4, 4), np.nan, "f4")
    assert np.isnan(mend(nothing, np.isnan(nothing), 3)).all()


def test_what_is_not_wanted_is_not_even_copied() -> None:
    image = np.ones((5, 5), "f4")
    good = np.zeros((5, 5), bool)
    (same,) = repaired([Strip(image, good, good)])
    assert same is image


def test_a_pixel_that_is_neither_good_nor_wanted_is_no_neighbour() -> None:
    image = np.array([[1, 900, 3]], "f4")
    (mended,) = repaired(
        [Strip(image, np.array([[True, False, False]]), np.array([[False, False, True]]))]
    )
    assert mended.tolist() == [[1, 900, 1]]


@pytest.mark.parametrize("value", [3e38, -3e38])
def test_a_median_of_huge_values_does_not_overflow(value: float) -> None:
    image = np.array([[value, np.nan, value]], "f4")
    assert mend(image, np.isnan(image))[0, 1] == np.float32(value)


def test_no_strips_give_none() -> None:
    assert list(repaired([])) == []
