"""Sections of an image as headers name them, and what they say of overscan and trim: pure.

A section is ``[x1:x2,y1:y2]``, pixels counted from 1, both ends included (IRAF, "CCDRED: CCD image
reduction"; NOAO's keyword dictionary for BIASSEC, TRIMSEC and DATASEC).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tapewatch.headers import dialects
from tapewatch.headers.values import Cards, as_text, number

_AXIS = r"\s*(?:(\d+)\s*:\s*(\d+)|(\*))\s*"
_SECTION = re.compile(rf"\[{_AXIS},{_AXIS}\]")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an image, counted from 0, the ends not included.

    Parameters
    ----------
    top, bottom : int
        First row, and the one after the last, in the order of the file.
    left, right : int
        First column, and the one after the last.
    """

    top: int
    bottom: int
    left: int
    right: int

    def __str__(self) -> str:
        return f"[{self.left + 1}:{self.right},{self.top + 1}:{self.bottom}]"

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx), pixels."""
        return self.bottom - self.top, self.right - self.left

    def within(self, shape: tuple[int, int]) -> bool:
        """Whether it holds pixels, all of them of an image (ny, nx)."""
        rows, columns = shape
        return 0 <= self.top < self.bottom <= rows and 0 <= self.left < self.right <= columns

    def meets(self, other: "Section") -> bool:
        """Whether the two have pixels in common."""
        return (
            max(self.top, other.top) < min(self.bottom, other.bottom)
            and max(self.left, other.left) < min(self.right, other.right)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amplifier:
    """Pixels that one amplifier has read, and where its level without light is.

    Parameters
    ----------
    data : Section
        Of the image as stored.
    overscan : Section or None
        Of the image as stored; None: nothing is subtracted.
    """

    data: Section
    overscan: Section | None

    @property
    def axis(self) -> int | None:
        """Axis along which the median is taken: 1 for one level a row, 0 for one a column.

        None: one level for all, where the overscan stands beside none of the rows or columns.
        """
        if self.overscan is None:
            return None
        over, data = self.overscan, self.data
        if over.top <= data.top and data.bottom <= over.bottom:
            return 1
        if over.left <= data.left and data.right <= over.right:
            return 0
        return None


@dataclass(frozen=True, slots=True)
class Readout:
    """What is left of an image, and what is subtracted from it.

    Parameters
    ----------
    trim : Section
        What is left.
    amplifiers : tuple of Amplifier
        Together they have read all of `trim`.
    warnings : tuple of str
        Sections of no use, with keyword, value and reason.
    """

    trim: Section
    amplifiers: tuple[Amplifier, ...]
    warnings: tuple[str, ...] = ()

    def changes_nothing(self, shape: tuple[int, int]) -> bool:
        """Whether an image (ny, nx) stays as it is."""
        subtracts = any(one.overscan is not None for one in self.amplifiers)
        return self.trim.shape == shape and not subtracts


def whole(shape: tuple[int, int]) -> Section:
    """Give the section that is all of an image (ny, nx)."""
    return Section(0, shape[0], 0, shape[1])


def parse_section(text: str, shape: tuple[int, int] | None = None) -> Section | None:
    """Read a section.

    Parameters
    ----------
    text : str
        As ``[  17: 528,   1: 520]``; an axis the other way round (``528:17``), which says that it
        was read out backwards, is the same pixels; ``*`` is a whole axis.
    shape : tuple of int, optional
        (ny, nx) of the image, for ``*``.

    Returns
    -------
    Section or None
        None for what is none. It may lie outside the image.
    """
    match = _SECTION.fullmatch(text.strip())
    if match is None or (shape is None and "*" in text):
        return None
    rows, columns = shape or (0, 0)
    left, right = _ends(match.group(1), match.group(2), columns)
    top, bottom = _ends(match.group(4), match.group(5), rows)
    return Section(top - 1, bottom, left - 1, right)


def readout(header: Cards, shape: tuple[int, int]) -> Readout:
    """Tell from a header what to subtract and what to trim.

    Parameters
    ----------
    header : Cards
        Of the image.
    shape : tuple of int
        (ny, nx) as stored.

    Returns
    -------
    Readout
        The whole image and nothing to subtract where the header says nothing of use.
    """
    warnings: list[str] = []
    amplifiers = _numbered(header, shape, warnings) or _by_margins(header, shape)
    if not amplifiers:
        data = _first(header, dialects.DATA_SECTIONS, shape, warnings) or whole(shape)
        overscan = _first(header, dialects.OVERSCAN_SECTIONS, shape, warnings)
        if overscan is not None and overscan.meets(data):
            warnings.append(f"the overscan {overscan} lies within the data {data}: ignored")
            overscan = None
        amplifiers = (Amplifier(data, overscan),)
    trim = _around([one.data for one in amplifiers])
    return Readout(trim, amplifiers, tuple(warnings))


def _ends(first: str | None, last: str | None, length: int) -> tuple[int, int]:
    if first is None or last is None:
        return 1, length
    low, high = sorted((int(first), int(last)))
    return low, high


def _first(
    header: Cards, keywords: Sequence[str], shape: tuple[int, int], warnings: list[str]
) -> Section | None:
    """Give the first section of use; say why others before it are of none."""
    for keyword in keywords:
        text = as_text(header.get(keyword))
        if not text:
            continue
        section = parse_section(text, shape)
        if section is not None and section.within(shape):
            return section
        why = "no section [x1:x2,y1:y2]"
        if section is not None:
            why = f"not within the image of {shape[1]}x{shape[0]} pixels"
        warnings.append(f"{keyword} is '{text}', {why}: ignored")
    return None


def _numbered(header: Cards, shape: tuple[int, int], warnings: list[str]) -> tuple[Amplifier, ...]:
    """Read the sections of several amplifiers side by side, whose data leave no gap."""
    found: list[Amplifier] = []
    for name in dialects.AMPLIFIERS:
        data, overscan = (
            _first(header, [keyword + name for keyword in keywords], shape, warnings)
            for keywords in (dialects.DATA_OF_AMPLIFIER, dialects.OVERSCAN_OF_AMPLIFIER)
        )
        if data is not None and overscan is not None:
            found.append(Amplifier(data, overscan))
    if not found:
        return ()
    area = sum(one.data.shape[0] * one.data.shape[1] for one in found)
    rows, columns = _around([one.data for one in found]).shape
    apart = all(
        not one.data.meets(other.data)
        for place, one in enumerate(found)
        for other in found[place + 1 :]
    )
    lit = any(one.overscan and one.overscan.meets(each.data) for one in found for each in found)
    if area == rows * columns and apart and not lit:
        return tuple(found)
    warnings.append(f"the data of {len(found)} amplifiers do not lie side by side: ignored")
    return ()


def _by_margins(header: Cards, shape: tuple[int, int]) -> tuple[Amplifier, ...]:
    """Read the numbers of columns and rows without light at each edge (ESO), of one amplifier.

    Those before the light (prescan) are on the side of the amplifier, which reads out from the
    corner that its position names; those after it (overscan) on the other side.
    """
    if number(header.get(dialects.OUTPUTS_KEYWORD)) != 1:
        return ()
    margins = [_count(header, keyword) for keyword in dialects.MARGIN_KEYWORDS]
    before_x, after_x, before_y, after_y = margins
    far_x, far_y = (_count(header, keyword) > 1 for keyword in dialects.CORNER_KEYWORDS)
    rows, columns = shape
    left, right = (after_x, before_x) if far_x else (before_x, after_x)
    top, bottom = (after_y, before_y) if far_y else (before_y, after_y)
    data = Section(top, rows - bottom, left, columns - right)
    if not any(margins) or min(margins) < 0 or not data.within(shape):
        return ()
    beside = (
        Section(data.top, data.bottom, 0, left),
        Section(data.top, data.bottom, columns - right, columns),
    )
    below = (Section(0, top, data.left, data.right), Section(rows - bottom, rows, *_x(data)))
    # What was read after the light, columns before rows, is the better measure of its pedestal.
    order = (beside[not far_x], beside[far_x], below[not far_y], below[far_y])
    return (Amplifier(data, next(one for one in order if one.within(shape))),)


def _count(header: Cards, keyword: str) -> int:
    return int(number(header.get(keyword)) or 0)


def _x(section: Section) -> tuple[int, int]:
    return section.left, section.right


def _around(sections: Sequence[Section]) -> Section:
    """Give the smallest section that holds others."""
    return Section(
        min(one.top for one in sections),
        max(one.bottom for one in sections),
        min(one.left for one in sections),
        max(one.right for one in sections),
    )
