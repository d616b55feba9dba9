"""Which master suits a frame, and why each of the others does not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tapewatch.model import Detector, Frame, Kind, Master
from tapewatch.parameters import Parameters

_DAY = 86400.0
_SAME_EXPOSURE = 0.001
_DECIMALS = 6  # of seconds: 0.2 and 0.4 s are equally far from 0.3 s
_LARGE_SCALE = 3.0  # darks scaled by more, up or down, are flagged


@dataclass(frozen=True, slots=True)
class Match:
    """The master chosen for a frame, and the candidates that were turned down.

    Parameters
    ----------
    master : Master or None
        The best that suits; it may still have to be built.
    scale : float
        Exposure time of the frame over that of the dark; 1 for other kinds.
    flags : tuple of str
        SCALED, SCALEDUP, SCALEDFAR, AGED, TEMPERATURE.
    turned_down : tuple of (Master, str)
        Each master of the kind that does not suit, and the field that says so.
    """

    master: Master | None
    scale: float = 1.0
    flags: tuple[str, ...] = ()
    turned_down: tuple[tuple[Master, str], ...] = ()


def find_master(
    kind: Kind, frame: Frame, masters: Iterable[Master], parameters: Parameters
) -> Match:
    """Choose the master of one kind for a frame.

    The frame's own folder comes first, then the nearest exposure time (darks; of two equally near
    the longer), then the nearest in time (of two equally near the earlier).

    Parameters
    ----------
    kind : Kind
        Bias, dark or flat.
    frame : Frame
        The frame to be calibrated; for a set, its last frame.
    masters : iterable of Master
        Candidates of any kind.
    parameters : Parameters
        TEMPTOL, MAXAGE and DARKSCALE.

    Returns
    -------
    Match
        With `master` None where nothing suits.
    """
    suitable, turned_down = [], []
    for master in masters:
        if master.kind is not kind:
            continue
        if reason := _objection(master, frame, parameters):
            turned_down.append((master, reason))
        else:
            suitable.append(master)
    if not suitable:
        return Match(None, turned_down=tuple(turned_down))
    best = min(suitable, key=_preference(frame))
    scale = frame.exptime / best.exptime if kind is Kind.DARK else 1.0
    return Match(best, scale, _flags(best, frame, scale, parameters), tuple(turned_down))


def detector_objection(master: Detector, frame: Detector) -> str:
    """Say in which setting of the read-out two detectors differ.

    Parameters
    ----------
    master, frame : Detector
        Settings count only where both name them.

    Returns
    -------
    str
        As ``binning 2x2, frame 1x1``; empty where they agree.
    """
    fields = (
        ("camera", master.camera, frame.camera),
        ("binning", _by(master.binning), _by(frame.binning)),
        ("size", _by(master.shape[::-1]), _by(frame.shape[::-1])),
        ("window at", _by(master.window), _by(frame.window)),
    )
    for name, theirs, ours in fields:
        if theirs != ours:
            return f"{name} {theirs or 'unknown'}, frame {ours or 'unknown'}"
    settings = dict(frame.settings)
    for keyword, value in master.settings:
        if settings.get(keyword, value) != value:
            return f"{keyword} {value}, frame {settings[keyword]}"
    return ""


def _objection(master: Master, frame: Frame, parameters: Parameters) -> str:
    """Reason why a master does not suit a frame; empty where it does."""
    return (
        detector_objection(master.detector, frame.detector)
        or _kind_objection(master, frame, parameters)
        or _age_objection(master, frame, parameters)
    )


def _kind_objection(master: Master, frame: Frame, parameters: Parameters) -> str:
    if master.kind is Kind.FLAT and master.filter != frame.filter:
        return f"filter {master.filter}, frame {frame.filter}"
    if master.kind is not Kind.DARK:
        return ""
    if _too_warm(master, frame, parameters):
        return (
            f"temperature {master.temperature:.1f}, frame {frame.temperature:.1f}"
            f" (TEMPTOL {parameters.temptol:g})"
        )
    ratio = frame.exptime / master.exptime
    never = parameters.darkscale == "never" and abs(ratio - 1) > _SAME_EXPOSURE
    up = parameters.darkscale == "down" and ratio > 1 + _SAME_EXPOSURE
    if never or up:
        times = f"exposure {master.exptime:g} s, frame {frame.exptime:g} s"
        return f"{times} (DARKSCALE {parameters.darkscale})"
    return ""


def _age_objection(master: Master, frame: Frame, parameters: Parameters) -> str:
    limit = dict(zip((Kind.BIAS, Kind.DARK, Kind.FLAT), parameters.maxage, strict=True))
    days = limit.get(master.kind, 0)
    age = abs(master.start - frame.start) / _DAY
    if master.folder == frame.folder or not days or age <= days:
        return ""
    return f"{age:.0f} days away, in another folder (MAXAGE {days:g})"


def _too_warm(master: Master, frame: Frame, parameters: Parameters) -> bool:
    if master.temperature is None or frame.temperature is None:
        return False
    return abs(master.temperature - frame.temperature) > parameters.temptol


def _preference(frame: Frame) -> Callable[[Master], tuple[object, ...]]:
    def key(master: Master) -> tuple[object, ...]:
        away = round(abs(master.exptime - frame.exptime), _DECIMALS)
        nearest_then_longer = (away, -master.exptime)
        return (
            master.folder != frame.folder,
            nearest_then_longer if master.kind is Kind.DARK else (),
            abs(master.start - frame.start),
            master.start,
            master.id,
        )

    return key


def _flags(master: Master, frame: Frame, scale: float, parameters: Parameters) -> tuple[str, ...]:
    far = scale > _LARGE_SCALE or scale < 1 / _LARGE_SCALE
    flags = (
        ("SCALED", abs(scale - 1) > _SAME_EXPOSURE),
        ("SCALEDUP", scale > 1 + _SAME_EXPOSURE),
        ("SCALEDFAR", far),
        ("AGED", abs(master.start - frame.start) > _DAY),
        ("TEMPERATURE", master.kind is Kind.BIAS and _too_warm(master, frame, parameters)),
    )
    return tuple(name for name, applies in flags if applies)


def _by(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}x{numbers[1]}"
