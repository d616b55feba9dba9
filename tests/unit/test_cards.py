"""Cards: values as astropy reads them, and nothing that a camera writes is an error."""

import math
import pickle

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.headers.cards import LONGEST_TEXT, Header, Value, merge, parse_header

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150)
KEYWORD = st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True).filter(
    lambda keyword: keyword not in {"END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH"}
)
VALUE = (
    PRINTABLE
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
)


def header(*cards: str) -> Header:
    return parse_header("".join(card.ljust(80) for card in (*cards, "END")).encode("latin-1"))


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("A       =                  -17 / number", -17),
        ("A       = +007", 7),
        ("A       =              1.5E+03 / seconds", 1500.0),
        ("A       = 2.5D-3", 0.0025),
        ("A       = - 4. e 2", -400.0),
        ("A       = .5/no blank", 0.5),
        ("A       = 1E400", math.inf),
        ("A       =                    T", True),
        ("A       =                    F / no", False),
        ("A       = 'M 13    '           / target", "M 13"),
        ("A       = 'Barnard''s / star' / of 1916", "Barnard's / star"),
        ("A       = '''/'", "'/"),
        ("A       = '  kept'", "  kept"),
        ("A       = ''", ""),
        ("A       = 'never closed", "never closed"),
        ("A       =                      / nothing", None),
        ("A       =", None),
        ("A       = (1, 2) / complex", "(1, 2)"),
        ("A       = 2020-01-01T00:00:00 / unquoted", "2020-01-01T00:00:00"),
        ("A       = 03/05/19", 3),
        ("A       = 1_000", "1_000"),
        ("A       = nan", "nan"),
        ("A = 5", 5),
        ("a       = 5", 5),
        ("A         no value here", "  no value here"),
    ],
)
def test_value_of_a_card(card: str, value: Value) -> None:
    found = header(card).get("A")
    assert found == value
    assert type(found) is type(value)


def test_first_of_duplicates_wins_and_absent_gives_the_default() -> None:
    example = header("A       = 1", "A       = 2", "B       =")
    assert example.get("A") == 1
    assert example.get("C") is None
    assert example.get("C", 9) == 9
    assert example.get("B", 9) is None
    assert "B" in example
    assert "C" not in example
    assert example.keywords == ("A", "B")


def test_hierarch_is_reached_without_its_prefix() -> None:
    example = header("HIERARCH ESO DPR TYPE = 'SKY,FLAT' / kind", "HIERARCH ESO DET CHIPS = 1")
    assert example.get("ESO DPR TYPE") == "SKY,FLAT"
    assert example.get("ESO DET CHIPS") == 1


def test_long_text_is_joined() -> None:
    example = header(
        "A       = 'one &'", "CONTINUE  'two &' / x", "CONTINUE  'three'", "B       = 'x&'"
    )
    assert example.get("A") == "one two three"
    assert example.get("B") == "x&"
    assert example.keywords == ("A", "B")


def test_a_text_of_any_number_of_cards_is_read_at_once_and_cut() -> None:
    example = header("A       = 'a&'", *["CONTINUE  'b&'"] * 18_000, "B       = 1")
    assert example.get("A") == "a" + "b" * (LONGEST_TEXT - 1)
    assert len(example.cards) == 18_002
    assert example.get("B") == 1


def test_commentary_is_listed_in_order_and_blank_cards_are_not() -> None:
    example = header("HISTORY Bias corrected", "", "A       = 1", "COMMENT A = 2", "HISTORY more")
    assert list(example.items()) == [
        ("HISTORY", "Bias corrected"),
        ("A", 1),
        ("COMMENT", "A = 2"),
        ("HISTORY", "more"),
    ]


def test_odd_bytes_are_shown_and_utf8_is_read() -> None:
    data = b"A       = '20\xb0'".ljust(80) + "B       = 'Café'".encode().ljust(80)
    assert parse_header(data).get("A") == r"20\xb0"
    assert parse_header(data).get("B") == "Café"


def test_cards_are_kept_verbatim_without_end_and_trailing_blank_cards() -> None:
    odd = b"ODD\x00\xff card".ljust(80)
    data = odd + b" " * 80 + b"A       = 1".ljust(80) + b" " * 160 + b"END".ljust(80) + b"junk"
    assert parse_header(data).cards == (odd, b" " * 80, b"A       = 1".ljust(80))


def test_end_within_a_card_does_not_end_the_header() -> None:
    assert header("A       = 'END     '", "B       = 1").get("B") == 1


@given(st.binary(max_size=700) | st.lists(st.binary(min_size=80, max_size=80)).map(b"".join))
def test_no_bytes_are_an_error(data: bytes) -> None:
    example = parse_header(data)
    assert len(list(example.items())) >= len(example.keywords)
    assert all(len(card) == 80 for card in example.cards)
    assert all(keyword in example for keyword in example.keywords)
    merge(example, example)


@given(
    st.sampled_from(["A       = ", "HIERARCH A = ", "A       =", "CONTINUE  "]),
    st.binary(max_size=70),
)
def test_no_value_is_an_error(start: str, value: bytes) -> None:
    parse_header((start.encode() + value)[:80].ljust(80)).get("A")


@given(st.lists(st.tuples(KEYWORD, VALUE), max_size=20))
def test_values_are_those_that_astropy_wrote(content: list[tuple[str, Value]]) -> None:
    theirs = fits.Header()
    for keyword, value in content:
        theirs.append((keyword, value), end=True)
    ours = parse_header(theirs.tostring().encode("ascii"))
    read_back = fits.Header.fromstring(theirs.tostring())
    for keyword, written in dict(reversed(content)).items():  # the first wins
        # A number as its digits were written; a text as it was, for of "'/" astropy reads "'".
        expected = written.rstrip() if isinstance(written, str) else read_back[keyword]
        assert ours.get(keyword) == expected
        assert type(ours.get(keyword)) is type(expected)


def test_extension_wins_over_primary_but_lacks_nothing() -> None:
    primary = header(
        "A       = 1",
        "B       = 'long &'",
        "CONTINUE  'text'",
        "HISTORY old",
        "C = 'x&'",
        "CONTINUE  'y'",
    )
    extension = header("A       = 2", "C       = 3", "HISTORY new")
    both = merge(primary, extension)
    assert (both.get("A"), both.get("B"), both.get("C")) == (2, "long text", 3)
    assert [value for keyword, value in both.items() if keyword == "HISTORY"] == ["new", "old"]
    assert b"CONTINUE  'y'".ljust(80) not in both.cards


def test_header_can_be_hashed_compared_and_sent_to_a_worker() -> None:
    example = header("A       = 1")
    assert hash(example) == hash(header("A       = 1"))
    assert pickle.loads(pickle.dumps(example)).get("A") == 1  # noqa: S301 - our own bytes


def test_lines_of_history_come_in_order_and_those_of_other_keywords_do_not() -> None:
    example = header(
        "HISTORY first", "A       = 1", "COMMENT other", "HISTORY second", "HISTORYX=2"
    )
    assert list(example.lines("HISTORY")) == ["first", "second"]
    assert list(header("A       = 1").lines("HISTORY")) == []
