"""From a header to a frame, or to the reason why it is none."""

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import Cards
from tapewatch.errors import RejectedError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.headers import dialects
from tapewatch.headers.classify import classify, is_notebook_product, is_own_product
from tapewatch.model import Detector, Frame, Kind

SHAPE = (3, 4)

MAXIM = {
    "IMAGETYP": "Light Frame",
    "EXPTIME": 120.0,
    "EXPOSURE": 120.0,
    "DATE-OBS": "2019-05-03T09:03:11",
    "XBINNING": 1,
    "YBINNING": 1,
    "XORGSUBF": 0,
    "YORGSUBF": 0,
    "FILTER": "sdss_g ",
    "OBJECT": "M13",
    "INSTRUME": "Apogee USB/Net",
    "SET-TEMP": -25.0,
    "CCD-TEMP": -24.76881,
    "READOUTM": "Monochrome",
    "PEDESTAL": 0,
    "CALSTAT": "",
}
TAPE = {
    "IMAGETYP": "object",
    "EXPTIME": 200.0,
    "DATE-OBS": "2018-03-26T14:04:06",
    "XBINNING": 1,
    "YBINNING": 1,
    "FILTER": "R",
    "OBJECT": "hat-p-12b",
}


def told(**changes: Any) -> Frame:  # noqa: ANN401  (any value a card can have)
    """Classify a header of MaxIm with other values; None takes the keyword away.

    Underscores stand for the hyphens of keywords.
    """
    cards: dict[str, Any] = MAXIM | {name.replace("_", "-"): one for name, one in changes.items()}
    return classify("night/x.fits", Cards(cards), SHAPE)


def refused(**changes: Any) -> str:  # noqa: ANN401
    """Give the reason why such a header is rejected."""
    with pytest.raises(RejectedError) as caught:
        told(**changes)
    return str(caught.value)


def test_a_frame_of_maxim_is_all_that_its_header_says() -> None:
    assert told() == Frame(
        path="night/x.fits",
        kind=Kind.OBJECT,
        detector=Detector(
            camera="Apogee USB/Net",
            shape=SHAPE,
            binning=(1, 1),
            window=(0, 0),
            settings=(("PEDESTAL", "0"), ("READOUTM", "Monochrome")),
        ),
        exptime=120.0,
        filter="sdss_g",
        date_obs="2019-05-03T09:03:11",
        start=datetime(2019, 5, 3, 9, 3, 11, tzinfo=UTC).timestamp(),
        object="M13",
        temperature=-24.76881,
    )


def test_a_frame_of_tape_is_all_that_its_header_says() -> None:
    assert classify("object-000115.fits", Cards(TAPE), SHAPE) == Frame(
        path="object-000115.fits",
        kind=Kind.OBJECT,
        detector=Detector("", SHAPE, (1, 1)),
        exptime=200.0,
        filter="R",
        date_obs="2018-03-26T14:04:06",
        start=datetime(2018, 3, 26, 14, 4, 6, tzinfo=UTC).timestamp(),
        object="hat-p-12b",
    )


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Bias Frame", Kind.BIAS),
        ("BIAS", Kind.BIAS),
        ("bias", Kind.BIAS),
        ("Dark Frame", Kind.DARK),
        ("dark", Kind.DARK),
        ("FLAT", Kind.FLAT),
        ("Flat Field", Kind.FLAT),
        ("Flat Frame", Kind.FLAT),
        ("flat", Kind.FLAT),
        ("Light Frame", Kind.OBJECT),
        ("LIGHT", Kind.OBJECT),
        (" light  frame ", Kind.OBJECT),
        ("object", Kind.OBJECT),
    ],
)
def test_frame_types_of_maxim_and_tape(words: str, kind: Kind) -> None:
    assert told(IMAGETYP=words).kind is kind


@pytest.mark.parametrize("words", ["frame", "Dark Neb", 5])
def test_other_frame_types_are_named_and_rejected(words: object) -> None:
    expected = f"IMAGETYP is '{words}', which is neither bias, dark, flat nor object (light)"
    assert refused(IMAGETYP=words) == expected


def test_a_dark_of_no_time_is_a_bias() -> None:
    for nothing in (0, 0.0, -0.0):
        assert told(IMAGETYP="dark", EXPTIME=nothing).kind is Kind.BIAS
    assert told(IMAGETYP="dark", EXPTIME=1e-4).kind is Kind.DARK


def test_a_bias_has_no_exposure_time_and_needs_none() -> None:
    for value in (None, "abc", 0.5):
        assert told(IMAGETYP="bias", EXPTIME=value, EXPOSURE=None).exptime == 0


def test_the_filter_says_nothing_about_bias_and_dark() -> None:
    assert [told(IMAGETYP=kind).filter for kind in ("bias", "dark", "flat", "light")] == [
        "none",
        "none",
        "sdss_g",
        "sdss_g",
    ]
    assert told(FILTER=None).filter == told(FILTER="  ").filter == "none"
    assert told(FILTER=3).filter == "3"


@pytest.mark.parametrize("value", ["abc", -5.0, math.inf, math.nan, True, 1e7])
def test_an_exposure_time_that_is_none_is_named_and_rejected(value: object) -> None:
    assert refused(EXPTIME=value) == f"EXPTIME is {value!r}, expected seconds from 0 to 1e+06"


def test_exposure_is_taken_where_exptime_is_absent() -> None:
    assert told(EXPTIME=None, EXPOSURE=7).exptime == 7.0
    assert refused(EXPTIME="", EXPOSURE=None) == (
        "no exposure time: EXPTIME or EXPOSURE or EXP or ELAPTIME expected"
    )


@pytest.mark.parametrize(
    ("text", "date_obs"),
    [
        ("2026-03-25T18:00:00", "2026-03-25T18:00:00"),
        ("2026-03-25T18:00:00.25", "2026-03-25T18:00:00.250000"),
        ("2026-03-25T18:00:00Z", "2026-03-25T18:00:00"),
        ("2026-03-25T18:00:00+09:00", "2026-03-25T09:00:00"),
        ("2026-03-25T18:00:00-0700", "2026-03-26T01:00:00"),
        (" 2026-03-25 18:00:00 ", "2026-03-25T18:00:00"),
        ("2026-03-25", "2026-03-25T00:00:00"),
    ],
)
def test_times_are_universal_time_whatever_their_offset(text: str, date_obs: str) -> None:
    frame = told(DATE_OBS=text)
    assert frame.date_obs == date_obs
    assert frame.start == datetime.fromisoformat(f"{date_obs}+00:00").timestamp()


@pytest.mark.parametrize("value", ["25/3", "soon", 5.5, True, "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_named_and_rejected(value: object) -> None:
    assert refused(DATE_OBS=value) == (
        f"DATE-OBS is '{value}', expected a time as 2026-03-25T18:00:00"
    )


@pytest.mark.parametrize(
    ("keyword", "reason"),
    [
        (
            "IMAGETYP",
            "no frame type (IMAGETYP, OBSTYPE ...): tape.par can tell it, as TYPERULES object:*x*",
        ),
        (
            "DATE-OBS",
            "no time of exposure: DATE-OBS or DATE-BEG or DATE_BEG or UT-OBS expected",
        ),
        ("XBINNING", "XBINNING/YBINNING is '/1', expected whole numbers from 1 to 1000"),
        ("YBINNING", "XBINNING/YBINNING is '1/', expected whole numbers from 1 to 1000"),
    ],
)
def test_a_keyword_that_is_missing_is_named(keyword: str, reason: str) -> None:
    assert refused(**{keyword: None}) == reason


def test_without_a_word_on_binning_there_is_none() -> None:
    assert told(XBINNING=None, YBINNING=None).detector.binning == (1, 1)


@pytest.mark.parametrize("value", [0, 1.5, math.nan, True, 1001])
def test_binning_that_is_no_number_of_pixels_is_named_and_rejected(value: object) -> None:
    assert refused(XBINNING=value) == (
        f"XBINNING/YBINNING is '{value}/1', expected whole numbers from 1 to 1000"
    )


def test_binning_and_window_are_pairs_of_x_and_y() -> None:
    detector = told(XBINNING=2, YBINNING=4.0, XORGSUBF=10, YORGSUBF=20).detector
    assert (detector.binning, detector.window) == ((2, 4), (10, 20))
    assert told(XORGSUBF=None, YORGSUBF=None).detector.window == (0, 0)


@pytest.mark.parametrize("value", ["BDF", "D ", "B"])
def test_a_frame_that_was_calibrated_by_its_camera_program_is_rejected(value: str) -> None:
    assert refused(CALSTAT=value) == f"already calibrated: CALSTAT is '{value.strip()}'"


@pytest.mark.parametrize(
    ("reading", "set_point", "temperature"),
    [
        (-24.8, -25.0, -24.8),
        (None, -25.0, -25.0),
        (-99.0, -25.0, -25.0),
        (-999, -25.0, -25.0),
        ("cold", -25.0, -25.0),
        (math.nan, None, None),
        (None, 999.0, None),
    ],
)
def test_the_temperature_is_the_reading_where_it_can_be(
    reading: object, set_point: object, temperature: float | None
) -> None:
    assert told(CCD_TEMP=reading, SET_TEMP=set_point).temperature == temperature


def test_settings_of_the_read_out_are_kept_as_text() -> None:
    frame = told(GAIN=100, OFFSET=9.5, READOUTM=" Fast ", PEDESTAL=None, ROWORDER="TOP-DOWN")
    assert frame.detector.settings == (
        ("GAIN", "100"),
        ("OFFSET", "9.5"),
        ("READOUTM", "Fast"),
        ("ROWORDER", "TOP-DOWN"),
    )
    assert told(GAIN=100.0).detector == told(GAIN=100).detector
    assert told(GAIN="").detector == told().detector


def test_own_and_the_notebooks_products_are_known_by_their_cards() -> None:
    assert is_own_product(Cards({"TWID": "0123456789abcdef"}))
    assert not is_own_product(Cards(MAXIM))
    processed = Cards(TAPE | {"DATE-PRC": "2026-03-25T18:00:00"})
    assert is_notebook_product(processed, -32)
    assert not is_notebook_product(processed, 16)
    assert not is_notebook_product(Cards(MAXIM), -32)


KEYWORDS = sorted(
    {*MAXIM, *dialects.SETTING_KEYWORDS, *dialects.EXPOSURE_KEYWORDS, *dialects.TYPE_KEYWORDS}
)
# What a card of 80 bytes can hold.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(10**69), 10**69),
    st.text(max_size=68),
    st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat),
    st.sampled_from(["dark", "Flat Field", "light", "0001-01-01", "9999-12-31T23:59:59-12:00"]),
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), VALUES))
def test_whatever_a_header_says_it_is_a_frame_or_rejected(cards: dict[str, Any]) -> None:
    with suppress(RejectedError):
        frame = classify("x.fits", Cards(MAXIM | cards), SHAPE)
        assert frame.kind in {Kind.BIAS, Kind.DARK, Kind.FLAT, Kind.OBJECT}
        assert 0 <= frame.exptime <= 1e6
        assert frame.exptime > 0 or frame.kind is not Kind.DARK
        assert frame.filter.strip()
        assert math.isfinite(frame.start)


@given(st.datetimes(min_value=datetime(1, 1, 3)), st.datetimes(min_value=datetime(1, 1, 3)))  # noqa: DTZ001
def test_times_sort_as_text(one: datetime, other: datetime) -> None:
    early, late = (told(DATE_OBS=each.isoformat()) for each in sorted((one, other)))
    assert early.date_obs <= late.date_obs
    assert early.start <= late.start


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(-12 * 60, 14 * 60))  # noqa: DTZ001
def test_an_offset_is_taken_off(moment: datetime, minutes: int) -> None:
    sign, (hours, rest) = "+-"[minutes < 0], divmod(abs(minutes), 60)
    local = moment + timedelta(minutes=minutes)
    frame = told(DATE_OBS=f"{local.isoformat()}{sign}{hours:02}:{rest:02}")
    assert frame.start == moment.replace(tzinfo=UTC).timestamp()


def classified(file: Path) -> Frame:
    """Classify a file on disk."""
    inspection = inspect(file)
    return classify(file.name, inspection.header, inspection.shape)


def test_a_real_night_of_maxim_and_acp(arcsat: Path) -> None:
    frames = [classified(file) for file in sorted(arcsat.glob("*.fits"))]
    kinds = [frame.kind for frame in frames]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        Kind.BIAS: 3,
        Kind.DARK: 3,
        Kind.OBJECT: 12,
        Kind.FLAT: 12,
    }
    for frame in frames:
        named = frame.name.removeprefix("domeflat_").removeprefix("M13_")
        uses_filter = frame.kind in {Kind.FLAT, Kind.OBJECT}
        assert frame.filter == (named[:6] if uses_filter else "none")
        assert frame.object == ("M13" if frame.kind is Kind.OBJECT else "")
        assert frame.date_obs.startswith("2019-05-03T")
        assert frame.temperature == pytest.approx(-25, abs=1.1)
    assert {frame.exptime for frame in frames if frame.kind is Kind.DARK} == {80.0}
    assert len({frame.detector.shape for frame in frames}) == 1


@pytest.mark.parametrize(
    ("name", "kind", "exptime", "filter_name", "camera"),
    [
        ("aspen_trimmed.fit", Kind.FLAT, 1.0, "R", "Apogee Aspen CG16M"),
        ("biastest1.fit", Kind.BIAS, 0.0, "none", "Apogee Alta"),
        ("darktest1.fit", Kind.DARK, 30.0, "none", "Apogee Alta"),
        ("maximdl_5_23_header.fit", Kind.OBJECT, 90.0, "B", "Apogee USB/Net"),
        ("maximdl_6_16_header.fit", Kind.OBJECT, 90.0, "B", "Apogee USB/Net"),
        ("maximdl_6_18_header.fit", Kind.OBJECT, 90.0, "r", "AspenCG16"),
        ("uint16_missing_filter.fit", Kind.OBJECT, 90.0, "none", "Apogee Alta"),
    ],
)
def test_real_headers_of_maxim_4_to_6(
    real_data: Path, name: str, kind: Kind, exptime: float, filter_name: str, camera: str
) -> None:
    frame = classified(real_data / "header-variants-feder-maxim" / name)
    assert (frame.kind, frame.exptime, frame.filter) == (kind, exptime, filter_name)
    assert frame.detector.camera == camera


def test_a_real_header_without_a_type_is_rejected(real_data: Path) -> None:
    folder = real_data / "header-variants-feder-maxim"
    with pytest.raises(RejectedError, match="already calibrated: HISTORY is 'Auto Dark Sub"):
        classified(folder / "neon-on-dome-10-sec-high-res-though-scope.fit")
