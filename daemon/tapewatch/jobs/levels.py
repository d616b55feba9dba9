"""The level by which each flat is divided: the median of its pixels, or of a region of them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.read import RawFrame
from tapewatch.headers.sections import Section, parse_section, whole
from tapewatch.jobs.workplace import STRIP
from tapewatch.science.combine import frame_median

Corrected = Callable[[RawFrame, int, int], NDArray[np.floating]]
"""``corrected(frame, start, stop)``: pixels less overscan, bias and dark, ADU."""


def flat_levels(frames: Sequence[RawFrame], corrected: Corrected, region: str) -> list[np.floating]:
    """Find the level of each flat.

    Parameters
    ----------
    frames : sequence of RawFrame
        The flats.
    corrected : callable
        Gives their pixels as they enter the flat.
    region : str
        FLATREGION: ``all``, ``centre`` or a section; of a mosaic, that of each image.

    Returns
    -------
    list of numpy.floating
        A median for each frame, ADU: one for all images of a mosaic and all colours of a pattern.

    Raises
    ------
    RejectedError
        The section is not within the image.
    """
    return [frame_median(partial(_strips, frame, corrected, region)) for frame in frames]


def _strips(frame: RawFrame, corrected: Corrected, region: str) -> Iterator[NDArray[np.floating]]:
    if region == "all":
        for start, stop in frame.strips(STRIP):
            yield corrected(frame, start, stop)
        return
    first = 0
    for shape in frame.shapes:
        section = section_of(region, shape)
        columns = shape[1]
        step = max(STRIP // columns, 1)
        for top in range(section.top, section.bottom, step):
            bottom = min(top + step, section.bottom)
            rows = corrected(frame, first + top * columns, first + bottom * columns)
            yield rows.reshape(-1, columns)[:, section.left : section.right].ravel()
        first += shape[0] * columns


def section_of(region: str, shape: tuple[int, int]) -> Section:
    """Find the pixels that FLATREGION means.

    Parameters
    ----------
    region : str
        ``all``; ``centre``: half the rows and half the columns, in the middle; or a section, of
        the image as it is after a trim.
    shape : tuple of int
        (ny, nx) of the image, pixels.

    Returns
    -------
    Section

    Raises
    ------
    RejectedError
        It is not within the image.
    """
    if region == "all":
        return whole(shape)
    if region == "centre":
        rows, columns = shape
        top, left = rows // 4, columns // 4
        return Section(top, rows - top, left, columns - left)
    section = parse_section(region, shape)
    if section is None or not section.within(shape):
        raise RejectedError(
            f"FLATREGION {region} is not within the image of {shape[1]}x{shape[0]} pixels"
        )
    return section
