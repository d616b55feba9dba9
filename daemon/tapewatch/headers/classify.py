"""From a header to a `Frame`, or to the reason why it is none.

Pure: what is read here is the header alone. A frame that cannot be told raises `RejectedError`
with words that name the keyword, its value and what was expected.
"""

from collections.abc import Sequence

from tapewatch.errors import RejectedError
from tapewatch.headers import dialects
from tapewatch.headers.foreign import foreign_work, no_image
from tapewatch.headers.noise import gain_of, readnoise_of
from tapewatch.headers.times import start_of_exposure
from tapewatch.headers.typerules import Rule, kind_by_rule, matches_glob, rule_to_add
from tapewatch.headers.values import Cards, as_text, first_text, matches, number, pair
from tapewatch.model import Detector, Frame, Kind

# Sensor temperatures that can be, degrees C and kelvin; a range between the two stays free for
# codes as 100. A set-point is looked at where the reading is none.
_CELSIUS = (-150.0, 60.0)
_KELVIN = (123.0, 333.0)
_ZERO_CELSIUS = 273.15  # kelvin
_NO_READING = frozenset({-99.0, -99.9})
_LONGEST_EXPOSURE = 1e6  # seconds, eleven days
_NO_FILTER = "none"
_LARGEST_BINNING = 1000


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


def classify(
    path: str,
    header: Cards,
    shape: tuple[int, int],
    *,
    rules: Sequence[Rule] = (),
    instruments: Sequence[str] = (),
    further: tuple[tuple[int, int], ...] = (),
) -> Frame:
    """Tell by its header what a frame is.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR, with ``/``.
    header : Cards
        Header of the image.
    shape : tuple of int
        (ny, nx), pixels.
    rules : sequence of (Kind, str)
        TYPERULES: what the path says of the kind goes over what the header says.
    instruments : sequence of str
        INSTRUMENT: patterns of the cameras whose frames are taken; none: all cameras.
    further : tuple of (int, int)
        (ny, nx) of the further images of a mosaic, pixels.

    Returns
    -------
    Frame
        With a kind that is not `Kind.OTHER`.

    Raises
    ------
    RejectedError
        The frame is no raw image, not of these cameras, or a keyword is missing or its value
        makes no sense.
    """
    _require_camera(header, instruments)
    if reason := foreign_work(header):
        raise RejectedError(reason)
    kind = kind_by_rule(path, rules) or _kind(path, header)
    if kind is Kind.OTHER:
        raise RejectedError("TYPERULES say that it is other than bias, dark, flat or object")
    exptime = 0.0 if kind is Kind.BIAS else _exposure_time(header)
    if kind is Kind.DARK and exptime == 0:
        kind = Kind.BIAS  # how Lick, ESO and others spell a bias
    date_obs, start = start_of_exposure(header)
    return Frame(
        path=path,
        kind=kind,
        detector=detector_of(header, shape, further),
        exptime=exptime,
        filter=_filter(header) if kind in {Kind.FLAT, Kind.OBJECT} else _NO_FILTER,
        date_obs=date_obs,
        start=start,
        object=first_text(header, dialects.OBJECT_KEYWORDS),
        temperature=_temperature(header),
        gain=gain_of(header),
        readnoise=readnoise_of(header),
    )


def _require_camera(header: Cards, instruments: Sequence[str]) -> None:
    camera = first_text(header, dialects.CAMERA_KEYWORDS)
    if instruments and not any(matches_glob(camera, pattern) for pattern in instruments):
        raise RejectedError(f"another camera: '{camera}', INSTRUMENT is {','.join(instruments)}")


def _kind(path: str, header: Cards) -> Kind:
    if reason := no_image(header):
        raise RejectedError(reason)
    for keyword in dialects.TYPE_KEYWORDS:
        text = as_text(header.get(keyword))
        kind = dialects.KIND_OF_TYPE.get(dialects.normalise(text))
        if kind is Kind.OBJECT and _is_flat_by_object(header):
            return Kind.FLAT
        if kind is not None:
            return kind
        if text and keyword not in dialects.LOOSE_TYPE_KEYWORDS:
            raise RejectedError(
                f"{keyword} is '{text}', which is neither bias, dark, flat nor object (light)"
            )
    raise RejectedError(
        f"no frame type (IMAGETYP, OBSTYPE ...): tape.par can tell it, as {rule_to_add(path)}"
    )


def _is_flat_by_object(header: Cards) -> bool:
    text = dialects.normalise(as_text(header.get("OBJECT")))
    return matches(dialects.FLAT_OBJECT, text)


def _exposure_time(header: Cards) -> float:
    for keyword in dialects.EXPOSURE_KEYWORDS:
        value = header.get(keyword)
        if not as_text(value):
            continue
        seconds = number(value)
        if seconds is not None and 0 <= seconds <= _LONGEST_EXPOSURE:
            return seconds
        raise RejectedError(
            f"{keyword} is {value!r}, expected seconds from 0 to {_LONGEST_EXPOSURE:g}"
        )
    raise RejectedError(f"no exposure time: {_listed(dialects.EXPOSURE_KEYWORDS)} expected")


def detector_of(
    header: Cards, shape: tuple[int, int], further: tuple[tuple[int, int], ...] = ()
) -> Detector:
    """Tell how the camera was read out; the header of a product says it as that of its raw frame.

    Parameters
    ----------
    header : Cards
        Header of the image.
    shape : tuple of int
        (ny, nx), pixels.
    further : tuple of (int, int)
        (ny, nx) of the further images of a mosaic, pixels.

    Returns
    -------
    Detector
        What a frame and its masters must agree on.

    Raises
    ------
    RejectedError
        A keyword's value makes no sense.
    """
    # Where no keyword tells a binning there is none: the shape keeps frames apart in any case.
    binning = _pair(header, dialects.BINNING_KEYWORDS, span=(1, _LARGEST_BINNING)) or (1, 1)
    settings = {keyword: as_text(header.get(keyword)) for keyword in dialects.SETTING_KEYWORDS}
    return Detector(
        camera=first_text(header, dialects.CAMERA_KEYWORDS),
        shape=shape,
        binning=binning,
        window=_pair(header, dialects.WINDOW_KEYWORDS) or (0, 0),
        settings=tuple(sorted((keyword, text) for keyword, text in settings.items() if text)),
        further=further,
    )


def _pair(
    header: Cards, dialect: Sequence[Sequence[str]], span: tuple[int, int] | None = None
) -> tuple[int, int] | None:
    for keywords in dialect:
        texts = [as_text(header.get(keyword)) for keyword in keywords]
        if not any(texts):
            continue
        found = pair(texts)
        if found is not None and (span is None or span[0] <= min(found) <= max(found) <= span[1]):
            return found
        expected = "whole numbers" + (f" from {span[0]} to {span[1]}" if span else "")
        raise RejectedError(f"{'/'.join(keywords)} is '{'/'.join(texts)}', expected {expected}")
    return None


def _filter(header: Cards) -> str:
    return first_text(header, dialects.FILTER_KEYWORDS) or _NO_FILTER


def _temperature(header: Cards) -> float | None:
    for keyword in dialects.TEMPERATURE_KEYWORDS:
        reading = number(header.get(keyword))
        if reading is None or reading in _NO_READING:
            continue
        if _CELSIUS[0] < reading < _CELSIUS[1]:
            return reading
        if _KELVIN[0] < reading < _KELVIN[1]:
            return round(reading - _ZERO_CELSIUS, 6)
    return None


def _listed(keywords: Sequence[str]) -> str:
    return " or ".join(keywords)
