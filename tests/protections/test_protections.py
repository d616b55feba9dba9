"""Tests of tests: with a protection taken out, one of them fails.

Each protection is named with the promise that it keeps, the function that is it, what takes that
one's place (`sabotage.without`), and a test. The test is run twice, with the hook in place but
harmless, where it has to pass, and with the protection taken out, where it has to fail.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from support_sabotage import Harm, Sabotage

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 300.0  # seconds; many a test notices by waiting in vain
_PASSED, _FAILED = 0, 1  # exit codes of pytest


@dataclass(frozen=True)
class Protection:
    """What keeps a promise, and what tells when it does not.

    Parameters
    ----------
    promise : str
        Which one.
    target : str
        The function, as in `Harm`.
    without : str
        What takes its place.
    test : str
        Which test must fail then.
    """

    promise: str
    target: str
    without: str
    test: str


_STEPS = "faults/test_kills.py::test_killed_at_a_step_the_night_comes_out_the_same"
_DEAFNESS = "faults/test_deafness.py"
PROTECTIONS = {
    "written under another name": Protection(
        "no partial file under a final name",
        "tapewatch.fitsfile.atomic:_part_name",
        "in_place",
        f"{_STEPS}[part opened]",
    ),
    "durable before it is named": Protection(
        "no partial file under a final name",
        "os:fsync",
        "nothing",
        "faults/test_durability.py::test_a_product_is_on_disk_before_the_ledger_tells_of_it",
    ),
    "named before it is booked": Protection(
        "status is truthful",
        "tapewatch.fitsfile.atomic:put",
        "named_later",
        "faults/test_durability.py::test_a_product_is_on_disk_before_the_ledger_tells_of_it",
    ),
    "leftovers removed": Protection(
        "after a crash the backlog is caught up unaided",
        "tapewatch.fitsfile.atomic:remove_leftovers",
        "no_names",
        f"{_STEPS}[pixels half written]",
    ),
    "tries counted before work": Protection(
        "memory, time and tries are bounded",
        "tapewatch.ledger.writing:Ledger.begin",
        "first_try",
        "faults/test_workers.py::test_a_frame_that_kills_the_daemon_with_its_worker_is_given_up",
    ),
    "memory bounded": Protection(
        "memory, time and tries are bounded",
        "tapewatch.workers:bounded_memory",
        "free",
        "integration/test_crew.py"
        "::test_what_asks_for_more_memory_than_allowed_is_refused_and_the_worker_goes_on",
    ),
    "time bounded": Protection(
        "memory, time and tries are bounded",
        "tapewatch.service.crew:timeout_of",
        "a_year",
        "faults/test_workers.py::test_a_job_that_hangs_is_ended_and_tried_again",
    ),
    "lost products looked for": Protection(
        "status is truthful",
        "tapewatch.service.housekeeping:Housekeeping.forget_lost",
        "no_paths",
        "integration/test_troubles_output.py::test_a_product_that_was_deleted_is_made_again",
    ),
    "provisional products cleared up": Protection(
        "the result is always the same",
        "tapewatch.service.housekeeping:Housekeeping._remove_provisional",
        "nothing",
        f"{_STEPS}[provisional products to be removed]",
    ),
    "fenced by the term": Protection(
        "the result is always the same",
        "tapewatch.fitsfile.fence:within_term",
        "free",
        "integration/test_fence.py"
        "::test_an_orphans_product_does_not_take_the_place_of_its_successors",
    ),
    "workers end with the daemon": Protection(
        "one daemon per folder",
        "tapewatch.workers:_prepare_worker",
        "nothing",
        "faults/test_workers.py::test_a_worker_that_hangs_ends_with_the_daemon",
    ),
    "hung workers end with the daemon": Protection(
        "one daemon per folder",
        "tapewatch.forkserver:let_go",
        "nothing",
        "faults/test_workers.py::test_a_worker_that_hangs_ends_with_the_daemon",
    ),
    "the folder locked": Protection(
        "one daemon per folder",
        "fcntl:flock",
        "nothing",
        "end_to_end/test_stop.py::test_one_tapewatch_a_folder",
    ),
    "strangers' files kept": Protection(
        "raw frames are never touched",
        "tapewatch.fitsfile.ownership:require_own",
        "nothing",
        "integration/test_product.py::test_a_strangers_file_is_never_replaced",
    ),
    "the state file checked": Protection(
        "after a crash the backlog is caught up unaided",
        "tapewatch.ledger.writing:Ledger.check",
        "nothing",
        "integration/test_damaged_state.py"
        "::test_garbage_in_any_page_is_set_aside_or_changes_nothing",
    ),
    "the watched folder compared": Protection(
        "never silently deaf",
        "tapewatch.arrival.watch:Watch._trouble_of_root",
        "nothing",
        f"{_DEAFNESS}::test_a_root_in_trouble_is_told_and_watched_again[mounted over]",
    ),
    "refused watches told": Protection(
        "never silently deaf",
        "tapewatch.arrival.watch:Watch._trouble_of_events",
        "nothing",
        f"{_DEAFNESS}::test_subfolders_beyond_the_number_of_watches_are_searched_and_told",
    ),
    "the folder searched": Protection(
        "every complete frame is processed",
        "tapewatch.service.intake:Intake.reconcile",
        "no_paths",
        f"{_DEAFNESS}::test_where_no_watch_can_be_had_scans_find_all_until_there_is_one",
    ),
}


def _run(test: str, sabotage: Sabotage) -> tuple[int, str]:
    """Run a test within a sabotaged process; give pytest's exit code and what it printed."""
    options = ("-q", "-x", "-p", "no:cacheprovider", "-o", f"timeout={_PATIENCE:.0f}")
    # A file, not a pipe: what a test without its protection leaves behind would hold that open.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"tests/{test}"],
            cwd=ROOT,
            env={**sabotage.environment, "CI": "true"},
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=2 * _PATIENCE,
        )
        said.seek(0)
        return done.returncode, said.read()


@pytest.mark.timeout(4 * _PATIENCE)
@pytest.mark.skipif("SABOTAGE" in os.environ, reason="it is itself run within a sabotaged process")
@pytest.mark.parametrize("name", PROTECTIONS)
def test_without_a_protection_a_test_fails(name: str, tmp_path: Path) -> None:
    protection = PROTECTIONS[name]
    harmless = Sabotage(tmp_path / "harmless", Harm(protection.target, "nothing", "before", ()))
    assert _run(protection.test, harmless)[0] == _PASSED
    assert harmless.hits[0], "the test never comes to it"
    out = Sabotage(tmp_path / "out", Harm(protection.target, protection.without, "instead", ()))
    code, said = _run(protection.test, out)
    assert code == _FAILED, said[-2000:]
    assert out.hits[0]
