"""What planning is told of a folder, and which folders are to be planned for other masters."""

from tapewatch.facts import gather, library_of
from tapewatch.ledger import Ledger, MasterRecord
from tapewatch.model import FrameSequence, ObjectFrame
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts
from tapewatch.planning.library import Library
from tapewatch.planning.marks import spread


class Briefing:
    """Gathers facts, and keeps the masters in order until they change.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    ledger : Ledger
        Open.
    """

    def __init__(self, parameters: Parameters, ledger: Ledger) -> None:
        self._parameters = parameters
        self._ledger = ledger
        self._shelved: tuple[tuple[MasterRecord, ...], Library] | None = None
        self._judged: Library | None = None

    def facts(
        self,
        folder: str,
        frames: tuple[ObjectFrame, ...] = (),
        sequences: tuple[FrameSequence, ...] | None = None,
    ) -> Facts:
        """Gather the facts of a folder.

        Parameters
        ----------
        folder, frames, sequences
            As for `gather`.

        Returns
        -------
        Facts
        """
        return gather(self._ledger, self._library(), folder, frames, sequences)

    def with_another_choice(self) -> set[str]:
        """Find out whom it concerns that other masters are in use than when this was last asked.

        Returns
        -------
        set of str
            Folders for whose frames other masters may be chosen, whatever brought that about: a
            plan, or a file that is gone. None at the first time: then all have to be planned.
        """
        before, self._judged = self._judged, self._library()
        now = self._judged
        if before is None or before.in_use == now.in_use:
            return set()
        bad = spread(self._ledger.marks(), now.masters)
        spans = {folder: self._ledger.span(folder) for folder in self._ledger.folders()}
        return {
            folder
            for folder, span in spans.items()
            if now.elsewhere(folder, span, bad) != before.elsewhere(folder, span, bad)
        }

    def _library(self) -> Library:
        records = self._ledger.masters()
        if self._shelved is None or self._shelved[0] is not records:
            self._shelved = records, library_of(self._ledger, self._parameters)
        return self._shelved[1]
