"""What to do next: a pure function of what the ledger knows about one folder.

`plan` is level-triggered: it compares what should be on disk with what is, so live frames, the
backlog after a restart and calibrations that come late are all the same case. Nothing is
remembered between two calls; planning twice in the same state plans the same, and when all is
done it plans nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tapewatch.model import (
    CalibrationFrame,
    FrameSequence,
    Kind,
    MeasureFrame,
    ObjectFrame,
    State,
)
from tapewatch.parameters import Parameters
from tapewatch.planning.consensus import Stock
from tapewatch.planning.decisions import Facts, Plan, PlannedSequence, PlannedSet, Verdict
from tapewatch.planning.identity import recipe_of_products
from tapewatch.planning.marks import badness
from tapewatch.planning.misfits import words
from tapewatch.planning.objects import plan_object
from tapewatch.planning.reasons import comes_soon, waits_for
from tapewatch.planning.sequences import Decision, decide, masters_for
from tapewatch.planning.versions import kept, plan_sets


def plan(
    facts: Facts,
    parameters: Parameters,
    now: float,
    *,
    finish: bool = False,
    known: Plan | None = None,
) -> Plan:
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
    known : Plan or None
        One made before, of the same facts but for the object frames, and not yet to be looked at
        again: its sets hold, and only the object frames are decided on.

    Returns
    -------
    Plan
        Jobs, states and reasons.
    """
    made = known or _plan_calibration(facts, parameters, now, finish=finish)
    stock = _stock(facts, made, parameters)
    jobs = [] if known else [*made.jobs]
    verdicts = [] if known else [*made.verdicts]
    decided = []
    if parameters.pincal:
        decided = [(one, decide(one, stock, now, finish=finish)) for one in facts.sequences]
    matches = {}
    for one, decision in _with_decisions(facts.objects, decided):
        if reason := badness(one, facts.bad):
            verdicts.append(Verdict(one.frame.path, State.REJECTED, reason))
            continue
        found = masters_for(one.frame, decision, stock)
        matches[one.frame.path] = found
        waiting = waits_for(one.frame, found, made.sets, parameters, facts.seen)
        soon = facts.busy_elsewhere or comes_soon(one.frame, found, made.sets, parameters)
        job, verdict = plan_object(one, found, waiting, decision, stock, soon=soon)
        verdicts.append(verdict)
        jobs += [] if job is None else [job]
    return replace(
        made,
        jobs=tuple(jobs),
        verdicts=tuple(verdicts),
        matches=matches,
        sequences=tuple(_planned(sequence, decision) for sequence, decision in decided),
    )


def _with_decisions(
    objects: Sequence[ObjectFrame], decided: Sequence[tuple[FrameSequence, Decision]]
) -> Iterator[tuple[ObjectFrame, Decision | None]]:
    """Give object frames with the decisions on their sequences."""
    by_series: dict[str, list[tuple[FrameSequence, Decision]]] = {}
    for sequence, decision in decided:
        by_series.setdefault(sequence.series, []).append((sequence, decision))
    for one in objects:
        of_series = by_series.get(one.frame.series, ()) if by_series else ()
        yield one, next((each for whole, each in of_series if whole.holds(one.frame)), None)


def _planned(sequence: FrameSequence, decision: Decision) -> PlannedSequence:
    overtaken = decision.overtaken(sequence)
    return PlannedSequence(sequence, overtaken, decision.redoing, decision.look_again)


def _stock(facts: Facts, made: Plan, parameters: Parameters) -> Stock:
    """Gather the masters that object frames may get."""
    of_sets = [one.master for one in made.sets if one.master is not None]
    bad = [one for one in facts.masters if one.id in facts.bad]  # to say why they are not used
    known = (*facts.masters, *facts.elsewhere, *facts.pinned)
    return Stock(
        usable=(*of_sets, *made.kept, *facts.elsewhere, *bad),
        known={one.id: one for one in known},
        bad=facts.bad,
        kinds=tuple(Kind(step) for step in parameters.steps),
        parameters=parameters,
        recipe_id=recipe_of_products(parameters.steps, parameters.treatment),
    )


def _plan_calibration(facts: Facts, parameters: Parameters, now: float, *, finish: bool) -> Plan:
    """Decide on the calibration frames of a folder alone."""
    planned = plan_sets(facts, parameters, now, finish=finish)
    good, bad = [], []
    for one in facts.calibration:
        if reason := badness(one, facts.bad):
            bad.append(Verdict(one.frame.path, State.REJECTED, reason))
        else:
            good.append(one)
    unread = (MeasureFrame(one.frame) for one in good if one.data_hash is None)
    return Plan(
        jobs=(*unread, *planned.builds),
        verdicts=(*_calibration_verdicts(good, planned.sets), *bad),
        sets=planned.sets,
        kept=kept(facts),
        look_again=planned.look_again,
    )


def _calibration_verdicts(
    frames: Sequence[CalibrationFrame], sets: Sequence[PlannedSet]
) -> list[Verdict]:
    """State of each calibration frame: in a master, waiting for its set, or left out of it."""
    verdicts: dict[str, Verdict] = {}
    first_of: dict[tuple[Kind, str | None], Verdict] = {}
    for planned in sets:
        for member, verdict in _verdicts_of_set(planned):
            verdicts[verdict.path] = verdict
            first_of[member.frame.kind, member.data_hash] = verdict
    for member in frames:
        path = member.frame.path
        if path not in verdicts:
            # The same pixels under another name are the same frame, and count once.
            first = first_of[member.frame.kind, member.data_hash]
            reason = f"the same pixels as {first.path}: {first.reason}"
            verdicts[path] = Verdict(path, first.state, reason)
    return list(verdicts.values())


def _verdicts_of_set(planned: PlannedSet) -> Iterator[tuple[CalibrationFrame, Verdict]]:
    doubts = dict(planned.doubts)
    for member in planned.calibration_set.frames:
        verdict = _calibration_verdict(member, planned)
        if found := doubts.get(verdict.path):
            verdict = replace(verdict, reason=f"{verdict.reason}; {words(found)}")
        yield member, verdict
    for member, reason in planned.left_out:
        yield member, Verdict(member.frame.path, State.REJECTED, reason)


def _calibration_verdict(member: CalibrationFrame, planned: PlannedSet) -> Verdict:
    path, master = member.frame.path, planned.master
    if master is not None and master.built and member.data_hash in master.inputs:
        return Verdict(path, State.DONE, f"in {master.path}")
    reason = planned.reason or "the set's master is being combined"
    return Verdict(path, State.WAITING, f"{reason}{planned.advice}")
