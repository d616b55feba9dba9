"""When a calibration set may be combined."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import (
    DAY,
    EVENING,
    HOUR,
    MINUTE,
    NOW,
    member,
    members,
    only_set,
    parameters,
    policies,
)
from tapewatch.model import CalibrationFrame, Kind
from tapewatch.parameters import Parameters
from tapewatch.planning.readiness import (
    Readiness,
    frames_needed,
    night_end,
    quiet_after,
    readiness,
)
from tapewatch.planning.sets import CalibrationSet

ARRIVED = 4 * MINUTE  # after NOW: the last of five frames a minute apart


def set_of(count: int, kind: Kind = Kind.BIAS, *, spacing: float = MINUTE) -> CalibrationSet:
    """Set whose frames arrived one after the other from NOW on."""
    return only_set(
        tuple(
            member(f"{number}", kind, number, arrived=NOW + number * spacing)
            for number in range(count)
        )
    )


def judge(
    count: int,
    after: float = 0.0,
    *,
    growing: bool = False,
    finish: bool = False,
    **changes: object,
) -> Readiness:
    """Judge a set of biases so many seconds after its last frame arrived."""
    one = set_of(count)
    policy = parameters(**changes)
    return readiness(one, policy, one.arrived + after, growing=growing, finish=finish)


def test_a_complete_set_is_ready_at_once() -> None:
    assert judge(5).ready
    assert not judge(4).ready


def test_each_kind_has_its_own_number() -> None:
    policy = parameters(nbias=1, ndark=2, nflat=3)
    kinds = (Kind.BIAS, Kind.DARK, Kind.FLAT, Kind.FLATDARK)
    assert [frames_needed(kind, policy) for kind in kinds] == [1, 2, 3, 2]


def test_mincal_frames_are_enough_when_the_set_is_quiet() -> None:
    waiting = judge(3, after=179.0)
    assert not waiting.ready
    assert waiting.look_again == NOW + 2 * MINUTE + 180.0  # three times the spacing of a minute
    assert waiting.reason == "3 of 5 bias frames, taken as they are at 21:05:00 UTC"
    assert judge(3, after=180.0).ready


def test_fewer_than_mincal_frames_wait_for_more() -> None:
    waiting = judge(2, setgap=0.0, after=10 * DAY)
    assert waiting == Readiness(
        ready=False, reason="2 of 5 bias frames, at least 3 are needed", look_again=None
    )


@pytest.mark.parametrize(
    ("changes", "help_"),
    [
        ({}, "MINCAL 2 or OBSLON (which tells noon)"),
        ({"nightend": False}, "MINCAL 2 or NIGHTEND noon or OBSLON (which tells noon)"),
        ({"nightend": False, "longitude": 127.0}, "MINCAL 2 or NIGHTEND noon"),
    ],
)
def test_a_set_that_no_frame_can_join_any_more_says_so_and_what_helps(
    changes: dict[str, Any], help_: str
) -> None:
    # The second of the frames was begun a minute after the first, at EVENING.
    closes = EVENING.timestamp() + MINUTE + 18 * HOUR
    at_first = judge(2, after=0.0, **changes)
    assert at_first.reason == "2 of 5 bias frames, at least 3 are needed"
    assert at_first.look_again is not None
    assert at_first.look_again == pytest.approx(closes)
    last = readiness(
        set_of(2), parameters(**changes), at_first.look_again, growing=False, finish=False
    )
    assert last == Readiness(
        ready=False,
        reason="2 of 5 bias frames, at least 3 are needed, and none taken from now on can join"
        " them (SETGAP 18): `tapewatch once` takes them as they are, or in tape.par " + help_,
    )


def test_mincal_above_the_number_that_completes_a_set_means_that_number() -> None:
    assert judge(2, nbias=2, mincal=5).ready
    assert judge(1, nbias=2, mincal=5).reason == "1 of 2 bias frames, at least 2 are needed"
    grown = judge(2, after=DAY, growing=True, nbias=2, mincal=5)
    assert grown.ready


def test_a_set_that_has_a_master_waits_until_it_is_quiet() -> None:
    assert not judge(6, growing=True).ready
    assert judge(6, after=180.0, growing=True).ready


def test_once_takes_whatever_is_there() -> None:
    assert judge(1, finish=True).ready


def test_frames_that_have_not_been_read_are_waited_for_even_by_once() -> None:
    one = only_set((*members(Kind.BIAS, 5), member("unread", minutes=6, pixels=None)))
    answer = readiness(one, parameters(), NOW + DAY, growing=False, finish=True)
    assert answer == Readiness(ready=False, reason="its frames are being read", look_again=None)


def test_at_local_noon_a_set_takes_what_it_has() -> None:
    waiting = judge(1, longitude=127.0)
    noon = datetime(2026, 3, 26, 3, 32, tzinfo=UTC).timestamp()  # 12 h less 127 deg x 4 min
    assert waiting.look_again == noon
    assert waiting.reason == "1 of 5 bias frames, taken as they are at 03:32:00 UTC"
    assert judge(1, after=noon - NOW, longitude=127.0).ready


def test_without_obslon_or_with_nightend_off_there_is_no_nights_end() -> None:
    assert math.isinf(night_end(NOW, parameters(longitude=None)))
    assert math.isinf(night_end(NOW, parameters(longitude=127.0, nightend=False)))


@given(st.floats(0, 4e9), st.floats(-180, 360))
def test_the_night_ends_within_a_day_at_local_noon(moment: float, longitude: float) -> None:
    end = night_end(moment, parameters(longitude=longitude))
    assert moment < end <= moment + DAY
    local = end + longitude / 360 * DAY  # mean time of the place, as if it were UTC
    assert min(local % DAY - DAY / 2, DAY / 2 - local % DAY, key=abs) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("spacing", "exptime", "seconds"), [(1.0, 0.0, 120.0), (100.0, 0.0, 300.0), (1.0, 300.0, 660.0)]
)
def test_quiet_is_measured_by_the_sets_own_pace(
    spacing: float, exptime: float, seconds: float
) -> None:
    one = only_set(
        tuple(
            member(f"{number}", Kind.DARK, number, arrived=NOW + number * spacing, exptime=exptime)
            for number in range(4)
        )
    )
    assert quiet_after(one, 120.0) == seconds


@given(
    st.integers(1, 6), policies, st.none() | st.floats(-180, 180), st.floats(0, 3 * DAY),
    st.booleans(),
)  # fmt: skip
def test_time_alone_makes_ready_what_has_a_time_to_look_again(
    count: int, policy: Parameters, longitude: float | None, later: float, growing: bool
) -> None:
    one = set_of(count)
    policy = parameters(
        nbias=policy.nbias, mincal=policy.mincal, setquiet=policy.setquiet, longitude=longitude
    )
    now = one.arrived + later
    answer = readiness(one, policy, now, growing=growing, finish=False)
    if answer.ready:
        assert (answer.reason, answer.look_again) == ("", None)
        return
    assert answer.reason
    few = longitude is None and count < min(policy.mincal, policy.nbias)
    if answer.look_again is not None:
        assert answer.look_again > now
        then = readiness(one, policy, answer.look_again, growing=growing, finish=False)
        assert then.ready != few
        assert then.look_again is None
    else:
        assert few


def test_frames_that_came_together_have_no_spacing() -> None:
    together: tuple[CalibrationFrame, ...] = members(Kind.BIAS, 3, arrived=NOW)
    assert only_set(together).spacing == 0
    assert only_set(together[:1]).spacing == 0
