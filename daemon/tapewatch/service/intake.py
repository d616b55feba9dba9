"""From hints and scans to the ledger: look at a path, see that it is whole, tell what it is.

Level-triggered: a look compares what is on disk with what the ledger knows, so it does not matter
what made us look, how often, or in which order.
"""

import time
from pathlib import Path

from tapewatch.arrival.scan import Irregular, Rules, examine, scan
from tapewatch.arrival.settle import Observation, judge, renew
from tapewatch.errors import IncompleteFileError, RejectedError, RetriableError
from tapewatch.fitsfile.read import Inspection, inspect
from tapewatch.headers.classify import classify, is_notebook_product, is_own_product
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import Frame, Identity, Kind, State
from tapewatch.parameters import Parameters
from tapewatch.planning.names import product_path, raw_twins

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
    local : bool
        The folder lies on a local disk, whose times can be compared with this machine's clock.
    patient : bool
        Wait for files that are not whole yet, and leave old ones alone (SINCE, STALL);
        ``tapewatch once`` takes files of any age, and only those that are whole soon.
    """

    def __init__(
        self, parameters: Parameters, ledger: Ledger, log: Log, *, local: bool, patient: bool
    ) -> None:
        self._parameters = parameters
        self._ledger = ledger
        self._log = log
        self._local = local
        self._root = parameters.watchdir
        excluded = frozenset() if parameters.outdir is None else frozenset({parameters.outdir})
        self.rules = Rules(parameters.patterns, parameters.recurse, excluded)
        self._stall = parameters.stall if patient else parameters.settle
        first = ledger.first_start(time.time())
        since = parameters.since if patient else None
        self._oldest = 0.0 if since is None else first - since * _DAY
        # What was looked at and need not be again until it changes. Rejected frames are looked at
        # anew at each start: tape.par or tapewatch itself may have changed.
        self._known: dict[str, Identity | None] = {**ledger.identities()}
        for path in ledger.paths_in(State.REJECTED):
            self._known.pop(path, None)
        self._unsettled: dict[str, Observation] = {}
        self._due: dict[str, float] = {}
        self._lacking: dict[str, tuple[Identity, str]] = {}

    @property
    def unsettled(self) -> int:
        """Number of files that are not whole yet and not given up."""
        return len(self._due)

    def next_look(self) -> float | None:
        """When the next file is due to be looked at, seconds since 1970."""
        return min(self._due.values(), default=None)

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
        found = scan(self._root, self.rules)
        if not found.files and any(self._known.values()):
            raise RetriableError(
                f"{self._root} is empty, although frames were there: is it unmounted?"
            )
        for problem in found.problems:
            self._log.warning("watch.problem", reason=problem)
        dirty = set()
        with self._ledger.batch():
            for path, identity in found.files.items():
                if self._known.get(path) != identity and path not in self._due:
                    dirty |= self.look(path)
            for path, what in found.irregular.items():
                dirty |= self._reject(path, None, f"{what}: only regular files are taken")
            unseen = tuple(found.unseen)
            present = found.files.keys() | found.irregular.keys()
            gone = [path for path in self._known if self._known[path] and path not in present]
            for path in gone:
                if not path.startswith(unseen):
                    dirty |= self._vanish(path)
        return dirty

    def look_at_due(self) -> set[str]:
        """Look at all files whose time has come; give the paths of frames that changed."""
        now = time.time()
        dirty: set[str] = set()
        for path in [path for path, due in self._due.items() if due <= now]:
            dirty |= self.look(path)
        return dirty

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
        if not path.is_dir():
            return self.look(relative, vouched=vouched)
        dirty = set()
        with self._ledger.batch():
            for found, identity in scan(self._root, self.rules, relative).files.items():
                if self._known.get(found) != identity:
                    dirty |= self.look(found)
        return dirty

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
        try:
            return self._look(path, vouched=vouched)
        except RetriableError as error:
            self._due[path] = time.time() + self._parameters.rescan
            self._log.warning("watch.problem", file=path, reason=str(error))
            return set()

    def _look(self, path: str, *, vouched: bool) -> set[str]:
        found = examine(self._root, path, self.rules)
        if found is None:
            return self._vanish(path)
        if isinstance(found, Irregular):
            return self._reject(path, None, f"{found.what}: only regular files are taken")
        if self._known.get(path) == found and path not in self._due:
            return set()
        if (changed := max(found.mtime_ns, found.ctime_ns) / 1e9) < self._oldest:
            day = time.strftime("%Y-%m-%d", time.gmtime(changed))
            days = self._parameters.since
            return self._reject(path, found, f"not asked for: of {day}, SINCE is {days:g} days")
        return self._settle(path, vouched=vouched)

    def suspect(self, path: str, reason: str) -> set[str]:
        """Look at a file anew although it may not have changed.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        reason : str
            What a worker found it to lack; it is not taken for whole until it changes.

        Returns
        -------
        set of str
            As `look`.
        """
        if reason and (identity := self._known.get(path)) is not None:
            self._lacking[path] = (identity, reason)
        self._known.pop(path, None)
        return self.look(path) | {path}

    def _settle(self, path: str, *, vouched: bool) -> set[str]:
        """Decide whether a file is whole, and go on with it if it is."""
        now = time.time()
        inspection, lack, rejection = None, "", ""
        try:
            inspection = inspect(self._root / path)
            identity = inspection.identity
        except FileNotFoundError:
            return self._vanish(path)
        except (IncompleteFileError, RejectedError, OSError) as error:
            found = examine(self._root, path, self.rules)
            if not isinstance(found, Identity):
                return self._vanish(path)
            identity = found
            lack = str(error) if isinstance(error, IncompleteFileError) else ""
            rejection = "" if isinstance(error, IncompleteFileError) else str(error)
        if (found_lacking := self._lacking.get(path)) and found_lacking[0] == identity:
            lack = found_lacking[1]
        observation = renew(
            self._unsettled.get(path),
            Observation(
                identity=identity,
                unchanged_since=now,
                vouched=vouched,
                local=self._local,
                lack=lack,
                blank_tail=inspection is not None and inspection.blank_tail,
            ),
        )
        verdict = judge(observation, now, self._parameters.settle, self._stall)
        if verdict.look_again is not None:
            self._unsettled[path] = observation
            self._due[path] = verdict.look_again
            self._ledger.set_state(path, State.SETTLING, verdict.reason, identity, now)
            return set()
        self._forget(path)
        self._known[path] = identity
        if verdict.stalled:
            return self._set_aside(path, identity, State.STALLED, verdict.reason)
        if inspection is None:
            return self._reject(path, identity, rejection)
        return self._take(path, inspection)

    def _take(self, path: str, inspection: Inspection) -> set[str]:
        """Take a whole file into the ledger as the frame that its header describes."""
        identity = inspection.identity
        if is_own_product(inspection.header):
            self._ledger.drop(path)
            return set()
        try:
            frame = self._classify(path, inspection)
        except RejectedError as error:
            return self._reject(path, identity, str(error))
        changed = max(identity.mtime_ns, identity.ctime_ns) / 1e9
        arrived = min(changed, time.time()) if self._local else time.time()
        self._ledger.set_frame(frame, identity, inspection.header_hash, arrived)
        return {path}

    def _classify(self, path: str, inspection: Inspection) -> Frame:
        """Tell what frame a file is, or raise `RejectedError` with the reason why it is none."""
        if is_notebook_product(inspection.header, inspection.bitpix):
            raise RejectedError("a product of TAPE's notebook (DATE-PRC and a float image)")
        if inspection.images > 1:
            raise RejectedError(f"{inspection.images} images in one file: not handled yet")
        frame = classify(path, inspection.header, inspection.shape)
        binning = self._parameters.binning
        if frame.detector.binning != (binning, binning):
            theirs = "x".join(map(str, frame.detector.binning))
            raise RejectedError(f"binning {theirs}, BINNING is {binning}")
        if frame.kind is Kind.OBJECT and (first := self._ledger.any_object(raw_twins(path))):
            raise RejectedError(f"its product would be {product_path(frame)}, as that of {first}")
        return frame

    def _reject(self, path: str, identity: Identity | None, reason: str) -> set[str]:
        return self._set_aside(path, identity, State.REJECTED, reason)

    def _vanish(self, path: str) -> set[str]:
        """Note that a file is gone; what was made of it stays, and is known to be made of it."""
        self._forget(path)
        self._known.pop(path, None)
        records = self._ledger.frames(path)
        if not records or records[0].state is State.VANISHED:
            return set()
        if records[0].state is State.DONE:
            reason = f"{records[0].reason}; its own file is gone"
            self._ledger.set_state(path, State.DONE, reason, None, records[0].arrived)
            return {path}
        return self._set_aside(path, None, State.VANISHED, "its file is gone")

    def _set_aside(
        self, path: str, identity: Identity | None, state: State, reason: str
    ) -> set[str]:
        """Record and tell why a frame is not worked on."""
        self._known[path] = identity
        if self._ledger.set_state(path, state, reason, identity, time.time()):
            self._log.warning(f"frame.{state}", file=path, reason=reason)
            return {path}
        return set()

    def _forget(self, path: str) -> None:
        for memory in (self._unsettled, self._due, self._lacking):
            memory.pop(path, None)
