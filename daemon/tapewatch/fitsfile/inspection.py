"""What a raw frame is, by its headers alone: all that the daemon's own process needs to know."""

from dataclasses import dataclass
from pathlib import Path

from tapewatch.fitsfile import spool
from tapewatch.fitsfile.files import identity_of, reader, regular_file
from tapewatch.fitsfile.image import find_image, up_to_image
from tapewatch.fitsfile.layout import BLOCK, Hdu, ReadAt, read_layout
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
    shape : tuple of int
        (ny, nx), pixels.
    bitpix : int
        Of the stored values.
    index : int
        Which HDU the image is in.
    images : int
        2-D images in the file; of a gzip or bzip2 file only the first is looked for.
    size_needed : int or None
        Bytes from the start to the end of the last HDU; None for gzip and bzip2.
    blank_tail : bool
        The last block of the image is all zero: so ends a file allotted beforehand and not yet
        filled. False for gzip and bzip2.
    """

    identity: Identity
    header: Header
    header_hash: str
    shape: tuple[int, int]
    bitpix: int
    index: int
    images: int
    size_needed: int | None
    blank_tail: bool


def inspect(path: Path) -> Inspection:
    """Find out what a file is, without reading its pixels.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Inspection

    Raises
    ------
    IncompleteFileError
        Shorter than its headers say.
    RejectedError
        Not FITS, or no single 2-D image in it.
    OSError
        From the system: gone, no permission, a symlink (ELOOP).
    """
    with regular_file(path) as (descriptor, status):
        read_at = reader(descriptor)
        packing = spool.packing(read_at(0, spool.MARK))
        if packing:
            with spool.unpacked_headers(descriptor, packing) as read_unpacked:
                hdus = up_to_image(read_unpacked)
        else:
            hdus = read_layout(read_at, status.st_size)
        image = find_image(hdus)
        return Inspection(
            identity=identity_of(status),
            header=image.header,
            header_hash=image.header_hash,
            shape=image.shape,
            bitpix=image.hdu.bitpix,
            index=image.index,
            images=image.count,
            size_needed=None if packing else hdus[-1].end,
            blank_tail=not packing and _ends_in_zeros(read_at, image.hdu),
        )


def _ends_in_zeros(read_at: ReadAt, image: Hdu) -> bool:
    size = min(BLOCK, image.data_size)
    return not read_at(image.data_offset + image.data_size - size, size).strip(b"\0")
