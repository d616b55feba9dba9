"""Where state and log of a folder's tapewatch are, for every command to find.

``.tapewatch/where.json`` in the output folder tells, to any user who may read it and whether the
daemon runs or not.
"""

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tapewatch.arrival.mounts import is_network
from tapewatch.errors import OutputError
from tapewatch.parameters import Off, Parameters

FOLDER = ".tapewatch"
NOTE = "where.json"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Where:
    """What ``.tapewatch/where.json`` tells.

    Parameters
    ----------
    state : str
        The state file.
    log : str
        The log as a file; empty where there is none.
    pid : int
        Of the daemon that wrote this, running or not.
    host : str
        Its machine.
    started : float
        When, seconds since 1970.
    term : str
        Of that daemon (`tapewatch.fitsfile.fence`).
    """

    state: str
    log: str
    pid: int
    host: str
    started: float
    term: str = ""


def find(parameters: Parameters) -> Where | None:
    """Find state and log of the daemon that works, or worked, on a folder.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    Where or None
        None where no tapewatch has ever worked there.
    """
    try:
        return Where(**json.loads((parameters.output / FOLDER / NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def see_that_it_is_there(output: Path) -> None:
    """See that an output folder is the one that a daemon holds, lest another is made in its place.

    Parameters
    ----------
    output : Path
        The output folder.

    Raises
    ------
    OutputError
        It is away: its disk was unmounted, say, and what is written now would lie under it.
    """
    if not (output / FOLDER / NOTE).exists():
        raise OutputError(f"{output} is not there, or not as it was: is it unmounted?")


def is_running(parameters: Parameters) -> bool:
    """Tell whether a tapewatch holds the folder now.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    bool
        As the lock says.
    """
    try:
        descriptor = os.open(parameters.output / FOLDER / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def show_life(parameters: Parameters) -> None:
    """Leave a sign that the daemon gets on: the time of its lock.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    """
    with suppress(OSError):  # the disk may be gone or read-only, which is told elsewhere
        os.utime(parameters.output / FOLDER / LOCK)


def silence(parameters: Parameters) -> float:
    """Tell for how long a daemon has given no sign of life.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    float
        Seconds; 0 where nothing can be told.
    """
    try:
        return max(time.time() - (parameters.output / FOLDER / LOCK).stat().st_mtime, 0.0)
    except OSError:
        return 0.0


def no_room(state: Path) -> str:
    """Tell why a state file cannot be written, as far as its disk says: it cannot say so itself.

    Parameters
    ----------
    state : Path
        The state file.

    Returns
    -------
    str
        Empty where its disk has room and may be written.
    """
    disk = os.statvfs(state)
    if disk.f_flag & os.ST_RDONLY:
        return f"the disk of the state file {state} is read-only"
    return "" if disk.f_bavail else f"the disk of the state file {state} is full"


def state_file(parameters: Parameters) -> Path:
    """Place of the state file: STATEFILE, systemd's folder, or the output folder.

    SQLite's write-ahead log does not work on network file systems: there it goes to the user's
    own state folder.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    Path
        Absolute.
    """
    if parameters.statefile is not None:
        return parameters.statefile
    return _default_folder("STATE_DIRECTORY", parameters) / "state.sqlite"


def log_file(parameters: Parameters) -> Path | None:
    """Place of the log as a file: JSONLOG, systemd's folder, or beside the state file.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    Path or None
        Absolute; None where JSONLOG is off.
    """
    if parameters.jsonlog is Off.OFF:
        return None
    if parameters.jsonlog is not None:
        return parameters.jsonlog
    if os.environ.get("LOGS_DIRECTORY"):
        return _default_folder("LOGS_DIRECTORY", parameters) / "tapewatch.jsonl"
    return state_file(parameters).with_name("tapewatch.jsonl")


def _default_folder(variable: str, parameters: Parameters) -> Path:
    if folder := os.environ.get(variable):
        return Path(folder.split(":")[0])
    folder_of_output = parameters.output / FOLDER
    if not is_network(parameters.output):
        return folder_of_output
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return base / "tapewatch" / str(parameters.output).strip("/").replace("/", "-")
