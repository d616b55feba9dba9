"""``tapewatch once`` is the notebook: the same pixels, names and lists, and idempotent."""

from pathlib import Path
from typing import NamedTuple

import pytest

import notebook
from support_night import (
    NIGHTS,
    Ended,
    assert_as_the_notebook,
    assert_whole,
    copy_frames,
    state_of,
    states_below,
    take,
    tapewatch,
    write_par,
)

SAMPLE = Path(__file__).resolve().parents[2] / "tape.par"


class Reduced(NamedTuple):
    """A folder after ``tapewatch once``."""

    folder: Path
    par: Path
    raws: list[Path]
    before: dict[Path, tuple[int, int, int, bytes]]
    ended: Ended


def reduce(par: Path, raws: list[Path]) -> Reduced:
    before = {path: state_of(path) for path in raws}
    return Reduced(par.parent, par, raws, before, tapewatch("once", par))


@pytest.fixture(scope="module", params=["arcsat", *NIGHTS])
def reduced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reduced:
    """Real frames, and simulated nights of even and odd sets, each with default parameters."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "arcsat":
        raws = copy_frames(request.getfixturevalue("arcsat"), folder)
    else:
        raws = take(folder, NIGHTS[request.param])
    return reduce(write_par(folder), raws)


def test_every_pixel_of_masters_and_products_is_the_notebooks(reduced: Reduced) -> None:
    assert reduced.ended.code == 0, reduced.ended.errors
    expected = assert_as_the_notebook(reduced.folder, reduced.raws)
    objects = [
        path for path in reduced.raws if notebook.type_of(notebook.read(path)[1]) == "object"
    ]
    assert len(expected.products) == len(objects) >= 8


def test_all_that_is_written_is_whole_and_nothing_else_is_left(reduced: Reduced) -> None:
    for path in [*reduced.folder.glob("w*.fit*"), *reduced.folder.glob("masters/*")]:
        assert_whole(path)
    assert not list(reduced.folder.rglob("*.part"))
    plain = {
        path.samefile(twin)
        for path in reduced.folder.glob("masters/*")
        for twin in [reduced.folder / f"{path.stem.rpartition('-')[0]}.fits"]
    }
    assert plain == {True}


def test_raw_frames_are_not_touched(reduced: Reduced) -> None:
    assert {path: state_of(path) for path in reduced.raws} == reduced.before


def test_the_log_has_one_line_for_each_frame_and_master(reduced: Reduced) -> None:
    expected = notebook.process(reduced.raws)
    calibrated = [line["product"] for line in reduced.ended.events("frame.calibrated")]
    assert sorted(calibrated) == sorted(expected.products)
    measured = [line["file"] for line in reduced.ended.events("frame.measured")]
    calibration = [
        name for stem, names in expected.lists.items() if stem != "wobj" for name in names
    ]
    assert sorted(measured) == sorted(calibration)
    assert len(reduced.ended.events("master.built")) == len(expected.masters)
    assert not [line for line in reduced.ended.lines if line["level"] != "info"]


def test_a_second_run_changes_nothing_and_says_so(reduced: Reduced) -> None:
    before = states_below(reduced.folder, "**/*.fit*") | states_below(reduced.folder, "*.list")
    again = tapewatch("once", reduced.par)
    assert again.code == 0
    assert [line["event"] for line in again.lines] == [
        "service.starting",
        "service.ready",
        "service.stopped",
    ]
    assert "nothing to do" in again.lines[-1]["reason"]
    after = states_below(reduced.folder, "**/*.fit*") | states_below(reduced.folder, "*.list")
    assert after == before


def test_tapes_own_parameters_change_no_pixel(arcsat: Path, tmp_path: Path) -> None:
    # The sample gives SATU, EGAIN, THRES and the site; the pixels are the notebook's all the same.
    raws = copy_frames(arcsat, tmp_path / "night")
    ended = tapewatch("once", SAMPLE, "--workdir", str(tmp_path / "night"))
    assert ended.code == 0, ended.errors
    assert_as_the_notebook(tmp_path / "night", raws)


def test_a_frame_that_comes_later_is_added_by_the_next_run(tmp_path: Path) -> None:
    raws = take(tmp_path, NIGHTS["tape"])
    late = raws[-3]
    content = late.read_bytes()
    late.unlink()
    par = write_par(tmp_path)
    assert tapewatch("once", par).code == 0
    before = states_below(tmp_path, "**/w*.fits")
    late.write_bytes(content)
    again = tapewatch("once", par)
    assert [line["file"] for line in again.events("frame.calibrated")] == [late.name]
    assert_as_the_notebook(tmp_path, raws)
    after = states_below(tmp_path, "**/w*.fits")
    assert {name: after[name] for name in before} == before
