"""Files that a scan finds and no event named are counted: a watch that sees nothing is told of."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.typing import EventDict

from support_ledger import captured_log, parameters
from support_night import QUICK, running, take, tapewatch, write_par
from tapewatch.commands.simulate import Night
from tapewatch.errors import RetriableError
from tapewatch.ledger import Ledger
from tapewatch.service import lookout

Observed = tuple[lookout.Lookout, Ledger, list[EventDict]]

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
    """Thinks that all is well, or not, and says nothing."""

    is_armed = True

    def __init__(self) -> None:
        self.told: str | None = None
        self.armed = 0

    def trouble(self) -> str | None:
        """Say what the test wants."""
        return self.told

    def acknowledge_overflow(self) -> None:
        """Have had none."""

    def stop(self) -> None:
        """Be without effect."""

    def start(self) -> None:
        """Be well again."""
        self.armed += 1
        self.told = None


@pytest.fixture
def intake() -> _Intake:
    return _Intake()


@pytest.fixture
def watch() -> _Watch:
    return _Watch()


@pytest.fixture
def observed(tmp_path: Path, intake: _Intake, watch: _Watch) -> Iterator[Observed]:
    """Give a lookout that has searched once, its ledger, and the lines of its log."""
    log, lines = captured_log()
    looks: Any = intake
    with Ledger(tmp_path / "state.sqlite") as ledger:
        one = lookout.Lookout(parameters(tmp_path), looks, ledger, log, lambda: None)
        one._watch = cast("Any", watch)
        intake.found = {"backlog.fits": 0.0}  # from before the watch began
        one.scan()
        assert lines == []
        yield one, ledger, lines


def test_what_a_silent_watch_missed_is_counted_and_told_and_the_watch_set_anew(
    observed: Observed, intake: _Intake, watch: _Watch
) -> None:
    one, ledger, lines = observed
    intake.found = {"old.fits": time.time() - 60, "older.fits": 0.0, "new.fits": time.time()}
    one._hinted = {"older.fits"}
    one.scan()
    assert [(line["event"], line["count"], line["file"]) for line in lines] == [
        ("watch.missed", 1, "old.fits")  # one was hinted at, of one the event may be on its way
    ]
    assert watch.armed == 1
    intake.found = {"another.fits": 0.0}
    one.scan()
    assert ledger.note(lookout.FOUND_BY_SCAN) == "2"


def test_trouble_is_told_although_it_is_mended_at_once(
    observed: Observed, intake: _Intake, watch: _Watch
) -> None:
    """Events were lost; what they would have named is counted, and not told of twice."""
    one, ledger, lines = observed
    watch.told = "a thread of the watch has ended"
    intake.found = {"old.fits": 0.0}
    one.scan()
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("watch.degraded", "a thread of the watch has ended"),
        ("watch.restored", None),
    ]
    assert watch.armed == 1
    assert ledger.note(lookout.FOUND_BY_SCAN) == "1"
    assert ledger.note(lookout.TROUBLE) == ""


def test_how_new_files_are_noticed_is_noted(
    observed: Observed, watch: _Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise RetriableError("no inotify instances left")

    one, ledger, _ = observed
    assert ledger.note(lookout.BY) == "inotify"
    watch.told = "a thread of the watch has ended"
    with monkeypatch.context() as patched:
        patched.setattr(watch, "start", refuse)
        one.scan()
    assert ledger.note(lookout.BY) == "scan"
    assert ledger.note(lookout.TROUBLE) == "no inotify instances left"
    one.scan()
    assert ledger.note(lookout.BY) == "inotify"
    assert ledger.note(lookout.TROUBLE) == ""


def test_lost_events_have_the_folder_searched_at_once_but_not_all_the_time(
    observed: Observed, tmp_path: Path
) -> None:
    one, _, _ = observed
    one._earliest_scan = time.monotonic() + 5.0
    assert one.scan_in > 10.0
    one._hints = {tmp_path: False}
    assert one.take_hints() == set()
    assert 4.0 < one.scan_in < 5.0
