"""What a scan of real folders finds."""

import ctypes
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tapewatch.arrival import scan as scanning
from tapewatch.arrival.scan import Irregular, RootUnreadableError, Rules, examine, scan
from tapewatch.errors import RetriableError

RULES = Rules(patterns=("*.fit", "*.fits", "*.fits.gz"))
NOBODY = 65534


def touch(path: Path, content: bytes = b"SIMPLE") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextmanager
def permissions_that_count() -> Iterator[None]:
    """Make root, if that is who runs the test, ask for permission as others do, in this thread."""
    libc = ctypes.CDLL(None)
    libc.setfsuid(NOBODY if os.geteuid() == 0 else os.geteuid())
    try:
        yield
    finally:
        libc.setfsuid(os.geteuid())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Folder that every user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in (folder, *folder.iterdir()):
            path.chmod(0o700)


def test_files_are_found_by_pattern_in_any_case_with_their_identity(tmp_path: Path) -> None:
    for name in ("a.fits", "B.FIT", "night/c.Fits.GZ", "night/deep/d.fit"):
        touch(tmp_path / name)
    for name in ("notes.txt", "a.fits.tmp", "x.fits.bz2"):
        touch(tmp_path / name)
    found = scan(tmp_path, RULES)
    assert set(found.files) == {"a.fits", "B.FIT", "night/c.Fits.GZ", "night/deep/d.fit"}
    status = os.lstat(tmp_path / "night/c.Fits.GZ")
    seen = found.files["night/c.Fits.GZ"]
    assert (seen.device, seen.inode, seen.size) == (status.st_dev, status.st_ino, 6)
    assert (seen.mtime_ns, seen.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    assert (found.irregular, found.problems, found.unseen) == ({}, [], set())


def test_hidden_names_and_our_own_folders_are_left_alone(tmp_path: Path) -> None:
    for name in ("._a.fits", ".tapewatch-1.fits", ".hidden/a.fits", ".tapewatch/a.fits"):
        touch(tmp_path / name)
    for name in ("masters/a.fits", "provisional/a.fits", "night/masters/a.fits", "out/a.fits"):
        touch(tmp_path / name)
    touch(tmp_path / "night/out/kept.fits")
    rules = Rules(RULES.patterns, excluded=frozenset({tmp_path / "out"}))
    assert list(scan(tmp_path, rules).files) == ["night/out/kept.fits"]


def test_subfolders_are_left_alone_where_they_are_not_asked_for(tmp_path: Path) -> None:
    touch(tmp_path / "a.fits")
    touch(tmp_path / "night/b.fits")
    rules = Rules(RULES.patterns, recurse=False)
    assert list(scan(tmp_path, rules).files) == ["a.fits"]
    assert examine(tmp_path, "night/b.fits", rules) is None
    assert examine(tmp_path, "a.fits", rules) is not None


def test_without_patterns_nothing_matches() -> None:
    assert not Rules(()).matches("a.fits")


REGULAR = "only regular files are taken"


def test_what_is_no_regular_file_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere/real.txt")
    (tmp_path / "link.fits").symlink_to("elsewhere/real.txt")
    (tmp_path / "broken.fits").symlink_to("nowhere")
    (tmp_path / "folder.fits").symlink_to("elsewhere")
    os.mkfifo(tmp_path / "pipe.fits")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.fits"))
    found = scan(tmp_path, RULES)
    assert found.files == {}
    assert found.irregular == {
        "link.fits": f"symbolic link: {REGULAR}",
        "broken.fits": f"symbolic link: {REGULAR}",
        "folder.fits": f"symbolic link: {REGULAR}",
        "pipe.fits": f"FIFO: {REGULAR}",
        "socket.fits": f"socket: {REGULAR}",
    }
    assert examine(tmp_path, "pipe.fits", RULES) == Irregular(f"FIFO: {REGULAR}")


def test_linked_folders_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "night/a.fits")
    (tmp_path / "again").symlink_to("night")
    (tmp_path / "night/round").symlink_to("..")
    assert list(scan(tmp_path, RULES).files) == ["night/a.fits"]
    assert examine(tmp_path, "again/a.fits", RULES) is None
    assert scan(tmp_path, RULES, "again").files == {}


def test_names_that_are_no_text_are_told_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"bad\xff.fits")
    touch(tmp_path / name)
    touch(tmp_path / os.fsdecode(b"folder\xfe") / "a.fits")
    touch(tmp_path / "M\u00fcnchen \U0001f52d.fits")
    found = scan(tmp_path, RULES)
    assert list(found.files) == ["M\u00fcnchen \U0001f52d.fits"]
    assert found.irregular == {"bad\\udcff.fits": "its name is not valid UTF-8"}
    assert found.problems == ["folder folder\\udcfe is not entered: its name is not valid UTF-8"]
    assert examine(tmp_path, name, RULES) == Irregular("its name is not valid UTF-8")
    "".join((*found.irregular, *found.problems)).encode("utf-8")  # fit for log and ledger


def test_one_folder_can_be_scanned_alone(tmp_path: Path) -> None:
    for name in ("a.fits", "night/b.fits", "night/deep/c.fits", "masters/m.fits"):
        touch(tmp_path / name)
    assert set(scan(tmp_path, RULES, "night").files) == {"night/b.fits", "night/deep/c.fits"}
    for folder in ("masters", "absent", "night/absent/deep", "a.fits"):
        assert scan(tmp_path, RULES, folder).files == {}


@pytest.mark.parametrize(
    "name",
    [
        "a.fits",
        "night/b.fits",
        "masters/m.fits",
        ".x.fits",
        "n.txt",
        "absent.fits",
        "a.fits/x.fits",
    ],
)
def test_one_path_is_seen_as_in_a_scan(tmp_path: Path, name: str) -> None:
    for existing in ("a.fits", "night/b.fits", "masters/m.fits", ".x.fits", "n.txt"):
        touch(tmp_path / existing)
    assert examine(tmp_path, name, RULES) == scan(tmp_path, RULES).files.get(name)


def test_a_folder_named_like_a_frame_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "night.fits/a.fits")
    assert list(scan(tmp_path, RULES).files) == ["night.fits/a.fits"]
    assert examine(tmp_path, "night.fits", RULES) is None


def test_a_missing_root_is_an_error_and_no_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(RootUnreadableError, match=r"absent cannot be listed: No such file"):
        scan(tmp_path / "absent", RULES)
    with pytest.raises(RootUnreadableError, match="Not a directory"):
        scan(touch(tmp_path / "file"), RULES)
    assert issubclass(RootUnreadableError, RetriableError)


@pytest.mark.parametrize("folder", ["", "night"])
def test_an_unreadable_root_is_an_error(open_folder: Path, folder: str) -> None:
    touch(open_folder / "night/a.fits")
    open_folder.chmod(0o111)  # what is below can be reached by who knows its name
    with (
        permissions_that_count(),
        pytest.raises(RootUnreadableError, match="cannot be listed: Permission denied"),
    ):
        scan(open_folder, RULES, folder)
    open_folder.chmod(0o700)


@pytest.mark.parametrize("mode", [0o000, 0o444])  # nothing may be done; names may be listed
def test_an_unreadable_folder_is_told_and_the_rest_is_found(open_folder: Path, mode: int) -> None:
    for name in ("a.fits", "closed/b.fits", "closed/c.fits"):
        touch(open_folder / name)
    (open_folder / "closed").chmod(mode)
    with permissions_that_count():
        found = scan(open_folder, RULES)
        with pytest.raises(RetriableError, match=r"closed/b\.fits cannot be looked at: Permission"):
            examine(open_folder, "closed/b.fits", RULES)
    assert list(found.files) == ["a.fits"]
    assert found.problems == ["closed cannot be looked at: Permission denied"]
    assert found.unseen == {"closed"}


def test_a_root_replaced_during_the_scan_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by an unmount: the subfolders seen a moment ago are gone, and that means nothing."""
    root = tmp_path / "root"
    touch(root / "night/a.fits")
    list_folder = scanning._list_folder

    def unmount_after_listing(*arguments: object) -> list[str]:
        folders = list_folder(*arguments)  # type: ignore[arg-type]  # passed on as they came
        if root.joinpath("night").exists():
            root.rename(tmp_path / "away")
            root.mkdir()
        return folders

    monkeypatch.setattr(scanning, "_list_folder", unmount_after_listing)
    with pytest.raises(RootUnreadableError, match="was replaced"):
        scan(root, RULES)


def test_files_that_vanish_during_the_scan_are_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.fits", "night/b.fits"):
        touch(tmp_path / name)
    look_at = scanning._look_at

    def vanish_before_look(entry: os.DirEntry[str], *rest: object) -> bool:
        if entry.is_dir():
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)  # noqa: PTH108 - a path as text
        return look_at(entry, *rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(scanning, "_look_at", vanish_before_look)
    found = scan(tmp_path, RULES)
    assert (found.files, found.problems, found.unseen) == ({}, [], set())
