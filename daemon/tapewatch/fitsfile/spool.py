"""Compressed files, unpacked once into an anonymous temporary file that is then read in strips.

The temporary file has no name, so that nothing is left behind whatever happens. No more is unpacked
than the headers found on the way imply, and no more than `MAX_UNPACKED`: a bomb is refused.
"""

import bz2
import gzip
import math
import os
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.files import output_errors, write_all
from tapewatch.fitsfile.layout import BLOCK, Hdu, ReadAt, scan_hdus

MARK = 4  # first bytes of a file, which tell how it is compressed
MAX_UNPACKED = 2**32
MAX_HEADERS = 64 * BLOCK

_CHUNK = 2**20
_Stream = gzip.GzipFile | bz2.BZ2File
_UNKNOWN = {b"\x1f\x9d": "compress (.Z)", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z"}


class _Unpacking:
    """Reads forward through a compressed stream and keeps what it has unpacked in a file."""

    def __init__(self, stream: _Stream, spool: int, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.spool = spool
        self.size = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Give bytes as of the unpacked file; fewer where it ends or the limit is reached."""
        if offset >= self._limit:
            raise RejectedError(f"no image in the first {self._limit:,} bytes unpacked")
        self.extend(min(offset + size, self._limit))
        return os.pread(self.spool, size, offset)

    def extend(self, size: int) -> None:
        """Unpack until so many bytes are there, or the stream ends."""
        if size > self._limit:
            raise RejectedError(f"{size:,} bytes when unpacked, more than {self._limit:,}")
        while self.size < size:
            data = _read(self._stream, min(_CHUNK, size - self.size))
            if not data:
                return
            write_all(self.spool, data)
            self.size += len(data)


def packing(start: bytes) -> str:
    """Tell by the first bytes of a file how the whole of it is compressed.

    Parameters
    ----------
    start : bytes
        Four bytes or more.

    Returns
    -------
    str
        ``gzip``, ``bzip2`` or empty: not compressed (or tile by tile, inside FITS).

    Raises
    ------
    RejectedError
        Compressed in a way that is not handled.
    """
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith(b"BZh"):
        return "bzip2"
    for mark, name in _UNKNOWN.items():
        if start.startswith(mark):
            raise RejectedError(f"compressed with {name}: only gzip, bzip2 and .fz are read")
    return ""


@contextmanager
def unpacked(descriptor: int, kind: str) -> Iterator[int]:
    """Unpack a whole file.

    Parameters
    ----------
    descriptor : int
        Of the compressed file.
    kind : str
        What `packing` said.

    Yields
    ------
    int
        Descriptor of a temporary file with the FITS file that was compressed.

    Raises
    ------
    IncompleteFileError
        It ends too early: within the compressed data or within the FITS file.
    RejectedError
        Damaged, not FITS, or far greater than any frame.
    NoSpaceError
        The folder for temporary files is full.
    """
    with _unpacking(descriptor, kind, MAX_UNPACKED) as unpacking:
        for hdu in scan_hdus(unpacking.read_at):
            unpacking.extend(hdu.end)
            if unpacking.size < hdu.end:
                raise IncompleteFileError(
                    f"incomplete: {unpacking.size:,} of {hdu.end:,} bytes when unpacked"
                )
        yield unpacking.spool


@contextmanager
def unpacked_headers(descriptor: int, kind: str) -> Iterator[ReadAt]:
    """Unpack the beginning of a file, as far as headers are asked for.

    Parameters
    ----------
    descriptor : int
        Of the compressed file.
    kind : str
        What `packing` said.

    Yields
    ------
    callable
        ``read_at(offset, size)``; nothing beyond `MAX_HEADERS` bytes is unpacked.

    Raises
    ------
    IncompleteFileError, RejectedError
        As `unpacked`.
    """
    with _unpacking(descriptor, kind, MAX_HEADERS) as unpacking:
        yield unpacking.read_at


@contextmanager
def untiled(descriptor: int, hdus: Mapping[int, Hdu]) -> Iterator[int]:
    """Unpack images that are compressed tile by tile in tables (.fz).

    Parameters
    ----------
    descriptor : int
        Of the FITS file.
    hdus : mapping of int to Hdu
        The HDUs of the images by their indices, in order.

    Yields
    ------
    int
        Descriptor of a temporary file with the stored, big-endian values of the images alone, one
        after the other.

    Raises
    ------
    RejectedError
        Damaged, or greater than any frame.
    """
    size = sum(math.prod(hdu.shape) * abs(hdu.bitpix) // 8 for hdu in hdus.values())
    if size > MAX_UNPACKED:
        raise RejectedError(f"{size:,} bytes when unpacked, more than {MAX_UNPACKED:,}")
    with _temporary() as spool:
        for index in hdus:
            write_all(spool, _untile(descriptor, index))
        yield spool


def _untile(descriptor: int, index: int) -> memoryview:
    """Let astropy unpack the stored values, big-endian."""
    # Imported here: 0.2 s that a daemon without .fz files never spends.
    from astropy.io import fits  # noqa: PLC0415
    from astropy.utils.exceptions import AstropyWarning  # noqa: PLC0415

    options = {"memmap": False, "do_not_scale_image_data": True}
    with (
        os.fdopen(os.dup(descriptor), "rb") as file,
        warnings.catch_warnings(action="ignore", category=AstropyWarning),
    ):
        file.seek(0)
        try:
            with fits.open(file, **options) as hdus:
                data = hdus[index].data
        except Exception as error:
            # Damaged tiles raise nearly anything, the codecs' own error among it, which derives
            # from Exception alone and has no public name. What has an errno is the system's word.
            if not isinstance(error, MemoryError) and getattr(error, "errno", None) is None:
                raise RejectedError(f"cannot be unpacked: {error}") from error
            raise
    stored: memoryview = data.astype(data.dtype.newbyteorder(">")).ravel().view("u1").data
    return stored


@contextmanager
def _unpacking(descriptor: int, kind: str, limit: int) -> Iterator[_Unpacking]:
    with (
        os.fdopen(os.dup(descriptor), "rb") as file,
        gzip.GzipFile(fileobj=file) if kind == "gzip" else bz2.BZ2File(file) as stream,
        _temporary() as spool,
    ):
        file.seek(0)
        yield _Unpacking(stream, spool, limit)


@contextmanager
def _temporary() -> Iterator[int]:
    """Open a file without a name."""
    with (
        output_errors(Path(tempfile.gettempdir())),
        tempfile.TemporaryFile(prefix="tapewatch-", buffering=0) as file,
    ):
        yield file.fileno()


def _read(stream: _Stream, size: int) -> bytes:
    try:
        return stream.read(size)
    except EOFError as error:
        raise IncompleteFileError(f"incomplete: {error}") from error
    except (OSError, zlib.error) as error:
        # Damage has no number; what the system says has one.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RejectedError(f"damaged compressed file: {error}") from error
