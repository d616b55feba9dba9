"""``tapewatch why``: all that a frame or master hangs on, in words and as JSON."""

import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from support_frames import write_raw, write_set
from support_service import Station, station, write_calibrations, write_objects
from tapewatch.cli import main


def why(one: Station, file: str, *options: str) -> str:
    """Give what the command prints."""
    said = StringIO()
    with redirect_stdout(said):
        assert main(["why", file, "--par", str(one.folder / "tape.par"), *options]) == 0
    return said.getvalue()


def as_json(one: Station, file: str) -> dict[str, Any]:
    """Give the command's JSON."""
    found: dict[str, Any] = json.loads(why(one, file, "--json"))
    return found


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Give a night that was worked on: two frames are done, one waits for flats of V."""
    folder = tmp_path_factory.mktemp("night")
    write_calibrations(folder)
    write_set(folder / "before", "flat", 2, DATE_OBS="2026-03-24T17:00:00")
    (folder / "before" / "flat-1.fits").unlink()
    write_raw(
        folder / "before" / "flat-1.fits", 21000, IMAGETYP="flat", DATE_OBS="2026-03-24T17:01:00"
    )
    write_objects(folder, "m13-1.fits", "m13-2.fits")
    write_raw(folder / "m13-v.fits", 3000, FILTER="V")
    write_raw(folder / "flat-v.fits", 19000, IMAGETYP="flat", FILTER="V")
    with station(folder, ONMISSING="wait") as one:
        one.look()
        yield one


def test_why_of_a_frame_that_is_done_tells_its_masters_and_why_others_were_passed_over(
    night: Station,
) -> None:
    told = as_json(night, "m13-1.fits")
    chosen = {each["kind"]: each for each in told["candidates"] if each["verdict"] == "chosen"}
    assert {kind: each["master"] for kind, each in chosen.items()} == told["masters"]
    others = [each for each in told["candidates"] if each["verdict"] != "chosen"]
    assert [(each["label"], each["verdict"]) for each in others] == [
        ("flat R in before 2026-03-24", "suits, but the one chosen is of the frame's own folder"),
    ]
    text = why(night, "m13-1.fits")
    assert re.search(r"\n  flat R 2026-03-25: chosen \[masters/wflatR-\w+\.fits\]\n", text)
    assert f"  bias: {told['masters']['bias']}\n" in text


def test_why_of_a_frame_that_waits_says_what_the_waiting_line_of_the_log_says(
    night: Station,
) -> None:
    text = why(night, "m13-v.fits")
    (line,) = (each for each in night.lines if each["event"] == "frame.waiting")
    assert line["file"] == "m13-v.fits"
    assert line["reason"].startswith(
        "waits: for a master flat V: 1 of 2 flat frames, at least 2 are needed"
    )
    assert text.startswith(f"m13-v.fits: waiting\n  {line['reason']}\n")
    assert "flat R 2026-03-25: does not suit: filter R, frame V" in text


def test_why_of_a_calibration_frame_tells_its_set_and_masters(night: Station) -> None:
    told = as_json(night, "flat-0.fits")
    assert (told["state"], told["candidates"]) == ("done", [])
    (version,) = told["set"].pop("masters")
    assert told["set"] == {
        "list": "wflatR.list",
        "frames": 2,
        "first": "2026-03-25T17:00:00",
        "last": "2026-03-25T17:01:00",
        "waits": "",
    }
    assert (version["frames"], version["in_use"], version["bad"]) == (2, True, "")
    assert f"  master {version['file']}: 2 frames, built " in why(night, "flat-0.fits")
    waits = why(night, "flat-v.fits")
    assert "  it waits: 1 of 2 flat frames, at least 2 are needed" in waits


def test_why_of_a_master_tells_what_of_and_who_uses_it(night: Station) -> None:
    bias = as_json(night, "m13-1.fits")["masters"]["bias"]
    for name in (bias, "wbias.fits", str(night.folder / "wbias.fits")):
        told = as_json(night, name)
        assert (told["file"], told["inputs"]) == (bias, ["bias-0.fits", "bias-1.fits"])
        assert told["frames_made_with_it"] == ["m13-1.fits", "m13-2.fits"]
        assert len(told["masters_made_with_it"]) == 3
    text = why(night, "wflatR.fits")
    assert re.match(r"masters/wflatR-\w+\.fits: in use\n  flat R 2026-03-25, built ", text)
    assert f"  less {bias}\n" in text
    assert "  of 2 frames: flat-0.fits, flat-1.fits\n" in text
    assert text.endswith("made with it: 2 frames: m13-1.fits, m13-2.fits\n")


def test_why_where_no_frame_of_a_kind_was_seen_ends_with_the_line_for_tape_par(
    tmp_path: Path,
) -> None:
    write_set(tmp_path / "night", "bias", 2)
    write_set(tmp_path / "night", "flat", 2)
    write_objects(tmp_path / "night", "m13.fits")
    with station(tmp_path / "night", ONMISSING="wait") as one:
        one.look()
        assert why(one, "m13.fits").splitlines()[1] == (
            "  waits: for a master dark 60 s: no dark frames yet; no dark frame was ever seen"
            " here: if none will come, put into tape.par: STEPS bias,flat"
        )
        # Another folder's darks count as seen, and the reason is told anew.
        write_set(tmp_path / "night" / "other", "dark", 1)
        one.look()
        one.service._foreman.planner._reasons_rest_until = 0.0  # it is not told at every turn
        one.look()
        assert "STEPS" not in why(one, "m13.fits")
