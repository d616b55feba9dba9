"""One more event with 10,000 frames in the ledger, and what `status` and `why` take then.

A state file is filled as the daemon fills it, without any pixels: masters, and object frames that
have their products. Then frames come one by one, and for each the time is taken that planning it
takes: reading the ledger, deciding, queueing, and writing what was decided. The commands run as
processes of their own.
"""

import argparse
import io
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from measuring import machine, percentile
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import (
    BuildMaster,
    CalibrateFrame,
    Content,
    Detector,
    Frame,
    Identity,
    Kind,
    MeasureFrame,
    Product,
    Report,
    Statistics,
)
from tapewatch.parameters import Parameters, read_parameters
from tapewatch.planning.names import product_path
from tapewatch.service.housekeeping import Housekeeping
from tapewatch.service.planner import Planner
from tapewatch.service.queue import Queue
from tapewatch.service.telling import Telling

_DETECTOR = Detector("benchmark", (2048, 2048), (1, 1))
_STATISTICS = Statistics(1000.0, 10.0, 2000.0, 900.0)
_CALIBRATIONS = {Kind.BIAS: 20, Kind.DARK: 20, Kind.FLAT: 20}
_BLOCK = 500  # frames that the daemon is told of at once, while the ledger is filled


class Desk:
    """A planner and its ledger, and nobody who does the work: a report is made up at once.

    Parameters
    ----------
    folder : Path
        Watched; no frame is in it.
    """

    def __init__(self, folder: Path) -> None:
        par = folder / "tape.par"
        par.write_text("WORKDIR .\nMINFREE 0\nSETQUIET 0\n", encoding="utf-8")
        self.parameters: Parameters = read_parameters(par)
        (folder / ".tapewatch").mkdir()
        self.ledger = Ledger(folder / ".tapewatch" / "state.sqlite")
        log: Log = structlog.wrap_logger(
            structlog.WriteLogger(io.StringIO()),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
        self.queue = Queue()
        self._number = 0
        self._ended = time.time()
        self.planner = Planner(
            self.parameters,
            self.ledger,
            Telling(log),
            self.queue,
            Housekeeping(folder, self.ledger, log),
            lambda _: False,
        )

    def come(self, frame: Frame) -> None:
        """Enter a frame as one that came whole."""
        self._number += 1
        identity = Identity(1, self._number, 8_000_000, self._number, self._number)
        self.ledger.set_frame(frame, identity, f"header {frame.path}", frame.start)

    def work(self) -> None:
        """Have all that is queued done, and planned once more."""
        while self.queue:
            changed = set()
            with self.ledger.batch():
                while (job := self.queue.pop(lambda _: True)) is not None:
                    changed.add(self._report(job))
            self.planner.plan(changed)

    def _report(self, job: BuildMaster | CalibrateFrame | MeasureFrame) -> str:
        if isinstance(job, BuildMaster):
            self.ledger.set_master(job.master, _STATISTICS, self._ended)
            return job.frames[0].path
        path = job.frame.path
        identity = self.ledger.identities([path])[path]
        content = Content(identity, f"pixels {path}", f"header {path}", _STATISTICS)
        if isinstance(job, MeasureFrame):
            self.ledger.set_content(path, Report(_STATISTICS, content))
            return path
        place = product_path(path, provisional=job.recipe.provisional)
        product = Product("0" * 16, place, content.data_hash, content.header_hash, job.recipe)
        self.ledger.set_product(path, Report(_STATISTICS, content, product, ended=self._ended))
        return path


def frames_of(folder: str, kind: Kind, count: int, first: float) -> Iterator[Frame]:
    """Describe frames of one kind, 40 s apart; object frames are of one sequence."""
    for number in range(count):
        start = first + 40 * number
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start))
        yield Frame(
            path=f"{folder}/{kind}-{number:05}.fits".lstrip("/"),
            kind=kind,
            detector=_DETECTOR,
            exptime=0.0 if kind is Kind.BIAS else 30.0,
            filter="R" if kind in {Kind.FLAT, Kind.OBJECT} else "none",
            date_obs=date,
            start=start,
            object="HAT-P-12b" if kind is Kind.OBJECT else "",
            temperature=-20.0,
        )


@contextmanager
def filled(folders: Sequence[str], of_a_folder: int, running: bool) -> Iterator[Desk]:
    """Fill a ledger with calibrated frames; the last sequence ends now, or ended long ago."""
    with tempfile.TemporaryDirectory() as place:
        desk = Desk(Path(place))
        calibrations = sum(_CALIBRATIONS.values())
        length = 40.0 * of_a_folder
        begin = time.time() - length - (0 if running else 10 * 86400)
        for folder in folders:
            for kind, count in _CALIBRATIONS.items():
                frames = list(frames_of(folder, kind, count, begin - 5000))
                with desk.ledger.batch():
                    for one in frames:
                        desk.come(one)
                desk.planner.plan({one.path for one in frames})
                desk.work()
            frames = list(frames_of(folder, Kind.OBJECT, of_a_folder - calibrations, begin))
            for first in range(0, len(frames), _BLOCK):
                block = frames[first : first + _BLOCK]
                with desk.ledger.batch():
                    for one in block:
                        desk.come(one)
                desk.planner.plan({one.path for one in block})
                desk.work()
        with desk.ledger:
            yield desk


def time_events(desk: Desk, folder: str, kind: Kind, events: int) -> tuple[list[float], int]:
    """Have frames come one by one; give ms of planning each, and how many frames were decided on.

    Each is planned as in the daemon: within one transaction.
    """
    before = desk.ledger.calibration_frames(folder) if kind is not Kind.OBJECT else ()
    last = [one.frame for one in before if one.frame.kind is kind]
    if kind is Kind.OBJECT:
        last = [one.frame for one in desk.ledger.object_frames(folder, finished=True)]
    latest = max(last, key=lambda one: one.start)
    times = []
    desk.planner.decided = 0
    for number in range(events):
        path = f"{folder}/more-{kind}-{number:05}.fits".lstrip("/")
        desk.come(replace(latest, path=path, start=latest.start + 40 * (number + 1)))
        desk.planner.rested()
        began = time.perf_counter()
        with desk.ledger.batch():
            desk.planner.plan({path})
        times.append(1e3 * (time.perf_counter() - began))
    return times, desk.planner.decided


def time_command(desk: Desk, *arguments: str) -> list[float]:
    """Run a command some times; give the seconds of each, Python's start included."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(
            [
                Path(sys.executable).with_name("tapewatch"),
                *arguments,
                "--par",
                str(desk.parameters.file),
            ],
            check=True,
            capture_output=True,
        )
        times.append(time.perf_counter() - began)
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--frames", type=int, default=10_000, help="in the ledger (%(default)s)")
    parser.add_argument("--events", type=int, default=50, help="of each kind (%(default)s)")
    options = parser.parse_args(arguments)
    print(machine())
    print("| | min | median | p95 | max | frames decided on |")
    print("|---|---|---|---|---|---|")
    for count in (1, 20):
        folders = [""] if count == 1 else [f"night-{number:02}" for number in range(count)]
        for running in (True, False):
            with filled(folders, options.frames // count, running) as desk:
                how = "goes on" if running else "ended long ago"
                for kind in (Kind.OBJECT, Kind.BIAS):
                    times, decided = time_events(desk, folders[-1], kind, options.events)
                    name = f"one more {kind}, {count} folders, sequence that {how}, ms"
                    row = (min(times), percentile(times, 50), percentile(times, 95), max(times))
                    print(f"| {name} | {' | '.join(f'{one:.1f}' for one in row)} | {decided} |")
                if running:
                    print_commands(desk, folders[-1], count)


def print_commands(desk: Desk, folder: str, count: int) -> None:
    """Print how long the commands take."""
    (desk.parameters.output / ".tapewatch" / "where.json").write_text(
        json.dumps(
            {
                "state": str(desk.ledger.path),
                "log": "",
                "pid": 1,
                "host": "benchmark",
                "started": time.time(),
            }
        ),
        encoding="utf-8",
    )
    frame = f"{folder}/object-00100.fits".lstrip("/")
    for words in (("status",), ("status", "--json"), ("why", frame)):
        times = time_command(desk, *words)
        row = (min(times), percentile(times, 50), percentile(times, 95), max(times))
        name = f"`{words[0]}{' --json' if '--json' in words else ''}`, {count} folders, s"
        print(f"| {name} | {' | '.join(f'{one:.2f}' for one in row)} | |")


if __name__ == "__main__":
    main()
