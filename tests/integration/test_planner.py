"""Provisional products on disk, sequences redone for real, and what one more frame costs."""

import shutil
import time
from pathlib import Path

import pytest
from astropy.io import fits

from support import eventually
from support_frames import SHAPE, write_raw, write_set
from support_service import station, work_once, write_calibrations, write_objects
from tapewatch.cli import main
from tapewatch.ledger import Ledger
from tapewatch.model import State

FLAGGED = "provisional/wx.fits"


def test_a_provisional_product_is_flagged_named_nowhere_and_goes_in_the_end(tmp_path: Path) -> None:
    with station(tmp_path) as at:
        write_set(tmp_path, "bias", 2)
        write_set(tmp_path, "dark", 2)
        at.look()
        write_objects(tmp_path, "x.fits")
        at.look()
        assert at.states()["x.fits"] == "provisional"
        assert "no flat frames yet" in at.reason("x.fits")
        header = fits.getheader(tmp_path / FLAGGED)
        assert "PROVISIONAL" in header["TWFLAGS"]
        assert header["CALSTAT"] == "BD"
        (line,) = [one for one in at.lines if one["event"] == "frame.calibrated"]
        assert line["flags"] == ["PROVISIONAL"]
        assert line["product"] == FLAGGED
        assert not (tmp_path / "wobj.list").exists() or at.objects() == []
        assert not (tmp_path / "wx.fits").exists()
        write_set(tmp_path, "flat", 2)
        at.look()
        at.look()
        assert at.states()["x.fits"] == "done"
        assert at.objects() == ["x.fits"]
        assert not (tmp_path / FLAGGED).exists()
        assert "PROVISIONAL" not in fits.getheader(tmp_path / "wx.fits").get("TWFLAGS", "")


def test_a_kill_before_the_provisional_product_was_removed_is_made_up_for(tmp_path: Path) -> None:
    write_set(tmp_path, "bias", 2)
    write_objects(tmp_path, "x.fits")
    assert work_once(tmp_path)[0] == 0
    kept = tmp_path / "kept.copy"
    shutil.copyfile(tmp_path / FLAGGED, kept)
    write_calibrations(tmp_path)
    work_once(tmp_path)
    assert not (tmp_path / FLAGGED).exists()
    shutil.copyfile(kept, tmp_path / FLAGGED)
    (tmp_path / "provisional" / "w-of-others.fits").write_text("not ours")
    code, lines = work_once(tmp_path)
    assert code == 0
    assert [one["file"] for one in lines if one["event"] == "product.superseded"] == [FLAGGED]
    assert not (tmp_path / FLAGGED).exists()
    assert (tmp_path / "provisional" / "w-of-others.fits").exists()


def test_provisional_and_masters_folders_are_not_watched(tmp_path: Path) -> None:
    write_set(tmp_path, "bias", 2)
    write_objects(tmp_path, "x.fits")
    for folder in ("provisional", "masters"):
        write_raw(tmp_path / folder / "hidden.fits")
    with station(tmp_path, once=True) as at:
        at.look()
        assert sorted(at.states()) == ["bias-0.fits", "bias-1.fits", "x.fits"]


def test_one_more_frame_of_a_long_sequence_has_no_more_frames_decided_on(tmp_path: Path) -> None:
    decided = []
    write_calibrations(tmp_path)
    with station(tmp_path) as at:
        for count in (2, 20):
            for number in range(count):
                when = f"2026-03-25T18:{count + number:02}:00"
                write_raw(tmp_path / f"{count}-{number}.fits", 3000 + count + number, DATE_OBS=when)
            at.look()
            assert set(at.states().values()) == {"done"}
            before = at.service._foreman.planner.decided
            when = f"2026-03-25T19:{count:02}:00"
            write_raw(tmp_path / f"more-{count}.fits", 9000 + count, DATE_OBS=when)
            at.look()
            decided.append(at.service._foreman.planner.decided - before)
    assert decided[0] == decided[1]


def test_what_masters_of_another_folder_may_suit_is_planned_now_and_then(tmp_path: Path) -> None:
    nights = ("a", "b", "c")
    for number, night in enumerate(nights):
        write_objects(tmp_path / night, f"x{number}.fits", f"y{number}.fits")
    with station(tmp_path) as at:
        at.look()
        planner = at.service._foreman.planner
        planner._concerned_rest_until = time.monotonic() + 1000.0
        write_calibrations(tmp_path / "d")
        at.service._lookout.scan_soon()
        before = time.time()

        def all_are_built() -> bool:
            at.turn()
            return len({one.master.kind for one in at.ledger.masters()}) == 3

        eventually(all_are_built)
        assert planner.put_off
        assert before < (planner.next_look() or 0.0) < before + 1100.0
        assert "done" not in {state for path, state in at.states().items() if path[0] in nights}
        planner.rested()
        at.look()
        assert not planner.put_off
        assert set(at.states().values()) == {"done"}


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_one_more_night_of_a_long_season_has_no_more_frames_decided_on(
    tmp_path: Path, jitter: float
) -> None:
    decided = []
    with station(tmp_path, PROVISIONAL=0) as at:
        for night in range(12):
            _write_night(tmp_path, night, -20.0 + jitter * night)
            before = at.service._foreman.planner.decided
            at.look()
            decided.append(at.service._foreman.planner.decided - before)
        assert set(at.states().values()) == {"done"}
    assert max(decided) < 1.5 * decided[1]


def _write_night(folder: Path, night: int, temperature: float) -> None:
    """Write a night's calibration frames and two object frames."""
    day = f"2026-03-{night + 1:02}"
    for kind, level in (("bias", 1000), ("dark", 1100), ("flat", 20000)):
        for number in range(2):
            path = folder / day / f"{kind}-{number}.fits"
            when = f"{day}T17:0{number}:00"
            cards = {"IMAGETYP": kind, "DATE_OBS": when, "CCD_TEMP": temperature}
            write_raw(path, level + 10 * night + number, SHAPE, **cards)
    for number in range(2):
        when = f"{day}T18:0{number}:00"
        path = folder / day / f"x{number}.fits"
        write_raw(path, 3000 + 10 * night + number, DATE_OBS=when, CCD_TEMP=temperature)


@pytest.mark.parametrize("pincal", [0, 1])
def test_frames_of_another_folder_are_told_of_a_master_that_is_gone(
    tmp_path: Path, pincal: int
) -> None:
    write_calibrations(tmp_path / "a")
    write_objects(tmp_path / "b", "x.fits")
    with station(tmp_path, PINCAL=pincal) as at:
        at.look()
        for flat in (tmp_path / "a").glob("flat*"):
            flat.unlink()
        at.look()
        assert at.states()["b/x.fits"] == "done"
        for master in (tmp_path / "a" / "masters").glob("wflat*"):
            master.unlink()
        at.look()
        assert at.states()["b/x.fits"] == "stale"
        assert "for a master flat R" in at.reason("b/x.fits")


def test_masters_that_were_all_deleted_between_two_runs_are_made_again(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    with station(tmp_path) as at:
        at.look()
    for master in [*(tmp_path / "masters").glob("*.fits"), *tmp_path.glob("w[bdf]*.fits")]:
        master.unlink()
    write_objects(tmp_path, "x.fits", "y.fits")
    with station(tmp_path) as at:
        at.service._scan()
        at.service._foreman.planner.plan_all()
        at.look()
        assert (
            at.events("master.lost", "master.built") == ["master.lost"] * 3 + ["master.built"] * 3
        )
        assert set(at.states().values()) == {"done"}


def test_a_sequence_that_ended_is_redone_as_a_whole(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits", "z.fits")
    work_once(tmp_path)
    before = {name: fits.getheader(tmp_path / f"w{name}.fits")["TWFLAT"] for name in "xyz"}
    for number in (2, 3):
        write_raw(
            tmp_path / f"flat-{number}.fits",
            20100 + number,
            IMAGETYP="flat",
            DATE_OBS=f"2026-03-25T17:0{number}:00",
        )
    work_once(tmp_path)
    after = {name: fits.getheader(tmp_path / f"w{name}.fits")["TWFLAT"] for name in "xyz"}
    assert len(set(before.values())) == len(set(after.values())) == 1
    assert before["x"] != after["x"]


def test_nobody_waits_for_frames_that_recal_never_leaves_stale(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    work_once(tmp_path, RECAL="never")
    for number in (2, 3):
        when = f"2026-03-25T17:0{number}:00"
        flat = tmp_path / f"flat-{number}.fits"
        write_raw(flat, 20100 + number, IMAGETYP="flat", DATE_OBS=when)
    work_once(tmp_path, RECAL="never")
    with Ledger(tmp_path / ".tapewatch" / "state.sqlite") as ledger:
        assert ledger.frames("x.fits")[0].state is State.STALE
        assert "RECAL is never" in ledger.frames("x.fits")[0].reason
    assert main(["status", "--par", str(tmp_path / "tape.par"), "--wait", "0"]) == 0
