"""`status` tells the truth: the lock says whether a daemon runs, and all that is wrong is named."""

import json
import os
import signal
import time
from pathlib import Path

from support import eventually
from support_night import Line, ask, running, write_par
from support_service import KEYS as STATION_KEYS
from support_service import station, write_calibrations

KEYS = {**STATION_KEYS, "WATCH": "auto"}


def health(par: Path) -> Line:
    answer = json.loads(ask("status", par, "--json").output)
    found: Line = answer["health"]
    return found


def test_a_daemon_that_was_killed_does_not_run_whoever_has_its_number_now(tmp_path: Path) -> None:
    par = write_par(tmp_path, **KEYS)
    with running(par) as daemon:
        assert (health(par)["running"], health(par)["pid"]) == (True, daemon.process.pid)
        assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    assert health(par)["running"] is False
    note = tmp_path / ".tapewatch" / "where.json"
    # As if the kernel had given the number of the one that was killed to us.
    note.write_text(json.dumps({**json.loads(note.read_text()), "pid": os.getpid()}))
    assert health(par)["running"] is False
    assert "does not run now" in ask("status", par).output


def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    par = write_par(tmp_path, **STATION_KEYS)
    with station(tmp_path) as at:
        at.look()
        at.ledger.set_note("trouble", "the folder cannot be watched")
        at.ledger.set_note("output_trouble", "the disk is full")
        assert health(par)["trouble"] == "the folder cannot be watched; the disk is full"


def test_a_daemon_that_hangs_is_told_of(tmp_path: Path) -> None:
    par = write_par(tmp_path, **KEYS)
    lock = tmp_path / ".tapewatch" / "lock"
    with running(par) as daemon:
        hour_ago = time.time() - 3600
        os.utime(lock, (hour_ago, hour_ago))
        eventually(lambda: lock.stat().st_mtime > hour_ago + 1)  # at the next search
        assert health(par)["trouble"] == ""
        daemon.process.send_signal(signal.SIGSTOP)
        os.utime(lock, (hour_ago, hour_ago))
        assert health(par)["running"]
        assert "no sign of life for 36" in health(par)["trouble"]
        daemon.process.send_signal(signal.SIGCONT)
        eventually(lambda: health(par)["trouble"] == "")
        assert daemon.stop() == 0
    os.utime(lock, (hour_ago, hour_ago))
    assert health(par)["trouble"] == ""
