"""The simulated night: which frames, when, under what names, and where the telescope points."""

import itertools
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.commands.night import READOUT_SECONDS, Fault, Night, exposures
from tapewatch.commands.pointing import Place, point
from tapewatch.errors import ParameterError
from tapewatch.model import Kind


@st.composite
def nights(draw: st.DrawFn) -> Night:
    """Nights that a camera can take."""
    numbers = st.integers(0, 4)
    times = st.lists(st.sampled_from((0.5, 1.0, 60.0, 300.25)), min_size=1, unique=True)
    objects = draw(numbers)
    return Night(
        bias=draw(numbers),
        darks=draw(numbers),
        dark_exposures=tuple(draw(times)),
        flats=draw(numbers),
        filters=tuple(draw(st.permutations(("R", "r", "sdss g")))),
        objects=objects,
        object_exposures=tuple(draw(times)),
        dialect=draw(st.sampled_from(("maxim", "tape"))),
        faults=tuple(draw(st.lists(st.sampled_from(tuple(Fault)), max_size=objects))),
    )


@given(nights())
def test_each_file_has_a_name_of_its_own(night: Night) -> None:
    names = [exposure.name for exposure in exposures(night)]
    assert len(set(names)) == len(names)


@given(nights())
def test_the_night_has_as_many_frames_as_asked_for(night: Night) -> None:
    kinds = [exposure.kind for exposure in exposures(night)]
    assert kinds == (
        [Kind.BIAS] * night.bias
        + [Kind.DARK] * night.darks * len(night.dark_exposures)
        + [Kind.FLAT] * night.flats * len(night.filters)
        + [Kind.OBJECT] * night.objects
    )


@given(nights())
def test_each_exposure_starts_after_the_one_before_is_read_out(night: Night) -> None:
    for before, after in itertools.pairwise(exposures(night)):
        start, following = map(datetime.fromisoformat, (before.date_obs, after.date_obs))
        elapsed = (following - start).total_seconds()
        assert abs(elapsed - before.exptime - READOUT_SECONDS) < 1.0


@given(nights())
def test_each_fault_befalls_one_object_frame(night: Night) -> None:
    plan = exposures(night)
    assert [e.fault for e in plan if e.fault] == list(night.faults)
    assert {e.kind for e in plan if e.fault} <= {Kind.OBJECT}


def test_names_of_maxim() -> None:
    night = Night(bias=1, darks=1, flats=1, objects=5, filters=("R", "sdss g'"))
    assert [exposure.name for exposure in exposures(night)] == [
        "Bias_0001.fit",
        "Dark_60s_0001.fit",
        "Dark_120s_0001.fit",
        "Flat_R_0001.fit",
        "Flat_sdss_g__0001.fit",
        "M13_R_0001.fit",
        "M13_sdss_g__0001.fit",
        "M13_R_0002.fit",
        "M13_sdss_g__0002.fit",
        "M13_R_0003.fit",
    ]


def test_names_of_tape() -> None:
    night = Night(bias=1, darks=1, dark_exposures=(0.5,), flats=1, objects=2, dialect="tape")
    assert [exposure.name for exposure in exposures(night)] == [
        "bias-001.fits",
        "dark-0.5s-001.fits",
        "flat-R-001.fits",
        "flat-V-001.fits",
        "object-000001.fits",
        "object-000002.fits",
    ]


def test_filters_change_with_every_frame_and_exposures_with_every_round() -> None:
    objects = [e for e in exposures(Night(objects=5)) if e.kind is Kind.OBJECT]
    assert [(e.filter, e.exptime) for e in objects] == [
        ("R", 60.0),
        ("V", 60.0),
        ("R", 120.0),
        ("V", 120.0),
        ("R", 60.0),
    ]


def test_faults_are_spread_over_the_object_frames() -> None:
    objects = exposures(Night(objects=8, faults=("slow", "truncated")))[-8:]
    assert [e.fault for e in objects] == [
        *(None, None, Fault.SLOW, None),
        *(None, None, Fault.TRUNCATED, None),
    ]


def test_start_with_a_time_zone_is_told_in_utc() -> None:
    night = Night(start="2026-03-26T03:00:00+09:00")
    assert exposures(night)[0].date_obs == "2026-03-25T18:00:00"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"seed": -1}, "0 or more"),
        ({"bias": -1}, "0 or more"),
        ({"binning": 0}, "binning 0"),
        ({"shape": (15, 512)}, "16 pixels"),
        ({"dark_exposures": (60.0, 0.0)}, "above 0 s"),
        ({"object_exposures": (1e300,)}, "1 day"),
        ({"object_exposures": ()}, "need an exposure time"),
        ({"dark_exposures": (60.0, 60.0)}, "are the same"),
        ({"filters": ()}, "filters have names"),
        ({"filters": ("R", " ")}, "filters have names"),
        ({"filters": ("H\N{GREEK SMALL LETTER ALPHA}",)}, "ASCII"),
        ({"filters": ("g'", "g/")}, "same file names"),
        ({"dialect": "nina"}, "allowed: maxim, tape"),
        ({"faults": ("slow", "lost")}, "faults slow, lost, allowed: slow, reopened"),
        ({"faults": ("slow", "slow"), "objects": 1}, "2 faults need as many object frames"),
        ({"start": "tonight"}, "start 'tonight'"),
    ],
)
def test_a_night_that_no_camera_could_take_is_refused(
    wrong: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ParameterError, match=complaint):
        Night(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_pointing_agrees_with_a_real_telescope() -> None:
    # Cards of an ARCSAT frame of M 13, written by ACP and its observatory: OBJCTALT, OBJCTAZ,
    # AIRMASS, JD-OBS and HJD-OBS.
    arcsat = Place(longitude=-105.820278, latitude=32.780278)
    found = point(Place(250.420833, 36.459722), arcsat, "2019-05-03T09:03:11")
    assert found.altitude == pytest.approx(86.2942, abs=0.3)
    assert found.azimuth == pytest.approx(353.3147, abs=3.0)  # near the zenith: 0.2 degrees on sky
    assert found.airmass == pytest.approx(1.00209924, abs=3e-4)
    assert found.jd == pytest.approx(2458606.8772106, abs=1e-6)
    assert found.hjd - found.jd == pytest.approx(2458606.8801708 - 2458606.8772106, abs=3e-5)


def test_a_target_below_the_horizon_has_the_airmass_of_the_horizon() -> None:
    found = point(Place(0.0, -89.0), Place(0.0, 80.0), "2026-03-25T18:00:00")
    assert found.altitude < -70
    assert found.airmass == pytest.approx(31.7, abs=0.1)  # Young 1994, at a zenith distance of 90
