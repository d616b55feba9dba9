"""The w*.list files that TAPE's next step reads: names of raw frames, one a line.

``wobj.list`` names the object frames whose product is on disk, and nothing else: TAPE opens every
name in it without a try.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tapewatch.fitsfile.atomic import write_text

# TAPE reads the lists with numpy.genfromtxt, which cuts names at blanks and at "#".
_CUTTING = "#"
# Stems that sets have: wbias, wdark180s, wflatR, and those with six characters of a set's ID.
_OF_A_SET = re.compile(r"w(bias|(flat)?dark[0-9.]+s|flat.+)(-[0-9a-f]{6})?")


def suits_list(name: str) -> bool:
    """Tell whether TAPE can read a name from a list.

    Parameters
    ----------
    name : str
        File name.

    Returns
    -------
    bool
        False where it holds a blank, a ``#`` or a control character.
    """
    return name.isprintable() and not any(one.isspace() or one in _CUTTING for one in name)


def read_list(folder: Path, stem: str) -> tuple[str, ...]:
    """Read a list that `write_lists` wrote.

    Parameters
    ----------
    folder : Path
        Where products of the frames go.
    stem : str
        As ``wobj``.

    Returns
    -------
    tuple of str
        Names; none where there is no such list, or it cannot be read.
    """
    try:
        return tuple(os.fsdecode((folder / f"{stem}.list").read_bytes()).splitlines())
    except OSError:
        return ()


def write_lists(folder: Path, lists: Mapping[str, Sequence[str]], job_id: str) -> None:
    """Write the lists of one folder and remove those of sets that are no more.

    Parameters
    ----------
    folder : Path
        Where products of the frames go.
    lists : mapping of str to sequence of str
        Stem of the list, as ``wobj`` -> names in order of DATE-OBS. Names that TAPE would cut
        are left out.
    job_id : str
        Names the temporary files.

    Raises
    ------
    OutputError
        The system cannot write.
    """
    for stem, names in lists.items():
        text = "".join(f"{name}\n" for name in names if suits_list(name))
        target = folder / f"{stem}.list"
        if text or target.exists():
            write_text(target, text, job_id)
    for old in folder.glob("w*.list"):
        if old.stem not in lists and _OF_A_SET.fullmatch(old.stem):
            old.unlink(missing_ok=True)
