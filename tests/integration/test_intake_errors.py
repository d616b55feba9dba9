"""An error of our own at one file costs that file alone, and says where to look for it."""

import json
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from support_frames import write_raw
from support_service import station, work_once, write_calibrations, write_objects
from tapewatch import log
from tapewatch.arrival import recognise
from tapewatch.errors import FatalError
from tapewatch.headers.classify import classify
from tapewatch.model import Frame

VICTIM = "bad.fits"


def _stumble(path: str, *arguments: Any, **options: Any) -> Frame:  # noqa: ANN401
    if path == VICTIM:
        raise ZeroDivisionError("of seven\nby nothing")
    return classify(path, *arguments, **options)


def test_a_file_that_we_fail_at_is_given_up_and_all_others_are_done(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "a.fits", VICTIM, "c.fits")
    with station(tmp_path) as night:
        with patch.object(recognise, "classify", _stumble):
            night.look()
            night.look()
        assert night.objects() == ["a.fits", "c.fits"]
        assert night.states()[VICTIM] == "failed"
        assert "ZeroDivisionError: of seven" in night.reason(VICTIM)
        (record,) = night.ledger.frames(VICTIM)
        assert record.tries == 1
        (line,) = (line for line in night.lines if line["event"] == "frame.failed")
        assert (line["file"], line["log_level"]) == (VICTIM, "error")
        assert "in _stumble" in line["traceback"][-1]
    # No endless loop: the next start leaves it alone, and a change has it looked at anew.
    with station(tmp_path) as night:
        with patch.object(recognise, "classify", _stumble):
            night.look()
            assert not night.events("frame.failed")
        assert night.states()[VICTIM] == "failed"
        write_raw(tmp_path / VICTIM, 3000)
        night.look()
        assert night.objects() == ["a.fits", VICTIM, "c.fits"]


def test_once_ends_with_1_and_does_all_others(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "a.fits", VICTIM)
    with patch.object(recognise, "classify", _stumble):
        code, _ = work_once(tmp_path)
    assert code == 1
    assert (tmp_path / "wobj.list").read_text() == "a.fits\n"


def test_the_traceback_fits_into_a_line_of_the_log(tmp_path: Path) -> None:
    write_objects(tmp_path, VICTIM)

    def deep(path: str, *_: object, depth: int = 200, **__: object) -> Frame:
        if depth:
            return deep(path, depth=depth - 1)
        raise ValueError("x" * 10_000)

    with station(tmp_path) as night, patch.object(recognise, "classify", deep):
        night.look()
        (line,) = (line for line in night.lines if line["event"] == "frame.failed")
    text = log._as_json(None, "", log._bounded(None, "", line))
    assert len(text) < 4096
    told = json.loads(text)
    assert told["reason"].startswith("tapewatch itself failed at it, please report: ValueError")
    assert "in deep" in told["traceback"][-1]


def test_trouble_with_the_state_file_is_no_fault_of_a_file(tmp_path: Path) -> None:
    write_objects(tmp_path, "a.fits")
    with (
        pytest.raises(FatalError, match="cannot be written"),
        station(tmp_path) as night,
        patch.object(type(night.ledger), "set_frame", side_effect=sqlite3.OperationalError("full")),
    ):
        night.look()
