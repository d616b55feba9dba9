"""Of a season's masters those that may be chosen: what is chosen of them is chosen of all."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from support_planning import (
    CAMERA,
    DAY,
    EVENING,
    TEMPERATURES,
    frame,
    master,
    parameters,
    policies,
    sequences_of,
    span_of,
)
from tapewatch.model import Frame, Kind, Master, ObjectFrame, Span
from tapewatch.parameters import Parameters
from tapewatch.planning.consensus import Stock, best_for_all
from tapewatch.planning.library import Library
from tapewatch.planning.match import find_dark_of_flat, find_master

WIDE = replace(CAMERA, shape=(16, 16))
KINDS = (Kind.BIAS, Kind.DARK, Kind.FLATDARK, Kind.FLAT)
SEASON = st.lists(
    st.builds(
        master,
        st.text("abcdef", min_size=3, max_size=3),
        st.sampled_from(KINDS),
        st.integers(-20, 20).map(lambda number: 1440.0 * number),
        folder=st.sampled_from(("", "a", "b")),
        exptime=st.sampled_from((60.0, 180.0)),
        temperature=st.sampled_from((-20.0, -19.0, -17.5, None)),
        bias_id=st.sampled_from(("bias", "bias", "")),
        detector=st.sampled_from((CAMERA, CAMERA, WIDE)),
    ),
    min_size=5,
    max_size=40,
    unique_by=lambda one: one.id,
)
BIAS = tuple(master(f"bias{day}", minutes=24 * 60 * day, folder=f"{day}") for day in range(100))


def library(*found: Master, **changes: object) -> Library:
    """Make a library of masters that are all in use."""
    return Library(found, {one.id for one in found}, parameters(**changes))


def span(
    first: float, last: float | None = None, coldest: float = -20.0, warmest: float = -20.0
) -> Span:
    """From one day of the season to another."""
    start = EVENING.timestamp()
    until = start + (first if last is None else last) * DAY
    return Span(start + first * DAY, until, coldest, warmest, all_tell=True)


def ids(found: tuple[Master, ...]) -> list[str]:
    """Their IDs, in order of time."""
    return [one.id for one in sorted(found, key=lambda one: one.start)]


def test_of_masters_that_differ_in_time_alone_the_nearest_are_given() -> None:
    season = library(*BIAS)
    assert ids(season.elsewhere("none", span(50.4))) == ["bias50", "bias51"]
    assert ids(season.elsewhere("none", span(-7))) == ["bias0"]
    assert ids(season.elsewhere("none", span(140))) == ["bias99"]
    assert ids(season.elsewhere("none", span(50.4, 52.4))) == [f"bias{n}" for n in (50, 51, 52, 53)]
    assert ids(season.elsewhere("50", span(50.4))) == ["bias49", "bias51"]


def test_without_frames_there_is_nothing_to_choose() -> None:
    assert library(*BIAS).elsewhere("none", None) == ()


def test_of_two_of_one_time_the_lower_id_is_given() -> None:
    twins = library(*(master(one, folder="there") for one in "bac"))
    assert ids(twins.elsewhere("none", span(-1))) == ["a"]
    assert ids(twins.elsewhere("none", span(1))) == ["a"]


def test_whoever_is_bad_is_given_beside_the_next() -> None:
    assert ids(library(*BIAS).elsewhere("none", span(50.4), {"bias50"})) == [
        *("bias49", "bias50", "bias51")
    ]


COLD = [master(f"cold{n}", Kind.DARK, -1440 * n, temperature=-20.0) for n in (1, 2)]
WARM = [master(f"warm{n}", Kind.DARK, -1440 * n, temperature=-5.0) for n in (3, 30)]


def test_the_nearest_dark_that_suits_all_frames_is_enough() -> None:
    assert ids(library(*COLD, *WARM).elsewhere("none", span(0))) == ["cold1"]


def test_darks_are_given_until_all_frames_are_suited_or_all_is_too_old() -> None:
    both = span(0, coldest=-20.0, warmest=-5.0)
    assert ids(library(*COLD, *WARM).elsewhere("none", both)) == ["warm3", "cold1"]
    young = {"maxage": (90.0, 10.0, 14.0)}
    assert ids(library(*COLD, WARM[1], **young).elsewhere("none", both)) == ["cold1"]
    warmer = span(0, coldest=-5.0, warmest=-5.0)
    assert ids(library(*COLD, *WARM, **young).elsewhere("none", warmer)) == ["warm3"]


def test_where_no_temperature_suits_the_nearest_is_there_to_be_told() -> None:
    assert ids(library(*COLD).elsewhere("none", span(0, coldest=8.0, warmest=9.0))) == ["cold1"]


def test_frames_without_a_temperature_are_suited_by_any() -> None:
    when = span(0)
    unknown = Span(when.first, when.last)
    assert ids(library(*COLD, *WARM).elsewhere("none", unknown)) == ["cold1"]
    some = replace(when, coldest=8.0, warmest=9.0, all_tell=False)
    assert ids(library(*COLD, *WARM).elsewhere("none", some)) == ["warm3", "cold1"]


def test_where_all_are_too_old_the_nearest_is_there_to_be_told() -> None:
    old = [master(f"flat{n}", Kind.FLAT, -1440 * n) for n in (20, 30)]
    assert ids(library(*old).elsewhere("none", span(0))) == ["flat20"]


def test_masters_of_a_folder_are_its_own_whatever_their_version() -> None:
    season = Library(BIAS[:3], {"bias1"}, parameters())
    assert season.of("1") == ((BIAS[1],), frozenset({"bias1"}))
    assert season.of("2") == ((BIAS[2],), frozenset())
    assert season.elsewhere("none", span(1)) == (BIAS[1],)
    assert season.all_elsewhere("none") == (BIAS[1],)
    assert season.all_elsewhere("1") == ()


@settings(max_examples=300)
@given(SEASON, st.data(), policies)
def test_what_is_chosen_of_the_given_is_chosen_of_all(
    found: list[Master], data: st.DataObject, policy: Parameters
) -> None:
    bad = {one.id: "clouds" for one in found if data.draw(st.integers(0, 9)) == 0}
    minutes = data.draw(st.lists(st.integers(-3000, 3000), min_size=1, max_size=4))
    frames = [_frame(data, f"{number}.fits", when) for number, when in enumerate(minutes)]
    whole = span_of(frames)
    elsewhere = [one for one in found if one.folder]
    given = Library(found, {one.id for one in found}, policy).elsewhere("", whole, bad)
    assert set(given) <= set(elsewhere)
    for one in frames:
        for kind in KINDS:
            there, here = (find_master(kind, one, of, policy, bad) for of in (elsewhere, given))
            assert (there.master, there.flags) == (here.master, here.flags)
        there, here = (find_dark_of_flat(one, of, policy, bad) for of in (elsewhere, given))
        assert there.master == here.master
    kinds = tuple(kind for kind in KINDS if kind is not Kind.FLATDARK)
    for sequence in sequences_of(ObjectFrame(one) for one in frames):
        chosen = [
            {
                (exptime, kind): match.master
                for exptime, matches in best_for_all(
                    sequence, Stock(tuple(of), {}, bad, kinds, policy, "")
                ).items()
                for kind, match in matches.items()
            }
            for of in (elsewhere, given)
        ]
        assert chosen[0] == chosen[1]


def _frame(data: st.DataObject, path: str, minutes: int) -> Frame:
    exptime = data.draw(st.sampled_from((0.5, 60.0, 180.0)))
    temperature = data.draw(st.sampled_from(TEMPERATURES))
    return frame(path, minutes=minutes, exptime=exptime, temperature=temperature, detector=CAMERA)
