"""Products: calibrated frames and masters as FITS files, written strip by strip.

A product has its image in HDU 0, as float32, or keeps the structure of a mosaic; masks,
uncertainties and tables follow. The first cards of each HDU are of fixed number, so that the sums
over header and data, known only at the end, can be filled in at their place.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from tapewatch.fitsfile.atomic import new_part, put
from tapewatch.fitsfile.checksum import add_bytes, add_words, encode
from tapewatch.fitsfile.files import write_at
from tapewatch.fitsfile.hdus import HduPlan
from tapewatch.fitsfile.layout import whole_blocks
from tapewatch.fitsfile.ownership import require_own
from tapewatch.headers.cards import Header, Value
from tapewatch.headers.compose import compose

# Pixels that are swapped, summed and written at once: they stay in the processor's cache.
_CHUNK = 2**16
_PIXEL = 4
_NO_CHECKSUM = "0" * 16

_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|BLOCKED|[PG]COUNT|GROUPS|EXT(NAME|VER|LEVEL)|INHERIT"
)
_OF_STORED_PIXELS = re.compile(r"BZERO|BSCALE|BLANK|DATAMIN|DATAMAX|CBLACK|CWHITE|CHECKSUM|DATASUM")
_COMPRESSION = re.compile(
    r"Z(IMAGE|SIMPLE|TENSION|EXTEND|BLOCKED|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|CMPTYPE|MASKCMP"
    r"|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|HECKSUM|DATASUM|(TILE|NAME|VAL)\d+)"
)
_TABLE = re.compile(r"TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM)\d+")


def product_cards(
    raw: Header, changes: Mapping[str, tuple[Value, str]], history: Sequence[str] = ()
) -> list[bytes]:
    """Make the cards of a product from those of its raw frame.

    Left out is what the product makes untrue: the structure of the raw file, its compression, the
    scaling, range and display limits of its stored pixels, and its checksums.

    Parameters
    ----------
    raw : Header
        Of the raw frame; its other cards survive byte by byte.
    changes : mapping of str to (value, comment)
        Keywords to set.
    history : sequence of str
        A HISTORY line each.

    Returns
    -------
    list of bytes
        Cards for `tapewatch.fitsfile.hdus.HduPlan`.
    """
    untrue = [_STRUCTURE, _OF_STORED_PIXELS, _COMPRESSION]
    if "ZIMAGE" in raw:
        untrue.append(_TABLE)

    def is_untrue(keyword: str) -> bool:
        return any(pattern.fullmatch(keyword) for pattern in untrue)

    return compose(raw, drop=is_untrue, changes=changes, history=history)


class Output(Protocol):
    """Where a job puts what it makes, HDU by HDU: a file, or the comparison with one."""

    def write(self, index: int, strip: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> None:
        """Take the next data of one HDU, as `ProductWriter.write`."""

    def commit(self, cards: Mapping[int, Sequence[bytes]] | None = None) -> None:
        """Take the end of all data, as `ProductWriter.commit`."""


OpenOutput = Callable[[Path, Sequence[HduPlan], str], AbstractContextManager[Output]]
"""Opens an output, given what `ProductWriter` is given; that class is one."""


class ProductWriter:
    """A product being written, as a context manager; without `commit` nothing remains of it.

    All its HDUs are written side by side, strip by strip, each at its place in the file.

    Parameters
    ----------
    target : Path
        Where it will stand; its folder is made.
    hdus : sequence of HduPlan
        The primary one first; from `tapewatch.fitsfile.hdus`.
    job_id : str
        Letters and digits, for the name of the unfinished file.
    fence : callable
        As for `tapewatch.fitsfile.atomic.put`.

    Raises
    ------
    OutputError
        The system cannot write; from every method too. `NoSpaceError` where the disk is full.
    """

    def __init__(
        self,
        target: Path,
        hdus: Sequence[HduPlan],
        job_id: str,
        fence: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._target = target
        self._fence = fence
        self._job_id = job_id
        self._units: list[_Unit] = []
        offset = 0
        for plan in hdus:
            first = plan.structure(first=not self._units, alone=len(hdus) == 1)
            self._units.append(_Unit(plan, first, offset))
            offset = self._units[-1].end
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._descriptor, self._part = stack.enter_context(new_part(self._target, self._job_id))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # By way of the stack what the system says in the body becomes OutputError.
        self._stack.__exit__(kind, error, traceback)

    def write(self, index: int, strip: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> None:
        """Append data to one HDU.

        Parameters
        ----------
        index : int
            Which of the HDUs.
        strip : ndarray
            (n,) of that HDU's type, contiguous, in the machine's byte order.

        Raises
        ------
        ValueError
            More data than the HDU has, or of another type.
        """
        self._units[index].write(self._descriptor, strip)

    def commit(self, cards: Mapping[int, Sequence[bytes]] | None = None) -> None:
        """Finish the file and give it its name; after this it is on disk, whole.

        Parameters
        ----------
        cards : mapping of int to sequence of bytes, or None
            By HDU: to take the place of the first ones, as many: what is known only when all
            pixels have passed by.

        Raises
        ------
        ValueError
            Pixels are missing, or there are more or fewer cards than before.
        RejectedError
            The target is neither absent, nor ours, nor the notebook's.
        """
        for index, replaced in (cards or {}).items():
            self._units[index].replace_cards(replaced)
        for unit in self._units:
            unit.finish(self._descriptor)
        require_own(self._target)
        put(self._descriptor, self._part, self._target, self._fence)


class _Unit:
    """One HDU being written: its place in the file, and how far it has come."""

    def __init__(self, plan: HduPlan, first: Sequence[bytes], offset: int) -> None:
        self._plan = plan
        self._first = first
        self._offset = offset
        self._data_offset = offset + len(self._header("0", _NO_CHECKSUM))
        self._written = 0  # elements
        self._sum = 0
        self._swapped = np.empty(_CHUNK if plan.dtype.itemsize == _PIXEL else 0, dtype=">u4")

    @property
    def end(self) -> int:
        return self._data_offset + whole_blocks(self._plan.size)

    def write(self, descriptor: int, strip: npt.NDArray[np.generic]) -> None:
        if strip.dtype != self._plan.dtype:
            raise ValueError(f"data of {strip.dtype}, expected {self._plan.dtype}")
        place = self._written * strip.itemsize
        self._written += strip.size
        if self._written > self._plan.elements:
            raise ValueError(self._how_much())
        if strip.itemsize == _PIXEL:
            self._write_words(descriptor, strip.view(np.uint32), self._data_offset + place)
        else:
            self._sum = add_bytes(self._sum, strip.data, place)
            write_at(descriptor, strip.data, self._data_offset + place)

    def replace_cards(self, cards: Sequence[bytes]) -> None:
        if len(cards) != len(self._plan.cards):
            raise ValueError(f"{len(cards)} cards, room is for {len(self._plan.cards)}")
        self._plan = replace(self._plan, cards=tuple(cards))

    def finish(self, descriptor: int) -> None:
        if self._written != self._plan.elements:
            raise ValueError(self._how_much())
        end_of_data = self._data_offset + self._plan.size
        write_at(descriptor, bytes(self.end - end_of_data), end_of_data)
        datasum = str(self._sum)
        total = add_bytes(self._sum, self._header(datasum, _NO_CHECKSUM))
        write_at(descriptor, self._header(datasum, encode(total)), self._offset)

    def _write_words(self, descriptor: int, words: npt.NDArray[np.uint32], offset: int) -> None:
        for start in range(0, words.size, _CHUNK):
            chunk = words[start : start + _CHUNK]
            self._sum = add_words(self._sum, chunk)
            swapped = self._swapped[: chunk.size]
            swapped[:] = chunk
            write_at(descriptor, swapped.view(np.uint8).data, offset + start * _PIXEL)

    def _header(self, datasum: str, checksum: str) -> bytes:
        return self._plan.header(self._first, datasum, checksum)

    def _how_much(self) -> str:
        return f"{self._written} pixels written, shape is {self._plan.shape}"
