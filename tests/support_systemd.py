"""A throw-away machine with a real systemd as its first process, over this machine's own files.

It is a container on an overlay: what it writes is gone with it. Booted in half a second.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support import eventually

CHECKOUT = Path(__file__).resolve().parents[1]
_TOOLS = ("systemd-nspawn", "nsenter", "mount", "make")
_BOOT_SECONDS = 60.0
# systemd takes the control group that it is started in for its own: each machine gets another.
_IN_A_CGROUP = """
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if test -w $tree/cgroup.procs; then mkdir -p $tree/$0 && echo $$ > $tree/$0/cgroup.procs; fi
done
exec "$@"
"""


def missing() -> str:
    """Say what a machine lacks on which no other can be booted; empty where nothing."""
    if os.getuid() != 0:
        return "booting a systemd needs root"
    lacking = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"booting a systemd needs {', '.join(lacking)}" if lacking else ""


class Machine:
    """The booted machine; `run` runs a command on it as root."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(self, *command: str, check: bool = True, stdin: str = "") -> str:
        """Run a command; give what it prints, and fail with all that it said if it fails."""
        done = subprocess.run(
            [*self._enter(), *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        said = f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert not check or done.returncode == 0, said
        return done.stdout

    def shell(self, script: str, *, user: str = "root", check: bool = True) -> str:
        """Run a shell script as a user."""
        return self.run("runuser", "-u", user, "--", "sh", "-ec", script, check=check)

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        self.run("install", "-D", "-m", "644", "/dev/stdin", path, stdin=text)

    def show(self, unit: str, key: str) -> str:
        """Give a property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", key, unit).strip()

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """Give a unit's lines in the journal; those of the daemon with their JSON in `line`."""
        lines = []
        text = self.run("journalctl", "-a", "-o", "json", "--no-pager", "-u", unit)
        for record in map(json.loads, text.splitlines()):
            message = str(record.get("MESSAGE", ""))
            record["line"] = json.loads(message) if message.startswith("{") else {}
            lines.append(record)
        return lines

    def events(self, unit: str, event: str) -> list[dict[str, Any]]:
        """Give the daemon's lines of one event, as the journal has them."""
        return [one for one in self.journal(unit) if one["line"].get("event") == event]

    def wait_for_event(self, unit: str, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the journal has so many lines of an event."""

        def found() -> list[dict[str, Any]]:
            lines = self.events(unit, event)
            return lines if len(lines) >= count else []

        return eventually(found, timeout=60)

    def _enter(self) -> list[str]:
        return ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot a machine; at the end nothing is left of it.

    Parameters
    ----------
    folder : Path
        Empty; where its files are mounted.

    Yields
    ------
    Machine
        With systemd running, and the checkout, read-only, at /checkout.
    """
    if reason := missing():
        pytest.skip(reason)
    with ExitStack() as stack:
        root = _overlay(folder, stack)
        name = f"tapewatch-{os.getpid()}"
        stack.callback(_remove_groups, name)
        console = stack.enter_context((folder / "console.log").open("w+"))
        process = subprocess.Popen(
            [
                *("sh", "-c", _IN_A_CGROUP, name),
                *("systemd-nspawn", "-q", "-D", str(root), "-M", name),
                *("--register=no", "--keep-unit", "--console=pipe", "--link-journal=no"),
                f"--bind-ro={CHECKOUT}:/checkout",
                *("--boot", "systemd.unit=basic.target"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        stack.callback(process.wait, 20)
        stack.callback(process.kill)
        leader = eventually(lambda: _child(process), timeout=_BOOT_SECONDS)
        stack.callback(_kill, leader)
        machine = Machine(leader)
        state = ("systemctl", "is-system-running")
        eventually(
            lambda: machine.run(*state, check=False).strip() in {"running", "degraded"},
            timeout=_BOOT_SECONDS,
        )
        yield machine


def _remove_groups(name: str) -> None:
    """Remove the control groups of a machine that has ended: its last processes take a moment."""

    def gone() -> bool:
        groups = [one for one in Path("/sys/fs/cgroup").glob(f"**/{name}/**/") if one.is_dir()]
        for group in sorted(groups, reverse=True):
            with suppress(OSError):
                group.rmdir()
        return not groups

    eventually(gone)


def _overlay(folder: Path, stack: ExitStack) -> Path:
    """Mount an overlay of this machine's root; what is written goes to memory."""
    _mount(stack, folder, "-t", "tmpfs", "-o", "size=3G", "tmpfs", str(folder))
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for place in (upper, work, root):
        place.mkdir()
    layers = f"lowerdir=/,upperdir={upper},workdir={work}"
    _mount(stack, root, "-t", "overlay", "-o", layers, "overlay", str(root))
    # A machine of its own, not this one once more.
    (root / "etc/machine-id").unlink(missing_ok=True)
    (root / "etc/machine-id").write_text("")
    return root


def _mount(stack: ExitStack, place: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["mount", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode:
        pytest.skip(f"booting a systemd needs to mount file systems: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["umount", "-l", str(place)], check=False, timeout=30)


def _child(process: "subprocess.Popen[bytes]") -> int:
    """Give the first process of the machine, as soon as it is there."""
    if process.poll() is not None:
        pytest.skip(f"this machine cannot boot a systemd: systemd-nspawn ended, {process.poll()}")
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        with suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
    return 0


def _kill(pid: int) -> None:
    """End the machine at once: its first process takes all others with it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
