"""Headers of products: raw cards byte by byte, changes in their place, values for any reader."""

import math

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.headers.cards import Header, Value, parse_header
from tapewatch.headers.compose import compose, format_card, format_history

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)


def keep(_keyword: str) -> bool:
    return False


def header(*cards: bytes) -> Header:
    return Header(tuple(card.ljust(80) for card in cards))


@given(st.lists(st.binary(min_size=80, max_size=80), max_size=12))
def test_raw_cards_survive_byte_by_byte(cards: list[bytes]) -> None:
    assert compose(Header(tuple(cards)), drop=keep, changes={}) == cards


def test_dropped_changed_and_added_cards() -> None:
    raw = header(
        b"A       = 1",
        b"B       = 'long &'",
        b"CONTINUE  'text'",
        b"COMMENT B = 2",
        b"",
        b"C       = 'also &'",
        b"CONTINUE  'long'",
        b"A       = 3",
        b"D       = 4",
    )
    cards = compose(
        raw,
        drop={"D", "B"}.__contains__,
        changes={"A": (5, "five"), "C": ("short", ""), "NEW": (True, "")},
        history=["one", "two"],
    )
    assert [card.rstrip() for card in cards] == [
        b"A       =                    5 / five",
        b"COMMENT B = 2",
        b"",
        b"C       = 'short   '",
        b"NEW     =                    T",
        b"HISTORY one",
        b"HISTORY two",
    ]


def test_a_change_wins_over_drop() -> None:
    cards = compose(header(b"A = 1"), drop={"A"}.__contains__, changes={"A": (2, "")})
    assert cards == format_card("A", 2)


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT)
def test_astropy_reads_what_was_written(value: Value) -> None:
    if isinstance(value, int) and not -(10**60) < value < 10**60:
        value = 0
    cards = format_card("KEY", value)
    assert all(len(card) == 80 for card in cards)
    expected = value.rstrip() if isinstance(value, str) else value
    assert fits.Header.fromstring(b"".join(cards))["KEY"] == expected
    assert parse_header(b"".join(cards)).get("KEY") == expected


@pytest.mark.parametrize("before", range(4))
def test_quotes_in_a_long_text_are_never_parted(before: int) -> None:
    value = "x" * before + "'" * 150
    for card in (cards := format_card("KEY", value)):
        text = card[10:].decode().rstrip().removeprefix("'").rstrip("&").removesuffix("'")
        assert text.count("'") % 2 == 0
    assert parse_header(b"".join(cards)).get("KEY") == value


@given(st.text(max_size=200), st.text(max_size=100))
def test_any_text_becomes_printable_ascii(value: str, comment: str) -> None:
    cards = format_card("KEY", value, comment) + format_history(comment)
    assert all(len(card) == 80 and min(card) >= 32 and max(card) <= 126 for card in cards)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_fits_cannot_write_has_no_value(value: float | None) -> None:
    (card,) = format_card("KEY", value, "none")
    assert parse_header(card).get("KEY", 1) is None
    assert card.rstrip().endswith(b"/ none")


def test_escapes_are_readable() -> None:
    assert format_card("OBJECT", "Café\n")[0].rstrip() == rb"OBJECT  = 'Caf\xe9\n'"


def test_long_keywords_are_hierarch() -> None:
    (card,) = format_card("ESO DPR TYPE", "BIAS", "kind")
    assert fits.Card.fromstring(card).keyword == "ESO DPR TYPE"
    assert parse_header(card).get("ESO DPR TYPE") == "BIAS"


def test_history_is_wrapped_without_losing_a_word() -> None:
    line = "object-0001.fits: bias wbias.fits, dark wdark180s.fits x 1.1111, flat " + "x" * 100
    cards = format_history(line)
    assert len(cards) > 1
    text = "".join(card.decode().rstrip().removeprefix("HISTORY ") for card in cards)
    assert text.replace(" ", "") == line.replace(" ", "")
