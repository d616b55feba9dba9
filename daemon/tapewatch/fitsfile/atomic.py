"""Files that appear whole or not at all, and stay after a power cut.

Everything is written to ``.tapewatch-<job>.part`` in the folder where it will stand, made durable,
renamed, and the name made durable. What a killed process leaves is a ``.part`` that nobody reads.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from tapewatch.fitsfile.files import make_folder, output_errors, sync_folder, write_all
from tapewatch.fitsfile.ownership import require_own

_PREFIX, _SUFFIX = ".tapewatch-", ".part"
# What file systems without hard links answer, and what a file with too many answers.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK, errno.EACCES}
)


def part_path(target: Path, job_id: str) -> Path:
    """Name the unfinished file of a job in the folder of its target."""
    return target.with_name(f"{_PREFIX}{job_id}{_SUFFIX}")


@contextmanager
def new_part(target: Path, job_id: str) -> Iterator[tuple[int, Path]]:
    """Open the unfinished file of a job; it is gone at the end, renamed or removed.

    Parameters
    ----------
    target : Path
        What it will become; its folder is made.
    job_id : str
        Letters and digits; one that an earlier try left under this name is replaced.

    Yields
    ------
    (int, Path)
        Descriptor for writing, and name.

    Raises
    ------
    OutputError
        The system cannot write, here or in the body; `NoSpaceError` where the disk is full.
    """
    with _part_name(target, job_id) as part:
        # As for any file a program makes, the umask decides who may read it.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            yield descriptor, part
        finally:
            os.close(descriptor)


def put(
    descriptor: int,
    part: Path,
    target: Path,
    fence: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Make a finished part durable and give it its name; what stood there is replaced.

    Parameters
    ----------
    descriptor : int
        Of the part.
    part, target : Path
        Its name and the final one, in the same folder.
    fence : callable
        What the renaming is done within, and what may refuse it.
    """
    os.fsync(descriptor)
    with fence():
        part.rename(target)
    sync_folder(target.parent)


def write_text(target: Path, text: str, job_id: str) -> bool:
    """Write a text file, unless it says the same already.

    Parameters
    ----------
    target : Path
        The file; whatever stands there is replaced.
    text : str
        All of it; names of files that are no UTF-8 come out as they are on disk.
    job_id : str
        Letters and digits, for the name of the unfinished file.

    Returns
    -------
    bool
        Whether it was written.

    Raises
    ------
    OutputError
        The system cannot write; `NoSpaceError` where the disk is full.
    """
    data = os.fsencode(text)
    if target.is_file() and not target.is_symlink() and target.read_bytes() == data:
        return False
    with new_part(target, job_id) as (descriptor, part):
        write_all(descriptor, data)
        put(descriptor, part, target)
    return True


def publish(source: Path, target: Path, job_id: str) -> None:
    """Give a product a second name: a hard link, or a copy where there are none.

    Parameters
    ----------
    source : Path
        A finished, durable product.
    target : Path
        The other name, as ``wbias.fits``.
    job_id : str
        Letters and digits, for the name of the unfinished file.

    Raises
    ------
    RejectedError
        The target is neither ours nor the notebook's.
    OutputError
        The system cannot write; `NoSpaceError` where the disk is full.
    """
    require_own(target)
    with _part_name(target, job_id) as part:
        try:
            part.hardlink_to(source)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(source, part)
        with part.open("rb") as file:
            put(file.fileno(), part, target)


def remove_leftovers(folder: Path) -> tuple[str, ...]:
    """Remove the parts that killed processes left in a folder; none of ours may be running.

    Parameters
    ----------
    folder : Path
        Only itself, not the folders in it.

    Returns
    -------
    tuple of str
        Names of what was removed; what cannot be removed now is so at a later start.
    """
    removed = []
    for leftover in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}")):
        with suppress(OSError):
            leftover.unlink()
            removed.append(leftover.name)
    return tuple(removed)


@contextmanager
def _part_name(target: Path, job_id: str) -> Iterator[Path]:
    """Keep a name free for a file that will be renamed in the body, or else is removed."""
    part = part_path(target, job_id)
    with output_errors(target):
        make_folder(part.parent)
        part.unlink(missing_ok=True)
        try:
            yield part
        finally:
            # Also after a renaming: of one link over another of the same file it does nothing.
            part.unlink(missing_ok=True)
