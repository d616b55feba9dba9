"""The structure of a FITS file, from its headers alone: where the pixels are, and if all are there.

A file is as long as its headers say: per HDU (header and data unit), the header's blocks and
``ceil(|BITPIX| / 8 * GCOUNT * (PCOUNT + NAXIS1 * ... * NAXISn) / 2880)`` blocks of data (FITS
Standard 4.0, sections 3.3, 4.4.1 and 7; section 6 for random groups). A camera still writing shows
as a file that is shorter. Headers may hold anything, so all that they ask for is bounded.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.headers.cards import CARD_SIZE, Header, find_end, parse_header

BLOCK = 2880
MAX_HEADER = 512 * BLOCK
MAX_HEADERS = 4096 * BLOCK  # of all HDUs together: they are kept in memory
MAX_HDUS = 1000
MAX_SIZE = 2**50
MAX_NAXIS = 9
BITPIX = (8, 16, 32, 64, -32, -64)

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, size)`` gives the bytes there, fewer only where the file ends."""

_CHUNK = 8 * BLOCK
_FIRST = b"SIMPLE  ="
_NEXT = b"XTENSION"
_IMAGE_EXTENSIONS = ("IMAGE", "IUEIMAGE")


@dataclass(frozen=True, slots=True)
class Hdu:
    """One header and data unit.

    Parameters
    ----------
    header : Header
        Its own, as stored.
    data_offset : int
        Where its data begin, bytes from the start of the file.
    data_size : int
        Bytes of data, without the padding to a whole block.
    bitpix : int
        Of the image: ZBITPIX where it is compressed in a table.
    shape : tuple of int
        Of the image, in numpy's order: (ny, nx).
    is_image : bool
        An image with pixels, compressed in a table or not; no table, no random groups.
    compressed : bool
        An image compressed in a table (ZIMAGE).
    """

    header: Header
    data_offset: int
    data_size: int
    bitpix: int
    shape: tuple[int, ...]
    is_image: bool
    compressed: bool

    @property
    def end(self) -> int:
        """Where the next HDU begins, bytes from the start of the file."""
        return self.data_offset + whole_blocks(self.data_size)


def whole_blocks(size: int) -> int:
    """Round a number of bytes up to whole blocks of 2880."""
    return -(-size // BLOCK) * BLOCK


def read_layout(read_at: ReadAt, size: int) -> tuple[Hdu, ...]:
    """Read the structure of a file and check that it is whole.

    Parameters
    ----------
    read_at : callable
        Gives bytes of the file.
    size : int
        The file's size, bytes.

    Returns
    -------
    tuple of Hdu
        What follows the last HDU and begins none is left out.

    Raises
    ------
    IncompleteFileError
        The file is shorter than its headers say, or filled with zeros beforehand. A file cut
        exactly between two HDUs cannot be told from a whole one.
    RejectedError
        Not FITS, or headers that no camera writes.
    """
    hdus = []
    for hdu in scan_hdus(read_at):
        if hdu.end > size:
            raise IncompleteFileError(f"incomplete: {size:,} of {hdu.end:,} bytes")
        hdus.append(hdu)
    return tuple(hdus)


def scan_hdus(read_at: ReadAt) -> Iterator[Hdu]:
    """Go from HDU to HDU; a header is read only when its turn comes.

    Parameters
    ----------
    read_at : callable
        Gives bytes of the file.

    Yields
    ------
    Hdu
        Its header is complete; whether its data are there is for the caller to see.

    Raises
    ------
    IncompleteFileError, RejectedError
        As `read_layout`, but for the size of the data.
    """
    offset = headers = 0
    for _ in range(MAX_HDUS):
        start = read_at(offset, _CHUNK)
        if offset and not _begins(start, _NEXT):
            return
        hdu = _read_hdu(read_at, offset, start)
        headers += hdu.data_offset - offset
        if headers > MAX_HEADERS:
            raise RejectedError(f"more than {MAX_HEADERS:,} bytes of headers")
        yield hdu
        offset = hdu.end
    raise RejectedError(f"more than {MAX_HDUS} HDUs")


def _begins(start: bytes, mark: bytes) -> bool:
    """Whether an HDU begins here, as far as there are bytes to tell."""
    return bool(start) and start[: len(mark)] == mark[: len(start)]


def _read_hdu(read_at: ReadAt, offset: int, start: bytes) -> Hdu:
    if offset == 0:
        _check_first(start)
    data = _read_header(read_at, offset, start)
    header = parse_header(data)
    if offset == 0 and header.get("SIMPLE") is not True:
        raise RejectedError(f"SIMPLE {_said(header, 'SIMPLE')}, expected T: not standard FITS")
    bitpix, shape = _image_structure(header, "")
    data_size = _data_size(header, bitpix, shape)
    data_offset = offset + whole_blocks(len(data))
    _check_size(bitpix, shape, data_offset + data_size)
    compressed = header.get("XTENSION") == "BINTABLE" and header.get("ZIMAGE") is True
    if compressed:
        bitpix, shape = _image_structure(header, "Z")
        _check_size(bitpix, shape, math.prod(shape) * abs(bitpix) // 8)
    is_image = compressed or _is_plain_image(header, first=offset == 0)
    has_pixels = bool(shape) and 0 not in shape
    return Hdu(header, data_offset, data_size, bitpix, shape, is_image and has_pixels, compressed)


def _check_first(start: bytes) -> None:
    if not start:
        raise IncompleteFileError("incomplete: 0 bytes")
    if not start.strip(b"\0"):
        raise IncompleteFileError("incomplete: nothing but zeros where the header should be")
    if not _begins(start, _FIRST):
        raise RejectedError(f"not FITS: begins with {start[:16]!r}")


def _read_header(read_at: ReadAt, offset: int, data: bytes) -> bytes:
    """Read on until END; give all the cards, END too."""
    searched = 0
    while (end := find_end(data, searched)) is None:
        if not data[-CARD_SIZE:].strip(b"\0"):
            raise IncompleteFileError(f"incomplete: the header at byte {offset:,} ends in zeros")
        if len(data) >= MAX_HEADER:
            raise RejectedError(f"the header at byte {offset:,} has no END in {len(data):,} bytes")
        more = read_at(offset + len(data), _CHUNK)
        if not more:
            raise IncompleteFileError(
                f"incomplete: the header at byte {offset:,} has no END in {len(data):,} bytes"
            )
        searched = len(data) - len(data) % CARD_SIZE
        data += more
    return data[: end + CARD_SIZE]


def _image_structure(header: Header, prefix: str) -> tuple[int, tuple[int, ...]]:
    """Read BITPIX and the shape; those of a compressed image are ZBITPIX, ZNAXISn."""
    bitpix = _integer(header, f"{prefix}BITPIX")
    if bitpix not in BITPIX:
        raise RejectedError(f"{prefix}BITPIX is {bitpix}, not one of {BITPIX}")
    axes = _integer(header, f"{prefix}NAXIS")
    if axes > MAX_NAXIS:
        raise RejectedError(f"{prefix}NAXIS is {axes}, more than {MAX_NAXIS}")
    lengths = [_integer(header, f"{prefix}NAXIS{axis}") for axis in range(1, axes + 1)]
    return bitpix, tuple(reversed(lengths))


def _data_size(header: Header, bitpix: int, shape: tuple[int, ...]) -> int:
    if not shape:
        return 0
    groups = header.get("GROUPS") is True and shape[-1] == 0
    elements = math.prod(shape[:-1] if groups else shape)
    parameters, count = _integer(header, "PCOUNT", 0), _integer(header, "GCOUNT", 1)
    return abs(bitpix) // 8 * count * (parameters + elements)


def _check_size(bitpix: int, shape: tuple[int, ...], size: int) -> None:
    if size >= MAX_SIZE:
        axes = " x ".join(f"{length:.4g}" for length in reversed(shape))
        raise RejectedError(f"an image of {axes} pixels, BITPIX {bitpix}, makes {size:.2g} bytes")


def _is_plain_image(header: Header, *, first: bool) -> bool:
    kind = first or header.get("XTENSION") in _IMAGE_EXTENSIONS
    return kind and header.get("PCOUNT", 0) == 0 and header.get("GCOUNT", 1) == 1


def _said(header: Header, keyword: str) -> str:
    """Say what stands at a keyword, as the header spells it."""
    value = header.get(keyword)
    if value is None:
        return "has no value" if keyword in header else "is missing"
    if isinstance(value, bool):
        return "is T" if value else "is F"
    return f"is {value!r}"


def _integer(header: Header, keyword: str, default: int | None = None) -> int:
    value = header.get(keyword, default)
    # Python's True is an int; FITS's T is none.
    if not isinstance(value, int) or isinstance(value, bool):
        raise RejectedError(f"{keyword} {_said(header, keyword)}, expected an integer")
    if value < 0 and not keyword.endswith("BITPIX"):
        raise RejectedError(f"{keyword} is {value}, expected 0 or more")
    return value
