"""The fence between a daemon's workers and those of its successor.

A daemon that is killed leaves workers that may live for a moment, or for long where they were
stopped. What they have written must not take the place of what a later daemon's workers make. So
each daemon begins a term, and a file gets its final name only while its worker's term lasts: it
looks and renames under a shared lock, and a term begins under the exclusive one. Whatever is
renamed is therefore renamed before the next daemon looks at the folder for the first time. This is
the fencing token of M. Kleppmann, "Designing Data-Intensive Applications" (2017), chapter 8.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapewatch.errors import FolderTakenError

NAME = "term"
"""Of the file, in ``.tapewatch/`` of the output folder; it holds the term that lasts now."""


def begin_term(folder: Path) -> str:
    """Begin a term: all earlier ones have ended when this returns.

    Parameters
    ----------
    folder : Path
        ``.tapewatch/`` of the output folder, held by the caller's lock.

    Returns
    -------
    str
        Letters and digits, never the same twice.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    term = secrets.token_hex(4)
    with _locked(folder / NAME, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX) as descriptor:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, term.encode(), 0)
    return term


@contextmanager
def within_term(folder: Path, term: str) -> Iterator[None]:
    """See that a term lasts, and let none begin before the body has ended.

    Parameters
    ----------
    folder : Path
        ``.tapewatch/`` of the output folder.
    term : str
        Which one.

    Yields
    ------
    None
        Once.

    Raises
    ------
    FolderTakenError
        Another has begun.
    OSError
        The file is not there.
    """
    with _locked(folder / NAME, os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
        lasting = os.pread(descriptor, 64, 0).decode(errors="replace")
        if lasting != term:
            raise FolderTakenError(
                f"another tapewatch works on {folder.parent}: the term {lasting} has begun there,"
                f" {term} is over"
            )
        yield


@contextmanager
def _locked(path: Path, flags: int, how: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)
