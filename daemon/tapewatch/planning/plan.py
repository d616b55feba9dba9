"""What to do next: a pure function of what the ledger knows about one folder.

`plan` is level-triggered: it compares what should be on disk with what is, so live frames, the
backlog after a restart and calibrations that come late are all the same case. Nothing is
remembered between two calls; planning twice in the same state plans the same, and when all is
done it plans nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tapewatch.model import CalibrationFrame, Kind, MeasureFrame, State
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts, Plan, PlannedSet, Verdict
from tapewatch.planning.identity import recipe_of_products
from tapewatch.planning.marks import badness
from tapewatch.planning.match import find_master
from tapewatch.planning.misfits import words
from tapewatch.planning.objects import plan_object
from tapewatch.planning.reasons import waits_for
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
    usable = [one.master for one in made.sets if one.master is not None]
    usable += [*made.kept, *facts.elsewhere]
    usable += [one for one in facts.masters if one.id in facts.bad]  # to say why they are not used
    jobs = [] if known else [*made.jobs]
    verdicts = [] if known else [*made.verdicts]
    kinds = [Kind(step) for step in parameters.steps]
    recipe_id = recipe_of_products(parameters.steps, parameters.treatment)
    matches = {}
    for one in facts.objects:
        if reason := badness(one, facts.bad):
            verdicts.append(Verdict(one.frame.path, State.REJECTED, reason))
            continue
        found = {
            kind: find_master(kind, one.frame, usable, parameters, facts.bad) for kind in kinds
        }
        matches[one.frame.path] = found
        waiting = waits_for(one.frame, found, made.sets, parameters, facts.seen)
        job, verdict = plan_object(one, found, waiting, recipe_id)
        verdicts.append(verdict)
        jobs += [] if job is None else [job]
    return replace(made, jobs=tuple(jobs), verdicts=tuple(verdicts), matches=matches)


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
    return Verdict(path, State.WAITING, planned.reason or "the set's master is being combined")
