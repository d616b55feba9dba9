"""When a file counts as whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.arrival.settle import Observation, Verdict, judge, renew
from tapewatch.model import Identity

NOW = 1_700_000_000.0  # seconds since 1970
SETTLE = 2.0
STALL = 600.0


def identity(size: int = 8640, mtime: float = NOW, ctime: float = NOW) -> Identity:
    return Identity(1, 2, size, round(mtime * 1e9), round(ctime * 1e9))


SEEN_NOW = Observation(
    identity=identity(),
    unchanged_since=NOW,
    vouched=False,
    local=True,
    lack="",
    blank_tail=False,
)


def judged(observation: Observation, now: float = NOW) -> Verdict:
    return judge(observation, now, SETTLE, STALL)


def test_a_closed_file_of_sufficient_size_is_whole_at_once() -> None:
    assert judged(replace(SEEN_NOW, vouched=True)) == Verdict(
        whole=True, look_again=None, stalled=False, reason="closed or renamed"
    )


def test_a_closed_file_that_is_short_is_not_whole() -> None:
    verdict = judged(replace(SEEN_NOW, vouched=True, lack="incomplete: 1,234 of 8,640 bytes"))
    assert not verdict.whole
    assert verdict.reason == "incomplete: 1,234 of 8,640 bytes"
    assert verdict.look_again == NOW + STALL


def test_an_unclosed_file_is_whole_once_it_kept_still() -> None:
    verdict = judged(SEEN_NOW)
    assert (verdict.whole, verdict.look_again) == (False, NOW + SETTLE)
    assert not judged(SEEN_NOW, NOW + SETTLE - 0.01).whole
    assert judged(SEEN_NOW, NOW + SETTLE).whole


def test_a_backlog_on_a_local_disk_needs_no_wait() -> None:
    old = identity(mtime=NOW - 1000, ctime=NOW - 3)
    assert judged(replace(SEEN_NOW, identity=old)).whole


def test_an_old_modification_time_alone_proves_nothing() -> None:
    moved_in_now = identity(mtime=NOW - 1000, ctime=NOW)
    assert not judged(replace(SEEN_NOW, identity=moved_in_now)).whole


def test_the_times_of_another_machine_prove_nothing() -> None:
    old = identity(mtime=NOW - 1000, ctime=NOW - 1000)
    assert not judged(replace(SEEN_NOW, identity=old, local=False)).whole


@pytest.mark.parametrize(("mtime", "ctime"), [(NOW + 3600, NOW - 10), (NOW - 10, NOW + 3600)])
def test_times_in_the_future_fall_back_on_what_we_saw(mtime: float, ctime: float) -> None:
    observation = replace(SEEN_NOW, identity=identity(mtime=mtime, ctime=ctime))
    assert judged(observation).look_again == NOW + SETTLE
    assert judged(observation, NOW + SETTLE).whole


def test_reserved_space_that_ends_in_zeros_waits_ten_times_as_long() -> None:
    blank = replace(SEEN_NOW, blank_tail=True)
    assert judged(blank).look_again == NOW + 10 * SETTLE
    assert not judged(blank, NOW + 10 * SETTLE - 0.01).whole
    assert judged(blank, NOW + 10 * SETTLE).whole
    assert judged(replace(blank, vouched=True)).whole


def test_an_incomplete_file_stalls() -> None:
    short = replace(SEEN_NOW, lack="incomplete: 0 bytes", local=False)
    assert not judged(short, NOW + STALL - 0.01).stalled
    verdict = judged(short, NOW + STALL)
    assert verdict.stalled
    assert verdict.look_again is None
    assert verdict.reason == "incomplete: 0 bytes, unchanged for 600 s"


def test_an_unchanged_file_keeps_its_time_and_its_voucher() -> None:
    first = replace(SEEN_NOW, vouched=True)
    again = replace(SEEN_NOW, unchanged_since=NOW + 5)
    assert renew(first, again) == replace(again, unchanged_since=NOW, vouched=True)


def test_a_changed_file_begins_anew() -> None:
    first = replace(SEEN_NOW, vouched=True)
    grown = replace(SEEN_NOW, identity=identity(size=9000), unchanged_since=NOW + 5)
    assert renew(first, grown) == grown
    assert renew(None, grown) == grown


def test_a_clock_set_back_does_not_delay_by_the_difference() -> None:
    before = replace(SEEN_NOW, unchanged_since=NOW + 3600, local=False)
    assert renew(before, SEEN_NOW).unchanged_since == NOW
    assert judged(before).look_again == NOW + SETTLE


moments = st.floats(NOW - 5000, NOW + 5000)
observations = st.builds(
    Observation,
    identity=st.builds(identity, size=st.integers(0, 20_000), mtime=moments, ctime=moments),
    unchanged_since=moments,
    vouched=st.booleans(),
    local=st.booleans(),
    lack=st.sampled_from(["", "incomplete: 0 bytes"]),
    blank_tail=st.booleans(),
)
durations = st.just(0.0) | st.floats(0.01, 1000)


@given(observations, moments, durations, durations)
def test_a_file_is_whole_or_stalled_or_looked_at_again(
    observation: Observation, now: float, settle: float, stall: float
) -> None:
    verdict = judge(observation, now, settle, stall)
    again = verdict.look_again is not None
    assert [verdict.whole, verdict.stalled, again].count(True) == 1
    assert verdict.look_again is None or now < verdict.look_again < float("inf")
    assert verdict.reason


@given(observations, moments, durations, durations)
def test_no_short_file_is_ever_whole(
    observation: Observation, now: float, settle: float, stall: float
) -> None:
    if observation.lack:
        assert not judge(observation, now, settle, stall).whole


@given(observations, moments, st.floats(0, 10_000), durations, durations)
def test_time_alone_never_takes_a_verdict_back(
    observation: Observation, now: float, later: float, settle: float, stall: float
) -> None:
    first = judge(observation, now, settle, stall)
    second = judge(observation, now + later, settle, stall)
    assert second.whole >= first.whole
    assert second.stalled >= first.stalled


@given(observations, moments, st.floats(1, 1000), st.floats(1, 1000))
def test_looking_again_when_told_comes_to_an_end(
    observation: Observation, now: float, settle: float, stall: float
) -> None:
    verdict = judge(observation, now, settle, stall)
    for _ in range(2):
        if verdict.look_again is None:
            break
        now = verdict.look_again
        seen = replace(observation, unchanged_since=now, vouched=False)
        observation = renew(observation, seen)
        verdict = judge(observation, now, settle, stall)
    assert verdict.whole or verdict.stalled
