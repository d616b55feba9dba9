"""Trouble with raw frames and their folder: each is told, none stops the work."""

import gzip
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import eventually
from support_frames import write_raw, write_set
from support_intake import AGES, Camera
from support_ledger import told
from support_service import station, work_once, write_calibrations, write_objects
from tapewatch.errors import FatalError
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.ledger import Ledger
from tapewatch.model import State
from tapewatch.service import inspector as inspector_module

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Camera]:
    folder = tmp_path / "night"
    folder.mkdir()
    with Ledger(tmp_path / "state.sqlite") as ledger:
        yield Camera(folder, ledger)


@pytest.mark.parametrize("hinted", ["M13", "M13/x.fits", "M13.fits"])
def test_a_hint_at_what_cannot_be_looked_at_harms_nothing(
    camera: Camera, monkeypatch: pytest.MonkeyPatch, hinted: str
) -> None:
    write_raw(camera.folder / "M13" / "x.fits")
    write_raw(camera.folder / "M13.fits")
    intake = camera.start()
    really = Path.stat

    def refuse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.is_relative_to(camera.folder / hinted.partition("/")[0]):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    assert intake.hint(camera.folder / hinted, vouched=True) == set()
    monkeypatch.setattr(Path, "stat", really)
    intake.reconcile()
    assert camera.states() == {"M13/x.fits": "seen", "M13.fits": "seen"}
    assert intake.unsettled == 0


@pytest.mark.parametrize("by_hint", [False, True])
def test_a_settling_file_that_becomes_a_link_is_set_aside(camera: Camera, *, by_hint: bool) -> None:
    path = write_raw(camera.folder / "x.fits")
    intake = camera.start(SETTLE=AGES)
    intake.reconcile()
    assert intake.unsettled == 1
    path.rename(camera.folder / "kept.away")
    path.symlink_to(camera.folder / "kept.away")
    assert (intake.hint(path, vouched=True) if by_hint else intake.reconcile()) == {"x.fits"}
    assert camera.frame("x.fits").state is State.REJECTED
    assert "symbolic link" in camera.frame("x.fits").reason
    assert (intake.unsettled, intake.next_look()) == (0, None)


def test_a_settling_file_that_becomes_a_link_keeps_once_from_nothing(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    with station(tmp_path, once=True, SETTLE=0.05) as at:
        # Nobody closed it, and it ends in zeros: it is looked at for ten times as long.
        path = write_raw(tmp_path / "new.fits")
        with path.open("r+b") as file:
            file.seek(-2880, os.SEEK_END)
            file.write(bytes(2880))
        at.turn()
        assert at.states()["new.fits"] == "settling"
        path.unlink()
        path.symlink_to(tmp_path / "x.fits")

        def finishing() -> bool:
            at.look()
            return at.service._finishing

        eventually(finishing)
        at.look()
        assert at.states()["new.fits"] == "rejected"
        assert at.states()["x.fits"] == "done"


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(path: Path, *, unpack: bool) -> Inspection:
        if path.name == name:
            raise PermissionError(13, "The camera has it locked", str(path))
        return inspect(path, unpack=unpack)

    monkeypatch.setattr(inspector_module, "inspect", fail)


def test_a_raw_frame_that_cannot_be_opened_for_a_moment_is_taken_later(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_raw(camera.folder / "x.fits")
    write_raw(camera.folder / "y.fits", 1500)
    intake = camera.start(RESCAN=0.2)
    refuse_to_open(monkeypatch, "x.fits")
    assert intake.hint(path, vouched=True) == set()
    for _ in range(4):
        assert "x.fits" not in intake.reconcile()
        assert "x.fits" not in intake.found  # of which no event told: one did
    assert camera.frame("x.fits").state is State.SETTLING
    assert "The camera has it locked" in camera.frame("x.fits").reason
    assert told(camera.lines) == [("watch.problem", "warning")]
    moment = intake.next_look()
    assert moment is not None
    assert moment == pytest.approx(time.time(), abs=1)
    monkeypatch.setattr(inspector_module, "inspect", inspect)
    assert intake.reconcile() == {"x.fits"}
    assert camera.states() == {"x.fits": "seen", "y.fits": "seen"}
    assert intake.unsettled == 0


def test_once_ends_in_spite_of_a_raw_frame_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    refuse_to_open(monkeypatch, "x.fits")
    code, lines = work_once(tmp_path)
    assert code == 0
    (line,) = (line for line in lines if line["event"] == "frame.stalled")
    assert line["file"] == "x.fits"
    assert "The camera has it locked" in line["reason"]
    assert (tmp_path / "wobj.list").read_text() == "y.fits\n"
    monkeypatch.setattr(inspector_module, "inspect", inspect)
    assert work_once(tmp_path)[0] == 0
    assert (tmp_path / "wobj.list").read_text() == "x.fits\ny.fits\n"


@pytest.mark.parametrize("name", ["x.fit", "X.FIT"])
def test_a_waiting_raw_frame_that_was_compressed_is_taken_as_it_is_now(
    tmp_path: Path, name: str
) -> None:
    write_objects(tmp_path, name, "stays.fit")
    with station(tmp_path) as at:
        at.look()
        assert at.states()[name] == "waiting"
        raw = tmp_path / name
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(raw.read_bytes()))
        at.look()
        assert at.states() == {name: "waiting", f"{name}.gz": "rejected", "stays.fit": "waiting"}
        raw.unlink()
        at.look()
        assert at.states() == {name: "vanished", f"{name}.gz": "waiting", "stays.fit": "waiting"}
        write_calibrations(tmp_path)
        at.look()
        assert at.states()[f"{name}.gz"] == "done"
    assert (tmp_path / f"w{name}").is_file()


@pytest.mark.parametrize("name", ["A.FITS", "a.fits", "a.FITS"])
@pytest.mark.parametrize("suffix", [".gz", ".GZ"])
def test_of_twins_in_any_case_one_is_done_and_once_is_idempotent(
    tmp_path: Path, name: str, suffix: str
) -> None:
    write_calibrations(tmp_path)
    raw = write_raw(tmp_path / name)
    (tmp_path / f"{name}{suffix}").write_bytes(gzip.compress(raw.read_bytes()))
    code, lines = work_once(tmp_path)
    (rejected,) = (line for line in lines if line["event"] == "frame.rejected")
    assert rejected["file"] == f"{name}{suffix}"
    assert rejected["reason"] == f"its product would be w{name}, as that of {name}"
    assert code == 0
    assert (tmp_path / "wobj.list").read_text() == f"{name}\n"
    for _ in range(2):
        code, lines = work_once(tmp_path)
        events = [line["event"] for line in lines]
        assert events == ["service.starting", "service.ready", "service.stopped"]
        assert lines[-1]["reason"] == "nothing to do: all was done already"


def test_an_exposure_is_named_once_whatever_its_raw_frame_is_called(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    with station(tmp_path) as at:
        at.look()
        (tmp_path / "x.fits").rename(tmp_path / "M13-001.fits")
        at.look()
        assert at.states()["M13-001.fits"] == "done"
        assert at.objects() == ["M13-001.fits", "y.fits"]
        (tmp_path / "copy-of-y.fits").hardlink_to(tmp_path / "y.fits")
        at.look()
        at.look()
        assert len(at.objects()) == 2
        assert all((tmp_path / f"w{name}").is_file() for name in at.objects())
        assert {"y.fits", "copy-of-y.fits"} & set(at.objects())


def test_a_product_name_given_back_while_running_is_used(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    foreign = write_raw(tmp_path / "wx.fits", IMAGETYP="focus")
    with station(tmp_path) as at:
        at.look()
        assert "wx.fits is there already" in at.reason("x.fits")
        foreign.rename(tmp_path / "kept.away")
        at.look()
        assert at.states()["x.fits"] == "done"
        assert at.objects() == ["x.fits", "y.fits"]


def test_one_line_tells_of_all_files_from_before_since(camera: Camera) -> None:
    write_set(camera.folder, "bias", 3)
    write_raw(camera.folder / "M13" / "x.fits")
    camera.ledger.first_start(time.time() + 8 * DAY)
    intake = camera.start()
    intake.hint(camera.folder / "bias-1.fits", vouched=True)
    for _ in range(3):
        assert intake.reconcile() == set()
    assert [(line["event"], line["count"]) for line in camera.lines] == [
        ("frames.not_asked_for", 4)
    ]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_was_set_stops_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    write_calibrations(tmp_path)
    path = write_raw(tmp_path / "settling.fits")
    path.write_bytes(path.read_bytes()[:-2880])
    with station(tmp_path, STALL=AGES, SETTLE=0.05, RESCAN=0.5) as at:
        at.look()
        assert at.states()["settling.fits"] == "settling"
        really = time.time
        monkeypatch.setattr(time, "time", lambda: really() + hours * HOUR)
        write_objects(tmp_path, "x.fits")
        write_raw(path)
        for _ in range(2):  # to see them, and to see that they keep still
            assert 0 <= at.service._time_to_wait() <= 0.5
            at.service._wake.wait(at.service._time_to_wait())
            at.look()
        assert at.states()["x.fits"] == at.states()["settling.fits"] == "done"


def test_the_last_line_says_whether_anything_waits(tmp_path: Path) -> None:
    write_objects(tmp_path, "x.fits", "y.fits")
    for _ in range(2):
        assert work_once(tmp_path)[1][-1]["reason"] == "2 frames wait"
    write_set(tmp_path, "bias", 2)
    provisional = "2 products are provisional, for want of masters"
    assert work_once(tmp_path)[1][-1]["reason"] == provisional  # although something was done
    write_calibrations(tmp_path)
    done = work_once(tmp_path)[1][-1]
    assert done["frames_calibrated"] == 2
    assert "reason" not in done
    last = work_once(tmp_path)[1][-1]
    assert last["reason"] == "nothing to do: all was done already"
    (tmp_path / "cut-short.fits").write_bytes((tmp_path / "x.fits").read_bytes()[:2880])
    last = work_once(tmp_path)[1][-1]
    assert last["reason"] == "nothing to do, but 1 frames failed or stalled"


def test_a_state_file_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    with station(tmp_path) as at:
        at.ledger._database.execute("PRAGMA query_only = 1")
        with pytest.raises(FatalError, match=r"the state file .*state.sqlite cannot be written: "):
            at.look()


def test_a_state_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    write_calibrations(tmp_path)

    def work_on_a_broken_file() -> None:
        with station(tmp_path) as at:
            at.ledger._database.execute("DROP VIEW object_frames")
            at.ledger.object_frames("")

    with pytest.raises(FatalError, match=r"the state file .*state.sqlite cannot be read: ") as told:
        work_on_a_broken_file()
    assert isinstance(told.value.__cause__, sqlite3.Error)
