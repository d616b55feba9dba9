"""On what kind of file system a folder lies.

inotify sees no change that another machine makes on a network file system, that machine's clock is
not ours, and SQLite's write-ahead log must not lie there.
"""

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

MOUNTINFO = Path("/proc/self/mountinfo")

# Globs on the type that mountinfo gives, and those that match but lie on a disk of this machine:
# fuseblk is a block device (NTFS, exFAT), whose every change passes through this kernel.
NETWORK_TYPES = (
    *("nfs", "nfs4", "cifs", "smb*", "fuse", "fuse.*", "9p", "afs", "coda", "ncp*"),
    *("ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "panfs", "acfs"),
    *("gfs", "gfs2", "ocfs2", "davfs", "vboxsf", "vmhgfs", "prl_fs", "virtiofs"),
)

_OCTAL = re.compile(r"\\([0-7]{3})")


def filesystem_type(path: PurePosixPath, mountinfo: str) -> str:
    """Find the file system type of a path in the kernel's table of mounts.

    Parameters
    ----------
    path : PurePosixPath
        Absolute, without symbolic links.
    mountinfo : str
        Text of ``/proc/self/mountinfo`` (see proc_pid_mountinfo(5)).

    Returns
    -------
    str
        Type of the mount with the longest mount point above `path`, the last one where several
        are mounted over each other; empty where there is none.
    """
    longest, found = -1, ""
    for line in mountinfo.splitlines():
        mount, separator, source = line.partition(" - ")
        fields = mount.split(" ")
        if not separator or len(fields) < 5:  # noqa: PLR2004 - the mount point is the fifth
            continue
        point = PurePosixPath(_decoded(fields[4]))
        depth = len(point.parts)
        if depth >= longest and path.is_relative_to(point):
            longest, found = depth, source.split(" ")[0]
    return found


def is_network(path: Path, mountinfo: Path = MOUNTINFO) -> bool:
    """Tell whether a path lies where other machines may change it unseen.

    Parameters
    ----------
    path : Path
        Need not exist; symbolic links are followed.
    mountinfo : Path, optional
        The kernel's table of mounts.

    Returns
    -------
    bool
        False where the table cannot be read: other systems than Linux.
    """
    try:
        text = mountinfo.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    kind = filesystem_type(PurePosixPath(os.path.realpath(path)), text)
    return any(fnmatchcase(kind, pattern) for pattern in NETWORK_TYPES)


def _decoded(mount_point: str) -> str:
    r"""Undo the kernel's octal escapes of blank, tab, newline and backslash (``\040``)."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), mount_point)
