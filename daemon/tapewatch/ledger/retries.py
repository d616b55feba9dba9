"""What a person wants tried again, in the state file: asked by a command, done by the daemon."""

import sqlite3
from collections.abc import Iterable

_NOTE = "retries"  # paths, each in a line: none holds a control character


def read(database: sqlite3.Connection) -> tuple[str, ...]:
    """Give the paths of the frames that were asked for and not yet looked at.

    Parameters
    ----------
    database : sqlite3.Connection
        Open.

    Returns
    -------
    tuple of str
        In the order in which they were asked for.
    """
    found = database.execute("SELECT value FROM notes WHERE key = ?", (_NOTE,)).fetchone()
    return () if found is None else tuple(found[0].splitlines())


def ask(database: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Ask for frames, and for masters that were given up, to be tried again.

    Which frames a master that was never made is of is not on record: all get their tries back.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    paths : iterable of str
        Of the frames.
    """
    asked = dict.fromkeys((*read(database), *paths))
    database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (_NOTE, "\n".join(asked)))
    database.execute("DELETE FROM failures")


def take(database: sqlite3.Connection) -> tuple[str, ...]:
    """Give what was asked for, once.

    Parameters
    ----------
    database : sqlite3.Connection
        In the transaction in which it is done.

    Returns
    -------
    tuple of str
        As `read`.
    """
    asked = read(database)
    database.execute("DELETE FROM notes WHERE key = ?", (_NOTE,))
    return asked
