"""What a night leaves, to be compared with what another way to it leaves: all but the times."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

# What tells when, or which file it was, and not what it is.
_OF_THE_TIME = {
    "frames": {"identity", "arrived", "tries"},
    "masters": {"built_at"},
    "products": {"made_at"},
    "marks": {"marked_at"},
}
_MAKING = re.compile(rb"(DATE-PRC|CHECKSUM)=[^/]*")
_CARD = 80

Rows = dict[str, list[dict[str, object]]]


def ledger_of(state: Path) -> Rows:
    """Read all that a state file says of frames, masters and products, by SQLite alone."""
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        found = {}
        for table in ("frames", "masters", "products", "marks", "names"):
            rows = database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
            left_out = _OF_THE_TIME.get(table, set())
            found[table] = [
                {key: row[key] for key in row.keys() if key not in left_out}  # noqa: SIM118
                for row in rows
            ]
        return found


def files_of(output: Path) -> dict[str, bytes]:
    """Read all masters, products and lists below a folder, less the cards that tell when."""
    found = {}
    for path in sorted(output.rglob("w*.*")):
        if path.parent.name == ".tapewatch":
            continue
        content = path.read_bytes()
        if path.suffix != ".list":
            content = _MAKING.sub(b"", content)
        found[path.relative_to(output).as_posix()] = content
    for path in output.rglob("others.list"):
        found[path.relative_to(output).as_posix()] = path.read_bytes()
    return found
