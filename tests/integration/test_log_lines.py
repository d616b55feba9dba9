"""The log of a real night: each line has the fields, and the numbers, that docs/log.md promises."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from support_log import documented_events
from support_night import Ended, Line, take, tapewatch, write_par
from tapewatch.commands.simulate import Night

NIGHT = Night(shape=(24, 32), bias=3, darks=3, flats=3, filters=("R",), objects=2)
FIRST = {"timestamp", "level", "event"}
FIGURES = ("mean", "std", "max", "min")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """Give a folder after ``tapewatch once``: a whole night, and one file that is no frame."""
    folder = tmp_path_factory.mktemp("night")
    take(folder, NIGHT)
    (folder / "notes.fits").write_text("clouds after midnight\n" * 200)
    return folder, tapewatch("once", write_par(folder, MINFREE=0, WORKERS=1))


def figures(image: object) -> dict[str, float]:
    """Give what the notebook printed of an image, in seven digits."""
    values = np.asarray(image, dtype=np.float64)
    found = (values.mean(), values.std(), values.max(), values.min())
    return {name: float(f"{value:.7g}") for name, value in zip(FIGURES, found, strict=True)}


def told(line: Line) -> dict[str, float]:
    return {name: line[name] for name in FIGURES}


def test_every_line_has_the_documented_level_and_fields(night: tuple[Path, Ended]) -> None:
    documented = documented_events()
    for line in night[1].lines:
        event = documented[line["event"]]
        assert line["level"] == event.level, line
        assert event.always <= set(line) - FIRST <= event.always | event.sometimes, line


def test_every_frame_and_master_has_its_line(night: tuple[Path, Ended]) -> None:
    counts = {
        event: len(list(lines))
        for event, lines in itertools.groupby(sorted(line["event"] for line in night[1].lines))
    }
    assert counts == {
        "service.starting": 1,
        "service.ready": 1,
        "frame.rejected": 1,
        "frame.measured": 12,
        "set.complete": 4,
        "frame.combined": 3,
        "master.built": 4,
        "frame.calibrated": 2,
        "service.stopped": 1,
    }


def test_the_last_line_says_what_was_done(night: tuple[Path, Ended]) -> None:
    last = night[1].lines[-1]
    assert last["event"] == "service.stopped"
    assert {key: last[key] for key in last if key not in FIRST} == {
        "frames_measured": 12,
        "masters_built": 4,
        "frames_calibrated": 2,
    }


def test_the_figures_are_those_of_the_pixels_on_disk(night: tuple[Path, Ended]) -> None:
    folder, ended = night
    pairs = [(line, folder / line["file"]) for line in ended.events("frame.measured")]
    pairs += [(line, folder / line["product"]) for line in ended.events("frame.calibrated")]
    pairs += [(line, folder / line["master"]) for line in ended.events("master.built")]
    assert len(pairs) == 18
    for line, path in pairs:
        assert told(line) == pytest.approx(figures(fits.getdata(path)), rel=2e-6), path


def test_a_flat_is_told_after_bias_and_normalisation(night: tuple[Path, Ended]) -> None:
    folder, ended = night
    bias = fits.getdata(folder / "wbias.fits")
    for line in ended.events("frame.combined"):
        flat = fits.getdata(folder / line["file"]) - bias
        assert told(line) == pytest.approx(figures(flat / np.median(flat)), rel=2e-6)


def test_masters_are_named_by_files_that_are_there(night: tuple[Path, Ended]) -> None:
    folder, ended = night
    for line in ended.events("frame.calibrated"):
        for kind in ("bias", "dark", "flat"):
            assert (folder / line[kind]).is_file()
        header = fits.getheader(folder / line["product"])
        assert line["dark_scale"] == header["TWDSCALE"]
        assert 0 < line["seconds"] < line["latency"]


def test_the_file_holds_the_same_lines(night: tuple[Path, Ended]) -> None:
    folder, ended = night
    assert (folder / ".tapewatch" / "tapewatch.jsonl").read_text() == ended.output


def test_a_second_run_has_nothing_to_do_and_says_so(night: tuple[Path, Ended]) -> None:
    again = tapewatch("once", night[0] / "tape.par")
    assert again.code == 0
    documented = documented_events()
    assert [line["event"] for line in again.lines] == [
        "service.starting",
        "service.ready",
        "service.stopped",
    ]
    assert "nothing to do" in again.lines[-1]["reason"]
    assert set(again.lines[-1]) - FIRST <= documented["service.stopped"].sometimes
