"""One image of an open frame: its stored values, what they mean, and what is left of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile.datahash import Run
from tapewatch.fitsfile.files import read_exactly
from tapewatch.fitsfile.scaling import Pixels, Scaling
from tapewatch.headers.cards import Header
from tapewatch.headers.sections import Readout, Section
from tapewatch.science.calibrate import working_dtype
from tapewatch.science.overscan import overscan_levels

Take = Callable[[int, bytes], None]
"""Is given the stored bytes that were read, with the place of their first in the image."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One image of an open frame, its pixels counted from the first that the trim leaves.

    Parameters
    ----------
    header : Header
        Its own; after a trim, what is true of the pixels that are left.
    stored_shape : tuple of int
        (ny, nx) as stored, pixels.
    scaling : Scaling
        How stored values become physical ones.
    descriptor : int
        Of the file that holds the stored values: the frame's, or a temporary one.
    offset : int
        Where they begin in it, bytes.
    readout : Readout
        What is trimmed and subtracted; without amplifiers nothing is.
    """

    header: Header
    stored_shape: tuple[int, int]
    scaling: Scaling
    descriptor: int
    offset: int
    readout: Readout
    _levels: list[NDArray[np.floating]] = field(default_factory=list, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) after the trim, pixels."""
        return self.readout.trim.shape

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def run(self) -> Run:
        """Where its stored values are."""
        size = math.prod(self.stored_shape) * self.scaling.stored_dtype.itemsize
        return Run(self.descriptor, self.offset, size)

    def physical(self, start: int, stop: int, take: Take | None = None) -> Pixels:
        """Read physical values.

        Parameters
        ----------
        start, stop : int
            First pixel and the one after the last.
        take : callable, optional
            Is given what was read.

        Returns
        -------
        ndarray
            (n,), ADU, the caller's own.

        Raises
        ------
        IncompleteFileError
            The file was truncated since it was opened.
        """
        if self.shape == self.stored_shape:
            return self._read(start, stop, take)
        columns = self.shape[1]
        first, last = start // columns, -(-stop // columns)
        trim = self.readout.trim
        rows = Section(trim.top + first, trim.top + last, trim.left, trim.right)
        return self._cut(rows, take).ravel()[start - first * columns : stop - first * columns]

    def overscan(self, start: int, stop: int) -> NDArray[np.floating] | None:
        """Give the level of the overscan at pixels.

        Parameters
        ----------
        start, stop : int
            First pixel and the one after the last.

        Returns
        -------
        ndarray or None
            (n,) in the working precision, ADU; None where there is none to be subtracted.
        """
        trim, amplifiers = self.readout.trim, self.readout.amplifiers
        if all(one.overscan is None for one in amplifiers):
            return None
        if not self._levels:
            self._levels.extend(self._level(index) for index in range(len(amplifiers)))
        columns = trim.right - trim.left
        first, last = start // columns, -(-stop // columns)
        levels = np.zeros((last - first, columns), working_dtype(self.scaling.dtype))
        for one, level in zip(amplifiers, self._levels, strict=True):
            top = max(one.data.top - trim.top, first)
            bottom = min(one.data.bottom - trim.top, last)
            if top < bottom:
                shift = trim.top - one.data.top
                of_rows = level[top + shift : bottom + shift] if one.axis == 1 else level
                sides = slice(one.data.left - trim.left, one.data.right - trim.left)
                levels[top - first : bottom - first, sides] = of_rows
        return levels.ravel()[start - first * columns : stop - first * columns]

    def _level(self, index: int) -> NDArray[np.floating]:
        """Measure the level of an amplifier's overscan beside its own rows or columns."""
        data, over = self.readout.amplifiers[index].data, self.readout.amplifiers[index].overscan
        if over is None:
            return np.zeros((1, 1), working_dtype(self.scaling.dtype))
        axis = self.readout.amplifiers[index].axis
        if axis == 1:
            over = Section(data.top, data.bottom, over.left, over.right)
        if axis == 0:
            over = Section(over.top, over.bottom, data.left, data.right)
        return overscan_levels(self._cut(over), axis)

    def _cut(self, section: Section, take: Take | None = None) -> Pixels:
        """Read a section of the image as stored, (ny, nx)."""
        columns = self.stored_shape[1]
        rows = self._read(section.top * columns, section.bottom * columns, take)
        return rows.reshape(-1, columns)[:, section.left : section.right]

    def _read(self, start: int, stop: int, take: Take | None) -> Pixels:
        size = self.scaling.stored_dtype.itemsize
        stored = read_exactly(self.descriptor, self.offset + start * size, (stop - start) * size)
        if take is not None:
            take(start * size, stored)
        return self.scaling.physical(stored)
