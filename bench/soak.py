"""A long season through one daemon: what grows, what is lost, whether it slows down.

Small frames of many nights are written one after another, as fast as the daemon takes them: at most
a few are on their way at a time, by its log. Its memory is capped. Every so many frames it is
looked at from outside; at the end each frame's state is asked for, and some nights' products are
compared with the notebook's arithmetic. Ends with exit code 1 where a criterion fails.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from astropy.io import fits

import notebook
from daemon_process import Daemon, running
from measuring import command_of, environment, machine, tree_of, write_parameters
from memory_cap import Cap, capped
from season import OF_A_NIGHT, SIZES, SeasonFrame, season

_ON_THEIR_WAY = 40  # frames that are written and not yet answered, at most
_SAMPLES = 20  # looks at the daemon, at equal distances
_WARM = 4  # of them, before which nothing is judged: caches fill
_QUIET = 3.0  # seconds without a line in the log
_PATIENCE = 600.0  # seconds for what is left to do at the end
_PAGE = os.sysconf("SC_PAGE_SIZE") / 1e6
_TICK = os.sysconf("SC_CLK_TCK")
_SLOWER = 1.5  # times the processor time of a frame in the beginning
_IDLE = 0.05  # of a core
_ENOUGH = 2000  # frames of which growth can be told from warming up

# The first of these lines that names a frame answers it.
_ANSWERS = ("measured", "calibrated", "rejected", "failed", "stalled", "waiting", "vanished")


@dataclass(frozen=True, slots=True)
class Look:
    """What the daemon looks like from outside, after so many frames."""

    frames: int
    seconds: float
    cpu: float  # seconds that daemon, fork server and workers have taken
    daemon: float  # MB of resident memory, as the next two
    fork_server: float
    workers: float
    descriptors: int
    threads: int
    ledger: float  # MB
    wal: float  # MB
    log: float  # MB

    @property
    def memory(self) -> float:
        """MB of resident memory of all processes, those pages counted twice that they share."""
        return self.daemon + self.fork_server + self.workers


@dataclass(frozen=True, slots=True)
class Criterion:
    """What must hold, and what was found; None where too few frames came to judge it."""

    what: str
    holds: bool | None
    found: str


class Soak:
    """A season's folder and the daemon that watches it."""

    def __init__(self, place: Path, size: int) -> None:
        self.folder = place / "season"
        self.folder.mkdir()
        self.state, self.log = place / "state.sqlite", place / "log.jsonl"
        self.parameters = write_parameters(
            self.folder, **SIZES, SETQUIET=5, STATEFILE=self.state, JSONLOG=self.log
        )
        self.events: Counter[str] = Counter()
        self.provisional = self.again = 0
        self._size = size
        self._answered: set[str] = set()
        self._began = time.perf_counter()

    def stream(self, daemon: Daemon, frames: int) -> list[Look]:
        """Write frames as the daemon takes them; give a look at it every so many."""
        looks, every = [], max(frames // _SAMPLES, 1)
        for count, frame in enumerate(season(frames), 1):
            while count - len(self._answered) > (1 if frame.at_dawn else _ON_THEIR_WAY):
                if not self._read(daemon, 120.0):
                    raise TimeoutError("the daemon has said nothing for two minutes")
            self._write(frame)
            if count % every == 0:
                looks.append(self.look(daemon, count))
                print(_row(looks[-1]), flush=True)
        return looks

    def finish(self, daemon: Daemon) -> None:
        """Wait until there is nothing left to do, or for as long as that may take."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            while self._read(daemon, _QUIET):
                pass
            counts = self.status()["counts"]
            if not counts.keys() & {"seen", "settling", "waiting", "stale"}:
                return

    def status(self) -> dict[str, dict[str, int]]:
        """Give what ``status --json`` says."""
        command = command_of("status", "--json", "--par", self.parameters)
        told = subprocess.run(command, check=True, capture_output=True, env=environment()).stdout
        answer: dict[str, dict[str, int]] = json.loads(told)
        return answer

    def look(self, daemon: Daemon, frames: int) -> Look:
        """Look at the daemon's processes and files."""
        resident = {"daemon": 0.0, "fork server": 0.0, "workers": 0.0}
        cpu = 0.0
        for process in tree_of(daemon.id):
            try:
                pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
                numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
            parent, user, system = (int(numbers[place]) for place in (1, 11, 12))
            cpu += (user + system) / _TICK
            # With the fork server its tracker of resources is counted; workers are its children.
            served = "fork server" if parent == daemon.id else "workers"
            resident["daemon" if process == daemon.id else served] += pages * _PAGE
        own = Path(f"/proc/{daemon.id}")
        return Look(
            frames=frames,
            seconds=time.perf_counter() - self._began,
            cpu=cpu,
            daemon=resident["daemon"],
            fork_server=resident["fork server"],
            workers=resident["workers"],
            descriptors=len(list((own / "fd").iterdir())),
            threads=len(list((own / "task").iterdir())),
            ledger=_megabytes(self.state),
            wal=_megabytes(self.state.with_name(f"{self.state.name}-wal")),
            log=_megabytes(self.log),
        )

    def idle_share(self, daemon: Daemon, seconds: float) -> float:
        """Give the part of one core that all processes take while nothing happens."""
        before = self.look(daemon, 0)
        time.sleep(seconds)
        after = self.look(daemon, 0)
        return (after.cpu - before.cpu) / (after.seconds - before.seconds)

    def wrong_pixels(self, frames: int) -> tuple[int, int]:
        """Compare the products of every tenth night; give how many, and pixels that differ."""
        compared = wrong = 0
        nights = range(0, frames // OF_A_NIGHT, max(frames // OF_A_NIGHT // 10, 1))
        for night in nights:
            folder = self.folder / f"night-{night + 1:03}"
            raws = [one for one in folder.glob("*.fits") if one.name[0] in "bdfo"]
            for name, expected in notebook.process(raws).products.items():
                found = fits.getdata(folder / name).astype("f4")
                same = (found == expected) | (np.isnan(found) & ~np.isfinite(expected))
                wrong += int((~same).sum())
                compared += 1
        return compared, wrong

    def _write(self, frame: SeasonFrame) -> None:
        (self.folder / frame.night).mkdir(exist_ok=True)
        (self.folder / frame.path).write_bytes(frame.file(self._size))

    def _read(self, daemon: Daemon, patience: float) -> bool:
        """Take note of the log's next line; tell whether there was one."""
        line = daemon.next_line(patience)
        if line is None:
            return False
        event = str(line["event"])
        self.events[event] += 1
        self.provisional += "provisional/" in str(line.get("product", ""))
        self.again += line.get("again") is True
        if event.startswith("frame.") and event.removeprefix("frame.") in _ANSWERS:
            self._answered.add(str(line["file"]))
        return True


def slope(frames: Sequence[float], values: Sequence[float]) -> float:
    """Give by how much something grows with 1,000 frames: the straight line that fits best."""
    return float(np.polyfit(np.asarray(frames) / 1000, values, 1)[0])


def judge_growth(looks: Sequence[Look]) -> Iterator[Criterion]:
    """Judge what must not grow, or by so much a frame at most.

    The daemon keeps of each file what it was when it was looked at, packed, of each master what it
    is, of each night its lists: 1 kB a frame at most.
    """
    warm, last = looks[_WARM:], looks[-1]
    enough = last.frames >= _ENOUGH
    counts = [one.frames for one in warm]
    for what, values, most in (
        ("of the daemon", [one.daemon for one in warm], 1.0),
        ("of all processes", [one.memory for one in warm], 1.5),
    ):
        grows = slope(counts, values)
        yield Criterion(
            f"resident memory {what}: grows by less than {most:g} MB with 1,000 frames",
            grows < most if enough else None,
            f"{grows:+.2f} MB",
        )
    early, late = _cost(looks[_WARM - 1 : 2 * _WARM]), _cost(looks[-_WARM - 1 :])
    yield Criterion(
        f"processor time of a frame: less than {_SLOWER:g} times as much at the end",
        late < _SLOWER * early if enough else None,
        f"{1000 * early:.1f} ms in the beginning, {1000 * late:.1f} ms at the end",
    )
    first = looks[: _WARM + 1]
    descriptors = max(one.descriptors for one in first), max(one.descriptors for one in warm)
    threads = max(one.threads for one in first), max(one.threads for one in warm)
    for what, (before, after), more in (
        ("open files", descriptors, 8),  # some are open for a moment
        ("threads", threads, 1),
    ):
        yield Criterion(
            f"{what}: {more} more at most", after <= before + more, f"{before}, {after}"
        )
    for what, found, most, unit in (
        ("state file, a frame", 1e6 * last.ledger / last.frames, 8000.0, "bytes"),
        ("log, a frame", 1e6 * last.log / last.frames, 4000.0, "bytes"),
        ("write-ahead log of the state file", max(one.wal for one in looks), 16.0, "MB"),
    ):
        yield Criterion(f"{what}: less than {most:g} {unit}", found < most, f"{found:.4g} {unit}")


def judge_outcome(soak: Soak, frames: int, cap: Cap) -> Iterator[Criterion]:
    """Judge what became of the frames."""
    answer = soak.status()
    counts = answer["counts"]
    known = {str(one["file"]) for one in answer["frames"]}  # type: ignore[index]
    lost = [one.path for one in season(frames) if one.path not in known]
    mute = sum(not one["reason"] for one in answer["frames"])  # type: ignore[index]
    yield Criterion("no frame is lost", not lost, f"{len(lost)} of {frames} lost {lost[:3]}")
    yield Criterion("each state has its reason", not mute, f"{mute} without")
    done = counts.get("done", 0)
    yield Criterion("each frame is done", done == frames, json.dumps(counts))
    compared, wrong = soak.wrong_pixels(frames)
    yield Criterion(
        "products equal the notebook's, pixel by pixel",
        compared > 0 and not wrong,
        f"{wrong} pixels of {compared} products differ",
    )
    yield Criterion(
        "the season had provisional products and work done anew",
        bool(soak.provisional and soak.again),
        f"{soak.provisional} provisional, {soak.again} made anew",
    )
    odd = {name: count for name, count in soak.events.items() if name in _UNWANTED}
    yield Criterion("the log tells of no trouble", not odd, json.dumps(odd))
    killed = cap.kills()
    yield Criterion("the memory cap ended no process", not killed, f"{killed}")


_UNWANTED = frozenset(
    {
        *("job.retry", "frame.failed", "frame.rejected", "master.failed", "master.lost"),
        *("product.lost", "service.degraded", "watch.degraded", "watch.problem", "ledger.lost"),
    }
)


def _cost(looks: Sequence[Look]) -> float:
    """Give the processor time of a frame between the first look and the last, seconds."""
    first, last = looks[0], looks[-1]
    return (last.cpu - first.cpu) / max(last.frames - first.frames, 1)


def _megabytes(file: Path) -> float:
    try:
        return file.stat().st_size / 1e6
    except FileNotFoundError:
        return 0.0


_COLUMNS = tuple(one.name for one in fields(Look))


def _row(look: Look) -> str:
    return "  ".join(f"{getattr(look, name):{len(name)}.4g}" for name in _COLUMNS)


def main() -> int:
    """Soak, print the curve and what was found; 1 where a criterion fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--size", type=int, default=32, help="pixels of a side")
    parser.add_argument("--cap", type=int, default=512, help="MB that all processes may take")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to watch it idle")
    parser.add_argument("--dir", type=Path, help="folder to work in (default: for temporary files)")
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the daemon, too
    print(f"{options.frames} frames of {options.size}x{options.size}; {machine()}")
    with (
        tempfile.TemporaryDirectory(prefix="tapewatch-soak-", dir=options.dir) as place,
        capped(options.cap) as cap,
    ):
        print(f"memory capped at {options.cap} MB by {cap.means}")
        looks, criteria = _soak(Path(place), options, cap)
    for one in criteria:
        mark = {True: "holds", False: "FAILS", None: "too few frames"}[one.holds]
        print(f"{mark}: {one.what}: {one.found}")
    if options.json is not None:
        figures = {
            "looks": [asdict(one) for one in looks],
            "criteria": [asdict(c) for c in criteria],
        }
        options.json.write_text(json.dumps(figures))
    return int(any(one.holds is False for one in criteria))


def _soak(place: Path, options: argparse.Namespace, cap: Cap) -> tuple[list[Look], list[Criterion]]:
    soak = Soak(place, options.size)
    print("  ".join(_COLUMNS))
    with running(soak.parameters, cap.prefix) as daemon:
        looks = soak.stream(daemon, options.frames)
        soak.finish(daemon)
        print(f"{_row(soak.look(daemon, options.frames))}  at the end")
        share = soak.idle_share(daemon, options.idle)
        criteria = [*judge_growth(looks), *judge_outcome(soak, options.frames, cap)]
    idle = Criterion(f"idle: less than {_IDLE:.0%} of a core", share < _IDLE, f"{share:.1%}")
    if (peak := cap.peak()) is not None:
        print(f"the group took {peak:.0f} MB at most, page cache included")
    print(f"lines of the log: {json.dumps(dict(soak.events.most_common()))}")
    return looks, [*criteria, idle]


if __name__ == "__main__":
    sys.exit(main())
