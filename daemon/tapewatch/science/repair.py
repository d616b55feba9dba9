"""Values for pixels that have none to trust: the median of good pixels around them.

A frame comes in strips of whole rows. What lies across a strip's edge is looked up in a halo of
`REACH` rows of the strips before and after it, so that no frame is ever held whole.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]
Flags = NDArray[np.bool_]

REACH = 3
"""Rows and columns around a pixel that are searched, in ever larger squares."""

_AT_ONCE = 1 << 14  # pixels repaired together: bounds the memory for their neighbours


class Strip(NamedTuple):
    """Whole rows of a frame.

    Parameters
    ----------
    pixels : numpy.ndarray
        (rows, columns) float32.
    good : numpy.ndarray
        (rows, columns) bool: what may serve as a neighbour.
    wanted : numpy.ndarray
        (rows, columns) bool: what is to be replaced, if good neighbours are found.
    """

    pixels: Single
    good: Flags
    wanted: Flags


def repaired(strips: Iterable[Strip]) -> Iterator[Single]:
    """Replace wanted pixels by the median of their good neighbours, strip by strip.

    Of the squares of 3x3, 5x5 and 7x7 pixels around it the smallest with a good pixel counts; where
    there is none, the good pixels of its row do, then those of the `REACH` rows to either side. A
    pixel without any stays as it is.

    Parameters
    ----------
    strips : iterable of Strip
        In order; all but the last of `REACH` rows or more.

    Yields
    ------
    numpy.ndarray
        (rows, columns) float32, a copy where anything was replaced; one strip behind.
    """
    before: Strip | None = None
    this: Strip | None = None
    for after in strips:
        if this is not None:
            yield _repaired(before, this, after)
        before, this = this, after
    if this is not None:
        yield _repaired(before, this, None)


def _repaired(before: Strip | None, this: Strip, after: Strip | None) -> Single:
    if not this.wanted.any():
        return this.pixels
    parts = [
        *((part.pixels[-REACH:], part.good[-REACH:]) for part in (before,) if part),
        (this.pixels, this.good),
        *((part.pixels[:REACH], part.good[:REACH]) for part in (after,) if part),
    ]
    # A frame of NaN around, so that no neighbour lies outside.
    pixels = np.concatenate([np.where(good, values, np.nan) for values, good in parts])
    pixels = np.pad(pixels, REACH, constant_values=np.nan)
    result = this.pixels.copy()
    rows, columns = np.nonzero(this.wanted)
    top = REACH + (0 if before is None else before.pixels[-REACH:].shape[0])
    for start in range(0, rows.size, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found = _around(pixels, rows[some] + top, columns[some] + REACH)
        has_value = np.isfinite(found)
        result[rows[some][has_value], columns[some][has_value]] = found[has_value]
    return result


def _around(pixels: Single, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Single:
    """Give the median of good pixels around each of some places; NaN where there are none."""
    found = np.full(rows.size, np.nan, np.float32)
    for reach in range(1, REACH + 1):
        open_ = np.flatnonzero(np.isnan(found))
        if not open_.size:
            return found
        shifts = np.arange(-reach, reach + 1)
        square = pixels[
            rows[open_, None, None] + shifts[:, None], columns[open_, None, None] + shifts
        ]
        found[open_] = _medians(square.reshape(open_.size, -1))
    for row in np.unique(rows[np.isnan(found)]):
        here = np.isnan(found) & (rows == row)
        for reach in (0, REACH):
            middle = _medians(pixels[row - reach : row + reach + 1].reshape(1, -1))[0]
            if np.isfinite(middle):
                found[here] = middle
                break
    return found


def _medians(values: Single) -> Single:
    """Return the median of each row without its NaN; NaN where it has nothing else."""
    ordered = np.sort(values, axis=1)  # NaN come last
    count = np.count_nonzero(~np.isnan(values), axis=1)
    each = np.arange(len(values))
    low, high = ordered[each, (count - 1) // 2], ordered[each, count // 2 - (count == 0)]
    middle: Single = np.where(count > 0, low / 2 + high / 2, np.float32(np.nan))
    return middle
