"""What has changed in the watched folder since its files were looked at last."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tapewatch.arrival.scan import Listing
from tapewatch.model import Identity
from tapewatch.service.known import KnownFiles
from tapewatch.service.register import changed
from tapewatch.service.unsettled import Unsettled


@dataclass(slots=True)
class Changes:
    """How the listed folders differ from what is known of them.

    Parameters
    ----------
    files : int
        Number of regular files that were listed.
    news : dict of str to float
        Paths of files to be looked at, in the order in which they came, and when they changed.
    written : set of str
        Those of them whose content is new: events should have told of these.
    gone : list of str
        Paths that were known and were not listed, though they could have been.
    irregular : dict of str to str
        Paths that cannot be frames, and why not.
    problems : list of str
        What could not be looked at, a sentence each.
    """

    files: int = 0
    news: dict[str, float] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    gone: list[str] = field(default_factory=list)
    irregular: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def find_changes(
    listings: Iterable[Listing], known: KnownFiles, unsettled: Unsettled, beneath: str = ""
) -> Changes:
    """Compare listings with what is known, a folder at a time.

    Parameters
    ----------
    listings : iterable of Listing
        Of a folder and all beneath it.
    known : KnownFiles
        Files that were looked at.
    unsettled : Unsettled
        Those of them that are not whole yet.
    beneath : str, optional
        That folder, relative to the watched one; empty for that itself.

    Returns
    -------
    Changes
    """
    found = Changes()
    unseen: set[str] = set()
    away = {one for one in known.folders if not beneath or f"{one}/".startswith(f"{beneath}/")}
    for listing in listings:
        away.discard(listing.folder)
        unseen |= listing.unseen
        _compare(listing, known, unsettled, found)
    for folder in away:
        found.gone.extend(known.of_folder(folder))
    kept = tuple(unseen)
    found.gone = sorted(path for path in found.gone if not path.startswith(kept))
    in_order = sorted((moment, path) for path, moment in found.news.items())
    found.news = {path: moment for moment, path in in_order}
    return found


def _compare(listing: Listing, known: KnownFiles, unsettled: Unsettled, found: Changes) -> None:
    """Add to `found` what one folder's listing shows."""
    before = known.of_folder(listing.folder)
    for path, identity in listing.files.items():
        if identity != (unsettled.identity(path) or before.get(path)):
            found.news[path] = changed(identity)
            if path not in before or _was_written(before[path], identity):
                found.written.add(path)
    present = listing.files.keys() | listing.irregular.keys()
    found.gone.extend(before.keys() - present)
    found.files += len(listing.files)
    found.irregular |= listing.irregular
    found.problems += listing.problems


def _was_written(before: Identity | None, now: Identity) -> bool:
    """Tell whether what is new of a file that is known is its content."""
    if before is None:  # not reached, or rejected before the start: looked at each time
        return False
    # New rights, another owner or a further link change this time alone.
    return now != replace(before, ctime_ns=now.ctime_ns)
