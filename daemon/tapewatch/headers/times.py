"""When an exposure began, from whatever a header says of it."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from tapewatch.errors import RejectedError
from tapewatch.headers.dialects import CLOCK_KEYWORDS, DAY_KEYWORDS, MOMENT_KEYWORDS
from tapewatch.headers.values import Cards, as_text

_SPELLED_UTC = re.compile(r"\s*(UTC?|Z)$", re.IGNORECASE)
_BLANK_BEFORE_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_DAY_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d*)?", re.ASCII)
# The FITS standard reads 'DD/MM/YY' as of 19YY, but programs write '03/05/19' to this day.
_FIRST_YEAR = 1970


def start_of_exposure(header: Cards) -> tuple[str, float]:
    """Tell when an exposure began.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    (str, float)
        UTC as ISO 8601, and the same in seconds since 1970. A day without any time of day counts
        from its midnight.

    Raises
    ------
    RejectedError
        No keyword tells it.
    """
    moment = (
        next(filter(None, map(_moment, _texts(header, MOMENT_KEYWORDS))), None)
        or _day_and_clock(header)
        or next(filter(None, map(_midnight, _texts(header, MOMENT_KEYWORDS))), None)
    )
    if moment is None:
        raise RejectedError(_reason(header))
    return moment.replace(tzinfo=None).isoformat(), moment.timestamp()


def _moment(text: str) -> datetime | None:
    """Read a date with a time of day."""
    if _day(text) is not None:
        return None
    text = _BLANK_BEFORE_OFFSET.sub("", _SPELLED_UTC.sub("", text))
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day_and_clock(header: Cards) -> datetime | None:
    """Put a date and a time of day of different cards together."""
    day = next(filter(None, map(_day, _texts(header, DAY_KEYWORDS))), None)
    clock = next(filter(None, map(_clock, _texts(header, CLOCK_KEYWORDS))), None)
    return None if day is None or clock is None else datetime.combine(day, clock, UTC)


def _midnight(text: str) -> datetime | None:
    day = _day(text)
    return None if day is None else datetime.combine(day, time(), UTC)


def _day(text: str) -> date | None:
    try:
        if match := _DAY_FIRST.fullmatch(text):
            day, month, year = map(int, match.groups())
            if len(match[3]) == len("YY"):
                year += 1900 if 1900 + year >= _FIRST_YEAR else 2000
            return date(year, month, day)
        if match := _YEAR_FIRST.fullmatch(text):
            return date(*map(int, match.groups()))
        return date.fromisoformat(text)
    except ValueError:
        return None


def _clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(_SPELLED_UTC.sub("", text))
    if match is None:
        return None
    hour, minute, second = (int(part) for part in match.groups()[:3])
    microsecond = int((match[4] or ".")[1:7].ljust(6, "0"))
    try:
        return time(hour, minute, second, microsecond)
    except ValueError:
        return None


def _texts(header: Cards, keywords: Iterable[str]) -> list[str]:
    return [text for keyword in keywords if (text := as_text(header.get(keyword)))]


def _reason(header: Cards) -> str:
    for keyword in MOMENT_KEYWORDS:
        if text := as_text(header.get(keyword)):
            return f"{keyword} is '{text}', expected a time as 2026-03-25T18:00:00"
    return f"no time of exposure: {' or '.join(MOMENT_KEYWORDS)} expected"
