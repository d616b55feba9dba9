"""The output folder in trouble while the daemon works: the night ends as without trouble."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from support import eventually
from support_disk import fill, mounted, moved, read_only, unmount
from support_night import QUICK, Daemon, running, tapewatch, write_par
from support_sabotage import Harm, Sabotage
from support_service import write_calibrations, write_objects
from support_state import files_of
from tapewatch.ledger import LedgerReader

KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "MINFREE": 0}
FIRST, LATER = ("a.fits", "b.fits"), ("c.fits", "d.fits", "e.fits")
DISK = 2 << 20  # bytes: what a small disk for the output holds
# As any user is: root may write whatever the modes say, but for these two rights.
RIGHTS = "-dac_override,-dac_read_search"
AS_A_USER = ("setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}")
BOUND_BY_MODES = AS_A_USER if os.geteuid() == 0 else ()

Repair = Callable[[], object]
Trouble = Callable[[Path], Repair]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Do the night without trouble; give what was made."""
    folder = tmp_path_factory.mktemp("clean") / "night"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    write_later(folder)
    assert tapewatch("once", write_par(folder, **KEYS, OUTDIR=folder.parent / "out")).code == 0
    return files_of(folder.parent / "out")


def write_later(folder: Path) -> None:
    """Write the frames that come while there is trouble, where whole files are renamed to."""
    elsewhere = folder.parent / f"{folder.name}.elsewhere"
    write_objects(elsewhere, *FIRST, *LATER)
    for name in LATER:
        (elsewhere / name).replace(folder / name)
    shutil.rmtree(elsewhere)


def full(output: Path) -> Repair:
    """Leave no room."""
    return fill(output).unlink


def made_read_only(output: Path) -> Repair:
    """Let nobody write."""
    read_only(output)
    return lambda: unmount(output)


def unmounted(output: Path) -> Repair:
    """Take the disk away: what is there now is an empty folder."""
    elsewhere = output.with_name("elsewhere")
    moved(output, elsewhere)
    return lambda: moved(elsewhere, output)


def renamed(output: Path) -> Repair:
    """Give the folder another name: there is nothing now."""
    elsewhere = output.with_name("elsewhere")
    output.rename(elsewhere)
    return lambda: elsewhere.rename(output)


def assert_only_what_is_there_counts_as_done(state: Path, output: Path) -> None:
    """See that the ledger tells of no product or master that is not on disk."""
    with LedgerReader(state) as ledger:
        told = [*ledger.products().values(), *(one.master.path for one in ledger.masters())]
    assert told
    assert not [path for path in told if not (output / path).is_file()]


def assert_as_clean(daemon: Daemon, output: Path, clean: Mapping[str, bytes]) -> None:
    """See that the night is done as without trouble, and end it."""
    for name in (*FIRST, *LATER):
        daemon.wait_for("frame.calibrated", file=name)
    lists = {name: text for name, text in clean.items() if name.endswith(".list")}
    eventually(lambda: lists.items() <= files_of(output).items())
    assert daemon.stop() == 0
    assert daemon.errors() == ""
    assert files_of(output) == clean
    assert not list(output.rglob("*.part"))
    for event in ("frame.failed", "job.retry", "product.lost", "master.lost"):
        assert not daemon.events(event)


@pytest.mark.parametrize("inside", [False, True], ids=["state elsewhere", "state inside"])
@pytest.mark.parametrize("trouble", [full, made_read_only, unmounted, renamed])
def test_a_disk_in_trouble_is_waited_for(
    tmp_path: Path, clean: Mapping[str, bytes], trouble: Trouble, *, inside: bool
) -> None:
    folder, disk = tmp_path / "night", tmp_path / "disk"
    # A folder that is renamed lies on the disk; else it is the disk.
    output = disk / "out" if trouble is renamed else disk
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    state = output / ".tapewatch" / "state.sqlite" if inside else tmp_path / "state.sqlite"
    par = write_par(folder, **KEYS, OUTDIR=output, **({} if inside else {"STATEFILE": state}))
    with mounted(disk, DISK), running(par) as daemon:
        for name in FIRST:
            daemon.wait_for("frame.calibrated", file=name)
        eventually((output / "wobj.list").is_file)
        repair = trouble(output)
        write_later(folder)
        (line,) = daemon.wait_for("service.degraded")
        assert str(output) in line["reason"]
        if trouble in {full, made_read_only}:
            assert_only_what_is_there_counts_as_done(state, output)
            health = json.loads(tapewatch("status", par, "--json").output)["health"]
            assert health["running"]
            assert str(output) in health["trouble"]
        repair()
        daemon.wait_for("service.restored")
        assert_only_what_is_there_counts_as_done(state, output)
        assert_as_clean(daemon, output, clean)
        assert len(daemon.events("service.degraded")) == 1


def test_work_stops_before_a_disk_has_less_room_than_minfree(
    tmp_path: Path, clean: Mapping[str, bytes]
) -> None:
    folder, output = tmp_path / "night", tmp_path / "disk"
    write_calibrations(folder)
    write_objects(folder, *FIRST)
    keys = {**KEYS, "MINFREE": 40, "STATEFILE": tmp_path / "state.sqlite"}
    par = write_par(folder, **keys, OUTDIR=output)
    with mounted(output, DISK), running(par) as daemon:
        for name in FIRST:
            daemon.wait_for("frame.calibrated", file=name)
        filler = output / "filler"
        filler.write_bytes(bytes(DISK * 6 // 10))
        write_later(folder)
        (line,) = daemon.wait_for("service.degraded")
        assert "MINFREE" in line["reason"]
        filler.unlink()
        daemon.wait_for("service.restored")
        assert_as_clean(daemon, output, clean)


@pytest.mark.parametrize("part", ["", "masters", "M13"])
def test_who_may_not_write_any_more_is_told_and_it_is_waited_for(tmp_path: Path, part: str) -> None:
    folder, output = tmp_path / "night", tmp_path / "out"
    write_calibrations(folder)
    write_objects(folder / "M13", *FIRST)
    state = tmp_path / "state.sqlite"
    par = write_par(folder, **KEYS, OUTDIR=output, STATEFILE=state)
    with running(par, before=BOUND_BY_MODES) as daemon:
        for name in FIRST:
            daemon.wait_for("frame.calibrated", file=f"M13/{name}")
        eventually((output / "M13" / "wobj.list").is_file)
        places = [output / part, output / "M13"]
        for place in places:
            place.chmod(0o555)
        write_objects(tmp_path / "elsewhere", *FIRST, *LATER)
        for name in LATER:
            (tmp_path / "elsewhere" / name).replace(folder / "M13" / name)
        (line,) = daemon.wait_for("service.degraded")
        assert "Permission denied" in line["reason"]
        assert_only_what_is_there_counts_as_done(state, output)
        for place in places:
            place.chmod(0o755)
        daemon.wait_for("service.restored")
        for name in LATER:
            daemon.wait_for("frame.calibrated", file=f"M13/{name}")
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert not list(output.rglob("*.part"))
    assert not daemon.events("frame.failed") + daemon.events("job.retry")


def test_what_cannot_be_synced_does_not_count_as_done(
    tmp_path: Path, clean: Mapping[str, bytes]
) -> None:
    folder, output, state = tmp_path / "night", tmp_path / "out", tmp_path / "state.sqlite"
    write_calibrations(folder)
    par = write_par(folder, **KEYS, OUTDIR=output, STATEFILE=state)
    # Not the first ones, without which there is no start; then of files and folders as they come.
    failing = tuple(range(20, 50))
    sabotage = Sabotage(tmp_path / "sabotage", Harm("os:fsync", "fail_to_write", calls=failing))
    with running(par, sabotage.environment) as daemon:
        daemon.wait_for("master.built", 3)
        eventually(lambda: sabotage.calls[0] >= failing[0] - 1)
        write_objects(folder, *FIRST)
        write_later(folder)
        (line,) = daemon.wait_for("service.degraded")
        assert "Input/output error" in line["reason"]
        while not daemon.events("service.restored"):
            assert_only_what_is_there_counts_as_done(state, output)
        assert_as_clean(daemon, output, clean)
    assert sabotage.hits == [len(failing)]
