"""What happens: every change of the state file, each in one transaction."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from tapewatch.errors import DamagedLedgerError, UnwritableLedgerError
from tapewatch.ledger import entries, marks, migration, retries, schema, sequences
from tapewatch.ledger.place import Place
from tapewatch.ledger.reading import LedgerReader
from tapewatch.ledger.rows import MasterRecord, to_json
from tapewatch.model import (
    Content,
    Frame,
    Identity,
    Master,
    Product,
    Report,
    State,
    Statistics,
)

_ROOM = 1 << 16  # bytes: more than one turn of the loop writes


class Ledger(LedgerReader):
    """The state file, open to read and write; made where it is absent.

    Parameters
    ----------
    path : Path
        The SQLite file.

    Attributes
    ----------
    migrated : str
        What became of a file that an older version wrote, for the log; empty where it was none.
    """

    migrated = ""
    _masters: tuple[MasterRecord, ...] | None = None

    def _open(self) -> sqlite3.Connection:
        self.migrated = migration.bring_up_to_date(self.path)
        database = schema.open_for_writing(self.path)
        self._place = Place(self.path)
        return database

    def close(self) -> None:
        """Close the file; what was acknowledged is on disk already."""
        super().close()
        self._place.close()

    def check(self) -> None:
        """See that the file holds what was written: every page, index and row of it.

        Raises
        ------
        DamagedLedgerError
            It does not.
        UnwritableLedgerError
            It cannot be read for now.
        """
        try:
            (said,) = self._database.execute("PRAGMA integrity_check(1)").fetchone()
            if said != "ok":
                raise DamagedLedgerError(f"the state file {self.path} is damaged: {said}")
            self.read_all()
        except sqlite3.Error as error:
            found = schema.trouble(self.path, "read", error)
            if isinstance(found, UnwritableLedgerError):
                raise found from error
            raise self._unreadable(error) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DamagedLedgerError:
        said = f"a row cannot be read ({type(error).__name__}: {error})"
        return DamagedLedgerError(f"the state file {self.path} is damaged: {said}")

    def see_that_there_is_room(self) -> None:
        """Write something, and take it back.

        Raises
        ------
        UnwritableLedgerError
            The disk is still full, or read-only.
        """
        self.set_note("room", "x" * _ROOM)
        self.set_note("room", "")

    def masters(self) -> tuple[MasterRecord, ...]:
        """Give every master on disk, in order of kind and time: the same ones until they change."""
        if self._masters is None:
            self._masters = super().masters()
        return self._masters

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes within one transaction: one wait for the disk instead of many."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._database.in_transaction:
            yield self._database
            return
        if self._place.is_lost:
            raise DamagedLedgerError(f"the state file {self.path} was removed, or replaced")
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._masters = None
                self._database.rollback()
                raise
            self._database.commit()
        except sqlite3.Error as error:
            self._masters = None
            raise schema.trouble(self.path, "written", error) from error

    @contextmanager
    def _changing_masters(self) -> Iterator[sqlite3.Connection]:
        with self._transaction() as database:
            self._masters = None
            yield database

    def first_start(self, now: float) -> float:
        """Give when this ledger was first used, seconds since 1970; the first call records it."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO notes VALUES ('first_start', ?)", (repr(now),))
            return float(
                database.execute("SELECT value FROM notes WHERE key = 'first_start'").fetchone()[0]
            )

    def set_note(self, key: str, value: str) -> None:
        """Note something about the daemon itself, for ``status``."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    def set_state(
        self, path: str, state: State, reason: str, identity: Identity | None, arrived: float
    ) -> bool:
        """Record a frame of which the header says nothing; tell whether that changed anything."""
        with self._transaction() as database:
            return entries.touch(database, path, identity, state, reason, arrived)

    def set_frame(self, frame: Frame, identity: Identity, header_hash: str, arrived: float) -> None:
        """Record a frame whose header has been read; its pixels count as unknown."""
        with self._transaction() as database:
            before = sequences.place(database, frame.path)
            entries.touch(database, frame.path, identity, State.SEEN, "", arrived)
            entries.set_frame(database, frame, header_hash, before)

    def date_back(self, now: float) -> set[str]:
        """Let no frame have arrived later than now, where the clock was set back; give those."""
        with self._transaction() as database:
            found = database.execute(
                "UPDATE frames SET arrived = ?1 WHERE arrived > ?1 RETURNING path", (now,)
            ).fetchall()
        return {path for (path,) in found}

    def drop(self, path: str) -> None:
        """Forget a file that is no frame but a product of our own."""
        with self._transaction() as database:
            before = sequences.place(database, path)
            database.execute("DELETE FROM frames WHERE path = ?", (path,))
            sequences.mark_openings(database, before)

    def set_verdicts(
        self, verdicts: Iterable[tuple[str, State, str]], *, planned: bool = False
    ) -> list[str]:
        """Record states and reasons; give the paths for which that changed anything.

        What a plan rejects it has left out of its set, and will decide on again.
        """
        changed = []
        with self._transaction() as database:
            for path, state, reason in verdicts:
                left_out = planned and state is State.REJECTED
                cursor = database.execute(
                    "UPDATE frames SET state = ?1, reason = ?2, left_out = ?4 WHERE path = ?3"
                    " AND (state <> ?1 OR reason <> ?2 OR left_out <> ?4)",
                    (state, reason, path, left_out),
                )
                if cursor.rowcount:
                    changed.append(path)
        return changed

    def begin(self, path: str) -> int:
        """Count a try before the work begins; give how many it has been."""
        with self._transaction() as database:
            row = database.execute(
                "UPDATE frames SET tries = tries + 1 WHERE path = ? RETURNING tries", (path,)
            ).fetchone()
        return int(row[0])

    def take_back(self, path: str) -> None:
        """Take a try back that failed for no fault of the frame."""
        with self._transaction() as database:
            database.execute("UPDATE frames SET tries = max(tries - 1, 0) WHERE path = ?", (path,))

    def set_content(self, path: str, report: Report) -> None:
        """Record what the pixels of a frame are."""
        if report.content is not None:
            with self._transaction() as database:
                entries.set_content(database, path, report.content)

    def set_product(self, path: str, report: Report) -> float:
        """Record that a frame's product is on disk; give when the frame arrived."""
        with self._transaction() as database:
            if report.content is not None and report.product is not None:
                entries.set_content(database, path, report.content)
                entries.set_product(database, path, report.product, report.ended)
                if not report.product.recipe.provisional:
                    entries.set_outlived(database, path, report.product)
            row = database.execute("SELECT arrived FROM frames WHERE path = ?", (path,)).fetchone()
            return report.ended if row is None else float(row[0])

    @property
    def is_new(self) -> bool:
        """Whether this file was begun and does not tell yet what was made before it."""
        return bool(self.note(schema.IS_NEW))

    def tells_all(self) -> None:
        """Record that what was made before this file was begun is in it now."""
        self.set_note(schema.IS_NEW, "")

    def bring_back(self, path: str, content: Content, product: Product, made_at: float) -> None:
        """Record a product that was found on disk, of a frame that is there."""
        with self._transaction() as database:
            entries.set_content(database, path, content)
            entries.set_product(database, path, product, made_at)

    def bring_back_alone(self, frame: Frame, product: Product, made_at: float) -> None:
        """Record a product that was found on disk, and the frame of which nothing else is left."""
        with self._transaction() as database:
            entries.touch(database, frame.path, None, State.SEEN, "", made_at)
            entries.set_frame(database, frame, product.header_hash)
            entries.set_outlived(database, frame.path, product)
            entries.set_product(database, frame.path, product, made_at)

    def set_master(self, master: Master, statistics: Statistics, now: float) -> None:
        """Record that a master is on disk."""
        with self._changing_masters() as database:
            database.execute(
                "INSERT OR REPLACE INTO masters VALUES (?, ?, 0, ?, ?, ?)",
                (
                    master.id,
                    master.folder,
                    to_json(replace(master, built=True)),
                    to_json(statistics),
                    now,
                ),
            )
            database.execute("DELETE FROM failures WHERE id = ?", (master.id,))

    def set_in_use(self, folder: str, ids: Iterable[str]) -> bool:
        """Record which masters of a folder are in use; tell whether that changed."""
        wanted = set(ids)
        found = self._database.execute(
            "SELECT id FROM masters WHERE folder = ? AND in_use = 1", (folder,)
        )
        if {master for (master,) in found} == wanted:
            return False
        with self._changing_masters() as database:
            database.execute("UPDATE masters SET in_use = 0 WHERE folder = ?", (folder,))
            database.executemany(
                "UPDATE masters SET in_use = 1 WHERE id = ?", [(master,) for master in wanted]
            )
        return True

    def begin_master(self, master_id: str) -> int:
        """Count a try before a master is built; give how many it has been."""
        with self._transaction() as database:
            row = database.execute(
                "INSERT INTO failures VALUES (?1, 1, ?2)"
                " ON CONFLICT (id) DO UPDATE SET tries = tries + 1 RETURNING tries",
                (master_id, schema.UNFINISHED),
            ).fetchone()
        return int(row[0])

    def take_back_master(self, master_id: str) -> None:
        """Take a try back that failed for no fault of the set."""
        with self._transaction() as database:
            database.execute(
                "UPDATE failures SET tries = max(tries - 1, 0) WHERE id = ?", (master_id,)
            )

    def give_up_master(self, master_id: str, reason: str, tries: int) -> None:
        """Record why a master cannot be built from these frames."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", (master_id, tries, reason)
            )

    def forget_product(self, path: str) -> None:
        """Forget the product of a frame, for its file is gone, so that it is made again."""
        with self._transaction() as database:
            database.execute("DELETE FROM products WHERE frame = ?", (path,))
            sequences.set_chain(database, path, None)

    def forget_master(self, master_id: str) -> None:
        """Forget a master whose file is gone, so that it is built again."""
        with self._changing_masters() as database:
            database.execute("DELETE FROM masters WHERE id = ?", (master_id,))

    def mark_bad(self, subject: str, why: str, now: float) -> None:
        """Record that a person calls a raw frame (its path) or a master (its ID) bad."""
        with self._transaction() as database:
            marks.put(database, subject, why, now)

    def bring_back_mark(
        self, subject: str, data_hash: str | None, why: str, marked_at: float
    ) -> None:
        """Record a mark of which a lost state file told."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO marks VALUES (?, ?, ?, ?)",
                (subject, data_hash, why, marked_at),
            )

    def mark_good(self, subject: str) -> bool:
        """Take such a mark back; tell whether there was one."""
        with self._transaction() as database:
            return marks.remove(database, subject)

    def ask_for_retry(self, paths: Iterable[str]) -> None:
        """Record that a person wants frames, and what is made of them, to be tried again."""
        with self._transaction() as database:
            retries.ask(database, paths)

    def take_retries(self) -> tuple[str, ...]:
        """Give the frames of which that is wanted, once."""
        if not retries.read(self._database):
            return ()
        with self._transaction() as database:
            return retries.take(database)

    def set_names(self, folder: str, names: Mapping[str, str]) -> None:
        """Record which plain file of a folder holds which master."""
        with self._transaction() as database:
            database.execute("DELETE FROM names WHERE folder = ?", (folder,))
            database.executemany(
                "INSERT INTO names VALUES (?, ?, ?)",
                [(path, folder, master) for path, master in names.items()],
            )
