"""What a hardened systemd service must be told to reach the folders of a tape.par: its drop-in.

The unit lets the service write nothing but its own state and log, and hides all homes. A drop-in
opens just the folders that this tape.par names, wherever they lie, and lets the service into the
group that they belong to (systemd.exec(5), Sandboxing and Paths).
"""

import grp
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tapewatch.parameters import Parameters

# Where ProtectHome= puts an empty file system: a folder in there has to be mounted into it.
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
_ROOT = 0
_HEAD = """\
# For tapewatch: the folders that its tape.par names, and the group that they belong to.
# Written by `tapewatch check --unit`; to be written anew when one of its folders changes.
"""


def drop_in(parameters: Parameters) -> str:
    """Write the drop-in of the service that works with a parameter file.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    str
        Text of a file for ``/etc/systemd/system/tapewatch@NAME.service.d/``.
    """
    written = _outermost(_written(parameters))
    read = [one for one in (parameters.watchdir,) if not _within(one, written)]
    lines = [_HEAD + "[Unit]"]
    lines += [f"RequiresMountsFor={_quoted(folder)}" for folder in [*written, *read]]
    lines += ["", "[Service]"]
    for folder in written:
        lines.append(f"{'BindPaths' if _is_hidden(folder) else 'ReadWritePaths'}={_quoted(folder)}")
    lines += [f"BindReadOnlyPaths={_quoted(folder)}" for folder in read if _is_hidden(folder)]
    groups = sorted({group for folder in [*written, *read] for group in _groups(folder)})
    if groups:
        lines.append(f"SupplementaryGroups={' '.join(groups)}")
    lines += [f"# {problem}" for problem in problems(parameters)]
    return "\n".join(lines) + "\n"


def problems(parameters: Parameters) -> list[str]:
    """Say what keeps a service in the group of the folders from writing there.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Returns
    -------
    list of str
        In words, with what would help.
    """
    return [
        f"{folder} cannot be written by its group: chmod g+w {folder}"
        for folder in _outermost(_written(parameters))
        if folder.exists() and not folder.stat().st_mode & stat.S_IWGRP
    ]


def _written(parameters: Parameters) -> Iterator[Path]:
    """Folders that are written to, where tape.par names them."""
    yield parameters.output
    for file in (parameters.statefile, parameters.jsonlog):
        if isinstance(file, Path):
            yield file.parent


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Leave out the folders that lie in others."""
    found: list[Path] = []
    for folder in sorted(set(folders)):
        if not _within(folder, found):
            found.append(folder)
    return found


def _within(folder: Path, others: Iterable[Path]) -> bool:
    return any(folder.is_relative_to(other) for other in others)


def _is_hidden(folder: Path) -> bool:
    return _within(folder, _HIDDEN)


def _groups(folder: Path) -> Iterator[str]:
    """Group of a folder, by name where it has one; none for root's, which is not given away."""
    if not folder.exists() or (group := folder.stat().st_gid) == _ROOT:
        return
    try:
        yield grp.getgrgid(group).gr_name
    except KeyError:
        yield str(group)


def _quoted(folder: Path) -> str:
    r"""Write a path for a unit file: in quotes, with ``%``, ``\`` and ``"`` escaped."""
    text = str(folder).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if text != str(folder) or " " in text else text
