"""The processes of a daemon, as the kernel knows them."""

from pathlib import Path


def processes(group: int) -> dict[int, str]:
    """Give the command lines of the living processes of a group.

    Parameters
    ----------
    group : int
        Number of the process group, which is that of the daemon.
    """
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = _fields(place)
            line = (place / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            found[int(place.name)] = line
    return found


def parent(number: int) -> int:
    """Give the parent of a process; 0 where it has ended."""
    try:
        return int(_fields(Path(f"/proc/{number}"))[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def fork_servers(daemon: int) -> list[int]:
    """Give the fork server of a daemon, if it has one by now."""
    return [
        number
        for number, line in processes(daemon).items()
        if "forkserver" in line and parent(number) == daemon
    ]


def workers(daemon: int) -> list[int]:
    """Give the workers of a daemon: what its fork server has forked."""
    servers = set(fork_servers(daemon))
    return [number for number in processes(daemon) if parent(number) in servers]


def _fields(place: Path) -> list[str]:
    """Give the fields of a process that follow its name: state, parent, group, ..."""
    return (place / "stat").read_text().rpartition(")")[2].split()
