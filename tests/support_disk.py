"""Disks of their own for a test, to be filled, made read-only, or taken away."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _done(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def mount(place: Path, size: int) -> None:
    """Mount an empty disk of so many bytes; the test is skipped where nobody may."""
    if os.geteuid() != 0 or not _done(
        "mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(place)
    ):
        pytest.skip("needs root that may mount")


def unmount(place: Path) -> None:
    """Take a disk away, whoever still works there."""
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def mounted(place: Path, size: int) -> Iterator[Path]:
    """Have a disk of so many bytes at a place, which is made, until the end of the block."""
    place.mkdir(parents=True, exist_ok=True)
    mount(place, size)
    try:
        yield place
    finally:
        # Wherever it was moved, and whatever else was mounted there.
        for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
            if Path(line.split()[1]).is_relative_to(place.parent):
                unmount(Path(line.split()[1]))


def remounted(disk: Path, how: str) -> bool:
    """Make a disk read-only (``ro``), or not (``rw``); tell whether that could be done."""
    return _done("mount", "-o", f"remount,{how}", str(disk))


def read_only(folder: Path) -> None:
    """Lay a read-only view of a folder over itself, until `unmount`: no matter who writes there."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)


def moved(disk: Path, place: Path) -> None:
    """Mount a disk elsewhere, with all that is on it: its old place is an empty folder then."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "--move", str(disk), str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk; give what takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return filler
    raise AssertionError("there is no end of it")
