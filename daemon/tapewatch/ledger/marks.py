"""What a person has marked bad, in the state file: written by a command, read by the daemon."""

import sqlite3
from typing import Final

from tapewatch.model import State

MARKED: Final = "marked bad"
"""What the reason of a frame that is marked begins with."""


def read(database: sqlite3.Connection) -> dict[str, str]:
    """Give all marks.

    Parameters
    ----------
    database : sqlite3.Connection
        Open.

    Returns
    -------
    dict of str to str
        Path of a raw frame, hash of its pixels where it is known, or ID of a master -> reason.
    """
    found = database.execute(
        "SELECT subject, marks.data_hash, frames.data_hash, why FROM marks"
        " LEFT JOIN frames ON path = subject"
    )
    return {
        name: f"{MARKED}: {why}" if why else MARKED
        for subject, *contents, why in found
        for name in (subject, *contents)
        if name is not None
    }


def put(database: sqlite3.Connection, subject: str, why: str, now: float) -> None:
    """Mark a raw frame or a master; a frame is set aside at once.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    subject : str
        Path of the frame, or ID of the master.
    why : str
        What the person said; may be empty.
    now : float
        Seconds since 1970.
    """
    database.execute(
        "INSERT OR REPLACE INTO marks VALUES"
        " (?1, (SELECT data_hash FROM frames WHERE path = ?1), ?2, ?3)",
        (subject, why, now),
    )
    database.execute(
        "UPDATE frames SET state = ?, reason = ?, left_out = 1"
        " WHERE path = ? AND identity IS NOT NULL",
        (State.REJECTED, read(database)[subject], subject),
    )


def remove(database: sqlite3.Connection, subject: str) -> bool:
    """Take a mark back; frames that were set aside for it are to be decided on again.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    subject : str
        As for `put`.

    Returns
    -------
    bool
        Whether there was a mark.
    """
    found = database.execute(
        "DELETE FROM marks WHERE subject = ? RETURNING data_hash", (subject,)
    ).fetchall()
    for (content,) in found:
        database.execute(
            "UPDATE frames SET state = ?, reason = '', left_out = 0"
            " WHERE (path = ? OR data_hash = ?) AND state = ? AND reason LIKE ?",
            (State.SEEN, subject, content, State.REJECTED, f"{MARKED}%"),
        )
    return bool(found)
