"""Which calibration frames belong together."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import CAMERA, HOUR, MINUTE, calibration_frames, member, members, only_set
from tapewatch.model import CalibrationFrame, Kind
from tapewatch.planning.sets import CalibrationSet, find_sets

TEMPTOL = 2.0
SETGAP = 18.0


def paths(sets: tuple[CalibrationSet, ...]) -> list[list[str]]:
    """Paths of the frames of each set."""
    return [[one.frame.path for one in each.frames] for each in sets]


def darks(*temperatures: float | None) -> list[CalibrationFrame]:
    """Darks a minute apart, each named after its temperature."""
    return [
        member(f"{one}", Kind.DARK, minutes, temperature=one)
        for minutes, one in enumerate(temperatures)
    ]


@given(calibration_frames(), st.data())
def test_the_sets_are_the_same_for_every_order_of_arrival(
    frames: list[CalibrationFrame], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(frames))
    for cut in (False, True):
        one, other = (
            find_sets(each, TEMPTOL, SETGAP, flats_by_exposure=cut) for each in (shuffled, frames)
        )
        assert one == other


@given(calibration_frames(most=16))
def test_a_set_does_not_depend_on_frames_of_another_kind_or_folder(
    frames: list[CalibrationFrame],
) -> None:
    elsewhere = [
        replace(one, frame=replace(one.frame, path=f"other/{one.frame.path}")) for one in frames
    ]
    together = find_sets([*frames, *elsewhere], TEMPTOL, SETGAP)
    assert [one for one in together if not one.folder] == list(find_sets(frames, TEMPTOL, SETGAP))
    for kind in Kind:
        alone = find_sets([one for one in frames if one.frame.kind is kind], TEMPTOL, SETGAP)
        assert alone == tuple(one for one in find_sets(frames, TEMPTOL, SETGAP) if one.kind is kind)


@given(calibration_frames())
def test_flats_that_keep_their_bias_are_of_one_exposure_and_other_sets_as_ever(
    frames: list[CalibrationFrame],
) -> None:
    cut = find_sets(frames, TEMPTOL, SETGAP, flats_by_exposure=True)
    plain = find_sets(frames, TEMPTOL, SETGAP)
    others = [[one for one in sets if one.kind is not Kind.FLAT] for sets in (cut, plain)]
    assert others[0] == others[1]
    for one in cut:
        exposures = [each.frame.exptime for each in one.frames]
        assert one.kind is not Kind.FLAT or max(exposures) <= min(exposures) * 1.001


@given(calibration_frames())
def test_no_content_is_twice_in_a_set_and_none_is_left_out(frames: list[CalibrationFrame]) -> None:
    sets = find_sets(frames, TEMPTOL, SETGAP)
    for one in sets:
        contents = [each.data_hash for each in one.frames if each.data_hash]
        assert len(set(contents)) == len(contents)
    found = [each for one in sets for each in one.frames]
    assert len({each.frame.path for each in found}) == len(found)
    contents_found = {(each.frame.kind, each.data_hash) for each in found if each.data_hash}
    for frame in frames:
        assert frame in found or (frame.frame.kind, frame.data_hash) in contents_found


@given(calibration_frames())
def test_what_is_in_one_set_agrees(frames: list[CalibrationFrame]) -> None:
    for one in find_sets(frames, TEMPTOL, SETGAP):
        inside = [each.frame for each in one.frames]
        assert len({(each.kind, each.filter, each.folder) for each in inside}) == 1
        settings = dict(one.detector.settings)
        for each in inside:
            assert replace(each.detector, settings=()) == replace(one.detector, settings=())
            assert set(each.detector.settings) <= set(settings.items())
        starts = [each.start for each in inside]
        assert all(0 <= later - sooner <= SETGAP * HOUR for sooner, later in pairwise(starts))
        if one.kind is Kind.DARK:
            exposures = [each.exptime for each in inside]
            assert max(exposures) <= min(exposures) * 1.001
            temperatures = {each.temperature for each in inside}
            known = temperatures - {None}
            assert len(known) == len(temperatures) or not known
            assert not known or max(filter(None, known)) - min(filter(None, known)) <= TEMPTOL


def test_darks_are_cut_by_temptol_from_the_coldest() -> None:
    assert paths(find_sets(darks(-17.5, -19.0, -20.0), TEMPTOL, SETGAP)) == [
        ["-17.5"],
        ["-19.0", "-20.0"],
    ]
    assert len(find_sets(darks(-17.5, -19.0), TEMPTOL, SETGAP)) == 1
    assert len(find_sets(darks(-20.0, -18.0), TEMPTOL, SETGAP)) == 1


def test_darks_without_a_temperature_are_a_set_of_their_own() -> None:
    frames = [*darks(None, -20.0), member("another", Kind.DARK, 5)]
    assert paths(find_sets(frames, TEMPTOL, SETGAP)) == [["-20.0"], ["None", "another"]]


@pytest.mark.parametrize("kind", [Kind.BIAS, Kind.FLAT])
def test_bias_and_flats_are_not_cut_by_temperature_or_exposure(kind: Kind) -> None:
    frames = [
        member(f"{number}", kind, number, temperature=-10.0 * number, exptime=1.0 + number)
        for number in range(3)
    ]
    assert len(find_sets(frames, TEMPTOL, SETGAP)) == 1


def test_exposures_within_a_thousandth_are_one_set_of_darks() -> None:
    times = (60.0, 60.05, 60.07, 180.0)
    frames = [member(f"{one:g}", Kind.DARK, exptime=one) for one in times]
    assert sorted(paths(find_sets(frames, TEMPTOL, SETGAP))) == [
        ["180"],
        ["60", "60.05"],
        ["60.07"],
    ]


def test_flats_of_each_filter_are_a_set() -> None:
    frames = [member(name, Kind.FLAT, filter=name) for name in ("R", "r", "g#782", "none")]
    assert len(find_sets(frames, TEMPTOL, SETGAP)) == 4


@pytest.mark.parametrize(("setgap", "sets"), [(18.0, 2), (20.0, 1), (0.0, 1)])
def test_a_set_ends_where_setgap_hours_pass_and_0_means_never(setgap: float, sets: int) -> None:
    frames = [member("a"), member("b", minutes=19 * 60)]
    assert len(find_sets(frames, TEMPTOL, setgap)) == sets


def test_a_frame_in_the_gap_joins_what_was_two_sets() -> None:
    frames = [member("a"), member("b", minutes=30 * 60)]
    assert len(find_sets(frames, TEMPTOL, SETGAP)) == 2
    assert len(find_sets([*frames, member("c", minutes=15 * 60)], TEMPTOL, SETGAP)) == 1


def with_settings(path: str, **settings: str) -> CalibrationFrame:
    """Bias that names some settings of the read-out."""
    return member(path, detector=replace(CAMERA, settings=tuple(sorted(settings.items()))))


def test_a_frame_that_lacks_a_setting_joins_the_others_where_they_agree() -> None:
    frames = [with_settings("a", GAIN="1"), with_settings("b"), with_settings("c", OFFSET="9")]
    (one,) = find_sets(frames, TEMPTOL, SETGAP)
    assert one.detector.settings == (("GAIN", "1"), ("OFFSET", "9"))


def test_a_frame_that_lacks_a_setting_stands_apart_where_the_others_differ() -> None:
    frames = [with_settings("a", GAIN="1"), with_settings("b"), with_settings("c", GAIN="2")]
    assert sorted(paths(find_sets(frames, TEMPTOL, SETGAP))) == [["a"], ["b"], ["c"]]


def test_frames_whose_values_are_of_another_type_are_another_set() -> None:
    kinds = {"a": "float32", "b": "float64", "c": "float32", "d": "float64"}
    told = [
        replace(member(name), frame=replace(member(name).frame, pixels=kind))
        for name, kind in kinds.items()
    ]
    one, other = find_sets(told, TEMPTOL, SETGAP)
    assert paths((one, other)) == [["a", "c"], ["b", "d"]]
    assert one.id != other.id
    assert one.detector == other.detector == CAMERA
    # Frames that an older state file tells of do not say it.
    (both,) = find_sets([*told[::2], member("e")], TEMPTOL, SETGAP)
    assert paths((both,)) == [["a", "c", "e"]]


@pytest.mark.parametrize(
    "other",
    [
        replace(CAMERA, camera="ZWO"),
        replace(CAMERA, shape=(4, 4)),
        replace(CAMERA, binning=(2, 2)),
        replace(CAMERA, window=(1, 0)),
    ],
)
def test_frames_read_out_in_another_way_are_another_set(other: object) -> None:
    assert len(find_sets([member("a"), member("b", detector=other)], TEMPTOL, SETGAP)) == 2


def test_of_two_frames_with_the_same_pixels_the_earlier_counts() -> None:
    frames = [member("late", minutes=1, pixels="x"), member("early", pixels="x")]
    assert paths(find_sets(frames, TEMPTOL, SETGAP)) == [["early"]]


def test_a_set_says_what_the_plan_needs_to_know_of_it() -> None:
    one = only_set(members(Kind.DARK, 3))
    first, _, last = one.frames
    assert one.last is last.frame
    assert one.middle == (first.frame.start + last.frame.start) / 2
    assert one.arrived == last.arrived
    assert one.spacing == MINUTE
    assert one.measured
    assert one.inputs == tuple(each.data_hash for each in one.frames)
    unread = only_set((*one.frames, member("unread", Kind.DARK, 3, pixels=None)))
    assert not unread.measured
    assert unread.inputs == one.inputs


def test_the_id_of_a_set_stays_when_frames_are_added_at_its_end() -> None:
    assert only_set(members(Kind.BIAS, 3)).id == only_set(members(Kind.BIAS, 5)).id
    assert only_set(members(Kind.BIAS, 3)).id != only_set(members(Kind.DARK, 3)).id


def test_no_frames_make_no_sets() -> None:
    assert find_sets([], TEMPTOL, SETGAP) == ()
