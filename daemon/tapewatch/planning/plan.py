"""What to do next: a pure function of what the ledger knows about one folder.

`plan` is level-triggered: it compares what should be on disk with what is, so live frames, the
backlog after a restart and calibrations that come late are all the same case. Nothing is
remembered between two calls; planning twice in the same state plans the same, and when all is
done it plans nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tapewatch.model import (
    BuildMaster,
    CalibrateFrame,
    CalibrationFrame,
    Frame,
    Job,
    Kind,
    Master,
    MeasureFrame,
    ObjectFrame,
    Recipe,
    State,
    Step,
)
from tapewatch.parameters import Parameters
from tapewatch.planning import names
from tapewatch.planning.match import Match, detector_objection, find_master
from tapewatch.planning.readiness import readiness
from tapewatch.planning.sets import CalibrationSet, find_sets, first_of_each_content

# Part of every ID: what is made by another arithmetic gets another name.
ARITHMETIC = "median-1"

_KIND_OF_STEP = {Step.BIAS: Kind.BIAS, Step.DARK: Kind.DARK, Step.FLAT: Kind.FLAT}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows about one folder and its neighbours.

    Parameters
    ----------
    calibration : tuple of CalibrationFrame
        Calibration frames of the folder that are there and usable.
    objects : tuple of ObjectFrame
        Object frames of the folder to decide on.
    masters : tuple of Master
        Every master built in this folder, whatever its version.
    in_use : frozenset of str
        IDs of those that are in use now.
    elsewhere : tuple of Master
        Masters in use in other folders.
    failures : mapping of str to str
        Master ID -> why building it was given up.
    """

    calibration: tuple[CalibrationFrame, ...] = ()
    objects: tuple[ObjectFrame, ...] = ()
    masters: tuple[Master, ...] = ()
    in_use: frozenset[str] = frozenset()
    elsewhere: tuple[Master, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """State and reason of one frame.

    Parameters
    ----------
    path : str
        The frame.
    state : State
        Where it stands.
    reason : str
        Why, in words.
    """

    path: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """A calibration set and what stands for it.

    Parameters
    ----------
    calibration_set : CalibrationSet
        Its frames.
    stem : str
        Name of its list and of its master's plain file.
    master : Master or None
        The version in use; `built` is False while it is being combined.
    reason : str
        What it waits for, where there is no master or a newer one is to come.
    """

    calibration_set: CalibrationSet
    stem: str
    master: Master | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and where every frame of the folder stands.

    Parameters
    ----------
    jobs : tuple of Job
        What can be done now, in no order.
    verdicts : tuple of Verdict
        State of each frame that was decided on.
    sets : tuple of PlannedSet
        The folder's calibration sets.
    kept : tuple of Master
        Masters in use whose raw frames are all gone.
    matches : mapping of str to mapping of Kind to Match
        For each object frame the master chosen of each kind, and those turned down.
    look_again : float or None
        When time alone will change the plan, seconds since 1970.
    """

    jobs: tuple[Job, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    sets: tuple[PlannedSet, ...] = ()
    kept: tuple[Master, ...] = ()
    matches: Mapping[str, Mapping[Kind, Match]] = field(default_factory=dict)
    look_again: float | None = None


def plan(facts: Facts, parameters: Parameters, now: float, *, finish: bool = False) -> Plan:
    """Decide what to do next in one folder.

    Parameters
    ----------
    facts : Facts
        What is known.
    parameters : Parameters
        From tape.par.
    now : float
        Seconds since 1970.
    finish : bool
        Take sets as they are, as ``tapewatch once`` does.

    Returns
    -------
    Plan
        Jobs, states and reasons.
    """
    sets, builds, times = _plan_sets(facts, parameters, now, finish=finish)
    kept = _kept(facts)
    usable = [one.master for one in sets if one.master is not None]
    usable += [*kept, *facts.elsewhere]
    jobs: list[Job] = [
        MeasureFrame(member.frame) for member in facts.calibration if member.data_hash is None
    ]
    jobs += builds
    verdicts = _calibration_verdicts(facts.calibration, sets)
    recipe_id = identify(*parameters.steps)
    matches = {}
    for one in facts.objects:
        matches[one.frame.path] = found = {
            _KIND_OF_STEP[step]: find_master(_KIND_OF_STEP[step], one.frame, usable, parameters)
            for step in parameters.steps
        }
        job, verdict = _plan_object(one, found, sets, recipe_id)
        verdicts.append(verdict)
        if job is not None:
            jobs.append(job)
    return Plan(tuple(jobs), tuple(verdicts), sets, kept, matches, min(times, default=None))


def identify(*parts: object) -> str:
    """Make an ID of whatever decides what a master or product is.

    Parameters
    ----------
    *parts : object
        Text, numbers and tuples of them.

    Returns
    -------
    str
        16 hexadecimal digits, the same for the same parts.
    """
    return hashlib.sha256(repr((ARITHMETIC, *parts)).encode()).hexdigest()[:16]


def _plan_sets(
    facts: Facts, parameters: Parameters, now: float, *, finish: bool
) -> tuple[tuple[PlannedSet, ...], list[BuildMaster], list[float]]:
    """Choose the master of each set: the one there, or one to be built now.

    The sets come in order of kind, so that the bias of a dark or flat has been decided before it.
    """
    sets = find_sets(facts.calibration, parameters.temptol, parameters.setgap)
    planned: list[PlannedSet] = []
    builds: list[BuildMaster] = []
    times: list[float] = []
    for one, stem in zip(sets, names.base_stems(sets), strict=True):
        bias: Master | None = None
        if one.kind is not Kind.BIAS:
            biases = [done.master for done in planned if done.master is not None]
            frame = replace(one.last, detector=one.detector)
            candidates = [*biases, *_kept(facts), *facts.elsewhere]
            bias = find_master(Kind.BIAS, frame, candidates, parameters).master
            if bias is None:
                reason = f"{len(one.frames)} {one.kind} frames wait for a master bias"
                planned.append(PlannedSet(one, stem, None, reason))
                continue
        versions = _versions(one, facts)
        previous = versions[0] if versions else None
        current = _current_version(one, bias, versions)
        if current is not None:
            planned.append(PlannedSet(one, stem, current))
            continue
        growing = previous is not None and set(previous.inputs) != set(one.inputs)
        ready = readiness(
            one, parameters, now, growing=growing, finish=finish or (bool(versions) and not growing)
        )
        wanted = _master_of(one, bias, stem)
        if not ready.ready:
            planned.append(PlannedSet(one, stem, previous, ready.reason))
            times += [] if ready.look_again is None else [ready.look_again]
        elif wanted.id in facts.failures:
            reason = f"combining failed: {facts.failures[wanted.id]}"
            planned.append(PlannedSet(one, stem, previous, reason))
        else:
            planned.append(PlannedSet(one, stem, wanted, "being combined"))
            if bias is None or bias.built:
                frames = tuple(member.frame for member in one.frames)
                builds.append(BuildMaster(wanted, frames, bias))
    built = {
        done.calibration_set.id for done in planned if done.master is not None and done.master.built
    }
    stems = names.stems(sets, built)
    return (
        tuple(replace(done, stem=stems[done.calibration_set.id]) for done in planned),
        builds,
        times,
    )


def _kept(facts: Facts) -> tuple[Master, ...]:
    """Masters in use of which no raw frame is left: they stay so, for lack of anything newer."""
    present = {member.data_hash for member in facts.calibration}
    return tuple(
        master
        for master in facts.masters
        if master.id in facts.in_use and not present & set(master.inputs)
    )


def _versions(one: CalibrationSet, facts: Facts) -> list[Master]:
    """List the masters built of a set's frames, the one with most of them first.

    A version made together with frames that now belong to another set is none of this one's;
    frames that have vanished since do not count against it.
    """
    inputs = set(one.inputs)
    others = {member.data_hash for member in facts.calibration} - inputs
    versions = [
        master
        for master in facts.masters
        if master.kind is one.kind
        and master.filter == one.last.filter
        and not detector_objection(master.detector, one.detector)
        and inputs & set(master.inputs)
        and not others & set(master.inputs)
    ]
    return sorted(
        versions,
        key=lambda master: (-len(inputs & set(master.inputs)), len(master.inputs), master.id),
    )


def _current_version(
    one: CalibrationSet, bias: Master | None, versions: Sequence[Master]
) -> Master | None:
    """Find the version that holds all frames of a set, less the right bias."""
    bias_id = bias.id if bias else ""
    for version in versions:
        if version.bias_id == bias_id and one.measured and set(one.inputs) <= set(version.inputs):
            return version
    return None


def _master_of(one: CalibrationSet, bias: Master | None, stem: str) -> Master:
    """Describe the master that combining a set with a bias will give."""
    bias_id = bias.id if bias else ""
    last = one.last
    made_of = (one.kind, one.folder, last.filter, last.exptime, one.inputs, bias_id)
    return Master(
        id=identify(*made_of),
        kind=one.kind,
        folder=one.folder,
        stem=stem,
        set_id=one.id,
        detector=one.detector,
        exptime=last.exptime,
        filter=last.filter,
        temperature=one.frames[0].frame.temperature,
        start=one.middle,
        inputs=one.inputs,
        bias_id=bias_id,
        built=False,
    )


def _calibration_verdicts(
    frames: Sequence[CalibrationFrame], sets: Sequence[PlannedSet]
) -> list[Verdict]:
    """State of each calibration frame: in a master, or waiting for its set."""
    verdicts = []
    for planned in sets:
        master = planned.master
        for member in planned.calibration_set.frames:
            path = member.frame.path
            if master is not None and master.built and member.data_hash in master.inputs:
                verdicts.append(Verdict(path, State.DONE, f"in {master.path}"))
            else:
                reason = planned.reason or "the set's master is being combined"
                verdicts.append(Verdict(path, State.WAITING, reason))
    kept = {member.frame.path for member in first_of_each_content(frames)}
    verdicts += [
        Verdict(member.frame.path, State.REJECTED, "has the same pixels as another frame")
        for member in frames
        if member.frame.path not in kept
    ]
    return verdicts


def _plan_object(
    one: ObjectFrame, found: Mapping[Kind, Match], sets: Sequence[PlannedSet], recipe_id: str
) -> tuple[CalibrateFrame | MeasureFrame | None, Verdict]:
    """Decide on one object frame: done, to be calibrated, or waiting and for what."""
    frame = one.frame
    waits = []
    for kind, match in found.items():
        if match.master is None:
            waits.append(_missing(kind, frame, match, sets))
        elif not match.master.built:
            waits.append(f"master {_label(match.master)} is being combined")
    if waits:
        return None, Verdict(frame.path, State.WAITING, "waits: " + "; ".join(waits))
    masters = {kind: match.master for kind, match in found.items() if match.master is not None}
    recipe = Recipe(
        **{str(kind): master.id for kind, master in masters.items()},
        dark_scale=found[Kind.DARK].scale if Kind.DARK in found else 1.0,
        flags=tuple(dict.fromkeys(flag for match in found.values() for flag in match.flags)),
        parameters=recipe_id,
    )
    product = one.product
    if product is not None and one.content is None:
        return MeasureFrame(frame), Verdict(frame.path, State.STALE, "its file has changed")
    if product is None:
        job = CalibrateFrame(frame, recipe, tuple(masters.values()))
        return job, Verdict(frame.path, State.WAITING, "to be calibrated")
    if (product.data_hash, product.header_hash) == one.content and product.recipe == recipe:
        return None, Verdict(frame.path, State.DONE, f"calibrated: {product.path}")
    job = CalibrateFrame(frame, recipe, tuple(masters.values()), redo=product.recipe != recipe)
    why = "better masters have come" if product.recipe != recipe else "its file has changed"
    return job, Verdict(frame.path, State.STALE, f"to be calibrated anew: {why}")


def _missing(kind: Kind, frame: Frame, match: Match, sets: Sequence[PlannedSet]) -> str:
    """Say why there is no master of a kind for a frame: a set in the making, or nothing suits."""
    name = {Kind.FLAT: f"flat {frame.filter}", Kind.DARK: f"dark ({frame.exptime:g} s)"}
    wanted = f"for a master {name.get(kind, kind)}"
    for planned in sets:
        one = planned.calibration_set
        alike = one.kind is kind and (kind is not Kind.FLAT or one.last.filter == frame.filter)
        if (
            alike
            and planned.master is None
            and not detector_objection(one.detector, frame.detector)
        ):
            return f"{wanted}: {planned.reason}"
    if match.turned_down:
        master, reason = match.turned_down[0]
        more = f" and {len(match.turned_down) - 1} more" if match.turned_down[1:] else ""
        return f"{wanted}: {_label(master)} does not suit ({reason}){more}"
    return f"{wanted}: no {kind} frames yet"


def _label(master: Master) -> str:
    """Short name of a master for a person: kind, what tells it apart, folder."""
    detail = {Kind.DARK: f" {master.exptime:g} s", Kind.FLAT: f" {master.filter}"}
    place = f" in {master.folder}" if master.folder else ""
    return f"{master.kind}{detail.get(master.kind, '')}{place}"
