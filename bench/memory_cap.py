"""A bound on the memory of a process and all that it starts, by the means that this machine has."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_ADDRESSES = 1536  # MB that a process may name without having them: libraries, threads' stacks
_PATIENCE = 20.0  # seconds for the last process to end
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Cap:
    """How memory is bounded.

    Parameters
    ----------
    means : str
        For a person to read.
    prefix : sequence of str
        What the command to be bounded is appended to.
    group : Path or None
        The control group, where it is ours to look at.
    """

    means: str
    prefix: Sequence[str]
    group: Path | None = None

    def peak(self) -> float | None:
        """Most memory that all processes together took, page cache included, MB."""
        return self._number("memory.peak", "memory.max_usage_in_bytes")

    def kills(self) -> int | None:
        """How many processes the kernel has ended for it; None where that cannot be told."""
        for name in ("memory.events", "memory.oom_control"):
            if self.group is not None and (self.group / name).exists():
                said = dict(line.split() for line in (self.group / name).read_text().splitlines())
                return int(said.get("oom_kill", 0))
        return None

    def _number(self, *names: str) -> float | None:
        for name in names:
            if self.group is not None and (self.group / name).exists():
                return int((self.group / name).read_text()) / 1e6
        return None


@contextmanager
def capped(megabytes: int) -> Iterator[Cap]:
    """Make a bound: a control group where one can be made, else a limit for each process.

    Parameters
    ----------
    megabytes : int
        That all processes together may take, page cache included; where there are no control
        groups, of address space, each.

    Yields
    ------
    Cap
        Valid while the body runs.
    """
    for hierarchy, limit in ((_ROOT, "memory.max"), (_ROOT / "memory", "memory.limit_in_bytes")):
        if (group := _make_group(hierarchy, limit, megabytes)) is not None:
            join = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
            try:
                yield Cap(f"control group, {limit}", ("sh", "-c", join, "sh"), group)
            finally:
                _remove(group)
            return
    if Path("/run/systemd/system").exists() and os.geteuid() == 0:
        scope = ("systemd-run", "--quiet", "--scope", "-p", f"MemoryMax={megabytes}M", "--")
        yield Cap("systemd-run, MemoryMax", scope)
        return
    bound = f'ulimit -v {(megabytes + _ADDRESSES) * 1024} && exec "$@"'
    yield Cap("RLIMIT_AS of each process", (shutil.which("sh") or "sh", "-c", bound, "sh"))


def _make_group(hierarchy: Path, limit: str, megabytes: int) -> Path | None:
    """Make a control group below our own, so that we stay accountable for it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers != ("memory" if hierarchy != _ROOT else ""):
            continue
        parent = hierarchy / own.lstrip("/")
        group = parent / f"tapewatch-soak-{os.getpid()}"
        if not (parent / "cgroup.procs").exists():
            return None
        try:
            group.mkdir()
        except OSError:
            return None
        try:
            (group / limit).write_text(f"{megabytes}M\n")
        except OSError:  # the controller is not ours to use
            group.rmdir()
            return None
        return group
    return None


def _remove(group: Path) -> None:
    """Remove a control group when the last of its processes has ended."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(_POLL)
        else:
            return
