"""Which HDUs the product of a frame has, and where each of its images goes.

A frame of one image gives a product with that image in HDU 0, wherever it was. A mosaic keeps its
structure: a primary header without data, then its images under their names.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tapewatch.fitsfile.hdus import HduPlan, bare_plan, image_plan
from tapewatch.fitsfile.plane import Plane
from tapewatch.fitsfile.product import product_cards
from tapewatch.fitsfile.read import RawFrame
from tapewatch.headers.cards import Value
from tapewatch.headers.values import as_text

_NAME_OF_TABLES = "COMPRESSED_IMAGE"  # what programs call the table of an image without a name


class PlanExtension(Protocol):
    """Such as `tapewatch.fitsfile.hdus.mask_plan`."""

    def __call__(self, shape: tuple[int, int], *, version: int) -> HduPlan:
        """Plan the extension that belongs to an image."""


class ProductStructure:
    """The HDUs of one frame's product: its images, and what is added to each of them.

    Parameters
    ----------
    raw : RawFrame
        The frame, or the one whose header a master inherits.
    cards : sequence of bytes
        Of HDU 0, from `product_cards` of ``raw.leading``.
    of_images : mapping of str to (value, comment)
        Keywords to set in each extension of a mosaic, as BUNIT.
    """

    def __init__(
        self,
        raw: RawFrame,
        cards: Sequence[bytes],
        of_images: Mapping[str, tuple[Value, str]] | None = None,
    ) -> None:
        self._raw = raw
        self._is_mosaic = len(raw.planes) > 1
        self.hdus: list[HduPlan]
        if self._is_mosaic:
            images = [_extension(plane, of_images or {}) for plane in raw.planes]
            self.hdus = [bare_plan(cards), *images]
        else:
            self.hdus = [image_plan(cards, raw.shape)]

    def image(self, plane: int) -> int:
        """Give the index of the HDU of an image, counted from 0."""
        return plane + 1 if self._is_mosaic else plane

    def add(self, plan: PlanExtension) -> int:
        """Plan an extension for each image, as a mask.

        Parameters
        ----------
        plan : callable
            Of the image's shape (ny, nx) and, as `version`, the EXTVER that ties the extension to
            it: the number of the image, from 1; 0 where there is only one.

        Returns
        -------
        int
            Index of the HDU for the first image; those for the others follow.
        """
        first = len(self.hdus)
        for number, plane in enumerate(self._raw.planes, start=1):
            self.hdus.append(plan(plane.shape, version=number if self._is_mosaic else 0))
        return first


def _extension(plane: Plane, changes: Mapping[str, tuple[Value, str]]) -> HduPlan:
    name, version = as_text(plane.header.get("EXTNAME")), plane.header.get("EXTVER")
    if plane.header.get("INHERIT") is not None:
        changes = {**changes, "INHERIT": (True, "the primary header's keywords hold here, too")}
    return image_plan(
        product_cards(plane.header, changes),
        plane.shape,
        "" if name == _NAME_OF_TABLES else name,
        version if isinstance(version, int) else 0,
    )
