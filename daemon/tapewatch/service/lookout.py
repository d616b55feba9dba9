"""Finds out where something happened: by hints, and by scans that make up for those that are lost.

The watch can go deaf in many ways without a word. So it is examined before each scan and armed
anew where need be. Files are counted that a scan finds and no hint has named: they tell of a watch
that cannot see, as on a disk on which another machine writes, or in a subfolder that was mounted
over. Where no watch can be set, scans alone find all, and each tries to set one again.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tapewatch.arrival.mounts import is_network
from tapewatch.arrival.watch import Watch
from tapewatch.errors import RetriableError
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.parameters import Parameters
from tapewatch.service.intake import Intake

_SCAN_SHARE = 10.0  # scans take at most this part of the time
_HINT_PATIENCE = 2.0  # seconds: an event on its way is not lost

TROUBLE = "trouble"
"""Note in the ledger: why hints, or the folder, cannot be relied on now."""
FOUND_BY_SCAN = "found_by_scan"
"""Note in the ledger: number of files that no event told of, since the watch was first set."""
BY = "noticed_by"
"""Note in the ledger: ``inotify`` where events tell of new files now, else ``scan``."""


class Lookout:
    """Watches and searches the folder.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    intake : Intake
        Looks at what was found.
    ledger : Ledger
        Open for writing.
    log : Log
        Where trouble is told of.
    wake : callable
        Called, from another thread, when there is something to look at.
    """

    def __init__(
        self,
        parameters: Parameters,
        intake: Intake,
        ledger: Ledger,
        log: Log,
        wake: Callable[[], None],
    ) -> None:
        self._parameters = parameters
        self._intake = intake
        self._ledger = ledger
        self._log = log
        self._wake = wake
        self._watch: Watch | None = None
        self._hints: dict[Path, bool] = {}
        self._lock = threading.Lock()
        self._hinted: set[str] = set()  # since the last scan
        self._scanned = False
        self._scan_due = 0.0  # by the monotonic clock
        self._earliest_scan = 0.0  # so that scans do not take all the time
        self._noted_by = ""
        self._wall_clock = math.inf  # at the last scan: at the first nobody knows what it was
        self.trouble = ""
        """Why hints, or the folder, cannot be relied on now."""

    def watch(self) -> None:
        """Have changes hinted at, where the folder's file system can; armed by the first scan."""
        wanted, folder = self._parameters.watch, self._parameters.watchdir
        if wanted == "inotify" or (wanted == "auto" and not is_network(folder)):
            self._watch = Watch(folder, self._parameters.recurse, self._on_hint)

    def stop(self) -> None:
        """End the watch."""
        if self._watch is not None:
            self._watch.stop()

    @property
    def by(self) -> str:
        """How changes are noticed: ``inotify`` or ``scan``."""
        return "scan" if self._watch is None else "inotify"

    @property
    def has_searched(self) -> bool:
        """Whether the whole folder could be searched since the start."""
        return self._scanned

    @property
    def scan_in(self) -> float:
        """Seconds until the next scan is due."""
        return self._scan_due - time.monotonic()

    def scan_soon(self) -> None:
        """Have the folder scanned at the next opportunity."""
        self._scan_due = 0.0

    def take_hints(self) -> set[str]:
        """Look at what events have named; give the paths of frames that changed."""
        with self._lock:
            hints, self._hints = self._hints, {}
        changed: set[str] = set()
        if hints.pop(self._parameters.watchdir, None) is not None:  # events were lost
            self._scan_due = min(self._scan_due, self._earliest_scan)
        for path, vouched in hints.items():
            self._hinted.add(path.relative_to(self._parameters.watchdir).as_posix())
            changed |= self._intake.hint(path, vouched=vouched)
        return changed

    def scan(self) -> set[str]:
        """Compare the whole tree with the ledger, and see that the watch can be relied on.

        Returns
        -------
        set of str
            Paths of frames that have come, changed, or gone.
        """
        changed = self._look_at_the_clock()
        heard = self._scanned  # before the first scan, nothing had to be
        trouble = self._mend_watch()
        try:
            changed |= self._intake.reconcile()
            self._scanned = True
            missed = self._missed()
            if missed and heard and self._watch is not None:
                trouble = self._count(missed, trouble, self._watch)
        except RetriableError as error:
            trouble = str(error)
        self._tell(trouble)
        self._note_by()
        now = time.monotonic()
        self._earliest_scan = now + _SCAN_SHARE * self._intake.scan_seconds
        self._scan_due = max(now + self._parameters.rescan, self._earliest_scan)
        return changed

    def _on_hint(self, path: Path, vouched: bool) -> None:
        """Note what an event named; called from watchdog's thread."""
        if not self._intake.rules.heeds(path.relative_to(self._parameters.watchdir)):
            return
        with self._lock:
            self._hints[path] = self._hints.get(path, False) or vouched
        self._wake()

    def _look_at_the_clock(self) -> set[str]:
        """See that no frame waits for a time that was near before the clock was set back."""
        before, self._wall_clock = self._wall_clock, time.time()
        return self._ledger.date_back(self._wall_clock) if self._wall_clock < before else set()

    def _mend_watch(self) -> str:
        """Arm the watch, or tell what is wrong with it and arm it again; give what still is."""
        if self._watch is None or (trouble := self._watch.trouble()) is None:
            return ""
        if self._watch.is_armed:
            self._tell(trouble)  # though it may be over in a moment: events were lost
        self._watch.acknowledge_overflow()
        if self._watch.trouble() is None:
            return ""
        return self._arm(self._watch)

    def _arm(self, watch: Watch) -> str:
        """Set all watches anew; give what is wrong with them."""
        watch.stop()
        try:
            watch.start()
        except RetriableError as error:
            return str(error)
        return watch.trouble() or ""

    def _missed(self) -> list[str]:
        """Give the files of the last scan that an event should have named and did not."""
        hinted, self._hinted = self._hinted, set()
        latest = time.time() - _HINT_PATIENCE
        return [
            path
            for path, changed in self._intake.found.items()
            if changed < latest and not any(_covers(hint, path) for hint in hinted)
        ]

    def _count(self, missed: Sequence[str], trouble: str, watch: Watch) -> str:
        """Count what a watch missed, set one anew that seemed to be well; give its trouble."""
        total = int(self._ledger.note(FOUND_BY_SCAN) or 0) + len(missed)
        self._ledger.set_note(FOUND_BY_SCAN, str(total))
        if trouble or self.trouble:
            return trouble
        self._log.warning("watch.missed", count=len(missed), file=missed[0])
        return self._arm(watch)

    def _note_by(self) -> None:
        """Have ``status`` tell how new files are noticed now."""
        by = "scan" if self._watch is None or self.trouble else "inotify"
        if by != self._noted_by:
            self._ledger.set_note(BY, by)
            self._noted_by = by

    def _tell(self, trouble: str) -> None:
        if trouble and not self.trouble:
            self._log.error("watch.degraded", reason=trouble)
        elif self.trouble and not trouble:
            self._log.info("watch.restored")
        if trouble != self.trouble:
            self._ledger.set_note(TROUBLE, trouble)
        self.trouble = trouble


def _covers(hint: str, path: str) -> bool:
    """Tell whether a hint names a file, or a folder above it."""
    return hint in {path, "."} or path.startswith(f"{hint}/")
