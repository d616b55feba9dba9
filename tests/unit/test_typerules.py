"""TYPERULES, INSTRUMENT and the frames that a camera writes twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.errors import ParameterError, RejectedError
from tapewatch.headers.cards import Header
from tapewatch.headers.classify import classify
from tapewatch.headers.compose import format_card
from tapewatch.headers.twins import raw_copies, subtracted_copy, superseded
from tapewatch.headers.typerules import kind_by_rule, matches_glob, parse_rules, rule_to_add
from tapewatch.headers.values import Value
from tapewatch.model import Frame, Kind

CARDS: dict[str, Value] = {
    "DATE-OBS": "2026-03-25T18:00:00",
    "EXPTIME": 30.0,
    "FILTER": "R",
    "INSTRUME": "ZWO ASI294MC Pro",
}


def header(**changes: Value) -> Header:
    cards = CARDS | changes
    return Header(tuple(card for name, value in cards.items() for card in format_card(name, value)))


def frame(path: str, **changes: Value) -> Frame:
    return classify(path, header(IMAGETYP="LIGHT", **changes), (512, 768))


def test_rules_are_read_in_order() -> None:
    assert parse_rules("flat:*flat*,Dark:dk/*") == ((Kind.FLAT, "*flat*"), (Kind.DARK, "dk/*"))
    assert parse_rules("none") == ()


@pytest.mark.parametrize("text", ["", "flat", "flat:", ":x", "lamp:*x*", "flat:*x*,", "flat,*x*"])
def test_what_is_no_rule_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ParameterError, match=r"allowed are rules as flat:\*flat\*"):
        parse_rules(text)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("FLATS/a.fits", Kind.FLAT),  # anywhere below WATCHDIR, whatever the case
        ("2026/flats/dark1.fits", Kind.FLAT),  # the first rule that matches
        ("Pencil65.FLAT.FIT", Kind.FLAT),
        ("d/dark1.fits", Kind.DARK),
        ("m13.fits", None),
    ],
)
def test_the_first_rule_that_matches_decides(path: str, kind: Kind | None) -> None:
    assert kind_by_rule(path, parse_rules("flat:*flat*,dark:*dark*")) is kind


@pytest.mark.parametrize(
    ("text", "pattern", "matched"),
    [
        ("ZWO ASI294MC Pro", "ZWOASI294*", True),  # blanks do not count: tape.par has none
        ("ZWO ASI294MC Pro", "zwo asi294mc pro", True),
        ("ZWO ASI294MC Pro", "ASI294", False),  # the whole name
        ("", "*", True),
        ("a1.fits", "a?.fits", True),
        ("a12.fits", "a?.fits", False),
        ("x[1].fits", "x[1].fits", True),  # brackets are letters
        ("x1.fits", "x[1].fits", False),
        ("xafits", "x.fits", False),
        ("a\nb", "a*", True),
    ],
)
def test_patterns(text: str, pattern: str, *, matched: bool) -> None:
    assert matches_glob(text, pattern) is matched


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_pattern_is_an_error(text: str, pattern: str) -> None:
    assert matches_glob(text, pattern) in {True, False}
    assert matches_glob(text, "*")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("Pencil65.FLAT.FIT", "TYPERULES flat:*flat*"),
        ("uw/slitview.00000352.BIAS.FIT", "TYPERULES bias:*bias*"),
        ("Dark Flats/a.fits", "TYPERULES flatdark:*darkflat*"),
        ("darks/300s.fits", "TYPERULES dark:*dark*"),
        ("n/M13-001.fits", "TYPERULES object:*M13*"),
        ("n/IMG0001.fits", "TYPERULES object:*IMG*"),
        ("n/0001.fits", "TYPERULES object:*"),
    ],
)
def test_the_rule_to_add_would_match(path: str, rule: str) -> None:
    assert rule_to_add(path) == rule
    assert kind_by_rule(path, parse_rules(rule.split()[1])) is not None


@given(st.text(max_size=30))
def test_whatever_the_name_the_rule_to_add_can_be_read_and_matches(path: str) -> None:
    word, rule = rule_to_add(path).split()
    assert word == "TYPERULES"
    assert "#" not in rule
    assert kind_by_rule(path, parse_rules(rule)) is not None


def test_a_frame_without_a_type_is_refused_with_the_rule_to_add() -> None:
    with pytest.raises(RejectedError, match=r"no frame type .* TYPERULES flat:\*flat\*"):
        classify("n/flat1.fits", header(), (512, 768))


def test_a_rule_goes_over_the_header() -> None:
    rules = parse_rules("flat:flats/*,other:guide/*,dark:zero/*")
    lamp = header(OBSTYPE="LAMPFLAT", OBJECT="sky flat")
    assert classify("flats/a.fits", lamp, (512, 768), rules=rules).kind is Kind.FLAT
    assert classify("flats/a.fits", header(), (512, 768), rules=rules).filter == "R"
    zero = header(EXPTIME=0.0)
    assert classify("zero/a.fits", zero, (512, 768), rules=rules).kind is Kind.BIAS
    with pytest.raises(RejectedError, match="TYPERULES say"):
        classify("guide/a.fits", header(IMAGETYP="LIGHT"), (512, 768), rules=rules)
    with pytest.raises(RejectedError, match="already calibrated"):
        classify("flats/a.fits", header(CALSTAT="BD"), (512, 768), rules=rules)


def test_only_the_cameras_that_are_named_are_taken() -> None:
    light = header(IMAGETYP="LIGHT")
    for patterns in ((), ("*",), ("ZWOASI294MCPro",), ("Moravian*", "zwo*")):
        assert classify("a.fits", light, (512, 768), instruments=patterns).kind is Kind.OBJECT
    with pytest.raises(RejectedError, match=r"another camera: 'ZWO ASI294MC Pro', INSTRUMENT is M"):
        classify("a.fits", light, (512, 768), instruments=("Moravian*",))


def test_names_of_frames_that_are_written_twice() -> None:
    assert "n/X.NOAUTODARK.FIT" in raw_copies("n/X.FIT")
    assert raw_copies("n/X.NOAUTODARK.FIT") == ()
    assert raw_copies("n.d/X") == ()
    assert subtracted_copy("n/X.NOAUTODARK.FIT") == "n/X.FIT"
    assert subtracted_copy("n/X.FIT") == ""


def test_of_two_copies_the_raw_one_counts() -> None:
    subtracted, raw = frame("n/X.FIT"), frame("n/X.NOAUTODARK.FIT")
    assert superseded(subtracted, raw) == (
        "the camera subtracted a dark: its raw copy X.NOAUTODARK.FIT is used"
    )
    assert not superseded(raw, subtracted)
    assert not superseded(subtracted, subtracted)


@pytest.mark.parametrize("change", [{"exptime": 31.0}, {"date_obs": "2026-03-25T18:01:00"}])
def test_a_like_name_is_not_enough(change: dict[str, str]) -> None:
    raw = replace(frame("n/X.NOAUTODARK.FIT"), **change)  # type: ignore[arg-type]
    assert not superseded(frame("n/X.FIT"), raw)
