"""The service within the test's own process: its loop turned by hand, its jobs done at once."""

import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from structlog.typing import EventDict

from support_frames import write_raw, write_set
from support_ledger import captured_log, parameters
from tapewatch.errors import TapewatchError
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.jobs.perform import perform
from tapewatch.ledger import Ledger
from tapewatch.model import Job, Report, Workplace
from tapewatch.service import loop
from tapewatch.service.claim import claim
from tapewatch.service.loop import Service
from tapewatch.service.statefile import StateFile
from tapewatch.whereabouts import find

Result = TypeVar("Result")

# No time passes between the turns of a test: what waits for time has to be asked for.
KEYS = {
    "SETTLE": 0,
    "SETQUIET": 0,
    "RESCAN": 1,
    "NBIAS": 2,
    "NDARK": 2,
    "NFLAT": 2,
    "WATCH": "poll",
}
_PATIENCE = 20.0  # seconds until a test gives up: far more than its jobs need


def write_calibrations(folder: Path) -> None:
    """Write a complete set of each kind."""
    for kind in ("bias", "dark", "flat"):
        write_set(folder, kind, 2)


def write_objects(folder: Path, *names: str) -> None:
    """Write object frames, a minute apart in this order, no two alike."""
    for number, name in enumerate(names):
        level = 2000 + zlib.crc32(name.encode()) % 40000
        write_raw(folder / name, level, DATE_OBS=f"2026-03-25T18:0{number}:00")


def done(function: Callable[..., Result], *arguments: object) -> Future[Result]:
    """Call a function at once; give what became of it as a worker would."""
    future: Future[Result] = Future()
    try:
        future.set_result(function(*arguments))
    except (TapewatchError, OSError) as error:
        future.set_exception(error)
    return future


class _Workers:
    """Does each job the moment it is handed out, and lets the loop find it done."""

    count = 1

    def __init__(self, count: int, place: Workplace) -> None:
        del count
        self._place = place

    def start(self, job: Job, attempt: str) -> Future[Report]:
        """Do a job."""
        return done(perform, job, self._place, attempt)

    def inspect(self, path: Path) -> Future[Inspection]:
        """Look into a file."""
        return done(inspect, path)

    def warm_up(self) -> None:
        """Be there."""

    def stop(self) -> None:
        """Have nothing left to do."""


class Station:
    """A service that works on a folder, one look at a time."""

    def __init__(self, folder: Path, service: Service, lines: list[EventDict]) -> None:
        self.folder = folder
        self.service = service
        self.lines = lines

    @property
    def ledger(self) -> Ledger:
        """What the service knows."""
        return self.service._ledger

    @property
    def output(self) -> Path:
        """Where products go."""
        return self.service._parameters.output

    def look(self) -> None:
        """Search the folder once, as every RESCAN seconds, and do all that follows from it."""
        self.service._lookout.scan_soon()
        self.service._foreman.outages.try_again()  # no later than a search begins
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up:
            self.service._wake.clear()
            self.turn()
            if not self.service._foreman.working:
                return
            self.service._wake.wait(self.service._time_to_wait())
        raise AssertionError(f"work without end: {self.lines[-5:]}")

    def turn(self) -> None:
        """Turn the loop once."""
        foreman = self.service._foreman
        with self.ledger.batch():
            chosen = self.service._next_jobs()
        foreman.hand_out(chosen)
        foreman.tidy(finish=self.service._finishing)

    def states(self) -> dict[str, str]:
        """Give the state of every frame known."""
        return {record.path: str(record.state) for record in self.ledger.frames()}

    def reason(self, path: str) -> str:
        """Give the reason of a frame's state."""
        (record,) = self.ledger.frames(path)
        return record.reason

    def objects(self, folder: str = "") -> list[str]:
        """Give what ``wobj.list`` of a folder names."""
        return (self.output / folder / "wobj.list").read_text().splitlines()

    def events(self, *names: str) -> list[str]:
        """Give the events of these names, as they came."""
        return [line["event"] for line in self.lines if line["event"] in names]

    def trouble(self) -> str:
        """Give what ``status`` says to be wrong."""
        return self.ledger.note("trouble") or self.ledger.note("output_trouble")


@contextmanager
def station(folder: Path, **keys: object) -> Iterator[Station]:
    """Start a service on a folder, ``run`` or (`once`); the first look has not been taken yet."""
    once = bool(keys.pop("once", False))
    folder.mkdir(parents=True, exist_ok=True)
    read = parameters(folder, **{**KEYS, **keys})
    log, lines = captured_log()
    with (
        patch.object(loop, "Workers", _Workers),
        patch.object(loop, "configure", lambda **_: log),
        ExitStack() as stack,
    ):
        service = Service(read, once=once)
        was_there = find(read) is not None
        where = stack.enter_context(claim(read))
        service._term = where.term
        service._tell_the_start(where)
        state_file = StateFile(Path(where.state), log)
        service._start(stack, state_file, was_there=was_there)
        yield Station(folder, service, lines)


def work_once(folder: Path, **keys: object) -> tuple[int, list[EventDict]]:
    """Do what ``tapewatch once`` does; give its exit code and the lines of its log."""
    read = parameters(folder, **{**KEYS, **keys})
    log, lines = captured_log()
    with (
        patch.object(loop, "Workers", _Workers),
        patch.object(loop, "configure", lambda **_: log),
    ):
        return Service(read, once=True).run(), lines
