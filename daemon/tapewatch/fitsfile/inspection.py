"""What a raw frame is, by its headers alone: all that the daemon's own process needs to know."""

from dataclasses import dataclass
from pathlib import Path

from tapewatch.errors import StillPackedError
from tapewatch.fitsfile import spool
from tapewatch.fitsfile.files import identity_of, reader, regular_file
from tapewatch.fitsfile.image import find_images, up_to_image
from tapewatch.fitsfile.layout import BLOCK, Hdu, ReadAt, read_layout
from tapewatch.fitsfile.packing import MARK, packing_of
from tapewatch.headers.cards import Header
from tapewatch.model import Identity


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a file without reading its pixels.

    Parameters
    ----------
    identity : Identity
        Of the very file that was opened.
    header : Header
        Of the image; where it is in an extension, the primary header's keywords after its own.
    header_hash : str
        sha256 of those cards, hexadecimal.
    shapes : tuple of (int, int)
        (ny, nx) of each of its images, pixels: several in a mosaic.
    bitpix : int
        Of the stored values of the first.
    index : int
        Which HDU the first image is in.
    images : int
        2-D images in the file; behind a primary one in a gzip or bzip2 file none is looked for.
    size_needed : int or None
        Bytes from the start to the end of the last HDU; None for gzip and bzip2.
    blank_tail : bool
        The last block of the last image is all zero: so ends a file allotted beforehand and not yet
        filled. False for gzip and bzip2.
    """

    identity: Identity
    header: Header
    header_hash: str
    shapes: tuple[tuple[int, int], ...]
    bitpix: int
    index: int
    images: int
    size_needed: int | None
    blank_tail: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the first image, pixels."""
        return self.shapes[0]


def inspect(path: Path, *, unpack: bool = True) -> Inspection:
    """Find out what a file is, without reading its pixels.

    Parameters
    ----------
    path : Path
        The file.
    unpack : bool
        Unpack all of a gzip or bzip2 file where need be, which may take minutes.

    Returns
    -------
    Inspection

    Raises
    ------
    StillPackedError
        All of it has to be unpacked, and that was not wanted.
    IncompleteFileError
        Shorter than its headers say.
    RejectedError
        Not FITS, or no single 2-D image in it.
    OSError
        From the system: gone, no permission, a symlink (ELOOP).
    """
    with regular_file(path) as (descriptor, status):
        read_at = reader(descriptor)
        packing = packing_of(read_at(0, MARK))
        if packing:
            hdus = _packed_hdus(descriptor, packing, unpack=unpack)
        else:
            hdus = read_layout(read_at, status.st_size)
        found = find_images(hdus)
        first, last = found.images[0], found.images[-1]
        return Inspection(
            identity=identity_of(status),
            header=found.header,
            header_hash=found.header_hash,
            shapes=tuple(image.shape for image in found.images),
            bitpix=first.hdu.bitpix,
            index=first.index,
            images=found.count,
            size_needed=None if packing else hdus[-1].end,
            blank_tail=not packing and _ends_in_zeros(read_at, last.hdu),
        )


def _packed_hdus(descriptor: int, packing: str, *, unpack: bool) -> tuple[Hdu, ...]:
    try:
        return _first_hdus(descriptor, packing)
    except StillPackedError:
        if not unpack:
            raise
    return spool.packed_layout(descriptor, packing)


def _first_hdus(descriptor: int, packing: str) -> tuple[Hdu, ...]:
    """Unpack headers as far as the primary image; what follows it is of no concern.

    What follows an image in an extension is, and known only when its pixels have been unpacked.
    """
    with spool.unpacked_headers(descriptor, packing) as read_unpacked:
        hdus = up_to_image(read_unpacked)
    spool.refuse_bomb(descriptor, hdus[-1].end)
    if len(hdus) > 1 and hdus[-1].is_image:
        raise StillPackedError("its image is in an extension, which others may follow")
    return hdus


def _ends_in_zeros(read_at: ReadAt, image: Hdu) -> bool:
    size = min(BLOCK, image.data_size)
    return not read_at(image.data_offset + image.data_size - size, size).strip(b"\0")
