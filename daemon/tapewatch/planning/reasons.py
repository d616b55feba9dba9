"""Why something waits, in words: what was looked for, and what is wrong with each candidate."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from tapewatch.model import Frame, Kind, Master, Step
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import PlannedSet
from tapewatch.planning.match import Match
from tapewatch.planning.objections import exposure_objection, keeps_bias, readout_objection
from tapewatch.planning.sets import CalibrationSet

_MOST_TOLD = 3  # candidates of a kind, in a waiting reason; `tapewatch why` tells all
_LONGEST = 450  # characters of a waiting reason, advice apart: a line of the log holds 600

DARKS_OF_FLATS = (Kind.FLATDARK, Kind.DARK)
"""What can be subtracted from flats, the better first."""


def label(master: Master) -> str:
    """Name a master for a person.

    Parameters
    ----------
    master : Master
        Any.

    Returns
    -------
    str
        Kind, what tells it apart, folder and date: ``flat R 2026-03-25``.
    """
    place = f" in {master.folder}" if master.folder else ""
    name = _name(master.kind, master.exptime, master.filter)
    return f"{name}{place} {_date(master.start)}"


def waits_for(
    frame: Frame,
    found: Mapping[Kind, Match],
    sets: Sequence[PlannedSet],
    parameters: Parameters,
    seen: Collection[Kind],
) -> str:
    """Say what an object frame waits for.

    Parameters
    ----------
    frame : Frame
        The object frame.
    found : mapping of Kind to Match
        Master of each kind that it needs.
    sets : sequence of PlannedSet
        The folder's calibration sets, for what is still to come.
    parameters : Parameters
        STEPS and DARKSCALE.
    seen : collection of Kind
        As for `advice`.

    Returns
    -------
    str
        Empty where all masters are on disk.
    """
    waits, lacking, helpful = "", [], []
    for most in range(_MOST_TOLD, -1, -1):  # fewer candidates, until it fits
        told = []
        for kind, match in found.items():
            if match.master is None:
                told.append(missing(kind, frame, match, sets, parameters, most))
            elif not match.master.built:
                told.append(f"master {label(match.master)} is being combined")
        waits = "; ".join(told)
        if len(waits) <= _LONGEST:
            break
    else:
        waits = f"{waits[:_LONGEST]}..."
    if not waits:
        return ""
    for kind, match in found.items():
        if match.master is None:
            lacking.append(kind)
            if one := _awaited(kind, frame, sets, parameters):
                helpful.append(one.advice)
    end = advice(lacking, parameters, seen) or next(filter(None, helpful), "")
    return f"waits: {waits}{end}"


def comes_soon(
    frame: Frame,
    found: Mapping[Kind, Match],
    sets: Sequence[PlannedSet],
    parameters: Parameters,
) -> bool:
    """Tell whether a master for a frame may be there in seconds: combined, or its frames are read.

    Parameters
    ----------
    frame : Frame
        The object frame.
    found : mapping of Kind to Match
        Master of each kind that it needs.
    sets : sequence of PlannedSet
        The folder's calibration sets.
    parameters : Parameters
        STEPS and DARKSCALE.

    Returns
    -------
    bool
        Then it is not worth while to do without.
    """
    if any(match.master is not None and not match.master.built for match in found.values()):
        return True
    lacking = {kind for kind, match in found.items() if match.master is None}
    return any(
        planned.master is None
        and planned.calibration_set.kind in lacking
        and not planned.calibration_set.measured
        and not _objection_to_set(planned.calibration_set, frame, parameters)
        for planned in sets
    )


def missing(
    kind: Kind,
    frame: Frame,
    match: Match,
    sets: Sequence[PlannedSet],
    parameters: Parameters,
    most: int = _MOST_TOLD,
) -> str:
    """Say why there is no master of a kind for a frame, as far as a line of the log has room.

    Parameters
    ----------
    kind : Kind
        What is looked for.
    frame : Frame
        Who looks for it.
    match : Match
        Without a master.
    sets : sequence of PlannedSet
        The folder's calibration sets, for what is still to come.
    parameters : Parameters
        STEPS and DARKSCALE.
    most : int
        Candidates of which more is said than that they are there.

    Returns
    -------
    str
        Begins with ``for a master``.
    """
    wanted = f"for a master {_name(kind, frame.exptime, frame.filter)}"
    if (awaited := _awaited(kind, frame, sets, parameters)) is not None:
        return f"{wanted}: {awaited.reason}"
    told = [f"{label(master)}: {why}" for master, why in _nearest(kind, frame, match)]
    for one in (each.calibration_set for each in sets if each.master is None):
        if one.kind is kind:
            name = f"{_name(kind, one.last.exptime, one.last.filter)} {_date(one.middle)}"
            told.append(f"{name}, not combined: {_objection_to_set(one, frame, parameters)}")
    if not told:
        return f"{wanted}: no {kind} frames yet"
    left = f"{len(told) - most} more" if most else f"none of {len(told)} suits"
    return f"{wanted}: {'; '.join([*told[:most], *([left] if told[most:] else [])])}"


def advice(kinds: Iterable[Kind], parameters: Parameters, seen: Collection[Kind]) -> str:
    """Say what to put into tape.par where frames of a needed kind may never come.

    Parameters
    ----------
    kinds : iterable of Kind
        Of which no master suits.
    parameters : Parameters
        STEPS.
    seen : collection of Kind
        Of which a frame was ever seen, in the whole watched tree.

    Returns
    -------
    str
        To stand at the end of a reason; empty where frames of all kinds were seen, or no other
        parameters would do without them.
    """
    unseen = [kind for kind in kinds if kind not in seen]
    line = steps_without(unseen, parameters, seen)
    if not line:
        return ""
    names = " or ".join(unseen)
    return f"; no {names} frame was ever seen here: if none will come, put into tape.par: {line}"


def steps_without(unseen: Collection[Kind], parameters: Parameters, seen: Collection[Kind]) -> str:
    """Give the line for tape.par that does without frames of some kinds.

    Parameters
    ----------
    unseen : collection of Kind
        Of which there are none.
    parameters : Parameters
        STEPS.
    seen : collection of Kind
        As for `advice`.

    Returns
    -------
    str
        As ``STEPS bias,flat``; empty where nothing is left to do, or flats cannot do without.
    """
    left = tuple(step for step in parameters.steps if Kind(step) not in unseen)
    seen_darks = any(kind in seen for kind in DARKS_OF_FLATS)
    flats_in_need = Step.FLAT in left and Step.BIAS not in left and not seen_darks
    if not unseen or not left or flats_in_need:
        return ""
    return f"STEPS {','.join(left)}"


def advice_for_flats(parameters: Parameters, seen: Collection[Kind]) -> str:
    """Say what to put into tape.par where a dark for the flats may never come.

    Parameters
    ----------
    parameters : Parameters
        STEPS.
    seen : collection of Kind
        As for `advice`.

    Returns
    -------
    str
        As of `advice`; empty where STEPS has no bias, for then flats cannot do without.
    """
    if keeps_bias(parameters) or any(kind in seen for kind in DARKS_OF_FLATS):
        return ""
    return (
        "; no flatdark or dark frame was ever seen here: if none will come, put into tape.par:"
        " FLATDARK 0"
    )


def missing_for_flat(
    flat: Frame, match: Match, sets: Sequence[PlannedSet], parameters: Parameters
) -> str:
    """Say why there is neither a flat-dark nor a dark for a flat.

    Parameters
    ----------
    flat : Frame
        The flat.
    match : Match
        Without a master.
    sets : sequence of PlannedSet
        The folder's calibration sets, for what is still to come.
    parameters : Parameters
        STEPS and DARKSCALE.

    Returns
    -------
    str
        Begins with ``for a master``; why any dark must match where STEPS has no bias.
    """
    told = [missing(kind, flat, match, sets, parameters) for kind in DARKS_OF_FLATS]
    reason = f"{told[0]}; or {told[1]}"
    if keeps_bias(parameters):
        reason += "; without a bias in STEPS only a dark of its exposure takes a flat's pedestal"
    return reason


def _awaited(
    kind: Kind, frame: Frame, sets: Sequence[PlannedSet], parameters: Parameters
) -> PlannedSet | None:
    """Find the set without a master yet whose master will suit a frame."""
    for planned in sets:
        one = planned.calibration_set
        if (
            one.kind is kind
            and planned.master is None
            and not _objection_to_set(one, frame, parameters)
        ):
            return planned
    return None


def _objection_to_set(one: CalibrationSet, frame: Frame, parameters: Parameters) -> str:
    """Reason why the master of a set that is still to be combined will not suit a frame."""
    if reason := readout_objection(one.detector, frame.detector):
        return reason
    if one.kind is Kind.FLAT and one.last.filter != frame.filter:
        return f"filter {one.last.filter}, frame {frame.filter}"
    if one.kind in DARKS_OF_FLATS:
        return exposure_objection(one.kind, one.last.exptime, frame, parameters)
    return ""


def _nearest(kind: Kind, frame: Frame, match: Match) -> list[tuple[Master, str]]:
    """Order the masters of a kind that were turned down: the likest, then nearest in time first."""

    def unlikeness(told: tuple[Master, str]) -> tuple[object, ...]:
        master = told[0]
        exposure = abs(master.exptime - frame.exptime) if master.kind in DARKS_OF_FLATS else 0.0
        return (
            master.kind is Kind.FLAT and master.filter != frame.filter,
            exposure,
            abs(master.start - frame.start),
            master.id,
        )

    return sorted((told for told in match.turned_down if told[0].kind is kind), key=unlikeness)


def _name(kind: Kind, exptime: float, filter_name: str) -> str:
    detail = {
        Kind.DARK: f" {exptime:g} s",
        Kind.FLATDARK: f" {exptime:g} s",
        Kind.FLAT: f" {filter_name}",
    }
    return f"{kind}{detail.get(kind, '')}"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
