"""What stands in place of a protection that is taken out, to see that a test notices."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def no_names(*_: object) -> tuple[str, ...]:
    """Find nothing to remove."""
    return ()


def no_paths(*_: object) -> set[str]:
    """Find nothing that has changed."""
    return set()


def first_try(*_: object) -> int:
    """Count no try."""
    return 1


def a_year(*_: object) -> float:
    """Have all the patience there is."""
    return 3e7


@contextmanager
def free(*_: object) -> Iterator[None]:
    """Let anything be done in the body."""
    yield


@contextmanager
def in_place(target: Path, job_id: str) -> Iterator[Path]:
    """Write a file under its final name from the beginning."""
    del job_id
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    yield target


def named_later(descriptor: int, part: Path, target: Path, *_: object) -> None:
    """Give a file its name some time after it was reported."""
    os.fsync(descriptor)
    kept = part.with_name(f"{part.name}.kept")
    kept.hardlink_to(part)
    threading.Timer(0.3, kept.rename, (target,)).start()
