"""What planning needs to know of a folder, gathered from the ledger."""

from tapewatch.ledger import LedgerReader
from tapewatch.model import ObjectFrame
from tapewatch.planning.decisions import Facts
from tapewatch.planning.marks import spread

TRIES = 3
"""Tries of one frame or master before it is given up."""


def gather(ledger: LedgerReader, folder: str, frames: tuple[ObjectFrame, ...]) -> Facts:
    """Gather the facts of one folder.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    folder : str
        Relative to the watched folder.
    frames : tuple of ObjectFrame
        The object frames of the folder to decide on.

    Returns
    -------
    Facts
        With all calibration frames of the folder, and the masters in use elsewhere.
    """
    masters = ledger.masters()
    here = [one for one in masters if one.master.folder == folder]
    return Facts(
        calibration=ledger.calibration_frames(folder),
        objects=frames,
        masters=tuple(one.master for one in here),
        in_use=frozenset(one.master.id for one in here if one.in_use),
        elsewhere=tuple(
            one.master for one in masters if one.in_use and one.master.folder != folder
        ),
        failures=ledger.failures(TRIES),
        bad=spread(ledger.marks(), (one.master for one in masters)),
        seen=ledger.kinds_seen(),
    )
