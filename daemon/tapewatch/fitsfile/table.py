"""Text columns of a binary table, as the INPUTS of a master."""

import re
from pathlib import Path

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.files import read_exactly, reader, regular_file
from tapewatch.fitsfile.layout import Hdu, read_layout
from tapewatch.headers.values import as_text

_TEXT = re.compile(r"(\d*)A", re.ASCII)


def read_texts(path: Path, name: str) -> dict[str, tuple[str, ...]]:
    """Read a table of text columns.

    Parameters
    ----------
    path : Path
        The file, not compressed.
    name : str
        EXTNAME of the table.

    Returns
    -------
    dict of str to tuple of str
        Values of each column, without the blanks or zeros that fill them up.

    Raises
    ------
    IncompleteFileError
        The file is shorter than its headers say.
    RejectedError
        Not FITS, or no such table in it.
    OSError
        From the system.
    """
    with regular_file(path) as (descriptor, status):
        for hdu in read_layout(reader(descriptor), status.st_size):
            is_table = hdu.header.get("XTENSION") == "BINTABLE"
            if is_table and hdu.header.get("EXTNAME") == name:
                data = read_exactly(descriptor, hdu.data_offset, hdu.data_size)
                return _columns(hdu, data, name)
    raise RejectedError(f"{path.name} has no table {name}")


def _columns(hdu: Hdu, data: bytes, name: str) -> dict[str, tuple[str, ...]]:
    """Cut the rows (FITS Standard 4.0, section 7.3) into columns."""
    rows, width = hdu.shape
    columns: dict[str, tuple[str, ...]] = {}
    start = 0
    for number in range(1, int(as_text(hdu.header.get("TFIELDS"))) + 1):
        form = as_text(hdu.header.get(f"TFORM{number}"))
        match = _TEXT.fullmatch(form)
        if match is None:
            raise RejectedError(f"TFORM{number} of table {name} is '{form}', expected text as 64A")
        stop = start + int(match[1] or 1)
        columns[as_text(hdu.header.get(f"TTYPE{number}"))] = tuple(
            data[row * width + start : row * width + stop]
            .partition(b"\0")[0]
            .decode("ascii", "backslashreplace")
            .rstrip()
            for row in range(rows)
        )
        start = stop
    return columns
