"""The truth about the watched folder: what lies in it now.

Events are hints that get lost; a scan is not. It lists the folders, looks at every file whose name
matches (20,000 in a fraction of a second) and reads none of them. Nothing is filtered by time:
``cp -p`` and ``mv`` bring files with old ones.
"""

import fnmatch
import os
import re
import stat
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath

from tapewatch.errors import RetriableError
from tapewatch.fitsfile.files import identity_of
from tapewatch.model import Identity

# Where tapewatch itself writes; with the hidden folders, these are never looked into.
OWN_FOLDERS = ("masters", "provisional", ".tapewatch")

BAD_NAME = "its name is not valid UTF-8"

_FILE_TYPES = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


class RootUnreadableError(RetriableError):
    """The watched folder itself cannot be listed: nothing is known of its files.

    An unmounted or unreachable folder must never be mistaken for an empty one.
    """


@dataclass(frozen=True, slots=True)
class Rules:
    """Which files of the watched tree are candidates.

    Parameters
    ----------
    patterns : tuple of str
        Lower-case globs on the file name; names are compared in lower case.
    recurse : bool
        Whether subfolders are entered.
    excluded : frozenset of Path
        Folders that are not entered, as absolute paths spelled through the same root.
    """

    patterns: tuple[str, ...]
    recurse: bool = True
    excluded: frozenset[Path] = frozenset()

    def matches(self, name: str) -> bool:
        """Tell whether a file of this name is a candidate.

        Hidden ones never are: resource forks (``._x.fits``), temporary files of rsync and our own.
        """
        return not name.startswith(".") and bool(_expression(self.patterns).match(name.lower()))

    def heeds(self, path: PurePath) -> bool:
        """Tell whether what happens at a path can matter: nothing hidden, nothing of our own."""
        barred = (part.startswith(".") or part in OWN_FOLDERS for part in path.parts)
        return not any(barred)

    def enters(self, folder: Path) -> bool:
        """Tell whether a subfolder is looked into."""
        barred = folder.name.startswith(".") or folder.name in OWN_FOLDERS
        return self.recurse and not barred and folder not in self.excluded


@dataclass(frozen=True, slots=True)
class Irregular:
    """A path that matches but cannot be a frame.

    Parameters
    ----------
    why : str
        Why not, as ``symbolic link: only regular files are taken``.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What one listing of the tree found.

    Parameters
    ----------
    files : dict of str to Identity
        Regular files, by path relative to the root, with ``/``.
    irregular : dict of str to str
        Matching paths that cannot be frames, printable, and why not.
    problems : tuple of str
        What could not be looked at, a sentence each.
    unseen : frozenset of str
        Relative paths of the files and folders that could not be looked at: neither they nor what
        is beneath them may be taken for gone.
    seconds : float
        Time the scan took.
    """

    files: dict[str, Identity]
    irregular: dict[str, str]
    problems: tuple[str, ...]
    unseen: frozenset[str]
    seconds: float


@dataclass(slots=True)
class _Found:
    """A scan in the making."""

    files: dict[str, Identity] = field(default_factory=dict)
    irregular: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)

    def add(self, path: str, status: os.stat_result) -> None:
        seen = _describe(path, status)
        if isinstance(seen, Irregular):
            self.irregular[printable(path)] = seen.why
        else:
            self.files[path] = seen

    def miss(self, path: str, error: OSError) -> None:
        self.unseen.add(path)
        self.problems.append(f"{printable(path)} cannot be looked at: {error.strerror}")


def scan(root: Path, rules: Rules, folder: str = "") -> Scan:
    """List the watched tree, or one folder of it with all beneath.

    Parameters
    ----------
    root : Path
        The watched folder, absolute.
    rules : Rules
        Which files are candidates and which folders are entered.
    folder : str, optional
        Folder to begin at, relative to `root`; where the rules do not lead into it, or it is
        gone, nothing is found.

    Returns
    -------
    Scan
        Files that appear or vanish meanwhile may be in it or not.

    Raises
    ------
    RootUnreadableError
        `root` cannot be listed, or was replaced (mounted over, say) during the scan.
    RetriableError
        A folder on the way to `folder` cannot be looked at.
    """
    started = time.perf_counter()
    before = root_identity(root)
    found = _Found()
    folders = [folder] if _leads_to(root, folder, rules) else []
    while folders:
        folders.extend(_list_folder(root, folders.pop(), rules, found))
    if root_identity(root) != before:
        raise RootUnreadableError(f"{root} was replaced while it was being listed")
    seconds = time.perf_counter() - started
    problems, unseen = tuple(found.problems), frozenset(found.unseen)
    return Scan(found.files, found.irregular, problems, unseen, seconds)


def examine(root: Path, path: str, rules: Rules) -> Identity | Irregular | None:
    """Look at one path, as a scan would.

    Parameters
    ----------
    root : Path
        The watched folder, absolute.
    path : str
        Relative to `root`, with ``/``.
    rules : Rules
        As for the scan.

    Returns
    -------
    Identity, Irregular or None
        None where a scan would not list it: no match, behind a folder that is not entered, a
        folder itself, or not there.

    Raises
    ------
    RetriableError
        It cannot be looked at.
    """
    folder, _, name = path.rpartition("/")
    if not rules.matches(name) or not _leads_to(root, folder, rules):
        return None
    status = _status(root / path)
    if status is None or stat.S_ISDIR(status.st_mode):
        return None
    return _describe(path, status)


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that cannot be looked at counts as none."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def root_identity(root: Path) -> tuple[int, int]:
    """Return (device, inode) of the watched folder, having seen that it can be listed.

    Raises
    ------
    RootUnreadableError
        It is missing, no folder, or may not be read.
    """
    try:
        with os.scandir(root):
            status = root.stat()
    except OSError as error:
        raise RootUnreadableError(f"{root} cannot be listed: {error.strerror}") from error
    return status.st_dev, status.st_ino


def printable(path: str) -> str:
    r"""Return a path with bytes that are not UTF-8 written as ``\udcff``: fit for any text file."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


@lru_cache(maxsize=8)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    # One expression for all globs, several times as fast as asking each; "(?!)" matches nothing.
    return re.compile("|".join(map(fnmatch.translate, patterns)) or "(?!)")


def _list_folder(root: Path, folder: str, rules: Rules, found: _Found) -> list[str]:
    """Add the files of one folder to `found` and return the subfolders to enter."""
    subfolders = []
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if _look_at(entry, path, rules, found) and _enters(root / path, path, rules, found):
                    subfolders.append(path)
    except OSError as error:
        if not folder:
            raise RootUnreadableError(f"{root} cannot be listed: {error.strerror}") from error
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            found.miss(folder, error)
    return subfolders


def _look_at(entry: os.DirEntry[str], path: str, rules: Rules, found: _Found) -> bool:
    """Add an entry to `found` if it is a candidate; return whether it is a folder."""
    try:
        if entry.is_dir(follow_symlinks=False):
            return True
        if rules.matches(entry.name):
            found.add(path, entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        pass  # gone since it was listed
    except PermissionError:
        raise  # a folder without search permission: said once, not for each of its files
    except OSError as error:
        found.miss(path, error)
    return False


def _enters(folder: Path, path: str, rules: Rules, found: _Found) -> bool:
    if not rules.enters(folder):
        return False
    if _is_text(folder.name):
        return True
    found.problems.append(f"folder {printable(path)} is not entered: {BAD_NAME}")
    return False


def _leads_to(root: Path, folder: str, rules: Rules) -> bool:
    """Tell whether a scan would come into a folder: each on the way is real and is entered."""
    step = root
    for name in folder.split("/") if folder else ():
        step /= name
        if not rules.enters(step) or not _is_text(name):
            return False
        status = _status(step)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return False
    return True


def _describe(path: str, status: os.stat_result) -> Identity | Irregular:
    if not _is_text(path):
        return Irregular(BAD_NAME)
    if not stat.S_ISREG(status.st_mode):
        what = _FILE_TYPES.get(stat.S_IFMT(status.st_mode), "of an unknown type")
        return Irregular(f"{what}: only regular files are taken")
    return identity_of(status)


def _status(path: Path) -> os.stat_result | None:
    """Look at a path without following a link; None where there is nothing."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"{printable(str(path))} cannot be looked at: {error.strerror}"
        raise RetriableError(message) from error


def _is_text(name: str) -> bool:
    """Tell whether a name was valid UTF-8 (Python keeps other bytes as lone surrogates)."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
