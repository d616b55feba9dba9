"""Plain calls on files: opened without risk, read and written whole, durable when they return."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tapewatch.errors import (
    IncompleteFileError,
    NoSpaceError,
    OutputError,
    RejectedError,
    UnreachableFileError,
)
from tapewatch.model import Identity

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def regular_file(path: Path) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading, and nothing else: no symlink, and no FIFO that would block.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    (int, os.stat_result)
        Its descriptor, closed at the end, and what the file system says of it.

    Raises
    ------
    RejectedError
        Not a regular file.
    OSError
        From the system; ELOOP for a symlink.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RejectedError(f"not a regular file but {stat.filemode(status.st_mode)}")
        yield descriptor, status
    finally:
        os.close(descriptor)


def read_exactly(descriptor: int, offset: int, size: int) -> bytes:
    """Read bytes that must be there.

    Parameters
    ----------
    descriptor : int
        Of an open file.
    offset, size : int
        Where, and how many bytes.

    Returns
    -------
    bytes

    Raises
    ------
    IncompleteFileError
        The file has become shorter since it was looked at.
    UnreachableFileError
        The system cannot read it now.
    """
    data = b""
    while len(data) < size:  # Linux reads 2 GiB at most at once
        try:
            more = os.pread(descriptor, size - len(data), offset + len(data))
        except OSError as error:
            raise UnreachableFileError(f"cannot be read: {error.strerror}") from error
        if not more:
            raise IncompleteFileError(
                f"truncated while being read: {offset + len(data):,} of {offset + size:,} bytes"
            )
        data = data + more if data else more
    return data


def reader(descriptor: int) -> Callable[[int, int], bytes]:
    """Give ``read_at(offset, size)`` of an open file; fewer bytes only where the file ends."""
    return lambda offset, size: os.pread(descriptor, size, offset)


def identity_of(status: os.stat_result) -> Identity:
    """Take from a file's status what tells that it should be looked at again."""
    return Identity(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all bytes at the descriptor's place."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all bytes at a place of the file, which grows as needed."""
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what the system says in the body into `OutputError`, naming the file."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise NoSpaceError(f"no space left to write {path}: {error.strerror}") from error
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably; no error where it is there."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
