"""``tapewatch mark``: a person says that a frame or a master is bad, or good after all."""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

from tapewatch.commands.notice import tell_daemon
from tapewatch.commands.report import open_state
from tapewatch.commands.subjects import find_subject
from tapewatch.errors import TapewatchError
from tapewatch.ledger import FrameRecord, Ledger, MasterRecord
from tapewatch.model import Kind, State
from tapewatch.parfile import printable
from tapewatch.planning.marks import spread

_Subject = FrameRecord | MasterRecord


def mark(options: argparse.Namespace) -> int:
    """Mark frames or masters, and have the daemon notice.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``verdict`` (bad or good), ``files``, ``why``.

    Returns
    -------
    int
        0.

    Raises
    ------
    TapewatchError
        A file is not known, or cannot be marked; then none is.
    """
    parameters, where = open_state(options)
    with Ledger(Path(where.state)) as ledger:
        with ledger.batch():
            subjects = [find_subject(ledger, parameters, file) for file in options.files]
            for subject in subjects:
                if options.verdict == "bad":
                    _mark_bad(ledger, subject, options.why)
                else:
                    _mark_good(ledger, subject)
        for subject in subjects:
            print(f"{printable(_path(subject))}: {_outcome(ledger, subject)}")
    print(tell_daemon(parameters, where))
    return 0


def _mark_bad(ledger: Ledger, subject: _Subject, why: str) -> None:
    marked = _name(subject) in ledger.marks()
    if isinstance(subject, FrameRecord) and not marked:
        kind = Kind.OTHER if subject.frame is None else subject.frame.kind
        if kind is Kind.OTHER or subject.state is State.REJECTED:
            raise TapewatchError(
                f"{printable(subject.path)} is used by nothing as it is:"
                f" {subject.state}, {printable(subject.reason)}"
            )
    ledger.mark_bad(_name(subject), " ".join(why.split()), time.time())


def _mark_good(ledger: Ledger, subject: _Subject) -> None:
    if not ledger.mark_good(_name(subject)):
        raise TapewatchError(f"{printable(_path(subject))} is not marked bad")


def _outcome(ledger: Ledger, subject: _Subject) -> str:
    """Say what a mark means for what was made with a frame or master."""
    marks = ledger.marks()
    masters = [one.master for one in ledger.masters()]
    own = dict.fromkeys(_names(ledger, subject), "it")
    concerned = spread(own, masters).keys() - own.keys()
    products = {path for one in concerned | own.keys() for path in ledger.frames_made_with(one)}
    verdict = marks.get(_name(subject), "no longer marked bad")
    made = f"{_count(concerned, 'master')} and {_count(products, 'product')}"
    return f"{printable(verdict)}; {made} were made with it"


def _names(ledger: Ledger, subject: _Subject) -> set[str]:
    """Give all by which others name a subject as what they were made with."""
    if isinstance(subject, MasterRecord):
        return {subject.master.id}
    return {subject.path, *(one for one in [ledger.content(subject.path)] if one)}


def _name(subject: _Subject) -> str:
    return subject.path if isinstance(subject, FrameRecord) else subject.master.id


def _path(subject: _Subject) -> str:
    return subject.path if isinstance(subject, FrameRecord) else subject.master.path


def _count(things: Iterable[str], name: str) -> str:
    number = len(list(things))
    return f"{number} {name}{'' if number == 1 else 's'}"
