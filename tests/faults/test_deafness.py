"""What makes a watch deaf: it is told of, it is mended unaided, and no frame is lost.

Here the daemon scans at its start, at a SIGHUP, and else once in an hour. So what is calibrated
between two hangups was noticed by an event: the watch hears.
"""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import eventually
from support_frames import write_raw
from support_night import (
    PATIENCE,
    QUICK,
    Daemon,
    frames_by_name,
    running,
    state_of,
    tapewatch,
    write_par,
)
from support_sabotage import Harm, Sabotage
from support_service import write_calibrations

_HOUR = 3600
_HUMBLE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")  # root, obeying permissions
_OWN_LIMITS = ("unshare", "--user", "--map-root-user")  # of inotify, for the daemon alone
_LIMITS = Path("/proc/sys/user")


class Site:
    """A camera's folder, products elsewhere, and a daemon between them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.camera = base / "camera"
        self.outside = base / "outside"
        self.daemon: Daemon | None = None
        for folder in (self.camera, self.outside, base / "out"):
            folder.mkdir(exist_ok=True)

    def prepare(self) -> None:
        """Put calibrations and a first frame into the folder, and one beneath."""
        write_calibrations(self.camera)
        self.send("before.fits")
        self.send("night/before.fits")

    def write_par(self, **keys: object) -> Path:
        """Write tape.par, with the camera's folder as it is spelled now."""
        quick = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "RESCAN": _HOUR}
        places = {"WORKDIR": self.camera, "OUTDIR": self.base / "out"}
        return write_par(self.base, **{**quick, **places, **keys})

    @property
    def par(self) -> Path:
        """Its tape.par."""
        return self.base / "tape.par"

    def send(self, name: str) -> None:
        """Have a frame come in whole, as cameras do that rename."""
        path = self.camera / name
        whole = write_raw(self.outside / path.name, 2000 + sum(name.encode()))
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(f"{path.name}.tmp")
        shutil.copyfile(whole, partial)
        partial.rename(path)

    def look(self) -> None:
        """Have the daemon look at everything."""
        assert self.daemon is not None
        self.daemon.process.send_signal(signal.SIGHUP)

    def health(self) -> dict[str, Any]:
        """Give what ``status`` says of the daemon."""
        health: dict[str, Any] = json.loads(tapewatch("status", self.par, "--json").output)[
            "health"
        ]
        return health


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a site whose folder can be got rid of, whatever happened to it."""
    site = Site(tmp_path)
    yield site
    for mounted in (site.camera / "night", site.camera, site.camera):
        subprocess.run(["umount", "-l", str(mounted)], capture_output=True, check=False)
    if site.camera.exists():
        site.camera.chmod(0o755)


def run(*command: object) -> None:
    """Run a command that needs rights, or skip the test where there are none."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{command[0]}: {done.stderr.strip() or 'failed'}")


def renamed_away_and_made_anew(site: Site) -> None:
    site.camera.rename(site.base / "old")
    site.camera.mkdir()


def filled_again(site: Site) -> None:
    """Have the frames of the old folder come back, one by one."""
    shutil.copytree(site.base / "old", site.camera, dirs_exist_ok=True)


def kept_elsewhere_and_deleted(site: Site) -> None:
    shutil.copytree(site.camera, site.base / "old")
    shutil.rmtree(site.camera)


def made_again(site: Site) -> None:
    site.camera.mkdir()
    filled_again(site)


def mounted_over(site: Site) -> None:
    run("mount", "-t", "tmpfs", "tapewatch-test", site.camera)


def unmounted(site: Site) -> None:
    run("umount", site.camera)


def its_disk_unmounted(site: Site) -> None:
    run("umount", "-l", site.camera)  # lazily: a worker may have a file open yet


def mounted_again(site: Site) -> None:
    run("mount", "-o", "loop", site.base / "disk", site.camera)


def unmounted_and_mounted_again(site: Site) -> None:
    """Between two searches: the same disk has the same device and inode numbers again."""
    before = site.camera.stat()
    eventually(lambda: not subprocess.call(["umount", str(site.camera)]), PATIENCE)
    mounted_again(site)
    after = site.camera.stat()
    assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)


def made_unreadable(site: Site) -> None:
    site.camera.chmod(0o000)


def made_readable(site: Site) -> None:
    site.camera.chmod(0o755)


def nothing(_: Site) -> None:
    """Leave it to the watch."""


def put_on_a_disk(site: Site) -> None:
    disk = site.base / "disk"
    with disk.open("wb") as file:
        file.truncate(8 << 20)
    run("mkfs.ext4", "-q", disk)
    mounted_again(site)


@dataclass(frozen=True)
class Fault:
    """What befalls the folder, how it ends, and what is said.

    Parameters
    ----------
    strike, mend : callable
        What befalls it, and how that ends.
    reason : str
        Part of what ``watch.degraded`` must say.
    lasts : bool
        The watch cannot be relied on before it ends; else it is mended as it is noticed.
    prepare : callable
        What the folder is made to be beforehand.
    before : sequence of str
        What starts the daemon.
    """

    strike: Callable[[Site], None]
    reason: str
    mend: Callable[[Site], None] = nothing
    lasts: bool = True
    prepare: Callable[[Site], None] = nothing
    before: Sequence[str] = ()


FAULTS = {
    "renamed away, a new one made": Fault(
        renamed_away_and_made_anew, "another folder than the one watched", filled_again
    ),
    "deleted and made again": Fault(kept_elsewhere_and_deleted, "cannot be listed", made_again),
    "mounted over": Fault(mounted_over, "another folder than the one watched", unmounted),
    "unmounted": Fault(
        its_disk_unmounted,
        "another folder than the one watched",
        mounted_again,
        prepare=put_on_a_disk,
    ),
    "unmounted and mounted again": Fault(
        unmounted_and_mounted_again,
        "a disk was unmounted below it",
        lasts=False,
        prepare=put_on_a_disk,
    ),
    "unreadable": Fault(made_unreadable, "Permission denied", made_readable, before=_HUMBLE),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_root_in_trouble_is_told_and_watched_again(site: Site, name: str) -> None:
    fault = FAULTS[name]
    if fault.before:
        run(*fault.before, "true")
    fault.prepare(site)
    site.prepare()
    with running(site.write_par(), before=fault.before) as site.daemon:
        daemon = site.daemon
        daemon.wait_for("frame.calibrated", 2)
        eventually(lambda: site.health()["by"] == "inotify")
        fault.strike(site)
        site.look()
        (line,) = daemon.wait_for("watch.degraded")
        assert fault.reason in line["reason"]
        if fault.lasts:
            eventually(lambda: site.health()["trouble"])
            assert site.health()["by"] == "scan"
            assert "TROUBLE: " in tapewatch("status", site.par).output
            fault.mend(site)
            site.look()
        daemon.wait_for("watch.restored")
        eventually(lambda: site.health()["trouble"] == "")
        site.send("after.fits")  # an hour before the next search
        site.send("night/after.fits")
        for frame in ("after.fits", "night/after.fits"):
            daemon.wait_for("frame.calibrated", file=frame)
        # What came back, and was not seen to be closed, is looked at once more.
        assert tapewatch("status", site.par, "--wait", str(PATIENCE)).code == 0
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert len(daemon.events("watch.degraded")) == 1
    assert_all_done(site, "before", "night/before", "after", "night/after")


def assert_all_done(site: Site, *names: str) -> None:
    """See that these frames have their product, and that no frame counts as gone."""
    frames = frames_by_name(site.par)
    assert {frames[f"{name}.fits"]["state"] for name in names} == {"done"}
    assert "vanished" not in {frame["state"] for frame in frames.values()}
    for name in names:
        folder, _, stem = name.rpartition("/")
        assert (site.base / "out" / folder / f"w{stem}.fits").exists()


@pytest.mark.parametrize("gone", ["renamed", "emptied", "unmounted"])
def test_a_folder_without_its_frames_takes_nothing_for_deleted(site: Site, gone: str) -> None:
    site.prepare()
    waiting = site.camera / "waiting.fits"
    write_raw(waiting, 3000, FILTER="V")  # there is no flat for it: it is not done
    raws = {path.name: state_of(path) for path in site.camera.glob("*.fits")}
    if gone == "unmounted":
        shutil.copytree(site.camera, site.base / "old")
        shutil.rmtree(site.camera)
        site.camera.mkdir()
        run("mount", "--bind", site.base / "old", site.camera)
    with running(site.write_par()) as site.daemon:
        site.daemon.wait_for("frame.calibrated", 2)
        site.daemon.wait_for("frame.waiting")
        before = frames_by_name(site.par)
        if gone == "unmounted":
            run("umount", "-l", site.camera)
        else:
            site.camera.rename(site.base / "old")
        if gone == "emptied":
            site.camera.mkdir()
        site.look()
        site.daemon.wait_for("watch.degraded")
        for _ in range(2):  # however often it looks
            site.look()
        eventually(lambda: site.health()["trouble"])
        assert frames_by_name(site.par) == before
        assert site.daemon.stop() == 0
    assert not site.daemon.events("frame.vanished")
    if gone != "renamed":  # without its folder it does not start
        assert tapewatch("once", site.par).code == 0
        assert frames_by_name(site.par) == before
    assert (site.base / "out" / "wbefore.fits").exists()
    if gone == "renamed":
        assert {path.name: state_of(path) for path in (site.base / "old").glob("*.fits")} == raws


def limit(daemon: Daemon, name: str, value: int) -> None:
    """Set a limit of the daemon's own user namespace."""
    process = str(daemon.process.pid)
    enter = ("nsenter", "--target", process, "--user", "--preserve-credentials")
    subprocess.run([*enter, "sh", "-c", f"echo {value} > {_LIMITS / name}"], check=True)


def started_with(name: str, value: int) -> tuple[str, ...]:
    """Give the command that starts another within a limit of inotify."""
    set_limit = f'echo {value} > {_LIMITS / name} && exec "$@"'
    command = (*_OWN_LIMITS, "sh", "-c", set_limit, "sh")
    run(*command, "true")
    return command


@pytest.mark.parametrize("what", ["instances", "watches"])
def test_where_no_watch_can_be_had_scans_find_all_until_there_is_one(site: Site, what: str) -> None:
    site.prepare()
    before = started_with(f"max_inotify_{what}", 0)
    with running(site.write_par(RESCAN=0.2), before=before) as daemon:
        (line,) = daemon.wait_for("watch.degraded")
        assert f"no inotify {what} left (raise fs.inotify.max_user_{what})" in line["reason"]
        site.send("during.fits")
        site.send("night/during.fits")
        daemon.wait_for("frame.calibrated", 4)
        assert site.health()["by"] == "scan"
        assert "looking for new files every RESCAN seconds" in tapewatch("status", site.par).output
        limit(daemon, f"max_inotify_{what}", 10)
        daemon.wait_for("watch.restored")
        eventually(lambda: site.health()["by"] == "inotify")
        site.send("after.fits")
        daemon.wait_for("frame.calibrated", file="after.fits")
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert len(daemon.events("watch.degraded")) == 1
    assert_all_done(site, "before", "night/before", "during", "night/during", "after")


def test_subfolders_beyond_the_number_of_watches_are_searched_and_told(site: Site) -> None:
    site.prepare()
    for number in range(5):
        site.send(f"field-{number}/before.fits")
    before = started_with("max_inotify_watches", 3)
    with running(site.write_par(), before=before) as site.daemon:
        daemon = site.daemon
        (line,) = daemon.wait_for("watch.degraded")
        assert "folders are not watched" in line["reason"]
        assert "no inotify watches left (raise fs.inotify.max_user_watches)" in line["reason"]
        daemon.wait_for("frame.calibrated", 7)
        for number in range(5):
            site.send(f"field-{number}/during.fits")
        site.look()
        daemon.wait_for("frame.calibrated", 12)
        assert f"TROUBLE: {line['reason']}" in tapewatch("status", site.par).output
        limit(daemon, "max_inotify_watches", 100)
        site.look()
        daemon.wait_for("watch.restored")
        for number in range(5):
            site.send(f"field-{number}/after.fits")
        daemon.wait_for("frame.calibrated", 17)
        assert daemon.stop() == 0
        assert daemon.errors() == ""


THREADS = {
    "reads events": "tapewatch.arrival.watch:_Descriptor.handle_event",
    "groups events": "watchdog.observers.inotify:InotifyFullEmitter.queue_event",
    "passes hints on": "tapewatch.arrival.watch:_Handler.dispatch",
    "notes hints": "tapewatch.service.lookout:Lookout._on_hint",
}


@pytest.mark.parametrize("thread", THREADS)
def test_a_thread_of_the_watch_that_dies_is_replaced(site: Site, thread: str) -> None:
    site.prepare()
    harm = Harm(THREADS[thread], "fail", calls=(1,))
    sabotage = Sabotage(site.base / "sabotage", harm)
    with running(site.write_par(), sabotage.environment) as site.daemon:
        daemon = site.daemon
        daemon.wait_for("frame.calibrated", 2)
        eventually(lambda: site.health()["by"] == "inotify")
        site.send("during.fits")  # its event kills the thread
        eventually(lambda: sabotage.hits == [1])
        eventually(lambda: "RuntimeError: sabotaged" in daemon.errors())
        site.look()
        (line,) = daemon.wait_for("watch.degraded")
        assert line["reason"] == "a thread of the watch has ended"
        daemon.wait_for("watch.restored")
        site.send("after.fits")
        for name in ("during.fits", "after.fits"):
            daemon.wait_for("frame.calibrated", file=name)
        assert daemon.stop() == 0
    assert_all_done(site, "before", "night/before", "during", "after")


def test_a_subfolder_mounted_over_is_heard_of_again_once_it_was_missed(site: Site) -> None:
    """Nothing tells of the mount; but what the search finds there tells that the watch is deaf."""
    site.prepare()
    with running(site.write_par()) as site.daemon:
        daemon = site.daemon
        daemon.wait_for("frame.calibrated", 2)
        eventually(lambda: site.health()["by"] == "inotify")
        run("mount", "-t", "tmpfs", "tapewatch-test", site.camera / "night")
        site.send("night/during.fits")
        made = (site.camera / "night/during.fits").stat().st_ctime
        eventually(
            lambda: time.time() > made + 2.5
        )  # what came just now may have its event on its way
        site.look()
        (line,) = daemon.wait_for("watch.missed")
        assert (line["count"], line["file"]) == (1, "night/during.fits")
        daemon.wait_for("frame.calibrated", file="night/during.fits")
        site.send("night/after.fits")
        daemon.wait_for("frame.calibrated", file="night/after.fits")
        assert site.health()["found_by_scan"] == 1
        assert (
            "no event told of, found by searching alone: 1" in tapewatch("status", site.par).output
        )
        assert daemon.stop() == 0
        assert daemon.errors() == ""
