"""The pixels of raw frames, in strips.

Files are read with ``pread``, never mapped: a file that a camera program truncates while it is
mapped kills the process that looks at it.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapewatch.fitsfile import spool
from tapewatch.fitsfile.datahash import DataHash, Run
from tapewatch.fitsfile.files import identity_of, read_exactly, reader, regular_file
from tapewatch.fitsfile.image import FrameImages, find_images
from tapewatch.fitsfile.layout import read_layout
from tapewatch.fitsfile.scaling import Pixels, Scaling, scaling_of
from tapewatch.headers.cards import Header
from tapewatch.model import Identity


@dataclass(frozen=True, slots=True)
class Plane:
    """One image of an open frame.

    Parameters
    ----------
    header : Header
        Its own, as stored.
    shape : tuple of int
        (ny, nx), pixels.
    scaling : Scaling
        How stored values become physical ones.
    descriptor : int
        Of the file that holds the stored values: the frame's, or a temporary one.
    offset : int
        Where they begin in it, bytes.
    """

    header: Header
    shape: tuple[int, int]
    scaling: Scaling
    descriptor: int
    offset: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def run(self) -> Run:
        """Where its stored values are."""
        size = self.pixels * self.scaling.stored_dtype.itemsize
        return Run(self.descriptor, self.offset, size)


class RawFrame:
    """An open frame, read in strips of pixels counted from the first.

    The pixels of a mosaic are counted through all its images, one after the other.

    Parameters
    ----------
    identity : Identity
        Of the very file that was opened.
    found : FrameImages
        Its headers and images.
    planes : sequence of Plane
        Those images, opened.

    Attributes
    ----------
    header, leading, header_hash
        As in `FrameImages`.
    pixels : int
        Number of pixels of all images.
    dtype : numpy.dtype
        Type of the physical values, as astropy.io.fits gives it, native byte order. Of a mosaic
        whose images differ in it, one that holds all their values.
    """

    def __init__(self, identity: Identity, found: FrameImages, planes: Sequence[Plane]) -> None:
        self.identity = identity
        self.header = found.header
        self.leading = found.leading
        self.header_hash = found.header_hash
        self.planes = tuple(planes)
        self.pixels = sum(plane.pixels for plane in planes)
        self.dtype: np.dtype[np.number] = np.result_type(*(one.scaling.dtype for one in planes))
        self._data_hash = DataHash([plane.run for plane in planes])

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the first image, pixels."""
        return self.planes[0].shape

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(ny, nx) of each image, pixels."""
        return tuple(plane.shape for plane in self.planes)

    @property
    def stacked(self) -> tuple[int, int]:
        """(ny, nx) of all pixels stacked as if they were one image, as wide as the first.

        Of images of other widths the rows are no rows, and up to one row is left out: good enough
        for a sample of the frame.
        """
        columns = self.shape[1]
        return self.pixels // columns, columns

    def strips(self, size: int) -> Iterator[tuple[int, int]]:
        """Cut the frame into strips, each within one image.

        Parameters
        ----------
        size : int
            Pixels of a strip; the last of an image may have fewer.

        Yields
        ------
        (int, int)
            First pixel and the one after the last.
        """
        first = 0
        for plane in self.planes:
            end = first + plane.pixels
            for start in range(first, end, size):
                yield start, min(start + size, end)
            first = end

    def plane_at(self, pixel: int) -> int:
        """Tell in which of the images a pixel is; 0 for the first."""
        for index, plane in enumerate(self.planes):
            if pixel < plane.pixels:
                return index
            pixel -= plane.pixels
        raise IndexError(f"no such pixel: {pixel} after the last")

    def physical(self, start: int, stop: int, *, hashed: bool = False) -> Pixels:
        """Read physical values.

        Parameters
        ----------
        start, stop : int
            First pixel and the one after the last, both of one image.
        hashed : bool
            Whether `data_hash` will be asked for, so that it need not read them again.

        Returns
        -------
        ndarray
            (n,) of `dtype`, ADU, the caller's own.

        Raises
        ------
        IncompleteFileError
            The file was truncated since it was opened.
        """
        index = self.plane_at(start)
        plane = self.planes[index]
        size = plane.scaling.stored_dtype.itemsize
        first = sum(before.pixels for before in self.planes[:index])
        place = (start - first) * size
        stored = read_exactly(plane.descriptor, plane.offset + place, (stop - start) * size)
        if hashed:
            place += sum(before.run.size for before in self.planes[:index])
            self._data_hash.take(place, stored)
        return plane.scaling.physical(stored).astype(self.dtype, copy=False)

    def data_hash(self) -> str:
        """Hash the stored values of all images in order.

        Returns
        -------
        str
            sha256, hexadecimal, of the big-endian values as in the uncompressed file.

        Raises
        ------
        IncompleteFileError
            The file was truncated since it was opened.
        """
        return self._data_hash.hexdigest()


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
        found = find_images(read_layout(reader(descriptor), size))
        planes = _planes(found, descriptor, stack)
        yield RawFrame(identity_of(status), found, planes)


def _planes(found: FrameImages, descriptor: int, stack: ExitStack) -> list[Plane]:
    """Open the images; those compressed in tables are unpacked, all into one file."""
    planes = []
    tiled = {image.index: image.hdu for image in found.images if image.hdu.compressed}
    spooled = stack.enter_context(spool.untiled(descriptor, tiled)) if tiled else descriptor
    place = 0
    for image in found.images:
        header, compressed = image.hdu.header, image.hdu.compressed
        plane = Plane(
            header,
            image.shape,
            scaling_of(header, image.hdu.bitpix),
            spooled if compressed else descriptor,
            place if compressed else image.hdu.data_offset,
        )
        place += plane.run.size if compressed else 0
        planes.append(plane)
    return planes
