"""Where header, name and pixels contradict each other, it is told, with what to do."""

import numpy as np
import pytest

from support_planning import Cards, frame
from support_profile import a_dark, a_flat, across, profile_of
from tapewatch.headers.doubts import exposed_bias, flat_by_name, light_or_flat
from tapewatch.headers.typerules import kind_by_rule, parse_rules
from tapewatch.model import Kind
from tapewatch.planning.contents import contradiction, looks_like_a_flat


@pytest.mark.parametrize(
    ("kind", "cards", "reason"),
    [
        (Kind.BIAS, {"EXPTIME": 0.0}, ""),
        (Kind.BIAS, {"EXPTIME": 0.03}, ""),
        (Kind.BIAS, {"EXPTIME": "0,00000"}, ""),
        (Kind.BIAS, {}, ""),
        (Kind.BIAS, {"EXPTIME": 30.0}, "a bias whose EXPTIME is 30 s, expected 0"),
        (Kind.BIAS, {"EXPOSURE": "5,0"}, "a bias whose EXPOSURE is 5,0 s, expected 0"),
        (Kind.DARK, {"EXPTIME": 30.0}, ""),
    ],
)
def test_a_bias_with_an_exposure_is_told(kind: Kind, cards: dict[str, object], reason: str) -> None:
    found = exposed_bias(frame("x.fits", kind), Cards(cards))
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("path", "kind", "rule"),
    [
        ("Flat-1s_01.fit", Kind.OBJECT, "TYPERULES flat:*flat*"),
        ("flats/IMG_0001.fit", Kind.OBJECT, "TYPERULES flat:*flat*"),
        ("2026-03-25/AutoFlat/R/0001.fit", Kind.OBJECT, "TYPERULES flat:*flat*"),
        ("flattest.fit", Kind.BIAS, "TYPERULES flat:*flat*"),
        ("domeflat_R_001.fits", Kind.DARK, "TYPERULES flat:*flat*"),
        ("Flat-1s_01.fit", Kind.FLAT, ""),
        ("flats/bias-0001.fit", Kind.BIAS, ""),
        ("flats/dark_for_flats_1.fit", Kind.DARK, ""),
        ("dark_flat_1.fit", Kind.FLATDARK, ""),
        ("Flatiron_R_1.fit", Kind.OBJECT, ""),
        ("inflated-planet/WASP-17_1.fit", Kind.OBJECT, ""),
        ("DarkSky-300s.fit", Kind.OBJECT, ""),
        ("M13_R_0001.fit", Kind.OBJECT, ""),
    ],
)
def test_what_is_called_a_flat_and_is_none_by_its_header_is_told(
    path: str, kind: Kind, rule: str
) -> None:
    found = flat_by_name(frame(path, kind))
    assert found == rule
    if rule:
        rules = parse_rules(found.removeprefix("TYPERULES "))
        assert kind_by_rule(path, rules) is Kind.FLAT


@pytest.mark.parametrize(
    ("path", "target", "rule"),
    [
        ("IMG_0001.fit", "", "TYPERULES flat:*IMG*"),
        ("0001 R.fit", "", "TYPERULES flat:*0001R.fit*"),
        ("Flat-1s_01.fit", "M13", "TYPERULES flat:*flat*"),
        ("M13_0001.fit", "M13", ""),
    ],
)
def test_the_rule_is_told_where_nothing_speaks_against_a_flat(
    path: str, target: str, rule: str
) -> None:
    told = light_or_flat(frame(path, object=target), "bright")
    assert told.startswith("by its header a light (object), and it looks like a flat: bright")
    assert told.partition("tape.par has to say so: ")[2] == rule
    if rule:
        assert kind_by_rule(path, parse_rules(rule.removeprefix("TYPERULES "))) is Kind.FLAT


def test_a_flat_is_told_by_its_pixels_and_a_sky_is_not() -> None:
    flat = profile_of(a_flat(1, 2e4) - 1000)
    assert looks_like_a_flat(flat, 65535).startswith("its level of 19")
    others = {
        "dark sky": a_flat(1, 2e3),
        "bright sky with stars": a_flat(1, 2e4, stars=0.002),
        "moonlight on clouds": a_flat(1, 2e4, 1 + 0.5 * across()),
        "spectrum": a_flat(1, 2e4, 1.0 - 0.9 * np.abs(across()).round()),
    }
    assert {
        name: looks_like_a_flat(profile_of(one - 1000), 65535) for name, one in others.items()
    } == (dict.fromkeys(others, ""))


def test_light_has_noise_and_a_high_pedestal_has_not() -> None:
    lit, pedestal = profile_of(a_flat(1, 3e4)), profile_of(a_dark(1, 0.0) + 3e4)
    assert contradiction(Kind.BIAS, lit, 65535).startswith("a bias as bright as a flat: its level")
    assert contradiction(Kind.DARK, lit, 65535).startswith("a dark as bright as a flat: its level")
    assert contradiction(Kind.FLAT, lit, 65535) == ""
    assert contradiction(Kind.BIAS, pedestal, 65535) == ""
