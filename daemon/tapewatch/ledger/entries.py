"""What the state file holds of one frame, written within a transaction of the caller's."""

import sqlite3

from tapewatch.ledger import sequences
from tapewatch.ledger.rows import to_json
from tapewatch.model import Chain, Content, Frame, Identity, Product, State


def touch(
    database: sqlite3.Connection,
    path: str,
    identity: Identity | None,
    state: State,
    reason: str,
    arrived: float,
) -> bool:
    """Insert a frame, or update its identity, state and reason; tell whether anything changed."""
    text = None if identity is None else to_json(identity)
    folder, _, name = path.rpartition("/")
    cursor = database.execute(
        "INSERT INTO frames (path, folder, name, identity, state, reason, arrived, gone)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?4 IS NULL) ON CONFLICT (path) DO UPDATE"
        " SET identity = ?4, state = ?5, reason = ?6, arrived = ?7, gone = ?4 IS NULL, left_out = 0"
        " WHERE identity IS NOT ?4 OR state <> ?5 OR reason <> ?6",
        (path, folder, name, text, state, reason, arrived),
    )
    return bool(cursor.rowcount)


def set_frame(
    database: sqlite3.Connection,
    frame: Frame,
    header_hash: str,
    before: tuple[str, str, float, str] | None = None,
) -> None:
    """Record what a header says, and the place in its sequence; pixels count as unknown."""
    database.execute(
        "UPDATE frames SET kind = ?, frame = ?, header_hash = ?,"
        " data_hash = NULL, profile = NULL, tries = 0 WHERE path = ?",
        (frame.kind, to_json(frame), header_hash, frame.path),
    )
    sequences.describe(database, frame.path, frame)
    sequences.mark_openings(database, before, sequences.place(database, frame.path))


def set_product(database: sqlite3.Connection, path: str, product: Product, made_at: float) -> None:
    """Record a product that is on disk."""
    database.execute(
        "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?)",
        (path, to_json(product), product.path, made_at),
    )
    recipe = product.recipe
    chain = None if recipe.provisional else Chain.of(recipe)
    sequences.set_chain(database, path, chain)


def set_outlived(database: sqlite3.Connection, path: str, product: Product) -> None:
    """Record that a frame is done although its file is gone, where it is: its product is whole."""
    reason = f"calibrated: {product.path}; its own file is gone"
    database.execute(
        "UPDATE frames SET data_hash = ?, state = ?, reason = ? WHERE path = ? AND gone",
        (product.data_hash, State.DONE, reason, path),
    )


def set_content(database: sqlite3.Connection, path: str, content: Content) -> None:
    """Record a frame's content, unless its file has changed since it was read."""
    statistics = None if content.statistics is None else to_json(content.statistics)
    profile = None if content.profile is None else to_json(content.profile)
    database.execute(
        "UPDATE frames SET data_hash = ?, header_hash = ?, statistics = ?, profile = ?, tries = 0"
        " WHERE path = ? AND identity = ?",
        (
            *(content.data_hash, content.header_hash, statistics, profile),
            *(path, to_json(content.identity)),
        ),
    )
