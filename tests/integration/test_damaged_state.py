"""A state file that is damaged, lost or cannot be written: never taken for another content."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from support_ledger import EVENING, STATISTICS, a_frame, a_master, captured_log, finish, take, told
from tapewatch.errors import DamagedLedgerError, FatalError, UnwritableLedgerError
from tapewatch.ledger import Ledger, LedgerReader, quarantine, schema
from tapewatch.model import Kind
from tapewatch.service.statefile import Losses, StateFile

PAGE = 4096  # bytes, SQLite's default
HEAD = 100  # bytes of the file's header

Rows = dict[str, list[tuple[object, ...]]]


def write(path: Path, frames: int = 12) -> None:
    """Write a state file of some pages, with something in every table."""
    with Ledger(path) as ledger, ledger.batch():
        ledger.first_start(EVENING)
        for number in range(frames):
            finish(ledger, a_frame(f"n/{number}.fits", object="x" * 300), f"n/w{number}.fits")
            take(ledger, a_frame(f"n/b{number}.fits", Kind.BIAS))
        for number in range(6):
            master = a_master(f"{number:016x}", inputs=("f" * 64,) * 70)  # wider than a page
            ledger.set_master(master, STATISTICS, EVENING)
        ledger.mark_bad("n/3.fits", "clouds", EVENING)
        ledger.set_names("n", {"wbias.fits": "1" * 16})
        ledger.give_up_master("e" * 16, "no frames", 3)


def rows(path: Path) -> Rows:
    """Read all that a state file says, by SQLite alone."""
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: database.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608
            for (name,) in sorted(tables)
        }


def opened(path: Path) -> tuple[list[str], Rows]:
    """Open a state file as the service does; give the events, and all that it says then."""
    log, lines = captured_log()
    StateFile(path, log).open().close()
    return [event for event, _ in told(lines)], rows(path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "state.sqlite"
    write(path)
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    path = tmp_path_factory.mktemp("empty") / "state.sqlite"
    Ledger(path).close()
    return rows(path)


@pytest.mark.parametrize("part", ["whole", "first half", "second half"])
def test_garbage_in_any_page_is_set_aside_or_changes_nothing(
    tmp_path: Path, sound: Path, empty: Rows, part: str
) -> None:
    content, expected = sound.read_bytes(), rows(sound)
    chance = np.random.default_rng(len(part))
    pages = len(content) // PAGE
    assert pages > 20
    start, length = {"whole": (0, PAGE), "first half": (0, PAGE // 2)}.get(part, (PAGE // 2,) * 2)
    found = set()
    for page in range(pages):
        path = tmp_path / f"{page}" / "state.sqlite"
        path.parent.mkdir()
        at = page * PAGE + start
        damaged = content[:at] + chance.bytes(length) + content[at + length :]
        path.write_bytes(damaged)
        events, after = opened(path)
        if events:
            assert events == ["ledger.quarantined"], page
            (aside,) = quarantine.found(path)
            assert aside.read_bytes() == damaged, page
            assert after == empty, page
        else:
            assert after == expected, page
            assert quarantine.found(path) == []
        found.add(bool(events))
    # Where a half of a page holds nothing, nothing is damaged.
    assert True in found


def cut(size: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * size)]


@pytest.mark.parametrize(
    "damage",
    [
        *map(cut, (0.99, 0.5, 0.1, 0.001)),
        lambda content: content[: len(content) - PAGE],
        lambda content: b"\0" * HEAD + content[HEAD:],
        lambda content: content[:60] + b"\0\0\0\0" + content[64:],  # user_version
        lambda content: content[:60] + b"\x7f\0\0\3" + content[64:],
        lambda content: content[:68] + b"TAPS" + content[72:],  # application_id
        lambda content: b"\0" * len(content),
        lambda content: b"SQLite format 3\0" + b"\xa5" * (len(content) - 16),
        lambda content: b"no database, but a text\n" * (len(content) // 24),
    ],
)
def test_what_is_cut_or_overwritten_is_set_aside(
    tmp_path: Path, sound: Path, empty: Rows, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "state.sqlite"
    damaged = damage(sound.read_bytes())
    path.write_bytes(damaged)
    with suppress(FatalError), LedgerReader(path) as reader:
        reader.frames()
    assert path.read_bytes() == damaged
    assert opened(path) == (["ledger.quarantined"], empty)
    (aside,) = quarantine.found(path)
    assert aside.read_bytes() == damaged


def test_a_row_that_no_frame_can_be_made_of_is_damage(tmp_path: Path, sound: Path) -> None:
    path = Path(shutil.copy(sound, tmp_path))
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE frames SET identity = '{' WHERE path = 'n/2.fits'")
        database.commit()
    events, _ = opened(path)
    assert events == ["ledger.quarantined"]


def test_a_file_that_is_sound_is_opened_without_a_word(tmp_path: Path, sound: Path) -> None:
    path = Path(shutil.copy(sound, tmp_path))
    assert opened(path) == ([], rows(sound))


@pytest.mark.parametrize("gone", ["absent", "empty"])
def test_an_absent_or_empty_file_is_begun(tmp_path: Path, empty: Rows, gone: str) -> None:
    path = tmp_path / "state.sqlite"
    if gone == "empty":
        path.touch()
    assert opened(path) == ([], empty)


@pytest.mark.parametrize("size", [0.0, 0.3, 0.9])
def test_a_damaged_log_of_writes_takes_no_more_than_the_last_ones(
    tmp_path: Path, size: float
) -> None:
    """What a crash of the machine may leave: the file, and a part of its -wal."""
    path, crashed = tmp_path / "state.sqlite", tmp_path / "crashed" / "state.sqlite"
    crashed.parent.mkdir()
    write(path)
    before = rows(path)
    with Ledger(path) as ledger:
        take(ledger, a_frame("one.fits"))
        take(ledger, a_frame("two.fits"))
        shutil.copy(path, crashed)
        wal = path.with_name("state.sqlite-wal").read_bytes()
    known = {str(row[0]) for row in before["frames"]}
    beside = crashed.with_name("state.sqlite-wal")
    beside.write_bytes(wal[: int(len(wal) * size)] + b"\xa5" * int(len(wal) * (1 - size)))
    events, after = opened(crashed)
    paths = {str(row[0]) for row in after["frames"]}
    assert events == []
    assert paths in (known, known | {"one.fits"}, known | {"one.fits", "two.fits"})


def test_what_belongs_to_the_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"\xa5" * PAGE)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).write_text(end)
    aside = quarantine.set_aside(path, 1234.0)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "state.sqlite.corrupt-1234",
        "state.sqlite.corrupt-1234-shm",
        "state.sqlite.corrupt-1234-wal",
    ]
    assert quarantine.found(path) == [aside]


def test_of_the_files_that_were_set_aside_the_last_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    for now in range(1000, 1010):
        for end in ("", "-wal"):
            path.with_name(path.name + end).write_text(str(now))
        quarantine.set_aside(path, now)
    assert [one.read_text() for one in quarantine.found(path)] == ["1007", "1008", "1009"]
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("how", ["removed", "replaced", "folder removed"])
def test_a_file_that_is_taken_away_while_it_is_open_takes_no_more_work(
    tmp_path: Path, sound: Path, how: str
) -> None:
    path = tmp_path / "state" / "state.sqlite"
    with Ledger(path) as ledger:
        take(ledger, a_frame("x.fits"))
        if how == "removed":
            path.unlink()
        elif how == "replaced":
            shutil.copy(sound, tmp_path / "other")
            (tmp_path / "other").replace(path)
        else:
            shutil.rmtree(path.parent)
        with pytest.raises(DamagedLedgerError, match="was removed, or replaced"):
            take(ledger, a_frame("y.fits"))


def test_damage_that_comes_back_at_once_ends_the_daemon() -> None:
    losses, error = Losses(), DamagedLedgerError("malformed")
    losses.add(error)
    with pytest.raises(DamagedLedgerError):
        losses.add(error)


def test_a_folder_that_is_away_for_a_while_takes_nothing_with_it(tmp_path: Path) -> None:
    path, away = tmp_path / "state" / "state.sqlite", tmp_path / "away"
    with Ledger(path) as ledger:
        take(ledger, a_frame("x.fits"))
        path.parent.rename(away)
        take(ledger, a_frame("y.fits"))
        path.parent.mkdir()  # as where something was unmounted
        take(ledger, a_frame("z.fits"))
        path.parent.rmdir()
        away.rename(path.parent)
        take(ledger, a_frame("u.fits"))
    with LedgerReader(path) as reader:
        assert [one.path for one in reader.frames()] == ["u.fits", "x.fits", "y.fits", "z.fits"]


def test_another_opening_of_the_file_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Without these another program's end would take the -wal away into which we write."""
    path = tmp_path / "state.sqlite"
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM marks')"
    with Ledger(path) as ledger:
        Ledger(path).close()
        take(ledger, a_frame("x.fits"))
        subprocess.run([sys.executable, "-c", look, str(path)], check=True)
        assert path.with_name("state.sqlite-wal").exists()


def test_a_file_that_may_only_be_read_is_no_damaged_one(tmp_path: Path, sound: Path) -> None:
    path = Path(shutil.copy(sound, tmp_path))
    log, lines = captured_log()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with patch.object(schema, "PATIENCE", 0.01), pytest.raises(UnwritableLedgerError):
            StateFile(path, log).open()
    assert lines == []
    assert quarantine.found(path) == []


def full(ledger: Ledger) -> None:
    (pages,) = ledger._database.execute("PRAGMA page_count").fetchone()
    ledger._database.execute(f"PRAGMA max_page_count = {pages}")


def read_only(ledger: Ledger) -> None:
    ledger._database.execute("PRAGMA query_only = 1")


def take_many(ledger: Ledger) -> None:
    with ledger.batch():
        for number in range(500):
            take(ledger, a_frame(f"{number}.fits"))


@pytest.mark.parametrize("hinder", [full, read_only])
def test_what_sqlite_cannot_write_is_neither_done_nor_the_end(
    tmp_path: Path, hinder: Callable[[Ledger], None]
) -> None:
    path = tmp_path / "state.sqlite"
    with Ledger(path) as ledger:
        take(ledger, a_frame("x.fits"))
        hinder(ledger)
        with pytest.raises(UnwritableLedgerError, match="cannot be written"):
            take_many(ledger)
        with pytest.raises(UnwritableLedgerError):
            ledger.see_that_there_is_room()
    with Ledger(path) as ledger:
        assert [one.path for one in ledger.frames()] == ["x.fits"]
        ledger.see_that_there_is_room()


def test_a_file_that_cannot_be_set_aside_is_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"\xa5" * PAGE)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    log, _ = captured_log()
    with pytest.raises(FatalError, match="cannot be set aside: Permission denied"):
        StateFile(path, log).open()


def test_a_file_without_room_is_waited_for_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, lines = captured_log()
    full = UnwritableLedgerError("full")
    turns = iter([full, full, None])
    paused: list[None] = []

    def pause() -> bool:
        paused.append(None)
        return True

    def see(_: Ledger) -> None:
        if error := next(turns):
            raise error

    monkeypatch.setattr(Ledger, "see_that_there_is_room", see)
    state_file = StateFile(tmp_path / "state.sqlite", log)
    state_file.wait(full, pause)
    assert len(paused) == 3
    assert told(lines) == [("service.degraded", "error"), ("service.restored", "info")]


def test_a_wait_ends_when_the_daemon_is_to_stop(tmp_path: Path) -> None:
    log, lines = captured_log()
    StateFile(tmp_path / "state.sqlite", log).wait(UnwritableLedgerError("full"), lambda: False)
    assert told(lines) == [("service.degraded", "error")]
    assert list(tmp_path.iterdir()) == []
