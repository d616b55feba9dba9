"""What was made, as the files themselves tell: masters and products, without the state file."""

from dataclasses import dataclass, replace
from pathlib import Path

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.fitsfile.table import read_texts
from tapewatch.headers.provenance import INPUTS, RECORD, statistics_of
from tapewatch.headers.values import as_text
from tapewatch.ledger import rows
from tapewatch.model import Master, Statistics


@dataclass(frozen=True, slots=True)
class MadeMaster:
    """A master on disk.

    Parameters
    ----------
    master : Master
        All of it, as it was planned.
    statistics : Statistics
        Of its pixels.
    made : tuple of (str, int)
        When: UTC to the second (DATE-PRC), then by the file system's clock, nanoseconds since 1970.
    """

    master: Master
    statistics: Statistics
    made: tuple[str, int]


def inspect_own(path: Path) -> Inspection | None:
    """Look at the header of a file that may be ours.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Inspection or None
        None where it was written by others, is no FITS file, or is not whole.

    Raises
    ------
    OSError
        From the system.
    """
    try:
        found = inspect(path)
    except (IncompleteFileError, RejectedError):
        return None
    return found if "TWID" in found.header else None


def master_in(path: Path, folder: str) -> MadeMaster | None:
    """Read what a file that may be a master of ours is.

    Parameters
    ----------
    path, folder
        As for `read_master`.

    Returns
    -------
    MadeMaster or None
        None as of `inspect_own`.

    Raises
    ------
    RejectedError, IncompleteFileError, OSError
        As `read_master` does.
    """
    inspection = inspect_own(path)
    return None if inspection is None else read_master(path, inspection, folder)


def read_master(path: Path, inspection: Inspection, folder: str) -> MadeMaster:
    """Read what a master is.

    Parameters
    ----------
    path : Path
        Its file.
    inspection : Inspection
        Of it.
    folder : str
        That of its raw frames by the place where it lies, relative to the output folder.

    Returns
    -------
    MadeMaster

    Raises
    ------
    RejectedError
        It does not tell, or not of itself.
    IncompleteFileError, OSError
        It cannot be read.
    """
    text = "".join(read_texts(path, RECORD).get("MASTER", ()))
    inputs = read_texts(path, INPUTS).get("SHA256", ())
    try:
        master = replace(rows.read_master(text), inputs=inputs, folder=folder)
    except (ValueError, TypeError, KeyError) as error:
        raise RejectedError(f"the table {RECORD} of {path} cannot be read: {error}") from error
    header = inspection.header
    if master.id != as_text(header.get("TWID")):
        raise RejectedError(f"the table {RECORD} of {path} is that of master {master.id}")
    made = (as_text(header.get("DATE-PRC")), inspection.identity.mtime_ns)
    return MadeMaster(master, statistics_of(header), made)
