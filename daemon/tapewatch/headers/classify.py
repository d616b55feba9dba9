"""From a header to a `Frame`, or to the reason why it is none.

Pure: what is read here is the header alone. A frame that cannot be told raises `RejectedError`
with words that name the keyword, its value and what was expected.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeGuard

from tapewatch.errors import RejectedError
from tapewatch.headers import dialects
from tapewatch.model import Detector, Frame, Kind

Value = str | int | float | bool | None

# Sensor temperatures outside this range, degrees C, are the codes of "no reading" (-99, -999 ...).
_PLAUSIBLE_TEMPERATURE = (-98.0, 60.0)
_LONGEST_EXPOSURE = 1e6  # seconds, eleven days
_NO_FILTER = "none"


class Cards(Protocol):
    """Whatever gives values by keyword: a header."""

    def get(self, keyword: str, default: Value = None, /) -> Value:
        """Value of a keyword."""


def is_own_product(header: Cards) -> bool:
    """Tell whether tapewatch wrote this file: a master or a calibrated frame.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    bool
        Products are never taken for raw frames, whatever their names.
    """
    return header.get("TWID") is not None


def is_notebook_product(header: Cards, bitpix: int) -> bool:
    """Tell whether TAPE's notebook wrote this file: DATE-PRC and a float image.

    Parameters
    ----------
    header : Cards
        Header of the image.
    bitpix : int
        BITPIX of the image; negative for floating point.

    Returns
    -------
    bool
        Such files may be overwritten by ours, and are never taken for raw frames.
    """
    return header.get("DATE-PRC") is not None and bitpix < 0


def classify(path: str, header: Cards, shape: tuple[int, int]) -> Frame:
    """Tell by its header what a frame is.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR, with ``/``.
    header : Cards
        Header of the image.
    shape : tuple of int
        (ny, nx), pixels.

    Returns
    -------
    Frame
        With a kind that is not `Kind.OTHER`.

    Raises
    ------
    RejectedError
        Where a keyword is missing or its value makes no sense.
    """
    calibrated = header.get("CALSTAT")
    if isinstance(calibrated, str) and calibrated.strip():
        raise RejectedError(f"already calibrated: CALSTAT is '{calibrated.strip()}'")
    kind = _kind(header)
    exptime = 0.0 if kind is Kind.BIAS else _exposure_time(header)
    if kind is Kind.DARK and exptime == 0:
        kind = Kind.BIAS  # how Lick, ESO and others spell a bias
    date_obs, start = _start(header)
    return Frame(
        path=path,
        kind=kind,
        detector=_detector(header, shape),
        exptime=exptime,
        filter=_filter(header) if kind in {Kind.FLAT, Kind.OBJECT} else _NO_FILTER,
        date_obs=date_obs,
        start=start,
        object=_text(header, dialects.OBJECT_KEYWORDS),
        temperature=_temperature(header),
    )


def _kind(header: Cards) -> Kind:
    for keyword in dialects.TYPE_KEYWORDS:
        value = header.get(keyword)
        if value is None:
            continue
        kind = dialects.KIND_OF_TYPE.get(dialects.normalise(str(value)))
        if kind is None:
            raise RejectedError(
                f"{keyword} is '{value}', which is neither bias, dark, flat nor object (light)"
            )
        return kind
    raise RejectedError(f"no frame type: {_listed(dialects.TYPE_KEYWORDS)} expected")


def _exposure_time(header: Cards) -> float:
    for keyword in dialects.EXPOSURE_KEYWORDS:
        value = header.get(keyword)
        if value is None:
            continue
        if _is_number(value) and 0 <= value <= _LONGEST_EXPOSURE:
            return float(value)
        raise RejectedError(
            f"{keyword} is {value!r}, expected seconds from 0 to {_LONGEST_EXPOSURE:g}"
        )
    raise RejectedError(f"no exposure time: {_listed(dialects.EXPOSURE_KEYWORDS)} expected")


def _start(header: Cards) -> tuple[str, float]:
    for keyword in dialects.TIME_KEYWORDS:
        value = header.get(keyword)
        if value is None:
            continue
        try:
            moment = datetime.fromisoformat(str(value).strip())
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise RejectedError(
                f"{keyword} is '{value}', expected a time as 2026-03-25T18:00:00"
            ) from None
        return moment.replace(tzinfo=None).isoformat(), moment.timestamp()
    raise RejectedError(f"no time of exposure: {_listed(dialects.TIME_KEYWORDS)} expected")


def _detector(header: Cards, shape: tuple[int, int]) -> Detector:
    binning = _pair(header, dialects.BINNING_KEYWORDS)
    if binning is None:
        raise RejectedError(f"no binning: {_listed(dialects.BINNING_KEYWORDS[0])} expected")
    settings = (
        (keyword, _setting(value))
        for keyword in dialects.SETTING_KEYWORDS
        if (value := header.get(keyword)) is not None
    )
    return Detector(
        camera=_text(header, dialects.CAMERA_KEYWORDS),
        shape=shape,
        binning=binning,
        window=_pair(header, dialects.WINDOW_KEYWORDS) or (0, 0),
        settings=tuple(sorted((keyword, value) for keyword, value in settings if value)),
    )


def _pair(header: Cards, keywords: Sequence[tuple[str, str]]) -> tuple[int, int] | None:
    for names in keywords:
        values = tuple(header.get(name) for name in names)
        if None in values:
            continue
        numbers = tuple(float(value) for value in values if _is_number(value))
        if len(numbers) == len(names) and all(number.is_integer() for number in numbers):
            return int(numbers[0]), int(numbers[1])
        raise RejectedError(f"{'/'.join(names)} is {values[0]!r}/{values[1]!r}, expected integers")
    return None


def _filter(header: Cards) -> str:
    return _text(header, dialects.FILTER_KEYWORDS) or _NO_FILTER


def _temperature(header: Cards) -> float | None:
    low, high = _PLAUSIBLE_TEMPERATURE
    for keyword in dialects.TEMPERATURE_KEYWORDS:
        value = header.get(keyword)
        if _is_number(value) and low < float(value) < high:
            return float(value)
    return None


def _text(header: Cards, keywords: Sequence[str]) -> str:
    """First of the keywords that has a value, as stripped text."""
    for keyword in keywords:
        value = header.get(keyword)
        if value is not None and (text := str(value).strip()):
            return text
    return ""


def _setting(value: Value) -> str:
    """Value of a setting as text: 100 and 100.0 are the same gain."""
    return f"{value:.15g}" if _is_number(value) else str(value).strip()


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(keywords: Sequence[str]) -> str:
    return " or ".join(keywords)
