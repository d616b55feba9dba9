"""The folders in which something of ours may lie, found on disk and not by what is known."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tapewatch.arrival.scan import OWN_FOLDERS
from tapewatch.fitsfile.atomic import remove_leftovers


def folders_of(output: Path, known: Iterable[str] = ()) -> Iterator[str]:
    """Go through the folders of an output folder that may hold masters and products.

    Parameters
    ----------
    output : Path
        The output folder.
    known : iterable of str
        Further ones, as behind a link; relative to the output folder.

    Yields
    ------
    str
        Relative to the output folder, empty for itself; each once, none of our own or hidden ones.
    """
    found = {""}
    yield ""
    for place, names, _ in os.walk(output):
        names[:] = sorted(
            name for name in names if name not in OWN_FOLDERS and not name.startswith(".")
        )
        for name in names:
            folder = (Path(place) / name).relative_to(output).as_posix()
            found.add(folder)
            yield folder
    yield from sorted(set(known) - found)


def remove_unfinished(output: Path, folders: Iterable[str]) -> Iterator[Path]:
    """Remove the unfinished files that killed processes left; none of ours may be at work.

    Parameters
    ----------
    output : Path
        The output folder.
    folders : iterable of str
        Where to look, relative to it.

    Yields
    ------
    Path
        What was removed.
    """
    for folder in folders:
        place = output / folder
        for part in (place, *(place / own for own in OWN_FOLDERS)):
            for name in remove_leftovers(part) if part.is_dir() else ():
                yield part / name
