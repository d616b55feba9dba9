"""Which master stands for each calibration set: one that is there, or one to be built now.

A set may have been combined before: with fewer frames, less another master bias, or with frames
that are gone now. What is wanted is decided by the set alone, so that every order of arrival ends
in the same masters; what is there only decides what to use until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tapewatch.model import BuildMaster, Kind, Master, Treatment
from tapewatch.parameters import Parameters
from tapewatch.planning import names
from tapewatch.planning.decisions import Facts, PlannedSet
from tapewatch.planning.flatdarks import with_flats_and_darks
from tapewatch.planning.identity import identify
from tapewatch.planning.marks import badness
from tapewatch.planning.match import Match, find_dark_of_flat, find_master, flats_need_dark
from tapewatch.planning.objections import darks_must_match, detector_objection, keeps_bias
from tapewatch.planning.readiness import readiness
from tapewatch.planning.reasons import advice, advice_for_flats, missing, missing_for_flat
from tapewatch.planning.setcheck import CheckedSet, check_sets
from tapewatch.planning.sets import CalibrationSet, find_sets
from tapewatch.planning.succession import before


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


@dataclass(frozen=True, slots=True)
class _Corrections:
    """What the frames of a set are corrected with before they are combined.

    `missing` says what has to come first, `advice` what helps if it never does.
    """

    bias: Master | None = None
    dark: Master | None = None
    dark_scale: float = 1.0
    missing: str = ""
    advice: str = ""

    @property
    def built(self) -> bool:
        """Whether all of it is on disk."""
        return all(one is None or one.built for one in (self.bias, self.dark))

    @property
    def ids(self) -> tuple[str, str]:
        """IDs of bias and dark; empty where there is none."""
        return self.bias.id if self.bias else "", self.dark.id if self.dark else ""


def plan_sets(facts: Facts, parameters: Parameters, now: float, *, finish: bool) -> PlannedSets:
    """Choose the master of each set of a folder.

    The sets come in order of kind, so that what a dark or flat is corrected with has been decided
    before it.

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
    checked = _checked_sets(facts, parameters)
    sets = [one.calibration_set for one in checked]
    outside = (*kept(facts), *facts.elsewhere)
    planned: list[PlannedSet] = []
    builds: list[BuildMaster] = []
    times: list[float] = []
    for one in sets:
        corrections = _corrections_of(one, planned, outside, facts, parameters)
        if corrections.missing:
            planned.append(PlannedSet(one, "", None, corrections.missing, corrections.advice))
            continue
        decided = _plan_set(one, corrections, facts, parameters, now, finish=finish)
        planned.append(decided.planned)
        times += [] if decided.look_again is None else [decided.look_again]
        master = decided.planned.master
        if master is not None and not master.built and corrections.built:
            frames = tuple(each.frame for each in one.frames)
            bias, dark = corrections.bias, corrections.dark
            previous = decided.previous or before(master, _in_use(facts, outside), parameters)
            builds.append(BuildMaster(master, frames, bias, dark, previous))
    combined = {
        done.calibration_set.id for done in planned if done.master is not None and done.master.built
    }
    stems = names.stems(sets, combined, parameters.binning)
    return PlannedSets(
        tuple(
            replace(done, stem=stems[one.id], doubts=check.doubts, left_out=check.left_out)
            for one, done, check in zip(sets, planned, checked, strict=True)
        ),
        with_flats_and_darks(builds, planned, outside, parameters),
        min(times, default=None),
    )


def _checked_sets(facts: Facts, parameters: Parameters) -> tuple[CheckedSet, ...]:
    """Find a folder's sets, less frames that are marked bad, and check what is in them."""
    sets = find_sets(
        [one for one in facts.calibration if not badness(one, facts.bad)],
        parameters.temptol,
        parameters.setgap,
        flats_by_exposure=flats_need_dark(parameters) and darks_must_match(Kind.DARK, parameters),
    )
    return check_sets(sets, parameters)


def _in_use(facts: Facts, outside: Sequence[Master]) -> list[Master]:
    """List the masters that frames are calibrated with now."""
    here = (one for one in facts.masters if one.id in facts.in_use)
    return [one for one in (*here, *outside, *facts.predecessors) if one.id not in facts.bad]


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
        if master.id in facts.in_use
        and master.id not in facts.bad
        and present.isdisjoint(master.inputs)
    )


def _corrections_of(
    one: CalibrationSet,
    planned: Sequence[PlannedSet],
    outside: Sequence[Master],
    facts: Facts,
    parameters: Parameters,
) -> _Corrections:
    """Choose the bias, and the dark of flats, that a set's frames are corrected with."""
    if one.kind is Kind.BIAS:
        return _Corrections()
    candidates = (*(done.master for done in planned if done.master is not None), *outside)
    # The longest exposure decides whether a dark may be scaled up to the flats.
    longest = max(member.frame.exptime for member in one.frames)
    frame = replace(one.last, detector=one.detector, exptime=longest)
    waits = f"{len(one.frames)} {one.kind} frames wait"
    bias = dark = Match(None)
    if not keeps_bias(parameters):
        bias = find_master(Kind.BIAS, frame, candidates, parameters, facts.bad)
        if bias.master is None:
            why = missing(Kind.BIAS, frame, bias, planned, parameters)
            told = advice([Kind.BIAS], parameters, facts.seen)
            return _Corrections(missing=f"{waits} {why}", advice=told)
    if one.kind is Kind.FLAT and flats_need_dark(parameters):
        dark = find_dark_of_flat(frame, candidates, parameters, facts.bad)
        if dark.master is None:
            why = missing_for_flat(frame, dark, planned, parameters)
            told = advice_for_flats(parameters, facts.seen)
            return _Corrections(missing=f"{waits} {why}", advice=told)
    scale = dark.scale * (one.last.exptime / longest if longest else 1.0)
    return _Corrections(bias.master, dark.master, scale)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What stands for a set (its stem is yet to come), and when time alone will change that."""

    planned: PlannedSet
    look_again: float | None = None
    previous: Master | None = None


def _plan_set(
    one: CalibrationSet,
    corrections: _Corrections,
    facts: Facts,
    parameters: Parameters,
    now: float,
    *,
    finish: bool,
) -> _Decision:
    """Decide on one set whose corrections are known."""
    wanted = _wanted(one, corrections, parameters.treatment)
    versions = _versions(one, corrections, facts)
    current = _current(one, wanted, versions)
    if current is not None:
        return _Decision(PlannedSet(one, "", current))
    previous = versions[0] if versions else None
    # The same frames less another bias, or under changed headers: there is nothing to wait for.
    again = any(set(version.inputs) == set(one.inputs) for version in versions)
    growing = previous is not None and not again
    ready = readiness(one, parameters, now, growing=growing, finish=finish or again)
    if not ready.ready:
        return _Decision(PlannedSet(one, "", previous, ready.reason), ready.look_again)
    if wanted.id in facts.bad:
        reason = f"the master of just these {len(one.frames)} {one.kind} frames was"
        reason = f"{reason} {facts.bad[wanted.id]}; it is not combined again without further ones"
        return _Decision(PlannedSet(one, "", previous, reason))
    if wanted.id in facts.failures:
        reason = f"combining failed: {facts.failures[wanted.id]}"
        return _Decision(PlannedSet(one, "", previous, reason))
    return _Decision(PlannedSet(one, "", wanted, "being combined"), previous=previous)


def _wanted(one: CalibrationSet, corrections: _Corrections, treatment: Treatment) -> Master:
    """Describe the master that combining a set will give.

    All that frames are matched by is part of its ID: masters of one ID suit the same frames.
    """
    kind, folder, detector = one.kind, one.folder, one.detector
    filter_name, exptime = one.last.filter, one.last.exptime
    temperature = one.frames[0].frame.temperature
    bias_id, dark_id = corrections.ids
    made_with = (bias_id, dark_id, corrections.dark_scale)
    seen_as = (kind, folder, detector, filter_name, exptime, temperature, one.middle)
    return Master(
        id=identify(*seen_as, one.inputs, made_with, treatment.of_masters),
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
        dark_id=dark_id,
        dark_scale=corrections.dark_scale,
        built=False,
    )


def _versions(one: CalibrationSet, corrections: _Corrections, facts: Facts) -> list[Master]:
    """List the masters built of a set's frames: of most of them first, then what is in use.

    A version made together with frames that now belong to another set is none of this one's;
    frames that have vanished since do not count against it. Nor is one that is marked bad, or
    that had other corrections done: STEPS or FLATDARK were others then.
    """
    done = tuple(map(bool, corrections.ids))
    inputs = set(one.inputs)
    others = {member.data_hash for member in facts.calibration} - inputs
    versions = [
        master
        for master in facts.masters
        if master.kind is one.kind
        and master.id not in facts.bad
        and (bool(master.bias_id), bool(master.dark_id)) == done
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
        covers = set(one.inputs) < set(version.inputs)
        same = (version.bias_id, version.dark_id) == (wanted.bias_id, wanted.dark_id)
        if version.id == wanted.id or (covers and same):
            return version
    return None
