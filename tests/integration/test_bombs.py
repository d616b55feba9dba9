"""Compressed files that would unpack to far more than they are, and those that take long."""

import bz2
import errno
import gzip
import re
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from pebble import ProcessExpired

from support_frames import CARDS, SHAPE, write_raw
from support_intake import Camera
from support_ledger import captured_log, parameters
from tapewatch.errors import (
    IncompleteFileError,
    OutputError,
    RejectedError,
    RetriableError,
    StillPackedError,
)
from tapewatch.fitsfile import spool
from tapewatch.fitsfile.files import reader, regular_file
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.fitsfile.layout import read_layout
from tapewatch.fitsfile.packing import MARK, packing_of
from tapewatch.fitsfile.read import open_frame
from tapewatch.ledger import Ledger
from tapewatch.service.inspector import Inspector
from tapewatch.service.intake import Intake
from tapewatch.workers import UNPACKING_PATIENCE

Pack = Callable[[bytes], bytes]

PACKERS: dict[str, Pack] = {".gz": gzip.compress, ".bz2": bz2.compress}
GIGABYTES = 2**31
SMALL = 2**23  # bytes of memory


@pytest.fixture(params=PACKERS)
def suffix(request: pytest.FixtureRequest) -> str:
    """Give each way of compressing a whole file."""
    return str(request.param)


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """Have temporary files made in a folder of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    with patch.object(tempfile, "tempdir", str(folder)):
        yield folder


@contextmanager
def in_little_memory() -> Iterator[None]:
    """See that what is done in the body takes little memory."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < SMALL


def mosaic(path: Path, images: int = 2) -> Path:
    """Write a file whose images are in extensions, after a table."""
    primary = fits.PrimaryHDU(header=fits.Header(CARDS))
    table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=np.arange(7))])
    extensions = [
        fits.ImageHDU(np.full(SHAPE, 1000 + number, np.uint16)) for number in range(images)
    ]
    fits.HDUList([primary, table, *extensions]).writeto(path)
    return path


def packed(path: Path, suffix: str) -> Path:
    """Compress a file as a whole."""
    target = path.with_name(path.name + suffix)
    target.write_bytes(PACKERS[suffix](path.read_bytes()))
    return target


def bomb(path: Path, image_at: int) -> Path:
    """Write a file that unpacks to two gigabytes of zeros, all of which its headers call an image.

    Parameters
    ----------
    path : Path
        Its suffix says how it is compressed.
    image_at : int
        The HDU that is so large: 0, or the one after a small image in an extension.
    """
    cards = {"BITPIX": 16, "NAXIS": 2, "NAXIS1": 2**15, "NAXIS2": 2**15}
    head = fits.Header([("SIMPLE", True), *cards.items(), *CARDS.items()]).tostring().encode()
    if image_at:
        small = fits.ImageHDU(np.zeros(SHAPE, np.int16))
        large = fits.Header([("XTENSION", "IMAGE"), *cards.items(), ("PCOUNT", 0), ("GCOUNT", 1)])
        first = path.with_name("first.fits")
        fits.HDUList([fits.PrimaryHDU(header=fits.Header(CARDS)), small]).writeto(first)
        head = first.read_bytes() + large.tostring().encode()
        first.unlink()
    pack = PACKERS[path.suffix]
    zeros = pack(bytes(2**25))  # a file may be several that follow each other
    path.write_bytes(pack(head) + zeros * (GIGABYTES // 2**25) + pack(bytes(2880)))
    return path


@pytest.mark.parametrize("image_at", [0, 2])
def test_a_bomb_is_refused_by_its_headers(
    tmp_path: Path, temporary: Path, suffix: str, image_at: int
) -> None:
    path = bomb(tmp_path / f"bomb.fits{suffix}", image_at)
    unpacked = 0
    read = spool._read

    def counted(stream: spool._Stream, size: int) -> bytes:
        nonlocal unpacked
        data = read(stream, size)
        unpacked += len(data)
        return data

    with patch.object(spool, "_read", counted), in_little_memory():
        with pytest.raises(RejectedError, match=r"2,14\d,\d*,\d* bytes when unpacked, more than"):
            inspect(path)
        with pytest.raises(RejectedError, match="when unpacked, more than"), open_frame(path):
            pass
    assert unpacked < 2**20
    assert not list(temporary.iterdir())


def test_a_tiled_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fits.fz"
    image = fits.CompImageHDU(np.zeros(SHAPE, np.int16), fits.Header(CARDS))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    data = path.read_bytes()
    for card in (b"ZNAXIS1 =", b"ZNAXIS2 ="):
        place = data.index(card)
        data = data[:place] + (card + b" 32768").ljust(80) + data[place + 80 :]
    path.write_bytes(data)
    assert inspect(path).shape == (2**15, 2**15)
    too_many = pytest.raises(RejectedError, match="2,147,483,648 bytes when unpacked")
    with in_little_memory(), too_many, open_frame(path):
        pass


def test_a_daemon_unpacks_no_pixels_itself(tmp_path: Path, temporary: Path, suffix: str) -> None:
    path = packed(mosaic(tmp_path / "mosaic.fits"), suffix)
    temporary.rmdir()
    with pytest.raises(StillPackedError):
        inspect(path, unpack=False)
    assert len(inspect(path).shapes) == 2
    assert inspect(packed(write_raw(tmp_path / "x.fits"), suffix), unpack=False).shape == SHAPE


def test_an_image_far_behind_other_data_is_found(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "table.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=np.arange(10**5))])
    primary = fits.PrimaryHDU(header=fits.Header(CARDS))
    fits.HDUList([primary, table, fits.ImageHDU(np.zeros(SHAPE, np.int16))]).writeto(path)
    whole = packed(path, suffix)
    assert inspect(whole).shapes == inspect(path).shapes == (SHAPE,)
    with pytest.raises(StillPackedError):
        inspect(whole, unpack=False)


@given(sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=5), cut=st.integers(0, 3000))
def test_the_layout_of_a_packed_file_is_that_of_the_plain_one(sizes: list[int], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.fits"
        images = [fits.ImageHDU(np.zeros(size, np.uint8)) for size in sizes]
        fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
        plain = path.read_bytes()
        whole = read_layout(lambda offset, size: plain[offset : offset + size], len(plain))
        path.write_bytes(gzip.compress(plain, 1))
        with regular_file(path) as (descriptor, _):
            assert spool.packed_layout(descriptor, "gzip") == whole
        if not sizes[-1]:
            return
        path.write_bytes(gzip.compress(plain[: len(plain) - 1 - cut], 1))
        with regular_file(path) as (descriptor, _), pytest.raises(IncompleteFileError):
            spool.packed_layout(descriptor, "gzip")


def test_what_is_unpacked_has_no_name_that_a_kill_could_leave(
    tmp_path: Path, temporary: Path, suffix: str
) -> None:
    path = packed(write_raw(tmp_path / "x.fits"), suffix)
    with regular_file(path) as (descriptor, _):
        kind = packing_of(reader(descriptor)(0, MARK))
        with spool.unpacked(descriptor, kind) as unpacked:
            assert reader(unpacked)(0, 6) == b"SIMPLE"
            assert not list(temporary.iterdir())


def test_where_there_is_no_room_to_unpack_the_frame_is_to_be_tried_again(
    tmp_path: Path, temporary: Path
) -> None:
    path = packed(write_raw(tmp_path / "x.fits"), ".gz")
    full = OSError(errno.ENOSPC, "No space left on device")
    reason = f"it cannot be unpacked in {temporary} (TMPDIR): No space left on device"
    with (
        patch.object(spool, "write_all", side_effect=full),
        pytest.raises(RetriableError, match=re.escape(reason)) as raised,
        open_frame(path),
    ):
        pass
    assert not isinstance(raised.value, OutputError)  # which would hold the others' work
    temporary.rmdir()
    with pytest.raises(RetriableError, match="cannot be unpacked"), open_frame(path):
        pass


class _Elsewhere:
    """Another process that unpacks when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Path, Future[Inspection]]] = []
        self.woken = 0

    def unpack(self, path: Path) -> Future[Inspection]:
        future: Future[Inspection] = Future()
        self.asked.append((path, future))
        return future

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def elsewhere() -> _Elsewhere:
    return _Elsewhere()


@pytest.fixture
def intake(tmp_path: Path, elsewhere: _Elsewhere) -> Iterator[Intake]:
    """Give an intake that watches a folder."""
    folder = tmp_path / "night"
    folder.mkdir()
    inspector = Inspector(elsewhere.unpack, elsewhere.wake)
    with Ledger(tmp_path / "state") as ledger:
        read = parameters(folder, SETTLE=0, STALL=1000, RESCAN=0.2)
        yield Intake(read, ledger, captured_log()[0], inspector, local=True, patient=True)


@pytest.fixture
def big(intake: Intake, tmp_path: Path) -> Path:
    """Give a file of the watched folder that has to be unpacked."""
    del intake
    path = packed(mosaic(tmp_path / "big.fits", images=1), ".gz")
    return path.rename(tmp_path / "night" / "big.fits.gz")


def state(intake: Intake, path: str) -> tuple[str, str]:
    """Give state and reason of a frame."""
    (record,) = intake._ledger.frames(path)
    return str(record.state), record.reason


def test_others_are_taken_while_a_file_is_unpacked(
    intake: Intake, elsewhere: _Elsewhere, big: Path
) -> None:
    write_raw(big.with_name("other.fits"))
    assert intake.reconcile() == {"other.fits"}
    assert state(intake, "big.fits.gz")[0] == "settling"
    assert intake.unsettled == 1
    assert intake.look_at_due() == intake.reconcile() == set()
    ((path, future),) = elsewhere.asked
    assert path == big
    future.set_result(inspect(big))
    assert elsewhere.woken == 1
    assert intake.look_at_due() == {"big.fits.gz"}
    assert state(intake, "big.fits.gz")[0] == "seen"
    assert intake.unsettled == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProcessExpired("ended", code=-9), "its worker process died (exit code -9)"),  # type: ignore[no-untyped-call]
        (BrokenProcessPool(), "its worker process died"),
        (MemoryError(), "MemoryError: it asks for more than a frame of its size may take"),
        (TimeoutError(), "it took too long and was ended"),
    ],
)
def test_what_kills_who_unpacks_it_is_rejected_after_three_tries(
    intake: Intake, elsewhere: _Elsewhere, big: Path, error: Exception, said: str
) -> None:
    intake.reconcile()
    for number in range(3):
        assert len(elsewhere.asked) == number + 1
        elsewhere.asked[-1][1].set_exception(error)
        intake.look_at_due()
    assert state(intake, big.name) == ("rejected", f"cannot be unpacked: {said} (3 tries)")
    assert len(elsewhere.asked) == 3
    assert intake.reconcile() == set()
    big.write_bytes(big.read_bytes() + b"\0")
    intake.reconcile()
    assert state(intake, big.name)[0] == "settling"
    elsewhere.asked[-1][1].set_exception(RejectedError("damaged"))
    intake.look_at_due()
    assert state(intake, big.name) == ("rejected", "damaged")


def test_unpacking_that_hangs_is_ended(intake: Intake, elsewhere: _Elsewhere, big: Path) -> None:
    with patch("time.monotonic", return_value=1000.0):
        intake.reconcile()
        future = elsewhere.asked[-1][1]
        intake.look_at_due()
        assert future.set_running_or_notify_cancel()
        intake.look_at_due()
    with (
        patch("time.monotonic", return_value=1000.0 + UNPACKING_PATIENCE),
        patch.object(future, "cancel") as cancel,
    ):
        intake.look_at_due()
    cancel.assert_called_once()
    future.set_exception(TimeoutError())
    intake.look_at_due()
    assert len(elsewhere.asked) == 2
    assert state(intake, big.name) == ("settling", "being unpacked, for the 2. time")


def test_a_file_that_changes_or_goes_is_unpacked_anew_or_no_more(
    intake: Intake, elsewhere: _Elsewhere, big: Path
) -> None:
    intake.reconcile()
    big.write_bytes(big.read_bytes() + b"\0")
    intake.reconcile()
    (_, first), (_, second) = elsewhere.asked
    assert first.cancelled()
    assert not second.done()
    big.unlink()
    intake.hint(big, vouched=False)
    assert second.cancelled()
    assert intake.look_at_due() == set()


def test_once_takes_a_file_that_has_to_be_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    with Ledger(tmp_path / "state") as ledger:
        camera = Camera(folder, ledger)
        packed(mosaic(tmp_path / "big.fits", images=1), ".gz").rename(folder / "big.fits.gz")
        camera.start(patient=False).reconcile()
        assert camera.states() == {"big.fits.gz": "seen"}
