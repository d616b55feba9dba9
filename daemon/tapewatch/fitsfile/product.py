"""Products: calibrated frames and masters as FITS files, written strip by strip.

A product has its image in HDU 0, as float32. Its first seven cards are always the same ones, so
that the sums over header and data, known only at the end, can be filled in at their place.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import prod
from os import pwrite
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from tapewatch.fitsfile.atomic import new_part, put
from tapewatch.fitsfile.checksum import add_bytes, add_words, encode
from tapewatch.fitsfile.files import write_all
from tapewatch.fitsfile.layout import whole_blocks
from tapewatch.fitsfile.ownership import require_own
from tapewatch.headers.cards import Header, Value
from tapewatch.headers.compose import compose, format_card

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
        Cards for `ProductWriter`.
    """
    untrue = [_STRUCTURE, _OF_STORED_PIXELS, _COMPRESSION]
    if "ZIMAGE" in raw:
        untrue.append(_TABLE)

    def is_untrue(keyword: str) -> bool:
        return any(pattern.fullmatch(keyword) for pattern in untrue)

    return compose(raw, drop=is_untrue, changes=changes, history=history)


class ProductWriter:
    """A product being written, as a context manager; without `commit` nothing remains of it.

    Parameters
    ----------
    target : Path
        Where it will stand; its folder is made.
    cards : sequence of bytes
        From `product_cards`.
    shape : tuple of int
        (ny, nx), pixels.
    job_id : str
        Letters and digits, for the name of the unfinished file.

    Raises
    ------
    OutputError
        The system cannot write; from every method too. `NoSpaceError` where the disk is full.
    """

    def __init__(
        self, target: Path, cards: Sequence[bytes], shape: tuple[int, int], job_id: str
    ) -> None:
        self._target = target
        self._cards = tuple(cards)
        self._shape = shape
        self._job_id = job_id
        self._written = 0
        self._sum = 0
        self._swapped = np.empty(_CHUNK, dtype=">u4")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._descriptor, self._part = stack.enter_context(new_part(self._target, self._job_id))
            write_all(self._descriptor, self._header("0", _NO_CHECKSUM))
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

    def write(self, strip: npt.NDArray[np.float32]) -> None:
        """Append pixels.

        Parameters
        ----------
        strip : ndarray
            (n,) float32, contiguous, in the machine's byte order.

        Raises
        ------
        ValueError
            More pixels than the image has.
        """
        self._written += strip.size
        if self._written > prod(self._shape):
            raise ValueError(f"{self._written} pixels written, shape is {self._shape}")
        words = strip.view(np.uint32)
        for start in range(0, words.size, _CHUNK):
            chunk = words[start : start + _CHUNK]
            self._sum = add_words(self._sum, chunk)
            swapped = self._swapped[: chunk.size]
            swapped[:] = chunk
            write_all(self._descriptor, swapped.view(np.uint8).data)

    def commit(self, cards: Sequence[bytes] | None = None) -> None:
        """Finish the file and give it its name; after this it is on disk, whole.

        Parameters
        ----------
        cards : sequence of bytes or None
            To take the place of the first ones, as many: what is known only when all pixels have
            passed by.

        Raises
        ------
        ValueError
            Pixels are missing, or there are more or fewer cards than before.
        RejectedError
            The target is neither absent, nor ours, nor the notebook's.
        """
        if self._written != prod(self._shape):
            raise ValueError(f"{self._written} pixels written, shape is {self._shape}")
        if cards is not None:
            if len(cards) != len(self._cards):
                raise ValueError(f"{len(cards)} cards, room is for {len(self._cards)}")
            self._cards = tuple(cards)
        size = self._written * _PIXEL
        write_all(self._descriptor, bytes(whole_blocks(size) - size))
        datasum = str(self._sum)
        total = add_bytes(self._sum, self._header(datasum, _NO_CHECKSUM))
        pwrite(self._descriptor, self._header(datasum, encode(total)), 0)
        require_own(self._target)
        put(self._descriptor, self._part, self._target)

    def _header(self, datasum: str, checksum: str) -> bytes:
        rows, columns = self._shape
        first = (
            ("SIMPLE", True, "conforms to FITS standard"),
            ("BITPIX", -32, "array data type"),
            ("NAXIS", 2, "number of array dimensions"),
            ("NAXIS1", columns, ""),
            ("NAXIS2", rows, ""),
            ("CHECKSUM", checksum, "HDU checksum"),
            ("DATASUM", datasum, "data unit checksum"),
        )
        cards = [card for keyword in first for card in format_card(*keyword)]
        data = b"".join((*cards, *self._cards, b"END"))
        return data.ljust(whole_blocks(len(data)), b" ")
