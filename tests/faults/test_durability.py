"""Nothing counts as done that is not on disk: the order of the system calls that a night makes."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support_night import COMMAND, PATIENCE, QUICK, write_par
from support_service import write_calibrations, write_objects

KEYS = {**QUICK, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "WORKERS": 1, "MINFREE": 0}
OBJECTS = ("a.fits", "b.fits")
WRITING = (
    *("write", "pwrite64", "writev", "pwritev"),
    *("ftruncate", "fallocate", "sendfile", "copy_file_range"),
)
WATCHED = (*WRITING, "fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat")
_LONGEST = 5000  # characters of what is written that are shown: more than a page of the ledger

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


@dataclass
class Call:
    """A system call: when it began and ended, in lines of the trace, and what it was given."""

    name: str
    given: str
    began: int
    ended: int

    def is_on(self, path: Path) -> bool:
        """Whether it was given an open file of this name."""
        return f"<{path}>" in self.given


def traced(par: Path, trace: Path) -> list[Call]:
    """Do all work of a folder; give the system calls of all processes by which files are made."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    watching = ["strace", "-f", "-y", "-qq", "-s", str(_LONGEST), "-o", str(trace)]
    done = subprocess.run(
        [*watching, "-e", f"trace={','.join(WATCHED)}", COMMAND, "once", "--par", str(par)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"needs to trace processes: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    return calls_of(trace.read_text().splitlines())


def calls_of(lines: Sequence[str]) -> list[Call]:
    """Read a trace; of calls during which another process came to word, both parts."""
    calls: list[Call] = []
    unfinished: dict[str, Call] = {}
    for number, line in enumerate(lines):
        if found := _CALL.match(line):
            process, name, given = found.groups()
            calls.append(Call(name, given, number, number))
            if given.endswith("<unfinished ...>"):
                unfinished[process] = calls[-1]
        elif found := _RESUMED.match(line):
            call = unfinished.pop(found[1])
            call.ended = number
            call.given += found[3]
    return calls


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """Give the output folder of a night, and the calls that made it."""
    folder = tmp_path_factory.mktemp("night")
    write_calibrations(folder / "raw")
    write_objects(folder / "raw", *OBJECTS)
    par = write_par(folder / "raw", **KEYS, OUTDIR=folder / "out")
    return folder / "out", traced(par, folder / "trace")


def named(calls: Sequence[Call], path: Path) -> tuple[Path, Call]:
    """Give the call that gave a file its name, and the name that it had before."""
    renames = [one for one in calls if one.name.startswith("rename")]
    # A list may have been written before, too, by what was done till then.
    found = [one for one in renames if one.given.split('"')[3] == str(path)][-1]
    return Path(found.given.split('"')[1]), found


def assert_durable(calls: Sequence[Call], path: Path) -> Call:
    """See that a file was synced when it got its name, and its name after that; give that call."""
    part, rename = named(calls, path)
    assert part.suffix == ".part"
    assert part.parent == path.parent
    # Later files may have the same unfinished name: what counts is the last time before.
    earlier = [one for one in calls if one.is_on(part) and one.began < rename.began]
    syncs = [one for one in earlier if one.name == "fsync"]
    assert syncs, f"{path} was renamed without having been synced"
    assert syncs[-1].ended < rename.began
    written = [one.ended for one in earlier if one.name in WRITING]
    assert max(written, default=0) < syncs[-1].began, f"{path} was written to after its fsync"
    later = [
        one
        for one in calls
        if one.name == "fsync" and one.is_on(path.parent) and one.began > rename.ended
    ]
    assert later, f"the name of {path} was not synced"
    return later[0]


def entered(calls: Sequence[Call], text: str) -> Call:
    """Give the first write to the ledger in which a text occurs."""
    wal = [one for one in calls if "state.sqlite" in one.given and one.name in WRITING]
    return next(one for one in wal if text in one.given)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_product_is_on_disk_before_the_ledger_tells_of_it(
    night: tuple[Path, list[Call]], name: str
) -> None:
    output, calls = night
    synced = assert_durable(calls, output / f"w{name}")
    assert synced.ended < entered(calls, f"w{name}").began


@pytest.mark.parametrize("stem", ["wbias", "wdark60s", "wflatR"])
def test_a_master_is_on_disk_before_anything_is_made_of_it_or_named_after_it(
    night: tuple[Path, list[Call]], stem: str
) -> None:
    output, calls = night
    (master,) = (output / "masters").glob(f"{stem}-*.fits")
    synced = assert_durable(calls, master)
    (link,) = [one for one in calls if one.name.startswith("link") and str(master) in one.given]
    assert synced.ended < link.began
    assert_durable(calls, output / f"{stem}.fits")


@pytest.mark.parametrize("name", ["wbias", "wdark60s", "wflatR", "wobj"])
def test_lists_appear_whole(night: tuple[Path, list[Call]], name: str) -> None:
    output, calls = night
    assert_durable(calls, output / f"{name}.list")


@pytest.mark.parametrize("name", ["where.json", "keepsake.json"])
def test_what_others_find_the_daemon_by_appears_whole(
    night: tuple[Path, list[Call]], name: str
) -> None:
    output, calls = night
    assert_durable(calls, output / ".tapewatch" / name)


def test_the_ledger_itself_is_synced_at_each_commit(night: tuple[Path, list[Call]]) -> None:
    output, calls = night
    log = output / ".tapewatch" / "state.sqlite-wal"
    for name in OBJECTS:
        written = entered(calls, f"w{name}")
        after = [one for one in calls if one.is_on(log) and one.began > written.began]
        assert any(one.name in {"fsync", "fdatasync"} for one in after)
