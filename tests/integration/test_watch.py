"""What a real inotify watch hints at, for every way in which a file can arrive."""

import ctypes
import errno
import logging
import os
import queue
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers import inotify_c

from support import eventually
from tapewatch.arrival.watch import Watch
from tapewatch.errors import RetriableError

DEADLINE = 10.0  # seconds; hints come in milliseconds


class Hints:
    """The hints of a watch, to be waited for."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Path, bool]] = queue.SimpleQueue()

    def add(self, path: Path, vouched: bool) -> None:
        self._queue.put((path, vouched))

    def until(self, path: Path, *, vouched: bool) -> list[tuple[Path, bool]]:
        """All hints up to the one asked for."""
        seen: list[tuple[Path, bool]] = []
        give_up = time.monotonic() + DEADLINE
        while not seen or seen[-1] != (path, vouched):
            try:
                seen.append(self._queue.get(timeout=max(0.0, give_up - time.monotonic())))
            except queue.Empty:
                pytest.fail(f"no hint {path, vouched}, but {len(seen)}, at last {seen[-5:]}")
        return seen


def nothing(_path: Path, _vouched: bool) -> None:
    """Take a hint and do nothing."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Folder on the same disk that is not watched."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def watch(root: Path, hints: Hints) -> Iterator[Watch]:
    watch = Watch(root, recurse=True, on_hint=hints.add)
    watch.start()
    assert watch.trouble() is None
    yield watch
    watch.stop()


def flush(root: Path, hints: Hints) -> list[tuple[Path, bool]]:
    """All hints so far: events keep their order, so a last file marks the end."""
    marker = root / "marker"
    marker.write_bytes(b"")
    seen = hints.until(marker, vouched=True)
    return [hint for hint in seen if hint[0] != marker]


@pytest.mark.usefixtures("watch")
class TestArrivals:
    """Each way in which a file comes, changes or goes."""

    def test_a_slowly_written_file_is_vouched_for_when_it_is_closed(
        self, root: Path, hints: Hints
    ) -> None:
        path = root / "a.fits"
        with path.open("wb", buffering=0) as file:
            for _ in range(5):
                file.write(bytes(2880))
            assert (path, True) not in hints.until(path, vouched=False)
        hints.until(path, vouched=True)

    def test_every_close_of_a_reopened_file_vouches(self, root: Path, hints: Hints) -> None:
        """Which is why a close alone does not make a file whole."""
        path = root / "a.fits"
        for _ in range(3):
            with path.open("ab") as file:
                file.write(bytes(2880))
            hints.until(path, vouched=True)

    def test_a_file_renamed_to_its_name_is_vouched_for(self, root: Path, hints: Hints) -> None:
        (root / "a.tmp").write_bytes(bytes(2880))
        (root / "a.tmp").rename(root / "a.fits")
        hints.until(root / "a.fits", vouched=True)

    def test_a_file_moved_in_is_vouched_for(
        self, root: Path, elsewhere: Path, hints: Hints
    ) -> None:
        (elsewhere / "a.fits").write_bytes(bytes(2880))
        (elsewhere / "a.fits").rename(root / "a.fits")
        assert flush(root, hints) == [(root / "a.fits", True)]

    @pytest.mark.parametrize("link", [os.link, os.symlink])
    def test_a_link_is_hinted_at_and_not_vouched_for(
        self, root: Path, elsewhere: Path, hints: Hints, link: Callable[[Path, Path], None]
    ) -> None:
        (elsewhere / "a.fits").write_bytes(bytes(2880))
        link(elsewhere / "a.fits", root / "a.fits")
        assert flush(root, hints) == [(root / "a.fits", False)]

    def test_a_folder_moved_in_is_hinted_at(
        self, root: Path, elsewhere: Path, hints: Hints
    ) -> None:
        (elsewhere / "night/deep").mkdir(parents=True)
        (elsewhere / "night/deep/a.fits").write_bytes(bytes(2880))
        (elsewhere / "night").rename(root / "night")
        seen = hints.until(root / "night", vouched=False) + flush(root, hints)
        assert not any(vouched for _, vouched in seen)
        (root / "night/deep/b.fits").write_bytes(b"")
        hints.until(root / "night/deep/b.fits", vouched=True)

    def test_a_renamed_folder_is_hinted_at_and_its_files_are_not_vouched_for(
        self, root: Path, hints: Hints
    ) -> None:
        (root / "night").mkdir()
        (root / "night/a.fits").write_bytes(bytes(2880))
        flush(root, hints)
        (root / "night").rename(root / "tonight")
        seen = hints.until(root / "tonight", vouched=False) + flush(root, hints)
        assert not any(vouched for _, vouched in seen)
        (root / "tonight/b.fits").write_bytes(b"")
        hints.until(root / "tonight/b.fits", vouched=True)

    def test_a_copied_tree_is_hinted_at_in_every_folder_or_above(
        self, root: Path, elsewhere: Path, hints: Hints
    ) -> None:
        files = [elsewhere / f"tree/{i}/{j}/{k}.fits" for i in "ab" for j in "cd" for k in range(5)]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(2880))
        shutil.copytree(elsewhere / "tree", root / "tree")
        paths = {path for path, _ in hints.until(root / "tree", vouched=False)}
        paths |= {path for path, _ in flush(root, hints)}
        copies = [root / file.relative_to(elsewhere) for file in files]
        assert all(paths & {copy, *copy.parents} for copy in copies)
        (copies[0].parent / "later.fits").write_bytes(b"")
        hints.until(copies[0].parent / "later.fits", vouched=True)

    def test_a_preallocated_file_is_not_vouched_for_before_it_is_closed(
        self, root: Path, hints: Hints
    ) -> None:
        path = root / "a.fits"
        with path.open("wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, 28800)
            file.write(bytes(2880))
            assert flush(root, hints) == [(path, False)]
        hints.until(path, vouched=True)

    def test_reading_deleting_and_moving_out_hint_at_nothing(
        self, root: Path, elsewhere: Path, hints: Hints
    ) -> None:
        for name in ("a.fits", "b.fits"):
            (root / name).write_bytes(bytes(2880))
        flush(root, hints)
        (root / "a.fits").read_bytes()
        list(root.iterdir())
        (root / "a.fits").rename(elsewhere / "a.fits")
        (root / "b.fits").unlink()
        assert flush(root, hints) == []

    def test_names_that_are_no_text_pass(self, root: Path, hints: Hints) -> None:
        path = root / os.fsdecode(b"bad\xff.fits")
        path.write_bytes(b"")
        hints.until(path, vouched=True)


def test_subfolders_are_passed_over_where_they_are_not_asked_for(root: Path, hints: Hints) -> None:
    (root / "before").mkdir()
    watch = Watch(root, recurse=False, on_hint=hints.add)
    watch.start()
    (root / "before/a.fits").write_bytes(b"")
    (root / "after").mkdir()
    (root / "b.fits").write_bytes(b"")
    paths = {path for path, _ in flush(root, hints)}
    watch.stop()
    assert paths == {root / "b.fits"}


def test_a_linked_root_is_watched_under_its_own_name(
    tmp_path: Path, root: Path, hints: Hints
) -> None:
    (tmp_path / "link").symlink_to("root")
    watch = Watch(tmp_path / "link", recurse=True, on_hint=hints.add)
    watch.start()
    (root / "a.fits").write_bytes(b"")
    hints.until(tmp_path / "link/a.fits", vouched=True)
    (root / "night").mkdir()
    hints.until(tmp_path / "link/night", vouched=False)
    watch.stop()


def test_a_stopped_watch_leaves_nothing_behind_and_can_start_again(
    root: Path, hints: Hints
) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    threads, files = threading.active_count(), descriptors()
    watch = Watch(root, recurse=True, on_hint=hints.add)
    watch.stop()
    for _ in range(3):
        watch.start()
        (root / "a.fits").write_bytes(b"")
        hints.until(root / "a.fits", vouched=True)
        watch.stop()
        assert watch.trouble() == "the watch is not running"
        assert (threading.active_count(), descriptors()) == (threads, files)


def test_a_missing_root_cannot_be_watched(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "absent", recurse=True, on_hint=nothing)
    with pytest.raises(RetriableError, match="absent cannot be listed: No such file"):
        watch.start()


class Refusal:
    """The kernel's inotify_add_watch, refusing folders of one name."""

    def __init__(self, name: str, error: int) -> None:
        self._name = name.encode()
        self._error = error
        self._true = inotify_c.inotify_add_watch

    def __call__(self, descriptor: int, path: bytes, mask: int) -> int:
        if path.rpartition(b"/")[2] != self._name:
            return self._true(descriptor, path, mask)
        ctypes.set_errno(self._error)
        return -1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errno.ENOSPC, "cannot be watched: no inotify watches left"),
        (errno.EACCES, "cannot be watched: Permission denied"),
    ],
)
def test_a_refused_root_is_an_error_and_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: int, words: str
) -> None:
    threads = threading.active_count()
    monkeypatch.setattr(inotify_c, "inotify_add_watch", Refusal("root", error))
    watch = Watch(root, recurse=True, on_hint=nothing)
    with pytest.raises(RetriableError, match=words):
        watch.start()
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("error", "words"),
    [(errno.EMFILE, "no inotify instances left"), (errno.ENOSYS, "Function not implemented")],
)
def test_a_kernel_that_gives_no_inotify_instance_is_an_error(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: int, words: str
) -> None:
    def refuse() -> int:
        ctypes.set_errno(error)
        return -1

    monkeypatch.setattr(inotify_c, "inotify_init", refuse)
    with pytest.raises(RetriableError, match=words):
        Watch(root, recurse=True, on_hint=nothing).start()


def test_subfolders_beyond_the_limit_of_watches_are_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "night").mkdir()
    monkeypatch.setattr(inotify_c, "inotify_add_watch", Refusal("night", errno.ENOSPC))
    watch = Watch(root, recurse=True, on_hint=nothing)
    watch.start()
    trouble = watch.trouble()
    watch.stop()
    assert trouble is not None
    assert "1 folders are not watched" in trouble
    assert "night: no inotify watches left" in trouble


def test_a_folder_announced_twice_is_watched_without_a_warning(
    root: Path, watch: Watch, hints: Hints
) -> None:
    """As happens while a tree is copied in: by the listing of its parent, then by its event."""
    (root / "night").mkdir()
    hints.until(root / "night", vouched=False)
    assert watch._descriptor is not None
    eventually(lambda: len(watch._descriptor._watch_for_wd) == 2)  # type: ignore[union-attr]
    night = list(watch._descriptor._watch_for_wd.values())[-1]
    ((id_, callback),) = night.callbacks.items()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = watch._descriptor.add_callback(
            os.fsencode(root / "night"), night.mask, callback, id_
        )
    assert again == night.wd
    (root / "night/a.fits").write_bytes(b"")
    hints.until(root / "night/a.fits", vouched=True)


def test_subfolders_without_permission_are_left_to_the_scan(
    root: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a/closed", "b/closed"):
        (root / folder).mkdir(parents=True)
    monkeypatch.setattr(inotify_c, "inotify_add_watch", Refusal("closed", errno.EACCES))
    watch = Watch(root, recurse=True, on_hint=hints.add)
    watch.start()
    (root / "a/a.fits").write_bytes(b"")
    hints.until(root / "a/a.fits", vouched=True)
    assert watch.trouble() is None
    watch.stop()


class TestTrouble:
    """What makes a watch deaf, and is told."""

    def test_a_removed_root(self, root: Path, watch: Watch) -> None:
        root.rmdir()
        assert "cannot be listed" in str(watch.trouble())

    def test_a_replaced_root(self, root: Path, watch: Watch, hints: Hints) -> None:
        root.rename(root.with_name("old"))
        root.mkdir()
        assert "is another folder than the one watched" in str(watch.trouble())
        watch.stop()
        watch.start()
        assert watch.trouble() is None
        (root / "a.fits").write_bytes(b"")
        hints.until(root / "a.fits", vouched=True)

    def test_a_root_removed_and_made_again(self, root: Path, watch: Watch) -> None:
        """Where the file system gives the same inode number again, the ended thread tells."""
        root.rmdir()
        root.mkdir()
        eventually(watch.trouble)

    def test_an_exception_in_the_callback(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)

        def fail(_path: Path, _vouched: bool) -> None:
            raise ZeroDivisionError

        watch = Watch(root, recurse=True, on_hint=fail)
        watch.start()
        (root / "a.fits").write_bytes(b"")
        assert eventually(watch.trouble) == "a thread of the watch has ended"
        watch.stop()

    def test_an_overflow_of_the_kernel_s_queue(
        self, root: Path, watch: Watch, hints: Hints, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.CRITICAL, "watchdog")
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if limit > 100_000:
            pytest.skip(f"the kernel's queue is too long to fill here: {limit}")
        assert watch._descriptor is not None
        with watch._descriptor._lock:  # the thread that reads events has to wait
            # A creation and a close each: twice what fits, as the thread may take some before.
            for number in range(limit):
                os.close(os.open(root / str(number % 50), os.O_CREAT | os.O_WRONLY))
                os.unlink(root / str(number % 50))  # noqa: PTH108 - thousands of calls
        hints.until(root, vouched=False)  # all of it has to be searched
        assert "events were lost" in str(eventually(watch.trouble))
        assert "events were lost" in str(watch.trouble())
        watch.acknowledge_overflow()
        assert watch.trouble() is None
        (root / "night").mkdir()
        (root / "night/a.fits").write_bytes(b"")
        hints.until(root / "night", vouched=False)
