"""What a frame is, in the words of every camera program and observatory that we know."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.errors import RejectedError
from tapewatch.headers import dialects
from tapewatch.headers.cards import Header
from tapewatch.headers.classify import classify
from tapewatch.headers.compose import format_card, format_history
from tapewatch.headers.values import Value
from tapewatch.model import Frame, Kind

COMMON: dict[str, Value] = {"DATE-OBS": "2026-03-25T18:00:00", "EXPTIME": 30.0, "FILTER": "R"}


def header(cards: dict[str, Value], history: str = "") -> Header:
    lines = [line for keyword, value in cards.items() for line in format_card(keyword, value)]
    return Header((*lines, *format_history(history)))


def frame(cards: dict[str, Value], path: str = "night/x.fits") -> Frame:
    return classify(path, header(cards), (512, 768))


def refusal(cards: dict[str, Value], history: str = "") -> str:
    with pytest.raises(RejectedError) as caught:
        classify("night/x.fits", header(cards, history), (512, 768))
    return str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "value", "kind"),
    [
        ("IMAGETYP", "bias", Kind.BIAS),  # TAPE
        ("IMAGETYP", "object", Kind.OBJECT),
        ("IMAGETYP", "Light Frame", Kind.OBJECT),  # MaxIm DL, ACP, INDI, Voyager, APT
        ("IMAGETYP", "Dark Frame", Kind.DARK),
        ("IMAGETYP", "Flat Field", Kind.FLAT),
        ("IMAGETYP", "Flat Frame", Kind.FLAT),
        ("IMAGETYP", "FLAT", Kind.FLAT),
        ("IMAGETYP", "LIGHT", Kind.OBJECT),  # N.I.N.A., SGP, MaxIm 4
        ("IMAGETYP", "SNAPSHOT", Kind.OBJECT),
        ("IMAGETYP", "DARKFLAT", Kind.FLATDARK),
        ("IMAGETYP", "Dark Flat", Kind.FLATDARK),
        ("IMAGETYP", "flat dark", Kind.FLATDARK),
        ("IMAGETYP", "zero", Kind.BIAS),  # NOAO, ING
        ("IMAGETYP", "science", Kind.OBJECT),  # Calar Alto
        ("FRAME", "Light", Kind.OBJECT),  # INDI
        ("OBSTYPE", "EXPOSE", Kind.OBJECT),  # LCO, LT
        ("OBSTYPE", "SKYFLAT", Kind.FLAT),
        ("OBSTYPE", "STANDARD", Kind.OBJECT),
        ("OBSTYPE", "TARGET", Kind.OBJECT),  # ING
        ("OBSTYPE", "DOME FLAT", Kind.FLAT),  # Palomar
        ("IMGTYPE", "dark", Kind.DARK),
        ("IMTYPE", "Object", Kind.OBJECT),
        ("EXPTYPE", "flat", Kind.FLAT),
        ("ESO DPR TYPE", "SKY,FLAT", Kind.FLAT),
        ("ESO DPR TYPE", "FLAT,SKY", Kind.FLAT),
        ("ESO DPR TYPE", "STD", Kind.OBJECT),
    ],
)
def test_types_of_frames(keyword: str, value: str, kind: Kind) -> None:
    assert frame({**COMMON, keyword: value}).kind is kind


@pytest.mark.parametrize(
    ("keyword", "value", "word"),
    [
        ("OBSTYPE", "SPECTRUM", "a spectrum"),  # LCO
        ("OBSTYPE", "ARC", "an arc"),
        ("OBSTYPE", "LAMPFLAT", "a lamp"),
        ("OBSTYPE", "LAMP-FLAT", "a lamp"),  # LT
        ("OBSTYPE", "GUIDE", "a guide frame"),
        ("OBSTYPE", "FLAT,LAMP", "a lamp"),
        ("IMAGETYP", "comp", "an arc"),  # NOAO
        ("IMTYPE", "FOCUS", "a focus exposure"),
        ("EXPTYPE", "flatlamp", "a lamp"),
        ("IMGTYPE", "Telluric", "a spectrum"),
        ("ESO DPR TYPE", "WAVE", "an arc"),
        ("IMAGETYP", "Master Light", "a master"),  # PixInsight
        ("IMAGETYP", "masterFlat", "a master"),
        ("IMAGETYP", "Tricolor Image", "neither bias, dark, flat nor object"),
    ],
)
def test_types_that_are_set_aside(keyword: str, value: str, word: str) -> None:
    reason = refusal({**COMMON, keyword: value})
    assert word in reason
    assert f"{keyword} is '{value}'" in reason


def test_another_keyword_can_tell_that_an_object_is_no_image() -> None:
    assert "a focus" in refusal({**COMMON, "IMAGETYP": "object", "OBSTYPE": "FOCUS"})


@pytest.mark.parametrize(
    ("tech", "category", "word"),
    [
        ("SPECTRUM", "CALIB", "not imaging"),
        ("ECHELLE", "SCIENCE", "not imaging"),
        ("IMAGE", "ACQUISITION", "neither calibration nor science"),
    ],
)
def test_of_eso_only_images_are_taken(tech: str, category: str, word: str) -> None:
    cards = {**COMMON, "ESO DPR TYPE": "OBJECT", "ESO DPR TECH": tech, "ESO DPR CATG": category}
    assert word in refusal(cards)


def test_a_frame_that_is_a_date_says_nothing_of_the_type() -> None:
    """As Andor Solis writes, decimal commas too."""
    found = frame(
        {
            "OBSTYPE": "SCIENCE",
            "FRAME": "2014-08-11T23:10:05.123",
            "EXPTIME": "5,00000",
            "HBIN": "2",
            "VBIN": "2",
            "TEMP": "-72,1",
            "DATE-OBS": "2014-08-11T23:10:05.123",
        }
    )
    assert (found.kind, found.exptime, found.temperature) == (Kind.OBJECT, 5.0, -72.1)
    assert found.detector.binning == (2, 2)
    assert "no frame type" in refusal({**COMMON, "FRAME": "2014-08-11T23:10:05.123"})


def test_a_dark_of_no_time_is_a_bias() -> None:
    assert frame({**COMMON, "OBSTYPE": "DARK", "EXPTIME": 0.0}).kind is Kind.BIAS
    assert frame({**COMMON, "OBSTYPE": "DARK", "EXPTIME": "0,0"}).kind is Kind.BIAS


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sky flat", Kind.FLAT),
        ("Sky Flat", Kind.FLAT),
        ("DOME_FLAT", Kind.FLAT),
        ("twilight  flat", Kind.FLAT),
        ("SkyFlat", Kind.FLAT),
        ("panel flat", Kind.FLAT),
        ("Dark Nebula B33", Kind.OBJECT),
        ("dark180", Kind.OBJECT),
        ("flat", Kind.OBJECT),
        ("Flat Top", Kind.OBJECT),
        ("sky flat field of M 13", Kind.OBJECT),
    ],
)
def test_an_object_is_a_flat_only_by_its_whole_name(name: str, kind: Kind) -> None:
    assert frame({**COMMON, "OBSTYPE": "OBJECT", "OBJECT": name}).kind is kind


def test_the_object_makes_no_flat_of_a_dark() -> None:
    assert frame({**COMMON, "OBSTYPE": "DARK", "OBJECT": "sky flat"}).kind is Kind.DARK


@pytest.mark.parametrize(
    ("cards", "word"),
    [
        ({"CALSTAT": "BDF"}, "already calibrated"),
        ({"ZEROCOR": "Mar 12 10:01 Zero level correction"}, "already calibrated"),
        ({"CCDPROC": "Mar 12 10:01 CCD processing done"}, "already calibrated"),
        ({"RLEVEL": 91}, "already calibrated"),
        ({"ESO PRO CATG": "MASTER_BIAS"}, "a product"),
        ({"STACKCNT": 187}, "a stack"),
        ({"NCOMBINE": 10}, "a stack"),
        ({"CALFRAME": "MasterFlat"}, "a master"),
        ({"SOFTWARE": "DeepSkyStacker 4.2.0"}, "another program"),
    ],
)
def test_the_work_of_other_programs_is_not_raw(cards: dict[str, Value], word: str) -> None:
    assert word in refusal({**COMMON, "IMAGETYP": "LIGHT", **cards})


@pytest.mark.parametrize(
    "line",
    [
        "Bias corrected with mbias.fits",
        "Dark Subtraction (Dark 10, 4864 x 3232, Bin1 x 1, Temp -35C,",
        "Auto-Dark Subtraction",
        "ImageIntegration.pixelCombination: Average",
    ],
)
def test_what_history_tells_of_other_programs(line: str) -> None:
    assert f"HISTORY is '{line}'" in refusal({**COMMON, "IMAGETYP": "LIGHT"}, line)


@pytest.mark.parametrize(
    ("cards", "history"),
    [
        ({"CALSTAT": ""}, ""),
        ({"STACKCNT": 1, "SNAPSHOT": 1, "RLEVEL": 0, "NCOMBINE": 1}, ""),
        ({"FLATCOR": False, "ZEROCOR": "no", "DARKCOR": ""}, ""),
        ({}, "File was processed by PinPoint 6.1.1 at 2019-05-03T09:05:17"),
        ({}, "WCS added by PinPoint 6.1.1 at 2019-05-03T09:05:26"),
        ({}, "Flat field lamp switched off"),
    ],
)
def test_what_leaves_the_pixels_alone_is_raw(cards: dict[str, Value], history: str) -> None:
    found = header({**COMMON, "IMAGETYP": "LIGHT", **cards}, history)
    assert classify("x.fits", found, (512, 768)).kind is Kind.OBJECT


@pytest.mark.parametrize(
    ("cards", "binning"),
    [
        ({"XBINNING": 2, "YBINNING": 2}, (2, 2)),
        ({"XBINNING": "1       ", "YBINNING": "1       "}, (1, 1)),
        ({"CCDXBIN": 2, "CCDYBIN": 1}, (2, 1)),
        ({"CCDBINX": 2, "CCDBINY": 3}, (2, 3)),
        ({"HBIN": "4", "VBIN": "2"}, (4, 2)),
        ({"ESO DET WIN1 BINX": 2, "ESO DET WIN1 BINY": 2}, (2, 2)),
        ({"CCDSUM": "2 2"}, (2, 2)),
        ({"BINNING": "1,1"}, (1, 1)),
        ({"BINNING": "2*2"}, (2, 2)),
        ({"BINNING": "3x3"}, (3, 3)),
        ({"BINNING": 2}, (2, 2)),
        ({}, (1, 1)),
    ],
)
def test_binnings(cards: dict[str, Value], binning: tuple[int, int]) -> None:
    assert frame({**COMMON, "IMAGETYP": "LIGHT", **cards}).detector.binning == binning


@pytest.mark.parametrize(
    "cards", [{"XBINNING": 2}, {"XBINNING": 0, "YBINNING": 0}, {"CCDSUM": "many"}]
)
def test_half_a_binning_is_no_guess(cards: dict[str, Value]) -> None:
    assert "expected whole numbers from 1" in refusal({**COMMON, "IMAGETYP": "LIGHT", **cards})


@pytest.mark.parametrize("keyword", ["EXPTIME", "EXPOSURE", "EXP", "ELAPTIME"])
def test_exposure_times(keyword: str) -> None:
    cards: dict[str, Value] = {"DATE-OBS": "2026-03-25T18:00:00", "IMAGETYP": "dark"}
    assert frame({**cards, keyword: 12.5}).exptime == 12.5
    assert f"{keyword} is 'long'" in refusal({**cards, keyword: "long"})
    assert "no exposure time" in refusal(cards)


@pytest.mark.parametrize("keyword", dialects.FILTER_KEYWORDS)
def test_filters(keyword: str) -> None:
    cards: dict[str, Value] = {**COMMON, "FILTER": "", "IMAGETYP": "flat"}
    assert frame({**cards, keyword: " Rc  "}).filter == "Rc"
    assert frame({**cards, keyword: 48}).filter == "48"
    assert frame({**cards, "IMAGETYP": "bias", keyword: "Rc"}).filter == "none"
    assert frame(cards).filter == "none"


@pytest.mark.parametrize(
    ("cards", "temperature"),
    [
        ({"CCD-TEMP": -20.1, "SET-TEMP": -20}, -20.1),
        ({"CCD-TEMP": -7.9, "SET-TEMP": -40}, -7.9),
        ({"CCD-TEMP": -99, "SET-TEMP": -25}, -25),
        ({"CCD-TEMP": -999.9, "SET-TEMP": -25}, -25),
        ({"CCD-TEMP": 100, "SET-TEMP": -25}, -25),
        ({"CCD-TEMP": "UNKNOWN", "CCDATEMP": 180.15}, -93),
        ({"CCDATEMP": -100.2}, -100.2),
        ({"TEMPERAT": -4.8}, -4.8),
        ({"TEMP": "-72,1"}, -72.1),
        ({"CCD-TEMP": -99}, None),
        ({}, None),
    ],
)
def test_temperatures(cards: dict[str, Value], temperature: float | None) -> None:
    assert frame({**COMMON, "IMAGETYP": "dark", **cards}).temperature == temperature


def test_gain_is_a_setting_that_frames_share() -> None:
    settings = frame({**COMMON, "IMAGETYP": "LIGHT", "GAIN": 100.0, "OFFSET": 30}).detector.settings
    assert settings == (("GAIN", "100"), ("OFFSET", "30"))


TYPES = ["light", "dark", "bias", "flat", "sky flat", "DARKFLAT"]
KEYWORDS = sorted(
    {
        *dialects.TYPE_KEYWORDS, *dialects.EXPOSURE_KEYWORDS, *dialects.MOMENT_KEYWORDS,
        *dialects.CLOCK_KEYWORDS, *dialects.FILTER_KEYWORDS, *dialects.TEMPERATURE_KEYWORDS,
        *dialects.SETTING_KEYWORDS, *itertools.chain(*dialects.BINNING_KEYWORDS),
        *(mark.keyword for mark in dialects.FOREIGN_WORK),
    }
)  # fmt: skip
VALUES = (
    st.text(max_size=30)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from(["", "1,5", "2 2", "2026-03-25", "00:00:00", "31/02/26", *TYPES])
)


@given(
    st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=12),
    st.sampled_from(TYPES),
    st.text(max_size=20),
)
def test_no_value_raises_anything_but_a_refusal(
    cards: dict[str, Value], kind: str, path: str
) -> None:
    try:
        found = classify(path, header({**COMMON, "IMAGETYP": kind, **cards}), (8, 8))
    except RejectedError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert found.kind is not Kind.OTHER
        assert found.exptime >= 0
        assert min(found.detector.binning) >= 1
