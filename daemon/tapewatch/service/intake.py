"""From hints and scans to the ledger: look at a path, see that it is whole, tell what it is.

Level-triggered: a look compares what is on disk with what the ledger knows, so it does not matter
what made us look, how often, or in which order.
"""

import sqlite3
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from tapewatch.arrival.scan import (
    Irregular,
    Rules,
    examine,
    is_folder,
    list_folders,
    printable,
    root_identity,
)
from tapewatch.errors import (
    BeingUnpackedError,
    FatalError,
    IncompleteFileError,
    RejectedError,
    RetriableError,
)
from tapewatch.fitsfile.inspection import Inspection
from tapewatch.headers.classify import is_own_product
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import Identity, State
from tapewatch.parameters import Parameters
from tapewatch.service.changes import Changes, find_changes
from tapewatch.service.inspector import Inspector
from tapewatch.service.known import KnownFiles, parent_of
from tapewatch.service.register import Register, changed
from tapewatch.service.unsettled import Unsettled

_DAY = 86400.0


class Intake:
    """Keeps the ledger's frames true to the watched folder.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    ledger : Ledger
        Open for writing.
    log : Log
        Where frames that are set aside are told of.
    inspector : Inspector
        Looks into files.
    local : bool
        The folder lies on a local disk, whose times can be compared with this machine's clock.
    stopping : callable
        Tells whether the daemon is to stop: a long scan then ends early.
    patient : bool
        Wait for files that are not whole yet, and leave old ones alone (SINCE, STALL);
        ``tapewatch once`` takes files of any age, and only those that are whole soon.
    """

    def __init__(
        self,
        parameters: Parameters,
        ledger: Ledger,
        log: Log,
        inspector: Inspector,
        *,
        local: bool,
        patient: bool,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._parameters = parameters
        self._stopping = stopping
        self.scan_seconds = 0.0  # that the last listing of the tree took
        self.found: dict[str, float] = {}  # what the last scan found written, and when
        self._ledger = ledger
        self._log = log
        self._register = Register(parameters, ledger, log, local=local)
        self._inspector = inspector
        self._root = parameters.watchdir
        excluded = frozenset() if parameters.outdir is None else frozenset({parameters.outdir})
        self.rules = Rules(parameters.patterns, parameters.recurse, excluded)
        self._patient = patient
        stall = parameters.stall if patient else parameters.settle
        self._unsettled = Unsettled(local=local, settle=parameters.settle, stall=stall)
        first = ledger.first_start(time.time())
        since = parameters.since if patient else None
        self._oldest = 0.0 if since is None else first - since * _DAY
        # What was looked at and need not be again until it changes; None: needs to be. Rejected
        # frames are looked at anew at each start: tape.par or tapewatch itself may have changed.
        self._known = KnownFiles()
        known = ledger.each_identity(but=(State.REJECTED, State.SETTLING))
        for _, of_folder in groupby(known, key=lambda one: parent_of(one[0])):
            for path, identity in of_folder:
                self._known.note(path, identity)
            self._known.pack()
        self._not_asked_for = 0  # files too old, since the last scan

    @property
    def unsettled(self) -> int:
        """Number of files that are not whole yet and not given up."""
        return len(self._unsettled)

    def next_look(self) -> float | None:
        """When the next file is due to be looked at, seconds since 1970."""
        return self._unsettled.next_look()

    def reconcile(self) -> set[str]:
        """Compare the whole tree with the ledger.

        Returns
        -------
        set of str
            Paths of frames that have come, changed, or gone.

        Raises
        ------
        RetriableError
            The folder cannot be listed; nothing is taken for gone.
        """
        started = time.perf_counter()
        found = self._changes()
        self.scan_seconds = time.perf_counter() - started
        if not found.files and self._known.any_was_there:
            raise RetriableError(
                f"{self._root} is empty, although frames were there: is it unmounted?"
            )
        for problem in found.problems:
            self._log.warning("watch.problem", reason=problem)
        dirty: set[str] = set()
        with self._ledger.batch():
            self.found = {path: found.news[path] for path in found.news if path in found.written}
            for path in found.news:
                if self._stopping():
                    return dirty
                dirty |= self.look(path)
            for path in self._unsettled.paths:
                dirty |= self.look(path)  # its time may never come, if the clock was set back
            for path, why in found.irregular.items():
                dirty |= self._set_aside(path, None, State.REJECTED, why)
            for path in found.gone:
                dirty |= self.look(path)  # it may have come back since it was missed
        self._known.pack()
        if self._not_asked_for:
            self._log.info("frames.not_asked_for", count=self._not_asked_for)
            self._not_asked_for = 0
        return dirty

    def _changes(self, folder: str = "") -> Changes:
        """Find out what has changed in a folder and all beneath."""
        listings = list_folders(self._root, self.rules, folder)
        return find_changes(listings, self._known, self._unsettled, folder)

    def look_at_due(self) -> set[str]:
        """Look at all files whose time has come; give the paths of frames that changed."""
        ended = self._inspector.ended()
        self._unsettled.have_due(path.relative_to(self._root).as_posix() for path in ended)
        return set().union(*(self.look(path) for path in self._unsettled.due()))

    def hint(self, path: Path, *, vouched: bool) -> set[str]:
        """Look at what an event named: a file, or a folder with all beneath.

        Parameters
        ----------
        path : Path
            Below the watched folder.
        vouched : bool
            The file was closed after writing or renamed to this name.

        Returns
        -------
        set of str
            Paths of frames that have come, changed, or gone.
        """
        relative = path.relative_to(self._root).as_posix()
        if not is_folder(path):
            return self.look(relative, vouched=vouched) if self.rules.matches(path.name) else set()
        try:
            news = self._changes(relative).news
        except RetriableError as error:  # the next scan of the whole tree will tell
            self._log.warning("watch.problem", file=relative, reason=str(error))
            return set()
        with self._ledger.batch():
            return set().union(*(self.look(found) for found in news))

    def look(self, path: str, *, vouched: bool = False) -> set[str]:
        """Look at one file, and take it into the ledger if it is whole.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        vouched : bool
            The file was closed after writing or renamed to this name.

        Returns
        -------
        set of str
            The path, where anything changed for planning; else nothing.
        """
        found = None
        try:
            found = examine(self._root, path, self.rules)
            return self._look(printable(path), found, vouched=vouched)
        except RetriableError as error:
            return self._put_off(printable(path), str(error))
        except (FatalError, sqlite3.Error):
            raise  # the state file is in trouble: no file's fault
        except Exception as error:  # noqa: BLE001  (an error of ours costs one file, not the night)
            path, identity = printable(path), found if isinstance(found, Identity) else None
            self._file(path, identity)
            self._register.fail(path, identity, error)
            return {path}

    def _put_off(self, path: str, reason: str) -> set[str]:
        """Look again later at what cannot be reached now, which is no fault of its own."""
        news = path not in self._unsettled
        if not self._patient:
            return self._set_aside(path, None, State.STALLED, reason)
        self._known.note(path, None)
        self._unsettled.put_off(path, time.time() + self._parameters.rescan)
        if not self._ledger.frames(path):
            self._ledger.set_state(path, State.SETTLING, reason, None, time.time())
        if news:
            self._log.warning("watch.problem", file=path, reason=reason)
        return set()

    def _look(self, path: str, found: Identity | Irregular | None, *, vouched: bool) -> set[str]:
        if found is None:
            root_identity(self._root)  # where the folder itself is gone, nothing is known of it
            return self._vanish(path)
        if isinstance(found, Irregular):
            return self._set_aside(path, None, State.REJECTED, found.why)
        if self._known.identity(path) == found and path not in self._unsettled:
            return set()
        if changed(found) < self._oldest:
            self._file(path, found)
            self._not_asked_for += self._register.leave_alone(path, found)
            return set()
        try:
            return self._settle(path, found, vouched=vouched)
        except BeingUnpackedError as error:
            self._unsettled.wait(path, found, vouched=vouched)
            self._ledger.set_state(path, State.SETTLING, str(error), found, time.time())
            return set()

    def suspect(self, path: str, reason: str) -> set[str]:
        """Look at a file anew although it may not have changed.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        reason : str
            What a worker found it to lack: it is not taken for whole until it changes.

        Returns
        -------
        set of str
            As `look`.
        """
        self._forget(path)
        identity = self._known.forget(path)
        if reason and identity is not None:
            self._unsettled.note_lack(path, identity, reason)
        return self.look(path) | {path}

    def _settle(self, path: str, identity: Identity, *, vouched: bool) -> set[str]:
        """Decide whether a file is whole, and go on with it if it is."""
        inspection, lack, rejection = None, "", ""
        try:
            inspection = self._inspector.inspect(self._root / path, identity)
            identity = inspection.identity
        except (IncompleteFileError, RejectedError, OSError) as error:
            found = examine(self._root, path, self.rules)
            if not isinstance(found, Identity):
                return self._vanish(path)
            if isinstance(error, OSError):
                return self._put_off(path, str(error))
            identity, incomplete = found, isinstance(error, IncompleteFileError)
            lack, rejection = (str(error), "") if incomplete else ("", str(error))
        if inspection is not None and is_own_product(inspection.header):
            self._file(path, identity)  # a product of our own is no frame
            self._ledger.drop(path)
            return set()
        blank_tail = inspection is not None and inspection.blank_tail
        verdict = self._unsettled.judge(
            path, identity, lack, vouched=vouched, blank_tail=blank_tail
        )
        if verdict.look_again is not None:
            self._ledger.set_state(path, State.SETTLING, verdict.reason, identity, time.time())
        if verdict.stalled:
            return self._set_aside(path, identity, State.STALLED, verdict.reason)
        if verdict.whole and inspection is None:
            return self._set_aside(path, identity, State.REJECTED, rejection)
        return self._take(path, inspection) if verdict.whole and inspection else set()

    def _take(self, path: str, inspection: Inspection) -> set[str]:
        """Have a whole file entered as the frame that it is."""
        self._file(path, inspection.identity)
        dirty = {path} if self._register.take(path, inspection) else set()
        if copy := self._register.copy_less_dark(path):
            dirty |= self.suspect(copy, "")
        return dirty

    def _vanish(self, path: str) -> set[str]:
        """Note that a file is gone, and look again at what was rejected because of it."""
        self._forget(path)
        self._known.forget(path)
        dirty = {path} if self._register.vanish(path) else set()
        for other, state in [*self._register.twins(path), *self._register.raws_of(path)]:
            if state is State.REJECTED:
                dirty |= self.suspect(other, "")
        return dirty

    def _set_aside(
        self, path: str, identity: Identity | None, state: State, reason: str
    ) -> set[str]:
        """Have it entered why a frame is not worked on, and look at it when it changes."""
        self._file(path, identity)
        return {path} if self._register.set_aside(path, identity, state, reason) else set()

    def _file(self, path: str, identity: Identity | None) -> None:
        """Be done with a path until it changes from this identity."""
        self._forget(path)
        self._known.note(path, identity)

    def _forget(self, path: str) -> None:
        self._unsettled.forget(path)
        self._inspector.forget(self._root / path)
