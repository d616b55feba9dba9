"""Compressed files, unpacked once into an anonymous temporary file that is then read in strips.

The temporary file has no name, so that nothing is left behind whatever happens. No more is unpacked
than the headers found on the way imply, no more than `MAX_UNPACKED`, and of a file that makes more
of its bytes than pixels do no more than `HARMLESS`: a bomb is refused.
"""

import bz2
import gzip
import math
import os
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tapewatch.errors import (
    IncompleteFileError,
    RejectedError,
    RetriableError,
    StillPackedError,
)
from tapewatch.fitsfile.files import write_all
from tapewatch.fitsfile.layout import BLOCK, Hdu, ReadAt, scan_hdus

MAX_UNPACKED = 2**32
MAX_HEADERS = 64 * BLOCK
# Pixels shrink to a half or a quarter, mere zeros to a thousandth (gzip) or far less (bzip2).
_LIKELY = 200
HARMLESS = 2**28

_CHUNK = 2**20
_Stream = gzip.GzipFile | bz2.BZ2File


class _Unpacking:
    """Reads forward through a compressed stream and keeps what it has unpacked in a file."""

    def __init__(self, stream: _Stream, spool: int) -> None:
        self._stream = stream
        self.spool = spool
        self.size = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Give bytes as of the unpacked file; fewer where it ends."""
        self.extend(offset + size)
        return os.pread(self.spool, size, offset)

    def extend(self, size: int) -> None:
        """Unpack until so many bytes are there, or the stream ends."""
        while self.size < size:
            data = _read(self._stream, min(_CHUNK, size - self.size))
            if not data:
                return
            _keep(self.spool, data)
            self.size += len(data)


class _Skimming:
    """Reads forward through a compressed stream, and keeps nothing of what it has left behind."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._ahead = b""
        self.place = 0
        """Of the first byte ahead; it never goes back."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Go on to a place, and give bytes there; fewer where the stream ends."""
        self.skip_to(offset)
        while len(self._ahead) < size:
            more = _read(self._stream, size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def skip_to(self, offset: int) -> None:
        """Go on to a place, or to the end of the stream where that comes before."""
        while (missing := offset - self.place - len(self._ahead)) > 0:
            more = _read(self._stream, min(_CHUNK, missing))
            if not more:
                break
            self.place += len(self._ahead)
            self._ahead = more
        passed = min(offset - self.place, len(self._ahead))
        self._ahead = self._ahead[passed:]
        self.place += passed


def refuse_bomb(descriptor: int, size: int) -> None:
    """Refuse to make more of a file than a camera's pixels can have been packed into.

    Parameters
    ----------
    descriptor : int
        Of the compressed file.
    size : int
        Bytes that its headers promise.

    Raises
    ------
    RejectedError
        They are too many.
    """
    limit = min(MAX_UNPACKED, max(HARMLESS, _LIKELY * os.fstat(descriptor).st_size))
    if size > limit:
        raise RejectedError(f"{size:,} bytes when unpacked, more than {limit:,}")


@contextmanager
def unpacked(descriptor: int, kind: str) -> Iterator[int]:
    """Unpack a whole file.

    Parameters
    ----------
    descriptor : int
        Of the compressed file.
    kind : str
        What `packing_of` said.

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
    RetriableError
        The folder for temporary files cannot be written.
    """
    with _stream(descriptor, kind) as stream, _temporary() as file:
        unpacking = _Unpacking(stream, file)
        for hdu in scan_hdus(unpacking.read_at):
            refuse_bomb(descriptor, hdu.end)
            unpacking.extend(hdu.end)
            _see_that_it_is_whole(hdu, unpacking.size)
        yield unpacking.spool


def packed_layout(descriptor: int, kind: str) -> tuple[Hdu, ...]:
    """Read the structure of a whole file, unpacking all of it and keeping only headers.

    Parameters
    ----------
    descriptor : int
        Of the compressed file.
    kind : str
        What `packing_of` said.

    Returns
    -------
    tuple of Hdu
        As of the unpacked file.

    Raises
    ------
    IncompleteFileError, RejectedError
        As `unpacked`.
    """
    hdus = []
    with _stream(descriptor, kind) as stream:
        skimming = _Skimming(stream)
        for hdu in scan_hdus(skimming.read_at):
            refuse_bomb(descriptor, hdu.end)
            skimming.skip_to(hdu.end)
            _see_that_it_is_whole(hdu, skimming.place)
            hdus.append(hdu)
    return tuple(hdus)


@contextmanager
def unpacked_headers(descriptor: int, kind: str) -> Iterator[ReadAt]:
    """Unpack the beginning of a file, as far as headers are asked for.

    Parameters
    ----------
    descriptor : int
        Of the compressed file.
    kind : str
        What `packing_of` said.

    Yields
    ------
    callable
        ``read_at(offset, size)``, for offsets that do not go back; nothing is written anywhere.

    Raises
    ------
    StillPackedError
        What is asked for lies beyond `MAX_HEADERS` bytes.
    IncompleteFileError, RejectedError
        As `unpacked`.
    """
    with _stream(descriptor, kind) as stream:
        skimming = _Skimming(stream)

        def read_at(offset: int, size: int) -> bytes:
            if offset >= MAX_HEADERS:
                raise StillPackedError(f"no image in the first {MAX_HEADERS:,} bytes unpacked")
            return skimming.read_at(offset, size)

        yield read_at


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
    refuse_bomb(descriptor, size)
    with _temporary() as spool:
        for index in hdus:
            _keep(spool, _untile(descriptor, index))
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
def _stream(descriptor: int, kind: str) -> Iterator[_Stream]:
    """Open a compressed file at its beginning."""
    with (
        os.fdopen(os.dup(descriptor), "rb") as file,
        gzip.GzipFile(fileobj=file) if kind == "gzip" else bz2.BZ2File(file) as stream,
    ):
        file.seek(0)
        yield stream


@contextmanager
def _temporary() -> Iterator[int]:
    """Open a file without a name.

    That it cannot be written costs the one frame tries: other frames need no such file.
    """
    with ExitStack() as stack:
        with _spool_errors():
            file = stack.enter_context(tempfile.TemporaryFile(prefix="tapewatch-", buffering=0))
        yield file.fileno()


def _see_that_it_is_whole(hdu: Hdu, unpacked: int) -> None:
    if unpacked < hdu.end:
        raise IncompleteFileError(f"incomplete: {unpacked:,} of {hdu.end:,} bytes when unpacked")


def _keep(spool: int, data: bytes | memoryview) -> None:
    with _spool_errors():
        write_all(spool, data)


@contextmanager
def _spool_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or "any folder for temporary files"
        raise RetriableError(
            f"it cannot be unpacked in {folder} (TMPDIR): {error.strerror}"
        ) from error


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
