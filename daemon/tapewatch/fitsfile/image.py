"""Which of a file's HDUs are the frame, and the header that describes it."""

import hashlib
import re
from dataclasses import dataclass

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.layout import Hdu, ReadAt, scan_hdus
from tapewatch.headers.cards import Header, merge
from tapewatch.headers.dialects import NO_RAW_IMAGE
from tapewatch.headers.values import as_text

_AXES = 2


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a frame.

    Parameters
    ----------
    index : int
        Of its HDU.
    hdu : Hdu
        That HDU.
    """

    index: int
    hdu: Hdu

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx), pixels."""
        rows, columns = _axes(self.hdu)
        return rows, columns


@dataclass(frozen=True, slots=True)
class FrameImages:
    """The images of a file that are its frame: one, or several of a mosaic.

    Parameters
    ----------
    images : tuple of Image
        In the order of the file; of a mosaic, all raw images.
    header : Header
        Of the frame: of its first image; where that is in an extension, the primary header's
        keywords after its own.
    leading : Header
        What the first header of a product inherits: the frame's, of a mosaic the primary one.
    count : int
        2-D images in the file.
    """

    images: tuple[Image, ...]
    header: Header
    leading: Header
    count: int

    @property
    def header_hash(self) -> str:
        """Hash of the cards, of a mosaic those of all its headers: sha256, hexadecimal."""
        headers = [self.header]
        if len(self.images) > 1:
            headers = [self.leading, *(image.hdu.header for image in self.images)]
        return hashlib.sha256(b"".join(card for one in headers for card in one.cards)).hexdigest()


def find_images(hdus: tuple[Hdu, ...]) -> FrameImages:
    """Choose the image as the notebook does, the primary one, else those of the extensions.

    Further images behind a primary one are taken for its mask and uncertainty, or a thumbnail; so
    are extensions whose names say so. Several others are a mosaic.

    Parameters
    ----------
    hdus : tuple of Hdu
        Of one file.

    Returns
    -------
    FrameImages

    Raises
    ------
    RejectedError
        No raw image of two axes.
    """
    found = [Image(index, hdu) for index, hdu in enumerate(hdus) if _is_frame(hdu)]
    if not found:
        raise RejectedError(_why_no_frame(hdus))
    if found[0].index == 0:
        header = hdus[0].header
        return FrameImages((found[0],), header, header, len(found))
    raw = tuple(image for image in found if not _is_auxiliary(image.hdu.header))
    if not raw:
        names = ", ".join(as_text(image.hdu.header.get("EXTNAME")) for image in found)
        raise RejectedError(f"no raw image: the extensions are named {names}")
    header = merge(hdus[0].header, raw[0].hdu.header)
    leading = header if len(raw) == 1 else hdus[0].header
    return FrameImages(raw, header, leading, len(found))


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


def _is_auxiliary(header: Header) -> bool:
    return bool(re.fullmatch(NO_RAW_IMAGE, as_text(header.get("EXTNAME")), re.IGNORECASE))


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
