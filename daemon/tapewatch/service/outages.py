"""What cannot be written for now: told once, held until it is tried again, told when it is over.

A full or vanished disk holds all work. Of a folder that cannot be written only its own work is
held: one night's folder, or one camera's, must not stop the others.
"""

import time
from dataclasses import dataclass

from tapewatch.ledger import Ledger
from tapewatch.log import Log

OUTPUT_TROUBLE = "output_trouble"
"""Note in the ledger: why all work, or that of some folders, is held now."""

EVERYTHING = ""
"""What is held by an outage that holds all work."""


@dataclass(frozen=True, slots=True)
class _Outage:
    holds: str
    reason: str
    until: float  # by the monotonic clock


class Outages:
    """The outages that there are.

    Parameters
    ----------
    ledger : Ledger
        Where `status` finds them.
    log : Log
        Where they are told of.
    pause : float
        Seconds after which what is held is tried again.
    """

    def __init__(self, ledger: Ledger, log: Log, pause: float) -> None:
        self._ledger = ledger
        self._log = log
        self._pause = pause
        self._outages: dict[str, _Outage] = {}  # by what cannot be done

    def __bool__(self) -> bool:
        return bool(self._outages)

    def holds(self, what: str = EVERYTHING) -> bool:
        """Tell whether something is held now, by itself or with everything.

        Parameters
        ----------
        what : str
            As given to `begin`.

        Returns
        -------
        bool
            False as soon as it is to be tried again.
        """
        now = time.monotonic()
        return any(
            one.holds in {EVERYTHING, what} and now < one.until for one in self._outages.values()
        )

    def next_look(self) -> float | None:
        """Seconds until something that is held is to be tried again."""
        now = time.monotonic()
        waits = [one.until - now for one in self._outages.values() if now < one.until]
        return min(waits, default=None)

    def begin(self, undone: str, reason: str, holds: str = EVERYTHING) -> None:
        """Hold something for a while, and say why, once.

        Parameters
        ----------
        undone : str
            What could not be done: when it can be, the outage is over.
        reason : str
            For a person.
        holds : str
            What is held: all work, or any name of a part of it.
        """
        is_told = any(
            one.holds in {EVERYTHING, holds} or one.reason == reason
            for one in self._outages.values()
        )
        one_more = bool(self._outages)
        known = self._outages.get(undone)
        until = time.monotonic() + self._pause
        self._outages[undone] = _Outage(holds, reason if known is None else known.reason, until)
        self._note()
        if is_told:
            return
        if one_more and holds != EVERYTHING:
            self._log.error("output.held", reason=reason)
        else:
            self._log.error("service.degraded", reason=reason)

    def end(self, undone: str) -> None:
        """Take note that something could be done, and say so where it could not before.

        Parameters
        ----------
        undone : str
            As given to `begin`.
        """
        if self._outages.pop(undone, None) is not None:
            self._note()
            if not self._outages:
                self._log.info("service.restored")

    def try_again(self) -> None:
        """Hold nothing any longer, until it fails once more."""
        self._outages = {
            undone: _Outage(one.holds, one.reason, 0.0) for undone, one in self._outages.items()
        }

    def _note(self) -> None:
        reasons = dict.fromkeys(one.reason for one in self._outages.values())
        self._ledger.set_note(OUTPUT_TROUBLE, "; ".join(reasons))
