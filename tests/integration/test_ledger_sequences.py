"""Sequences found by index are those one sees in all frames; files of older schemas come along."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_ledger import EVENING, STATISTICS, a_frame, a_product, an_identity, finish, take
from support_planning import exposures
from tapewatch.errors import DamagedLedgerError, FatalError
from tapewatch.facts import GIVEN_UP
from tapewatch.ledger import Ledger, LedgerReader
from tapewatch.model import Content, Frame, Kind, Recipe, Report, State

HOUR = 3600.0
NEW_INDICES = (
    *("frames_by_content", "frames_by_series", "frames_alike", "frames_by_opening"),
    "frames_unread",
)
NEW_COLUMNS = ("gone", "series", "exptime", "temperature", "opens", "chain")


nights = st.lists(
    st.builds(
        a_frame,
        st.integers(0, 12).map(lambda number: f"{number % 2}/{number}.fits"),
        st.sampled_from((Kind.OBJECT, Kind.OBJECT, Kind.OBJECT, Kind.FLAT)),
        object=st.sampled_from(("M 13", "M 13", "M 92")),
        filter=st.sampled_from("RRV"),
        exptime=st.sampled_from((10.0, HOUR)),
        start=st.integers(0, 40).map(lambda halves: EVENING + halves * HOUR / 2),
    ),
    max_size=20,
)


@given(nights, st.lists(st.integers(0, 12), max_size=3))
@settings(max_examples=60)
def test_the_ledger_finds_the_sequences_that_all_frames_make_together(
    tmp_path_factory: pytest.TempPathFactory, frames: list[Frame], dropped: list[int]
) -> None:
    with Ledger(tmp_path_factory.mktemp("ledger") / "state.sqlite") as ledger:
        there = {}
        for one in frames:  # some come anew with another header
            take(ledger, one)
            there[one.path] = one
        for number in dropped:
            path = f"{number % 2}/{number}.fits"
            ledger.drop(path)
            there.pop(path, None)
        objects = [one for one in there.values() if one.kind is Kind.OBJECT]
        expected = [{one.path for one in group} for group in exposures(objects)]
        found = [one for folder in "01" for one in ledger.sequences(folder)]
        members = [frozenset(each.frame.path for each in ledger.members(one)) for one in found]
        assert sorted(map(sorted, members)) == sorted(map(sorted, expected))
        for sequence, paths in zip(found, members, strict=True):
            assert sum(one.frames for one in sequence.tallies) == len(paths)
            assert {ledger.sequence(path) for path in paths} == {sequence}


def test_a_sequence_is_summed_up_by_exposure_chain_and_state(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        for number, temperature in enumerate((-10.0, -12.0, None)):
            take(ledger, a_frame(f"{number}.fits", temperature=temperature))
        finish(ledger, a_frame("3.fits", start=EVENING + 60), "w3.fits")
        sequence = ledger.sequence("0.fits")
        assert sequence is not None
        assert (sequence.first, sequence.last) == (EVENING, EVENING + 60)
        assert sequence.ended == EVENING + 120
        fresh, done = sorted(sequence.tallies, key=lambda one: one.chain is not None)
        assert (fresh.frames, fresh.coldest, fresh.warmest) == (3, -12.0, -10.0)
        assert fresh.chain is None
        assert done.chain is not None
        assert (done.chain.bias, done.chain.dark, done.chain.flat) == ("b" * 16, "d" * 16, "f" * 16)


def test_a_provisional_product_counts_for_none(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        identity = take(ledger, a_frame("x.fits"))
        content = Content(identity, "data", "header")
        recipe = Recipe(bias="b" * 16, flags=("PROVISIONAL",))
        product = a_product("provisional/wx.fits", content, recipe)
        ledger.set_product("x.fits", Report(STATISTICS, content, product))
        (sequence,) = ledger.sequences("")
        assert [one.chain for one in sequence.tallies] == [None]


def test_of_a_raw_file_that_is_gone_only_the_product_counts(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        finish(ledger, a_frame("done.fits"), "wdone.fits")
        finish(ledger, a_frame("renamed.fits"), "wrenamed.fits")
        take(ledger, a_frame("undone.fits"))
        for path in ("done.fits", "renamed.fits", "undone.fits"):
            ledger.set_state(path, State.VANISHED, "gone", None, EVENING)
        content = Content(an_identity(), "data of renamed.fits", "header")
        ledger.set_frame(a_frame("anew.fits"), content.identity, "header", EVENING)
        ledger.set_content("anew.fits", Report(STATISTICS, content))
        (sequence,) = ledger.sequences("")
        assert {(one.gone, one.frames) for one in sequence.tallies} == {(True, 1), (False, 1)}


def of_the_first_schema(path: Path) -> None:
    """Make a state file as the first version wrote it."""
    with Ledger(path) as ledger:
        finish(ledger, a_frame("a.fits"), "wa.fits")
        finish(ledger, a_frame("b.fits", start=EVENING + HOUR), "wb.fits")
        finish(ledger, a_frame("c.fits", start=EVENING + 5 * HOUR), "wc.fits")
        ledger.set_state("gone.fits", State.VANISHED, "gone", None, EVENING)
        ledger.first_start(1234.5)
    with closing(sqlite3.connect(path)) as database:
        for view in ("object_frames", "all_frames"):
            database.execute(f"DROP VIEW {view}")
        for index in (
            "frames_by_content",
            "frames_by_series",
            "frames_alike",
            "frames_by_opening",
            "frames_unread",
            "frames_by_time",
            "frames_by_temperature",
        ):
            database.execute(f"DROP INDEX {index}")
        for column in NEW_COLUMNS:
            database.execute(f"ALTER TABLE frames DROP COLUMN {column}")
        database.execute("PRAGMA user_version = 1")
        database.commit()


def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    of_the_first_schema(path)
    with pytest.raises(FatalError, match="older tapewatch"):
        LedgerReader(path)
    with Ledger(path) as ledger:
        assert ledger.migrated == "the state file was brought from schema 1 to 4"
        assert ledger.first_start(9999.0) == 1234.5
        assert ledger.products() == {f"{name}.fits": f"w{name}.fits" for name in "abc"}
        sequences = ledger.sequences("")
        assert sorted(sum(each.frames for each in one.tallies) for one in sequences) == [1, 2]
        assert all(each.chain for one in sequences for each in one.tallies)
        assert ledger.frames("gone.fits")[0].state is State.VANISHED
        assert "gone.fits" not in dict(ledger.each_identity())
    with Ledger(path) as ledger:
        assert ledger.migrated == ""


def test_a_file_that_cannot_be_brought_up_to_date_is_damaged_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.sqlite"
    of_the_first_schema(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE frames SET frame = '{\"path\": 1}' WHERE path = 'a.fits'")
        database.commit()
    content = path.read_bytes()
    with pytest.raises(DamagedLedgerError, match="schema 1 cannot be brought up to date"):
        Ledger(path)
    assert path.read_bytes() == content


def test_masters_that_an_older_version_gave_up_stay_so_but_for_those_killed(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Ledger(path) as ledger:
        ledger.give_up_master("a" * 16, "it took too long (3 tries)", 3)
        for _ in range(3):
            ledger.begin_master("b" * 16)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 3")
    with Ledger(path) as ledger:
        assert ledger.failures(GIVEN_UP) == {"a" * 16: "it took too long (3 tries)"}
        assert ledger.begin_master("b" * 16) == GIVEN_UP
