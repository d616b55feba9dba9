"""The pixels of raw frames, in strips.

Files are read with ``pread``, never mapped: a file that a camera program truncates while it is
mapped kills the process that looks at it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile import spool
from tapewatch.fitsfile.datahash import DataHash
from tapewatch.fitsfile.files import identity_of, reader, regular_file
from tapewatch.fitsfile.image import FrameImages, Image, find_images
from tapewatch.fitsfile.layout import read_layout
from tapewatch.fitsfile.packing import MARK, packing_of
from tapewatch.fitsfile.plane import Plane
from tapewatch.fitsfile.scaling import Pixels, scaling_of
from tapewatch.headers.cards import Header, merge
from tapewatch.headers.sections import Readout, readout, whole
from tapewatch.headers.trimmed import trimmed_header
from tapewatch.model import Identity
from tapewatch.science.overscan import subtract_overscan


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
        if len(planes) == 1:
            self.leading = _header_left(found.leading, planes[0].stored_shape, planes[0].readout)
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
    def corner(self) -> tuple[int, int]:
        """(y, x) of the first pixel of the first image within the stored one, counted from 0."""
        trim = self.planes[0].readout.trim
        return trim.top, trim.left

    @property
    def stored_shapes(self) -> tuple[tuple[int, int], ...]:
        """(ny, nx) of each image as stored, its overscan included, pixels."""
        return tuple(plane.stored_shape for plane in self.planes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the sections that its headers name."""
        told = (warning for plane in self.planes for warning in plane.readout.warnings)
        return tuple(dict.fromkeys(told))

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

    def strips_of_rows(self, size: int, fewest: int) -> Iterator[tuple[int, int]]:
        """Cut the frame into strips of whole rows, each within one image.

        Parameters
        ----------
        size : int
            Pixels of a strip, about.
        fewest : int
            Rows of a strip at least; the last of an image may have fewer.

        Yields
        ------
        (int, int)
            First pixel and the one after the last.
        """
        first = 0
        for plane in self.planes:
            end, columns = first + plane.pixels, plane.shape[1]
            step = max(size // columns, fewest) * columns
            for start in range(first, end, step):
                yield start, min(start + step, end)
            first = end

    def plane_at(self, pixel: int) -> int:
        """Tell in which of the images a pixel is; 0 for the first."""
        return self._place_of(pixel)[0]

    def _place_of(self, pixel: int) -> tuple[int, int]:
        """Give the image that a pixel is in, and the first pixel of that image."""
        first = 0
        for index, plane in enumerate(self.planes):
            if pixel < first + plane.pixels:
                return index, first
            first += plane.pixels
        raise IndexError(f"no such pixel: {pixel}, there are {first}")

    def physical(self, start: int, stop: int, *, hashed: bool = False) -> Pixels:
        """Read physical values as the camera gave them.

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
        index, first = self._place_of(start)
        before = sum(plane.run.size for plane in self.planes[:index])

        def take(place: int, stored: bytes) -> None:
            self._data_hash.take(before + place, stored)

        plane = self.planes[index]
        pixels = plane.physical(start - first, stop - first, take if hashed else None)
        return pixels.astype(self.dtype, copy=False)

    def overscan(self, start: int, stop: int) -> NDArray[np.floating] | None:
        """Give the level of the overscan at pixels.

        Parameters
        ----------
        start, stop : int
            As for `physical`.

        Returns
        -------
        ndarray or None
            (n,) in the working precision, ADU; None where there is none to be subtracted.
        """
        index, first = self._place_of(start)
        return self.planes[index].overscan(start - first, stop - first)

    def less_overscan(self, start: int, stop: int) -> Pixels:
        """Read physical values less the level of the overscan, where there is one."""
        return subtract_overscan(self.physical(start, stop), self.overscan(start, stop))

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
def open_frame(path: Path, *, overscan: bool = False) -> Iterator[RawFrame]:
    """Open a raw frame for reading its pixels.

    Parameters
    ----------
    path : Path
        The file, plain or compressed.
    overscan : bool
        Whether overscan is to be subtracted and trimmed where the header tells how.

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
        packing = packing_of(reader(descriptor)(0, MARK))
        if packing:
            descriptor = stack.enter_context(spool.unpacked(descriptor, packing))
            size = os.fstat(descriptor).st_size
        found = find_images(read_layout(reader(descriptor), size))
        readouts = [
            _readout(found, image) if overscan else Readout(whole(image.shape), ())
            for image in found.images
        ]
        planes = _planes(found, readouts, descriptor, stack)
        yield RawFrame(identity_of(status), found, planes)


def _readout(found: FrameImages, image: Image) -> Readout:
    """Tell what to subtract and trim from an image."""
    return readout(merge(found.leading, image.hdu.header), image.shape)


def _header_left(header: Header, shape: tuple[int, int], told: Readout) -> Header:
    """Make the header of what is left of an image (ny, nx)."""
    return header if told.changes_nothing(shape) else trimmed_header(header, told)


def _planes(
    found: FrameImages, readouts: Sequence[Readout], descriptor: int, stack: ExitStack
) -> list[Plane]:
    """Open the images; those compressed in tables are unpacked, all into one file."""
    planes = []
    tiled = {image.index: image.hdu for image in found.images if image.hdu.compressed}
    spooled = stack.enter_context(spool.untiled(descriptor, tiled)) if tiled else descriptor
    place = 0
    for image, told in zip(found.images, readouts, strict=True):
        header, compressed = image.hdu.header, image.hdu.compressed
        plane = Plane(
            _header_left(header, image.shape, told),
            image.shape,
            scaling_of(header, image.hdu.bitpix),
            spooled if compressed else descriptor,
            place if compressed else image.hdu.data_offset,
            told,
        )
        place += plane.run.size if compressed else 0
        planes.append(plane)
    return planes
