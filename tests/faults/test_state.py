"""A state file in trouble while the daemon works: the night ends as one without trouble does."""

import json
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from support import eventually
from support_disk import fill, mounted, remounted
from support_night import PATIENCE, QUICK, Daemon, running, tapewatch, write_par
from support_service import write_calibrations, write_objects
from support_state import files_of, ledger_of

KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "MINFREE": 0}
FIRST, LATER = ("a.fits", "b.fits"), ("c.fits", "d.fits", "e.fits")
DISK = 1 << 20  # bytes: what a small disk for the state file holds
STATE = ".tapewatch/state.sqlite"

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do the night without trouble."""
    folder = tmp_path_factory.mktemp("clean")
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    write_later(folder)
    assert tapewatch("once", write_par(folder, **KEYS)).code == 0
    return folder


def write_later(folder: Path) -> None:
    """Write the frames that come after the trouble, where whole files are renamed to."""
    elsewhere = folder.parent / f"{folder.name}.elsewhere"
    write_objects(elsewhere, *FIRST, *LATER)
    for name in LATER:
        (elsewhere / name).replace(folder / name)
    shutil.rmtree(elsewhere)


def assert_as_clean(folder: Path, clean: Path, state: Path) -> None:
    """See that a night is done as the clean one, to the bit and in every row."""
    assert files_of(folder) == files_of(clean)
    assert ledger_of(state) == ledger_of(clean / STATE)


def wait_for_lists(folder: Path, daemon: Daemon) -> None:
    """Wait until all is done with the first frames."""
    daemon.wait_for("frame.calibrated", 2)
    objects = folder / "wobj.list"
    eventually(lambda: objects.exists() and objects.read_text().split() == list(FIRST))


def finished(daemon: Daemon) -> None:
    """Wait until every object frame has its product."""
    for name in (*FIRST, *LATER):
        daemon.wait_for("frame.calibrated", file=name)


def removed(state: Path) -> None:
    state.unlink()


def all_removed(state: Path) -> None:
    for end in ("-wal", "-shm", ""):
        state.with_name(state.name + end).unlink(missing_ok=True)


def replaced_by_garbage(state: Path) -> None:
    garbage = state.with_name("garbage")
    garbage.write_bytes(b"\xa5" * 50_000)
    garbage.replace(state)


def replaced_by_nothing(state: Path) -> None:
    state.with_name("nothing").touch()
    state.with_name("nothing").replace(state)


def replaced_by_a_copy(state: Path) -> None:
    shutil.copy(state, state.with_name("copy"))
    state.with_name("copy").replace(state)


def folder_removed(state: Path) -> None:
    shutil.rmtree(state.parent)


@pytest.mark.parametrize(
    "damage",
    [
        removed,
        all_removed,
        replaced_by_garbage,
        replaced_by_nothing,
        replaced_by_a_copy,
        folder_removed,
    ],
)
def test_a_state_file_that_is_taken_away_is_noticed_and_the_night_goes_on(
    tmp_path: Path, clean: Path, damage: Damage
) -> None:
    folder, state = tmp_path / "night", tmp_path / "state" / "state.sqlite"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    par = write_par(folder, **KEYS, STATEFILE=state, JSONLOG="off")
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        damage(state)
        write_later(folder)
        (line,) = daemon.wait_for("ledger.lost")
        assert str(state) in line["reason"]
        finished(daemon)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert_as_clean(folder, clean, state)


def test_a_folder_that_is_away_with_its_state_file_loses_nothing(
    tmp_path: Path, clean: Path
) -> None:
    folder, away = tmp_path / "night", tmp_path / "away"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    par = write_par(folder, **KEYS)
    with running(par) as daemon:
        wait_for_lists(folder, daemon)
        folder.rename(away)
        daemon.wait_for("watch.degraded")
        away.rename(folder)
        daemon.wait_for("watch.restored")
        write_later(folder)
        finished(daemon)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        assert daemon.stop() == 0
    assert not daemon.events("ledger.lost") + daemon.events("ledger.quarantined")
    assert len(daemon.events("frame.calibrated")) == len((*FIRST, *LATER))
    assert_as_clean(folder, clean, folder / STATE)


def test_a_folder_that_is_deleted_with_its_state_file_is_begun_anew_when_it_is_there_again(
    tmp_path: Path, clean: Path
) -> None:
    folder, par = tmp_path / "night", tmp_path / "tape.par"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    write_par(tmp_path, **{**KEYS, "WORKDIR": folder})
    with running(par) as daemon:
        wait_for_lists(folder, daemon)
        shutil.rmtree(folder)
        daemon.wait_for("ledger.lost")
        write_objects(tmp_path / "new", *FIRST)
        write_calibrations(tmp_path / "new")
        write_later(tmp_path / "new")
        assert not folder.exists()
        (tmp_path / "new").rename(folder)
        daemon.wait_for("service.ready", 2)
        for name in LATER:
            daemon.wait_for("frame.calibrated", file=name)
        daemon.wait_for("frame.calibrated", 2, file=FIRST[0])
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        assert tapewatch("once", par).code == 75
        assert daemon.stop() == 0
    assert_as_clean(folder, clean, folder / STATE)


def test_a_daemon_whose_folder_was_deleted_obeys_and_makes_nothing(tmp_path: Path) -> None:
    folder, par = tmp_path / "night", tmp_path / "tape.par"
    write_calibrations(folder)
    write_par(tmp_path, **{**KEYS, "WORKDIR": folder})
    with running(par) as daemon:
        daemon.wait_for("master.built", 3)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        eventually((folder / "wflatR.list").exists)
        shutil.rmtree(folder)
        daemon.wait_for("ledger.lost")
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert not folder.exists()


def test_our_own_folder_that_is_removed_is_made_anew(tmp_path: Path, clean: Path) -> None:
    folder = tmp_path / "night"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    par = write_par(folder, **KEYS)
    with running(par) as daemon:
        wait_for_lists(folder, daemon)
        shutil.rmtree(folder / ".tapewatch")
        daemon.wait_for("ledger.lost")
        daemon.wait_for("ledger.rebuilt", masters=3, products=2)
        assert tapewatch("once", par).code == 75  # by another lock than before
        write_later(folder)
        finished(daemon)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        assert daemon.stop() == 0
    assert len(daemon.events("frame.calibrated")) == len((*FIRST, *LATER))
    assert_as_clean(folder, clean, folder / STATE)


def test_damage_that_is_met_while_running_is_set_aside(tmp_path: Path, clean: Path) -> None:
    folder = tmp_path / "night"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    state = folder / STATE
    with running(write_par(folder, **KEYS)) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        # In place, so that it is the very file; what SQLite keeps in memory hides that for a while.
        for name in (state, state.with_name("state.sqlite-wal")):
            if name.exists():
                with name.open("r+b") as file:
                    file.write(b"\xa5" * name.stat().st_size)
        write_later(folder)
        finished(daemon)
        daemon.stop()
    ended = tapewatch("once", folder / "tape.par")
    assert ended.code == 0
    assert_as_clean(folder, clean, state)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk of its own for the state file."""
    with mounted(tmp_path / "disk", DISK) as place:
        yield place


def test_a_state_file_that_cannot_be_written_holds_all_work_and_is_waited_for(
    tmp_path: Path, clean: Path, disk: Path
) -> None:
    folder, state = tmp_path / "night", disk / "state.sqlite"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    par = write_par(folder, **KEYS, STATEFILE=state, JSONLOG="off")

    def trouble() -> str:
        health = json.loads(tapewatch("status", par, "--json").output)["health"]
        assert health["running"]
        return str(health["trouble"])

    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        filler = fill(disk)
        write_later(folder)
        (line,) = daemon.wait_for("service.degraded")
        assert str(state) in line["reason"]
        assert trouble() == f"the disk of the state file {state} is full"
        assert tapewatch("once", par).code == 75  # the folder is held all the while
        eventually(lambda: remounted(disk, "ro"), PATIENCE)  # at a moment when nobody writes there
        assert trouble() == f"the disk of the state file {state} is read-only"
        assert remounted(disk, "rw")
        filler.unlink()
        daemon.wait_for("service.restored")
        finished(daemon)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert len(daemon.events("service.degraded")) == len(daemon.events("service.restored"))
    assert_as_clean(folder, clean, state)


def test_a_disk_that_is_full_for_frames_products_and_state_alike_is_waited_for(
    tmp_path: Path, clean: Path, disk: Path
) -> None:
    """As it is on most machines: all in one folder, on one disk."""
    folder, elsewhere = disk / "night", tmp_path / "elsewhere"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    par = write_par(folder, **KEYS)
    with running(par) as daemon:
        wait_for_lists(folder, daemon)
        write_objects(elsewhere, *FIRST, *LATER)
        for name in LATER:
            shutil.copy(elsewhere / name, folder / f"{name}.part")
        filler = fill(disk)
        for name in LATER:
            (folder / f"{name}.part").rename(folder / name)
        daemon.wait_for("service.degraded")
        assert tapewatch("status", par).code == 0
        assert daemon.process.poll() is None
        filler.unlink()
        daemon.wait_for("service.restored")
        finished(daemon)
        assert tapewatch("status", par, "--wait", str(PATIENCE)).code == 0
        objects = folder / "wobj.list"
        eventually(lambda: set(objects.read_text().split()) == {*FIRST, *LATER})
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert not list(folder.rglob("*.part"))
    assert_as_clean(folder, clean, folder / STATE)


def test_a_daemon_that_waits_for_room_obeys_and_once_ends_in_words(
    tmp_path: Path, disk: Path
) -> None:
    folder, state = tmp_path / "night", disk / "state.sqlite"
    write_calibrations(folder)
    par = write_par(folder, **KEYS, STATEFILE=state, JSONLOG="off")
    with running(par) as daemon:
        daemon.wait_for("master.built", 3)
        filler = fill(disk)
        write_later(folder)
        daemon.wait_for("service.degraded")
        assert daemon.stop(signal.SIGTERM) == 0
        assert str(state) in daemon.events("service.stopped")[0]["reason"]
    once = tapewatch("once", par)
    assert once.code == 1
    assert f"tapewatch: the state file {state} cannot be " in once.errors
    assert "Traceback" not in once.errors
    filler.unlink()
    assert tapewatch("once", par).code == 0
    assert set((folder / "wobj.list").read_text().split()) == set(LATER)
    all_removed(state)
    for command in ("status", "masters"):
        ended = tapewatch(command, par)
        assert ended.code == 1
        assert f"tapewatch: the state file {state} is gone: start" in ended.errors


@contextmanager
def heard(address: Path) -> Iterator[list[bytes]]:
    """Listen in systemd's place in the block; give what is said, as it comes."""
    said: list[bytes] = []

    def listen() -> None:
        while (message := systemd.recv(4096)) != b"that is all":
            said.append(message)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        listener = Thread(target=listen)
        listener.start()
        try:
            yield said
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"that is all", str(address))
            listener.join()


def test_signs_of_life_go_on_while_the_state_file_cannot_be_written(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tmp_path / "notify"
    folder, state = tmp_path / "night", disk / "state.sqlite"
    write_calibrations(folder)
    par = write_par(folder, **KEYS, STATEFILE=state, JSONLOG="off")
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    with heard(address) as said, running(par) as daemon:
        daemon.wait_for("master.built", 3)
        fill(disk)
        write_later(folder)
        daemon.wait_for("service.degraded")
        eventually(lambda: any(one.startswith(b"STATUS=TROUBLE") for one in said))
        before = len(said)
        eventually(lambda: said[before:].count(b"WATCHDOG=1") >= 5)
        assert daemon.stop() == 0
