"""Enters files into the ledger: as frames, as set aside with the reason, or as gone."""

import time
import traceback

from tapewatch.arrival.recognise import recognise
from tapewatch.errors import RejectedError
from tapewatch.fitsfile.inspection import Inspection
from tapewatch.headers.cards import Header
from tapewatch.headers.doubts import exposed_bias, flat_by_name
from tapewatch.headers.twins import raw_copies, subtracted_copy, superseded
from tapewatch.headers.typerules import kind_by_rule
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import Frame, Identity, Kind, State
from tapewatch.parameters import Parameters
from tapewatch.planning.names import names_of_twins, product_path

_LONGEST_REASON = 500  # characters; headers may hold any text
_LAST_CALLS = 5  # of a traceback: a line of the log holds no more
# Frames in these states do not keep another from having a product of their name.
_OUT_OF_THE_WAY = (State.REJECTED, State.VANISHED, State.SETTLING, State.STALLED)


class Register:
    """Writes what was found out about files into the ledger, and what matters into the log.

    All methods tell whether that changed anything for planning.

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
    """

    def __init__(self, parameters: Parameters, ledger: Ledger, log: Log, *, local: bool) -> None:
        self._parameters = parameters
        self._ledger = ledger
        self._log = log
        self._local = local
        self._told: set[tuple[str, str]] = set()  # folder and contradiction

    def take(self, path: str, inspection: Inspection) -> bool:
        """Enter a whole file as the frame that its header describes, or as rejected.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        inspection : Inspection
            Of the file.

        Returns
        -------
        bool
            Whether that changed anything.
        """
        identity = inspection.identity
        try:
            frame = recognise(path, inspection, self._parameters)
            self._see_that_it_is_the_raw_one(frame)
            if frame.kind is Kind.OBJECT:
                self._see_that_its_product_has_a_name(path)
        except RejectedError as error:
            return self.set_aside(path, identity, State.REJECTED, str(error))
        arrived = min(changed(identity), time.time()) if self._local else time.time()
        self._ledger.set_frame(frame, identity, inspection.header_hash, arrived)
        if kind_by_rule(path, self._parameters.typerules):
            self._log.info("frame.kind_by_rule", file=path, kind=str(frame.kind))
        else:
            self._tell_contradictions(frame, inspection.header)
        return True

    def set_aside(
        self, path: str, identity: Identity | None, state: State, reason: str, *, tell: bool = True
    ) -> bool:
        """Enter why a file is not worked on.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        identity : Identity or None
            Of the file; None where it is gone, or no file.
        state : State
            Rejected, stalled, or vanished.
        reason : str
            Why, for a person to read.
        tell : bool
            Log it.

        Returns
        -------
        bool
            Whether that was not known before.
        """
        reason = reason[:_LONGEST_REASON]
        news = self._ledger.set_state(path, state, reason, identity, time.time())
        if news and tell:
            self._log.warning(f"frame.{state}", file=path, reason=reason)
        return news

    def fail(self, path: str, identity: Identity | None, error: Exception) -> None:
        """Enter that tapewatch itself erred at a file: it is left alone until it changes.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        identity : Identity or None
            Of the file; None where it could not be told.
        error : Exception
            One that nobody expected.
        """
        reason = f"tapewatch itself failed at it, please report: {type(error).__name__}: {error}"
        reason = reason[:_LONGEST_REASON]
        self._ledger.set_state(path, State.FAILED, reason, identity, time.time())
        self._ledger.begin(path)  # a try, as of a worker
        where = [line.strip() for line in traceback.format_tb(error.__traceback__)[-_LAST_CALLS:]]
        self._log.error("frame.failed", file=path, reason=reason, traceback=where)

    def leave_alone(self, path: str, identity: Identity) -> bool:
        """Enter that a file is older than was asked for; how many are is told at once, elsewhere.

        Parameters
        ----------
        path : str
            Relative to the watched folder.
        identity : Identity
            Of the file.

        Returns
        -------
        bool
            Whether that was not known before.
        """
        day = time.strftime("%Y-%m-%d", time.gmtime(changed(identity)))
        reason = f"not asked for: of {day}, SINCE is {self._parameters.since:g} days"
        return self.set_aside(path, identity, State.REJECTED, reason, tell=False)

    def vanish(self, path: str) -> bool:
        """Enter that a file is gone; what was made of it stays, and is known to be made of it.

        Parameters
        ----------
        path : str
            Relative to the watched folder.

        Returns
        -------
        bool
            Whether that changed anything.
        """
        records = self._ledger.frames(path)
        if not records or records[0].state is State.VANISHED:
            return False
        if records[0].state is State.DONE:
            if not self._ledger.identities([path]):
                return False
            reason = f"{records[0].reason}; its own file is gone"
            return self._ledger.set_state(path, State.DONE, reason, None, records[0].arrived)
        return self.set_aside(path, None, State.VANISHED, "its file is gone")

    def twins(self, path: str) -> list[tuple[str, State]]:
        """Give the other files whose product would have the name of a frame's.

        Parameters
        ----------
        path : str
            Of the frame.

        Returns
        -------
        list of (str, State)
            As ``x.fits.gz`` beside ``x.fits``, each with its state.
        """
        alike = self._ledger.frames_named(path.rpartition("/")[0], names_of_twins(path))
        product = product_path(path)
        return [
            (other, state)
            for other, state in alike
            if other != path and product_path(other) == product
        ]

    def copy_less_dark(self, path: str) -> str:
        """Give the frame less the camera's own dark of which a frame is the raw copy.

        Parameters
        ----------
        path : str
            As ``X.NOAUTODARK.FIT``.

        Returns
        -------
        str
            ``X.FIT`` where that is known, else empty: it is to be looked at again.
        """
        copy = subtracted_copy(path)
        return copy if copy and self._ledger.frames(copy) else ""

    def raws_of(self, path: str) -> list[tuple[str, State]]:
        """Give the raw frames whose product would have the path of a file, and their states.

        Parameters
        ----------
        path : str
            Of the file, beside the raw frames.

        Returns
        -------
        list of (str, State)
            None where products go elsewhere (OUTDIR).
        """
        folder, _, name = path.rpartition("/")
        if self._parameters.outdir is not None or not name.startswith("w"):
            return []
        alike = self._ledger.frames_named(folder, names_of_twins(name[1:]))
        return [(raw, state) for raw, state in alike if product_path(raw) == path]

    def _tell_contradictions(self, frame: Frame, header: Header) -> None:
        """Tell where header and name do not go together: each contradiction once a folder."""
        reasons = [exposed_bias(frame, header)]
        if rule := flat_by_name(frame):
            reasons.append(
                f"called a flat, and by its header {_a(frame.kind)}: if it and others named like it"
                f" are flats, tape.par has to say so: {rule}"
            )
        for reason in filter(None, reasons):
            if (frame.folder, reason) not in self._told:
                self._told.add((frame.folder, reason))
                self._log.warning("quality.warning", file=frame.path, reason=reason)

    def _see_that_it_is_the_raw_one(self, frame: Frame) -> None:
        """Refuse what a camera wrote less its own dark, where it wrote the raw frame, too."""
        for path in raw_copies(frame.path):
            for record in self._ledger.frames(path):
                if record.frame is not None and (reason := superseded(frame, record.frame)):
                    raise RejectedError(reason)

    def _see_that_its_product_has_a_name(self, path: str) -> None:
        for twin, state in self.twins(path):
            if state not in _OUT_OF_THE_WAY:
                raise RejectedError(f"its product would be {product_path(path)}, as that of {twin}")


def _a(kind: Kind) -> str:
    return "a light (object)" if kind is Kind.OBJECT else f"a {kind}"


def changed(identity: Identity) -> float:
    """Give when a file was last changed or came here.

    Parameters
    ----------
    identity : Identity
        Of the file.

    Returns
    -------
    float
        Seconds since 1970, by the clock of the file system.
    """
    return max(identity.mtime_ns, identity.ctime_ns) / 1e9
