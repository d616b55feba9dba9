"""Whether a FITS file still holds what was written: its DATASUM and CHECKSUM against its bytes."""

import os
from collections.abc import Iterator
from pathlib import Path

from tapewatch.fitsfile.checksum import add_bytes
from tapewatch.fitsfile.files import read_exactly, reader, regular_file
from tapewatch.fitsfile.layout import Hdu, read_layout

_AT_ONCE = 1 << 20  # bytes
# The sum of a whole HDU, CHECKSUM included, is minus zero in ones' complement, or zero.
_WHOLE = frozenset({0, 0xFFFFFFFF})


def damage(path: Path) -> tuple[str, ...]:
    """Tell what the sums in a file's headers say against its bytes.

    Parameters
    ----------
    path : Path
        The file, not compressed.

    Returns
    -------
    tuple of str
        One text for each HDU that was changed after it was written; a sum that is not there says
        nothing.

    Raises
    ------
    IncompleteFileError
        The file is shorter than its headers say.
    RejectedError
        Not FITS.
    OSError
        From the system.
    """
    with regular_file(path) as (descriptor, status):
        hdus = read_layout(reader(descriptor), status.st_size)
        return tuple(_damage(descriptor, hdus))


def _damage(descriptor: int, hdus: tuple[Hdu, ...]) -> Iterator[str]:
    start = 0
    for index, hdu in enumerate(hdus):
        data = _sum(descriptor, hdu.data_offset, hdu.end)
        written = hdu.header.get("DATASUM")
        if written is not None and str(written).strip() != str(data):
            yield f"the data of HDU {index} were changed: DATASUM is {written}, they sum to {data}"
        elif "CHECKSUM" in hdu.header:
            whole = _sum(descriptor, start, hdu.data_offset, data)
            if whole not in _WHOLE:
                yield f"the header of HDU {index} was changed: its CHECKSUM is not that of the HDU"
        start = hdu.end


def _sum(descriptor: int, start: int, stop: int, total: int = 0) -> int:
    """Add the bytes of a part of the file, whole blocks, to a checksum."""
    os.posix_fadvise(descriptor, start, stop - start, os.POSIX_FADV_SEQUENTIAL)
    for place in range(start, stop, _AT_ONCE):
        total = add_bytes(total, read_exactly(descriptor, place, min(_AT_ONCE, stop - place)))
    return total
