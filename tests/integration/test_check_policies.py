"""``tapewatch check``: which key of tape.par meets which frames, and the line for otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from support_frames import write_raw, write_set
from support_night import ask, copy_frames, tapewatch, write_par


def met(par: Path) -> dict[str, list[tuple[int, str, str]]]:
    """Give (files, line, words) of each key's policies."""
    ended = ask("check", par, "--json")
    assert (ended.code, ended.errors) == (0, "")
    found: dict[str, list[tuple[int, str, str]]] = {}
    one: dict[str, Any]
    for one in json.loads(ended.output)["policies"]:
        found.setdefault(one["key"], []).append((one["files"], one["line"], one["says"]))
    return found


def write_night(folder: Path, kinds: str = "bias dark flat", objects: int = 2) -> Path:
    """Write sets and object frames, and the plainest tape.par."""
    for kind in kinds.split():
        write_set(folder, kind, 3)
    for number in range(objects):
        write_raw(folder / f"M13-{number}.fits", 3000 + number)
    return write_par(folder, MINFREE=0)


def test_a_night_that_lacks_nothing_meets_no_policy(tmp_path: Path) -> None:
    assert met(write_night(tmp_path)) == {}


@pytest.mark.parametrize(
    ("kinds", "line"), [("bias flat", "STEPS bias,flat"), ("bias dark", "STEPS bias,dark")]
)
def test_steps_that_cannot_be_done_with_what_is_there(
    tmp_path: Path, kinds: str, line: str
) -> None:
    par = write_night(tmp_path, kinds)
    ((files, told, says),) = met(par)["STEPS"]
    missing = ({"bias", "dark", "flat"} - set(kinds.split())).pop()
    assert (files, told) == (2, line)
    assert says.startswith(f"provisional products only, for want of {missing}: as M13-0.fits waits")
    assert tapewatch("once", par).code == 0
    assert sorted(path.name for path in tmp_path.glob("provisional/*")) == [
        *("wM13-0.fits", "wM13-1.fits"),
    ]
    par.write_text(par.read_text() + f"{line}\n")
    assert "STEPS" not in met(par)


def test_a_filter_without_flats_has_no_line_that_helps(tmp_path: Path) -> None:
    par = write_night(tmp_path, objects=1)
    write_raw(tmp_path / "M13-V.fits", 3100, FILTER="V")
    ((files, line, says),) = met(par)["STEPS"]
    assert (files, line) == (1, "")
    assert "M13-V.fits" in says
    assert "flat V" in says
    par.write_text(par.read_text() + "ONMISSING wait\n")
    assert met(par)["STEPS"][0][2].startswith("no products, for want of flat")


def test_binning_and_cameras_that_are_set_aside(tmp_path: Path) -> None:
    par = write_night(tmp_path)
    write_raw(tmp_path / "binned.fits", 3200, XBINNING=2, YBINNING=2)
    ((files, line, says),) = met(par)["BINNING"]
    assert (files, line) == (1, "ALLBIN 1")
    assert says == "set aside: binning 2x2, BINNING is 1"
    write_raw(tmp_path / "guide.fits", 3300, INSTRUME="Lodestar")
    ((files, line, says),) = met(par)["INSTRUMENT"]
    assert (files, line) == (12, "")  # most of them have no name
    assert says.startswith("of 2 cameras, each with its own masters: no name (11), Lodestar (1)")
    par.write_text(par.read_text() + "INSTRUMENT Lode*\n")
    set_aside = met(par)["INSTRUMENT"]
    assert [(files, line) for files, line, _ in set_aside] == [(11, "INSTRUMENT *")]


def test_kinds_that_only_a_rule_tells(tmp_path: Path) -> None:
    par = write_night(tmp_path)
    for number in range(3):
        write_raw(tmp_path / f"skyflat{number}.fits", 20100 + number, IMAGETYP=None, FILTER="V")
    ((files, line, _),) = met(par)["TYPERULES"]
    assert (files, line) == (3, "TYPERULES flat:*flat*")
    par.write_text(par.read_text() + f"{line}\n")
    # The others are flats by their header, too; the rule goes before it.
    assert met(par)["TYPERULES"] == [(6, "", "taken for flat by their path alone")]


def test_sections_that_could_be_used_and_those_that_cannot(tmp_path: Path) -> None:
    par = write_night(tmp_path)
    write_raw(tmp_path / "good.fits", 3400, BIASSEC="[1:4,1:20]", TRIMSEC="[5:30,1:20]")
    write_raw(tmp_path / "bad.fits", 3500, BIASSEC="UNKNOWN", TRIMSEC="[0,513:0,1536]")
    (usable, *doubts) = met(par)["OVERSCAN"]
    assert usable[:2] == (1, "OVERSCAN 1")
    assert [(files, line) for files, line, _ in doubts] == [(1, "")] * len(doubts)
    assert any("UNKNOWN" in says for *_, says in doubts)
    par.write_text(par.read_text() + "OVERSCAN 1\n")
    assert met(par)["OVERSCAN"][0][1:] == ("", "overscan is subtracted, or the frame trimmed")


def test_darks_that_would_be_scaled(arcsat: Path, tmp_path: Path) -> None:
    copy_frames(arcsat, tmp_path)
    par = write_par(tmp_path, MINFREE=0)
    found = met(par)
    assert [(files, line) for files, line, _ in found["DARKSCALE"]] == [
        (11, "DARKSCALE never"),
        (9, "DARKSCALE down"),
    ]
    assert tapewatch("once", par).code == 0
    status = json.loads(ask("status", par, "--json").output)["frames"]
    flags = [frame["flags"] for frame in status if frame["kind"] == "object"]
    assert sum("SCALED" in one for one in flags) == 11
    assert sum("SCALEDUP" in one for one in flags) == 9
    assert met(par) == found  # with the masters that are there now, too


def test_a_person_reads_it_in_a_table(tmp_path: Path) -> None:
    text = ask("check", write_night(tmp_path, "bias flat")).output
    assert "FILES  POLICY  OTHERWISE        WHAT IT DOES\n" in text
    assert "2      STEPS   STEPS bias,flat  provisional products only, for want of dark" in text
