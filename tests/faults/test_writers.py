"""Cameras and people that write in every odd way: what counts is what a file holds in the end."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import notebook
from support import eventually
from support_frames import write_raw, write_set
from support_night import (
    QUICK,
    Daemon,
    appear,
    assert_same_pixels,
    frames_by_name,
    running,
    tapewatch,
    write_par,
)
from support_sabotage import Harm, Sabotage
from support_state import files_of
from tapewatch.ledger import LedgerReader

SETTLE = 0.2  # seconds
STALL = 1.0
KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "SETTLE": SETTLE, "STALL": STALL, "MINFREE": 0}
BLOCK = 2880  # bytes: the header of the frames here, and all their pixels
LARGE = (400, 500)  # pixels: four strips
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def linger() -> None:
    """Do nothing for longer than SETTLE, as a slow camera; nothing that the test awaits."""
    threading.Event().wait(2 * SETTLE)


class Writer:
    """Writes one frame, which holds one content and may later hold another of the same size."""

    def __init__(self, daemon: Daemon, path: Path) -> None:
        self.daemon = daemon
        self.path = path
        self.temporary = path.with_name(f"{path.name}.tmp")
        outside = path.parent.parent / f"{path.parent.name}.outside"
        level = 2000 + 10 * sum(path.name.encode())
        self.first = write_raw(outside / path.name, level).read_bytes()
        self.second = write_raw(outside / path.name, level + 1).read_bytes()

    def wait(self, event: str, count: int = 1) -> dict[str, object]:
        """Wait for what is said of this frame; give the last of the lines."""
        return self.daemon.wait_for(event, count, file=self.path.name)[-1]


def trickles_for_longer_than_settle(writer: Writer) -> None:
    with writer.path.open("wb", buffering=0) as file:
        for start in range(0, len(writer.first), BLOCK // 2):
            file.write(writer.first[start : start + BLOCK // 2])
            linger()


def rests_between_two_closes(writer: Writer) -> None:
    writer.path.write_bytes(writer.first[:BLOCK])
    linger()
    with writer.path.open("ab") as file:
        file.write(writer.first[BLOCK:])


def abandons_it_and_comes_back(writer: Writer) -> None:
    writer.path.write_bytes(writer.first[: BLOCK + 100])
    line = writer.wait("frame.stalled")
    assert str(line["reason"]).startswith("incomplete: 2,980 of 5,760 bytes")
    linger()
    with writer.path.open("ab") as file:
        file.write(writer.first[BLOCK + 100 :])


def holds_it_open_past_stall(writer: Writer) -> None:
    with writer.path.open("wb", buffering=0) as file:
        file.write(writer.first[:BLOCK])
        writer.wait("frame.stalled")
        file.write(writer.first[BLOCK:])


def reserves_and_closes_and_fills_it(writer: Writer) -> None:
    writer.path.write_bytes(writer.first[:BLOCK] + bytes(BLOCK))
    writer.wait("frame.calibrated")  # nothing tells it from a frame of zeros
    with writer.path.open("r+b") as file:
        file.seek(BLOCK)
        file.write(writer.first[BLOCK:])


def renames_it(writer: Writer) -> None:
    writer.temporary.write_bytes(writer.first[:BLOCK])
    linger()
    writer.temporary.write_bytes(writer.first)
    writer.temporary.rename(writer.path)


def moves_it_in(writer: Writer) -> None:
    appear(writer.path, writer.first)


def links_it(writer: Writer) -> None:
    outside = writer.path.parent.parent / f"linked-{writer.path.name}"
    outside.write_bytes(writer.first)
    writer.path.hardlink_to(outside)


def replaces_it_by_one_of_the_same_size_and_time(writer: Writer) -> None:
    writer.path.write_bytes(writer.first)
    writer.wait("frame.calibrated")
    before = writer.path.stat()
    writer.temporary.write_bytes(writer.second)
    os.utime(writer.temporary, ns=(before.st_atime_ns, before.st_mtime_ns))
    writer.temporary.replace(writer.path)
    assert_alike(before, writer.path.stat())


def rewrites_it_and_sets_its_time_back(writer: Writer) -> None:
    writer.path.write_bytes(writer.first)
    writer.wait("frame.calibrated")
    before = writer.path.stat()
    with writer.path.open("r+b") as file:
        file.write(writer.second)
    os.utime(writer.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert_alike(before, writer.path.stat())
    assert writer.path.stat().st_ino == before.st_ino


def assert_alike(before: os.stat_result, after: os.stat_result) -> None:
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def replaces_it_thrice(writer: Writer) -> None:
    for content in (writer.first, writer.second, writer.first):
        appear(writer.path, content)


def deletes_it_and_writes_it_again(writer: Writer) -> None:
    writer.path.write_bytes(writer.first)
    writer.wait("frame.calibrated")
    writer.path.unlink()
    eventually(
        lambda: (
            "gone" in frames_by_name(writer.path.parent / "tape.par")[writer.path.name]["reason"]
        )
    )
    writer.path.write_bytes(writer.second)


def dates_it_years_ahead(writer: Writer) -> None:
    writer.temporary.write_bytes(writer.first)
    os.utime(writer.temporary, (4e9, 4e9))
    writer.temporary.rename(writer.path)


def dates_it_years_back(writer: Writer) -> None:
    writer.temporary.write_bytes(writer.first)
    os.utime(writer.temporary, (3e8, 3e8))
    writer.temporary.rename(writer.path)


# Who writes, and which of a frame's two contents its file holds in the end.
WRITERS: dict[Callable[[Writer], None], str] = {
    trickles_for_longer_than_settle: "first",
    rests_between_two_closes: "first",
    abandons_it_and_comes_back: "first",
    holds_it_open_past_stall: "first",
    reserves_and_closes_and_fills_it: "first",
    renames_it: "first",
    moves_it_in: "first",
    links_it: "first",
    replaces_it_by_one_of_the_same_size_and_time: "second",
    rewrites_it_and_sets_its_time_back: "second",
    replaces_it_thrice: "first",
    deletes_it_and_writes_it_again: "second",
    dates_it_years_ahead: "first",
    dates_it_years_back: "first",
}


def write_calibrations(folder: Path, shape: tuple[int, int] | None = None) -> None:
    for kind in ("bias", "dark", "flat"):
        paths = write_set(folder, kind, 2)
        for number, path in enumerate(paths if shape else ()):
            level = {"bias": 1000, "dark": 1100, "flat": 20000}[kind] + number
            when = f"2026-03-25T17:0{number}:00"
            write_raw(path, level, shape or (1, 1), IMAGETYP=kind, DATE_OBS=when)


def clean_run(folder: Path, **gone: bytes) -> dict[str, bytes]:
    """Give what a run on the raw frames of a folder makes, as they are in the end."""
    clean = folder.with_name(f"{folder.name}.clean")
    clean.mkdir()
    for path in folder.glob("[!w]*.fits"):
        shutil.copyfile(path, clean / path.name)
    for stem, content in gone.items():
        (clean / f"{stem}.fits").write_bytes(content)
    assert tapewatch("once", write_par(clean, **KEYS)).code == 0
    return files_of(clean)


def as_expected(folder: Path, expected: dict[str, bytes]) -> None:
    """Wait until masters, products and lists are as expected, and no others are there."""

    def differing() -> list[str]:
        found = files_of(folder)
        return [name for name in found | expected if found.get(name) != expected.get(name)]

    try:
        eventually(lambda: not differing())
    except AssertionError:
        pytest.fail(f"not as in a clean run: {differing()}")


def test_what_a_file_holds_in_the_end_is_calibrated_however_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    write_calibrations(folder)
    par = write_par(folder, **KEYS)
    with running(par) as daemon:
        daemon.wait_for("master.built", 3)
        writers = {write: Writer(daemon, folder / f"{write.__name__}.fits") for write in WRITERS}
        hands = [threading.Thread(target=write, args=(one,)) for write, one in writers.items()]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        for write, which in WRITERS.items():  # none failed in its thread
            content = writers[write].path.read_bytes()
            assert content == getattr(writers[write], which), write.__name__
        expected = clean_run(folder)
        as_expected(folder, expected)
        assert daemon.stop() == 0
        assert daemon.errors() == ""
    assert {one["state"] for one in frames_by_name(par).values()} == {"done"}
    assert not daemon.events("job.retry")
    assert not daemon.events("watch.missed")


def stopped_worker(daemon: Daemon) -> int | None:
    """Give the process of the daemon's group that was stopped."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] == "T" and int(fields[2]) == daemon.process.pid:
            return int(place.name)
    return None


def replaced(path: Path, other: bytes) -> None:
    appear(path, other)


def rewritten(path: Path, other: bytes) -> None:
    with path.open("r+b") as file:
        file.write(other)


def rewritten_and_dated_back(path: Path, other: bytes) -> None:
    before = path.stat()
    rewritten(path, other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncated(path: Path, _: bytes) -> None:
    os.truncate(path, path.stat().st_size // 2)


def deleted(path: Path, _: bytes) -> None:
    path.unlink()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Give the tape.par of a night of larger frames, whose masters have been made."""
    folder = tmp_path / "night"
    folder.mkdir()
    write_calibrations(folder, LARGE)
    write_raw(folder / "a.fits", 5000, LARGE, DATE_OBS="2026-03-25T18:01:00")
    par = write_par(folder, **{**KEYS, "WORKERS": 1})
    assert tapewatch("once", par).code == 0
    return par


@pytest.mark.parametrize(
    "change", [replaced, rewritten, rewritten_and_dated_back, truncated, deleted]
)
def test_a_file_that_changes_while_it_is_read(
    large: Path, tmp_path: Path, change: Callable[[Path, bytes], None]
) -> None:
    folder, victim = large.parent, large.parent / "victim.fits"
    when = {"DATE_OBS": "2026-03-25T18:02:00"}
    first = write_raw(tmp_path / "first.fits", 6000, LARGE, **when).read_bytes()
    second = write_raw(tmp_path / "second.fits", 7000, LARGE, **when).read_bytes()
    # The worker stops when it has read one strip and asks for the next.
    harm = Harm("tapewatch.fitsfile.read:RawFrame.physical", "stop_self", calls=(2,))
    sabotage = Sabotage(tmp_path / "sabotage", harm)
    with running(large, sabotage.environment) as daemon:
        appear(victim, first)
        worker = eventually(lambda: stopped_worker(daemon))
        assert worker is not None
        change(victim, second)
        if change is deleted:
            daemon.wait_for("frame.vanished", file="victim.fits")
        os.kill(worker, signal.SIGCONT)
        if change is truncated:
            (line,) = daemon.wait_for("frame.stalled", file="victim.fits")
            assert "incomplete: " in line["reason"]
            assert not (folder / "wvictim.fits").exists()
            with victim.open("wb") as file:
                file.write(second)
        write_raw(tmp_path / "last.fits", 8000, LARGE, DATE_OBS="2026-03-25T18:03:00")
        appear(folder / "last.fits", (tmp_path / "last.fits").read_bytes())
        daemon.wait_for("frame.calibrated", file="last.fits")
        # What was read to its end is kept, as of any frame that is deleted afterwards.
        expected = clean_run(folder, **({"victim": first} if change is deleted else {}))
        as_expected(folder, expected)
        assert daemon.stop() == 0
    assert sabotage.hits == [1]
    frames = frames_by_name(large)
    assert frames["victim.fits"]["reason"].endswith("its own file is gone") == (change is deleted)
    states = {name: one["state"] for name, one in frames.items()}
    assert set(states.values()) == {"done"}
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_frames_that_come_while_nobody_watches_are_done_at_the_next_start(
    tmp_path: Path, end: signal.Signals
) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    write_calibrations(folder)
    par = write_par(folder, **KEYS)
    write_raw(tmp_path / "half.fits", 2900)
    with running(par) as daemon:
        appear(folder / "before.fits", write_raw(tmp_path / "before.fits", 2500).read_bytes())
        daemon.wait_for("frame.calibrated")
        (folder / "half.fits").write_bytes((tmp_path / "half.fits").read_bytes()[:4000])
        eventually(lambda: "half.fits" in frames_by_name(par))
        daemon.stop(end)
    for number in range(5):
        write_raw(folder / f"down-{number}.fits", 3000 + number)
    (folder / "half.fits").write_bytes((tmp_path / "half.fits").read_bytes())
    (folder / "deep").mkdir()
    write_raw(folder / "before.fits", 2501)  # another frame under the name of one that is done
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 7)
        expected = clean_run(folder)
        as_expected(folder, expected)
        assert daemon.stop() == 0


@pytest.fixture(params=[None, 16], ids=["the kernel's queue", "a queue of 16"])
def queue(request: pytest.FixtureRequest) -> Iterator[int | None]:
    """Let the kernel keep as many events as always, or very few, for who begins to watch now."""
    before = QUEUE.read_text()
    if request.param is not None:
        try:
            QUEUE.write_text(str(request.param))
        except OSError:
            pytest.skip("this system's limits cannot be set")
    yield request.param
    QUEUE.write_text(before)


@pytest.mark.timeout(900)
def test_of_thousands_of_files_at_once_none_is_lost(tmp_path: Path, queue: int | None) -> None:
    count = 5000 if queue is None else 1000
    folder, source = tmp_path / "night", tmp_path / "source"
    for place in (folder, source / "copied", source / "apart"):
        place.mkdir(parents=True)
    write_calibrations(folder)
    template = write_raw(tmp_path / "template.fits").read_bytes()
    random = np.random.default_rng(1)
    for number in range(count):
        pixels = random.integers(2000, 4000, 600).astype(">i2").tobytes()
        name = f"{'copied' if number % 2 else 'apart'}/{number:04d}.fits"
        (source / name).write_bytes(template[:BLOCK] + pixels + template[BLOCK + len(pixels) :])
    par = write_par(folder, **KEYS)
    with running(par) as daemon:
        daemon.wait_for("master.built", 3)
        apart = sorted((source / "apart").iterdir())
        commands: list[list[str | Path]] = [["cp", *apart[first::4], folder] for first in range(4)]
        commands.append(["cp", "-r", source / "copied", folder])
        cameras = [subprocess.Popen(command) for command in commands]
        assert [camera.wait() for camera in cameras] == [0] * 5
        with LedgerReader(folder / ".tapewatch" / "state.sqlite") as ledger:
            eventually(lambda: ledger.counts().get("done") == count + 6, 800)
            assert set(ledger.counts()) == {"done"}
        if queue is not None:
            assert "queue overflowed" in daemon.events("watch.degraded")[0]["reason"]
            assert daemon.events("watch.restored")
        assert daemon.stop() == 0
    products = {path.relative_to(folder).as_posix() for path in folder.rglob("w[0-9]*.fits")}
    names = [path.relative_to(source) for path in source.rglob("*.fits")]
    assert products == {
        f"copied/w{name.name}" if name.parts[0] == "copied" else f"w{name.name}" for name in names
    }
    sample = [*folder.glob("bias*"), *folder.glob("dark*"), *folder.glob("flat*")]
    sample += [folder / path.name for path in apart[::100]]
    for name, image in notebook.process(sample).products.items():
        assert_same_pixels(folder / name, image)
