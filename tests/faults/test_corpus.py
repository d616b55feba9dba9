"""Some hundred bad files among a night's good ones: each has its reason, and none does any harm.

The oracle is a run without them: what it leaves for the good frames must be the same to the bit.
"""

import json
import os
import random
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import eventually
from support_corpus import UNLISTED, Case, cases
from support_night import (
    COMMAND,
    NIGHTS,
    QUICK,
    Line,
    ask,
    running,
    set_sizes,
    take,
    tapewatch,
    write_par,
)
from tapewatch.arrival.scan import printable
from tapewatch.commands.night import exposures
from tapewatch.fitsfile.layout import read_layout

NIGHT = NIGHTS["tape"]
CASES = cases()
GOOD = {exposure.name for exposure in exposures(NIGHT)}
NAMES = GOOD | {case.name for case in CASES}
# No early version of a set: all its frames come within seconds.
KEYS = {**QUICK, **set_sizes(NIGHT), "SETQUIET": 5, "STALL": 1, "SINCE": "all", "WORKERS": 2}
MOST_MEMORY = 300  # MB, of the daemon's own process
_MADE_ANEW = (b"DATE-PRC", b"CHECKSUM", b"DATASUM ")


@dataclass(frozen=True)
class Outcome:
    """What a run has left: of raw frames in one folder, in another."""

    raws: Path
    output: Path
    status: Mapping[str, Line]
    before: Mapping[str, object]
    code: int
    memory: float
    log: list[Line]


def everything(folder: Path) -> list[str]:
    """Give the relative paths of all that lies in a folder, but for folders."""
    found = [
        Path(place, name).relative_to(folder)
        for place, folders, names in os.walk(folder)
        for name in (*folders, *names)
    ]
    return [
        str(path) for path in found if (folder / path).is_symlink() or not (folder / path).is_dir()
    ]


def lay_of(folder: Path, names: Iterable[str]) -> dict[str, object]:
    """Describe what lies in a folder, whatever it is, without opening what is no file."""
    found: dict[str, object] = {}
    for name in names:
        status = (folder / name).lstat()
        what: Any = (status.st_ino, stat.filemode(status.st_mode), status.st_size)
        if not stat.S_ISDIR(status.st_mode):
            what = (*what, status.st_mtime_ns)
        if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 30:
            what = (*what, (folder / name).read_bytes())
        found[name] = what
    return found


def statuses(par: Path) -> dict[str, Line]:
    """Give what ``status`` says of each frame."""
    answer = json.loads(ask("status", par, "--json").output)
    return {frame["file"]: frame for frame in answer["frames"]}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what is made of the good frames alone."""
    folder: Path = tmp_path_factory.mktemp("clean")
    take(folder, NIGHT)
    assert tapewatch("once", write_par(folder, **KEYS)).code == 0
    return folder


def once(base: Path) -> Outcome:
    """Have ``once`` do a folder with all bad files in it, its output elsewhere."""
    raws, output = base / "raws", base / "output"
    raws.mkdir()
    take(raws, NIGHT)
    for case in CASES:
        case.write(raws)
    par = write_par(base, **KEYS, WORKDIR="raws", OUTDIR="output")
    before, beside = lay_of(raws, everything(raws)), set(base.iterdir())
    with (base / "log").open("wb") as log, (base / "errors").open("wb") as errors:
        daemon = subprocess.Popen([COMMAND, "once", "--par", str(par)], stdout=log, stderr=errors)
        memory = eventually(lambda: _highest_memory(daemon), 100)
        code = daemon.wait()
    assert (base / "errors").read_text() == ""
    assert set(base.iterdir()) == beside | {output, base / "log", base / "errors"}
    return Outcome(raws, output, statuses(par), before, code, memory, _lines(base / "log"))


def _lines(log: Path) -> list[Line]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _highest_memory(daemon: subprocess.Popen[bytes]) -> float:
    """Give what a process took at most, MB, once it has ended; 0 before."""
    memory = getattr(daemon, "highest", 0.0)
    text = Path(f"/proc/{daemon.pid}/status").read_text()
    if match := re.search(r"VmHWM:\s+(\d+) kB", text):
        daemon.highest = int(match[1]) / 1024  # type: ignore[attr-defined]
        return 0.0
    return float(memory)


def run(base: Path) -> Outcome:
    """Have ``run`` see all files, good and bad, come one after the other in any order."""
    raws = base / "raws"
    raws.mkdir()
    good = base / "good"
    arriving: list[Path | Case] = [*take(good, NIGHT), *CASES]
    random.Random(1).shuffle(arriving)  # noqa: S311  (no secret)
    par = write_par(raws, **KEYS)
    with running(par) as daemon:
        for one in arriving:
            if isinstance(one, Case):
                one.write(raws)
            else:
                (raws / one.name).write_bytes(one.read_bytes())
        before = lay_of(raws, NAMES)
        eventually(lambda: not _undecided(statuses(par)), 100)
        text = Path(f"/proc/{daemon.process.pid}/status").read_text()
        memory = int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0]) / 1024
        code = daemon.stop()
        assert daemon.errors() == ""
    return Outcome(raws, raws, statuses(par), before, code, memory, daemon.lines)


def _undecided(status: Mapping[str, Line]) -> list[str]:
    """Give what has not come to its state yet."""
    return [f"{name}: {state}" for name, state in _wrong(status)]


def _wrong(status: Mapping[str, Line]) -> Iterator[tuple[str, str]]:
    for name in GOOD:
        if (state := status.get(name, {}).get("state")) != "done":
            yield name, str(state)
    for case in CASES:
        state = status.get(printable(case.name), {}).get("state")
        if state not in (case.states or (None,)):
            yield case.name, str(state)


@pytest.fixture(scope="module", params=["once", "run"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    base: Path = tmp_path_factory.mktemp("corpus")
    return once(base) if request.param == "once" else run(base)


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len(CASES) > 300
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_file_is_listed_with_its_state_and_reason(outcome: Outcome) -> None:
    told = outcome.status
    assert outcome.code == 0
    assert dict(_wrong(told)) == {}
    assert {
        case.name: told[printable(case.name)]["reason"]
        for case in CASES
        if case.states and not re.search(case.words, told[printable(case.name)]["reason"])
    } == {}
    assert set(told) == GOOD | {printable(one.name) for one in CASES if one.states != UNLISTED}
    assert all(0 < len(frame["reason"]) < 4000 for frame in told.values())


def test_what_is_done_and_looks_wrong_is_told(outcome: Outcome) -> None:
    told = {
        (line["file"], line["reason"])
        for line in outcome.log
        if line["event"] == "quality.warning" and "file" in line
    }
    for case in CASES:
        assert not case.warning or any(
            file == case.name and case.warning in reason for file, reason in told
        ), case.name


def test_the_good_frames_are_as_without_the_bad_ones(outcome: Outcome, clean: Path) -> None:
    made = sorted(path.name for path in clean.glob("w*.fits"))
    assert len(made) > NIGHT.objects
    for name in made:
        assert _content(outcome.output / name) == _content(clean / name), name
    for path in clean.glob("w*.list"):
        theirs = (outcome.output / path.name).read_text().splitlines()
        assert [one for one in theirs if one in GOOD] == path.read_text().splitlines()
    for kind in ("wbias", "wdark60s", "wdark120s", "wflatR", "wflatV"):
        ours = clean / f"{kind}.list"
        assert (outcome.output / ours.name).read_text() == ours.read_text()


def _content(path: Path) -> list[bytes]:
    """Give cards and data of a file, but for what is another at every time."""
    data = path.read_bytes()
    parts = []
    for hdu in read_layout(lambda offset, size: data[offset : offset + size], len(data)):
        parts += [one for one in hdu.header.cards if not one.startswith(_MADE_ANEW)]
        parts.append(data[hdu.data_offset : hdu.data_offset + hdu.data_size])
    return parts


def test_no_raw_file_is_touched(outcome: Outcome) -> None:
    assert lay_of(outcome.raws, outcome.before) == outcome.before
    if outcome.raws != outcome.output:
        assert set(everything(outcome.raws)) == set(outcome.before)
    assert not list(outcome.output.rglob("*.part"))


def test_the_daemons_memory_is_bounded(outcome: Outcome) -> None:
    assert 10 < outcome.memory < MOST_MEMORY
