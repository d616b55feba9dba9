"""Trouble around the daemon: the night goes on, and is told of where it can be."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import eventually
from support_frames import write_raw
from support_night import (
    COMMAND,
    PATIENCE,
    QUICK,
    Line,
    running,
    tapewatch,
    write_par,
)
from support_service import write_calibrations, write_objects

KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "MINFREE": 0}
TINY = 3000  # files of a first search that takes longer than a stop may
SECONDS = 8.0  # in which a stop is done
IDLE = 3.0  # seconds in which the processor's time is measured
SHARE = 0.05  # of the processor's time that an idle daemon may use


def json_log(par: Path) -> list[Line]:
    """Read the log as a file."""
    path = par.parent / ".tapewatch" / "tapewatch.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def count(par: Path, event: str) -> int:
    return sum(line["event"] == event for line in json_log(par))


@contextmanager
def into_a_pipe(par: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the daemon with its log in a pipe; give it and the descriptor to read from."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [COMMAND, "run", "--par", str(par)], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    try:
        yield process, reading
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_once_does_its_work_although_its_log_cannot_be_printed(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    par = write_par(tmp_path, **KEYS)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, "once", "--par", str(par)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "wobj.list").read_text() == "x.fits\ny.fits\n"
    assert count(par, "frame.calibrated") == 2
    assert json_log(par)[-1]["event"] == "service.stopped"


def test_a_daemon_whose_log_nobody_reads_any_more_goes_on(tmp_path: Path) -> None:
    par = write_par(tmp_path, **KEYS)
    with into_a_pipe(par) as (process, reading):
        first = os.read(reading, 100)
        assert b"service.starting" in first
        os.close(reading)
        write_calibrations(tmp_path)
        write_objects(tmp_path, "x.fits", "y.fits")
        eventually(lambda: count(par, "frame.calibrated") == 2, PATIENCE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert json_log(par)[-1]["event"] == "service.stopped"


def test_an_output_folder_in_trouble_is_told_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    write_calibrations(folder)
    write_objects(folder, "x.fits", "y.fits")
    output = tmp_path / "out"
    output.mkdir()
    (output / "masters").write_text("somebody's notes")
    par = write_par(folder, **KEYS, OUTDIR=output)
    with running(par) as daemon:
        (line,) = daemon.wait_for("service.degraded")
        status = json.loads(tapewatch("status", par, "--json").output)
        assert status["health"]["trouble"] == line["reason"]
        assert str(output / "masters") in line["reason"]
        # As many searches as a frame has tries, and one more.
        for number in range(4):
            write_raw(folder / f"bias-{90 + number}.fits", 900 + number, IMAGETYP="bias")
            daemon.wait_for("frame.measured", file=f"bias-{90 + number}.fits")
            daemon.process.send_signal(signal.SIGHUP)
        (output / "masters").unlink()
        daemon.wait_for("frame.calibrated", 2)
        daemon.wait_for("service.restored")
        eventually((output / "wobj.list").is_file)
        status = json.loads(tapewatch("status", par, "--json").output)
        assert status["health"]["trouble"] == ""
        objects = [one for one in status["frames"] if one["kind"] == "object"]
        assert [one["state"] for one in objects] == ["done", "done"]
        assert set(status["counts"]) <= {"done", "waiting"}  # for more biases
        assert daemon.stop() == 0
    assert len(daemon.events("service.degraded")) == len(daemon.events("service.restored")) == 1
    assert not daemon.events("frame.failed") + daemon.events("master.failed")


def test_products_and_masters_that_are_deleted_while_running_are_made_again(
    tmp_path: Path,
) -> None:
    write_calibrations(tmp_path / "cal")
    night = tmp_path / "night"
    write_objects(night, "x.fits", "y.fits")
    with running(write_par(tmp_path, **KEYS)) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        pixels = (night / "wx.fits").read_bytes()[-2880:]
        (night / "wx.fits").unlink()
        shutil.rmtree(tmp_path / "cal" / "masters")
        daemon.wait_for("product.lost", file="night/x.fits")
        daemon.wait_for("master.built", 6)
        write_objects(night, "new.fits")
        daemon.wait_for("frame.calibrated", 2, file="night/x.fits")
        daemon.wait_for("frame.calibrated", file="night/new.fits")
        assert daemon.stop() == 0
    assert (night / "wx.fits").read_bytes()[-2880:] == pixels
    assert set((night / "wobj.list").read_text().split()) == {"x.fits", "y.fits", "new.fits"}


def test_an_emptied_output_folder_is_refused_in_words(tmp_path: Path) -> None:
    folder, output = tmp_path / "night", tmp_path / "out"
    write_calibrations(folder)
    write_objects(folder, "x.fits")
    par = write_par(folder, **KEYS, OUTDIR=output, STATEFILE=tmp_path / "state.sqlite")
    assert tapewatch("once", par).code == 0
    shutil.rmtree(output)
    for _ in range(2):
        refused = tapewatch("once", par)
        assert refused.code == 1
        assert f"tapewatch: {output} holds nothing" in refused.errors
        assert "is it unmounted" in refused.errors
        assert "Traceback" not in refused.errors
    (tmp_path / "state.sqlite").unlink()
    assert tapewatch("once", par).code == 0
    assert (output / "wx.fits").is_file()


def test_a_broken_state_file_is_told_in_words_and_begun_anew(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    par = write_par(tmp_path, **KEYS)
    assert tapewatch("once", par).code == 0
    state = tmp_path / ".tapewatch" / "state.sqlite"
    content = state.read_bytes()
    page = 4096
    state.write_bytes(content[:page] + b"\xa5" * (len(content) - page))
    for command in ("status", "masters", "why", "mark bad"):
        file = [] if command in {"status", "masters"} else [str(tmp_path / "x.fits")]
        name, *verdict = command.split()
        ended = tapewatch(name, par, *verdict, *file)
        assert ended.code == 1
        assert f"tapewatch: the state file {state} is damaged: " in ended.errors
        assert "`tapewatch run` or `once` sets it aside" in ended.errors
        assert "Traceback" not in ended.errors
    ended = tapewatch("once", par)
    assert (ended.code, ended.errors) == (0, "")
    (line,) = ended.events("ledger.quarantined")
    assert f"{state} is damaged" in line["reason"]
    assert line["state"].startswith(f"{state}.corrupt-")
    assert line["state"] in tapewatch("status", par).output
    answer = json.loads(tapewatch("status", par, "--json").output)
    assert answer["health"]["set_aside"] == [line["state"]]
    assert answer["counts"] == {"done": 7}


def test_a_stop_in_the_first_search_of_many_files_is_quick_and_the_next_start_goes_on(
    tmp_path: Path,
) -> None:
    content = write_raw(tmp_path / "focus-0.fits", shape=(1, 8), IMAGETYP="focus").read_bytes()
    for number in range(1, TINY):
        (tmp_path / f"focus-{number}.fits").write_bytes(content)
    par = write_par(tmp_path, **KEYS)
    with running(par) as daemon:
        daemon.wait_for("frame.rejected", 10)
        asked = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() < asked + SECONDS
        assert daemon.errors() == ""
    seen = {line["file"] for line in daemon.events("frame.rejected")}
    assert len(seen) < TINY
    ended = tapewatch("once", par)
    assert ended.code == 0
    assert {line["file"] for line in ended.events("frame.rejected")} | seen == {
        f"focus-{number}.fits" for number in range(TINY)
    }


def processor_time(process: int) -> float:
    """Seconds of processor time that a process has used, with its children that have ended."""
    # The name in brackets may hold anything.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("stall", [600, 0.5])
def test_an_idle_daemon_uses_no_processor_time(tmp_path: Path, stall: float) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    par = write_par(tmp_path, **KEYS, STALL=stall)
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        incomplete = (tmp_path / "x.fits").read_bytes()[:-2880]
        (tmp_path / "incomplete.fits").write_bytes(incomplete)
        eventually(lambda: "incomplete.fits" in tapewatch("status", par).output)
        used, end = processor_time(daemon.process.pid), time.monotonic() + IDLE
        eventually(lambda: time.monotonic() >= end)
        used = processor_time(daemon.process.pid) - used
        assert used < SHARE * IDLE
        assert daemon.stop() == 0
