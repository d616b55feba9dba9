"""The hash of a frame's stored values, gathered while they are read for other purposes."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from tapewatch.fitsfile.files import read_exactly

_CHUNK = 2**20  # bytes read at a time where nobody else reads them


class Run(NamedTuple):
    """Bytes in a file."""

    descriptor: int
    offset: int
    size: int


class DataHash:
    """sha256 over runs of bytes, one after the other.

    What is read in order is hashed as it passes by; what is left out is read here. So the hash is
    that of all the bytes whatever is read, and costs no second reading where all is.

    Parameters
    ----------
    runs : sequence of Run
        All that belongs to the frame, in order.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = tuple(runs)
        self._hasher = hashlib.sha256()
        self._place = 0  # bytes hashed so far

    def take(self, place: int, data: bytes) -> None:
        """Take in bytes that have been read.

        Parameters
        ----------
        place : int
            Of the first of them, counted through all runs.
        data : bytes
            What is there.
        """
        self._read_up_to(place)
        new = memoryview(data)[self._place - place :]
        self._hasher.update(new)
        self._place += len(new)

    def hexdigest(self) -> str:
        """Read what is still missing.

        Returns
        -------
        str
            sha256 of all the bytes, hexadecimal.

        Raises
        ------
        IncompleteFileError
            The file was truncated since it was opened.
        """
        self._read_up_to(sum(run.size for run in self._runs))
        return self._hasher.hexdigest()

    def _read_up_to(self, place: int) -> None:
        before = 0
        for run in self._runs:
            stop = min(place, before + run.size)
            while before <= self._place < stop:
                size = min(stop - self._place, _CHUNK)
                offset = run.offset + self._place - before
                self._hasher.update(read_exactly(run.descriptor, offset, size))
                self._place += size
            before += run.size
