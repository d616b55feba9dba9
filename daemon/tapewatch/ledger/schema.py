"""The tables of the state file, and how it is opened.

Write-ahead log and ``synchronous=FULL``: what has been acknowledged survives a kill and a power
cut. The daemon writes, and for a moment a command that marks a frame; any number may read.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tapewatch.errors import (
    DamagedLedgerError,
    FatalError,
    ParameterError,
    UnwritableLedgerError,
)

APPLICATION_ID = 0x54415045  # "TAPE"
SCHEMA_VERSION = 4

UNFINISHED = "the worker ended before it was done"
"""Reason of a failure as long as no other is known."""

IS_NEW = "is_new"
"""Note: what was made before it has yet to be looked for."""

PATIENCE = 30.0
"""Seconds to wait for another who writes."""

_NEWEST = 999  # no tapewatch will ever get so far: such a schema was not written, but happened

_TABLES = frozenset({"frames", "masters", "notes", "failures", "marks", "products", "names"})
# What SQLite answers (sqlite.org/rescode.html): the first byte is the kind of trouble.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNWRITABLE = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
    }
)

_SCHEMA = """
CREATE TABLE frames (
    path TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    identity TEXT,          -- JSON of model.Identity, NULL where the file is gone
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    kind TEXT,              -- NULL until the header has been read
    frame TEXT,             -- JSON of model.Frame
    start REAL,             -- of the exposure, seconds since 1970
    arrived REAL NOT NULL,  -- seconds since 1970
    data_hash TEXT,         -- NULL until the pixels have been read
    header_hash TEXT,
    statistics TEXT,        -- JSON of model.Statistics, of the raw pixels
    profile TEXT,           -- JSON of model.Profile, of a calibration frame's raw pixels
    left_out INTEGER NOT NULL DEFAULT 0,  -- rejected beside its set: further frames may mend that
    tries INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0,  -- 1 where identity is NULL
    series TEXT,            -- of an object frame: model.Frame.series
    exptime REAL,           -- seconds
    temperature REAL,       -- degrees C
    opens INTEGER NOT NULL DEFAULT 0, -- 1: the first frame of its sequence
    chain TEXT              -- of its product: model.Chain, or NULL for a provisional one
);
CREATE INDEX frames_by_folder ON frames (folder, kind, state);
CREATE INDEX frames_by_name ON frames (folder, lower(name));
CREATE INDEX frames_by_time ON frames (folder, start);
CREATE INDEX frames_by_temperature ON frames (folder, temperature, start);
CREATE INDEX frames_by_kind ON frames (kind, folder);
CREATE INDEX frames_by_state ON frames (state);
CREATE INDEX frames_by_content ON frames (data_hash);
CREATE INDEX frames_unread ON frames (kind, folder) WHERE data_hash IS NULL;
CREATE INDEX frames_by_series ON frames (folder, series, start, path, exptime);
-- All that a sequence is summed up by, so that the rows themselves need not be read.
CREATE INDEX frames_alike
    ON frames (folder, series, exptime, chain, state, gone, start, temperature, path);
CREATE INDEX frames_by_opening ON frames (folder, series, start) WHERE opens = 1;
CREATE TABLE masters (
    id TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    in_use INTEGER NOT NULL,
    master TEXT NOT NULL,   -- JSON of model.Master
    statistics TEXT NOT NULL,
    built_at REAL NOT NULL
);
CREATE INDEX masters_by_folder ON masters (folder);
CREATE TABLE notes (
    key TEXT PRIMARY KEY,   -- as first_start
    value TEXT NOT NULL
);
CREATE TABLE failures (
    id TEXT PRIMARY KEY,    -- of a master that could not be built
    tries INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE marks (        -- what a person said to be bad
    subject TEXT PRIMARY KEY, -- path of a raw frame, or ID of a master
    data_hash TEXT,         -- of the frame's pixels: bad whatever their name is
    why TEXT NOT NULL,
    marked_at REAL NOT NULL
);
CREATE TABLE products (
    frame TEXT PRIMARY KEY REFERENCES frames (path),
    product TEXT NOT NULL,  -- JSON of model.Product
    path TEXT NOT NULL UNIQUE,
    made_at REAL NOT NULL
);
CREATE VIEW all_frames AS
    SELECT path, state, reason, arrived, tries, frames.frame, frames.statistics, product
    FROM frames LEFT JOIN (SELECT frame AS raw, product FROM products) ON raw = path;
CREATE VIEW object_frames AS
    SELECT path, folder, series, start, identity, state, frames.frame, data_hash, header_hash,
    product
    FROM frames LEFT JOIN (SELECT frame AS raw, product FROM products) ON raw = path
    WHERE kind = 'object';
CREATE TABLE names (
    path TEXT NOT NULL,     -- as wbias.fits, one in every folder
    folder TEXT NOT NULL,
    master TEXT NOT NULL,
    PRIMARY KEY (folder, path)
);
"""


def trouble(path: Path, done: str, error: sqlite3.Error | OSError) -> FatalError:
    """Put into words, and into a type, what SQLite found wrong with the state file.

    Parameters
    ----------
    path : Path
        The SQLite file.
    done : str
        What could not be done: opened, read, written.
    error : sqlite3.Error or OSError
        What was raised.

    Returns
    -------
    FatalError
        `DamagedLedgerError` or `UnwritableLedgerError` where it is one of these.
    """
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if kind in _DAMAGED:
        return DamagedLedgerError(f"the state file {path} is damaged: {error}")
    said = f"the state file {path} cannot be {done}: {error}"
    return UnwritableLedgerError(said) if kind in _UNWRITABLE else FatalError(said)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the state file, making it and its folder where they are absent.

    Parameters
    ----------
    path : Path
        The SQLite file.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode: transactions are begun explicitly.

    Raises
    ------
    FatalError
        Where it cannot be opened, or is not ours; as `trouble` tells them apart.
    ParameterError
        Where a newer tapewatch wrote it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
        with _closed_on_error(database):
            if _tables(database):
                _check(database, path)  # before anything in it is changed
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            if not _tables(database):
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                create(database)
                database.execute("INSERT INTO notes VALUES (?, 'yes')", (IS_NEW,))
            database.execute("COMMIT")
            _check(database, path)
    except (sqlite3.Error, OSError) as error:
        raise trouble(path, "opened", error) from error
    return database


def create(database: sqlite3.Connection) -> None:
    """Create the tables, in a transaction that the caller has begun.

    Parameters
    ----------
    database : sqlite3.Connection
        In which there are none of these names.
    """
    for statement in _SCHEMA.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def version_of(path: Path) -> int:
    """Give the schema of a state file.

    Parameters
    ----------
    path : Path
        The SQLite file.

    Returns
    -------
    int
        0 where there is none, or it is empty, or is not ours.
    """
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)) as database:
            if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                return 0
            return int(database.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return 0


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the state file to look only, also as a user who may not write there.

    After a clean stop the write-ahead log is gone, and a reader who may not make one has to say
    that nobody writes (``immutable``).

    Parameters
    ----------
    path : Path
        The SQLite file.

    Returns
    -------
    sqlite3.Connection
        Read-only.

    Raises
    ------
    FatalError
        Where it cannot be opened, or is not ours.
    ParameterError
        Where a newer tapewatch wrote it.
    """
    uri = path.absolute().as_uri()
    try:
        try:
            return _open_checked(f"{uri}?mode=ro", path)
        except sqlite3.OperationalError:
            return _open_checked(f"{uri}?mode=ro&immutable=1", path)
    except sqlite3.Error as error:
        raise trouble(path, "opened", error) from error


def _open_checked(uri: str, path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    with _closed_on_error(database):
        _check(database, path)
    return database


@contextmanager
def _closed_on_error(database: sqlite3.Connection) -> Iterator[None]:
    """Close the file where what is done with it in the body fails."""
    try:
        yield
    except BaseException:
        database.close()
        raise


def _tables(database: sqlite3.Connection) -> frozenset[str]:
    """Name the tables in the file; this is where one that is no database is found out."""
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return frozenset(name for (name,) in found)


def _check(database: sqlite3.Connection, path: Path) -> None:
    """See that a file is a state file, and of this schema."""
    tables = _tables(database)
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if not tables:
        said = "is empty: tapewatch is making it, or ended as it did"
        raise FatalError(f"the state file {path} {said}")
    if application != APPLICATION_ID and not tables >= _TABLES:
        raise FatalError(f"{path} is not a state file of tapewatch")
    if application != APPLICATION_ID or not 0 < version <= _NEWEST:
        said = f"application_id is {application:#x}, user_version {version}"
        raise DamagedLedgerError(f"the state file {path} is damaged: {said}")
    if version > SCHEMA_VERSION:
        raise ParameterError(
            f"the state file {path} has schema {version}, written by a newer tapewatch;"
            f" this one knows schema {SCHEMA_VERSION}"
        )
    if version < SCHEMA_VERSION:
        raise FatalError(
            f"the state file {path} has schema {version}, written by an older tapewatch:"
            " start `tapewatch run` or `once`, which brings it up to date"
        )
    if missing := sorted(_TABLES - tables):
        said = f"there is no table {missing[0]}"
        raise DamagedLedgerError(f"the state file {path} is damaged: {said}")
