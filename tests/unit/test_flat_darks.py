"""Darks of flats, and calibration without a bias."""

from dataclasses import replace
from typing import Any

import pytest

from support_planning import NOW, frame, master, member, members, parameters
from tapewatch.model import BuildMaster, Kind, Master, ObjectFrame, Step
from tapewatch.planning.decisions import Facts, Plan
from tapewatch.planning.match import find_dark_of_flat, find_master
from tapewatch.planning.plan import plan

NO_BIAS = (Step.DARK, Step.FLAT)
FLAT = frame("flat.fits", Kind.FLAT, exptime=12.0)
FLATS = members(Kind.FLAT, 5, exptime=12.0)
BIAS = master("bias", folder="elsewhere")


def dark(identity: str, exptime: float = 60.0, kind: Kind = Kind.DARK, **changes: Any) -> Master:  # noqa: ANN401
    """Master dark or flat-dark that keeps its bias."""
    return master(identity, kind, **{"exptime": exptime, "bias_id": "", **changes})


def decide(facts: Facts, **changes: Any) -> Plan:  # noqa: ANN401
    """Plan with the defaults, apart from the fields given."""
    return plan(facts, parameters(**changes), NOW)


def build_of(made: Plan, kind: Kind) -> BuildMaster:
    """Give the one job that combines a set of a kind."""
    (job,) = (j for j in made.jobs if isinstance(j, BuildMaster) and j.master.kind is kind)
    return job


@pytest.mark.parametrize("steps", [NO_BIAS, (Step.DARK,), (Step.FLAT,)])
def test_without_a_bias_in_steps_darks_keep_theirs(steps: tuple[Step, ...]) -> None:
    frames = (*members(Kind.DARK, 5), *members(Kind.FLATDARK, 5, exptime=12.0))
    made = decide(Facts(frames), steps=steps)
    for kind in (Kind.DARK, Kind.FLATDARK):
        job = build_of(made, kind)
        assert (job.bias, job.dark, job.master.bias_id) == (None, None, "")


def test_darks_that_keep_their_bias_serve_their_own_exposure_alone() -> None:
    policy, one = parameters(steps=NO_BIAS), frame("m13.fits")
    for exptime, suits in ((60.0, True), (60.05, True), (60.1, False), (59.9, False)):
        found = find_master(Kind.DARK, one, [dark("d", exptime)], policy)
        assert (found.master is not None) is suits
        assert (found.scale, found.flags) == (1.0, ())
    longer = find_master(Kind.DARK, one, [dark("d", 80.0)], policy)
    assert longer.turned_down[0][1] == (
        "exposure 80 s, frame 60 s (darks keep their bias, for STEPS has none, and are not scaled)"
    )


@pytest.mark.parametrize("kind", [Kind.DARK, Kind.FLAT])
def test_masters_made_for_other_steps_are_turned_down(kind: Kind) -> None:
    one = frame("m13.fits")
    without, having = (master("m", kind, bias_id=bias) for bias in ("", "bias"))
    for steps, suits, reason in (
        (tuple(Step), having, "made without a bias"),
        (NO_BIAS, without, "made with a bias, which STEPS leaves out"),
    ):
        policy = parameters(steps=steps)
        other = having if suits is without else without
        assert find_master(kind, one, [suits], policy).master is suits
        assert find_master(kind, one, [other], policy).turned_down == ((other, reason),)


def test_without_a_bias_flats_take_flat_darks_of_their_exposure() -> None:
    flatdark = dark("flatdark", 12.0, Kind.FLATDARK, folder="elsewhere")
    job = build_of(decide(Facts(FLATS, elsewhere=(flatdark, BIAS)), steps=NO_BIAS), Kind.FLAT)
    assert (job.bias, job.dark) == (None, flatdark)
    made = job.master
    assert (made.bias_id, made.dark_id, made.dark_scale) == ("", "flatdark", 1.0)
    own = dark("dark", 12.0, folder="elsewhere")
    job = build_of(decide(Facts(FLATS, elsewhere=(own,)), steps=NO_BIAS), Kind.FLAT)
    assert job.dark == own


def test_without_a_bias_flats_wait_for_a_dark_of_their_exposure_and_say_so() -> None:
    other = dark("d", 60.0, folder="elsewhere")
    made = decide(Facts(FLATS, elsewhere=(other,)), steps=NO_BIAS)
    assert made.jobs == ()
    assert made.verdicts[0].reason == (
        "5 flat frames wait for a master flatdark 12 s: no flatdark frames yet; or for a master"
        " dark 12 s: dark 60 s in elsewhere 2026-03-25: exposure 60 s, frame 12 s (darks keep their"
        " bias, for STEPS has none, and are not scaled); without a bias in STEPS only a dark of"
        " its exposure takes a flat's pedestal"
    )


def test_without_a_bias_flats_of_two_exposures_are_two_sets() -> None:
    flats = [*FLATS, *(member(f"long{n}", Kind.FLAT, n, exptime=20.0) for n in range(5))]
    darks = [dark(f"{one:g}", one, Kind.FLATDARK, folder="elsewhere") for one in (12.0, 20.0)]
    made = decide(Facts(tuple(flats), elsewhere=tuple(darks)), steps=NO_BIAS)
    jobs = [job for job in made.jobs if isinstance(job, BuildMaster)]
    taken = {job.dark.exptime: job.master.exptime for job in jobs if job.dark}
    assert taken == {12.0: 12.0, 20.0: 20.0}
    assert len(decide(Facts(tuple(flats), elsewhere=(BIAS,))).jobs) == 1


def test_a_version_made_for_other_steps_does_not_stand_for_its_set() -> None:
    darks = members(Kind.DARK, 5)
    (before,) = (j.master for j in decide(Facts(darks, elsewhere=(BIAS,))).jobs)  # type: ignore[union-attr]
    before = replace(before, built=True)
    facts = Facts(darks, masters=(before,), in_use=frozenset({before.id}))
    made = decide(facts, steps=NO_BIAS)
    job = build_of(made, Kind.DARK)
    assert (job.previous, job.master.bias_id) == (None, "")
    assert decide(replace(facts, elsewhere=(BIAS,))).jobs == ()


def test_with_flatdark_flats_take_flat_darks_of_their_exposure_first() -> None:
    policy = parameters(flatdark=True)
    flatdark = dark("flatdark", 12.0, Kind.FLATDARK, bias_id="bias", folder="elsewhere")
    near = dark("near", 12.0, bias_id="bias")
    found = find_dark_of_flat(FLAT, (near, flatdark), policy)
    assert (found.master, found.scale) == (flatdark, 1.0)


@pytest.mark.parametrize(
    ("darkscale", "chosen"), [("any", "short"), ("down", "long"), ("never", None)]
)
def test_else_the_dark_of_nearest_exposure_under_darkscale(
    darkscale: str, chosen: str | None
) -> None:
    policy = parameters(flatdark=True, darkscale=darkscale)
    darks = [dark(name, one, bias_id="b") for name, one in (("short", 10.0), ("long", 60.0))]
    flatdark = dark("flatdark", 13.0, Kind.FLATDARK, bias_id="b")
    found = find_dark_of_flat(FLAT, (*darks, flatdark), policy)
    assert (found.master.id if found.master else None) == chosen
    reasons = {one.id: reason for one, reason in found.turned_down}
    assert reasons["flatdark"] == "exposure 13 s, frame 12 s (flat-darks are not scaled)"
    if chosen:
        assert found.scale == 12.0 / {"short": 10.0, "long": 60.0}[chosen]


def test_with_flatdark_the_darks_come_first_and_their_scale_is_in_the_master() -> None:
    frames = (*FLATS, *members(Kind.DARK, 5, exptime=60.0))
    facts = Facts(frames, elsewhere=(BIAS,))
    first = decide(facts, flatdark=True)
    made = replace(build_of(first, Kind.DARK).master, built=True)
    assert not any(
        isinstance(job, BuildMaster) and job.master.kind is Kind.FLAT for job in first.jobs
    )
    job = build_of(decide(replace(facts, masters=(made,)), flatdark=True), Kind.FLAT)
    assert (job.bias, job.dark) == (BIAS, made)
    assert (job.master.dark_id, job.master.dark_scale) == (made.id, 12.0 / 60.0)
    plain = build_of(decide(replace(facts, masters=(made,))), Kind.FLAT)
    assert (plain.dark, plain.master.dark_id) == (None, "")
    assert plain.master.id != job.master.id


def test_a_dark_must_suit_the_longest_of_sky_flats() -> None:
    flats = tuple(member(f"{s}", Kind.FLAT, s, exptime=float(s)) for s in (20, 12, 9, 7, 5))
    darks = [dark(f"{one:g}", one, bias_id="bias", folder="elsewhere") for one in (6.0, 30.0)]
    facts = Facts(flats, elsewhere=(BIAS, *darks))
    job = build_of(decide(facts, flatdark=True, darkscale="down"), Kind.FLAT)
    assert job.dark == darks[1]
    assert job.master.exptime == 20.0
    assert job.master.dark_scale == 20.0 / 30.0


def test_flat_darks_are_a_kind_of_their_own() -> None:
    one = dark("flatdark", 60.0, Kind.FLATDARK, bias_id="bias")
    flatdarks = members(Kind.FLATDARK, 5, exptime=12.0)
    made = decide(Facts(flatdarks, (ObjectFrame(frame("m13.fits")),), elsewhere=(one, BIAS)))
    assert build_of(made, Kind.FLATDARK).bias == BIAS
    assert [planned.stem for planned in made.sets] == ["wflatdark12s"]
    assert made.matches["m13.fits"][Kind.DARK].master is None
