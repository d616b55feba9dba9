"""Names of products, masters and lists."""

import re
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import CAMERA, calibration_frames, member, members, only_set
from tapewatch.model import CalibrationFrame, Kind
from tapewatch.planning.names import (
    clean_filter,
    exposure_text,
    names_of_twins,
    product_name,
    product_path,
    stem_of,
    stems,
)
from tapewatch.planning.sets import find_sets

SAFE = re.compile(r"[A-Za-z0-9._+-]+")


def stems_of(*frames: CalibrationFrame, combined: tuple[int, ...] = ()) -> list[str]:
    """Stems of the sets that frames make, in their order."""
    sets = find_sets(frames, 2.0, 18.0)
    return list(stems(sets, [sets[number].id for number in combined]).values())


@pytest.mark.parametrize(
    ("raw", "product"),
    [
        ("x.fits", "wx.fits"),
        ("x.FIT", "wx.FIT"),
        ("x.fits.fz", "wx.fits"),
        ("x.fits.GZ", "wx.fits"),
        ("x.fts.bz2", "wx.fts"),
    ],
)
def test_a_product_is_named_after_its_raw_frame(raw: str, product: str) -> None:
    assert product_name(raw) == product
    assert product_path(raw) == product
    assert product_path(f"night/M 13/{raw}") == f"night/M 13/{product}"


@given(st.sampled_from(["", ".gz", ".bz2", ".fz"]))
def test_twins_are_all_raw_frames_whose_product_has_the_same_name(ending: str) -> None:
    path = f"a/X.FITS{ending}"
    twins = names_of_twins(path)
    assert sorted(twins) == ["x.fits", "x.fits.bz2", "x.fits.fz", "x.fits.gz"]
    assert {product_path(f"a/{twin}") for twin in twins} == {product_path(path).lower()}


@pytest.mark.parametrize(
    ("name", "start"),
    [("g#782", "g_782-"), ("../../x", ".._.._x-"), ("sdss g'", "sdss_g_-"), ("\u03b1", "_-")],
)
def test_a_filter_that_cannot_be_a_file_name_is_cleaned_and_marked(name: str, start: str) -> None:
    cleaned = clean_filter(name)
    assert cleaned.startswith(start)
    assert SAFE.fullmatch(cleaned)
    assert len(cleaned) == len(start) + 6


@pytest.mark.parametrize("name", ["R", "sdss_g", "none", "H-alpha", "B+V", "5.0"])
def test_a_filter_that_can_be_a_file_name_stays(name: str) -> None:
    assert clean_filter(name, {"R", "V"}) == name


def test_filters_that_differ_by_case_alone_are_told_apart() -> None:
    names = [clean_filter(name, {"R", "r"}) for name in "Rr"]
    assert len({name.lower() for name in names}) == 2


@given(st.lists(st.text(min_size=1), unique=True, max_size=4))
def test_filters_never_share_a_name_nor_leave_the_folder(names: list[str]) -> None:
    cleaned = [clean_filter(name, names) for name in names]
    assert len({name.lower() for name in cleaned}) == len(names)
    for name in cleaned:
        assert SAFE.fullmatch(name)
        assert len(name) <= 47


@pytest.mark.parametrize(
    ("exptime", "others", "text"),
    [
        (180.0, (), "180"),
        (179.6, (), "180"),
        (0.4, (0.5,), "0.4"),
        (0.5, (0.4,), "0.5"),
        (0.25, (0.24,), "0.25"),
        (0.25, (0.25, 60.0), "0"),
        (1e-7, (2e-7,), "0.000000"),
    ],
)
def test_exposures_that_print_alike_get_more_digits(
    exptime: float, others: tuple[float, ...], text: str
) -> None:
    assert exposure_text(exptime, others) == text


def test_plain_names_are_the_notebooks() -> None:
    frames = (
        member("a"),
        member("b", Kind.DARK, exptime=180.0),
        member("c", Kind.FLAT),
    )
    assert stems_of(*frames) == ["wbias", "wdark180s", "wflatR"]


def test_darks_of_0_4_and_0_5_seconds_have_names_of_their_own() -> None:
    frames = [member(f"{one}", Kind.DARK, exptime=one) for one in (0.4, 0.5, 60.0)]
    assert sorted(stems_of(*frames)) == ["wdark0.4s", "wdark0.5s", "wdark60s"]


def test_of_sets_that_share_a_name_the_newest_with_a_master_has_it() -> None:
    frames = (member("a"), member("b", minutes=60 * 24), member("c", minutes=60 * 48))
    ids = [one.id[:6] for one in find_sets(frames, 2.0, 18.0)]
    assert stems_of(*frames) == [f"wbias-{ids[0]}", f"wbias-{ids[1]}", "wbias"]
    assert stems_of(*frames, combined=(0, 1)) == [f"wbias-{ids[0]}", "wbias", f"wbias-{ids[2]}"]


def test_of_cameras_that_share_a_folder_the_one_with_most_frames_has_the_plain_name() -> None:
    other = replace(CAMERA, camera="ZWO")
    frames = (*members(Kind.BIAS, 3), member("z", minutes=60, detector=other))
    named = stems_of(*frames)
    assert named[0] == "wbias"
    assert re.fullmatch(r"wbias-[0-9a-f]{6}", named[1])


@given(calibration_frames())
def test_no_two_sets_of_a_folder_have_one_name(frames: list[CalibrationFrame]) -> None:
    sets = find_sets(frames, 2.0, 18.0)
    named = stems(sets, {one.id for one in sets[::2]})
    assert named.keys() == {one.id for one in sets}
    assert len({name.lower() for name in named.values()}) == len(sets)
    assert all(SAFE.fullmatch(name) for name in named.values())


def test_names_do_not_depend_on_the_order_of_the_sets() -> None:
    frames = [member("a"), member("b", minutes=60 * 24), member("c", Kind.DARK, exptime=0.4)]
    frames += [member("d", Kind.DARK, exptime=0.5), member("e", Kind.FLAT, filter="r")]
    sets = find_sets(frames, 2.0, 18.0)
    assert len({frozenset(stems(each).items()) for each in permutations(sets)}) == 1


def test_a_version_of_a_master_is_named_whatever_else_the_folder_holds() -> None:
    frames = [member(f"{one}", Kind.DARK, exptime=one) for one in (0.4, 0.5)]
    assert [stem_of(one) for one in find_sets(frames, 2.0, 18.0)] == ["wdark0s", "wdark0s"]
    assert stem_of(only_set((member("x", Kind.FLAT, filter="g#782"),))).startswith("wflatg_782-")
