"""From files in a folder to frames in the ledger, whatever happens to the files on the way."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from support import eventually
from support_frames import write_raw, write_set
from support_intake import AGES, Camera
from support_ledger import told
from tapewatch.ledger import Ledger
from tapewatch.model import Kind, State
from tapewatch.service.changes import Changes, find_changes

HOUR = 3600.0


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Camera]:
    folder = tmp_path / "night"
    folder.mkdir()
    with Ledger(tmp_path / "state.sqlite") as ledger:
        yield Camera(folder, ledger)


def test_a_backlog_is_taken_at_once(camera: Camera) -> None:
    write_set(camera.folder, "bias", 2)
    write_raw(camera.folder / "M13" / "x.fits")
    intake = camera.start(SETTLE=0.001)
    assert intake.reconcile() == {"bias-0.fits", "bias-1.fits", "M13/x.fits"}
    assert set(camera.states().values()) == {"seen"}
    assert (intake.unsettled, intake.next_look()) == (0, None)
    assert camera.lines == []
    frame = camera.frame("M13/x.fits").frame
    assert frame is not None
    assert (frame.kind, frame.exptime, frame.filter) == (Kind.OBJECT, 60.0, "R")
    assert intake.reconcile() == set()


def test_all_that_changed_is_looked_at_and_of_what_was_written_an_event_should_have_told(
    camera: Camera,
) -> None:
    paths = [write_raw(camera.folder / f"{name}.fits") for name in "abcd"]
    before = {path.name: path.stat() for path in paths}
    intake = camera.start()
    intake.reconcile()
    assert set(intake.found) == {"a.fits", "b.fits", "c.fits", "d.fits"}
    paths[0].chmod(0o640)
    (camera.folder / "a.link").hardlink_to(paths[1])
    same = write_raw(camera.folder / "c.new", 7)  # the same size and time, other pixels
    os.utime(same, ns=(before["c.fits"].st_atime_ns, before["c.fits"].st_mtime_ns))
    same.replace(paths[2])
    write_raw(paths[3], 7)
    write_raw(camera.folder / "e.fits")
    assert intake.reconcile() == {"a.fits", "b.fits", "c.fits", "d.fits", "e.fits"}
    assert set(intake.found) == {"c.fits", "d.fits", "e.fits"}


def test_a_frame_arrived_when_its_file_last_changed(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    os.utime(path, (1.0, 1.0))  # as cp -p does: the inode's time is the one that counts
    camera.start().reconcile()
    assert camera.frame("x.fits").arrived == path.stat().st_ctime_ns / 1e9


def test_a_file_that_nobody_closed_is_taken_when_it_has_kept_still(camera: Camera) -> None:
    intake = camera.start(SETTLE=AGES)
    write_raw(camera.folder / "x.fits")
    assert intake.look("x.fits") == set()
    record = camera.frame("x.fits")
    assert (record.state, intake.unsettled) == (State.SETTLING, 1)
    assert record.reason
    assert intake.look("x.fits", vouched=True) == {"x.fits"}
    assert (camera.frame("x.fits").state, intake.unsettled) == (State.SEEN, 0)


def test_a_file_that_was_settling_at_a_kill_is_looked_at_by_the_next_start(
    camera: Camera,
) -> None:
    write_raw(camera.folder / "x.fits")
    assert camera.start(SETTLE=AGES).reconcile() == set()
    assert camera.states() == {"x.fits": "settling"}
    assert camera.start(SETTLE=0).reconcile() == {"x.fits"}
    assert camera.states() == {"x.fits": "seen"}


def test_an_incomplete_file_settles_then_stalls_and_is_taken_when_it_grows(
    camera: Camera,
) -> None:
    path = write_raw(camera.folder / "x.fits")
    whole = path.read_bytes()
    path.write_bytes(whole[:2880])
    intake = camera.start(STALL=0.3)
    assert intake.look("x.fits", vouched=True) == set()
    assert camera.frame("x.fits").state is State.SETTLING
    assert "2,880 of 5,760 bytes" in camera.frame("x.fits").reason
    assert intake.next_look() is not None
    assert eventually(intake.look_at_due) == {"x.fits"}
    assert camera.frame("x.fits").state is State.STALLED
    assert told(camera.lines) == [("frame.stalled", "warning")]
    assert "2,880 of 5,760 bytes" in camera.lines[0]["reason"]
    assert intake.reconcile() == set()
    path.write_bytes(whole)
    assert intake.reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN


def test_once_gives_an_incomplete_file_no_more_than_it_needs_to_settle(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    path.write_bytes(path.read_bytes()[:-1000])
    assert camera.start(patient=False).reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.STALLED


def test_files_from_before_since_are_told_of_and_left_for_once(camera: Camera) -> None:
    write_raw(camera.folder / "x.fits")
    camera.ledger.first_start(time.time() + 7.01 * 24 * HOUR)
    intake = camera.start()
    assert intake.reconcile() == set()
    record = camera.frame("x.fits")
    assert record.state is State.REJECTED
    assert record.reason.startswith("not asked for: of 20")
    assert record.reason.endswith("SINCE is 7 days")
    assert told(camera.lines) == [("frames.not_asked_for", "info")]
    camera.start().reconcile()
    assert camera.lines == []  # a start later that was said already
    assert camera.start(patient=False).reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN


@pytest.mark.parametrize("since", ["8", "all"])
def test_files_from_after_since_are_taken(camera: Camera, since: str) -> None:
    write_raw(camera.folder / "x.fits")
    camera.ledger.first_start(time.time() + 7.01 * 24 * HOUR)
    camera.start(SINCE=since).reconcile()
    assert camera.states() == {"x.fits": "seen"}


IRREGULAR: dict[str, Callable[[Path], None]] = {
    "symbolic link": lambda path: path.symlink_to("/dev/zero"),
    "FIFO": os.mkfifo,
}


@pytest.mark.parametrize("what", IRREGULAR)
def test_what_is_no_regular_file_is_set_aside_without_opening_it(camera: Camera, what: str) -> None:
    write_raw(camera.folder / "frame.fits")
    path = camera.folder / "x.fits"
    IRREGULAR[what](path)
    intake = camera.start()
    assert intake.reconcile() == {"x.fits", "frame.fits"}
    assert intake.hint(path, vouched=True) == set()
    assert camera.frame("x.fits").reason == f"{what}: only regular files are taken"
    assert told(camera.lines) == [("frame.rejected", "warning")]
    path.unlink()
    assert intake.reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.VANISHED
    assert intake.reconcile() == set()


@pytest.mark.parametrize("by_hint", [False, True])
def test_a_name_that_is_no_utf_8_is_set_aside_printable(camera: Camera, *, by_hint: bool) -> None:
    path = camera.folder / os.fsdecode(b"caf\xe9.fits")
    write_raw(path)
    intake = camera.start()
    changed = intake.hint(path, vouched=True) if by_hint else intake.reconcile()
    assert changed == {"caf\\udce9.fits"}
    assert camera.states() == {"caf\\udce9.fits": "rejected"}
    assert intake.reconcile() == set()


def test_products_of_ours_are_no_frames(camera: Camera) -> None:
    write_raw(camera.folder / "anything.fits", TWID="c" * 16)
    write_raw(camera.folder / "masters" / "wbias-1.fits")
    intake = camera.start()
    assert intake.reconcile() == set()
    assert camera.states() == {}
    assert (camera.lines, intake.unsettled) == ([], 0)


def test_products_of_the_notebook_are_set_aside(camera: Camera) -> None:
    path = write_raw(camera.folder / "wx.fits", DATE_PRC="2026-03-26T01:00:00")
    with fits.open(path) as hdus:
        image, header = hdus[0].data.astype("f4"), hdus[0].header
    fits.writeto(path, image, header, overwrite=True)
    camera.start().reconcile()
    assert camera.frame("wx.fits").state is State.REJECTED
    assert "notebook" in camera.frame("wx.fits").reason


def test_a_file_that_is_no_fits_is_set_aside(camera: Camera) -> None:
    (camera.folder / "notes.fits").write_text("clouds after midnight\n" * 1000)
    camera.start().reconcile()
    assert camera.frame("notes.fits").state is State.REJECTED
    assert camera.frame("notes.fits").reason


def test_a_frame_that_vanished_is_told_of_and_taken_when_it_comes_back(
    camera: Camera, tmp_path: Path
) -> None:
    path = write_raw(camera.folder / "x.fits")
    write_raw(camera.folder / "stays.fits")
    intake = camera.start()
    intake.reconcile()
    shutil.move(path, tmp_path / "x.fits")
    assert intake.reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.VANISHED
    assert told(camera.lines) == [("frame.vanished", "warning")]
    assert intake.reconcile() == set()
    shutil.move(tmp_path / "x.fits", path)
    assert intake.reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN


def test_what_vanished_while_nobody_watched_is_noticed_by_the_next_start(camera: Camera) -> None:
    taken = write_raw(camera.folder / "taken.fits")
    rejected = write_raw(camera.folder / "rejected.fits", IMAGETYP="focus")
    write_raw(camera.folder / "stays.fits")
    camera.start().reconcile()
    taken.unlink()
    rejected.unlink()
    assert camera.start().reconcile() == {"taken.fits", "rejected.fits"}
    assert camera.states() == {
        "taken.fits": "vanished",
        "rejected.fits": "vanished",
        "stays.fits": "seen",
    }


def test_a_frame_that_is_done_stays_done_without_its_file(camera: Camera) -> None:
    path = write_raw(camera.folder / "bias.fits", IMAGETYP="bias")
    intake = camera.start()
    intake.reconcile()
    camera.ledger.set_verdicts([("bias.fits", State.DONE, "in masters/wbias-1.fits")])
    path.unlink()
    assert intake.hint(path, vouched=False) == {"bias.fits"}
    assert intake.hint(path, vouched=False) == set()
    record = camera.frame("bias.fits")
    assert record.state is State.DONE
    assert record.reason == "in masters/wbias-1.fits; its own file is gone"
    assert camera.ledger.calibration_frames("") == ()
    assert intake.reconcile() == set()
    assert camera.lines == []


def test_a_file_that_comes_back_during_the_search_is_not_gone(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_raw(camera.folder / "bias.fits", IMAGETYP="bias")
    write_raw(camera.folder / "stays.fits")
    intake = camera.start()
    intake.reconcile()
    away = camera.folder / ".away"
    path.rename(away)

    def and_comes_back(*arguments: Any) -> Changes:  # noqa: ANN401  (passed on as they came)
        found = find_changes(*arguments)
        away.rename(path)
        return found

    monkeypatch.setattr("tapewatch.service.intake.find_changes", and_comes_back)
    intake.reconcile()
    assert camera.states() == {"bias.fits": "seen", "stays.fits": "seen"}


def test_a_rewritten_header_is_read_anew(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits")
    intake = camera.start()
    intake.reconcile()
    write_raw(path, PLTSOLVD=True, OBJECT="M92")
    assert intake.hint(path, vouched=True) == {"x.fits"}
    frame = camera.frame("x.fits").frame
    assert frame is not None
    assert frame.object == "M92"


def test_a_changed_rejected_file_gets_a_new_verdict(camera: Camera) -> None:
    path = write_raw(camera.folder / "x.fits", IMAGETYP=None)
    intake = camera.start()
    intake.reconcile()
    assert "no frame type" in camera.frame("x.fits").reason
    write_raw(path)
    assert intake.reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN


def test_a_rejected_frame_is_looked_at_anew_when_tape_par_has_changed(camera: Camera) -> None:
    write_raw(camera.folder / "x.fits", XBINNING=2, YBINNING=2)
    camera.start().reconcile()
    assert camera.frame("x.fits").reason == "binning 2x2, BINNING is 1"
    intake = camera.start()
    assert intake.reconcile() == set()
    assert camera.lines == []
    assert camera.start(BINNING=2).reconcile() == {"x.fits"}
    assert camera.frame("x.fits").state is State.SEEN
