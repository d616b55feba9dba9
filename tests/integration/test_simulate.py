"""The simulated camera's files and the command that writes them."""

import argparse
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tapewatch.commands import simulate
from tapewatch.commands.night import DIALECTS
from tapewatch.commands.simulate import Exposure, Fault, Night, exposures, fits_bytes, pixels
from tapewatch.commands.writing import PIECES, TEMPORARY_SUFFIX
from tapewatch.errors import FatalError, ParameterError
from tapewatch.model import Kind

NIGHT = Night(shape=(32, 48), bias=1, darks=1, flats=1, objects=3)
FEW = ["--size", "48x32", "--bias", "2", "--darks", "1", "--flats", "1", "--objects", "2"]
COMMON = {"DATE-OBS", "EXPTIME", "IMAGETYP", "OBJECT", "XBINNING", "YBINNING"}
POINTING = {"RA", "DEC", "AIRMASS"}
CARDS = {
    "tape": {
        Kind.BIAS: COMMON | {"FILTER", "EGAIN"},
        Kind.OBJECT: COMMON | POINTING | {"FILTER", "EGAIN", "ALT", "AZ", "HJD"},
    },
    "maxim": {
        Kind.BIAS: COMMON | {"EXPOSURE", "SET-TEMP", "CCD-TEMP", "XPIXSZ", "READOUTM", "PEDESTAL"},
        Kind.OBJECT: COMMON | POINTING | {"FILTER", "OBJCTRA", "OBJCTDEC", "INSTRUME", "SITELAT"},
    },
}
TYPES = {
    "tape": ["bias", "dark", "flat", "object"],
    "maxim": ["Bias Frame", "Dark Frame", "Flat Field", "Light Frame"],
}


class Watcher:
    """A pause that takes no time and notes what it finds in a folder at that moment."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.look = look
        self.waits: list[float] = []
        self.found: list[object] = []

    def __call__(self, seconds: float) -> None:
        """Note the time asked for and what is there."""
        self.waits.append(seconds)
        self.found.append(self.look())


def of_kind(night: Night, kind: Kind) -> Exposure:
    """Return the first exposure of a kind."""
    return next(e for e in exposures(night) if e.kind is kind)


def faulty(fault: Fault) -> Exposure:
    """Return an object frame that a fault befalls."""
    return replace(of_kind(NIGHT, Kind.OBJECT), fault=fault)


def command(*words: str, pause: Callable[[float], None] = lambda _: None) -> int:
    """Run ``tapewatch simulate`` as the command line does."""
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return simulate.run(parser.parse_args(words), pause)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_files_satisfy_astropy_and_hold_the_pixels(dialect: str) -> None:
    night = replace(NIGHT, dialect=dialect, binning=2)
    for exposure in exposures(night):
        content = fits_bytes(night, exposure)
        assert len(content) % 2880 == 0
        with fits.open(io.BytesIO(content)) as hdus:
            hdus.verify("exception")
            assert len(hdus) == 1
            assert hdus[0].data.dtype == np.uint16
            np.testing.assert_array_equal(hdus[0].data, pixels(night, exposure))
            # Written anew by astropy, the file is the same to the byte: nothing odd in it.
            again = io.BytesIO()
            hdus.writeto(again, output_verify="exception")
            assert again.getbuffer().nbytes == len(content)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_headers_speak_the_dialect(dialect: str) -> None:
    night = replace(NIGHT, dialect=dialect)
    for kind, expected in CARDS[dialect].items():
        header = fits.Header.fromstring(fits_bytes(night, of_kind(night, kind)))
        assert expected <= set(header)
    kinds = (Kind.BIAS, Kind.DARK, Kind.FLAT, Kind.OBJECT)
    headers = [fits.Header.fromstring(fits_bytes(night, of_kind(night, kind))) for kind in kinds]
    assert [header["IMAGETYP"] for header in headers] == TYPES[dialect]
    assert [header["EXPTIME"] for header in headers] == [0.0, 60.0, 8.0, 60.0]
    assert [header["DATE-OBS"] for header in headers] == [
        of_kind(night, kind).date_obs for kind in kinds
    ]
    assert headers[3]["OBJECT"] == night.target


def test_maxim_gives_calibration_frames_no_filter() -> None:
    for kind in (Kind.BIAS, Kind.DARK):
        assert b"FILTER" not in fits_bytes(NIGHT, of_kind(NIGHT, kind))


def test_tape_gives_every_frame_a_filter() -> None:
    night = replace(NIGHT, dialect="tape")
    for exposure in exposures(night):
        header = fits.Header.fromstring(fits_bytes(night, exposure))
        assert header["FILTER"] == (exposure.filter or "R")


def test_the_sensor_temperature_wanders_about_the_set_point() -> None:
    found = [
        fits.Header.fromstring(fits_bytes(NIGHT, exposure))["CCD-TEMP"]
        for exposure in exposures(NIGHT)
    ]
    assert len(set(found)) == len(found)
    assert all(abs(temperature + 25.0) <= 0.1 for temperature in found)


def test_odd_filter_names_survive_in_the_header() -> None:
    night = replace(NIGHT, filters=("g'x'' 1", "V"))
    header = fits.Header.fromstring(fits_bytes(night, of_kind(night, Kind.FLAT)))
    assert header["FILTER"] == "g'x'' 1"


def test_a_sound_file_is_written_at_once(tmp_path: Path) -> None:
    exposure = of_kind(NIGHT, Kind.BIAS)
    pause = Watcher(lambda: None)
    path = simulate.write_exposure(tmp_path, NIGHT, exposure, pause)
    assert path == tmp_path / exposure.name
    assert path.read_bytes() == fits_bytes(NIGHT, exposure)
    assert pause.waits == []


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.REOPENED])
def test_slow_files_grow_piece_by_piece(tmp_path: Path, fault: Fault) -> None:
    exposure = faulty(fault)
    path = tmp_path / exposure.name
    pause = Watcher(path.read_bytes)
    simulate.write_exposure(tmp_path, NIGHT, exposure, pause)
    whole = fits_bytes(NIGHT, exposure)
    assert path.read_bytes() == whole
    sizes = [len(part) for part in pause.found if isinstance(part, bytes)]
    assert len(sizes) == PIECES
    assert sizes == sorted(set(sizes))
    assert all(whole.startswith(part) for part in pause.found if isinstance(part, bytes))
    assert sizes[-1] == len(whole)
    assert 0.5 < sum(pause.waits) < 2.0


def open_here(path: Path) -> bool:
    """Whether this process holds the file open."""
    return any(link.resolve() == path for link in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(("fault", "held"), [(Fault.SLOW, True), (Fault.REOPENED, False)])
def test_only_a_reopened_file_is_closed_between_its_pieces(
    tmp_path: Path, fault: Fault, held: bool
) -> None:
    exposure = faulty(fault)
    pause = Watcher(lambda: open_here(tmp_path / exposure.name))
    simulate.write_exposure(tmp_path, NIGHT, exposure, pause)
    assert pause.found == [held] * PIECES


def test_a_renamed_file_has_its_name_only_when_whole(tmp_path: Path) -> None:
    exposure = faulty(Fault.RENAMED)
    pause = Watcher(lambda: {p.name: p.stat().st_size for p in tmp_path.iterdir()})
    path = simulate.write_exposure(tmp_path, NIGHT, exposure, pause)
    whole = fits_bytes(NIGHT, exposure)
    assert pause.found == [{exposure.name + TEMPORARY_SUFFIX: len(whole)}]
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == whole


def test_a_truncated_file_stays_half_written(tmp_path: Path) -> None:
    exposure = faulty(Fault.TRUNCATED)
    path = simulate.write_exposure(tmp_path, NIGHT, exposure, Watcher(lambda: None))
    whole = fits_bytes(NIGHT, exposure)
    assert whole.startswith(path.read_bytes())
    assert path.stat().st_size == len(whole) // 2


def test_a_preallocated_file_opens_as_zeros_before_its_pixels_come(tmp_path: Path) -> None:
    exposure = faulty(Fault.PREALLOCATED)
    path = tmp_path / exposure.name

    def stored() -> bytes:
        with fits.open(path, do_not_scale_image_data=True, memmap=False) as hdus:
            hdus.verify("exception")
            data: bytes = hdus[0].data.tobytes()
        return data

    pause = Watcher(stored)
    simulate.write_exposure(tmp_path, NIGHT, exposure, pause)
    assert pause.found == [bytes(2 * 32 * 48)]
    assert path.read_bytes() == fits_bytes(NIGHT, exposure)


def test_a_rewritten_file_gets_new_headers_and_keeps_its_pixels(tmp_path: Path) -> None:
    exposure = faulty(Fault.REWRITTEN)
    path = tmp_path / exposure.name
    pause = Watcher(path.read_bytes)
    simulate.write_exposure(tmp_path, NIGHT, exposure, pause)
    contents = [*pause.found, path.read_bytes()]
    assert pause.waits == [5.0, 9.0]
    headers = []
    for content in contents:
        assert isinstance(content, bytes)
        with fits.open(io.BytesIO(content)) as hdus:
            hdus.verify("exception")
            headers.append(hdus[0].header)
            np.testing.assert_array_equal(hdus[0].data, pixels(NIGHT, exposure))
    before, visited, solved = headers
    assert "HISTORY" not in before
    assert "HISTORY" in visited
    assert "CRVAL1" not in visited
    assert solved["CTYPE1"] == "RA---TAN"
    assert {card.keyword for card in before.cards} < {card.keyword for card in solved.cards}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_frame_without_type_lacks_that_card_alone(tmp_path: Path, dialect: str) -> None:
    night = replace(NIGHT, dialect=dialect)
    exposure = of_kind(night, Kind.OBJECT)
    path = simulate.write_exposure(tmp_path, night, replace(exposure, fault=Fault.NOTYPE))
    typed = fits.Header.fromstring(fits_bytes(night, exposure))
    del typed["IMAGETYP"]
    assert fits.getheader(path).tostring(padding=False) == typed.tostring(padding=False)


def test_the_night_is_taken_in_camera_order_at_its_cadence(tmp_path: Path) -> None:
    told = []
    pause = Watcher(lambda: None)
    folder = tmp_path / "new" / "folder"
    paths = simulate.take_night(folder, NIGHT, 0.2, lambda *of: told.append(of), pause=pause)
    plan = exposures(NIGHT)
    assert told == [(number, len(plan), e) for number, e in enumerate(plan, start=1)]
    assert paths == tuple(folder / e.name for e in plan)
    assert sorted(folder.iterdir()) == sorted(paths)
    assert pause.waits == [0.2] * (len(plan) - 1)


def test_two_nights_of_one_seed_are_the_same_to_the_byte(tmp_path: Path) -> None:
    one = simulate.take_night(tmp_path / "one", NIGHT, 0)
    two = simulate.take_night(tmp_path / "two", NIGHT, 0)
    other = simulate.take_night(tmp_path / "other", replace(NIGHT, seed=2), 0)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["x.fits", "X.FIT", "y.fts", "z.fits.fz", "z.fit.gz"])
def test_a_folder_with_frames_is_left_alone_unless_forced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(FatalError, match=rf"holds FITS files already \({name}\).*--force"):
        simulate.take_night(tmp_path, NIGHT, 0)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    simulate.take_night(tmp_path, NIGHT, 0, force=True)
    assert (tmp_path / name).read_bytes() == b"precious"


def test_files_of_other_kinds_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "tape.par").write_text("WORKDIR .\n")
    assert len(simulate.take_night(tmp_path, NIGHT, 0)) == len(exposures(NIGHT))


def test_the_command_tells_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(tmp_path / "night"), *FEW) == 0
    out, err = capsys.readouterr()
    assert out == f"8 frames written to {tmp_path}/night: 2 bias, 2 dark, 2 flat, 2 object\n"
    lines = err.splitlines()
    assert lines[0] == "[1/8] Bias_0001.fit 0 s"
    assert lines[-1] == "[8/8] M13_V_0001.fit 60 s V renamed"
    assert len(lines) == 8


def test_the_command_tells_it_as_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(tmp_path), *FEW, "--faults", "notype", "--dialect", "tape", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["folder"] == str(tmp_path)
    assert answer["counts"] == {"bias": 2, "dark": 2, "flat": 2, "object": 2}
    assert answer["faults"] == {"object-000002.fits": "notype"}
    assert sorted(answer["files"]) == sorted(path.name for path in tmp_path.iterdir())


def test_every_option_reaches_the_night(tmp_path: Path) -> None:
    words = [
        *("--seed", "7", "--size", "48x32", "--binning", "2", "--dialect", "tape"),
        *("--start", "2020-01-01T00:00:00", "--bias", "1", "--darks", "1", "--flats", "1"),
        *("--objects", "1", "--dark-exposures", "30", "--object-exposures", "0.5,9"),
        *("--filters", "B", "--faults", "none", "--cadence", "0"),
    ]
    assert command(str(tmp_path / "asked"), *words) == 0
    night = Night(
        seed=7,
        shape=(32, 48),
        bias=1,
        darks=1,
        dark_exposures=(30.0,),
        flats=1,
        filters=("B",),
        objects=1,
        object_exposures=(0.5, 9.0),
        dialect="tape",
        start="2020-01-01T00:00:00",
        binning=2,
    )
    for path in simulate.take_night(tmp_path / "expected", night, 0):
        assert (tmp_path / "asked" / path.name).read_bytes() == path.read_bytes()


def test_few_object_frames_take_as_many_of_the_usual_faults(tmp_path: Path) -> None:
    assert command(str(tmp_path / "one"), *FEW, "--objects", "1") == 0
    assert command(str(tmp_path / "none"), *FEW, "--objects", "0") == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--faults", "slow,lost"),
        ("--size", "0.5x3"),
        ("--bias", "-1"),
        ("--cadence", "nan"),
        ("--dark-exposures", "60,long"),
        ("--dialect", "nina"),
    ],
)
def test_a_wrong_option_is_a_usage_error(tmp_path: Path, words: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command(str(tmp_path / "night"), *words)
    assert stop.value.code == 2
    assert not (tmp_path / "night").exists()


def test_an_impossible_night_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="need as many object frames"):
        command(str(tmp_path / "night"), *FEW, "--faults", "slow,slow,slow")
    assert not (tmp_path / "night").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FatalError, match=f"{tmp_path}/file"):
        command(str(tmp_path / "file"), *FEW)


def test_control_c_ends_the_night_cleanly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []

    def interrupted(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    assert command(str(tmp_path), *FEW, pause=interrupted) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "stopped after 3 frames"
    assert len(list(tmp_path.iterdir())) == 3


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_on_a_terminal_progress_is_one_line_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert command(str(tmp_path), *FEW) == 0
    shown = terminal.getvalue()
    assert shown.count("\r\x1b[K") == 8
    assert shown.count("\n") == 1
    assert shown.endswith("[8/8] M13_V_0001.fit 60 s V renamed\n")
