"""What is known: the questions that the daemon and the commands ask the state file."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from tapewatch.ledger import marks, rows, schema, sequences
from tapewatch.ledger.rows import FrameRecord, MasterRecord
from tapewatch.model import (
    CalibrationFrame,
    FrameSequence,
    Identity,
    Kind,
    ObjectFrame,
    Span,
    State,
)

# Frames in these states take no part in planning until their file changes.
_SET_ASIDE = (State.REJECTED, State.FAILED, State.VANISHED, State.STALLED, State.SETTLING)
_CALIBRATION = (Kind.BIAS, Kind.DARK, Kind.FLAT, Kind.FLATDARK)


class LedgerReader:
    """The state file, open to look only.

    Parameters
    ----------
    path : Path
        The SQLite file. Paths in it are relative to WATCHDIR (raw frames) or to the output folder
        (masters, products), so that the folder can be moved.

    Raises
    ------
    FatalError
        Where it cannot be opened, or is not ours.
    ParameterError
        Where a newer tapewatch wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        return schema.open_for_reading(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Close the file; what SQLite found wrong with it in the body is put into words."""
        self.close()
        if isinstance(error, sqlite3.Error):
            raise schema.trouble(self.path, "read", error) from error

    def close(self) -> None:
        """Close the file; what was acknowledged is on disk already."""
        self._database.close()

    def read_all(self) -> None:
        """Read every row as what it stands for, for the errors that this may raise."""
        for rows_of in (self.each_identity(), self.each_frame()):
            for _ in rows_of:
                pass
        self.masters()
        self.marks()
        for (profile,) in self._database.execute("SELECT profile FROM frames"):
            rows.read_profile(profile)

    def each_identity(self, *, but: Iterable[State] = ()) -> Iterator[tuple[str, Identity | None]]:
        """Give path and identity of every frame whose file is there, folder by folder.

        Those in some states have None, and are given though their files are gone, but for frames
        left out of their sets. To be read to the end before anything is written.
        """
        found = self._database.execute(
            "SELECT path, iif(hidden, NULL, identity) FROM (SELECT path, folder, identity,"
            " state IN (SELECT value FROM json_each(?)) AND NOT left_out AS hidden FROM frames)"
            " WHERE hidden OR identity IS NOT NULL ORDER BY folder",
            (json.dumps(list(but)),),
        )
        return ((path, rows.read_identity(text) if text else None) for path, text in found)

    def identities(self, paths: Iterable[str]) -> dict[str, Identity]:
        """Give the identities of some frames, where their files are there."""
        found = self._database.execute(
            "SELECT path, identity FROM frames WHERE identity IS NOT NULL"
            " AND path IN (SELECT value FROM json_each(?))",
            (json.dumps(list(paths)),),
        )
        return {path: rows.read_identity(text) for path, text in found}

    def products(self) -> dict[str, str]:
        """Give the path of every frame's product, relative to the output folder."""
        return dict(self.each_product())

    def each_product(self) -> Iterator[tuple[str, str]]:
        """Give paths of frame and product one by one, to the end before anything is written."""
        return self._database.execute("SELECT frame, path FROM products")

    def which_are_products(self, paths: Iterable[str]) -> set[str]:
        """Give those of some paths, relative to the output folder, under which a product lies."""
        found = self._database.execute(
            "SELECT path FROM products WHERE path IN (SELECT value FROM json_each(?))",
            (json.dumps(list(paths)),),
        )
        return {path for (path,) in found}

    def calibration_frames(self, folder: str) -> tuple[CalibrationFrame, ...]:
        """Give the usable calibration frames of a folder, those left out of their sets included."""
        found = self._database.execute(
            "SELECT frame, data_hash, arrived, profile FROM frames WHERE folder = ?"
            " AND identity IS NOT NULL AND kind IN (SELECT value FROM json_each(?))"
            " AND (left_out OR state NOT IN (SELECT value FROM json_each(?)))",
            (folder, json.dumps(_CALIBRATION), json.dumps(_SET_ASIDE)),
        )
        return tuple(
            CalibrationFrame(rows.read_frame(text), data_hash, arrived, rows.read_profile(profile))
            for text, data_hash, arrived, profile in found
        )

    def reads_elsewhere(self, folder: str) -> bool:
        """Tell whether calibration frames of other folders have yet to be read."""
        found = self._database.execute(
            "SELECT EXISTS (SELECT 1 FROM frames WHERE data_hash IS NULL AND identity IS NOT NULL"
            " AND kind IN (SELECT value FROM json_each(?)) AND folder <> ?"
            " AND state NOT IN (SELECT value FROM json_each(?)))",
            (json.dumps(_CALIBRATION), folder, json.dumps(_SET_ASIDE)),
        )
        return bool(found.fetchone()[0])

    def object_frames(self, folder: str, *, finished: bool = False) -> tuple[ObjectFrame, ...]:
        """Give the object frames of a folder that wait for work; with `finished`, done ones too."""
        aside = _SET_ASIDE if finished else (*_SET_ASIDE, State.DONE)
        found = self._database.execute(
            "SELECT frame, data_hash, header_hash, product FROM object_frames"
            " WHERE folder = ? AND identity IS NOT NULL"
            " AND state NOT IN (SELECT value FROM json_each(?))",
            (folder, json.dumps(aside)),
        )
        return tuple(rows.read_object_frame(*row) for row in found)

    def object_frame(self, path: str) -> ObjectFrame | None:
        """Give one object frame; None where it is none, or is set aside, or gone."""
        found = self._database.execute(
            "SELECT frame, data_hash, header_hash, product FROM object_frames WHERE path = ?"
            " AND identity IS NOT NULL AND state NOT IN (SELECT value FROM json_each(?))",
            (path, json.dumps(_SET_ASIDE)),
        ).fetchone()
        return None if found is None else rows.read_object_frame(*found)

    def unmade(self, path: str) -> tuple[Identity, str] | None:
        """Give identity and hash of the header of an object frame that is there without product."""
        found = self._database.execute(
            "SELECT identity, header_hash FROM frames WHERE path = ? AND kind = ?"
            " AND identity IS NOT NULL AND path NOT IN (SELECT frame FROM products)"
            " AND state NOT IN (SELECT value FROM json_each(?))",
            (path, Kind.OBJECT, json.dumps(_SET_ASIDE)),
        ).fetchone()
        return None if found is None else (rows.read_identity(found[0]), found[1])

    def sequence(self, path: str) -> FrameSequence | None:
        """Give the sequence of an object frame; None where it is none."""
        return sequences.of_frame(self._database, path)

    def sequences(self, folder: str) -> tuple[FrameSequence, ...]:
        """Give the sequences of a folder's object frames."""
        return tuple(sequences.of_folder(self._database, folder))

    def members(
        self, sequence: FrameSequence, states: Iterable[State] = tuple(State)
    ) -> tuple[ObjectFrame, ...]:
        """Give the object frames of a sequence that are there, usable and in some states."""
        found = self._database.execute(
            "SELECT frame, data_hash, header_hash, product FROM object_frames"
            " WHERE folder = ? AND series = ? AND start BETWEEN ? AND ?"
            " AND identity IS NOT NULL AND state IN (SELECT value FROM json_each(?))",
            (
                sequence.folder,
                sequence.series,
                sequence.first,
                sequence.last,
                json.dumps([one for one in states if one not in _SET_ASIDE]),
            ),
        )
        return tuple(rows.read_object_frame(*row) for row in found)

    def finished_objects(self, folder: str) -> tuple[str, ...]:
        """Give the names of a folder's products less their ``w``, in order of exposure.

        Provisional ones are none of these.
        Of products with the same pixels, as of a frame that was renamed or copied, one is given:
        that of a raw frame that is there. Those of frames that are marked bad are left out.
        """
        found = self._database.execute(
            "SELECT products.path, data_hash FROM frames"
            " JOIN products ON products.frame = frames.path"
            " WHERE folder = ? AND kind = ? AND chain IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM marks WHERE subject = frames.path"
            " OR marks.data_hash = frames.data_hash)"
            " ORDER BY start, identity IS NULL, name",
            (folder, Kind.OBJECT),
        )
        first_of = {data_hash or path: path for path, data_hash in reversed(found.fetchall())}
        return tuple(
            path.rpartition("/")[2].removeprefix("w") for path in reversed(first_of.values())
        )

    def others(self, folder: str) -> tuple[str, ...]:
        """Give the names of a folder's rejected files, in order of name."""
        found = self._database.execute(
            "SELECT name FROM frames WHERE folder = ? AND state = ? ORDER BY name",
            (folder, State.REJECTED),
        )
        return tuple(name for (name,) in found)

    def frames_named(self, folder: str, names: Sequence[str]) -> list[tuple[str, State]]:
        """Give path and state of a folder's frames of these names, which are in lower case."""
        found = self._database.execute(
            "SELECT path, state FROM frames WHERE folder = ?"
            " AND lower(name) IN (SELECT value FROM json_each(?)) ORDER BY path",
            (folder, json.dumps(names)),
        )
        return [(path, State(state)) for path, state in found]

    def folders(self, *kinds: Kind) -> set[str]:
        """Give every folder that holds a frame, or a frame of one of some kinds."""
        if not kinds:
            found = self._database.execute("SELECT DISTINCT folder FROM frames")
        else:
            found = self._database.execute(
                "SELECT DISTINCT folder FROM frames WHERE kind IN (SELECT value FROM json_each(?))",
                (json.dumps(kinds),),
            )
        return {folder for (folder,) in found}

    def span(self, folder: str) -> Span | None:
        """Give what times and temperatures the frames in a folder span; None without any."""
        found = self._database.execute(
            "SELECT (SELECT min(start) FROM frames WHERE folder = ?1),"
            " (SELECT max(start) FROM frames WHERE folder = ?1),"
            " (SELECT min(temperature) FROM frames WHERE folder = ?1),"
            " (SELECT max(temperature) FROM frames WHERE folder = ?1),"
            " NOT EXISTS (SELECT 1 FROM frames"
            " WHERE folder = ?1 AND temperature IS NULL AND start IS NOT NULL)",
            (folder,),
        )
        first, last, coldest, warmest, all_tell = found.fetchone()
        return None if first is None else Span(first, last, coldest, warmest, bool(all_tell))

    def kinds_seen(self) -> frozenset[Kind]:
        """Give the kinds of which a frame was ever seen, whatever became of it."""
        found = self._database.execute(
            "SELECT value FROM json_each(?)"
            " WHERE EXISTS (SELECT 1 FROM frames WHERE kind = json_each.value)",
            (json.dumps(list(Kind)),),
        )
        return frozenset(Kind(kind) for (kind,) in found)

    def masters(self) -> tuple[MasterRecord, ...]:
        """Give every master on disk, in order of kind and time."""
        found = self._database.execute("SELECT master, in_use, statistics, built_at FROM masters")
        records = [
            MasterRecord(rows.read_master(text), bool(in_use), rows.read_statistics(numbers), time)
            for text, in_use, numbers, time in found
        ]
        order = list(Kind)
        return tuple(
            sorted(
                records,
                key=lambda one: (order.index(one.master.kind), one.master.start, one.master.id),
            )
        )

    def failures(self, tries: int) -> dict[str, str]:
        """Give the masters given up after so many tries: ID -> reason."""
        found = self._database.execute("SELECT id, reason FROM failures WHERE tries >= ?", (tries,))
        return dict(found.fetchall())

    def marks(self) -> dict[str, str]:
        """Give what a person marked bad: path, hash of pixels, or master's ID -> reason."""
        return marks.read(self._database)

    def all_marks(self) -> list[tuple[str, str | None, str, float]]:
        """Give the marks as they are held: path or ID, hash of pixels, why, and when."""
        return self._database.execute("SELECT * FROM marks ORDER BY subject").fetchall()

    def frames_made_with(self, master_id: str) -> tuple[str, ...]:
        """Give the paths of the object frames whose product was made with a master."""
        found = self._database.execute(
            "SELECT frame FROM products WHERE instr(product, ?) ORDER BY frame",
            (f'"{master_id}"',),
        )
        return tuple(path for (path,) in found)

    def products_by_master(self) -> dict[str, int]:
        """Count the products that were made with each master: ID -> number."""
        found = self._database.execute(
            "SELECT used.value, count(*) FROM products,"
            " json_each(json_array(product ->> '$.recipe.bias', product ->> '$.recipe.dark',"
            " product ->> '$.recipe.flat')) AS used WHERE used.value != '' GROUP BY used.value"
        )
        return dict(found.fetchall())

    def content(self, path: str) -> str:
        """Give the hash of a frame's pixels; empty where they have not been read."""
        found = self._database.execute("SELECT data_hash FROM frames WHERE path = ?", (path,))
        return "".join(content or "" for (content,) in found)

    def paths_with(self, data_hash: str) -> tuple[str, ...]:
        """Give the paths of all frames with these pixels."""
        found = self._database.execute("SELECT path FROM frames WHERE data_hash = ?", (data_hash,))
        return tuple(path for (path,) in found)

    def names(self, folder: str) -> dict[str, str]:
        """Give the plain names of masters in a folder: path -> master ID."""
        found = self._database.execute("SELECT path, master FROM names WHERE folder = ?", (folder,))
        return dict(found.fetchall())

    def frames(
        self, path: str | None = None, *, statistics: bool = True
    ) -> tuple[FrameRecord, ...]:
        """Give all frames, or the one of a path, in order of path; sooner without statistics."""
        if path is None:
            return tuple(self.each_frame(statistics=statistics))
        found = self._database.execute("SELECT * FROM all_frames WHERE path = ?", (path,))
        return tuple(rows.read_record(*row) for row in found)

    def each_frame(self, *, statistics: bool = True) -> Iterator[FrameRecord]:
        """Give all frames one by one, as `frames`, to the end before anything is written."""
        found = self._database.execute(
            "SELECT path, state, reason, arrived, tries, frame, iif(?, statistics, NULL),"
            " product FROM all_frames ORDER BY path",
            (statistics,),
        )
        return (rows.read_record(*row) for row in found)

    def note(self, key: str) -> str:
        """Give what the daemon noted about itself; empty where it did not."""
        found = self._database.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return "" if found is None else str(found[0])

    def counts(self) -> dict[str, int]:
        """Give the number of frames in each state."""
        return dict(
            self._database.execute("SELECT state, count(*) FROM frames GROUP BY state").fetchall()
        )
