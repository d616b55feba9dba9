"""However tapewatch ends: nothing half-written is left, and the next start catches up."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from support import eventually
from support_night import (
    QUICK,
    assert_as_the_notebook,
    assert_whole,
    running,
    set_sizes,
    states_below,
    take,
    tapewatch,
    write_par,
)
from tapewatch.commands.simulate import Night

# A backlog that takes the workers a while.
NIGHT = Night(shape=(160, 200), bias=3, darks=3, flats=3, objects=40, dialect="tape")
SECONDS = 8.0  # in which a stop is done: running jobs may take half of it


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camera")
    take(folder, NIGHT)
    return folder


@pytest.fixture
def backlog(camera: Path, tmp_path: Path) -> Path:
    """Give the tape.par of a folder full of raw frames that nobody has looked at."""
    folder = tmp_path / "night"
    shutil.copytree(camera, folder)
    return write_par(folder, **QUICK, **set_sizes(NIGHT))


def raws(par: Path) -> list[Path]:
    return list(par.parent.glob("[!w]*.fits"))


def assert_nothing_half_written(folder: Path) -> None:
    for path in [*folder.glob("w*.fits"), *folder.glob("masters/*.fits")]:
        assert_whole(path)
    for path in folder.glob("*.list"):
        names = path.read_text()
        assert names.endswith("\n")
        assert all((folder / name).is_file() for name in names.splitlines())
    objects = folder / "wobj.list"
    for name in objects.read_text().splitlines() if objects.exists() else ():
        assert (folder / f"w{name}").is_file()


def descendants(process: int) -> set[int]:
    """Process IDs of the children of a process, and of theirs."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything; the parent is the second field after it.
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}


@pytest.mark.parametrize(
    ("number", "event"),
    [(signal.SIGTERM, "frame.measured"), (signal.SIGINT, "frame.calibrated")],
)
def test_a_stop_in_the_middle_is_clean_and_quick(
    backlog: Path, number: signal.Signals, event: str
) -> None:
    with running(backlog) as daemon:
        daemon.wait_for(event, 3)
        workers = descendants(daemon.process.pid)
        asked = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() < asked + SECONDS
        assert daemon.errors() == ""
    assert daemon.lines[-1]["event"] == "service.stopped"
    assert workers
    eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert len(daemon.events("frame.calibrated")) < NIGHT.objects
    assert not list(backlog.parent.rglob("*.part"))
    assert_nothing_half_written(backlog.parent)
    # What was abandoned counts as no failure: the rest is done as if nothing had been.
    ended = tapewatch("once", backlog)
    assert ended.code == 0
    done = daemon.events("frame.calibrated") + ended.events("frame.calibrated")
    assert len(done) == len({line["file"] for line in done}) == NIGHT.objects
    assert_as_the_notebook(backlog.parent, raws(backlog))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_when_idle_is_clean_and_quick(tmp_path: Path, number: signal.Signals) -> None:
    with running(write_par(tmp_path)) as daemon:
        asked = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() < asked + SECONDS
        assert daemon.errors() == ""
    assert daemon.lines[-1]["event"] == "service.stopped"


@pytest.mark.parametrize(
    ("event", "count"), [("frame.measured", 4), ("master.built", 2), ("frame.calibrated", 9)]
)
def test_a_killed_daemon_catches_up_when_it_starts_again(
    backlog: Path, event: str, count: int
) -> None:
    with running(backlog) as daemon:
        daemon.wait_for(event, count)
        workers = descendants(daemon.process.pid)
        assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    assert len(daemon.events("frame.calibrated")) < NIGHT.objects
    assert_nothing_half_written(backlog.parent)
    eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    # Whether or not this kill met a worker that was writing: the next one may.
    (backlog.parent / ".tapewatch-7.part").write_bytes(b"half a product")
    with running(backlog) as successor:
        assert tapewatch("status", backlog, "--wait", "60").code == 0
        assert successor.stop() == 0
    assert not list(backlog.parent.rglob("*.part"))
    assert_as_the_notebook(backlog.parent, raws(backlog))
    written = states_below(backlog.parent, "**/w*.fits")
    again = tapewatch("once", backlog)
    assert "nothing to do" in again.lines[-1]["reason"]
    assert states_below(backlog.parent, "**/w*.fits") == written


def test_one_tapewatch_a_folder(tmp_path: Path) -> None:
    par = write_par(tmp_path, **QUICK)
    with running(par) as daemon:
        for command in ("run", "once"):
            refused = tapewatch(command, par)
            assert refused.code == 75
            assert refused.output == ""
            assert str(tmp_path) in refused.errors
            assert str(daemon.process.pid) in refused.errors
        take(tmp_path / "later", Night(shape=(16, 16), bias=1, darks=0, flats=0, objects=0))
        daemon.wait_for("frame.measured", 1)  # the first one was not disturbed
        assert daemon.stop() == 0
    assert tapewatch("once", par).code == 0


@pytest.mark.parametrize("command", ["run", "once"])
@pytest.mark.parametrize(
    ("line", "words"),
    [("NBIAS none", ("NBIAS", "none")), ("STEPS bias,fringe", ("STEPS", "fringe"))],
)
def test_a_bad_parameter_is_told_before_anything_is_touched(
    tmp_path: Path, command: str, line: str, words: tuple[str, ...]
) -> None:
    par = tmp_path / "tape.par"
    par.write_text(f"WORKDIR .\nBINNING 1\n{line}  # a slip\n")
    refused = tapewatch(command, par)
    assert refused.code == 78
    assert refused.output == ""
    assert all(word in refused.errors for word in (str(par), "3", *words)), refused.errors
    assert list(tmp_path.iterdir()) == [par]


def test_a_missing_parameter_file_is_told(tmp_path: Path) -> None:
    refused = tapewatch("run", tmp_path / "tape.par")
    assert refused.code == 78
    assert str(tmp_path / "tape.par") in refused.errors
