"""``tapewatch masters``: of what, how old, how good, and who uses them."""

import json
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from support_frames import write_raw, write_set
from support_night import ask, tapewatch, write_par

NOW = datetime(2026, 3, 27, 17, 1, tzinfo=UTC).timestamp()  # two days after the biases


@pytest.fixture(scope="module")
def par(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibrate two frames; one more flat then makes a second version, and one of two is redone."""
    folder = tmp_path_factory.mktemp("night")
    write_set(folder, "bias", 3)
    write_set(folder, "dark", 3, CCD_TEMP=-20.0)
    write_set(folder, "flat", 3)
    for number in range(2):
        write_raw(folder / f"M13-{number}.fits", 3000 + number)
    par = write_par(folder, MINFREE=0, WORKERS=1)
    assert tapewatch("once", par).code == 0
    write_raw(folder / "flat-3.fits", 20003, IMAGETYP="flat", DATE_OBS="2026-03-25T17:03:00")
    assert tapewatch("once", par).code == 0
    return par


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of the command."""
    monkeypatch.setattr(time, "time", lambda: NOW)


@pytest.fixture
def own(par: Path, tmp_path: Path) -> Path:
    """Copy the night: a test may change it."""
    copy = Path(shutil.copytree(par.parent, tmp_path / "night")) / "tape.par"
    assert tapewatch("once", copy).code == 0  # notes where the state file is now
    return copy


def listed(par: Path) -> dict[str, list[dict[str, Any]]]:
    """Give what is said of the masters of each kind."""
    ended = ask("masters", par, "--json")
    assert (ended.code, ended.errors) == (0, "")
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(ended.output)["masters"]:
        found.setdefault(one["kind"], []).append(one)
    return found


def test_a_master_tells_its_inputs_age_and_use(par: Path) -> None:
    found = listed(par)
    (bias,), (dark,) = found["bias"], found["dark"]
    flats = sorted(found["flat"], key=lambda one: one["frames"])
    assert bias["inputs"] == [f"bias-{number}.fits" for number in range(3)]
    assert (bias["taken"], bias["age_days"]) == ("2026-03-25 17:01:00", 2.0)
    assert (bias["bias"], bias["products"], dark["bias"]) == ("", 2, bias["file"])
    assert sorted(bias["masters_made_with_it"]) == sorted(one["file"] for one in (dark, *flats))
    assert (dark["temperature"], dark["shape"], dark["binning"]) == (-20.0, [20, 30], [1, 1])
    assert [one["in_use"] for one in flats] == [False, True]
    assert [one["products"] for one in flats] == [0, 2]
    assert flats[1]["inputs"] == [f"flat-{number}.fits" for number in range(4)]
    header = fits.getheader(par.parent / bias["file"])
    assert bias["noise"] == header["TWNOISE"] == pytest.approx(14.4, rel=0.1)  # 50 / sqrt(12)
    header = fits.getheader(par.parent / flats[1]["file"])
    assert flats[1]["gain"] == header["TWGAIN"]
    assert (header["TWID"], header["NCOMBINE"]) == (flats[1]["id"], 4)


def test_the_table_tells_the_same_in_columns(par: Path) -> None:
    lines = ask("masters", par).output.splitlines()
    assert lines[0].split() == [
        *("MASTER", "AGE", "FRAMES", "MEAN", "STD", "NOISE", "PRODUCTS", "USE", "FILE"),
    ]
    cells = [line.split("  ") for line in lines[1:]]
    shown = [[cell.strip() for cell in row if cell.strip()] for row in cells]
    assert shown[0][:3] == ["bias 2026-03-25", "2 d", "3"]
    assert sorted(row[-2] for row in shown) == ["in use", "in use", "in use", "not in use"]
    assert all((par.parent / row[-1]).is_file() for row in shown)


def test_hours_are_told_while_they_matter(par: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW - 1.5 * 86400)
    assert re.search(r"bias 2026-03-25 +12\.0 h +3 ", ask("masters", par).output)


def test_what_is_marked_bad_and_what_was_made_with_it_says_so(own: Path) -> None:
    bias = listed(own)["bias"][0]
    assert ask("mark", own, "bad", bias["file"], "--why", "light leak").code == 0
    found = listed(own)
    assert "light leak" in found["bias"][0]["bad"]
    assert all("light leak" in one["bad"] for one in found["flat"])
    assert "  marked bad: light leak  " in ask("masters", own).output


def test_an_input_that_is_not_known_any_more_has_no_name(own: Path) -> None:
    (own.parent / "bias-1.fits").unlink()
    write_raw(own.parent / "bias-1.fits", 1200, IMAGETYP="bias", EXPTIME=0.0)
    assert tapewatch("once", own).code == 0
    old = [one for one in listed(own)["bias"] if not one["in_use"]]
    assert old[0]["inputs"] == ["bias-0.fits", "", "bias-2.fits"]


def test_the_description_is_shared_with_why(par: Path) -> None:
    bias = listed(par)["bias"][0]
    told = json.loads(ask("why", par, bias["file"], "--json").output)
    assert told.items() >= bias.items()
    assert told["frames_made_with_it"] == ["M13-0.fits", "M13-1.fits"]
