"""State files of older versions: brought up to date."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tapewatch.errors import DamagedLedgerError
from tapewatch.ledger import rows, schema, sequences
from tapewatch.model import Chain

_TABLES = ("products", "frames", "masters", "notes", "failures", "names", "marks")


def bring_up_to_date(path: Path) -> str:
    """Give a state file of an older schema the tables of this one.

    What both have in common is carried over, what is new is worked out of it: in one transaction,
    so that a file for which that cannot be done stays as it is.

    Parameters
    ----------
    path : Path
        The state file, which no daemon has open.

    Returns
    -------
    str
        What was done, for the log; empty where there was nothing to do.

    Raises
    ------
    DamagedLedgerError
        It cannot be done: frames have to be read and products made again.
    FatalError
        The file cannot be written.
    """
    version = schema.version_of(path)
    if not 0 < version < schema.SCHEMA_VERSION:
        return ""
    said = f"the state file {path} of schema {version} cannot be brought up to date"
    try:
        with closing(
            sqlite3.connect(path, isolation_level=None, timeout=schema.PATIENCE)
        ) as database:
            database.execute("BEGIN EXCLUSIVE")
            _convert(database)
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise schema.trouble(path, "brought up to date", error) from error
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        raise DamagedLedgerError(f"{said}: {error}") from error
    return f"the state file was brought from schema {version} to {schema.SCHEMA_VERSION}"


def _convert(database: sqlite3.Connection) -> None:
    """Move the rows into new tables, and read each, lest one of them fails later."""
    found = database.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL")
    old = {name: kind for kind, name in found.fetchall()}
    for name, kind in old.items():
        if kind != "table":
            database.execute(f"DROP {kind} {name}")
    moved = [table for table in _TABLES if table in old]
    for table in moved:
        database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    schema.create(database)
    for table in moved:
        shared = _columns(database, f"old_{table}") & _columns(database, table)
        names = ", ".join(sorted(shared))
        database.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM old_{table}")  # noqa: S608
        database.execute(f"DROP TABLE old_{table}")
    _derive(database)


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}


def _derive(database: sqlite3.Connection) -> None:
    """Work out what the rows imply of the columns that may be new."""
    found = database.execute("SELECT path, frame FROM frames WHERE frame IS NOT NULL").fetchall()
    for path, text in found:
        sequences.describe(database, path, rows.read_frame(text))
    for frame, text in database.execute("SELECT frame, product FROM products").fetchall():
        product = rows.read_product(text)
        if product is not None and not product.recipe.provisional:
            sequences.set_chain(database, frame, Chain.of(product.recipe))
    for (text,) in database.execute("SELECT master FROM masters").fetchall():
        rows.read_master(text)
    # Up to schema 3 a master was given up at its third try, which a kill may have ended as well.
    database.execute(
        "UPDATE failures SET tries = 4 WHERE tries = 3 AND reason <> ?", (schema.UNFINISHED,)
    )
    database.execute("UPDATE frames SET gone = identity IS NULL")
    sequences.find_openings(database)
