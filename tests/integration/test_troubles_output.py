"""Trouble with what tapewatch wrote, or is about to write: no frame is blamed, nothing is lost."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support_frames import write_raw
from support_service import Station, station, write_calibrations, write_objects
from tapewatch.errors import FatalError
from tapewatch.fitsfile import atomic, files
from tapewatch.model import Kind

STATES_OF_HEALTH = ("service.degraded", "service.restored")

Trouble = Callable[[Station, pytest.MonkeyPatch], Callable[[], None]]


def failing(error: int) -> Trouble:
    """Make every file that tapewatch begins to write fail so."""

    def begin(at: Station, patch: pytest.MonkeyPatch) -> Callable[[], None]:
        really = os.open

        def fail(path: str | Path, flags: int, mode: int = 0o777) -> int:
            if str(path).endswith(".part"):
                raise OSError(error, os.strerror(error), str(path))
            return really(path, flags, mode)

        assert at.output.is_dir()
        patch.setattr(os, "open", fail)
        return lambda: patch.setattr(os, "open", really)

    return begin


def failing_at_the_rename(at: Station, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    really = files.sync_folder

    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))

    assert at.output.is_dir()
    patch.setattr(atomic, "sync_folder", fail)
    return lambda: patch.setattr(atomic, "sync_folder", really)


def a_file_for_masters(at: Station, _: pytest.MonkeyPatch) -> Callable[[], None]:
    (at.output / "masters").write_text("somebody's notes")
    return (at.output / "masters").unlink


def a_file_for_the_products_folder(at: Station, _: pytest.MonkeyPatch) -> Callable[[], None]:
    (at.output / "M13").write_text("somebody's notes")
    return (at.output / "M13").unlink


def a_dangling_link(at: Station, _: pytest.MonkeyPatch) -> Callable[[], None]:
    (at.output / "masters").symlink_to(at.output / "unmounted" / "disk")
    return (at.output / "masters").unlink


TROUBLES: dict[str, Trouble] = {
    "may not be written": failing(errno.EACCES),
    "read-only": failing(errno.EROFS),
    "fails to write": failing(errno.EIO),
    "full": failing(errno.ENOSPC),
    "fails to rename": failing_at_the_rename,
    "masters is a file": a_file_for_masters,
    "masters dangles": a_dangling_link,
    "the folder is a file": a_file_for_the_products_folder,
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_output_folder_in_trouble_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    folder = tmp_path / "night"
    write_calibrations(folder)
    write_objects(folder / "M13", "x.fits", "y.fits")
    with station(folder, OUTDIR=tmp_path / "out") as at:
        repair = TROUBLES[trouble](at, monkeypatch)
        for number in range(5):  # more often than a frame or a set is tried
            at.look()
            # The set grows: for a while there is nothing to be written.
            write_raw(folder / f"bias-9{number}.fits", 900 + number, IMAGETYP="bias")
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded"]
        assert str(at.output) in at.trouble()
        assert not {"failed", "rejected"} & set(at.states().values())
        assert sum(record.tries for record in at.ledger.frames()) == 0
        assert at.ledger.failures(1) == {}
        repair()
        at.look()
        # Biases that came after a first master wait for the set to be quiet: not so the objects.
        assert {at.states()[f"M13/{name}.fits"] for name in "xy"} == {"done"}
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded", "service.restored"]
        assert at.trouble() == ""
        assert at.objects("M13") == ["x.fits", "y.fits"]
        assert (at.output / "wbias.fits").exists()
        assert not list(at.output.rglob("*.part"))


def test_a_folder_that_cannot_be_written_holds_nothing_but_its_own_work(tmp_path: Path) -> None:
    folder, out = tmp_path / "night", tmp_path / "out"
    write_calibrations(folder)
    write_objects(folder / "east", "e.fits", "f.fits")
    write_objects(folder / "north", "n.fits")
    write_objects(folder / "west", "x.fits", "y.fits")
    out.mkdir()
    for name in ("east", "north"):
        (out / name).write_text("somebody's notes")
    with station(folder, OUTDIR=out) as at:
        at.look()
        at.look()
        assert at.objects("west") == ["x.fits", "y.fits"]
        assert {at.states()[f"west/{name}.fits"] for name in "xy"} == {"done"}
        assert {at.states()[f"east/{name}.fits"] for name in "ef"} == {"waiting"}
        assert (out / "wflatR.fits").exists()
        assert at.events(*STATES_OF_HEALTH, "output.held") == ["service.degraded", "output.held"]
        assert str(out / "east") in at.trouble()
        assert str(out / "north") in at.trouble()
        for name in ("east", "north"):
            (out / name).unlink()
        at.look()
        assert at.objects("east") == ["e.fits", "f.fits"]
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded", "service.restored"]
        assert at.trouble() == ""


@contextmanager
def a_night(folder: Path, **keys: object) -> Iterator[Station]:
    """Work on a folder until a night's frames are done."""
    write_calibrations(folder)
    write_objects(folder, "x.fits", "y.fits")
    with station(folder, **keys) as at:
        at.look()
        assert set(at.states().values()) == {"done"}
        yield at


def test_masters_of_another_folder_that_were_deleted_are_built_again(tmp_path: Path) -> None:
    write_calibrations(tmp_path / "cal")
    write_objects(tmp_path / "night", "x.fits")
    with station(tmp_path) as at:
        at.look()
        shutil.rmtree(tmp_path / "cal" / "masters")
        write_objects(tmp_path / "night", "new.fits", "newer.fits")
        at.look()
        at.look()
        assert set(at.states().values()) == {"done"}
        assert at.events("master.lost") == ["master.lost"] * 3
        assert len(at.events("master.built")) == 6
        assert len(list((tmp_path / "cal" / "masters").glob("w*.fits"))) == 3
        assert set(at.objects("night")) == {"x.fits", "new.fits", "newer.fits"}


def test_a_product_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    with a_night(tmp_path) as at:
        pixels = (tmp_path / "wx.fits").read_bytes()[2880:]
        (tmp_path / "wx.fits").unlink()
        at.look()
        assert at.events("product.lost") == ["product.lost"]
        assert (tmp_path / "wx.fits").read_bytes()[-len(pixels) // 2 :] == pixels[
            -len(pixels) // 2 :
        ]
        assert at.objects() == ["x.fits", "y.fits"]
        at.look()
        assert at.events("product.lost") == ["product.lost"]


def test_a_deleted_product_that_cannot_be_made_again_is_named_no_more(tmp_path: Path) -> None:
    with a_night(tmp_path) as at:
        (tmp_path / "x.fits").unlink()
        at.look()
        assert at.objects() == ["x.fits", "y.fits"]  # the raw frame is gone, the product is not
        (tmp_path / "wx.fits").unlink()
        at.look()
        assert at.objects() == ["y.fits"]


def test_products_whose_masters_are_gone_for_good_are_named_no_more(tmp_path: Path) -> None:
    with a_night(tmp_path) as at:
        for path in [
            *tmp_path.glob("bias*"),
            *tmp_path.glob("masters/wbias*"),
            *tmp_path.glob("wx*"),
        ]:
            path.unlink()
        at.look()
        assert at.objects() == ["y.fits"]
        assert at.states()["x.fits"] == "provisional"  # by the dark and the flat that are there


def test_an_output_folder_that_is_gone_is_waited_for_and_nothing_is_forgotten(
    tmp_path: Path,
) -> None:
    folder, keys = tmp_path / "night", {"OUTDIR": tmp_path / "out", "STATEFILE": tmp_path / "state"}
    with a_night(folder, **keys) as at:
        mounted, products, masters = at.output, at.ledger.products(), at.ledger.masters()
        unmounted = mounted.rename(tmp_path / "elsewhere")
        mounted.mkdir()
        write_objects(folder / "M13", "new.fits")
        for _ in range(3):
            at.look()
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded"]
        assert "is it unmounted" in at.trouble()
        assert (at.ledger.products(), at.ledger.masters()) == (products, masters)
        assert list(mounted.iterdir()) == []
        mounted.rmdir()
        unmounted.rename(mounted)
        at.look()
        assert at.states()["M13/new.fits"] == "done"
        assert at.events("product.lost", "master.lost") == []
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded", "service.restored"]


def test_of_a_disk_that_goes_while_it_is_looked_through_nothing_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_night(tmp_path) as at:
        (tmp_path / "wx.fits").unlink()
        really = Path.stat

        def fail(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            if path.parent.name == "masters":
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
            return really(path, follow_symlinks=follow_symlinks)

        monkeypatch.setattr(Path, "stat", fail)
        for _ in range(2):
            at.look()
        assert at.events("product.lost", *STATES_OF_HEALTH) == ["service.degraded"]
        assert at.trouble()
        monkeypatch.setattr(Path, "stat", really)
        at.look()
        assert at.states()["x.fits"] == "done"
        assert (tmp_path / "wx.fits").is_file()
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded", "service.restored"]


def test_trouble_that_is_over_is_told_although_there_is_nothing_to_write(tmp_path: Path) -> None:
    with a_night(tmp_path) as at:
        own = (tmp_path / ".tapewatch" / "where.json").rename(tmp_path / "where.json")
        at.look()
        assert at.trouble()
        own.rename(tmp_path / ".tapewatch" / "where.json")
        at.look()
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded", "service.restored"]
        assert at.trouble() == ""


def test_a_plain_name_that_could_not_be_given_is_given_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.hardlink_to

    def fail(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path), 0, str(target))

    monkeypatch.setattr(Path, "hardlink_to", fail)
    write_calibrations(tmp_path)
    with station(tmp_path) as at:
        for _ in range(5):  # until all masters are there, without their names
            at.look()
        assert (len(at.ledger.masters()), at.ledger.names("")) == (3, {})
        assert at.trouble()
        monkeypatch.setattr(Path, "hardlink_to", really)
        at.look()
        assert {path.name for path in tmp_path.glob("w*.fits")} == {
            "wbias.fits",
            "wdark60s.fits",
            "wflatR.fits",
        }
        at.look()
        assert at.events(*STATES_OF_HEALTH) == ["service.degraded", "service.restored"]


def test_an_emptied_output_folder_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    folder, keys = tmp_path / "night", {"OUTDIR": tmp_path / "out", "STATEFILE": tmp_path / "state"}
    with a_night(folder, **keys) as at:
        mounted = at.output
    mounted.rename(tmp_path / "elsewhere")
    for _ in range(2):  # a service manager starts it again
        with pytest.raises(FatalError, match="is it unmounted"), station(folder, **keys):
            pass
        assert not list(mounted.rglob("*.fits"))
    shutil.rmtree(mounted)
    (tmp_path / "elsewhere").rename(mounted)
    with station(folder, **keys) as at:
        at.look()
        assert at.events("product.lost", "master.lost", "frame.calibrated") == []


def test_our_own_products_are_never_entered_as_frames(tmp_path: Path) -> None:
    with a_night(tmp_path, SETTLE=0) as at:
        raws = set(at.states())
    with station(tmp_path, SETTLE=1000, STALL=1000) as at:
        for path in sorted(tmp_path.glob("w*.fits")):
            at.service._intake.hint(path, vouched=False)
        at.turn()
        assert set(at.states()) == raws
        assert at.service._intake.unsettled == 0


@pytest.mark.parametrize("name", ["wbias_notes.list", "wbias-old.list", "wishes.list"])
def test_a_users_own_list_stays(tmp_path: Path, name: str) -> None:
    write_raw(tmp_path / "bias.fits", IMAGETYP=Kind.BIAS)
    (tmp_path / name).write_text("the third one has a satellite in it\n")
    (tmp_path / "wdark60s.list").write_text("of a set that is no more\n")
    with station(tmp_path) as at:
        at.look()
    assert {path.name for path in tmp_path.glob("w*.list")} == {name, "wbias.list"}
