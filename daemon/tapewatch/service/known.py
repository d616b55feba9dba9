"""What each file was when it was looked at last, of every folder, in little memory.

A season has tens of thousands of files, and a night changes those of a few folders. So folders that
rest are packed: 25 bytes a file instead of 400.
"""

import json
import zlib
from collections.abc import Mapping

from tapewatch.model import Identity

_FAST = 1  # level of compression

_Files = dict[str, Identity | None]


class KnownFiles:
    """Identities of files by path; None for a file that is to be looked at in any case."""

    def __init__(self) -> None:
        self._open: dict[str, _Files] = {}  # by folder, as the next
        self._packed: dict[str, bytes] = {}  # with the open ones that have not changed since

    @property
    def folders(self) -> set[str]:
        """Every folder of which a file is known, and maybe some of which none is any more."""
        return self._open.keys() | self._packed.keys()

    @property
    def any_was_there(self) -> bool:
        """Whether of any file it is known what it was."""
        return any(any(self.of_folder(folder).values()) for folder in self.folders)

    def of_folder(self, folder: str) -> Mapping[str, Identity | None]:
        """Give the files of a folder by path, as they are known now."""
        files = self._open.get(folder)
        return self._unpacked(folder) if files is None else files

    def identity(self, path: str) -> Identity | None:
        """Give what a file was; None where it is unknown or to be looked at in any case."""
        return self._opened(parent_of(path)).get(path)

    def note(self, path: str, identity: Identity | None) -> None:
        """Note what a file was when it was looked at."""
        folder = parent_of(path)
        self._opened(folder)[path] = identity
        self._packed.pop(folder, None)

    def forget(self, path: str) -> Identity | None:
        """Forget a file, as one that is gone, and give what it was."""
        folder = parent_of(path)
        identity = self._opened(folder).pop(path, None)
        self._packed.pop(folder, None)
        return identity

    def pack(self) -> None:
        """Pack all folders, each until one of its files is asked for.

        From time to time: to pack one for each that is opened would take longer and longer, where
        files come into many folders in turn.
        """
        for folder, files in self._open.items():
            if files and folder not in self._packed:
                self._packed[folder] = _pack(files)
        self._open.clear()

    def _opened(self, folder: str) -> _Files:
        """Give the files of a folder, to be read and changed."""
        if folder not in self._open:
            self._open[folder] = self._unpacked(folder)
        return self._open[folder]

    def _unpacked(self, folder: str) -> _Files:
        return _unpack(self._packed[folder]) if folder in self._packed else {}


def parent_of(path: str) -> str:
    """Give the folder of a path relative to the watched one, empty for that itself."""
    return path.rpartition("/")[0]


def _pack(files: _Files) -> bytes:
    # In columns, which are more alike than rows and so take less.
    numbers = [
        None if one is None else (one.device, one.inode, one.size, one.mtime_ns, one.ctime_ns)
        for one in files.values()
    ]
    known = [one for one in numbers if one is not None]
    columns = [list(files), [one is not None for one in numbers], *zip(*known, strict=True)]
    return zlib.compress(json.dumps(columns).encode(), _FAST)


def _unpack(packed: bytes) -> _Files:
    paths, are_known, *columns = json.loads(zlib.decompress(packed))
    identities = (Identity(*numbers) for numbers in zip(*columns, strict=True))
    return {
        path: next(identities) if is_known else None
        for path, is_known in zip(paths, are_known, strict=True)
    }
