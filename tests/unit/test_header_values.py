"""Numbers, times and gains, in every spelling that headers have for them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.errors import RejectedError
from tapewatch.headers.times import start_of_exposure
from tapewatch.headers.values import Value, number, pair


@dataclass(frozen=True)
class Cards:
    """A header as a dictionary."""

    values: dict[str, Value]

    def get(self, keyword: str, default: Value = None, /) -> Value:
        return self.values.get(keyword, default)

    def lines(self, _keyword: str, /) -> Iterator[str]:
        return iter(())


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"DATE-OBS": "2019-05-03T07:37:46"}, "2019-05-03T07:37:46"),
        ({"DATE-OBS": "2020-05-30T00:22:49.0968820"}, "2020-05-30T00:22:49.096882"),
        ({"DATE-OBS": "2022-10-14T03:50:51.45"}, "2022-10-14T03:50:51.450000"),
        ({"DATE-OBS": "2013-03-11T03:35:20-0700"}, "2013-03-11T10:35:20"),
        ({"DATE-OBS": "2013-03-11T23:35:20 -07:00"}, "2013-03-12T06:35:20"),
        ({"DATE-OBS": "2013-03-11T03:35:20Z"}, "2013-03-11T03:35:20"),
        ({"DATE-OBS": "2013-03-11 03:35:20 UTC"}, "2013-03-11T03:35:20"),
        ({"DATE-OBS": "2019-05-01", "TIME-OBS": "23:05:12"}, "2019-05-01T23:05:12"),
        ({"DATE-OBS": "2013-07-13", "UT": " 0:57:33"}, "2013-07-13T00:57:33"),
        ({"DATE-OBS": "2020-03-21", "UTSTART": "18:14:26.411"}, "2020-03-21T18:14:26.411000"),
        ({"DATE-OBS": "2020-03-21", "UTC": 489.0}, "2020-03-21T00:00:00"),
        ({"DATE-OBS": "2013/07/13", "UT": "00:57:33"}, "2013-07-13T00:57:33"),
        ({"DATE-OBS": "19/05/94", "TIME-OBS": "15:41:16"}, "1994-05-19T15:41:16"),
        ({"DATE": "03/05/19", "TIME-OBS": "10:54:10"}, "2019-05-03T10:54:10"),
        ({"DATE-BEG": "2019-09-25T05:33:49.5"}, "2019-09-25T05:33:49.500000"),
        ({"DATE-OBS": "2019-09-25", "DATE_BEG": "2019-09-25T05:33:49"}, "2019-09-25T05:33:49"),
        ({"UT-OBS": "2016-01-02T03:04:05"}, "2016-01-02T03:04:05"),
        ({"DATE-OBS": "2016-01-02", "UT-OBS": "03:04:05"}, "2016-01-02T03:04:05"),
        ({"DATE-OBS": "2016-01-02"}, "2016-01-02T00:00:00"),
    ],
)
def test_times(cards: dict[str, Value], expected: str) -> None:
    assert start_of_exposure(Cards(cards))[0] == expected


def test_seconds_count_from_1970() -> None:
    assert start_of_exposure(Cards({"DATE-OBS": "1970-01-02T01:00:00+0100"}))[1] == 86400.0


@pytest.mark.parametrize(
    ("cards", "word"),
    [
        ({"DATE-OBS": "25/08/105   / UT date"}, "DATE-OBS is '25/08/105"),
        ({"DATE-OBS": "2019-02-31"}, "DATE-OBS is '2019-02-31'"),
        ({"DATE-OBS": True}, "DATE-OBS is"),
        ({"DATE": "2019-05-03T10:54:10"}, "no time of exposure"),  # when the file was written
        ({"DATE": "03/05/19"}, "no time of exposure"),
        ({"TIME-OBS": "10:54:10"}, "no time of exposure"),
        ({}, "no time of exposure"),
    ],
)
def test_times_that_are_none(cards: dict[str, Value], word: str) -> None:
    with pytest.raises(RejectedError, match=word):
        start_of_exposure(Cards(cards))


@given(
    st.dictionaries(
        st.sampled_from(["DATE-OBS", "DATE", "TIME-OBS", "UT"]),
        st.text(max_size=30)
        | st.from_regex(r"\d{1,4}[-/]\d{1,2}[-/]\d{1,4}(T\d{1,2}:\d\d:\d\d)?([+-]\d{4})?")
        | st.from_regex(r"\d{1,2}:\d{1,2}:\d{1,2}\.?\d*"),
    )
)
def test_no_time_raises_anything_but_a_refusal(cards: dict[str, Value]) -> None:
    try:
        iso, seconds = start_of_exposure(Cards(cards))
    except RejectedError:
        return
    assert len(iso) >= len("2026-03-25T18:00:00")
    assert math.isfinite(seconds)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        ("5,00000", 5.0),
        (" -72,1 ", -72.1),
        ("120.00  ", 120.0),
        ("1.5E+2", 150.0),
        (".5", 0.5),
        ("1,234.5", None),
        ("abc", None),
        ("nan", None),
        ("1e999", None),
        ("1_000", None),
        ("", None),
        (True, None),
        (None, None),
        (math.inf, None),
        (10**400, None),
    ],
)
def test_numbers(value: Value, expected: float | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2 2"], (2, 2)),
        (["1,1"], (1, 1)),
        (["2*3"], (2, 3)),
        (["4"], (4, 4)),
        (["2", "1"], (2, 1)),
        (["2", ""], None),
        (["2 2 2"], None),
        (["1.5", "2"], None),
    ],
)
def test_pairs(texts: list[str], expected: tuple[int, int] | None) -> None:
    assert pair(texts) == expected
