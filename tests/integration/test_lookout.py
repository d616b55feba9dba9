"""Files that a scan finds and no event named are counted: a watch that sees nothing is told of."""

import time
from pathlib import Path
from typing import Any

import pytest

from support_ledger import captured_log, parameters
from support_night import QUICK, running, take, tapewatch, write_par
from tapewatch.commands.simulate import Night
from tapewatch.ledger import Ledger
from tapewatch.service import lookout

FEW = Night(shape=(24, 32), bias=2, darks=0, flats=0, objects=0)


@pytest.mark.parametrize(
    ("hint", "covered"),
    [
        ("night/x.fits", True),
        ("night", True),
        (".", True),
        ("nigh", False),
        ("night/x", False),
        ("night/y.fits", False),
    ],
)
def test_a_hint_covers_a_file_and_all_below_a_folder(hint: str, *, covered: bool) -> None:
    assert lookout._covers(hint, "night/x.fits") is covered


def test_what_events_told_of_is_not_counted(tmp_path: Path) -> None:
    par = write_par(tmp_path, **QUICK)
    with running(par) as daemon:
        take(tmp_path, FEW)
        daemon.wait_for("frame.measured", FEW.bias)
        assert daemon.stop() == 0
        assert daemon.events("watch.missed") == []
    assert '"found_by_scan": 0' in tapewatch("status", par, "--json").output


class _Intake:
    """Finds what it is told to find."""

    scan_seconds = 0.0

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def reconcile(self) -> set[str]:
        """Compare nothing with nothing."""
        return set()


class _Watch:
    """Thinks that all is well, and says nothing."""

    def trouble(self) -> None:
        """Have none."""


def test_what_a_silent_watch_missed_is_counted_and_told(tmp_path: Path) -> None:
    log, lines = captured_log()
    intake: Any = _Intake()
    watch: Any = _Watch()
    with Ledger(tmp_path / "state.sqlite") as ledger:
        one = lookout.Lookout(parameters(tmp_path), intake, ledger, log, lambda: None)
        one._watch = watch
        intake.found = {"backlog.fits": 0.0}  # from before the watch began
        one.scan()
        assert lines == []
        intake.found = {"old.fits": time.time() - 60, "older.fits": 0.0, "new.fits": time.time()}
        one._hinted = {"older.fits"}
        one.scan()
        assert [(line["event"], line["count"], line["file"]) for line in lines] == [
            ("watch.missed", 1, "old.fits")  # one was hinted at, of one the event may be on its way
        ]
        intake.found = {"another.fits": 0.0}
        one.scan()
        assert ledger.note(lookout.FOUND_BY_SCAN) == "2"
