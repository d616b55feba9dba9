"""Which of a file's HDUs is the frame, and the header that describes it."""

import hashlib
from dataclasses import dataclass

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.layout import Hdu, ReadAt, scan_hdus
from tapewatch.headers.cards import Header, merge

_AXES = 2


@dataclass(frozen=True, slots=True)
class Image:
    """The one image of a file that is its frame.

    Parameters
    ----------
    index : int
        Of its HDU.
    hdu : Hdu
        That HDU.
    header : Header
        Of the image; where it is in an extension, the primary header's keywords after its own.
    count : int
        2-D images in the file.
    """

    index: int
    hdu: Hdu
    header: Header
    count: int

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx), pixels."""
        rows, columns = _axes(self.hdu)
        return rows, columns

    @property
    def header_hash(self) -> str:
        """Hash of the cards: sha256, hexadecimal."""
        return hashlib.sha256(b"".join(self.header.cards)).hexdigest()


def find_image(hdus: tuple[Hdu, ...]) -> Image:
    """Choose the image as the notebook does, the primary one, else the only one of an extension.

    Further images behind a primary one are taken for its mask and uncertainty, or a thumbnail.

    Parameters
    ----------
    hdus : tuple of Hdu
        Of one file.

    Returns
    -------
    Image

    Raises
    ------
    RejectedError
        No 2-D image, or several and none of them primary.
    """
    frames = [index for index, hdu in enumerate(hdus) if _is_frame(hdu)]
    if not frames:
        raise RejectedError(_why_no_frame(hdus))
    index, count = frames[0], len(frames)
    if index == 0:
        return Image(index, hdus[0], hdus[0].header, count)
    if count > 1:
        raise RejectedError(f"several images (a mosaic of {count}): not yet handled")
    return Image(index, hdus[index], merge(hdus[0].header, hdus[index].header), count)


def up_to_image(read_at: ReadAt) -> tuple[Hdu, ...]:
    """Read headers until one has an image, so that no more than these need be unpacked.

    Parameters
    ----------
    read_at : callable
        Gives bytes of the file.

    Returns
    -------
    tuple of Hdu

    Raises
    ------
    IncompleteFileError, RejectedError
        As `tapewatch.fitsfile.layout.scan_hdus`.
    """
    hdus = []
    for hdu in scan_hdus(read_at):
        hdus.append(hdu)
        if hdu.is_image:
            break
    return tuple(hdus)


def _is_frame(hdu: Hdu) -> bool:
    return hdu.is_image and len(_axes(hdu)) == _AXES


def _axes(hdu: Hdu) -> tuple[int, ...]:
    """Give the shape without third and further axes of length 1."""
    shape = hdu.shape
    while len(shape) > _AXES and shape[0] == 1:
        shape = shape[1:]
    return shape


def _why_no_frame(hdus: tuple[Hdu, ...]) -> str:
    for hdu in hdus:
        if hdu.is_image:
            return f"{len(hdu.shape)}-D data of shape {hdu.shape}, not an image of two axes"
    return "no image"
