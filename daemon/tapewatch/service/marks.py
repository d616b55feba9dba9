"""Notices what a person has marked bad, or good again, while the daemon runs."""

from tapewatch.ledger import LedgerReader
from tapewatch.log import Log
from tapewatch.planning.marks import spread


class Marks:
    """The marks as they were when last looked at.

    Parameters
    ----------
    ledger : LedgerReader
        Where commands leave them.
    log : Log
        Where changes are told of.
    """

    def __init__(self, ledger: LedgerReader, log: Log) -> None:
        self._ledger = ledger
        self._log = log
        self._marks = ledger.marks()

    def changed(self) -> set[str]:
        """Look what was marked, or is no longer.

        Returns
        -------
        set of str
            Paths of the frames that this concerns, and of one in each folder of which a master
            is concerned, to be planned anew.
        """
        before, now = self._marks, self._ledger.marks()
        if before == now:
            return set()
        self._marks = now
        masters = {one.master.id: one.master for one in self._ledger.masters()}
        old, new = (spread(marks, masters.values()) for marks in (before, now))
        changed: set[str] = set()
        for subject in old.keys() | new.keys():
            if old.get(subject) == new.get(subject):
                continue
            if subject in masters:
                changed.add(f"{masters[subject].folder}/")
            elif paths := self._ledger.paths_with(subject):
                changed.update(paths)
            else:
                changed.add(subject)
        for subject in before.keys() | now.keys():
            frame = self._ledger.frames(subject)
            if before.get(subject) != now.get(subject) and (frame or subject in masters):
                about = {"file": subject} if frame else {"master": masters[subject].path}
                self._log.info("mark.noticed", **about, reason=now.get(subject, "no longer bad"))
        return changed
