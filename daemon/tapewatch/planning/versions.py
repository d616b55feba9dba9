"""Which master stands for each calibration set: one that is there, or one to be built now.

A set may have been combined before: with fewer frames, less another master bias, or with frames
that are gone now. What is wanted is decided by the set alone, so that every order of arrival ends
in the same masters; what is there only decides what to use until then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tapewatch.model import BuildMaster, Kind, Master, Treatment
from tapewatch.parameters import Parameters
from tapewatch.planning import names
from tapewatch.planning.decisions import Facts, PlannedSet
from tapewatch.planning.identity import identify
from tapewatch.planning.match import detector_objection, find_master
from tapewatch.planning.readiness import readiness
from tapewatch.planning.sets import CalibrationSet, find_sets


@dataclass(frozen=True, slots=True)
class PlannedSets:
    """A folder's sets, and what is to be done about them.

    Parameters
    ----------
    sets : tuple of PlannedSet
        In order of kind, then of time.
    builds : tuple of BuildMaster
        Masters that can be combined now.
    look_again : float or None
        When time alone will make another set ready, seconds since 1970.
    """

    sets: tuple[PlannedSet, ...]
    builds: tuple[BuildMaster, ...]
    look_again: float | None


def plan_sets(facts: Facts, parameters: Parameters, now: float, *, finish: bool) -> PlannedSets:
    """Choose the master of each set of a folder.

    The sets come in order of kind, so that the bias of a dark or flat has been decided before it.

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
    PlannedSets
        With their stems.
    """
    sets = find_sets(facts.calibration, parameters.temptol, parameters.setgap)
    outside = (*kept(facts), *facts.elsewhere)
    planned: list[PlannedSet] = []
    builds: list[BuildMaster] = []
    times: list[float] = []
    for one in sets:
        bias = None
        if one.kind is not Kind.BIAS:
            here = [done.master for done in planned if done.master is not None]
            bias = _bias_for(one, (*here, *outside), parameters)
            if bias is None:
                reason = f"{len(one.frames)} {one.kind} frames wait for a master bias"
                planned.append(PlannedSet(one, "", None, reason))
                continue
        decided, look_again = _plan_set(one, bias, facts, parameters, now, finish=finish)
        planned.append(decided)
        times += [] if look_again is None else [look_again]
        master = decided.master
        if master is not None and not master.built and (bias is None or bias.built):
            builds.append(BuildMaster(master, tuple(each.frame for each in one.frames), bias))
    combined = {
        done.calibration_set.id for done in planned if done.master is not None and done.master.built
    }
    stems = names.stems(sets, combined, parameters.binning)
    return PlannedSets(
        tuple(replace(done, stem=stems[done.calibration_set.id]) for done in planned),
        tuple(builds),
        min(times, default=None),
    )


def kept(facts: Facts) -> tuple[Master, ...]:
    """Give the masters in use of which no raw frame is left: they stay so.

    Parameters
    ----------
    facts : Facts
        What is known.

    Returns
    -------
    tuple of Master
        Beside those of the sets that are there.
    """
    present = {member.data_hash for member in facts.calibration}
    return tuple(
        master
        for master in facts.masters
        if master.id in facts.in_use and present.isdisjoint(master.inputs)
    )


def _bias_for(
    one: CalibrationSet, masters: Iterable[Master], parameters: Parameters
) -> Master | None:
    frame = replace(one.last, detector=one.detector)
    return find_master(Kind.BIAS, frame, masters, parameters).master


def _plan_set(
    one: CalibrationSet,
    bias: Master | None,
    facts: Facts,
    parameters: Parameters,
    now: float,
    *,
    finish: bool,
) -> tuple[PlannedSet, float | None]:
    """Decide on one set, and say when time alone will change that; its stem is yet to come."""
    wanted = _wanted(one, bias, parameters.treatment)
    versions = _versions(one, facts)
    current = _current(one, wanted, versions)
    if current is not None:
        return PlannedSet(one, "", current), None
    previous = versions[0] if versions else None
    # The same frames less another bias, or under changed headers: there is nothing to wait for.
    again = any(set(version.inputs) == set(one.inputs) for version in versions)
    growing = previous is not None and not again
    ready = readiness(one, parameters, now, growing=growing, finish=finish or again)
    if not ready.ready:
        return PlannedSet(one, "", previous, ready.reason), ready.look_again
    if wanted.id in facts.failures:
        reason = f"combining failed: {facts.failures[wanted.id]}"
        return PlannedSet(one, "", previous, reason), None
    return PlannedSet(one, "", wanted, "being combined"), None


def _wanted(one: CalibrationSet, bias: Master | None, treatment: Treatment) -> Master:
    """Describe the master that combining a set with a bias will give.

    All that frames are matched by is part of its ID: masters of one ID suit the same frames.
    """
    kind, folder, detector = one.kind, one.folder, one.detector
    filter_name, exptime = one.last.filter, one.last.exptime
    temperature = one.frames[0].frame.temperature
    bias_id = bias.id if bias else ""
    seen_as = (kind, folder, detector, filter_name, exptime, temperature, one.middle)
    return Master(
        id=identify(*seen_as, one.inputs, bias_id, treatment.of_masters),
        kind=kind,
        folder=folder,
        stem=names.stem_of(one),
        set_id=one.id,
        detector=detector,
        exptime=exptime,
        filter=filter_name,
        temperature=temperature,
        start=one.middle,
        inputs=one.inputs,
        bias_id=bias_id,
        built=False,
    )


def _versions(one: CalibrationSet, facts: Facts) -> list[Master]:
    """List the masters built of a set's frames: of most of them first, then what is in use.

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
        and not inputs.isdisjoint(master.inputs)
        and others.isdisjoint(master.inputs)
    ]

    def preference(master: Master) -> tuple[object, ...]:
        shared = len(inputs.intersection(master.inputs))
        return -shared, master.id not in facts.in_use, -len(master.inputs), master.id

    return sorted(versions, key=preference)


def _current(one: CalibrationSet, wanted: Master, versions: Sequence[Master]) -> Master | None:
    """Find the version that needs no successor.

    It is the one wanted, or one that was made with more frames than are left of the set.
    """
    if not one.measured:
        return None
    for version in versions:
        covers = set(one.inputs) < set(version.inputs) and version.bias_id == wanted.bias_id
        if version.id == wanted.id or covers:
            return version
    return None
