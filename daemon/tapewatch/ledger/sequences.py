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
# Grouped by an index as it stands: sums of 10,000 rows take 3 ms.
_TALLIES = """
    SELECT exptime, chain, state, gone, count(*), min(temperature), max(temperature)
    FROM frames INDEXED BY frames_alike WHERE folder = ? AND series = ? AND start >= ? AND start < ?
    AND (gone = 0 OR chain IS NOT NULL) GROUP BY exptime, chain, state, gone
"""
_PATHS = """
    SELECT path FROM frames INDEXED BY frames_alike WHERE folder = ?1 AND series = ?2
    AND exptime = ?5 AND chain IS ?6 AND state = ?7 AND gone = ?8 AND start >= ?3 AND start < ?4
"""
# Of a raw file that was renamed or copied the one that is there counts.
_NOT_UNDER_ANOTHER_NAME = f"""
    SELECT count(*) FROM frames AS own WHERE path IN ({_PATHS}) AND NOT EXISTS (
        SELECT 1 FROM frames AS other INDEXED BY frames_by_content
        WHERE other.data_hash = own.data_hash AND other.gone = 0
        AND other.folder = own.folder AND other.series = own.series
    )
"""  # noqa: S608
# What a person marked bad is no concern of its fellows.
_NOT_MARKED = f"SELECT count(*) FROM frames WHERE path IN ({_PATHS}) AND NOT left_out"  # noqa: S608
_GIVEN_UP = (State.FAILED, State.STALLED, State.REJECTED)


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
    place = folder, series, first, until
    tallies = tuple(_tallies(database, place))
    (text,) = database.execute(
        "SELECT frame FROM frames WHERE folder = ? AND series = ?"
        " AND start >= ? AND start < ? ORDER BY start DESC, path DESC LIMIT 1",
        (folder, series, first, until),
    ).fetchone()
    example = rows.read_frame(text)
    ended = example.start + example.exptime
    return FrameSequence(folder, series, first, example.start, ended, example, tallies)


def _tallies(database: sqlite3.Connection, place: tuple[str, str, float, float]) -> Iterator[Tally]:
    """Sum up frames of a series that began in some time."""
    for exptime, chain, state, gone, frames, *temperatures in database.execute(
        _TALLIES, place
    ).fetchall():
        alike = (*place, exptime, chain, state, gone)
        made = None if chain is None else Chain(*chain.split(" "))
        lost = bool(gone) or state in _GIVEN_UP
        count = frames
        if gone:
            (count,) = database.execute(_NOT_UNDER_ANOTHER_NAME, alike).fetchone()
        elif state == State.REJECTED:
            (count,) = database.execute(_NOT_MARKED, alike).fetchone()
        if gone and count < frames:
            yield Tally(exptime, None, State(state), gone=False, frames=frames - count)
        if count:
            yield Tally(exptime, made, State(state), lost, count, *temperatures)
