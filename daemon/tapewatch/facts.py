"""What planning needs to know of a folder, gathered from the ledger."""

from collections.abc import Iterable

from tapewatch.ledger import LedgerReader
from tapewatch.model import FrameSequence, ObjectFrame
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts
from tapewatch.planning.library import Library
from tapewatch.planning.marks import spread

TRIES = 3
"""Tries of one frame or master before it is given up."""

GIVEN_UP = TRIES + 1
"""What counts as the tries of a master that was given up."""


def library_of(ledger: LedgerReader, parameters: Parameters) -> Library:
    """Put the masters that the ledger tells of in order.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    parameters : Parameters
        As for `Library`.

    Returns
    -------
    Library
        It holds until the ledger gives other masters.
    """
    records = ledger.masters()
    in_use = frozenset(one.master.id for one in records if one.in_use)
    return Library((one.master for one in records), in_use, parameters)


def gather(
    ledger: LedgerReader,
    library: Library,
    folder: str,
    frames: tuple[ObjectFrame, ...],
    sequences: tuple[FrameSequence, ...] | None = None,
    *,
    thorough: bool = False,
) -> Facts:
    """Gather the facts of one folder.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    library : Library
        The masters that it tells of.
    folder : str
        Relative to the watched folder.
    frames : tuple of ObjectFrame
        The object frames of the folder to decide on.
    sequences : tuple of FrameSequence or None
        The sequences to decide on, those of the frames among them; None: those alone.
    thorough : bool
        With all masters in use elsewhere, for a person; else with those that may be chosen.

    Returns
    -------
    Facts
        With all calibration frames of the folder.
    """
    if sequences is None:
        sequences = sequences_of(ledger, frames)
    bad = spread(ledger.marks(), library.masters)
    masters, in_use = library.of(folder)
    if thorough:
        elsewhere = library.all_elsewhere(folder)
    else:
        elsewhere = library.elsewhere(folder, ledger.span(folder), bad)
    used = _used(sequences) - {one.id for one in (*masters, *elsewhere)}
    return Facts(
        calibration=ledger.calibration_frames(folder),
        objects=frames,
        masters=masters,
        in_use=in_use,
        elsewhere=elsewhere,
        pinned=tuple(library.by_id[one] for one in sorted(used & library.by_id.keys())),
        sequences=sequences,
        failures=ledger.failures(GIVEN_UP),
        bad=bad,
        seen=ledger.kinds_seen(),
        busy_elsewhere=ledger.reads_elsewhere(folder),
        predecessors=library.all_in_use,
    )


def _used(sequences: Iterable[FrameSequence]) -> set[str]:
    """Give the IDs of the masters of which products of sequences were made."""
    chains = (tally.chain for one in sequences for tally in one.tallies)
    return {master for chain in chains if chain is not None for master in chain.masters}


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
