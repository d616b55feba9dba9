"""How a whole file is compressed, told by its first bytes and not by its name."""

from tapewatch.errors import IncompleteFileError, RejectedError

MARK = 4
"""Bytes that tell it."""

_KNOWN = {b"\x1f\x8b": "gzip", b"BZh": "bzip2"}
_UNKNOWN = {b"\x1f\x9d": "compress (.Z)", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z"}


def packing_of(start: bytes) -> str:
    """Tell by the first bytes of a file how the whole of it is compressed.

    Parameters
    ----------
    start : bytes
        `MARK` bytes, or all there are.

    Returns
    -------
    str
        ``gzip``, ``bzip2`` or empty: not compressed (or tile by tile, inside FITS).

    Raises
    ------
    IncompleteFileError
        There are too few bytes to tell, and they are how a compressed file begins.
    RejectedError
        Compressed in a way that is not handled.
    """
    for mark, name in _KNOWN.items():
        if start.startswith(mark):
            return name
        if start and mark.startswith(start):
            raise IncompleteFileError(f"incomplete: {len(start)} bytes")
    for mark, name in _UNKNOWN.items():
        if start.startswith(mark):
            raise RejectedError(f"compressed with {name}: only gzip, bzip2 and .fz are read")
    return ""
