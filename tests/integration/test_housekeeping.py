"""What stands in a folder for its user: plain names of masters, and the lists TAPE reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.typing import EventDict

from support_frames import write_raw
from support_ledger import (
    DETECTOR,
    EVENING,
    STATISTICS,
    a_frame,
    a_master,
    an_identity,
    captured_log,
    finish,
    told,
)
from support_night import stamp_of
from tapewatch.errors import OutputError
from tapewatch.ledger import Ledger
from tapewatch.model import CalibrationFrame, Kind, Master, State
from tapewatch.planning.decisions import Plan, PlannedSet
from tapewatch.planning.sets import CalibrationSet
from tapewatch.service.housekeeping import Housekeeping

NOBODYS = b"an observer's own file, whatever it is"


class House(NamedTuple):
    """An output folder, who keeps it, and the lines that are logged."""

    output: Path
    keeper: Housekeeping
    ledger: Ledger
    log: list[EventDict]

    def build(self, master_id: str, kind: Kind = Kind.BIAS, folder: str = "") -> Master:
        """Put a version of a master on disk."""
        master = a_master(master_id * 16, kind, folder=folder)
        write_raw(self.output / master.path, TWID=master.id)
        return master

    def keep(self, plan: Plan, folder: str = "") -> None:
        """Note a plan and write the lists."""
        self.keeper.note(folder, plan)
        self.write()

    def write(self) -> None:
        """Write the lists of all folders that are outdated."""
        for folder in self.keeper.outdated:
            self.keeper.write(folder)

    def lists(self, folder: str = "") -> dict[str, list[str]]:
        """Read all lists of a folder."""
        found = (self.output / folder).glob("*.list")
        return {path.stem: path.read_text().splitlines() for path in found}


def a_set(stem: str, *paths: str, master: Master | None = None) -> PlannedSet:
    """Plan a set of frames with these paths."""
    kind = master.kind if master else Kind.BIAS
    members = tuple(CalibrationFrame(a_frame(path, kind), path, EVENING) for path in paths)
    return PlannedSet(CalibrationSet(members, DETECTOR), stem, master)


def planned(master: Master, *, kept: tuple[Master, ...] = ()) -> Plan:
    """Plan one set that has a master."""
    prefix = f"{master.folder}/" if master.folder else ""
    return Plan(sets=(a_set(master.stem, f"{prefix}raw.fits", master=master),), kept=kept)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    log, log_lines = captured_log()
    output = tmp_path / "out"
    (output / ".tapewatch").mkdir(parents=True)
    (output / ".tapewatch" / "where.json").touch()
    with Ledger(tmp_path / "state.sqlite") as ledger:
        yield House(output, Housekeeping(output, ledger, log), ledger, log_lines)


@pytest.mark.parametrize("folder", ["", "n"])
def test_a_plain_name_is_another_link_to_the_masters_file(house: House, folder: str) -> None:
    master = house.build("a", folder=folder)
    house.keep(planned(master), folder)
    plain = house.output / folder / "wbias.fits"
    assert plain.samefile(house.output / master.path)
    assert house.ledger.names(folder) == {"wbias.fits": master.id}
    assert house.log == []


def test_a_newer_master_takes_the_name_and_the_older_file_stays(house: House) -> None:
    older, newer = house.build("a"), house.build("b")
    house.keep(planned(older))
    house.keep(planned(newer))
    assert (house.output / "wbias.fits").samefile(house.output / newer.path)
    assert (house.output / older.path).is_file()
    assert house.ledger.names("") == {"wbias.fits": newer.id}


def test_a_name_that_no_set_has_any_more_is_removed(house: House) -> None:
    bias, flat = house.build("a"), house.build("f", Kind.FLAT)
    house.keep(Plan(sets=(*planned(bias).sets, *planned(flat).sets)))
    assert (house.output / "wflat.fits").exists()
    house.keep(planned(bias))
    assert not (house.output / "wflat.fits").exists()
    assert (house.output / flat.path).is_file()
    assert house.ledger.names("") == {"wbias.fits": bias.id}


def test_a_master_whose_raw_frames_are_gone_keeps_its_name(house: House) -> None:
    master = house.build("a")
    house.keep(planned(master))
    house.keep(Plan(kept=(master,)))
    assert (house.output / "wbias.fits").samefile(house.output / master.path)


def test_a_name_that_somebody_deleted_is_given_again(house: House) -> None:
    master = house.build("a")
    house.keep(planned(master))
    (house.output / "wbias.fits").unlink()
    house.keep(planned(master))
    assert (house.output / "wbias.fits").samefile(house.output / master.path)


def test_an_observers_own_file_keeps_its_name_and_that_is_said_once(house: House) -> None:
    (house.output / "n").mkdir()
    theirs = house.output / "n" / "wbias.fits"
    theirs.write_bytes(NOBODYS)
    master = house.build("a", folder="n")
    for _ in range(2):
        house.keep(planned(master), "n")
    assert theirs.read_bytes() == NOBODYS
    assert house.ledger.names("n") == {}
    assert told(house.log) == [("master.name_taken", "warning")]
    assert house.log[0]["file"] == "n/wbias.fits"
    theirs.unlink()
    house.keep(planned(master), "n")
    assert theirs.samefile(house.output / master.path)


def test_a_file_that_took_the_place_of_a_name_of_ours_is_not_removed(house: House) -> None:
    house.keep(planned(house.build("a")))
    plain = house.output / "wbias.fits"
    plain.unlink()
    plain.write_bytes(NOBODYS)
    house.keep(Plan())
    assert plain.read_bytes() == NOBODYS


def test_a_master_whose_file_is_gone_is_forgotten_so_that_it_is_built_again(house: House) -> None:
    master = a_master("a" * 16)
    house.ledger.set_master(master, STATISTICS, EVENING)
    house.ledger.set_in_use("", [master.id])
    house.keep(planned(master))
    assert not (house.output / "wbias.fits").exists()
    note = house.output / ".tapewatch" / "where.json"
    note.rename(house.output / "elsewhere")
    for action in (house.keeper.forget_lost, lambda: house.keeper.write("")):
        with pytest.raises(OutputError, match="is it unmounted"):
            action()
    assert len(house.ledger.masters()) == 1
    (house.output / "elsewhere").rename(note)
    house.keeper.forget_lost()
    assert house.ledger.masters() == ()
    assert told(house.log) == [("master.lost", "warning")]


def test_each_set_has_a_list_in_order_and_objects_and_others_have_one(house: House) -> None:
    for place, name in ((2, "b.fits"), (1, "c.fits")):
        finish(house.ledger, a_frame(f"n/{name}", start=EVENING + place), f"n/w{name}")
    house.ledger.set_state("n/focus.fits", State.REJECTED, "no type", an_identity(), EVENING)
    sets = (a_set("wbias", "n/z.fits", "n/a.fits"), a_set("wflatR", "n/flat.fits"))
    house.keep(Plan(sets=sets), "n")
    assert house.lists("n") == {
        "wbias": ["z.fits", "a.fits"],
        "wflatR": ["flat.fits"],
        "wobj": ["c.fits", "b.fits"],
        "others": ["focus.fits"],
    }
    assert house.lists() == {}
    assert (house.output / "n" / "wobj.list").read_bytes() == b"c.fits\nb.fits\n"


@pytest.mark.parametrize("name", ["two words.fits", "a#b.fits", "tab\there.fits", "line\n.fits"])
def test_a_name_that_tape_would_cut_is_left_out_with_a_word(house: House, name: str) -> None:
    finish(house.ledger, a_frame(f"n/{name}"), f"n/w{name}")
    finish(house.ledger, a_frame("n/fits.fits"), "n/wfits.fits")
    for _ in range(2):
        house.keep(Plan(), "n")
    assert house.lists("n") == {"wobj": ["fits.fits"]}
    assert told(house.log) == [("list.name_unfit", "warning")]
    assert house.log[0]["file"] == f"n/{name}"


def test_lists_of_sets_that_are_no_more_are_removed(house: House) -> None:
    house.keep(Plan(sets=(a_set("wbias", "a.fits"), a_set("wdark60s", "d.fits"))))
    house.keep(Plan(sets=(a_set("wdark60s", "d.fits"),)))
    assert house.lists() == {"wdark60s": ["d.fits"]}
    house.keep(Plan())
    assert house.lists() == {}


def test_a_list_whose_last_product_is_gone_is_empty(house: House) -> None:
    finish(house.ledger, a_frame("x.fits"), "wx.fits")
    house.keep(Plan())
    house.ledger.forget_product("x.fits")
    house.keep(Plan())
    assert house.lists() == {"wobj": []}


def test_products_made_since_the_plan_come_into_the_list(house: House) -> None:
    house.keep(Plan(sets=(a_set("wbias", "a.fits"),)))
    finish(house.ledger, a_frame("x.fits"), "wx.fits")
    house.keeper.touch("")
    house.write()
    assert house.lists() == {"wbias": ["a.fits"], "wobj": ["x.fits"]}


def test_lists_that_say_the_same_are_not_written_again(house: House) -> None:
    plan = Plan(sets=(a_set("wbias", "a.fits"),))
    house.keep(plan)
    before = stamp_of(house.output / "wbias.list")
    house.keep(plan)
    assert stamp_of(house.output / "wbias.list") == before


def test_nothing_is_made_in_a_folder_of_which_there_is_nothing_to_say(house: House) -> None:
    house.keep(Plan(), "n")
    assert not (house.output / "n").exists()
