"""The pixels of raw frames, in strips.

Files are read with ``pread``, never mapped: a file that a camera program truncates while it is
mapped kills the process that looks at it.
"""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapewatch.fitsfile import spool
from tapewatch.fitsfile.files import identity_of, read_exactly, reader, regular_file
from tapewatch.fitsfile.image import find_image
from tapewatch.fitsfile.layout import read_layout
from tapewatch.fitsfile.scaling import Pixels, Scaling, scaling_of
from tapewatch.headers.cards import Header
from tapewatch.model import Identity


@dataclass(frozen=True, slots=True)
class RawFrame:
    """An open frame, read in strips of pixels counted from the first.

    Parameters
    ----------
    identity : Identity
        Of the very file that was opened.
    header : Header
        As in `Inspection`.
    header_hash : str
        As in `Inspection`.
    shape : tuple of int
        (ny, nx), pixels.
    scaling : Scaling
        How stored values become physical ones.
    descriptor : int
        Of the file that holds the stored values: the frame's, or a temporary one.
    offset : int
        Where they begin in it, bytes.
    """

    identity: Identity
    header: Header
    header_hash: str
    shape: tuple[int, int]
    scaling: Scaling
    descriptor: int
    offset: int

    @property
    def dtype(self) -> np.dtype[np.number]:
        """Type of the physical values, as astropy.io.fits gives it, native byte order."""
        return self.scaling.dtype

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    def strips(self, size: int) -> Iterator[tuple[int, int]]:
        """Cut the frame into strips.

        Parameters
        ----------
        size : int
            Pixels of a strip; the last may have fewer.

        Yields
        ------
        (int, int)
            First pixel and the one after the last.
        """
        for start in range(0, self.pixels, size):
            yield start, min(start + size, self.pixels)

    def stored(self, start: int, stop: int) -> bytes:
        """Read stored values; the data hash is the sha256 of all of them in order.

        Parameters
        ----------
        start, stop : int
            First pixel and the one after the last.

        Returns
        -------
        bytes
            Big-endian values as in the uncompressed file.

        Raises
        ------
        IncompleteFileError
            The file was truncated since it was opened.
        """
        size = self.scaling.stored_dtype.itemsize
        return read_exactly(self.descriptor, self.offset + start * size, (stop - start) * size)

    def physical_of(self, stored: bytes | memoryview) -> Pixels:
        """Convert what `stored` gave.

        Parameters
        ----------
        stored : bytes or memoryview
            Big-endian values.

        Returns
        -------
        ndarray
            (n,) of `dtype`, ADU, the caller's own.
        """
        return self.scaling.physical(stored)

    def physical(self, start: int, stop: int) -> Pixels:
        """Read physical values: `physical_of` what is `stored` there."""
        return self.physical_of(self.stored(start, stop))


@contextmanager
def open_frame(path: Path) -> Iterator[RawFrame]:
    """Open a raw frame for reading its pixels.

    Parameters
    ----------
    path : Path
        The file, plain or compressed.

    Yields
    ------
    RawFrame
        Closed at the end.

    Raises
    ------
    IncompleteFileError, RejectedError, OSError
        As `inspect`; compressed files are unpacked here, and a damaged one is rejected.
    NoSpaceError
        The folder for temporary files is full.
    """
    with ExitStack() as stack:
        descriptor, status = stack.enter_context(regular_file(path))
        size = status.st_size
        packing = spool.packing(reader(descriptor)(0, spool.MARK))
        if packing:
            descriptor = stack.enter_context(spool.unpacked(descriptor, packing))
            size = os.fstat(descriptor).st_size
        hdus = read_layout(reader(descriptor), size)
        image = find_image(hdus)
        scaling = scaling_of(image.hdu.header, image.hdu.bitpix)
        offset = image.hdu.data_offset
        if image.hdu.compressed:
            descriptor = stack.enter_context(spool.untiled(descriptor, image.index, image.hdu))
            offset = 0
        yield RawFrame(
            identity=identity_of(status),
            header=image.header,
            header_hash=image.header_hash,
            shape=image.shape,
            scaling=scaling,
            descriptor=descriptor,
            offset=offset,
        )
