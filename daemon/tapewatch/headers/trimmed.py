"""The header of an image whose overscan was subtracted and trimmed: what moves, what goes. Pure."""

import re

from tapewatch.headers import dialects
from tapewatch.headers.cards import Header, Value
from tapewatch.headers.compose import compose
from tapewatch.headers.sections import Amplifier, Readout, whole
from tapewatch.headers.values import as_text, number

TRIM = "TWTRIM"
"""Keyword of the section of the raw image that is left."""

_OVERSCAN = "TWOVSCAN"
_REFERENCE = re.compile(r"(CRPIX|LTV)([12])[A-Z]?")  # pixel of reference, and IRAF's own shift
_BAYER_OFFSETS = ("XBAYROFF", "YBAYROFF")
_HOW = {1: "median per row", 0: "median per column", None: "median"}
_PATTERN_SIDE = 2


def trimmed_header(raw: Header, readout: Readout) -> Header:
    """Make the header that tells of the pixels as they are after overscan and trim.

    Parameters
    ----------
    raw : Header
        Of the image as stored.
    readout : Readout
        What is subtracted and what is left.

    Returns
    -------
    Header
        CRPIXn and LTVn (IRAF) count from the new corner, DATASEC is all of the image, the phase of
        a colour pattern follows a trim by an odd number; the other sections are gone. TWOVSCAN,
        TWTRIM and HISTORY tell what was done.
    """
    changes: dict[str, tuple[Value, str]] = {}
    shifts = readout.trim.left, readout.trim.top
    for keyword in raw.keywords:
        match = _REFERENCE.fullmatch(keyword)
        place = number(raw.get(keyword)) if match else None
        if match and place is not None:
            shift = shifts[int(match.group(2)) - 1]
            if shift:
                changes[keyword] = (place - shift, "moved by the trim")
    if "DATASEC" in raw:
        changes["DATASEC"] = (str(whole(readout.trim.shape)), "all of this image")
    changes |= _bayer(raw, *shifts)
    done = [_told(one) for one in readout.amplifiers if one.overscan is not None]
    if done:
        text = ";".join(str(one.overscan) for one in readout.amplifiers if one.overscan)
        changes[_OVERSCAN] = (text, "overscan subtracted, of the raw image")
    changes[TRIM] = (str(readout.trim), "what is left of the raw image")
    history = [*done, f"  trimmed to {readout.trim}"]
    return Header(tuple(compose(raw, drop=_is_section, changes=changes, history=history)))


def _told(amplifier: Amplifier) -> str:
    return f"  less overscan {amplifier.overscan}, {_HOW[amplifier.axis]}"


def _is_section(keyword: str) -> bool:
    stem = next((keyword.removesuffix(one) for one in _SUFFIXES if keyword.endswith(one)), keyword)
    return stem in _SECTIONS or keyword in dialects.MARGIN_KEYWORDS


_SUFFIXES = sorted(dialects.AMPLIFIERS, key=len, reverse=True)
_SECTIONS = frozenset(
    {
        *dialects.DATA_SECTIONS,
        *dialects.OVERSCAN_SECTIONS,
        *dialects.DATA_OF_AMPLIFIER,
        *dialects.OVERSCAN_OF_AMPLIFIER,
    }
)


def _bayer(raw: Header, left: int, top: int) -> dict[str, tuple[Value, str]]:
    """Shift the phase of a colour pattern: by its offsets where they are given, else itself."""
    pattern = as_text(raw.get("BAYERPAT"))
    if not pattern or not (left % _PATTERN_SIDE or top % _PATTERN_SIDE):
        return {}
    comment = "moved by the trim"
    if any(keyword in raw for keyword in _BAYER_OFFSETS):
        offsets = zip(_BAYER_OFFSETS, (left, top), strict=True)
        return {
            keyword: ((int(number(raw.get(keyword)) or 0) + shift) % _PATTERN_SIDE, comment)
            for keyword, shift in offsets
        }
    if len(pattern) != _PATTERN_SIDE**2:
        return {}
    rows = [pattern[:_PATTERN_SIDE], pattern[_PATTERN_SIDE:]]
    if top % _PATTERN_SIDE:
        rows.reverse()
    if left % _PATTERN_SIDE:
        rows = [row[::-1] for row in rows]
    return {"BAYERPAT": ("".join(rows), comment)}
