"""The fence: what a worker of an earlier daemon has written takes nobody's place."""

import threading
from pathlib import Path

import numpy as np
import pytest

from support_jobs import JobFolder
from support_night import stamp_of
from tapewatch.errors import FolderTakenError, OutputError
from tapewatch.fitsfile.fence import begin_term, within_term
from tapewatch.jobs.perform import perform
from tapewatch.model import CalibrateFrame, Recipe, Treatment, Workplace
from tapewatch.whereabouts import FOLDER, NOTE


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """Give the folder in which daemons keep their things."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / NOTE).touch()
    return folder


def test_no_two_terms_are_the_same(own_folder: Path) -> None:
    assert len({begin_term(own_folder) for _ in range(50)}) == 50


def test_within_a_term_that_lasts_the_work_is_done(own_folder: Path) -> None:
    with within_term(own_folder, begin_term(own_folder)):
        pass


def test_within_a_term_that_is_over_nothing_is_done(own_folder: Path) -> None:
    first, second = begin_term(own_folder), begin_term(own_folder)
    with pytest.raises(FolderTakenError, match=second), within_term(own_folder, first):
        pytest.fail("the body was run")


def test_no_term_begins_while_something_is_renamed(own_folder: Path) -> None:
    first = begin_term(own_folder)
    begun = threading.Event()

    def begin() -> None:
        begin_term(own_folder)
        begun.set()

    successor = threading.Thread(target=begin)
    with within_term(own_folder, first), within_term(own_folder, first):  # two workers
        successor.start()
        assert not begun.wait(0.2)  # as long as it would take by far, were it let
    assert begun.wait(20)
    successor.join()


def test_an_orphans_product_does_not_take_the_place_of_its_successors(
    tmp_path: Path, own_folder: Path
) -> None:
    jobs = JobFolder(tmp_path)
    frame = jobs.frame("object", np.full((20, 30), 1000, np.uint16), 60.0)
    job = CalibrateFrame(frame, Recipe())
    orphans = begin_term(own_folder)
    successors = begin_term(own_folder)
    product = tmp_path / f"w{frame.path}"
    perform(job, Workplace(tmp_path, tmp_path, Treatment(), 0.0, successors), "1")
    made = stamp_of(product)
    with pytest.raises(FolderTakenError):
        perform(job, Workplace(tmp_path, tmp_path, Treatment(), 0.0, orphans), "1")
    assert stamp_of(product) == made
    assert not list(tmp_path.glob(".*.part"))


def test_nothing_is_made_where_the_output_folder_only_was(tmp_path: Path) -> None:
    jobs = JobFolder(tmp_path)
    frame = jobs.frame("object", np.full((20, 30), 1000, np.uint16), 60.0)
    away = tmp_path / "unmounted"
    place = Workplace(tmp_path, away, Treatment(), 0.0, "term")
    with pytest.raises(OutputError, match="is it unmounted"):
        perform(CalibrateFrame(frame, Recipe()), place, "1")
    assert not away.exists()
