"""Frames that do not fit their set are found, in sets of known truth; those that do are not."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import parameters
from support_profile import Pixels, a_bias, a_dark, a_flat, across, members
from tapewatch.model import CalibrationFrame, Kind, Profile
from tapewatch.planning.misfits import words
from tapewatch.planning.setcheck import CheckedSet, check_sets
from tapewatch.planning.sets import find_sets

WARN, REJECT = parameters(), parameters(setcheck="reject")
BIASES = [a_bias(seed) for seed in range(5)]
DARKS = [a_dark(seed, 50.0) for seed in range(5)]
FLATS = [a_flat(seed, level) for seed, level in enumerate((9e3, 15e3, 2e4, 3e4, 45e3))]
ROOM = (Kind.BIAS, BIASES), (Kind.DARK, DARKS), (Kind.FLAT, FLATS)


def check(frames: Sequence[CalibrationFrame], *, reject: bool = False) -> tuple[CheckedSet, ...]:
    """Check the sets that frames make."""
    return check_sets(find_sets(frames, 2.0, 18.0), REJECT if reject else WARN)


def doubts(frames: Sequence[CalibrationFrame]) -> dict[str, str]:
    """Give what is said of frames, by path."""
    return {path: words(found) for one in check(frames) for path, found in one.doubts}


def truncated(pixels: Pixels) -> Pixels:
    cut = pixels.copy()
    cut[cut.shape[0] // 2 :] = 0
    return cut


def half_saturated(pixels: Pixels) -> Pixels:
    full = pixels.copy()
    full[:, : full.shape[1] // 10] = 65535
    return full


@pytest.mark.parametrize(("kind", "frames"), ROOM)
def test_frames_of_a_good_set_are_left_in_peace(kind: Kind, frames: list[Pixels]) -> None:
    assert doubts(members(kind, frames)) == {}


OUTLIERS = {
    "bias with light": (Kind.BIAS, BIASES, a_bias(9, 60.0), "its level is 10"),
    "bias with a light leak": (Kind.BIAS, BIASES, a_bias(9, 40 * (across() + 1)), "part of it is"),
    "bias of a noisy read-out": (Kind.BIAS, BIASES, 3 * a_bias(9) - 2000, "scatter by 2"),
    "bias cut short": (Kind.BIAS, BIASES, truncated(a_bias(9)), "50% of its rows hold no image"),
    "dark of a warm sensor": (Kind.DARK, DARKS, a_dark(9, 120.0), "its level is 11"),
    "dark with stars": (Kind.DARK, DARKS, a_flat(9, 50.0, stars=0.02), "stand out"),
    "dark cut short": (Kind.DARK, DARKS, truncated(a_dark(9, 50.0)), "of its rows hold no image"),
    "dark as bright as a flat": (Kind.DARK, DARKS, a_flat(9, 3e4), "a dark as bright as a flat"),
    "bias as bright as a flat": (Kind.BIAS, BIASES, a_flat(9, 2e4), "a bias as bright as a flat"),
    "flat with clouds": (Kind.FLAT, FLATS, a_flat(9, 2e4, 1 + 0.04 * across()), "clouds, or a"),
    "flat with stars": (Kind.FLAT, FLATS, a_flat(9, 1e4, stars=0.004), "in the other flats: stars"),
    "flat too faint": (Kind.FLAT, FLATS, a_flat(9, 2e3), "5% to 90% wanted"),
    "flat too bright": (Kind.FLAT, FLATS, a_flat(9, 61e3), "5% to 90% wanted"),
    "flat saturated": (Kind.FLAT, FLATS, half_saturated(a_flat(9, 5e4)), "% of its pixels are sat"),
    "flat of a bad read-out": (Kind.FLAT, FLATS, truncated(a_flat(9, 2e4)), "hold no image"),
    "flat with noise": (
        *(Kind.FLAT, FLATS),
        a_flat(9, 2e4) + np.random.default_rng(1).normal(0, 600, (256, 384)),
        "scatter by",
    ),
}


@pytest.mark.parametrize("name", OUTLIERS)
@pytest.mark.parametrize("count", [2, 5])
def test_an_odd_frame_is_found_and_no_other(name: str, count: int) -> None:
    kind, good, odd, reason = OUTLIERS[name]
    frames = members(kind, [*good[1:2], odd, *good[2 : count + 1]])
    if kind is Kind.FLAT:
        frames += members(Kind.BIAS, BIASES)
    found = doubts(frames)
    assert list(found) == [f"{kind}1.fits"]
    assert reason in found[f"{kind}1.fits"]
    (one,) = (one for one in check(frames, reject=True) if one.calibration_set.kind is kind)
    assert one.doubts == ()
    assert [(member.frame.path, reason in why) for member, why in one.left_out] == [
        (f"{kind}1.fits", True)
    ]
    assert len(one.calibration_set.frames) == len(good[1 : count + 1])


def test_a_dark_of_another_temperature_makes_a_set_of_its_own_and_a_bias_is_told_of() -> None:
    warm = {"bias4.fits": -15.0, "dark4.fits": -15.0}
    frames = [
        replace(one, frame=replace(one.frame, temperature=warm.get(one.frame.path, -25.0)))
        for kind, pixels in ROOM[:2]
        for one in members(kind, pixels)
    ]
    assert doubts(frames) == {
        "bias4.fits": "taken at -15.0 degrees C, the others at -25.0 (TEMPTOL 2)"
    }
    found = check(frames, reject=True)
    assert [len(one.calibration_set.frames) for one in found] == [5, 4, 1]
    assert all(one.left_out == () for one in found)


def test_the_level_of_a_flat_is_that_over_the_bias() -> None:
    faint = members(Kind.FLAT, [a_flat(1, 2600.0)])
    assert doubts(faint) == {}  # 3,600 of 65,535: for all that is known there is no pedestal
    found = doubts([*faint, *members(Kind.BIAS, BIASES)])
    assert "is 4.0% of SATU (65535), 5% to 90% wanted" in found["flat0.fits"]


def test_two_frames_are_too_few_to_tell_which_is_odd() -> None:
    assert doubts(members(Kind.BIAS, [BIASES[0], a_bias(9, 60.0)])) == {}


def test_nothing_is_compared_before_all_frames_have_been_read() -> None:
    *read, last = members(Kind.BIAS, [*BIASES, a_bias(9, 60.0)])
    assert doubts([*read, last]) != {}
    unread = replace(read[0], data_hash=None, profile=None)
    assert doubts([unread, *read[1:], last]) == {}


def test_a_set_of_which_all_frames_are_odd_is_used() -> None:
    bright = members(Kind.FLAT, [a_flat(seed, 61e3) for seed in range(4)])
    (one,) = check(bright, reject=True)
    assert (len(one.calibration_set.frames), len(one.doubts), one.left_out) == (4, 4, ())


def test_a_set_that_disagrees_with_itself_is_used() -> None:
    leaks = [
        np.where(np.abs(across() - place) < 0.1, 300.0, 0.0)
        for place in (-0.8, -0.4, 0.0, 0.4, 0.8)
    ]
    frames = members(Kind.BIAS, [a_bias(n, leak) for n, leak in enumerate(leaks)])
    (one,) = check(frames, reject=True)
    assert (len(one.calibration_set.frames), len(one.doubts), one.left_out) == (5, 5, ())


def test_flats_that_are_saturated_do_not_hide_that_others_are_odd() -> None:
    full = [half_saturated(a_flat(seed, 5e4)) for seed in range(10, 16)]
    frames = members(Kind.FLAT, [*full, *FLATS, a_flat(9, 2e4, 1 + 0.04 * across())])
    (one,) = check(frames, reject=True)
    assert {member.frame.path for member in one.calibration_set.frames} == {
        f"flat{number}.fits" for number in range(6, 11)
    }


levels = st.sampled_from((300.0, 301.0, 303.0, 360.0, 2e4, 6e4))
profiles = st.builds(
    Profile,
    levels,
    st.sampled_from((5.0, 5.2, 60.0, 900.0)),
    st.lists(st.sampled_from((0.0, 1.0, -300.0)), min_size=64, max_size=64).map(tuple),
    st.sampled_from((0.0, 0.001, 0.1)),
    st.sampled_from((0.0, 0.5)),
    st.sampled_from((0.0, 0.2)),
    st.sampled_from((0.0, 0.02)),
)


@given(
    st.lists(st.tuples(st.sampled_from(list(Kind)[:4]), profiles), max_size=12),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_every_order_of_arrival_gives_the_same_sets(
    drawn: list[tuple[Kind, Profile]], shuffled: random.Random, reject: bool
) -> None:
    frames = [
        replace(one, data_hash=str(number), frame=replace(one.frame, path=f"{number}.fits"))
        for number, (kind, profile) in enumerate(drawn)
        for one in [replace(members(kind, [BIASES[0]])[0], profile=profile)]
    ]
    found = check(frames, reject=reject)
    shuffled.shuffle(frames)
    assert check(frames, reject=reject) == found
    for one in found:
        staying = {member.frame.path for member in one.calibration_set.frames}
        left_out = {member.frame.path for member, _ in one.left_out}
        assert staying
        assert staying.isdisjoint(left_out)
        assert {path for path, _ in one.doubts} <= staying
        assert reject or not left_out
    assert sum(len(one.calibration_set.frames) + len(one.left_out) for one in found) == len(frames)
