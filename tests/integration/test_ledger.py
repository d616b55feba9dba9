"""The state file's rows: what is put in comes out again, and each question has its answer."""

from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_ledger import (
    EVENING,
    STATISTICS,
    a_frame,
    a_master,
    a_product,
    an_identity,
    finish,
    take,
)
from tapewatch.ledger import Ledger, rows
from tapewatch.model import (
    Content,
    Detector,
    Frame,
    Identity,
    Kind,
    Master,
    ObjectFrame,
    Product,
    Profile,
    Recipe,
    Report,
    State,
    Statistics,
)

# Text as a header or a file name may hold it: anything that is valid UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.floats(allow_nan=False)
FEW = settings(max_examples=10)  # where each example opens files and waits for the disk


def made(model: type[Any]) -> st.SearchStrategy[Any]:
    """Give instances of a dataclass with all fields drawn, also those that have defaults."""
    return st.builds(model, **{name: drawn(of) for name, of in get_type_hints(model).items()})


def drawn(of: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  (any type of a field)
    """Give values of a field's type."""
    if of in {str, float}:
        return TEXT if of is str else NUMBERS
    if is_dataclass(of):
        return made(cast("type[Any]", of))
    parts = get_args(of)
    if get_origin(of) is not tuple:
        return st.one_of(*map(drawn, parts)) if parts else st.from_type(of)
    if parts[-1] is ...:
        return st.lists(drawn(parts[0]), max_size=3).map(tuple)
    return st.tuples(*map(drawn, parts))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "state.sqlite") as opened:
        yield opened


@given(made(Frame))
def test_a_frame_survives_its_row(frame: Frame) -> None:
    assert rows.read_frame(rows.to_json(frame)) == frame


@given(made(Profile))
def test_a_profile_survives_its_row(profile: Profile) -> None:
    assert rows.read_profile(rows.to_json(profile)) == profile
    assert rows.read_profile(None) is None


@given(made(Master))
def test_a_master_survives_its_row(master: Master) -> None:
    assert rows.read_master(rows.to_json(master)) == master


@given(made(Product))
def test_a_product_survives_its_row(product: Product) -> None:
    assert rows.read_product(rows.to_json(product)) == product


@given(made(Statistics))
def test_statistics_survive_their_row(statistics: Statistics) -> None:
    assert rows.read_statistics(rows.to_json(statistics)) == statistics


@FEW
@given(made(Frame), made(Identity), made(Content), made(Product), NUMBERS)
def test_a_calibrated_frame_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    frame: Frame,
    identity: Identity,
    content: Content,
    product: Product,
    arrived: float,
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "state.sqlite"
    frame, content = replace(frame, kind=Kind.OBJECT), replace(content, identity=identity)
    with Ledger(path) as ledger:
        ledger.set_frame(frame, identity, "of the header", arrived)
        assert ledger.set_product(frame.path, Report(STATISTICS, content, product)) == arrived
    with Ledger(path) as ledger:
        (record,) = ledger.frames()
        seen = ledger.object_frame(frame.path)
        assert dict(ledger.each_identity()) == {frame.path: identity}
    assert (record.path, record.frame, record.product) == (frame.path, frame, product)
    assert (record.arrived, record.statistics) == (arrived, content.statistics)
    assert seen == ObjectFrame(frame, (content.data_hash, content.header_hash), product)


@FEW
@given(made(Master), made(Statistics), NUMBERS)
def test_a_master_survives_the_file_as_one_that_is_built(
    tmp_path_factory: pytest.TempPathFactory, master: Master, statistics: Statistics, now: float
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "state.sqlite"
    with Ledger(path) as ledger:
        ledger.set_master(master, statistics, now)
    with Ledger(path) as ledger:
        (record,) = ledger.masters()
    assert record.master == replace(master, built=True)
    assert (record.statistics, record.built_at, record.in_use) == (statistics, now, False)


def test_detector_settings_come_back_as_pairs(ledger: Ledger) -> None:
    detector = Detector("cam", (1, 2), (1, 1), (3, 4), (("GAIN", "100"), ("OFFSET", "10")))
    take(ledger, a_frame("x.fits", detector=detector))
    (record,) = ledger.frames()
    assert record.frame is not None
    assert record.frame.detector == detector
    assert hash(record.frame.detector) == hash(detector)


def test_the_time_of_the_first_start_is_kept(ledger: Ledger) -> None:
    assert ledger.first_start(1234.5678901) == 1234.5678901
    assert ledger.first_start(9999.0) == 1234.5678901


def test_a_note_is_replaced_and_an_absent_one_is_empty(ledger: Ledger) -> None:
    assert ledger.note("trouble") == ""
    ledger.set_note("trouble", "gone")
    ledger.set_note("trouble", "")
    assert ledger.note("trouble") == ""


def test_set_state_tells_whether_anything_changed(ledger: Ledger) -> None:
    identity = an_identity()
    assert ledger.set_state("x.fits", State.REJECTED, "no type", identity, 1.0)
    assert not ledger.set_state("x.fits", State.REJECTED, "no type", identity, 2.0)
    assert ledger.set_state("x.fits", State.REJECTED, "no filter", identity, 3.0)
    assert ledger.set_state("x.fits", State.REJECTED, "no filter", an_identity(), 4.0)
    assert ledger.set_state("x.fits", State.REJECTED, "no filter", None, 5.0)
    assert not ledger.set_state("x.fits", State.REJECTED, "no filter", None, 6.0)
    assert ledger.frames("x.fits")[0].arrived == 5.0


def test_a_frame_keeps_its_profile_until_its_file_changes(ledger: Ledger) -> None:
    frame, identity = a_frame("bias.fits", Kind.BIAS), an_identity()
    profile = Profile(300.0, 5.0, (0.0,) * 64)
    ledger.set_frame(frame, identity, "header", 1.0)
    content = Content(identity, "pixels", "header", STATISTICS, profile)
    ledger.set_content("bias.fits", Report(STATISTICS, content))
    (found,) = ledger.calibration_frames("")
    assert (found.data_hash, found.profile) == ("pixels", profile)
    ledger.set_frame(frame, replace(identity, mtime_ns=7), "header", 2.0)
    (found,) = ledger.calibration_frames("")
    assert (found.data_hash, found.profile) == (None, None)


def test_what_a_plan_left_out_of_a_set_is_planned_with_again(ledger: Ledger) -> None:
    names = ("bad.fits", "broken.fits", "good.fits")
    for name in names:
        take(ledger, a_frame(name, Kind.BIAS))

    def usable() -> set[str]:
        return {one.frame.path for one in ledger.calibration_frames("")}

    ledger.set_verdicts([("broken.fits", State.REJECTED, "no image")])
    ledger.set_verdicts([("bad.fits", State.REJECTED, "too bright")], planned=True)
    assert usable() == {"bad.fits", "good.fits"}
    assert ledger.others("") == ("bad.fits", "broken.fits")
    ledger.set_state("bad.fits", State.REJECTED, "no type", an_identity(), 1.0)
    assert usable() == {"good.fits"}


def test_set_verdicts_gives_the_frames_that_changed(ledger: Ledger) -> None:
    for name in ("a.fits", "b.fits", "c.fits"):
        take(ledger, a_frame(name))
    changed = ledger.set_verdicts(
        [
            ("a.fits", State.WAITING, "for a flat"),
            ("b.fits", State.SEEN, ""),
            ("unknown.fits", State.DONE, "never seen"),
        ]
    )
    assert changed == ["a.fits"]
    assert ledger.set_verdicts([("a.fits", State.WAITING, "for a flat")]) == []
    assert ledger.set_verdicts([("a.fits", State.WAITING, "for a dark")]) == ["a.fits"]
    assert ledger.counts() == {"waiting": 1, "seen": 2}
    assert {one.path for one in ledger.frames() if one.state is State.SEEN} == {"b.fits", "c.fits"}


def test_identities_come_folder_by_folder_and_none_of_what_is_looked_at_anew(
    ledger: Ledger,
) -> None:
    paths = ["n/a.fits", "b.fits", "n/deep/a.fits", "n/bad.fits", "c.fits", "n/left.fits"]
    for path in paths:
        take(ledger, a_frame(path))
    ledger.set_state("n/bad.fits", State.REJECTED, "no FITS", an_identity(), EVENING)
    ledger.set_state("pipe.fits", State.REJECTED, "a FIFO", None, EVENING)
    ledger.set_state("gone.fits", State.VANISHED, "its file is gone", None, EVENING)
    ledger.set_verdicts([("n/left.fits", State.REJECTED, "does not fit")], planned=True)
    known = list(ledger.each_identity(but=[State.REJECTED]))
    assert [path.rpartition("/")[0] for path, _ in known] == ["", "", "", "n", "n", "n", "n/deep"]
    assert {path for path, identity in known if identity is None} == {"n/bad.fits", "pipe.fits"}
    assert dict(known) | ledger.identities(["n/bad.fits"]) == {
        **ledger.identities([*paths, "gone.fits"]),
        "pipe.fits": None,
    }


def test_a_batch_is_one_transaction(ledger: Ledger) -> None:
    with Ledger(ledger.path) as other, ledger.batch():
        take(ledger, a_frame("a.fits"))
        take(ledger, a_frame("b.fits"))
        assert len(ledger.frames()) == 2
        assert other.frames() == ()
    assert len(ledger.frames()) == 2


def test_a_batch_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def fail() -> None:
        with ledger.batch():
            take(ledger, a_frame("a.fits"))
            with ledger.batch():
                take(ledger, a_frame("b.fits"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert ledger.frames() == ()
    take(ledger, a_frame("c.fits"))
    assert len(ledger.frames()) == 1


def test_an_inner_batch_does_not_end_the_outer_one(ledger: Ledger) -> None:
    with Ledger(ledger.path) as other, ledger.batch():
        with ledger.batch():
            take(ledger, a_frame("a.fits"))
        assert other.frames() == ()
    assert len(ledger.frames()) == 1


def test_tries_of_a_frame_are_counted_taken_back_and_forgotten_with_success(
    ledger: Ledger,
) -> None:
    frame = a_frame("a.fits", Kind.BIAS)
    identity = take(ledger, frame)
    assert [ledger.begin("a.fits"), ledger.begin("a.fits")] == [1, 2]
    ledger.take_back("a.fits")
    assert ledger.begin("a.fits") == 2
    assert ledger.frames("a.fits")[0].tries == 2
    ledger.set_content("a.fits", Report(STATISTICS, Content(identity, "data", "header")))
    assert ledger.frames("a.fits")[0].tries == 0
    ledger.take_back("a.fits")
    assert ledger.begin("a.fits") == 1


def test_tries_of_a_changed_file_count_from_the_start(ledger: Ledger) -> None:
    frame = a_frame("a.fits")
    take(ledger, frame)
    ledger.begin("a.fits")
    take(ledger, frame)
    assert ledger.begin("a.fits") == 1


def test_tries_of_a_master_are_counted_until_it_is_built(ledger: Ledger) -> None:
    master = a_master("a" * 16)
    assert [ledger.begin_master(master.id) for _ in range(3)] == [1, 2, 3]
    assert list(ledger.failures(3)) == [master.id]
    assert ledger.failures(4) == {}
    ledger.take_back_master(master.id)
    assert ledger.failures(3) == {}
    ledger.give_up_master(master.id, "its frames differ", 3)
    assert ledger.failures(3) == {master.id: "its frames differ"}
    ledger.set_master(master, STATISTICS, EVENING)
    assert ledger.failures(0) == {}


def test_content_read_from_another_file_than_the_one_known_is_not_taken(ledger: Ledger) -> None:
    frame = a_frame("a.fits", Kind.BIAS)
    read = take(ledger, frame)
    take(ledger, frame)  # it changed while it was being read
    ledger.set_content("a.fits", Report(STATISTICS, Content(read, "data", "header")))
    (member,) = ledger.calibration_frames("")
    assert member.data_hash is None


def test_object_frames_are_those_of_the_folder_that_wait(ledger: Ledger) -> None:
    for path in ("n/waits.fits", "n/rejected.fits", "n/failed.fits", "n/stalled.fits", "x.fits"):
        take(ledger, a_frame(path))
    take(ledger, a_frame("n/bias.fits", Kind.BIAS))
    finish(ledger, a_frame("n/done.fits"), "n/wdone.fits")
    ledger.set_verdicts(
        (f"n/{state}.fits", state, "so it is")
        for state in (State.REJECTED, State.FAILED, State.STALLED, State.DONE)
    )
    waiting = {one.frame.path for one in ledger.object_frames("n")}
    finished = {one.frame.path for one in ledger.object_frames("n", finished=True)}
    assert waiting == {"n/waits.fits"}
    assert finished == {"n/waits.fits", "n/done.fits"}
    assert ledger.object_frame("n/bias.fits") is None
    assert ledger.object_frame("n/rejected.fits") is None


def test_frames_whose_file_is_gone_are_not_planned(ledger: Ledger) -> None:
    for path, kind in (("gone.fits", Kind.OBJECT), ("bias.fits", Kind.BIAS)):
        take(ledger, a_frame(path, kind))
        ledger.set_state(path, State.DONE, "its own file is gone", None, EVENING)
    assert ledger.object_frames("", finished=True) == ()
    assert ledger.object_frame("gone.fits") is None
    assert ledger.calibration_frames("") == ()
    assert dict(ledger.each_identity()) == {}


def test_finished_objects_come_in_order_of_exposure(ledger: Ledger) -> None:
    for place, name in ((3, "a.fits"), (1, "c.fits"), (2, "b.fits.gz")):
        frame = a_frame(f"n/{name}", start=EVENING + place)
        finish(ledger, frame, f"n/w{name.removesuffix('.gz')}")
    take(ledger, a_frame("n/waits.fits"))
    finish(ledger, a_frame("elsewhere.fits"), "welsewhere.fits")
    assert ledger.finished_objects("n") == ("c.fits", "b.fits", "a.fits")
    ledger.forget_product("n/a.fits")
    assert ledger.finished_objects("n") == ("c.fits", "b.fits")
    assert ledger.products() == {
        "n/c.fits": "n/wc.fits",
        "n/b.fits.gz": "n/wb.fits",
        "elsewhere.fits": "welsewhere.fits",
    }


def test_others_are_the_rejected_files_of_a_folder(ledger: Ledger) -> None:
    for path in ("n/z.fits", "n/a.fits", "x.fits"):
        ledger.set_state(path, State.REJECTED, "no type", an_identity(), EVENING)
    ledger.set_state("n/stalled.fits", State.STALLED, "cut short", an_identity(), EVENING)
    assert ledger.others("n") == ("a.fits", "z.fits")


def test_frames_are_found_by_their_names_in_any_case(ledger: Ledger) -> None:
    for path in ("n/X.FITS", "n/x.fits.GZ", "n/y.fits", "m/x.fits"):
        take(ledger, a_frame(path))
    found = ledger.frames_named("n", ("x.fits", "x.fits.gz"))
    assert found == [("n/X.FITS", State.SEEN), ("n/x.fits.GZ", State.SEEN)]


def test_folders_are_told_by_kind(ledger: Ledger) -> None:
    take(ledger, a_frame("a/b/x.fits"))
    take(ledger, a_frame("bias.fits", Kind.BIAS))
    assert ledger.folders() == {"a/b", ""}
    assert ledger.folders(Kind.OBJECT) == {"a/b"}


def test_masters_in_use_are_those_last_named(ledger: Ledger) -> None:
    for master_id, start in (("b" * 16, 2.0), ("a" * 16, 1.0)):
        ledger.set_master(a_master(master_id, start=start), STATISTICS, EVENING)
    ledger.set_master(a_master("f" * 16, Kind.FLAT, start=0.0), STATISTICS, EVENING)
    assert ledger.set_in_use("", {"a" * 16, "f" * 16})
    assert not ledger.set_in_use("", {"f" * 16, "a" * 16})
    assert [(one.master.id[0], one.in_use) for one in ledger.masters()] == [
        ("a", True),
        ("b", False),
        ("f", True),
    ]
    ledger.forget_master("a" * 16)
    assert [one.master.id[0] for one in ledger.masters()] == ["b", "f"]


def test_plain_names_of_one_folder_are_replaced_together(ledger: Ledger) -> None:
    ledger.set_names("", {"wbias.fits": "a", "wflatR.fits": "b"})
    ledger.set_names("n", {"wbias.fits": "c"})
    ledger.set_names("", {"wbias.fits": "d"})
    assert ledger.names("") == {"wbias.fits": "d"}
    assert ledger.names("n") == {"wbias.fits": "c"}


def test_a_product_of_ours_is_forgotten_as_a_frame(ledger: Ledger) -> None:
    take(ledger, a_frame("x.fits"))
    ledger.drop("x.fits")
    assert ledger.frames() == ()


def test_a_recipe_keeps_its_flags_in_order(ledger: Ledger) -> None:
    identity = take(ledger, a_frame("x.fits"))
    content = Content(identity, "data", "header")
    recipe = Recipe("b", "d", "f", 0.1, ("SCALED", "AGED"), "p")
    product = a_product("wx.fits", content, recipe)
    ledger.set_product("x.fits", Report(STATISTICS, content, product))
    (record,) = ledger.frames("x.fits")
    assert record.product is not None
    assert record.product.recipe == recipe
