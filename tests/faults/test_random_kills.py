"""SIGKILL at random moments of a night that streams in: it comes out as if nothing had happened.

A camera writes, some files by renaming, some in two pieces; meanwhile the daemon is killed time
and again: with all its processes, or alone, so that its workers are left behind, even stopped; or
only its workers, or the fork server, are. The disk is slow, so that much is under way. The moments
are drawn from the seed that the test's name tells. `make test-kills` does so a thousand times.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from support import eventually
from support_frames import write_raw
from support_night import COMMAND, ask, state_of, tapewatch, write_par
from support_processes import fork_servers, processes, workers
from support_results import (
    Results,
    assert_as_expected,
    assert_nothing_half_done,
    results_of,
)
from support_sabotage import Harm, Sabotage

KILLS_A_NIGHT = 8
KILLS = int(os.environ.get("KILLS", "200"))
FIRST_SEED = int(os.environ.get("SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + KILLS // KILLS_A_NIGHT)

_KEYS = {"SETTLE": 0.1, "SETQUIET": 0.3, "RESCAN": 0.5, "NBIAS": 3, "NDARK": 2, "NFLAT": 2}
_FROM_START = 0.05, 1.2  # seconds until a kill, from the start of the process
_FROM_READY = 0.0, 0.7  # or from when its log says that it is ready
_FROM_WRITING = 0.0, 0.15  # or from when an unfinished file is seen
_GIVEN_UP = "did not come back, 3 times"
_LONGEST_IDLE = 1.0
# Whom a kill hits, and how often.
_WHOM = {"all": 10, "daemon": 4, "daemon, a worker stopped": 2, "workers": 3, "fork server": 1}


@dataclass
class Camera:
    """Writes the frames of a night into a folder, in an order of its own.

    Parameters
    ----------
    source : Path
        Where they are.
    names : list of str
        Those to come, relative to the folder.
    folder : Path
        Where they go.
    """

    source: Path
    names: list[str]
    folder: Path
    written: dict[str, tuple[int, int, int, bytes]] = field(default_factory=dict)
    _half: str = ""

    def go_on(self, *, in_halves: bool) -> None:
        """Write one more file: at once, by renaming, or half of it, and the next time the rest."""
        if self._half:
            self._write_rest()
        elif self.names:
            name = self.names.pop()
            target, data = self.folder / name, (self.source / name).read_bytes()
            if in_halves:
                target.write_bytes(data[: len(data) // 2])
                self._half = name
            else:
                outside = self.folder.with_name("outside")
                outside.write_bytes(data)
                outside.replace(target)
                self.written[name] = state_of(target)

    def finish(self) -> None:
        """Write all that is left."""
        while self._half or self.names:
            self.go_on(in_halves=False)

    def _write_rest(self) -> None:
        target, data = self.folder / self._half, (self.source / self._half).read_bytes()
        with target.open("ab") as file:
            file.write(data[len(data) // 2 :])
        self.written[self._half] = state_of(target)
        self._half = ""


@dataclass(frozen=True)
class Night:
    """A night's raw frames, and what a clean run makes of them."""

    source: Path
    raws: frozenset[str]
    expected: Results


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    source = tmp_path_factory.mktemp("nights") / "source"
    _write_night(source)
    raws = frozenset(str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())
    clean = source.with_name("clean")
    shutil.copytree(source, clean)
    par = write_par(clean, **_KEYS)
    assert tapewatch("once", par).code == 0
    expected = results_of(par, raws)
    states = Counter(str(frame["state"]) for frame in expected.frames.values())
    assert states == {"done": len(raws) - 1, "rejected": 1}
    assert len(expected.products) == 2 * 5 + 9
    return Night(source, raws, expected)


def _write_night(folder: Path) -> None:
    """Write sets of each kind, objects of two filters and exposure times, and a bad file."""
    for number in range(3):
        time = f"2026-03-25T17:0{number}:00"
        write_raw(folder / f"bias-{number}.fits", 1000 + number, IMAGETYP="bias", DATE_OBS=time)
    for number in range(2):
        time = f"2026-03-25T17:1{number}:00"
        for exptime in (60.0, 120.0):
            name, level = f"dark-{exptime:.0f}-{number}.fits", 1100 + number + int(exptime)
            write_raw(folder / name, level, IMAGETYP="dark", EXPTIME=exptime, DATE_OBS=time)
        for filter_name in ("R", "V"):
            name, level = f"flat-{filter_name}-{number}.fits", 20000 + 100 * ord(filter_name)
            write_raw(
                folder / name,
                level + number,
                IMAGETYP="flat",
                EXPTIME=5.0,
                FILTER=filter_name,
                DATE_OBS=time,
            )
    for number in range(9):
        place = folder / "east" if number % 3 == 0 else folder
        name = f"object-{number}.fits{'.gz' if number % 4 == 0 else ''}"
        write_raw(
            place / name,
            2000 + 10 * number,
            DATE_OBS=f"2026-03-25T18:0{number}:00",
            EXPTIME=60.0 if number < 6 else 120.0,
            FILTER="R" if number < 7 else "V",
        )
    (folder / "no-frame.fits").write_text("this is no FITS file")


class Victim:
    """A daemon that will be killed.

    Parameters
    ----------
    par : Path
        Its tape.par.
    log : Path
        Where its log goes.
    environment : mapping of str to str
        Of the process.
    """

    def __init__(self, par: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [COMMAND, "run", "--par", str(par)],
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
                env=environment,
            )
        self._began = time.monotonic()
        self.group = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # or else it is dead, and what it left behind shall live on
            self._process.kill()
            self._process.wait(20)

    def is_ready(self) -> float:
        """Wait until it is ready; tell how many seconds after its start that was."""
        eventually(lambda: b"service.ready" in self._log.read_bytes())
        return self.age

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._began

    def live_until(self, moment: float) -> None:
        """Let it work until so many seconds after its start; it must not end by itself."""
        try:
            self._process.wait(max(moment - self.age, 0.0))
        except subprocess.TimeoutExpired:
            return
        pytest.fail(f"the daemon has ended, with code {self._process.returncode}")

    def live_until_it_writes(self, folder: Path, more: float) -> None:
        """Let it work until something is being written, and so many seconds more."""
        give_up = time.monotonic() + _LONGEST_IDLE
        while time.monotonic() < give_up and not list(folder.rglob("*.part")):
            self.live_until(self.age + 0.002)
        self.live_until(self.age + more)

    def kill(self, whom: str) -> None:
        """Kill whom the name says, as far as they are there; after this the daemon is dead."""
        if whom.endswith("stopped"):
            for worker in workers(self.group)[:1]:
                _signal(worker, signal.SIGSTOP)
        if whom == "all":
            os.killpg(self.group, signal.SIGKILL)
        self._process.kill()
        assert self._process.wait(20) == -signal.SIGKILL

    def kill_some(self, whom: str) -> int:
        """Kill workers, or the fork server; the daemon lives on. Tell how many there were."""
        found = workers(self.group) if whom == "workers" else fork_servers(self.group)
        for number in found:
            _signal(number, signal.SIGKILL)
        return len(found)


def _has_ended(group: int) -> bool:
    return not processes(group)


def _signal(number: int, what: signal.Signals) -> None:
    try:
        os.kill(number, what)
    except ProcessLookupError:
        return


@dataclass
class Campaign:
    """What all nights together have seen.

    Parameters
    ----------
    kills : Counter
        By whom they hit.
    seen : Counter
        What was found after them.
    nights : int
        How many have come out as they should.
    """

    kills: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    nights: int = 0

    def look(self, folder: Path) -> None:
        """Count what was under way in a folder when all was killed."""
        self.seen["unfinished files"] += len(list(folder.rglob("*.part")))
        self.seen["frames at work"] += _tried(folder / ".tapewatch" / "state.sqlite")

    @property
    def text(self) -> str:
        """All of it in lines."""
        whom = ", ".join(f"{number} of {name}" for name, number in self.kills.most_common())
        seen = ", ".join(f"{number} {what}" for what, number in self.seen.most_common())
        return f"{self.kills.total()} kills ({whom}) in {self.nights} nights: {seen or 'nothing'}"


def _tried(state: Path) -> int:
    """Count the frames whose try had begun, if the kill left the state file its tables at all."""
    if not state.exists():
        return 0
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as database:
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'frames'"
        if database.execute(tables).fetchone() == (0,):
            return 0
        (tried,) = database.execute("SELECT count(*) FROM frames WHERE tries > 0").fetchone()
    return int(tried)


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_that_is_killed_at_random_comes_out_the_same(
    night: Night, campaign: Campaign, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    folder = tmp_path / "night"
    (folder / "east").mkdir(parents=True)
    par = write_par(folder, **_KEYS)
    camera = Camera(night.source, chance.sample(sorted(night.raws), len(night.raws)), folder)
    slow_disk = Sabotage(tmp_path / "sabotage", Harm("os:fsync", "dawdle", calls=()))
    groups: list[int] = []
    kills = 0
    while kills < KILLS_A_NIGHT:
        victim = Victim(par, tmp_path / f"{len(groups)}.log", slow_disk.environment)
        groups.append(victim.group)
        with victim:
            kills += _live_and_die(victim, camera, chance, campaign)
        campaign.look(folder)
        assert_nothing_half_done(par, night.raws)
        assert {name: state_of(folder / name) for name in camera.written} == camera.written
    camera.finish()
    for group in groups:
        eventually(partial(_has_ended, group))
    _catch_up(par, campaign)
    assert_as_expected(par, night.raws, night.expected)
    assert {name: state_of(folder / name) for name in camera.written} == camera.written
    campaign.nights += 1


def _live_and_die(victim: Victim, camera: Camera, chance: random.Random, campaign: Campaign) -> int:
    """Have a daemon work on a night that goes on, and kill it; tell how many kills it were."""
    whom = chance.choices(list(_WHOM), list(_WHOM.values()))[0]
    how = chance.choices(("from start", "from ready", "at work"), (2, 3, 5))[0]
    begin = 0.0 if how == "from start" else victim.is_ready()
    end = begin + chance.uniform(*(_FROM_START if how == "from start" else _FROM_READY))
    for moment in sorted(chance.uniform(begin, end) for _ in range(4)):
        victim.live_until(moment)
        camera.go_on(in_halves=chance.random() < 0.3)
    victim.live_until(end)
    if how == "at work":
        victim.live_until_it_writes(camera.folder, chance.uniform(*_FROM_WRITING))
    kills = 1
    if whom in {"workers", "fork server"}:
        if victim.kill_some(whom):
            kills = 2
            campaign.kills[whom] += 1
            victim.live_until(end + chance.uniform(*_FROM_READY))
        whom = "all"
    victim.kill(whom)
    campaign.kills[whom] += 1
    return kills


def _catch_up(par: Path, campaign: Campaign) -> None:
    """Have all done that is left, unaided.

    But what was being worked on at three kills is given up, for nobody can tell whether it was to
    blame: that is said, and `tapewatch retry` gets it back.
    """
    ended = tapewatch("once", par)
    frames = json.loads(ask("status", par, "--json").output)["frames"]
    given_up = [
        str(frame["file"])
        for frame in frames
        if _GIVEN_UP in frame["reason"]
        and (frame["kind"] != "object" or frame["state"] == "failed")
    ]
    campaign.seen["frames given up"] += len(given_up)
    if given_up:
        said = ask("retry", par, *(str(par.parent / name) for name in given_up))
        assert said.code == 0, said.errors
        ended = tapewatch("once", par)
    assert ended.code == 0, ended.output + ended.errors


def test_the_campaign_has_hit_all_kinds_of_work(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{campaign.text}\n")
    if campaign.nights < len(SEEDS):
        pytest.skip("not all nights were run, or not all came out")
    assert campaign.kills.total() >= KILLS
    assert set(campaign.kills) == set(_WHOM)
    assert campaign.seen["unfinished files"], "no kill has hit a file that was being written"
