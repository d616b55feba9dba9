"""Looks into files: at once where their first headers suffice, else in a process of its own.

Where the image of a gzip or bzip2 file is in an extension, others may follow it, and only unpacking
its pixels tells. That takes seconds, or minutes where somebody built the file for it, in which the
daemon has better things to do.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tapewatch.errors import BeingUnpackedError, RejectedError, StillPackedError
from tapewatch.facts import TRIES
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.model import Identity
from tapewatch.workers import UNPACKING_PATIENCE, error_of, is_of_worker, reason_of


@dataclass(slots=True)
class _Request:
    """A file that was to be unpacked, as it was then, and what becomes of it."""

    identity: Identity
    future: Future[Inspection]
    tries: int = 1
    deadline: float | None = None  # by the monotonic clock, from when it began
    told: bool = False  # that it has ended


class Inspector:
    """Inspects files, one look at a time.

    Parameters
    ----------
    unpack : callable
        Has a file inspected elsewhere, as `tapewatch.workers.Workers.inspect`.
    wake : callable
        Called, from another thread, when that is done.
    """

    def __init__(
        self, unpack: Callable[[Path], Future[Inspection]], wake: Callable[[], None]
    ) -> None:
        self._unpack = unpack
        self._wake = wake
        self._requests: dict[Path, _Request] = {}

    def inspect(self, path: Path, identity: Identity) -> Inspection:
        """Find out what a file is.

        Parameters
        ----------
        path : Path
            The file.
        identity : Identity
            As it is now.

        Returns
        -------
        Inspection

        Raises
        ------
        BeingUnpackedError
            That takes a while: ask again when `ended` names the file.
        IncompleteFileError, RejectedError, OSError
            As `tapewatch.fitsfile.inspection.inspect`.
        """
        try:
            return inspect(path, unpack=False)
        except StillPackedError:
            request = self._requests.get(path)
        if request is None or request.identity != identity:
            self.forget(path)
            request = self._requests[path] = _Request(identity, self._start(path))
        if request.future.done():
            return self._answer(path, request)
        raise BeingUnpackedError("being unpacked: its image is in an extension")

    def ended(self) -> list[Path]:
        """Give the files that can be asked for again, once each; end what takes too long."""
        now = time.monotonic()
        for one in self._requests.values():
            if one.deadline is None and one.future.running():
                one.deadline = now + UNPACKING_PATIENCE
            if one.deadline is not None and now >= one.deadline:
                one.future.cancel()
        ended = {
            path: one for path, one in self._requests.items() if one.future.done() and not one.told
        }
        for one in ended.values():
            one.told = True
        return list(ended)

    def forget(self, path: Path) -> None:
        """Be done with a file."""
        if request := self._requests.pop(path, None):
            request.future.cancel()

    def _start(self, path: Path) -> Future[Inspection]:
        future = self._unpack(path)
        future.add_done_callback(lambda _: self._wake())
        return future

    def _answer(self, path: Path, request: _Request) -> Inspection:
        """Give what was found; have it tried again where its process died or hung."""
        error = error_of(request.future)
        if error is None:
            return request.future.result()
        if not is_of_worker(error):
            del self._requests[path]
            raise error
        if request.tries >= TRIES:
            why = reason_of(error)
            raise RejectedError(f"cannot be unpacked: {why} ({TRIES} tries)") from error
        request = _Request(request.identity, self._start(path), request.tries + 1)
        self._requests[path] = request
        raise BeingUnpackedError(f"being unpacked, for the {request.tries}. time")
