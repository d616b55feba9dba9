"""What planning needs to know of a folder, gathered from the ledger."""

from collections.abc import Iterable

from tapewatch.ledger import LedgerReader
from tapewatch.model import FrameSequence, ObjectFrame
from tapewatch.planning.decisions import Facts
from tapewatch.planning.marks import spread

TRIES = 3
"""Tries of one frame or master before it is given up."""


def gather(
    ledger: LedgerReader,
    folder: str,
    frames: tuple[ObjectFrame, ...],
    sequences: tuple[FrameSequence, ...] | None = None,
) -> Facts:
    """Gather the facts of one folder.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    folder : str
        Relative to the watched folder.
    frames : tuple of ObjectFrame
        The object frames of the folder to decide on.
    sequences : tuple of FrameSequence or None
        The sequences to decide on, those of the frames among them; None: those alone.

    Returns
    -------
    Facts
        With all calibration frames of the folder, and the masters in use elsewhere.
    """
    if sequences is None:
        sequences = sequences_of(ledger, frames)
    masters = ledger.masters()
    here = [one for one in masters if one.master.folder == folder]
    others = [one for one in masters if one.master.folder != folder]
    used = {
        master
        for one in sequences
        for tally in one.tallies
        if tally.chain is not None
        for master in tally.chain.masters
    }
    return Facts(
        calibration=ledger.calibration_frames(folder),
        objects=frames,
        masters=tuple(one.master for one in here),
        in_use=frozenset(one.master.id for one in here if one.in_use),
        elsewhere=tuple(one.master for one in others if one.in_use),
        pinned=tuple(one.master for one in others if not one.in_use and one.master.id in used),
        sequences=sequences,
        failures=ledger.failures(TRIES),
        bad=spread(ledger.marks(), (one.master for one in masters)),
        seen=ledger.kinds_seen(),
        busy_elsewhere=ledger.reads_elsewhere(folder),
    )


def sequences_of(ledger: LedgerReader, frames: Iterable[ObjectFrame]) -> tuple[FrameSequence, ...]:
    """Give the sequences that some frames belong to, each once.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    frames : iterable of ObjectFrame
        Of one folder.

    Returns
    -------
    tuple of FrameSequence
        In no order.
    """
    found: dict[str, list[FrameSequence]] = {}
    for one in frames:
        of_series = found.setdefault(one.frame.series, [])
        if not any(sequence.holds(one.frame) for sequence in of_series):
            sequence = ledger.sequence(one.frame.path)
            of_series += [] if sequence is None else [sequence]
    return tuple(sequence for of_series in found.values() for sequence in of_series)
