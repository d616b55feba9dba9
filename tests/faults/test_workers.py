"""Workers that die, hang, or want all memory: one try of one frame, and the night goes on."""

import gzip
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from support import eventually
from support_frames import write_raw
from support_night import QUICK, Daemon, appear, running, state_of, tapewatch, write_par
from support_processes import fork_servers, processes, workers
from support_sabotage import Harm, Sabotage
from support_service import write_calibrations

# What a worker does with the frame that is called so; of the others nothing is harmed.
VICTIM = "victim.fits"
_PIXELS = np.zeros((20, 30), np.int16)
_JOB = "tapewatch.jobs.perform:calibrate_frame"


@pytest.fixture
def par(tmp_path: Path) -> Path:
    """Give the tape.par of a night with calibrations."""
    folder = tmp_path / "night"
    folder.mkdir()
    write_calibrations(folder)
    return write_par(folder, **QUICK, NBIAS=2, NDARK=2, NFLAT=2, WORKERS=2)


def _send(folder: Path, *names: str) -> None:
    for name in names:
        appear(
            folder / name, write_raw(folder.parent / name, 2000 + sum(name.encode())).read_bytes()
        )


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("kill_self", "its worker process died"),
        ("eat_memory", "MemoryError: it asks for more than a frame of its size may take"),
        ("fail", "RuntimeError: sabotaged"),
    ],
)
def test_a_frame_at_which_workers_fail_is_given_up_and_all_others_are_done(
    par: Path, tmp_path: Path, action: str, reason: str
) -> None:
    harm = Harm(_JOB, action, calls=(), argument=VICTIM)
    sabotage = Sabotage(tmp_path / "sabotage", harm)
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, "a.fits", VICTIM, "b.fits", "c.fits")
        (line,) = daemon.wait_for("frame.failed")
        assert line["file"] == VICTIM
        assert reason in line["reason"]
        assert "(3 tries)" in line["reason"] or "3 times" in line["reason"]
        for name in ("a.fits", "b.fits", "c.fits"):
            daemon.wait_for("frame.calibrated", file=name)
        assert {line["file"] for line in daemon.events("job.retry")} == {VICTIM}
        assert daemon.stop() == 0
    assert sabotage.hits == [3]


def test_a_worker_that_is_killed_costs_one_try(par: Path, tmp_path: Path) -> None:
    sabotage = Sabotage(tmp_path / "sabotage", Harm(_JOB, "kill_self", argument=VICTIM))
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, VICTIM)
        (line,) = daemon.wait_for("job.retry", file=VICTIM)
        assert line["tries"] == 1
        daemon.wait_for("frame.calibrated", file=VICTIM)
        assert daemon.stop() == 0


def test_a_frame_that_kills_the_daemon_with_its_worker_is_given_up(
    par: Path, tmp_path: Path
) -> None:
    harm = Harm(_JOB, "kill_all", calls=(), argument=VICTIM)
    sabotage = Sabotage(tmp_path / "sabotage", harm)
    _send(par.parent, VICTIM)
    for _ in range(3):
        with running(par, sabotage.environment) as daemon:
            assert daemon.process.wait(60) == -signal.SIGKILL
    _send(par.parent, "a.fits")
    with running(par, sabotage.environment) as daemon:
        (line,) = daemon.wait_for("frame.failed")
        assert line["file"] == VICTIM
        assert "3 times" in line["reason"]
        daemon.wait_for("frame.calibrated", file="a.fits")
        assert daemon.stop() == 0


def test_a_job_that_hangs_is_ended_and_tried_again(par: Path, tmp_path: Path) -> None:
    hang = Harm(_JOB, "hang", argument=VICTIM)
    impatience = Harm("tapewatch.service.crew:timeout_of", "one_second", "instead", ())
    sabotage = Sabotage(tmp_path / "sabotage", hang, impatience)
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, VICTIM, "a.fits")
        (line,) = daemon.wait_for("job.retry", file=VICTIM)
        assert line["reason"] == "it took too long and was ended"
        daemon.wait_for("frame.calibrated", file=VICTIM)
        daemon.wait_for("frame.calibrated", file="a.fits")
        assert daemon.stop() == 0


@pytest.fixture
def stopped(par: Path, tmp_path: Path) -> Iterator[tuple[Daemon, int]]:
    """Give a daemon whose worker was stopped in its job, and the worker's number."""
    harm = Harm("tapewatch.fitsfile.product:put", "stop_self", argument=f"w{VICTIM}")
    sabotage = Sabotage(tmp_path / "sabotage", harm)
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, VICTIM)
        group = daemon.process.pid
        (worker,) = eventually(lambda: _stopped(group))
        yield daemon, worker


def _stopped(group: int) -> list[int]:
    found = []
    for number in processes(group):
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        found += [number] if fields[0] == "T" else []
    return found


def test_workers_end_with_the_daemon_even_those_that_are_stopped(
    stopped: tuple[Daemon, int],
) -> None:
    daemon, _ = stopped
    group = daemon.process.pid
    daemon.process.kill()
    daemon.process.wait(20)
    eventually(lambda: not processes(group))


def test_a_worker_that_hangs_ends_with_the_daemon(par: Path, tmp_path: Path) -> None:
    sabotage = Sabotage(tmp_path / "sabotage", Harm(_JOB, "hang", argument=VICTIM))
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, VICTIM)
        eventually(lambda: sabotage.hits == [1])
        group = daemon.process.pid
        daemon.process.kill()
        daemon.process.wait(20)
        eventually(lambda: not processes(group))


def test_a_fork_server_that_dies_as_it_makes_a_worker_is_replaced(
    par: Path, tmp_path: Path
) -> None:
    sabotage = Sabotage(tmp_path / "sabotage", Harm("os:fork", "kill_self"))
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, "a.fits")
        daemon.wait_for("frame.calibrated", file="a.fits")
        assert daemon.stop() == 0
    assert sabotage.hits == [1]


def test_where_no_worker_can_be_made_the_daemon_says_so_and_ends(par: Path, tmp_path: Path) -> None:
    sabotage = Sabotage(tmp_path / "sabotage", Harm("os:fork", "kill_self", calls=()))
    ended = tapewatch("once", par, environment=sabotage.environment)
    assert ended.code == 1
    assert "no worker process can be started" in ended.errors
    assert "Traceback" not in ended.errors


def test_an_orphan_that_wakes_later_leaves_its_successors_product_alone(
    par: Path, tmp_path: Path
) -> None:
    harm = Harm(_JOB, "stop_self", argument=VICTIM)
    sabotage = Sabotage(tmp_path / "sabotage", harm)
    with running(par, sabotage.environment) as daemon:
        _send(par.parent, VICTIM)
        group = daemon.process.pid
        (orphan,) = eventually(lambda: _stopped(group))
        (server,) = fork_servers(group)
        os.kill(server, signal.SIGSTOP)  # whose end would be the worker's, too
        # As long as one of a group is a child of ours, the system does not wake the stopped ones.
        fellow = subprocess.Popen(["cat"], stdin=subprocess.PIPE, process_group=group)
        daemon.process.kill()
        daemon.process.wait(20)
        assert {orphan, server} <= processes(group).keys()
        with fellow, running(par) as successor:
            successor.wait_for("frame.calibrated", file=VICTIM)
            before = state_of(par.parent / f"w{VICTIM}")
            os.kill(orphan, signal.SIGCONT)
            eventually(lambda: orphan not in processes(group))
            os.kill(server, signal.SIGCONT)
            eventually(lambda: server not in processes(group))
            assert state_of(par.parent / f"w{VICTIM}") == before
            assert successor.stop() == 0
    assert not list(par.parent.rglob("*.part"))


def test_what_kills_who_unpacks_it_is_rejected_and_all_others_are_done(
    par: Path, tmp_path: Path
) -> None:
    mosaic = fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(_PIXELS) for _ in range(2))])
    mosaic.writeto(tmp_path / "mosaic.fits")
    content = gzip.compress((tmp_path / "mosaic.fits").read_bytes())
    harm = Harm("tapewatch.workers:_inspect", "kill_self", calls=(), argument="mosaic")
    sabotage = Sabotage(tmp_path / "sabotage", harm)
    with running(par, sabotage.environment) as daemon:
        appear(par.parent / "mosaic.fits.gz", content)
        _send(par.parent, "a.fits")
        (line,) = daemon.wait_for("frame.rejected")
        assert line["file"] == "mosaic.fits.gz"
        assert line["reason"].startswith("cannot be unpacked: its worker process died")
        daemon.wait_for("frame.calibrated", file="a.fits")
        assert sabotage.hits == [3]
        assert daemon.stop() == 0


def test_a_killed_fork_server_is_replaced(par: Path) -> None:
    with running(par) as daemon:
        _send(par.parent, "a.fits")
        daemon.wait_for("frame.calibrated", file="a.fits")
        (server,) = fork_servers(daemon.process.pid)
        os.kill(server, signal.SIGKILL)
        _send(par.parent, "b.fits")
        daemon.wait_for("frame.calibrated", file="b.fits")
        assert daemon.stop() == 0


def test_workers_killed_all_at_once_are_replaced_and_nothing_is_given_up(par: Path) -> None:
    names = [f"n{number:02d}.fits" for number in range(20)]
    with running(par) as daemon:
        _send(par.parent, *names)
        daemon.wait_for("frame.calibrated")
        group = daemon.process.pid
        found = workers(group)
        assert found
        for worker in found:
            os.kill(worker, signal.SIGKILL)
        for name in names:
            daemon.wait_for("frame.calibrated", file=name)
        assert not daemon.events("frame.failed")
        eventually(lambda: not list(par.parent.rglob("*.part")))
        assert daemon.stop() == 0
