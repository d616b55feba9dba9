"""What the intake does where a file, or the folder itself, is not what it seemed to be."""

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.io import fits

from support import eventually
from support_frames import write_raw
from support_intake import AGES, Camera
from support_ledger import told
from tapewatch.arrival.scan import RootUnreadableError
from tapewatch.ledger import Ledger
from tapewatch.model import State


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Camera]:
    folder = tmp_path / "night"
    folder.mkdir()
    with Ledger(tmp_path / "state.sqlite") as ledger:
        yield Camera(folder, ledger)


def write_cut_gzip(path: Path) -> bytes:
    """Write a frame whose pixels are cut short within a gzip file; give the whole of it."""
    plain = write_raw(path.with_suffix(""), shape=(500, 600))
    whole = gzip.compress(plain.read_bytes())
    plain.unlink()
    path.write_bytes(whole[: len(whole) // 2])
    return whole


def test_what_a_worker_finds_cut_short_stalls_and_is_not_taken_for_whole_again(
    camera: Camera,
) -> None:
    path = camera.folder / "x.fits.gz"
    whole = write_cut_gzip(path)
    intake = camera.start(STALL=3)
    assert intake.reconcile() == {"x.fits.gz"}  # its headers are whole: only reading will tell
    assert intake.suspect("x.fits.gz", "1,000 of 5,760 bytes when unpacked") == {"x.fits.gz"}
    assert camera.frame("x.fits.gz").state is State.SETTLING
    assert intake.reconcile() == set()
    eventually(lambda: intake.look_at_due() or camera.frame("x.fits.gz").state is State.STALLED)
    assert camera.frame("x.fits.gz").state is State.STALLED
    assert "1,000 of 5,760 bytes" in camera.frame("x.fits.gz").reason
    assert told(camera.lines) == [("frame.stalled", "warning")]
    assert intake.reconcile() == set()
    assert (intake.unsettled, intake.next_look()) == (0, None)
    path.write_bytes(whole)
    assert intake.reconcile() == {"x.fits.gz"}
    assert camera.frame("x.fits.gz").state is State.SEEN


def test_a_suspect_of_which_nothing_is_said_is_only_looked_at_again(camera: Camera) -> None:
    write_raw(camera.folder / "x.fits")
    intake = camera.start()
    intake.reconcile()
    assert intake.suspect("x.fits", "") == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN
    assert camera.lines == []


def test_a_suspect_that_is_gone_has_vanished(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    intake = camera.start()
    intake.reconcile()
    path.unlink()
    assert intake.suspect("x.fits", "No such file") == {"x.fits"}
    assert camera.frame("x.fits").state is State.VANISHED


@pytest.mark.parametrize(
    ("first", "second"), [("x.fits", "x.fits.gz"), ("x.fits.gz", "x.fits"), ("x.fits", "x.fits.fz")]
)
def test_of_two_frames_with_one_product_name_the_later_is_set_aside(
    camera: Camera, first: str, second: str
) -> None:
    intake = camera.start()
    write_raw(camera.folder / "n" / first)
    assert intake.reconcile() == {f"n/{first}"}
    write_raw(camera.folder / "n" / second)
    assert intake.reconcile() == {f"n/{second}"}
    record = camera.frame(f"n/{second}")
    assert record.state is State.REJECTED
    assert record.reason == f"its product would be n/wx.fits, as that of n/{first}"
    assert camera.frame(f"n/{first}").state is State.SEEN


def test_calibration_frames_are_nobodys_rivals(camera: Camera) -> None:
    write_raw(camera.folder / "x.fits", IMAGETYP="object")
    write_raw(camera.folder / "x.fits.gz", IMAGETYP="bias")
    write_raw(camera.folder / "x.fits.bz2", IMAGETYP="bias")
    camera.start().reconcile()
    assert set(camera.states().values()) == {"seen"}


def test_a_frame_with_the_name_of_a_vanished_one_is_taken(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    write_raw(camera.folder / "stays.fits")
    intake = camera.start()
    intake.reconcile()
    path.unlink()
    intake.reconcile()
    write_raw(camera.folder / "x.fits.gz")
    assert intake.reconcile() == {"x.fits.gz"}
    assert camera.frame("x.fits.gz").state is State.SEEN


def test_of_a_folder_that_is_gone_nothing_is_taken_for_gone(camera: Camera) -> None:
    write_raw(camera.folder / "x.fits")
    write_raw(camera.folder / "M13" / "y.fits")
    intake = camera.start()
    intake.reconcile()
    moved = camera.folder.with_name("moved")
    camera.folder.rename(moved)
    with pytest.raises(RootUnreadableError):
        intake.reconcile()
    for path in ("x.fits", "M13/y.fits"):
        assert intake.hint(camera.folder / path, vouched=False) == set()
        intake.suspect(path, "No such file or directory")
    assert set(camera.states().values()) == {"seen"}
    moved.rename(camera.folder)
    intake.reconcile()
    assert set(camera.states().values()) == {"seen"}


def test_a_hint_at_a_folder_looks_at_all_in_it(camera: Camera) -> None:
    intake = camera.start()
    write_raw(camera.folder / "M13" / "a" / "x.fits")
    write_raw(camera.folder / "M13" / "y.fits")
    write_raw(camera.folder / "z.fits")
    changed = intake.hint(camera.folder / "M13", vouched=False)
    assert changed == {"M13/a/x.fits", "M13/y.fits"}
    assert intake.hint(camera.folder / "M13", vouched=False) == set()


def test_a_hint_at_a_folder_that_is_not_watched_looks_at_nothing(camera: Camera) -> None:
    write_raw(camera.folder / "masters" / "x.fits")
    intake = camera.start()
    assert intake.hint(camera.folder / "masters", vouched=False) == set()
    assert intake.hint(camera.folder / "masters" / "x.fits", vouched=True) == set()
    assert camera.states() == {}


def test_a_file_that_cannot_be_looked_at_is_told_of_and_looked_at_later(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raw(camera.folder / "x.fits")
    intake = camera.start(RESCAN=AGES)

    def refuse(*_: object) -> None:
        raise RootUnreadableError("the folder cannot be listed")

    with monkeypatch.context() as patched:
        patched.setattr("tapewatch.service.intake.examine", refuse)
        assert intake.look("x.fits", vouched=True) == set()
    assert told(camera.lines) == [("watch.problem", "warning")]
    assert intake.unsettled == 1
    assert intake.look("x.fits", vouched=True) == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN


def test_an_image_behind_the_frame_does_not_count(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.ImageHDU(hdus[0].data))
    camera.start().reconcile()
    assert camera.frame("x.fits").state is State.SEEN


def test_files_on_a_network_disk_arrive_when_they_are_seen(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    os.utime(path, (1e9, 1e9))
    before = time.time()
    intake = camera.start(local=False)
    intake.reconcile()
    assert before <= camera.frame("x.fits").arrived <= time.time()
