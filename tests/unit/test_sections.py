"""Sections of an image: what headers mean by them, and what the header of the rest says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.headers.cards import Header, parse_header
from tapewatch.headers.compose import format_card
from tapewatch.headers.sections import Section, parse_section, readout, whole
from tapewatch.headers.trimmed import trimmed_header

SHAPE = (520, 536)


def header(**cards: str | float) -> Header:
    named = {keyword.replace("_", " "): value for keyword, value in cards.items()}
    return parse_header(b"".join(b"".join(format_card(*card)) for card in named.items()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[17:528,1:520]", Section(0, 520, 16, 528)),
        ("[  17: 528,   1: 520]", Section(0, 520, 16, 528)),
        (" [528:17,520:1] ", Section(0, 520, 16, 528)),
        ("[*,1:10]", Section(0, 10, 0, 536)),
        ("[3:3,*]", Section(0, 520, 2, 3)),
        ("[0,513:0,1536]", None),
        ("UNKNOWN", None),
        ("[1:2]", None),
        ("[1:2,3:4", None),
        ("[-1:2,3:4]", None),
        ("", None),
    ],
)
def test_a_section_is_read_as_iraf_writes_it(text: str, expected: Section | None) -> None:
    assert parse_section(text, SHAPE) == expected


@given(st.tuples(*[st.integers(1, 9999)] * 4))
def test_a_section_is_written_as_it_is_read(ends: tuple[int, int, int, int]) -> None:
    text = "[{}:{},{}:{}]".format(*ends)
    section = parse_section(text)
    assert section is not None
    assert parse_section(str(section)) == section
    (left, right), (top, bottom) = sorted(ends[:2]), sorted(ends[2:])
    assert section.shape == (bottom - top + 1, right - left + 1)


@given(st.text(max_size=20))
def test_no_text_makes_a_section_fail(text: str) -> None:
    found = readout(header(TRIMSEC="x", BIASSEC=repr(text)[1:-1]), SHAPE)
    assert found.trim.within(SHAPE)


def test_overscan_columns_give_a_level_a_row() -> None:
    found = readout(header(TRIMSEC="[17:528,1:520]", BIASSEC="[4:13,1:520]"), SHAPE)
    assert str(found.trim) == "[17:528,1:520]"
    assert [(str(one.overscan), one.axis) for one in found.amplifiers] == [("[4:13,1:520]", 1)]
    assert not found.changes_nothing(SHAPE)


@pytest.mark.parametrize(
    ("overscan", "axis"),
    [("[1:536,500:520]", 0), ("[7:530,500:520]", 0), ("[8:530,500:520]", None)],
)
def test_overscan_rows_give_a_level_a_column_and_others_one_for_all(
    overscan: str, axis: int | None
) -> None:
    (one,) = readout(header(DATASEC="[7:530,1:490]", BIASSEC=overscan), SHAPE).amplifiers
    assert one.axis == axis


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"BIASSEC": "UNKNOWN"}, "BIASSEC is 'UNKNOWN', no section"),
        ({"BIASSEC": "[0,513:0,1536]"}, "no section"),
        ({"TRIMSEC": "[52:1075,1:512]"}, "not within the image of 536x520 pixels"),
        ({"TRIMSEC": "[0:10,1:10]"}, "not within"),
        ({"DATASEC": "[1:500,1:520]", "BIASSEC": "[490:536,1:520]"}, "lies within the data"),
        ({"BIASSEC": "[500:536,1:520]"}, "lies within the data"),
    ],
)  # fmt: skip
def test_sections_of_no_use_are_ignored_with_a_reason(cards: dict[str, str], reason: str) -> None:
    found = readout(header(**cards), SHAPE)
    assert any(reason in warning for warning in found.warnings), found.warnings
    assert all(one.overscan is None for one in found.amplifiers)


def test_a_section_of_no_use_does_not_hide_a_better_one() -> None:
    found = readout(header(TRIMSEC="UNKNOWN", DATASEC="[1:500,1:520]"), SHAPE)
    assert str(found.trim) == "[1:500,1:520]"
    assert len(found.warnings) == 1


def test_no_sections_change_nothing() -> None:
    assert readout(header(), SHAPE).changes_nothing(SHAPE)
    assert readout(header(DATASEC="[1:536,1:520]"), SHAPE).changes_nothing(SHAPE)


def test_two_amplifiers_have_an_overscan_each() -> None:
    found = readout(
        header(
            DATASEC1="[21:268,1:520]", BIASSEC1="[1:20,1:520]",
            DATASEC2="[269:516,1:520]", BIASSEC2="[517:536,1:520]",
        ),
        SHAPE,
    )  # fmt: skip
    assert str(found.trim) == "[21:516,1:520]"
    assert [str(one.overscan) for one in found.amplifiers] == ["[1:20,1:520]", "[517:536,1:520]"]


def test_amplifiers_with_a_gap_between_them_are_left_as_they_are() -> None:
    found = readout(
        header(
            TSEC11="[1:248,1:520]", BSEC11="[249:268,1:520]",
            TSEC12="[289:536,1:520]", BSEC12="[269:288,1:520]",
        ),
        SHAPE,
    )  # fmt: skip
    assert found.changes_nothing(SHAPE)
    assert "2 amplifiers do not lie side by side" in found.warnings[0]


@pytest.mark.parametrize(("corner", "trim"), [(1, "[7:536,1:514]"), (2048, "[1:530,1:514]")])
def test_margins_of_eso_lie_on_the_side_of_the_amplifier(corner: int, trim: str) -> None:
    cards = {
        "ESO_DET_OUTPUTS": 1, "ESO_DET_OUT1_X": corner, "ESO_DET_OUT1_Y": 1,
        "ESO_DET_OUT1_PRSCX": 6, "ESO_DET_OUT1_OVSCX": 0,
        "ESO_DET_OUT1_PRSCY": 0, "ESO_DET_OUT1_OVSCY": 6,
    }  # fmt: skip
    found = readout(header(**cards), SHAPE)
    assert str(found.trim) == trim
    assert found.amplifiers[0].axis == 1
    assert readout(header(**cards | {"ESO_DET_OUTPUTS": 2}), SHAPE).changes_nothing(SHAPE)


def test_the_header_counts_from_the_new_corner() -> None:
    raw = header(
        TRIMSEC="[17:528,11:520]", BIASSEC="[4:13,1:520]", DATASEC="[17:528,11:520]",
        CRPIX1=100.5, CRPIX2=200, CRPIX1A=1.0, LTV2=0.0, CRVAL1=5.0, BIASSEC2="[1:2,1:2]",
    )  # fmt: skip
    left = trimmed_header(raw, readout(raw, SHAPE))
    values = {keyword: left.get(keyword) for keyword in left.keywords if keyword != "HISTORY"}
    assert values == {
        "CRPIX1": 84.5, "CRPIX2": 190.0, "CRPIX1A": -15.0, "LTV2": -10.0, "CRVAL1": 5.0,
        "DATASEC": "[1:512,1:510]", "TWTRIM": "[17:528,11:520]", "TWOVSCAN": "[4:13,1:520]",
    }  # fmt: skip
    assert list(left.lines("HISTORY")) == [
        "  less overscan [4:13,1:520], median per row",
        "  trimmed to [17:528,11:520]",
    ]


@pytest.mark.parametrize("left", [0, 1, 2, 3])
@pytest.mark.parametrize("top", [0, 1, 2])
@pytest.mark.parametrize("offset", [None, 0, 1])
def test_every_pixel_keeps_its_colour(left: int, top: int, offset: int | None) -> None:
    """Against the colour of each pixel, told by pattern and offsets before and after."""

    def colour(cards: Header, x: int, y: int) -> str:
        pattern = str(cards.get("BAYERPAT"))
        shift_x, shift_y = (cards.get(key, 0) for key in ("XBAYROFF", "YBAYROFF"))
        assert isinstance(shift_x, int)
        assert isinstance(shift_y, int)
        return pattern[(x + shift_x) % 2 + 2 * ((y + shift_y) % 2)]

    cards: dict[str, str | float] = {"BAYERPAT": "RGXB"}
    if offset is not None:
        cards |= {"XBAYROFF": offset, "YBAYROFF": 1}
    raw = header(**cards, TRIMSEC=str(Section(top, 20, left, 30)))
    after = trimmed_header(raw, readout(raw, SHAPE))
    for x, y in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        assert colour(after, x, y) == colour(raw, x + left, y + top)


def test_the_whole_is_within_and_meets_itself() -> None:
    assert whole(SHAPE).within(SHAPE)
    assert whole(SHAPE).meets(Section(519, 520, 535, 536))
    assert not whole((10, 10)).meets(Section(10, 11, 0, 10))
