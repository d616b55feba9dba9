"""The state file in trouble: damaged, it is set aside and begun anew; full, it is waited for.

Either is followed by a new start within the same process: what is not in the file was nothing, and
what should be in it is found in the folder.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tapewatch.errors import DamagedLedgerError, UnwritableLedgerError
from tapewatch.ledger import Ledger, quarantine
from tapewatch.log import Log

_TOO_SOON = 60.0  # seconds: what is damaged again by then will not be mended by beginning anew


class Losses:
    """How often the state file was lost while in use."""

    def __init__(self) -> None:
        self._last = -_TOO_SOON  # by the monotonic clock

    def add(self, error: DamagedLedgerError) -> None:
        """Take note of a loss; what was lost just before is raised again."""
        now = time.monotonic()
        if now < self._last + _TOO_SOON:
            raise error
        self._last = now


class StateFile:
    """Opens the state file, whatever became of it.

    Parameters
    ----------
    path : Path
        The SQLite file.
    log : Log
        Where trouble is told of.
    """

    def __init__(self, path: Path, log: Log) -> None:
        self._path = path
        self._log = log
        self._degraded = False

    def open(self) -> Ledger:
        """Open the state file, after a look at all of it.

        Returns
        -------
        Ledger
            An empty one where it was damaged: the old file is under another name then.

        Raises
        ------
        FatalError
            It cannot be used.
        """
        try:
            ledger = self._opened()
        except DamagedLedgerError as error:
            aside = quarantine.set_aside(self._path, time.time())
            self._log.error("ledger.quarantined", reason=str(error), state=str(aside))
            ledger = self._opened()
        if ledger.migrated:
            self._log.warning("ledger.migrated", reason=ledger.migrated)
        return ledger

    def _opened(self) -> Ledger:
        ledger = Ledger(self._path)
        try:
            ledger.check()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def wait(self, error: UnwritableLedgerError, pause: Callable[[], bool]) -> None:
        """Wait until the file can be written again.

        Parameters
        ----------
        error : UnwritableLedgerError
            Why it cannot.
        pause : callable
            Lets a while pass; tells whether to go on waiting.

        Raises
        ------
        FatalError
            Something else is wrong with the file meanwhile.
        """
        if not self._degraded:
            self._degraded = True
            self._log.error("service.degraded", reason=str(error))
        while pause():
            try:
                with Ledger(self._path) as ledger:
                    ledger.see_that_there_is_room()
            except UnwritableLedgerError:
                continue
            self._degraded = False
            self._log.info("service.restored")
            return
