"""Which master suits a frame, and why each of the others does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import CAMERA, DAY, frame, master, masters, parameters, policies
from tapewatch.model import Detector, Frame, Kind, Master
from tapewatch.parameters import Parameters
from tapewatch.planning.match import Match, find_dark_of_flat, find_master, why_worse
from tapewatch.planning.objections import detector_objection, objection

OBJECT = frame("m13.fits", temperature=-20.0)
WINDOW = replace(CAMERA, shape=(4, 4), window=(2, 3))


def match(*candidates: Master, kind: Kind = Kind.DARK, **changes: object) -> Match:
    """Match the object frame of 60 s with darks, or masters of another kind."""
    return find_master(kind, OBJECT, candidates, parameters(**changes))


def chosen(*candidates: Master, kind: Kind = Kind.DARK, **changes: object) -> str:
    """ID of the master chosen; empty where none suits."""
    found = match(*candidates, kind=kind, **changes).master
    return found.id if found else ""


def dark(identity: str, exptime: float = 60.0, minutes: float = 0.0, **changes: object) -> Master:
    """Master dark."""
    return master(identity, Kind.DARK, minutes, exptime=exptime, **changes)


def reason(candidate: Master, kind: Kind = Kind.DARK, **changes: object) -> str:
    """Say why the only candidate was turned down."""
    found = match(candidate, kind=kind, **changes)
    assert found.master is None
    ((turned_down, why),) = found.turned_down
    assert turned_down is candidate
    return why


def test_the_dark_of_nearest_exposure_is_chosen_and_scaled() -> None:
    found = match(dark("short", 10.0), dark("near", 80.0), dark("long", 180.0))
    assert found.master is not None
    assert found.master.id == "near"
    assert found.scale == 60.0 / 80.0
    assert found.flags == ("SCALED",)


@pytest.mark.parametrize(("shorter", "longer"), [(40.0, 80.0), (59.9, 60.1)])
def test_of_two_darks_equally_near_the_longer_is_chosen(shorter: float, longer: float) -> None:
    assert chosen(dark("shorter", shorter), dark("longer", longer)) == "longer"
    assert chosen(dark("longer", longer), dark("shorter", shorter)) == "longer"


def test_equally_near_is_meant_as_written_in_decimals() -> None:
    brief = replace(OBJECT, exptime=0.3)
    darks = (dark("shorter", 0.2), dark("longer", 0.4))
    found = find_master(Kind.DARK, brief, darks, parameters()).master
    assert found is not None
    assert found.id == "longer"


def test_the_nearest_in_time_is_chosen_and_of_two_equally_near_the_earlier() -> None:
    assert chosen(dark("far", minutes=-50), dark("near", minutes=40)) == "near"
    assert chosen(dark("later", minutes=40), dark("earlier", minutes=-40)) == "earlier"


def test_exposure_matters_more_than_time() -> None:
    assert chosen(dark("now", 180.0), dark("yesterday", 60.0, -24 * 60)) == "yesterday"


def test_the_frames_own_folder_comes_first_at_any_age() -> None:
    own = dark("own", 180.0, -200 * 24 * 60)
    assert chosen(dark("elsewhere", folder="other"), own) == "own"


def test_masters_that_are_otherwise_alike_are_chosen_by_their_id() -> None:
    assert chosen(dark("b"), dark("a")) == chosen(dark("a"), dark("b")) == "a"


@pytest.mark.parametrize(
    ("exptime", "flags"),
    [
        (60.0, ()),
        (60.05, ()),
        (80.0, ("SCALED",)),
        (40.0, ("SCALED", "SCALEDUP")),
        (20.0, ("SCALED", "SCALEDUP")),
        (19.0, ("SCALED", "SCALEDUP", "SCALEDFAR")),
        (181.0, ("SCALED", "SCALEDFAR")),
    ],
)
def test_scaling_is_flagged_by_how_far_it_goes(exptime: float, flags: tuple[str, ...]) -> None:
    assert match(dark("d", exptime)).flags == flags


def test_a_master_more_than_a_day_away_is_flagged() -> None:
    assert match(dark("d", minutes=-24 * 60)).flags == ()
    assert match(dark("d", minutes=-24 * 60 - 1)).flags == ("AGED",)
    assert match(dark("d", minutes=24 * 60 + 1)).flags == ("AGED",)


def test_a_warmer_bias_is_used_and_flagged() -> None:
    assert match(master("b", temperature=-17.0), kind=Kind.BIAS).flags == ("TEMPERATURE",)
    assert match(master("b", temperature=-18.0), kind=Kind.BIAS).flags == ()
    assert match(master("b", temperature=None), kind=Kind.BIAS).flags == ()


def test_a_dark_of_another_temperature_is_turned_down() -> None:
    assert reason(dark("d", temperature=-17.9)) == "temperature -17.9, frame -20.0 (TEMPTOL 2)"
    assert chosen(dark("d", temperature=-18.0)) == "d"
    assert chosen(dark("d", temperature=-17.9), temptol=2.5) == "d"
    assert chosen(dark("d", temperature=None)) == "d"


@pytest.mark.parametrize(
    ("darkscale", "suitable"),
    [("any", {30.0, 60.0, 60.05, 90.0}), ("down", {60.0, 60.05, 90.0}), ("never", {60.0, 60.05})],
)
def test_darkscale_says_which_darks_may_be_scaled(darkscale: str, suitable: set[float]) -> None:
    times = (30.0, 60.0, 60.05, 90.0)
    assert {one for one in times if chosen(dark("d", one), darkscale=darkscale)} == suitable
    if darkscale != "any":
        expected = f"exposure 30 s, frame 60 s (DARKSCALE {darkscale})"
        assert reason(dark("d", 30.0), darkscale=darkscale) == expected


def test_an_exposure_of_0_seconds_takes_nothing_of_a_dark() -> None:
    brief = replace(OBJECT, exptime=0.0)
    found = find_master(Kind.DARK, brief, [dark("d", 80.0)], parameters())
    assert found.scale == 0.0
    assert found.flags == ("SCALED", "SCALEDFAR")


def test_only_a_flat_of_the_same_filter_suits() -> None:
    assert chosen(master("f", Kind.FLAT), kind=Kind.FLAT) == "f"
    other = master("f", Kind.FLAT, filter="r")
    assert reason(other, kind=Kind.FLAT) == "filter r, frame R"


def test_masters_of_another_kind_are_no_candidates() -> None:
    assert match(master("b"), master("f", Kind.FLAT)) == Match(None)


@pytest.mark.parametrize(
    ("kind", "days"), [(Kind.BIAS, 90.0), (Kind.DARK, 90.0), (Kind.FLAT, 14.0)]
)
def test_a_master_of_another_folder_may_be_as_old_as_maxage_says(kind: Kind, days: float) -> None:
    def aged(by: float, folder: str) -> Master:
        one = master("m", kind, folder=folder)
        return replace(one, start=OBJECT.start + by * DAY)

    assert chosen(aged(days, "other"), kind=kind) == "m"
    for age in (-days - 1, days + 1):
        assert reason(aged(age, "other"), kind=kind) == (
            f"{days + 1:.0f} days away, in another folder (MAXAGE {days:g})"
        )
        assert chosen(aged(age, ""), kind=kind) == "m"
        assert chosen(aged(age, "other"), kind=kind, maxage=(0.0, 0.0, 0.0)) == "m"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(CAMERA, camera="ZWO"), "camera ZWO, frame Apogee"),
        (replace(CAMERA, camera=""), "camera unknown, frame Apogee"),
        (replace(CAMERA, binning=(2, 1)), "binning 2x1, frame 1x1"),
        (replace(CAMERA, shape=(4, 6)), "size 6x4, frame 8x8"),
        (replace(CAMERA, window=(5, 0)), "window at 5x0, frame 0x0"),
    ],
)
def test_a_master_read_out_in_another_way_is_turned_down(other: Detector, words: str) -> None:
    assert detector_objection(other, CAMERA) == words
    assert reason(dark("d", detector=other)) == words


def test_settings_count_where_both_name_them() -> None:
    one = replace(CAMERA, settings=(("GAIN", "1"), ("OFFSET", "9")))
    other = replace(CAMERA, settings=(("GAIN", "2"),))
    assert detector_objection(one, other) == "GAIN 1, frame 2"
    assert detector_objection(one, CAMERA) == ""
    assert detector_objection(CAMERA, one) == ""
    assert detector_objection(one, replace(CAMERA, settings=(("OFFSET", "9"),))) == ""


SEVERAL = st.lists(masters, max_size=8, unique_by=lambda one: one.id)
OBJECTS = st.sampled_from((OBJECT, replace(OBJECT, detector=WINDOW, exptime=180.0)))
KINDS = st.sampled_from((Kind.BIAS, Kind.DARK, Kind.FLATDARK, Kind.FLAT))


@given(SEVERAL, OBJECTS, KINDS, policies, st.data())
def test_matching_is_a_total_order_whatever_the_order_of_candidates(
    candidates: list[Master], one: Frame, kind: Kind, policy: Parameters, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates))
    found, again = (find_master(kind, one, each, policy) for each in (candidates, shuffled))
    assert (found.master, found.scale, found.flags) == (again.master, again.scale, again.flags)
    assert found.worse == again.worse
    # Take the best away, and the next is chosen, down to the last: no two are equally good.
    order = [] if found.master is None else [found.master, *found.worse]
    left = list(candidates)
    for each in order:
        assert find_master(kind, one, left, policy).master is each
        left.remove(each)
    assert find_master(kind, one, left, policy).master is None


@given(SEVERAL, OBJECTS, KINDS, policies)
def test_every_candidate_is_chosen_or_worse_or_turned_down_each_with_a_reason(
    candidates: list[Master], one: Frame, kind: Kind, policy: Parameters
) -> None:
    found = find_master(kind, one, candidates, policy)
    told = [each for each, _ in found.turned_down]
    chosen = [] if found.master is None else [found.master]
    of_kind = [each for each in candidates if each.kind is kind]
    assert sorted([*chosen, *found.worse, *told], key=id) == sorted(of_kind, key=id)
    for refused, reason in found.turned_down:
        assert reason
        assert find_master(kind, one, [refused], policy).master is None
    for suitable in (*chosen, *found.worse):
        assert objection(suitable, one, policy) == ""
    if found.master is not None:
        assert all(why_worse(each, found.master, one) for each in found.worse)


@given(SEVERAL, policies)
def test_the_dark_of_a_flat_is_a_flat_dark_of_its_exposure_if_there_is_one(
    candidates: list[Master], policy: Parameters
) -> None:
    flat = frame("flat.fits", Kind.FLAT, temperature=-20.0)
    found = find_dark_of_flat(flat, candidates, policy)
    own, dark = (find_master(k, flat, candidates, policy) for k in (Kind.FLATDARK, Kind.DARK))
    assert found.master is (own.master or dark.master)
    if found.master is not None and found.master.kind is Kind.FLATDARK:
        assert found.master.exptime == pytest.approx(flat.exptime, rel=1.001e-3)
        assert found.scale == 1.0
    if found.master is None:
        refused = [each for each in candidates if each.kind in {Kind.DARK, Kind.FLATDARK}]
        assert len(found.turned_down) == len(refused)


@pytest.mark.parametrize(
    ("best", "other", "words"),
    [
        (dark("b", detector=WINDOW), dark("o"), "was read out just as the frame"),
        (dark("b"), dark("o", folder="other"), "is of the frame's own folder"),
        (dark("b"), dark("o", 40.0), "is nearer in exposure time"),
        (dark("b", 80.0), dark("o", 40.0), "is longer, as near in exposure time"),
        (dark("b", minutes=30), dark("o", minutes=-60), "is nearer in time"),
        (dark("b", minutes=-60), dark("o", minutes=60), "is earlier, as near in time"),
        (dark("b"), dark("o"), "has the lower ID"),
    ],
)
def test_of_masters_that_suit_it_is_said_in_what_the_chosen_one_is_better(
    best: Master, other: Master, words: str
) -> None:
    one = replace(OBJECT, detector=best.detector)
    found = find_master(Kind.DARK, one, [other, best], parameters())
    assert (found.master, found.worse) == (best, (other,))
    assert why_worse(other, best, one) == words
