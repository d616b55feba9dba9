"""Plans of the HDUs (header and data units) that a product will have.

All that decides their sizes is known beforehand, so that their data can be written in turn, each at
its place. Rules: FITS Standard 4.0, sections 4.4.1 (mandatory keywords) and 7 (extensions).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from tapewatch.fitsfile.layout import whole_blocks
from tapewatch.headers.cards import Value
from tapewatch.headers.compose import format_card, printable

MASK = "MASK"
UNCERT = "UNCERT"
UNCERT_OF_MASTERS = "UNCERTM"

_CardOfStructure = tuple[str, Value, str]
_BITPIX = {np.dtype(np.float32): -32, np.dtype(np.uint8): 8}
_OF_UNCERT = ("UTYPE", "StdDevUncertainty", "kind of uncertainty, after astropy.nddata")


@dataclass(frozen=True, slots=True)
class HduPlan:
    """One HDU of a product: `image_plan` and its like make them.

    Parameters
    ----------
    cards : tuple of bytes
        Cards besides those of structure, as from `tapewatch.fitsfile.product.product_cards`.
    shape : tuple of int
        Of the data, in numpy's order, as (ny, nx); empty for a header without data.
    dtype : numpy.dtype
        float32, or uint8 for masks and the bytes of tables.
    name : str
        EXTNAME; empty for none.
    version : int
        EXTVER; 0 for none.
    columns : tuple of (str, int)
        Of a table: names and widths of its columns of text, bytes; empty for an image.
    """

    cards: tuple[bytes, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    name: str = ""
    version: int = 0
    columns: tuple[tuple[str, int], ...] = ()

    @property
    def elements(self) -> int:
        """Pixels, or bytes of a table."""
        return prod(self.shape) if self.shape else 0

    @property
    def size(self) -> int:
        """Bytes of data, without the padding to a whole block."""
        return self.elements * self.dtype.itemsize

    def structure(self, *, first: bool, alone: bool) -> list[bytes]:
        """Make the cards that come first.

        Parameters
        ----------
        first : bool
            Whether this is the primary HDU.
        alone : bool
            Whether it is the only one.

        Returns
        -------
        list of bytes
            Mandatory ones, and those that name an extension.
        """
        kind = "BINTABLE" if self.columns else "IMAGE"
        cards: list[_CardOfStructure] = [
            ("SIMPLE", True, "conforms to FITS standard")
            if first
            else ("XTENSION", kind, "kind of extension"),
            ("BITPIX", _BITPIX[self.dtype], "array data type"),
            ("NAXIS", len(self.shape), "number of array dimensions"),
        ]
        lengths = enumerate(reversed(self.shape), start=1)
        cards += [(f"NAXIS{axis}", length, "") for axis, length in lengths]
        if not first:
            cards += [
                ("PCOUNT", 0, "number of parameters"),
                ("GCOUNT", 1, "number of groups"),
            ]
        elif not alone:
            cards.append(("EXTEND", True, "extensions follow"))
        cards += self._of_columns()
        if self.name:
            cards.append(("EXTNAME", self.name, "name of this extension"))
        if self.version:
            cards.append(("EXTVER", self.version, "which of this name"))
        return [card for entry in cards for card in format_card(*entry)]

    def _of_columns(self) -> list[_CardOfStructure]:
        if not self.columns:
            return []
        cards: list[_CardOfStructure] = [("TFIELDS", len(self.columns), "number of columns")]
        for number, (name, width) in enumerate(self.columns, start=1):
            cards += [(f"TTYPE{number}", name, ""), (f"TFORM{number}", f"{width}A", "")]
        return cards

    def header(self, first: Sequence[bytes], datasum: str, checksum: str) -> bytes:
        """Put the whole header together.

        Parameters
        ----------
        first : sequence of bytes
            From `structure`.
        datasum, checksum : str
            Values of these cards, which follow next.

        Returns
        -------
        bytes
            Whole blocks, END included.
        """
        sums = (
            *format_card("CHECKSUM", checksum, "HDU checksum"),
            *format_card("DATASUM", datasum, "data unit checksum"),
        )
        data = b"".join((*first, *sums, *self.cards, b"END"))
        return data.ljust(whole_blocks(len(data)), b" ")


def image_plan(
    cards: Sequence[bytes], shape: tuple[int, int], name: str = "", version: int = 0
) -> HduPlan:
    """Plan an image of float32.

    Parameters
    ----------
    cards : sequence of bytes
        Besides those of structure.
    shape : tuple of int
        (ny, nx), pixels.
    name, version : str, int
        EXTNAME and EXTVER of an extension; empty and 0 for none.

    Returns
    -------
    HduPlan
    """
    return HduPlan(tuple(cards), shape, np.dtype(np.float32), name, version)


def bare_plan(cards: Sequence[bytes]) -> HduPlan:
    """Plan a primary header without data, as a mosaic begins."""
    return HduPlan(tuple(cards), (), np.dtype(np.uint8))


def mask_plan(shape: tuple[int, int], cards: Sequence[bytes] = (), version: int = 0) -> HduPlan:
    """Plan a mask of uint8, EXTNAME MASK; ``CCDData.read`` takes it as the image's mask.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx), pixels.
    cards : sequence of bytes
        That name its bits.
    version : int
        EXTVER of the image that it belongs to; 0 for none.

    Returns
    -------
    HduPlan
    """
    return HduPlan(tuple(cards), shape, np.dtype(np.uint8), MASK, version)


def uncertainty_plan(
    shape: tuple[int, int], cards: Sequence[bytes] = (), version: int = 0
) -> HduPlan:
    """Plan standard deviations in float32, EXTNAME UNCERT; ``CCDData.read`` takes them.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx), pixels.
    cards : sequence of bytes
        More of them; UTYPE is there.
    version : int
        EXTVER of the image that they belong to; 0 for none.

    Returns
    -------
    HduPlan
    """
    return image_plan((*format_card(*_OF_UNCERT), *cards), shape, UNCERT, version)


def masters_plan(shape: tuple[int, int], cards: Sequence[bytes] = (), version: int = 0) -> HduPlan:
    """Plan the masters' part of the standard deviations in float32, EXTNAME UNCERTM.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx), pixels.
    cards : sequence of bytes
        More of them.
    version : int
        EXTVER of the image that they belong to; 0 for none.

    Returns
    -------
    HduPlan
    """
    return image_plan(cards, shape, UNCERT_OF_MASTERS, version)


def table_plan(
    name: str, columns: Mapping[str, Sequence[str]]
) -> tuple[HduPlan, npt.NDArray[np.uint8]]:
    """Plan a table of text columns.

    Parameters
    ----------
    name : str
        EXTNAME.
    columns : mapping of str to sequence of str
        Name of each column and its values, as many in each; what is no printable ASCII is
        written as in `tapewatch.headers.compose.format_card`.

    Returns
    -------
    HduPlan
        Of the binary table.
    ndarray
        (n,) uint8: its data, for `tapewatch.fitsfile.product.ProductWriter.write`.

    Raises
    ------
    ValueError
        Columns of different lengths.
    """
    texts = {key: [printable(value) for value in values] for key, values in columns.items()}
    widths = {key: max(map(len, values), default=1) or 1 for key, values in texts.items()}
    rows = [
        "".join(text.ljust(width) for text, width in zip(row, widths.values(), strict=True))
        for row in zip(*texts.values(), strict=True)
    ]
    data = np.frombuffer("".join(rows).encode("ascii"), dtype=np.uint8)
    shape = (len(rows), sum(widths.values()))
    return HduPlan((), shape, data.dtype, name, columns=tuple(widths.items())), data
