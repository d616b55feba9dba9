"""``tapewatch retry``: what failed, or was set aside, is looked at anew and gets its tries back."""

import argparse
from pathlib import Path

from tapewatch.commands.notice import tell_daemon
from tapewatch.commands.report import open_state
from tapewatch.commands.subjects import find_subject
from tapewatch.errors import TapewatchError
from tapewatch.ledger import FrameRecord, Ledger, MasterRecord
from tapewatch.ledger.marks import MARKED
from tapewatch.model import Kind, State
from tapewatch.parfile import printable

_SET_ASIDE = frozenset({State.FAILED, State.STALLED, State.REJECTED})


def retry(options: argparse.Namespace) -> int:
    """Ask for frames to be tried again, and have the daemon notice.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``files``.

    Returns
    -------
    int
        0.

    Raises
    ------
    TapewatchError
        A file is not known, or nothing about it failed; then none is tried again.
    """
    parameters, where = open_state(options)
    with Ledger(Path(where.state)) as ledger:
        with ledger.batch():
            frames = [
                _see_that_it_failed(find_subject(ledger, parameters, file))
                for file in options.files
            ]
            ledger.ask_for_retry(one.path for one in frames)
        for one in frames:
            print(f"{printable(one.path)}: tried again; it was {one.state}: {_reason(one)}")
    print(tell_daemon(parameters, where))
    return 0


def _see_that_it_failed(subject: FrameRecord | MasterRecord) -> FrameRecord:
    """Refuse what there is nothing to try again of, and say what helps instead."""
    if isinstance(subject, MasterRecord):
        raise TapewatchError(f"{printable(subject.master.path)} was combined: nothing failed")
    if subject.reason.startswith(MARKED):
        raise TapewatchError(
            f"{printable(subject.path)} is {_reason(subject)}: `tapewatch mark good`"
        )
    kind = Kind.OTHER if subject.frame is None else subject.frame.kind
    of_a_set = subject.state is State.WAITING and kind is not Kind.OBJECT
    if subject.state not in _SET_ASIDE and not of_a_set:
        raise TapewatchError(f"{printable(subject.path)} is {subject.state}: nothing failed")
    return subject


def _reason(record: FrameRecord) -> str:
    return printable(record.reason) or "no reason is recorded"
