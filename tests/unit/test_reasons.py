"""Why something waits: all that is needed, short enough for a line, with advice at the end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import NOW, frame, master, masters, members, parameters, policies
from tapewatch.model import Kind, Master, ObjectFrame, State, Step
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts
from tapewatch.planning.match import find_master
from tapewatch.planning.plan import plan
from tapewatch.planning.reasons import advice, label, waits_for

OBJECT = frame("m13.fits")
LONGEST_TEXT = 600  # characters of a text in the log, as docs/log.md says
ALL = frozenset(Kind)


def reasons(kinds: set[Kind], *, seen: frozenset[Kind], **changes: Any) -> dict[str, str]:  # noqa: ANN401
    """Reason of each frame that waits, where five frames of some kinds are there."""
    frames = tuple(one for kind in Kind if kind in kinds for one in members(kind, 5))
    made = plan(Facts(frames, (ObjectFrame(OBJECT),), seen=seen), parameters(**changes), NOW)
    return {one.path: one.reason for one in made.verdicts if one.state is State.WAITING}


@pytest.mark.parametrize(
    ("seen", "steps", "line"),
    [
        (ALL - {Kind.DARK}, tuple(Step), "STEPS bias,flat"),
        (ALL - {Kind.BIAS}, tuple(Step), "STEPS dark,flat"),
        (ALL - {Kind.FLAT}, tuple(Step), "STEPS bias,dark"),
        (ALL - {Kind.DARK, Kind.FLAT}, tuple(Step), "STEPS bias"),
        (ALL - {Kind.FLAT}, (Step.BIAS, Step.FLAT), "STEPS bias"),
        (ALL - {Kind.BIAS, Kind.DARK, Kind.FLATDARK}, tuple(Step), ""),
        (ALL - {Kind.BIAS, Kind.DARK, Kind.FLAT}, tuple(Step), ""),
        (ALL - {Kind.DARK}, (Step.BIAS, Step.FLAT), ""),
        (ALL, tuple(Step), ""),
    ],
)
def test_where_no_frame_of_a_kind_was_ever_seen_the_line_for_tape_par_is_told(
    seen: frozenset[Kind], steps: tuple[Step, ...], line: str
) -> None:
    reason = reasons(set(), seen=seen, steps=steps)["m13.fits"]
    if line:
        assert reason.endswith(f": if none will come, put into tape.par: {line}")
        missing = [kind for kind in Kind if kind not in seen]
        assert f"; no {' or '.join(missing)} frame was ever seen here" in reason
    else:
        assert "tape.par" not in reason


def test_the_advice_is_told_once_however_many_sets_wait_for_the_same() -> None:
    seen = ALL - {Kind.BIAS}
    told = reasons({Kind.DARK, Kind.FLAT}, seen=seen)
    assert told["m13.fits"] == (
        "waits: for a master bias: no bias frames yet; for a master dark 60 s: 5 dark frames wait"
        " for a master bias: no bias frames yet; for a master flat R: 5 flat frames wait for a"
        " master bias: no bias frames yet; no bias frame was ever seen here: if none will come,"
        " put into tape.par: STEPS dark,flat"
    )
    assert told["dark0.fits"].endswith("put into tape.par: STEPS dark,flat")


def test_what_its_flats_wait_for_is_advised_upon_too() -> None:
    facts = Facts(
        members(Kind.FLAT, 5, exptime=12.0),
        (ObjectFrame(OBJECT),),
        elsewhere=(master("bias", folder="b"),),
        seen=ALL - {Kind.FLATDARK, Kind.DARK},
    )
    made = plan(facts, parameters(flatdark=True, steps=(Step.BIAS, Step.FLAT)), NOW)
    reason = made.verdicts[-1].reason
    assert "for a master flat R: 5 flat frames wait for a master flatdark 12 s" in reason
    assert reason.endswith("put into tape.par: FLATDARK 0")


@given(st.lists(masters, max_size=30, unique_by=lambda one: one.id), policies)
def test_a_waiting_reason_fits_a_line_of_the_log_and_ends_with_its_advice(
    candidates: list[Master], policy: Parameters
) -> None:
    one = frame("m13.fits", exptime=1e-3, filter="a filter with a long name " * 2)
    kinds = (Kind.BIAS, Kind.DARK, Kind.FLAT)
    found = {kind: find_master(kind, one, candidates, policy) for kind in kinds}
    seen = ALL - {Kind.FLAT}
    reason = waits_for(one, found, (), policy, seen)
    lacking = [kind for kind, match in found.items() if match.master is None]
    assert bool(reason) == bool(lacking)
    assert len(reason) <= LONGEST_TEXT
    assert reason.endswith(advice(lacking, policy, seen))
    assert all(f"for a master {kind}" in reason for kind in lacking)


def test_candidates_are_named_by_kind_what_tells_them_apart_and_date() -> None:
    assert label(master("b")) == "bias 2026-03-25"
    assert label(master("d", Kind.DARK, folder="n")) == "dark 60 s in n 2026-03-25"
    assert label(master("f", Kind.FLAT)) == "flat R 2026-03-25"
    assert label(master("x", Kind.FLATDARK, exptime=1.5)) == "flatdark 1.5 s 2026-03-25"
