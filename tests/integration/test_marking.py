"""``tapewatch mark``: what a person calls bad is used by nothing, and what used it is redone."""

import signal
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from support_frames import write_set
from support_log import documented_events
from support_night import running, take, write_par
from support_service import Station, station, write_calibrations, write_objects
from tapewatch.cli import main
from tapewatch.commands.simulate import Night
from tapewatch.model import Kind

NIGHT = Night(shape=(24, 32), bias=3, darks=3, flats=3, filters=("R",), objects=2)


@pytest.fixture(autouse=True)
def _told() -> Iterator[None]:
    """Take the signal that the command sends to the service, which is in this very process."""
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    yield
    signal.signal(signal.SIGHUP, before)


def mark(folder: Path, verdict: str, *files: str, why: str = "") -> tuple[int, str]:
    """Run the command; give its exit code and what it said."""
    said = StringIO()
    with redirect_stdout(said):
        code = main(["mark", verdict, *files, "--why", why, "--par", str(folder / "tape.par")])
    return code, said.getvalue()


def write_night(folder: Path) -> None:
    """Write complete sets, with one flat more, and two object frames."""
    folder.mkdir()
    write_calibrations(folder)
    write_set(folder, "flat", 3)
    write_objects(folder, "m13-1.fits", "m13-2.fits")


def flat_of(one: Station, path: str = "m13-1.fits") -> str:
    """Give the file of the master flat that a frame's product was made with."""
    (record,) = one.ledger.frames(path)
    assert record.product is not None
    (flat,) = (
        each.master.path
        for each in one.ledger.masters()
        if each.master.id == record.product.recipe.flat
    )
    return flat


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Folder of a night."""
    folder = tmp_path / "night"
    write_night(folder)
    return folder


def test_a_bad_flat_leaves_its_set_and_its_products_are_redone_and_back(night: Path) -> None:
    with station(night) as one:
        one.look()
        assert set(one.states().values()) == {"done"}
        first = flat_of(one)
        code, said = mark(night, "bad", str(night / "flat-0.fits"), why="a  cloud")
        assert code == 0
        assert "flat-0.fits: marked bad: a cloud; 1 master and 2 products were made with it" in said
        assert one.states()["flat-0.fits"] == "rejected"
        one.look()
        assert (one.states()["flat-0.fits"], one.reason("flat-0.fits")) == (
            "rejected",
            "marked bad: a cloud",
        )
        assert one.states()["m13-1.fits"] == "done"
        assert flat_of(one) == flat_of(one, "m13-2.fits") != first
        assert "flat-0.fits" in (night / "others.list").read_text()
        assert (night / "wflatR.list").read_text().split() == ["flat-1.fits", "flat-2.fits"]
        mark(night, "good", "flat-0.fits")
        one.look()
        assert flat_of(one) == first
        assert set(one.states().values()) == {"done"}
        noticed = [line for line in one.lines if line["event"] == "mark.noticed"]
        assert [(line["file"], line["reason"]) for line in noticed] == [
            ("flat-0.fits", "marked bad: a cloud"),
            ("flat-0.fits", "no longer bad"),
        ]
        event = documented_events()["mark.noticed"]
        fields = set(noticed[0]) - {"event", "log_level"}
        assert event.always <= fields <= event.always | event.sometimes


def test_a_bad_master_is_used_by_nothing_and_not_combined_again(night: Path) -> None:
    with station(night) as one:
        one.look()
        first = flat_of(one)
        assert mark(night, "bad", first)[0] == 0
        one.look()
        states = one.states()
        assert (states["m13-1.fits"], states["flat-0.fits"]) == ("stale", "waiting")
        assert "marked bad" in one.reason("m13-1.fits")
        assert "not combined again without further ones" in one.reason("flat-0.fits")
        assert not (night / "wflatR.fits").exists()
        write_set(night, "flat", 4)
        one.look()
        assert one.states()["m13-1.fits"] == "done"
        assert flat_of(one) != first


def test_a_bad_bias_has_all_that_was_made_with_it_combined_anew(night: Path) -> None:
    write_set(night, "bias", 3)
    with station(night) as one:
        one.look()
        before = {each.master.id for each in one.ledger.masters() if each.in_use}
        assert mark(night, "bad", "bias-1.fits")[1].count("3 masters and 2 products") == 1
        one.look()
        used = [each.master for each in one.ledger.masters() if each.in_use]
        assert {master.kind for master in used} == {Kind.BIAS, Kind.DARK, Kind.FLAT}
        assert before.isdisjoint(master.id for master in used)
        assert one.states()["m13-2.fits"] == "done"


def test_a_bad_object_frame_is_off_the_list_until_it_is_good_again(night: Path) -> None:
    with station(night) as one:
        one.look()
        mark(night, "bad", "wm13-1.fits", why="satellite")  # its product names it as well
        one.look()
        assert one.states()["m13-1.fits"] == "rejected"
        assert one.objects() == ["m13-2.fits"]
        done = len(one.events("frame.calibrated"))
        mark(night, "good", "m13-1.fits")
        one.look()
        assert one.objects() == ["m13-1.fits", "m13-2.fits"]
        assert len(one.events("frame.calibrated")) == done


def test_a_mark_survives_a_restart_and_a_touch(night: Path) -> None:
    with station(night) as one:
        one.look()
    mark(night, "bad", "m13-1.fits", "flat-0.fits", str(night / "masters" / ".." / "bias-0.fits"))
    (night / "flat-0.fits").touch()
    with station(night) as one:
        one.look()
        states = one.states()
        assert states["m13-1.fits"] == states["flat-0.fits"] == states["bias-0.fits"] == "rejected"
        assert one.objects() == ["m13-2.fits"]
    mark(night, "good", "m13-1.fits", "flat-0.fits", "bias-0.fits")
    with station(night) as one:
        one.service._foreman.planner.plan_all()
        one.look()
        assert set(one.states().values()) == {"done"}


def test_what_cannot_be_marked_is_said_and_nothing_is_marked(
    night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (night / "notes.fits").write_text("clouds after midnight\n" * 200)
    with station(night) as one:
        one.look()
        for verdict, file, words in (
            ("bad", "absent.fits", "absent.fits is not known"),
            ("bad", "notes.fits", "notes.fits is used by nothing as it is: rejected"),
            ("good", "flat-1.fits", "flat-1.fits is not marked bad"),
        ):
            assert mark(night, verdict, "flat-0.fits", file)[0] == 1
            errors = capsys.readouterr().err
            assert words in errors or "flat-0.fits is not marked bad" in errors
        assert one.ledger.marks() == {}
        assert one.states()["flat-0.fits"] == "done"


def test_a_daemon_that_runs_is_told_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    take(folder, NIGHT)
    par = write_par(folder, MINFREE=0, WORKERS=1, RESCAN=80000, NFLAT=3, NBIAS=3, NDARK=3)
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", 2)
        code, said = mark(folder, "bad", "M13_R_0001.fit")
        assert (code, said.splitlines()[-1]) == (0, "tapewatch was told")
        daemon.wait_for("mark.noticed", file="M13_R_0001.fit")
        mark(folder, "good", "M13_R_0001.fit")
        daemon.wait_for("mark.noticed", 2)
    assert mark(folder, "bad", "M13_R_0001.fit")[1].endswith("heeded at the next start\n")
