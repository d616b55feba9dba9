"""One daemon a folder: whoever comes second is told so in words, and nobody is locked out."""

import json
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import eventually
from support_night import COMMAND, PATIENCE, QUICK, running, tapewatch, write_par
from support_sabotage import Harm, Sabotage
from support_service import write_calibrations, write_objects

KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "MINFREE": 0}
AT_ONCE = 20
TAKEN = 75  # exit code


@pytest.fixture
def night(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    write_calibrations(folder)
    write_objects(folder, "a.fits")
    return folder


def test_of_many_that_start_at_once_one_wins(night: Path) -> None:
    par = write_par(night, **KEYS)
    command = [COMMAND, "run", "--par", str(par)]
    with ExitStack() as stack:
        errors = [stack.enter_context((night / f"{n}.err").open("w+")) for n in range(AT_ONCE)]
        started = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=one, process_group=0)
            for one in errors
        ]
        for process in started:
            stack.callback(process.wait)
            stack.callback(process.kill)

        def alive() -> list[subprocess.Popen[bytes]]:
            return [process for process in started if process.poll() is None]

        eventually(lambda: len(alive()) <= 1, 2 * PATIENCE)
        (winner,) = alive()
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        health = json.loads(tapewatch("status", par, "--json").output)["health"]
        assert (health["running"], health["pid"]) == (True, winner.pid)
        winner.terminate()
        assert winner.wait(PATIENCE) == 0
        for process, file in zip(started, errors, strict=True):
            file.seek(0)
            said = file.read()
            if process is winner:
                assert said == ""
            else:
                assert process.returncode == TAKEN
                assert said.startswith(f"tapewatch: another tapewatch holds {night}")
                assert said.count("\n") == 1
    assert (night / "wa.fits").is_file()


def test_after_a_kill_the_lock_is_free_at_once_though_a_worker_lives(
    night: Path, tmp_path: Path
) -> None:
    par = write_par(night, **KEYS)
    # No worker may hold the lock: not even one that is stopped in its job.
    stop = Harm("tapewatch.fitsfile.product:put", "stop_self", argument="wa.fits")
    sabotage = Sabotage(tmp_path / "sabotage", stop)
    with running(par, sabotage.environment) as daemon:
        eventually(lambda: sabotage.hits == [1], PATIENCE)
        daemon.process.kill()
        daemon.process.wait(PATIENCE)
        ended = tapewatch("once", par)
        assert (ended.code, ended.errors) == (0, "")
    assert (night / "wobj.list").read_text() == "a.fits\n"


def by_another_path(night: Path) -> Path:
    link = night.with_name("link")
    link.symlink_to(night)
    return write_par(link, **KEYS)


def by_another_file(night: Path) -> Path:
    other = night.with_name("other")
    other.mkdir()
    return write_par(other, **{**KEYS, "WORKDIR": night, "NBIAS": 9})


def by_the_same_output_of_another_folder(night: Path) -> Path:
    other = night.with_name("other")
    other.mkdir()
    return write_par(other, **KEYS, OUTDIR=night)


@pytest.mark.parametrize(
    "other", [by_another_path, by_another_file, by_the_same_output_of_another_folder]
)
def test_however_it_is_named_a_folder_has_one_daemon(night: Path, other: object) -> None:
    assert callable(other)
    with running(write_par(night, **KEYS)) as daemon:
        daemon.wait_for("frame.calibrated")
        refused = tapewatch("run", other(night))
        assert (refused.code, refused.output) == (TAKEN, "")
        assert f"(process {daemon.process.pid} on " in refused.errors
        assert daemon.stop() == 0


def test_two_daemons_may_work_on_the_same_raw_frames(night: Path) -> None:
    places = [night.with_name("first"), night.with_name("second")]
    for place in places:
        place.mkdir()
    pars = [write_par(one, **{**KEYS, "WORKDIR": night, "OUTDIR": one / "out"}) for one in places]
    with running(pars[0]) as first, running(pars[1]) as second:
        for daemon in (first, second):
            daemon.wait_for("frame.calibrated")
            assert daemon.stop() == 0
    assert all((place / "out" / "wa.fits").is_file() for place in places)


def test_a_daemon_that_is_stopped_holds_its_folder(night: Path) -> None:
    par = write_par(night, **KEYS)
    with running(par) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        assert tapewatch("once", par).code == TAKEN
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.stop() == 0


def test_a_folder_that_cannot_be_written_is_told_in_words(night: Path) -> None:
    par = write_par(night, **KEYS, OUTDIR=night / "bias-0.fits")
    refused = tapewatch("run", par)
    assert refused.code not in {0, TAKEN}
    assert str(night / "bias-0.fits") in refused.errors
    assert refused.errors.count("\n") == 1
