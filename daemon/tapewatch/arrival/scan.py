"""The truth about the watched folder: what lies in it now.

Events are hints that get lost; a scan is not. It lists the folders, looks at every file whose name
matches (20,000 in a fraction of a second) and reads none of them. Nothing is filtered by time:
``cp -p`` and ``mv`` bring files with old ones. It goes folder by folder, so that a season need not
be held in memory to be compared with what is known of it.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
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
class Listing:
    """What was found in a folder, or in a whole tree.

    Parameters
    ----------
    folder : str
        Path relative to the root, with ``/``; empty for the root itself.
    files : dict of str to Identity
        Regular files, by path relative to the root.
    irregular : dict of str to str
        Matching paths that cannot be frames, printable, and why not.
    problems : list of str
        What could not be looked at, a sentence each.
    unseen : set of str
        Relative paths of the files and folders that could not be looked at: neither they nor what
        is beneath them may be taken for gone.
    """

    folder: str
    files: dict[str, Identity] = field(default_factory=dict)
    irregular: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)

    def add(self, path: str, status: os.stat_result) -> None:
        """Enter a matching path, as what it is."""
        seen = _describe(path, status)
        if isinstance(seen, Irregular):
            self.irregular[printable(path)] = seen.why
        else:
            self.files[path] = seen

    def miss(self, path: str, error: OSError) -> None:
        """Enter what could not be looked at, and why."""
        self.unseen.add(path)
        self.problems.append(f"{printable(path)} cannot be looked at: {error.strerror}")


def list_folders(root: Path, rules: Rules, folder: str = "") -> Iterator[Listing]:
    """List the watched tree, or one folder of it with all beneath, a folder at a time.

    Parameters
    ----------
    root : Path
        The watched folder, absolute.
    rules : Rules
        Which files are candidates and which folders are entered.
    folder : str, optional
        Folder to begin at, relative to `root`; where the rules do not lead into it, or it is
        gone, nothing is found.

    Yields
    ------
    Listing
        Of one folder. Files that appear or vanish meanwhile may be in it or not.

    Raises
    ------
    RootUnreadableError
        `root` cannot be listed, or was replaced (mounted over, say) meanwhile, which is known at
        the end only: nothing of what was listed may be believed then.
    RetriableError
        A folder on the way to `folder` cannot be looked at.
    """
    before = root_identity(root)
    folders = [folder] if _leads_to(root, folder, rules) else []
    while folders:
        found = Listing(folders.pop())
        folders.extend(_list_folder(root, rules, found))
        yield found
    if root_identity(root) != before:
        raise RootUnreadableError(f"{root} was replaced while it was being listed")


def scan(root: Path, rules: Rules, folder: str = "") -> Listing:
    """List the watched tree, or one folder of it with all beneath, at once.

    Parameters
    ----------
    root, rules, folder
        As for `list_folders`, which also tells what may be raised.

    Returns
    -------
    Listing
        Of all folders.
    """
    tree = Listing(folder)
    for found in list_folders(root, rules, folder):
        tree.files.update(found.files)
        tree.irregular.update(found.irregular)
        tree.problems.extend(found.problems)
        tree.unseen.update(found.unseen)
    return tree


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


def _list_folder(root: Path, rules: Rules, found: Listing) -> list[str]:
    """Add the files of a folder to its listing and return the subfolders to enter."""
    folder, subfolders = found.folder, []
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


def _look_at(entry: os.DirEntry[str], path: str, rules: Rules, found: Listing) -> bool:
    """Add an entry to a listing if it is a candidate; return whether it is a folder."""
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


def _enters(folder: Path, path: str, rules: Rules, found: Listing) -> bool:
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
