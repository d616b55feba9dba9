"""Lists of bad pixels as text: IRAF's lines of columns and rows, and DS9's boxes and points.

Pixels are counted from 1, without binning, as IRAF's ``fixpix`` and DS9's ``image`` coordinates do.
"""

import math
import re
from typing import NamedTuple

from tapewatch.errors import ParameterError

FITS_MARK = b"SIMPLE  ="
"""How a FITS file begins; a file of bad pixels that begins otherwise is a list."""

_IRAF = re.compile(r"\d+([\s,]+\d+){1,3}", re.ASCII)
_NUMBERS = r"\(\s*([-+.\d]+(?:\s*,\s*[-+.\d]+)*)\s*\)"
_DS9 = re.compile(
    rf"(?:(?:image|physical)\s*;\s*)?(box|point){_NUMBERS}.*", re.ASCII | re.IGNORECASE
)
_OF_NO_MATTER = re.compile(r"global\b.*|image|physical|-?\s*$", re.IGNORECASE)
_POINT, _BOX, _TURNED_BOX = 2, 4, 5  # numbers of a DS9 shape
_PAIR = 2


class Box(NamedTuple):
    """A rectangle of pixels, counted from 1, without binning; all four are included."""

    x1: int
    x2: int
    y1: int
    y2: int


def parse_regions(text: str) -> tuple[Box, ...]:
    """Read a list of bad pixels.

    Parameters
    ----------
    text : str
        Lines ``x1 x2 y1 y2`` or ``x y`` (IRAF), ``box(x,y,width,height)`` or ``point(x,y)``
        (DS9, in image coordinates); what follows ``#`` is left out.

    Returns
    -------
    tuple of Box

    Raises
    ------
    ParameterError
        Another kind of line: it is named by its number.
    """
    boxes = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if _OF_NO_MATTER.fullmatch(words):
            continue
        box = _box(words)
        if box is None or not (1 <= box.x1 <= box.x2 and 1 <= box.y1 <= box.y2):
            raise ParameterError(
                f"line {number} of the list is {words[:40]!r}; allowed are lines as 'x1 x2 y1 y2'"
                " or 'x y' (IRAF), 'box(x,y,width,height)' or 'point(x,y)' (DS9, image coordinates)"
            )
        boxes.append(box)
    return tuple(boxes)


def _box(words: str) -> Box | None:
    if _IRAF.fullmatch(words):
        numbers = [int(word) for word in re.split(r"[\s,]+", words)]
        if len(numbers) == _PAIR:
            return Box(numbers[0], numbers[0], numbers[1], numbers[1])
        return Box(*numbers) if len(numbers) == _BOX else None
    match = _DS9.fullmatch(words)
    if match is None:
        return None
    try:
        values = [float(word) for word in match[2].split(",")]
    except ValueError:
        return None
    if match[1].lower() == "point":
        x, y, width, height = (*values, 1.0, 1.0) if len(values) == _POINT else (0.0,) * 4
    elif len(values) == _BOX or (len(values) == _TURNED_BOX and values[-1] == 0):
        x, y, width, height = values[:4]
    else:
        return None
    return Box(*_span(x, width), *_span(y, height))


def _span(center: float, length: float) -> tuple[int, int]:
    """Give the first and the last pixel whose center lies in a stretch."""
    return math.ceil(center - length / 2), max(math.ceil(center + length / 2) - 1, 1)
