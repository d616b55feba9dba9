"""Sequences in the state file: which frames belong together, found by index.

The first frame of each sequence is marked (column ``opens``). One more frame changes the marks of
itself and of the next at most, so that it costs little, however many there are.
"""

import sqlite3
from collections.abc import Iterator

from tapewatch.ledger import rows
from tapewatch.model import LONGEST_GAP, Chain, Frame, FrameSequence, Kind, State, Tally

_OPENS = """
    UPDATE frames SET opens = coalesce(start - (
        SELECT before.start + before.exptime FROM frames AS before
        WHERE before.folder = frames.folder AND before.series = frames.series
        AND (before.start, before.path) < (frames.start, frames.path)
        ORDER BY before.start DESC, before.path DESC LIMIT 1
    ) > ?, 1)
"""
_OPENS_FROM_HERE = f"""
    {_OPENS} WHERE path IN (
        SELECT path FROM frames WHERE folder = ? AND series = ? AND (start, path) >= (?, ?)
        ORDER BY start, path LIMIT 2
    )
"""  # noqa: S608
# Of a raw file that was renamed or copied the one that is there counts.
_GONE = """
    (gone = 1 AND NOT EXISTS (
        SELECT 1 FROM frames AS own JOIN frames AS other USING (data_hash)
        WHERE own.path = frames.path AND other.folder = frames.folder AND other.gone = 0
        AND other.series = frames.series
    )) OR state IN ('failed', 'stalled', 'rejected')
"""
# What a person marked bad is no concern of its fellows.
_MARKED = """
    state = 'rejected' AND EXISTS (
        SELECT 1 FROM frames AS own WHERE own.path = frames.path AND own.left_out
    )
"""
_TALLIES = f"""
    SELECT exptime, chain, state, {_GONE} AS lost, count(*), min(temperature), max(temperature)
    FROM frames WHERE folder = ? AND series = ? AND start >= ? AND start < ?
    AND (gone = 0 OR chain IS NOT NULL) AND NOT ({_MARKED}) GROUP BY exptime, chain, state, lost
"""  # noqa: S608


def describe(database: sqlite3.Connection, path: str, frame: Frame) -> None:
    """Enter what a header tells of the sequence that a frame belongs to.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    path : str
        Of the frame.
    frame : Frame
        Its header; none but object frames belong to a sequence.
    """
    series = frame.series if frame.kind is Kind.OBJECT else None
    database.execute(
        "UPDATE frames SET series = ?, start = ?, exptime = ?, temperature = ? WHERE path = ?",
        (series, frame.start, frame.exptime, frame.temperature, path),
    )


def place(database: sqlite3.Connection, path: str) -> tuple[str, str, float, str] | None:
    """Give where a frame stands: folder, series, start, path; None where it is in no sequence."""
    found = database.execute(
        "SELECT folder, series, start, path FROM frames"
        " WHERE path = ? AND series IS NOT NULL AND start IS NOT NULL",
        (path,),
    )
    return found.fetchone()  # type: ignore[no-any-return]


def mark_openings(
    database: sqlite3.Connection, *places: tuple[str, str, float, str] | None
) -> None:
    """Find anew where sequences begin, at and after some places.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    *places : tuple or None
        Where a frame has come, or was before, as `place` gives it.
    """
    for one in set(places) - {None}:
        database.execute(_OPENS_FROM_HERE, (LONGEST_GAP, *(one or ())))


def find_openings(database: sqlite3.Connection) -> None:
    """Find anew where all sequences begin."""
    database.execute(f"{_OPENS} WHERE series IS NOT NULL", (LONGEST_GAP,))


def set_chain(database: sqlite3.Connection, path: str, chain: Chain | None) -> None:
    """Enter how the product of a frame was made; None where it has none, or a provisional one."""
    text = None
    if chain is not None:
        text = f"{chain.bias} {chain.dark} {chain.flat} {chain.parameters}"
    database.execute("UPDATE frames SET chain = ? WHERE path = ?", (text, path))


def of_frame(database: sqlite3.Connection, path: str) -> FrameSequence | None:
    """Give the sequence that a frame belongs to; None where it is no object frame."""
    at = place(database, path)
    if at is None:
        return None
    folder, series, start, _ = at
    opening = "SELECT {} FROM frames WHERE folder = ? AND series = ? AND opens = 1 AND start {} ?"
    (first,) = database.execute(opening.format("max(start)", "<="), at[:3]).fetchone()
    (after,) = database.execute(opening.format("min(start)", ">"), at[:3]).fetchone()
    return _read(database, folder, series, start if first is None else first, after)


def of_folder(database: sqlite3.Connection, folder: str) -> Iterator[FrameSequence]:
    """Give all sequences of a folder."""
    found = database.execute(
        "SELECT series, start, lead(start) OVER (PARTITION BY series ORDER BY start)"
        " FROM frames WHERE folder = ? AND opens = 1 AND series IS NOT NULL",
        (folder,),
    )
    for series, first, after in found.fetchall():
        yield _read(database, folder, series, first, after)


def _read(
    database: sqlite3.Connection, folder: str, series: str, first: float, after: float | None
) -> FrameSequence:
    """Read a sequence from its first frame's start to that of the next one's."""
    until = float("inf") if after is None else after
    tallies = tuple(
        Tally(
            exptime,
            None if chain is None else Chain(*chain.split(" ")),
            State(state),
            bool(lost),
            frames,
            coldest,
            warmest,
        )
        for exptime, chain, state, lost, frames, coldest, warmest in database.execute(
            _TALLIES, (folder, series, first, until)
        )
    )
    (text,) = database.execute(
        "SELECT frame FROM frames WHERE folder = ? AND series = ?"
        " AND start >= ? AND start < ? ORDER BY start DESC, path DESC LIMIT 1",
        (folder, series, first, until),
    ).fetchone()
    example = rows.read_frame(text)
    ended = example.start + example.exptime
    return FrameSequence(folder, series, first, example.start, ended, example, tallies)
