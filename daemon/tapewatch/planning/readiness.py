"""When a calibration set may be combined: complete, quiet long enough, or at the end of night."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from tapewatch.model import Kind
from tapewatch.parameters import Parameters
from tapewatch.planning.sets import CalibrationSet

_DAY = 86400.0
_HOUR = 3600.0
_SECONDS_PER_DEGREE = 240.0  # of longitude, of local mean time


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a set can be combined now.

    Parameters
    ----------
    ready : bool
        It can.
    reason : str
        What it still waits for, for the log and ``tapewatch status``.
    look_again : float or None
        When time alone will change the answer or the reason, seconds since 1970.
    """

    ready: bool
    reason: str = ""
    look_again: float | None = None


def frames_needed(kind: Kind, parameters: Parameters) -> int:
    """Frames that make a set of this kind complete (NBIAS, NDARK, NFLAT).

    Parameters
    ----------
    kind : Kind
        Bias, dark, flat or flat-dark.
    parameters : Parameters
        From tape.par.

    Returns
    -------
    int
        At least 1.
    """
    return {Kind.BIAS: parameters.nbias, Kind.FLAT: parameters.nflat}.get(kind, parameters.ndark)


def quiet_after(one: CalibrationSet, setquiet: float) -> float:
    """Seconds without a new frame after which a set counts as finished by the observer.

    Never less than 3 times the set's own spacing or twice its exposure and a minute: long darks
    come minutes apart.

    Parameters
    ----------
    one : CalibrationSet
        The set.
    setquiet : float
        SETQUIET, seconds.

    Returns
    -------
    float
        Seconds.
    """
    return max(setquiet, 3 * one.spacing, 2 * one.last.exptime + 60)


def night_end(moment: float, parameters: Parameters) -> float:
    """First local noon after a moment.

    Parameters
    ----------
    moment : float
        Seconds since 1970.
    parameters : Parameters
        NIGHTEND, and OBSLON for the local mean time; without OBSLON there is no night's end.

    Returns
    -------
    float
        Seconds since 1970; infinite where NIGHTEND is off.
    """
    if not parameters.nightend or parameters.longitude is None:
        return math.inf
    noon = _DAY / 2 - parameters.longitude * _SECONDS_PER_DEGREE
    return noon + _DAY * (math.floor((moment - noon) / _DAY) + 1)


def readiness(
    one: CalibrationSet, parameters: Parameters, now: float, *, growing: bool, finish: bool
) -> Readiness:
    """Tell whether a set can be combined now.

    Parameters
    ----------
    one : CalibrationSet
        The set.
    parameters : Parameters
        From tape.par.
    now : float
        Seconds since 1970.
    growing : bool
        There is a master of some of its frames already: a new one waits until the set is quiet.
    finish : bool
        Take whatever is there, as ``tapewatch once`` does.

    Returns
    -------
    Readiness
        Ready, or what is missing.
    """
    if not one.measured:
        return Readiness(ready=False, reason="its frames are being read")
    if finish:
        return Readiness(ready=True)
    count, needed = len(one.frames), frames_needed(one.kind, parameters)
    if count >= needed and not growing:
        return Readiness(ready=True)
    night = night_end(one.arrived, parameters)
    fewest = min(parameters.mincal, needed)
    quiet = one.arrived + quiet_after(one, parameters.setquiet) if count >= fewest else math.inf
    ready_at = min(quiet, night)
    if now >= ready_at:
        return Readiness(ready=True)
    have = f"{count} of {needed} {one.kind} frames"
    if math.isinf(ready_at):
        return _too_few(one, f"{have}, at least {fewest} are needed", parameters, now)
    clock = datetime.fromtimestamp(ready_at, UTC).strftime("%H:%M:%S UTC")
    return Readiness(
        ready=False, reason=f"{have}, taken as they are at {clock}", look_again=ready_at
    )


def _too_few(one: CalibrationSet, reason: str, parameters: Parameters, now: float) -> Readiness:
    """Say that a set waits for frames; and when none can join it any more, what would help."""
    closes = one.last.start + parameters.setgap * _HOUR if parameters.setgap else math.inf
    if now <= closes:
        look_again = None if math.isinf(closes) else math.nextafter(closes, math.inf)
        return Readiness(ready=False, reason=reason, look_again=look_again)
    keys = [f"MINCAL {len(one.frames)}"]
    keys += [] if parameters.nightend else ["NIGHTEND noon"]
    keys += [] if parameters.longitude is not None else ["OBSLON (which tells noon)"]
    return Readiness(
        ready=False,
        reason=f"{reason}, and none taken from now on can join them (SETGAP"
        f" {parameters.setgap:g}): `tapewatch once` takes them as they are, or in tape.par"
        f" {' or '.join(keys)}",
    )
