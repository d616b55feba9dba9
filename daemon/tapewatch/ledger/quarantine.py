"""State files that are damaged: kept under another name, for a person to look into."""

from contextlib import suppress
from pathlib import Path

from tapewatch.errors import FatalError

_BESIDE = ("-wal", "-shm")  # what SQLite keeps beside the file, and would take for the next one's
_KEPT = 3  # a bad disk must not be filled with them


def set_aside(path: Path, now: float) -> Path:
    """Rename a damaged state file, and what belongs to it.

    Parameters
    ----------
    path : Path
        The SQLite file, which nobody has open.
    now : float
        Seconds since 1970, for the new name.

    Returns
    -------
    Path
        Its new name; of all that were ever set aside the latest are kept.

    Raises
    ------
    FatalError
        It cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.corrupt-{now:.0f}")
    try:
        # The file itself last: whatever ends us in between, it is found damaged again.
        for end in (*_BESIDE, ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise FatalError(f"the state file {path} cannot be set aside: {error.strerror}") from error
    for old in found(path)[:-_KEPT]:
        for end in (*_BESIDE, ""):
            old.with_name(old.name + end).unlink(missing_ok=True)
    return aside


def found(path: Path) -> list[Path]:
    """Give the damaged state files that were set aside, the latest last.

    Parameters
    ----------
    path : Path
        The state file that is in use.

    Returns
    -------
    list of Path
        As `set_aside` names them.
    """
    files = path.parent.glob(f"{path.name}.corrupt-*")
    return sorted(one for one in files if one.name.rpartition("-")[2].isdigit())
