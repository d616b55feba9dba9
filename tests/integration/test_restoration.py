"""A state file begun anew over a night that was done: it tells the same, and nothing is redone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support_frames import write_raw
from support_service import Station, station, work_once, write_calibrations, write_objects
from support_state import Rows, files_of, ledger_of
from tapewatch.model import Kind

STATE = ".tapewatch/state.sqlite"
NEW_WORK = ("frame.calibrated", "master.built", "product.lost", "product.superseded")


def lose(folder: Path) -> None:
    """Remove the state file, and nothing else."""
    for end in ("", "-wal", "-shm"):
        (folder / STATE).with_name(f"state.sqlite{end}").unlink(missing_ok=True)


def see_that_nothing_is_lost(folder: Path, **keys: object) -> Station:
    """Do what there is to do, lose the state file, look again: nothing may have changed."""
    with station(folder, **keys) as before:
        before.look()
        before.look()
    told, made = ledger_of(folder / STATE), files_of(folder)
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("w*.fits")}
    lose(folder)
    with station(folder, **keys) as after:
        after.look()
        after.look()
    assert after.events(*NEW_WORK) == []
    assert ledger_of(folder / STATE) == told
    assert files_of(folder) == made
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("w*.fits")} == stamps
    assert told["products"]
    return after


def test_a_night_that_was_done_is_known_again(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    after = see_that_nothing_is_lost(tmp_path)
    (line,) = [line for line in after.lines if line["event"] == "ledger.rebuilt"]
    assert (line["masters"], line["products"]) == (3, 2)
    with station(tmp_path) as again:
        again.look()
        assert again.events("ledger.rebuilt", *NEW_WORK) == []


def test_an_output_folder_of_its_own_and_frames_of_several_folders_are_known_again(
    tmp_path: Path,
) -> None:
    folder, output = tmp_path / "night", tmp_path / "out"
    write_calibrations(folder / "cal")
    write_objects(folder / "M13", "x.fits")
    write_objects(folder / "M15", "y.fits", "z z.fits")
    keys = {"OUTDIR": output, "STATEFILE": tmp_path / "state.sqlite"}
    with station(folder, **keys) as before:
        before.look()
        before.look()
    told, made = ledger_of(tmp_path / "state.sqlite"), files_of(output)
    (tmp_path / "state.sqlite").unlink()
    with station(folder, **keys) as after:
        after.look()
        after.look()
        assert after.events(*NEW_WORK) == []
    assert ledger_of(tmp_path / "state.sqlite") == told
    assert files_of(output) == made


def test_provisional_products_are_known_again(tmp_path: Path) -> None:
    for kind in ("bias", "dark"):
        for number in range(2):
            write_raw(tmp_path / f"{kind}{number}.fits", 1000 + number, IMAGETYP=kind)
    write_objects(tmp_path, "x.fits")
    see_that_nothing_is_lost(tmp_path)
    assert (tmp_path / "provisional" / "wx.fits").exists()


@pytest.mark.parametrize(
    "keys",
    [
        {"OVERSCAN": 1},
        {"COMBINE": "sigclip", "UNCERT": 1, "EGAIN": 1.5},
        {"STEPS": "bias,flat"},
        {"FLATDARK": 1},
        {"PINCAL": 0},
    ],
)
def test_whatever_tape_par_says_all_is_known_again(tmp_path: Path, keys: dict[str, object]) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    see_that_nothing_is_lost(tmp_path, **keys)


def test_what_was_made_of_raw_frames_that_are_gone_is_known_again(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    with station(tmp_path) as before:
        before.look()
        before.look()
        for path in [*tmp_path.glob("bias*"), *tmp_path.glob("flat*"), tmp_path / "x.fits"]:
            path.unlink()
        before.look()
        told, objects = before.states(), before.objects()
        reason = before.reason("x.fits")
        in_use = {one.master.id for one in before.ledger.masters() if one.in_use}
    lose(tmp_path)
    with station(tmp_path) as after:
        after.look()
        after.look()
        assert after.events(*NEW_WORK) == []
        assert after.objects() == objects == ["x.fits", "y.fits"]
        assert after.reason("x.fits") == reason == "calibrated: wx.fits; its own file is gone"
        assert {one.master.id for one in after.ledger.masters() if one.in_use} == in_use
        assert len(in_use) == 3
        # Raw frames of a calibration set that are gone, and were no products, are forgotten.
        left = {path: state for path, state in told.items() if (tmp_path / path).exists()}
        assert after.states() == {**left, "x.fits": "done"}
        write_objects(tmp_path, "new.fits")
        after.look()
        after.look()
        assert after.states()["new.fits"] == "done"


def test_earlier_versions_of_masters_are_known_and_what_was_made_with_them_stays(
    tmp_path: Path,
) -> None:
    keys = {"RECAL": "never"}
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    assert work_once(tmp_path, **keys)[0] == 0
    write_raw(tmp_path / "bias-9.fits", 990, IMAGETYP="bias", DATE_OBS="2026-03-25T17:00:00")
    assert work_once(tmp_path, **keys)[0] == 0
    told, made = ledger_of(tmp_path / STATE), files_of(tmp_path)
    assert [row["in_use"] for row in told["masters"]].count(0) == 3
    (product,) = (row for row in told["frames"] if row["path"] == "x.fits")
    assert product["state"] == "stale"
    lose(tmp_path)
    code, lines = work_once(tmp_path, **keys)
    assert (code, [line for line in lines if line["event"] in NEW_WORK]) == (0, [])
    assert ledger_of(tmp_path / STATE) == told
    assert files_of(tmp_path) == made


def test_of_masters_whose_raw_frames_are_gone_the_last_is_used_as_before(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    assert work_once(tmp_path)[0] == 0
    write_raw(tmp_path / "bias-9.fits", 990, IMAGETYP="bias", DATE_OBS="2026-03-25T17:00:00")
    assert work_once(tmp_path)[0] == 0
    for path in tmp_path.glob("bias*.fits"):
        path.unlink()
    assert work_once(tmp_path)[0] == 0
    told = ledger_of(tmp_path / STATE)["masters"]
    assert [(row["in_use"]) for row in told if '"kind":"bias"' in str(row["master"])] in (
        [0, 1],
        [1, 0],
    )
    lose(tmp_path)
    code, lines = work_once(tmp_path)
    assert (code, [line for line in lines if line["event"] in NEW_WORK]) == (0, [])
    assert ledger_of(tmp_path / STATE)["masters"] == told


def test_marks_and_the_first_start_are_kept(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    with station(tmp_path, SINCE=7) as before:
        before.look()
        before.look()
        before.ledger.mark_bad("x.fits", "clouds", 1234.5)
        before.look()
        first = before.ledger.first_start(0.0)
    told = ledger_of(tmp_path / STATE)
    assert [row["subject"] for row in told["marks"]] == ["x.fits"]
    lose(tmp_path)
    with station(tmp_path, SINCE=7) as after:
        after.look()
        after.look()
        assert after.ledger.first_start(0.0) == first
        assert after.events(*NEW_WORK) == []
        assert after.objects() == ["y.fits"]
    assert ledger_of(tmp_path / STATE) == told


def test_a_keepsake_that_cannot_be_read_is_told_and_the_night_goes_on(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    with station(tmp_path) as before:
        before.look()
    lose(tmp_path)
    (tmp_path / ".tapewatch" / "keepsake.json").write_text('{"marks": [["x"')
    with station(tmp_path) as after:
        after.look()
        assert after.events("ledger.unkept") == ["ledger.unkept"]


def header_changed(folder: Path) -> None:
    write_raw(folder / "x.fits", 5000, DATE_OBS="2026-03-25T18:00:00", OBJECT="another")


def pixels_changed(folder: Path) -> None:
    content = bytearray((folder / "x.fits").read_bytes())
    content[2880] ^= 1
    (folder / "x.fits").write_bytes(content)


def product_cut(folder: Path) -> None:
    content = (folder / "wx.fits").read_bytes()
    (folder / "wx.fits").write_bytes(content[:-2880])


def product_of_another(folder: Path) -> None:
    shutil.copy2(folder / "wy.fits", folder / "wx.fits")


def recipe_rewritten(folder: Path) -> None:
    content = (folder / "wx.fits").read_bytes()
    at = content.index(b"TWDSCALE=")
    (folder / "wx.fits").write_bytes(content[: at + 29] + b"9" + content[at + 30 :])


def masters_removed(folder: Path) -> None:
    shutil.rmtree(folder / "masters")


@pytest.mark.parametrize(
    "change",
    [
        header_changed,
        pixels_changed,
        product_cut,
        product_of_another,
        recipe_rewritten,
        masters_removed,
    ],
)
def test_what_is_not_proven_is_made_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """The clean night is the same frames in a folder of their own."""
    folder, clean = tmp_path / "night", tmp_path / "clean"
    write_calibrations(folder)
    write_objects(folder, "x.fits", "y.fits")
    assert work_once(folder)[0] == 0
    lose(folder)
    change(folder)
    assert work_once(folder)[0] == 0
    clean.mkdir()
    for path in folder.glob("*.fits"):
        if not path.name.startswith("w"):
            shutil.copy2(path, clean)
    assert work_once(clean)[0] == 0
    assert files_of(folder) == files_of(clean)
    assert rows_of_frames(ledger_of(folder / STATE)) == rows_of_frames(ledger_of(clean / STATE))


def rows_of_frames(rows: Rows) -> list[tuple[object, object, object]]:
    """Give path, state and reason of raw frames, and not of a product that was cut."""
    return [
        (row["path"], row["state"], row["reason"])
        for row in rows["frames"]
        if not str(row["path"]).startswith("w")
    ]


def test_products_of_a_folder_that_is_not_mounted_are_not_taken_for_orphans(
    tmp_path: Path,
) -> None:
    raws, output = tmp_path / "raws", tmp_path / "out"
    write_calibrations(raws)
    write_objects(raws, "x.fits")
    keys = {"WORKDIR": raws, "OUTDIR": output, "STATEFILE": tmp_path / "state.sqlite"}
    home = tmp_path / "home"
    with station(home, **keys) as before:
        before.look()
        before.look()
    told = ledger_of(tmp_path / "state.sqlite")
    (tmp_path / "state.sqlite").unlink()
    raws.rename(tmp_path / "away")
    raws.mkdir()  # as where something is mounted, or was
    with station(home, **keys) as after:
        after.look()
        assert after.events("ledger.rebuilt") == []
        raws.rmdir()
        (tmp_path / "away").rename(raws)
        after.look()
        after.look()
        assert after.events("ledger.rebuilt", *NEW_WORK) == ["ledger.rebuilt"]
    assert ledger_of(tmp_path / "state.sqlite") == told


def test_leftovers_are_found_in_folders_that_no_ledger_knows(tmp_path: Path) -> None:
    places = [tmp_path / "a" / "b", tmp_path / "a" / "b" / "masters", tmp_path / "c"]
    for place in places:
        place.mkdir(parents=True)
        (place / ".tapewatch-1.part").touch()
    (tmp_path / "c" / "somebody.part").touch()
    with station(tmp_path) as started:
        assert started.events("service.leftover_removed") == ["service.leftover_removed"] * 3
    assert [path.name for path in tmp_path.rglob("*.part")] == ["somebody.part"]


def test_products_that_somebody_copied_here_are_not_listed(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    assert work_once(tmp_path)[0] == 0
    lose(tmp_path)
    (tmp_path / "backup").mkdir()
    for path in tmp_path.glob("wx.fits"):
        shutil.copy2(path, tmp_path / "backup")
    told = work_once(tmp_path)[1]
    assert [line["products"] for line in told if line["event"] == "ledger.rebuilt"] == [2]
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["wx.fits"]


def test_products_stay_listed_although_no_raw_frame_is_left(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits", "y.fits")
    assert work_once(tmp_path)[0] == 0
    for path in tmp_path.glob("*.fits"):
        if not path.name.startswith("w"):
            path.unlink()
    lose(tmp_path)
    write_raw(tmp_path / "new.fits", 3000, DATE_OBS="2026-03-25T20:00:00")
    assert work_once(tmp_path)[0] == 0
    assert (tmp_path / "wobj.list").read_text().split() == ["x.fits", "y.fits", "new.fits"]
    assert {row["kind"] for row in ledger_of(tmp_path / STATE)["frames"]} == {str(Kind.OBJECT)}
