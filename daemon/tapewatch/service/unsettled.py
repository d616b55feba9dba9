"""The files that are not whole yet: what was seen of each, and when to look at it again."""

import math
import time
from collections.abc import Iterable

from tapewatch.arrival.settle import Observation, Verdict, judge, renew
from tapewatch.model import Identity


class Unsettled:
    """Remembers files until they are whole, or given up.

    Parameters
    ----------
    local : bool
        The folder lies on a local disk, whose times can be compared with this machine's clock.
    settle, stall : float
        As for `judge`.
    """

    def __init__(self, *, local: bool, settle: float, stall: float) -> None:
        self._local = local
        self._settle = settle
        self._stall = stall
        self._seen: dict[str, Observation] = {}
        self._due: dict[str, float] = {}
        self._lacking: dict[str, tuple[Identity, str]] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, path: object) -> bool:
        return path in self._due

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._due)

    def next_look(self) -> float | None:
        """When the next one is due to be looked at, seconds since 1970."""
        return min(self._due.values(), default=None)

    def due(self) -> list[str]:
        """Give those whose time has come."""
        now = time.time()
        return [path for path, moment in self._due.items() if moment <= now]

    def identity(self, path: str) -> Identity | None:
        """Give what a file was when it was seen last; None where it is not among these."""
        return self._seen[path].identity if path in self._seen else None

    def judge(
        self, path: str, identity: Identity, lack: str, *, vouched: bool, blank_tail: bool
    ) -> Verdict:
        """Judge whether a file is whole, and remember to look again where it is not yet.

        Parameters
        ----------
        path : str
            Of the file.
        identity, lack, vouched, blank_tail
            As in `Observation`.

        Returns
        -------
        Verdict
            Where it has no time to look again the file is whole, or stalled.
        """
        now = time.time()
        if (lacking := self._lacking.get(path)) and lacking[0] == identity:
            lack = lacking[1]
        seen = self._observe(path, identity, lack, now, vouched=vouched, blank_tail=blank_tail)
        verdict = judge(seen, now, self._settle, self._stall)
        if verdict.look_again is not None:
            self._seen[path] = seen
            self._due[path] = verdict.look_again
        return verdict

    def wait(self, path: str, identity: Identity, *, vouched: bool) -> None:
        """Remember a file that somebody else looks into now; it is due when that is done."""
        self._seen[path] = self._observe(
            path, identity, "", time.time(), vouched=vouched, blank_tail=False
        )
        self._due[path] = math.inf

    def put_off(self, path: str, moment: float) -> None:
        """Remember a file of which nothing could be seen, until it is to be tried again."""
        self.forget(path)
        self._due[path] = moment

    def have_due(self, paths: Iterable[str]) -> None:
        """Have files looked at now, where they are among these."""
        self._due |= dict.fromkeys(self._due.keys() & set(paths), 0.0)

    def note_lack(self, path: str, identity: Identity, lack: str) -> None:
        """Note what a worker found a file to lack: it is not whole until it changes."""
        self._lacking[path] = (identity, lack)

    def forget(self, path: str) -> None:
        """Be done with a file."""
        for memory in (self._seen, self._due, self._lacking):
            memory.pop(path, None)

    def _observe(
        self,
        path: str,
        identity: Identity,
        lack: str,
        now: float,
        *,
        vouched: bool,
        blank_tail: bool,
    ) -> Observation:
        latest = Observation(
            identity=identity,
            unchanged_since=now,
            vouched=vouched,
            local=self._local,
            lack=lack,
            blank_tail=blank_tail,
        )
        return renew(self._seen.get(path), latest)
