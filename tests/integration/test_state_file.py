"""The state file as a file: its marks, what is refused, who may read it, and what a kill leaves."""

import os
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support_ledger import a_frame, take
from tapewatch.errors import DamagedLedgerError, FatalError, ParameterError
from tapewatch.ledger import Ledger, LedgerReader

TAPE = int.from_bytes(b"TAPE", "big")
NOBODY = 65534
OPEN = (Ledger, LedgerReader)

# Writes rows as fast as it can and says so of each, after it was acknowledged.
WRITER = """
import sys
from pathlib import Path
from tapewatch.ledger import Ledger
from tapewatch.model import Identity, State
with Ledger(Path(sys.argv[1])) as ledger:
    number = int(sys.argv[2])
    while True:
        path = f"{number}.fits"
        ledger.set_state(path, State.REJECTED, "x" * 100, Identity(1, number, 1, 1, 1), 1.0)
        print(path, flush=True)
        number += 1
"""


def make(path: Path) -> Path:
    """Make a state file that holds one frame, and stop cleanly."""
    with Ledger(path) as ledger:
        take(ledger, a_frame("x.fits"))
    return path


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Be a user who may write nothing in the block: root may, whatever the permissions say."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """Make a folder that any user can reach: pytest's own are for the one user alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def forbid_writing(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def test_the_file_carries_its_marks(tmp_path: Path) -> None:
    header = make(tmp_path / "state.sqlite").read_bytes()[:100]
    # Offsets by the file format's description (sqlite.org/fileformat2.html, section 1.3).
    assert header[18:20] == b"\2\2"  # write-ahead log
    assert struct.unpack(">i", header[60:64]) == (4,)  # user_version: the schema
    assert struct.unpack(">i", header[68:72]) == (TAPE,)  # application_id


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        assert ledger._database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    assert make(tmp_path / "a" / "b" / "state.sqlite").is_file()


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE frames (path TEXT)")
        database.commit()


def text(path: Path) -> None:
    path.write_text("no database, but a text that is long enough to look at\n" * 100)


def newer(path: Path) -> None:
    make(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 5")


@pytest.mark.parametrize("opened", OPEN)
@pytest.mark.parametrize(
    ("write", "error", "exit_code", "word"),
    [
        (foreign_database, FatalError, 1, "not a state file of tapewatch"),
        (text, DamagedLedgerError, 1, "is damaged"),
        (newer, ParameterError, 78, "newer tapewatch"),
    ],
)
def test_a_file_that_is_not_ours_to_read_is_refused_and_left_as_it_is(
    tmp_path: Path,
    opened: type[LedgerReader],
    write: Callable[[Path], None],
    error: type[FatalError],
    exit_code: int,
    word: str,
) -> None:
    path = tmp_path / "state.sqlite"
    write(path)
    before = path.read_bytes()
    with pytest.raises(FatalError, match=word) as raised:
        opened(path)
    assert type(raised.value) is error
    assert raised.value.exit_code == exit_code
    assert str(path) in str(raised.value)
    assert path.read_bytes() == before


def begun(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")  # what is done before its tables are made


@pytest.mark.parametrize("write", [Path.touch, begun])
def test_an_empty_file_is_none_to_read_and_one_to_begin(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    path = tmp_path / "state.sqlite"
    write(path)
    before = path.read_bytes()
    with pytest.raises(FatalError, match="is empty: tapewatch is making it, or ended as it did"):
        LedgerReader(path)
    assert path.read_bytes() == before
    make(path)
    with LedgerReader(path) as reader:
        assert len(reader.frames()) == 1


def test_an_absent_file_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="cannot be opened"):
        LedgerReader(tmp_path / "state.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_fatal(public: Path) -> None:
    forbid_writing(public)
    with as_somebody_else(), pytest.raises(FatalError, match="cannot be opened"):
        Ledger(public / "state.sqlite")


def test_a_reader_sees_what_is_committed_while_the_writer_works(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Ledger(path) as ledger, LedgerReader(path) as reader:
        take(ledger, a_frame("a.fits"))
        assert len(reader.frames()) == 1
        with ledger.batch():
            take(ledger, a_frame("b.fits"))
            assert len(reader.frames()) == 1
        assert len(reader.frames()) == 2


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    with LedgerReader(make(tmp_path / "state.sqlite")) as reader:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._database.execute("DELETE FROM frames")
        assert len(reader.frames()) == 1


def test_a_user_who_may_not_write_reads_while_the_writer_works(public: Path) -> None:
    path = public / "state.sqlite"
    with Ledger(path) as ledger:
        take(ledger, a_frame("x.fits"))
        assert path.with_name("state.sqlite-wal").exists()
        forbid_writing(public)
        with as_somebody_else(), LedgerReader(path) as reader:
            assert len(reader.frames()) == 1


def test_a_user_who_may_not_write_reads_after_a_clean_stop(public: Path) -> None:
    path = make(public / "state.sqlite")
    assert list(public.iterdir()) == [path]
    forbid_writing(public)
    with as_somebody_else(), LedgerReader(path) as reader:
        assert len(reader.frames()) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert list(public.iterdir()) == [path]


def test_all_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    acknowledged: list[str] = []
    for start in (0, 10_000, 20_000):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(start)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        with writer.stdout:
            acknowledged += [writer.stdout.readline().strip() for _ in range(40)]
            writer.kill()
            acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
        assert writer.wait(20) == -signal.SIGKILL
    with Ledger(path) as ledger:
        assert ledger._database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {record.path for record in ledger.frames()}
    assert len(acknowledged) >= 120
    assert set(acknowledged) <= kept
    # A row can be committed without its acknowledgement having been seen: one each time.
    assert len(kept) <= len(acknowledged) + 3
