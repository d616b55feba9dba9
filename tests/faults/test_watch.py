"""What befalls the watched folder under a daemon that searches often: no frame is lost.

Frames come while it lasts and after it. All of them must be calibrated without a restart, and the
log must have told of it. Whether the watch hears again is asked where searches are rare.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import eventually
from support_night import QUICK, Daemon, ask, running, write_par
from support_service import write_calibrations, write_objects

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount and set limits")
# Root, but one to whom permissions apply.
HUMBLE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.fixture
def par(tmp_path: Path) -> Path:
    """Give the tape.par of a watched folder, with calibrations, and an output folder beside it."""
    folder = tmp_path / "night"
    write_calibrations(folder)
    return write_par(
        tmp_path, WORKDIR="night", OUTDIR="out", **QUICK, NBIAS=2, NDARK=2, NFLAT=2, MINFREE=0
    )


def folder_of(par: Path) -> Path:
    return par.parent / "night"


def arrive(folder: Path, *names: str) -> None:
    """Have whole frames renamed into a folder, as good cameras do."""
    elsewhere = folder.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    for name in names:
        write_objects(elsewhere, name)
        shutil.move(elsewhere / name, folder / name)


def calibrated(daemon: Daemon, *names: str) -> None:
    """Wait until frames have their products."""
    for name in names:
        daemon.wait_for("frame.calibrated", file=name)


def trouble_of(par: Path) -> str:
    """Give what `status` says to be wrong."""
    return str(ask("status", par).output)


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Mount another file system over a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _renamed_and_made_anew(folder: Path) -> None:
    folder.rename(folder.with_name("yesterday"))
    folder.mkdir()


def _deleted_and_made_anew(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _replaced_by_a_link(folder: Path) -> None:
    other = folder.with_name("other-disk")
    other.mkdir()
    folder.rename(folder.with_name("yesterday"))
    folder.symlink_to(other)


@pytest.mark.parametrize(
    "fault", [_renamed_and_made_anew, _deleted_and_made_anew, _replaced_by_a_link]
)
def test_another_folder_under_the_watched_name_is_watched_instead(
    par: Path, fault: Callable[[Path], None]
) -> None:
    with running(par) as daemon:
        arrive(folder_of(par), "a.fits")
        calibrated(daemon, "a.fits")
        fault(folder_of(par))
        arrive(folder_of(par), "b.fits")
        calibrated(daemon, "b.fits")
        (line,) = daemon.wait_for("watch.degraded")
        assert str(folder_of(par)) in line["reason"] or "a thread" in line["reason"]
        daemon.wait_for("watch.restored")
        arrive(folder_of(par), "c.fits")
        calibrated(daemon, "c.fits")
        assert daemon.stop() == 0
    products = sorted(path.name for path in (par.parent / "out").glob("w?.fits"))
    assert products == ["wa.fits", "wb.fits", "wc.fits"]


@AS_ROOT
def test_what_is_mounted_over_the_folder_is_watched_and_the_folder_again_afterwards(
    par: Path,
) -> None:
    with running(par) as daemon:
        arrive(folder_of(par), "a.fits")
        calibrated(daemon, "a.fits")
        with mounted(folder_of(par)):
            arrive(folder_of(par), "b.fits")
            calibrated(daemon, "b.fits")
            arrive(folder_of(par), "c.fits")
            calibrated(daemon, "c.fits")
        arrive(folder_of(par), "d.fits")
        calibrated(daemon, "d.fits")
        assert daemon.stop() == 0


def test_a_folder_that_is_away_is_told_waited_for_and_nothing_is_forgotten(par: Path) -> None:
    folder = folder_of(par)
    with running(par) as daemon:
        arrive(folder, "a.fits")
        calibrated(daemon, "a.fits")
        folder.rename(folder.with_name("away"))
        (line,) = daemon.wait_for("watch.degraded")
        assert str(folder) in line["reason"]
        eventually(lambda: line["reason"] in trouble_of(par))
        arrive(folder.with_name("away"), "b.fits")
        folder.with_name("away").rename(folder)
        daemon.wait_for("watch.restored")
        calibrated(daemon, "b.fits")
        arrive(folder, "c.fits")
        calibrated(daemon, "c.fits")
        assert not daemon.events("frame.vanished")
        assert not daemon.events("product.lost")
        assert daemon.stop() == 0
    assert (par.parent / "out" / "wobj.list").read_text().split() == ["a.fits", "b.fits", "c.fits"]


@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux's setpriv is missing")
def test_a_folder_unreadable_at_the_start_is_waited_for(par: Path) -> None:
    folder = folder_of(par)
    folder.chmod(0)
    with running(par, before=HUMBLE) as daemon:
        daemon.wait_for("watch.degraded")
        folder.chmod(0o755)
        daemon.wait_for("watch.restored")
        arrive(folder, "a.fits")
        calibrated(daemon, "a.fits")
        assert daemon.stop() == 0


@pytest.fixture
def short_queue() -> Iterator[None]:
    """Let the kernel keep no more than 16 events for whoever begins to watch now."""
    before = QUEUE.read_text()
    try:
        QUEUE.write_text("16")
    except OSError:
        pytest.skip("this system's limits cannot be set")
    yield
    QUEUE.write_text(before)


@pytest.mark.usefixtures("short_queue")
def test_frames_whose_events_the_kernel_dropped_are_found(par: Path) -> None:
    folder = folder_of(par)
    names = [f"{number:03d}.fits" for number in range(60)]
    others = [f"no-frame-{number}.txt" for number in range(2000)]
    with running(par) as daemon:
        daemon.wait_for("master.built", count=3)  # the watch is armed
        # A reader that lags, as under load, is what makes a queue overflow: for a while none reads.
        daemon.pause()
        for name in others:
            (folder / name).write_text("")
        arrive(folder, *names)
        daemon.resume()
        calibrated(daemon, *names)
        (line,) = daemon.wait_for("watch.degraded")
        assert "queue overflowed" in line["reason"]
        daemon.wait_for("watch.restored")
        assert daemon.errors() == ""
        assert daemon.stop() == 0


def _copied_in(source: Path, folder: Path) -> None:
    subprocess.run(["cp", "-r", source, folder / "new"], check=True)


def _moved_in(source: Path, folder: Path) -> None:
    source.rename(folder / "new")


def _made_and_filled_at_once(source: Path, folder: Path) -> None:
    (folder / "new" / "deep").mkdir(parents=True)
    for path in source.rglob("*.fits"):
        place = folder / "new" / path.relative_to(source)
        place.write_bytes(path.read_bytes())


@pytest.mark.parametrize("how", [_copied_in, _moved_in, _made_and_filled_at_once])
def test_a_folder_that_comes_with_its_frames_loses_none(
    par: Path, tmp_path: Path, how: Callable[[Path, Path], None]
) -> None:
    names = [*(f"{number:02d}.fits" for number in range(30)), "deep/x.fits", "deep/y.fits"]
    source = tmp_path / "source"
    for name in names:
        write_objects(source / Path(name).parent, Path(name).name)
    with running(par) as daemon:
        how(source, folder_of(par))
        calibrated(daemon, *(f"new/{name}" for name in names))
        assert daemon.stop() == 0


def test_a_folder_that_is_emptied_costs_no_product(par: Path) -> None:
    folder = folder_of(par)
    with running(par) as daemon:
        arrive(folder, "a.fits")
        calibrated(daemon, "a.fits")
        product = (par.parent / "out" / "wa.fits").read_bytes()
        for path in folder.iterdir():
            path.unlink()
        arrive(folder, "b.fits")
        calibrated(daemon, "b.fits")
        assert daemon.stop() == 0
    assert (par.parent / "out" / "wa.fits").read_bytes() == product
    assert (par.parent / "out" / "wobj.list").read_text().split() == ["a.fits", "b.fits"]
