"""Names of masters and lists, as TAPE expects them: wbias, wdark180s, wflatR."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from tapewatch.model import Kind
from tapewatch.planning.sets import CalibrationSet

PROVISIONAL_FOLDER = "provisional"
"""Folder of provisional products, in that of the frames."""

_CLEAN = re.compile(r"[^A-Za-z0-9._+-]")
_MOST_DECIMALS = 6
_LONGEST_FILTER = 40  # a file name has room for 255 bytes in all
_COMPRESSED = (".gz", ".bz2", ".fz")


def product_name(raw_name: str) -> str:
    """Name of a calibrated frame.

    Parameters
    ----------
    raw_name : str
        As ``x.fits`` or ``x.fits.fz``.

    Returns
    -------
    str
        ``wx.fits`` for both: products are not compressed.
    """
    for suffix in _COMPRESSED:
        if raw_name.lower().endswith(suffix):
            return f"w{raw_name[: -len(suffix)]}"
    return f"w{raw_name}"


def product_path(path: str, *, provisional: bool = False) -> str:
    """Path of a frame's product.

    Parameters
    ----------
    path : str
        Of the raw frame, relative to the watched folder.
    provisional : bool
        It is made without all of its masters, and goes beside the place of the real one.

    Returns
    -------
    str
        Relative to the output folder.
    """
    folder, slash, name = path.rpartition("/")
    place = f"{PROVISIONAL_FOLDER}/" if provisional else ""
    return f"{folder}{slash}{place}{product_name(name)}"


def names_of_twins(path: str) -> tuple[str, ...]:
    """Names that raw frames can have whose product is that of a given one.

    Parameters
    ----------
    path : str
        Of a raw frame, as ``night/X.fits.gz``.

    Returns
    -------
    tuple of str
        In lower case, its own among them: ``x.fits``, ``x.fits.gz``, ``x.fits.bz2``, ``x.fits.fz``.
    """
    plain = product_name(path.rpartition("/")[2]).removeprefix("w").lower()
    return plain, *(plain + suffix for suffix in _COMPRESSED)


def clean_filter(name: str, others: Collection[str] = ()) -> str:
    """Filter name that is safe in a file name.

    Parameters
    ----------
    name : str
        FILTER as in the header.
    others : collection of str
        Filters used in the same folder: names that differ only by case get a hash, too, since
        some file systems do not tell them apart.

    Returns
    -------
    str
        Of ``A-Za-z0-9._+-`` alone, 40 at most; with ``-`` and 6 digits of a hash where anything
        was changed.
    """
    cleaned = _CLEAN.sub("_", name)[:_LONGEST_FILTER]
    twins = any(other != name and other.lower() == name.lower() for other in others)
    if cleaned == name and not twins:
        return name
    return f"{cleaned}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def exposure_text(exptime: float, others: Iterable[float] = ()) -> str:
    """Exposure time as in ``wdark180s``, with more digits where others would print alike.

    Parameters
    ----------
    exptime : float
        Seconds.
    others : iterable of float
        Exposure times of the folder's other darks, seconds.

    Returns
    -------
    str
        ``180``, or ``0.4`` beside a dark of 0.5 s.
    """
    different = {other for other in others if other != exptime}
    for decimals in range(_MOST_DECIMALS):
        text = f"{exptime:.{decimals}f}"
        if all(f"{other:.{decimals}f}" != text for other in different):
            return text
    return f"{exptime:.{_MOST_DECIMALS}f}"


def stems(
    sets: Sequence[CalibrationSet], combined: Collection[str] = (), binning: int = 1
) -> Mapping[str, str]:
    """Names of the sets of one folder, for their masters and lists.

    The plain name goes to a set of BINNING, and to the newest that has a master, of the read-out
    mode with most frames where several share the folder; the others carry six characters of
    their ID.

    Parameters
    ----------
    sets : sequence of CalibrationSet
        All sets of one folder.
    combined : collection of str
        IDs of those whose master is on disk.
    binning : int
        BINNING of tape.par.

    Returns
    -------
    mapping of str to str
        Set ID -> stem.
    """
    sharing: dict[str, list[CalibrationSet]] = defaultdict(list)
    for one, stem in zip(sets, base_stems(sets), strict=True):
        sharing[stem].append(one)
    named = {}
    for stem, rivals in sharing.items():
        frames = Counter[object]()
        for one in rivals:
            frames[one.detector] += len(one.frames)
        plain = max(
            rivals,
            key=lambda one: (
                one.detector.binning == (binning, binning),
                one.id in combined,
                frames[one.detector],
                one.last.start,
                one.id,
            ),
        )
        for one in rivals:
            named[one.id] = stem if one is plain else f"{stem}-{one.id[:6]}"
    return named


def stem_of(one: CalibrationSet) -> str:
    """Name of a set by itself, whatever else the folder holds, for the versions of its master.

    Parameters
    ----------
    one : CalibrationSet
        The set.

    Returns
    -------
    str
        ``wbias``, ``wdark180s``, ``wflatR`` ...
    """
    return base_stems([one])[0]


def base_stems(sets: Sequence[CalibrationSet]) -> list[str]:
    """Plain names of the sets of one folder; several sets may share one.

    Parameters
    ----------
    sets : sequence of CalibrationSet
        All sets of one folder.

    Returns
    -------
    list of str
        ``wbias``, ``wdark180s``, ``wflatR`` ..., in the order of `sets`.
    """
    filters = {one.last.filter for one in sets if one.kind is Kind.FLAT}
    exposures = {
        kind: _typical_exposures([one for one in sets if one.kind is kind])
        for kind in (Kind.DARK, Kind.FLATDARK)
    }
    names = []
    for one in sets:
        if one.kind is Kind.FLAT:
            names.append(f"wflat{clean_filter(one.last.filter, filters)}")
        elif one.kind in exposures:
            times = exposures[one.kind]
            names.append(f"w{one.kind}{exposure_text(times[one.id], times.values())}s")
        else:
            names.append(f"w{one.kind}")
    return names


def _typical_exposures(sets: Sequence[CalibrationSet]) -> dict[str, float]:
    """Exposure time that names each set: sets within 0.1 % share that of the shortest."""
    typical: dict[str, float] = {}
    named = 0.0
    for one in sorted(sets, key=lambda one: (one.last.exptime, one.id)):
        if not typical or one.last.exptime > named * 1.001:
            named = one.last.exptime
        typical[one.id] = named
    return typical
