"""Which master suits a frame, and why each of the others does not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from tapewatch.model import Frame, Kind, Master
from tapewatch.parameters import Parameters
from tapewatch.planning.objections import DAY, SAME_EXPOSURE, keeps_bias, objection, too_warm

_DECIMALS = 6  # of seconds: 0.2 and 0.4 s are equally far from 0.3 s
_LARGE_SCALE = 3.0  # darks scaled by more, up or down, are flagged
_PREFERENCES = (
    "was read out just as the frame",
    "is of the frame's own folder",
    "is nearer in exposure time",
    "is longer, as near in exposure time",
    "is nearer in time",
    "is earlier, as near in time",
    "has the lower ID",
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


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
        SCALED, SCALEDUP, SCALEDFAR, AGED, CUT, TEMPERATURE.
    turned_down : tuple of (Master, str)
        Each master of the kind that does not suit, and the field that says so.
    worse : tuple of Master
        Each other that suits, the better first.
    """

    master: Master | None
    scale: float = 1.0
    flags: tuple[str, ...] = ()
    turned_down: tuple[tuple[Master, str], ...] = ()
    worse: tuple[Master, ...] = ()


def find_master(
    kind: Kind,
    frame: Frame,
    masters: Iterable[Master],
    parameters: Parameters,
    bad: Mapping[str, str] = _NOTHING,
) -> Match:
    """Choose the master of one kind for a frame.

    One that was read out just as the frame goes before the cut of a larger one; then the frame's
    own folder comes first, then the nearest exposure time (darks; of two equally near the
    longer), then the nearest in time (of two equally near the earlier).

    Parameters
    ----------
    kind : Kind
        Bias, dark, flat-dark or flat.
    frame : Frame
        The frame to be calibrated; for a set, its last frame.
    masters : iterable of Master
        Candidates of any kind.
    parameters : Parameters
        STEPS, TEMPTOL, MAXAGE and DARKSCALE.
    bad : mapping of str to str
        IDs of masters that are used by nothing, and why.

    Returns
    -------
    Match
        With `master` None where nothing suits.
    """
    suitable, turned_down = [], []
    for master in masters:
        if master.kind is not kind:
            continue
        if reason := bad.get(master.id) or objection(master, frame, parameters):
            turned_down.append((master, reason))
        else:
            suitable.append(master)
    if not suitable:
        return Match(None, turned_down=tuple(turned_down))
    best, *worse = sorted(suitable, key=_preference(frame))
    scaled = kind is Kind.DARK and not keeps_bias(parameters)
    scale = frame.exptime / best.exptime if scaled else 1.0
    flags = _flags(best, frame, scale, parameters)
    return Match(best, scale, flags, tuple(turned_down), tuple(worse))


def find_dark_of_flat(
    flat: Frame,
    masters: Sequence[Master],
    parameters: Parameters,
    bad: Mapping[str, str] = _NOTHING,
) -> Match:
    """Choose what is subtracted from flats: flat-darks of their exposure, else the nearest dark.

    Parameters
    ----------
    flat : Frame
        The flat.
    masters : sequence of Master
        Candidates of any kind.
    parameters : Parameters
        As for `find_master`.
    bad : mapping of str to str
        As for `find_master`.

    Returns
    -------
    Match
        A flat-dark or a dark; where neither suits, all that were turned down.
    """
    own = find_master(Kind.FLATDARK, flat, masters, parameters, bad)
    if own.master is not None:
        return own
    dark = find_master(Kind.DARK, flat, masters, parameters, bad)
    return replace(dark, turned_down=(*own.turned_down, *dark.turned_down))


def flats_need_dark(parameters: Parameters) -> bool:
    """Tell whether flats have a dark subtracted: asked for, or for want of a bias.

    Parameters
    ----------
    parameters : Parameters
        FLATDARK and STEPS.

    Returns
    -------
    bool
        Without a bias in STEPS a dark of the flats' own exposure takes their pedestal away.
    """
    return parameters.flatdark or keeps_bias(parameters)


def why_worse(master: Master, best: Master, frame: Frame) -> str:
    """Say why of two masters that suit a frame another was chosen.

    Parameters
    ----------
    master : Master
        One of `Match.worse`.
    best : Master
        The one chosen.
    frame : Frame
        The frame.

    Returns
    -------
    str
        In what the other is better; for one frame alone it may be worse.
    """
    key = _preference(frame)
    for mine, its, words in zip(key(master), key(best), _PREFERENCES, strict=True):
        if mine != its:
            return words if its < mine else "serves the whole sequence"
    return ""


def _preference(frame: Frame) -> Callable[[Master], tuple[Any, ...]]:
    """Make the key by which the masters that suit are sorted; see `_PREFERENCES`."""

    def key(master: Master) -> tuple[Any, ...]:
        away = round(abs(master.exptime - frame.exptime), _DECIMALS)
        is_dark = master.kind is Kind.DARK
        return (
            _is_cut(master, frame),
            master.folder != frame.folder,
            away if is_dark else 0,
            -master.exptime if is_dark else 0,
            abs(master.start - frame.start),
            master.start,
            master.id,
        )

    return key


def _flags(master: Master, frame: Frame, scale: float, parameters: Parameters) -> tuple[str, ...]:
    far = scale > _LARGE_SCALE or scale < 1 / _LARGE_SCALE
    flags = (
        ("SCALED", abs(scale - 1) > SAME_EXPOSURE),
        ("SCALEDUP", scale > 1 + SAME_EXPOSURE),
        ("SCALEDFAR", far),
        ("AGED", abs(master.start - frame.start) > DAY),
        ("CUT", _is_cut(master, frame)),
        ("TEMPERATURE", master.kind is Kind.BIAS and too_warm(master, frame, parameters)),
    )
    return tuple(name for name, applies in flags if applies)


def _is_cut(master: Master, frame: Frame) -> bool:
    theirs, ours = master.detector, frame.detector
    return (theirs.shape, theirs.window) != (ours.shape, ours.window)
