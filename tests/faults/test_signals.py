"""Signals at any moment, and a log that nobody takes: the work goes on, or ends clean."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support import eventually
from support_night import COMMAND, PATIENCE, QUICK, Daemon, running, tapewatch, write_par
from support_sabotage import Harm, Sabotage
from support_service import write_calibrations, write_objects
from tapewatch.ledger import Ledger

KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "MINFREE": 0}
SECONDS = 12.0  # in which a stop is done although a worker hangs
STORM = 300  # signals


@pytest.fixture
def night(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    write_calibrations(folder)
    write_objects(folder, "a.fits", "b.fits")
    return folder


def assert_done(folder: Path) -> None:
    assert sorted((folder / "wobj.list").read_text().split()) == ["a.fits", "b.fits"]
    assert not list(folder.rglob("*.part"))


def test_a_stop_while_a_worker_hangs_is_quick_and_counts_as_no_try(
    night: Path, tmp_path: Path
) -> None:
    par = write_par(night, **KEYS)
    hang = Harm("tapewatch.fitsfile.product:put", "hang", argument="wa.fits")
    sabotage = Sabotage(tmp_path / "sabotage", hang)
    with running(par, sabotage.environment) as daemon:
        eventually(lambda: sabotage.hits == [1], PATIENCE)
        assert list(night.glob("*.part"))
        asked = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.stop(signal.SIGTERM) == 0  # once more, while it ends
        assert time.monotonic() < asked + SECONDS
        assert daemon.errors() == ""
    assert not list(night.rglob("*.part"))
    with Ledger(night / ".tapewatch" / "state.sqlite") as ledger:
        (record,) = ledger.frames("a.fits")
        assert (str(record.state), record.tries) == ("waiting", 0)
    assert tapewatch("once", par).code == 0
    assert_done(night)


def test_a_storm_of_reloads_does_no_harm(night: Path) -> None:
    par = write_par(night, **KEYS)
    with running(par) as daemon:
        for number in range(STORM):
            if number % 10 == 0:
                write_par(night, **{**KEYS, "NBIAS": 2 + number % 20 // 10})
            daemon.process.send_signal(signal.SIGHUP)
        write_par(night, **KEYS)
        daemon.process.send_signal(signal.SIGHUP)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert_done(night)
    assert len(daemon.events("service.ready")) == len(daemon.events("service.reloading")) + 1


def test_a_tape_par_that_is_gone_changes_nothing(night: Path) -> None:
    par = write_par(night, **KEYS)
    with running(par) as daemon:
        par.unlink()
        daemon.process.send_signal(signal.SIGHUP)
        (refused,) = daemon.wait_for("parameters.refused")
        assert str(par) in refused["reason"]
        daemon.wait_for("frame.calibrated", 2)
        assert daemon.stop() == 0
    assert_done(night)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_start_is_clean(night: Path, number: signal.Signals) -> None:
    par = write_par(night, **KEYS)
    daemon = Daemon(par)
    try:
        daemon.wait_for("service.starting")
        assert daemon.stop(number) == 0
        assert daemon.errors() == ""
        assert daemon.lines[-1]["event"] == "service.stopped"
    finally:
        daemon.close()
    assert tapewatch("once", par).code == 0
    assert_done(night)


def test_a_stop_during_a_reload_is_clean(night: Path) -> None:
    par = write_par(night, **KEYS)
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        write_par(night, **{**KEYS, "NBIAS": 3})
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("service.reloading")
        assert daemon.stop() == 0
        assert daemon.errors() == ""
        assert daemon.lines[-1]["event"] == "service.stopped"
    assert_done(night)


def test_a_log_that_nobody_reads_holds_nothing_up(night: Path) -> None:
    # As `tapewatch run | less` that is not paged through: the pipe is full from the start.
    par = write_par(night, **KEYS)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"\n" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    process = subprocess.Popen([COMMAND, "run", "--par", str(par)], stdout=writing, process_group=0)
    os.close(writing)
    try:
        eventually((night / "wobj.list").exists, PATIENCE)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
    assert_done(night)
    log = (night / ".tapewatch" / "tapewatch.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["event"] == "service.stopped"


def test_a_log_file_whose_folder_is_gone_is_told_of_and_begun_again(
    night: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    par = write_par(night, **KEYS, JSONLOG=logs / "tapewatch.jsonl")
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        (logs / "tapewatch.jsonl").unlink()
        logs.rename(tmp_path / "rotated")
        write_objects(night, "a.fits", "b.fits", "c.fits")
        daemon.wait_for("frame.calibrated", file="c.fits")
        (told,) = [line for line in daemon.lines if "log_trouble" in line]
        assert str(logs) in told["log_trouble"]
        logs.mkdir()
        assert daemon.stop() == 0
    kept = [json.loads(line) for line in (logs / "tapewatch.jsonl").read_text().splitlines()]
    assert kept[0]["lines_missed"] >= 1
    assert kept[-1]["event"] == "service.stopped"
