"""What a job makes, compared with a file that is there: nothing is written."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tapewatch.fitsfile.files import read_exactly, reader, regular_file
from tapewatch.fitsfile.hdus import HduPlan
from tapewatch.fitsfile.layout import Hdu, read_layout
from tapewatch.headers.cards import CARD_SIZE, keyword_of

Strip = npt.NDArray[np.float32] | npt.NDArray[np.uint8]

# What may differ between two makings: when, and by which version.
_OF_THE_MAKING = frozenset({"DATE-PRC", "TWVERS"})
_VERSION = re.compile(rb"^(HISTORY tapewatch )[^:]*:")
_SUMS = 2  # the cards CHECKSUM and DATASUM, which follow those of the structure
_BLANK = b" " * CARD_SIZE


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an HDU of a file differs from what was made.

    Parameters
    ----------
    hdu : str
        Its EXTNAME, or its number.
    pixels : int
        How many differ; NaN equals NaN.
    size : int
        Of how many.
    first : tuple of int
        (x, y) of the first that differs, counted from 1 as in FITS.
    stored, made : float
        Its value in the file, and the one that was made now.
    largest : float
        The largest absolute difference; NaN pixels on one side alone are left out.
    """

    hdu: str
    pixels: int
    size: int
    first: tuple[int, int]
    stored: float
    made: float
    largest: float


class Comparison:
    """A file being compared with what a job makes; its `open` takes the place of `ProductWriter`.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    structure : list of str
        Where the HDUs are other ones.
    cards : list of str
        Keywords of cards that differ, but for DATE-PRC, TWVERS and the sums.
    """

    def __init__(self, path: Path) -> None:
        self.structure: list[str] = []
        self.cards: list[str] = []
        self._path = path
        self._descriptor = -1
        self._units: list[_Unit | None] = []

    @contextmanager
    def open(self, _target: Path, hdus: Sequence[HduPlan], _job_id: str) -> Iterator[Self]:
        """Begin to compare, as `tapewatch.fitsfile.product.OpenOutput` says.

        Parameters
        ----------
        hdus : sequence of HduPlan
            What the job will make.

        Yields
        ------
        Comparison
            Itself.

        Raises
        ------
        IncompleteFileError, RejectedError, OSError
            The file cannot be read.
        """
        with regular_file(self._path) as (descriptor, status):
            self._descriptor = descriptor
            there = read_layout(reader(descriptor), status.st_size)
            if len(there) != len(hdus):
                self.structure.append(f"{len(there)} HDUs, made again {len(hdus)}")
            self._units = [
                self._unit(index, plan, there[index], alone=len(hdus) == 1)
                if index < len(there)
                else None
                for index, plan in enumerate(hdus)
            ]
            yield self

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Of the data, by HDU."""
        return tuple(
            unit.difference
            for unit in self._units
            if unit is not None and unit.difference is not None
        )

    @property
    def is_equal(self) -> bool:
        """Whether all is as it was made now."""
        return not (self.structure or self.cards or self.differences)

    def write(self, index: int, strip: Strip) -> None:
        """Compare the next data of one HDU."""
        if (unit := self._units[index]) is not None:
            unit.compare(self._descriptor, strip)

    def commit(self, cards: Mapping[int, Sequence[bytes]] | None = None) -> None:
        """Compare the headers, now that all their cards are known."""
        for index, unit in enumerate(self._units):
            if unit is not None:
                changed = unit.changed_cards((cards or {}).get(index, unit.plan.cards))
                self.cards += [one for one in changed if one not in self.cards]

    def _unit(self, index: int, plan: HduPlan, hdu: Hdu, *, alone: bool) -> "_Unit | None":
        name = plan.name or f"HDU {index}"
        if (hdu.data_size, hdu.shape) != (plan.size, plan.shape):
            shape = "x".join(map(str, reversed(hdu.shape)))
            expected = "x".join(map(str, reversed(plan.shape)))
            self.structure.append(f"{name} has {shape} pixels, made again {expected}")
            return None
        before = len(plan.structure(first=index == 0, alone=alone)) + _SUMS
        return _Unit(name, plan, hdu, before)


class _Unit:
    """One HDU being compared: how far it has come, and what was found."""

    def __init__(self, name: str, plan: HduPlan, hdu: Hdu, before: int) -> None:
        self.plan = plan
        self.difference: Difference | None = None
        self._name = name
        self._hdu = hdu
        self._before = before
        self._seen = 0  # elements

    def compare(self, descriptor: int, made: Strip) -> None:
        start = self._seen
        self._seen += made.size
        place = self._hdu.data_offset + start * made.itemsize
        big_endian = made.dtype.newbyteorder(">")
        stored = read_exactly(descriptor, place, made.nbytes)
        if stored == made.astype(big_endian).tobytes():
            return
        self._note(start, np.frombuffer(stored, big_endian).astype(made.dtype), made)

    def _note(self, start: int, stored: npt.NDArray[Any], made: Strip) -> None:
        differs = (stored.view(np.uint8) != made.view(np.uint8)).reshape(made.size, -1).any(axis=1)
        differs &= ~(np.isnan(stored) & np.isnan(made))
        where = np.flatnonzero(differs)
        if not where.size:
            return
        apart = np.abs(stored[where].astype(np.float64) - made[where].astype(np.float64))
        largest = float(np.max(apart, initial=0.0, where=np.isfinite(apart)))
        before = self.difference
        if before is None:
            row, column = divmod(start + int(where[0]), self.plan.shape[-1])
            values = float(stored[where[0]]), float(made[where[0]])
            first = (column + 1, row + 1)
            size = self.plan.elements
            self.difference = Difference(self._name, where.size, size, first, *values, largest)
        else:
            pixels = before.pixels + where.size
            self.difference = replace(before, pixels=pixels, largest=max(before.largest, largest))

    def changed_cards(self, made: Sequence[bytes]) -> list[str]:
        stored = self._hdu.header.cards[self._before :]
        ours, theirs = (list(filter(None, map(_comparable, cards))) for cards in (made, stored))
        if ours == theirs:
            return []
        changed = [card for card in theirs if card not in ours]
        changed += [card for card in ours if card not in theirs]
        return sorted({keyword_of(card) for card in changed}) or ["their order"]


def _comparable(card: bytes) -> bytes | None:
    """Give a card less what may differ; None where nothing is left of it."""
    if card == _BLANK or keyword_of(card) in _OF_THE_MAKING:
        return None
    return _VERSION.sub(rb"\1", card).rstrip()
