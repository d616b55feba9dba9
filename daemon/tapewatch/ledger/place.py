"""Whether the file that is open is still the one that others find under its name."""

import os
from pathlib import Path


class Place:
    """A file that is open elsewhere, and the folder in which it was found.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Without reading rights: to close another descriptor would end SQLite's locks (fcntl(2)).
        self._handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        self._file = _identity(path)
        self._folder = _identity(path.parent)

    def close(self) -> None:
        """Look at it no more."""
        os.close(self._handle)

    @property
    def is_lost(self) -> bool:
        """Whether what is written to the open file goes nowhere, or where nobody looks.

        A folder that was renamed or unmounted with the file in it has lost nothing: it comes back.
        """
        if os.fstat(self._handle).st_nlink == 0:
            return True
        there = _identity(self._path.parent) == self._folder
        return there and _identity(self._path) != self._file


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell which file or folder has a name now; None where that cannot be told."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
