"""The parameter file tape.par: what the observer asks for, checked before anything is touched."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapewatch import parfile
from tapewatch.errors import ParameterError
from tapewatch.headers.regions import FITS_MARK, parse_regions
from tapewatch.headers.typerules import Rule
from tapewatch.keys import KEYS, Key, Off
from tapewatch.model import BadPixels, Step, Treatment, Workplace
from tapewatch.parfile import Entry, printable, shown

__all__ = ["KEYS", "Key", "Off", "Parameters", "read_parameters"]

_OPTION: Final = 0  # the line of a value that stands on the command line, not in the file
_FOLDERS_OF_FRAMES: Final = ("WORKDIR", "WATCHDIR")
_FILES_OF_OURS: Final = ("STATEFILE", "JSONLOG")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything tape.par says, with the defaults filled in and every path absolute.

    Parameters
    ----------
    file : Path
        The tape.par.
    workdir : Path
        Tonight's folder.
    binning : int
        Frames of another binning are set aside.
    saturation : float
        Raw pixels at or above it are saturated, ADU.
    watchdir : Path
        The tree that is watched; WORKDIR by default.
    outdir : Path or None
        Where everything is written, in the same subfolders; None: beside the raw frames.
    nbias, ndark, nflat : int
        Frames that complete a set.
    mincal : int
        Frames that are enough once a set is quiet. Where it is more than the set needs to be
        complete it means nothing.
    setquiet : float
        Quiet time after which `mincal` frames are enough, seconds.
    setgap : float
        Time between two frames above which another set begins, hours; 0: never.
    nightend : bool
        Whether sets take what they have at local noon.
    steps : tuple of Step
        Corrections of an object frame, in the order in which they are done.
    combine : str
        ``median`` or ``sigclip``: how the frames of a set become a master.
    clipsig : tuple of float
        Standard deviations below and above the median from which sigclip leaves a value out.
    setcheck : str
        ``warn`` or ``reject``: what becomes of frames that do not fit their set.
    darkscale : str
        ``any``, ``down`` or ``never``.
    flatdark : bool
        Whether flats have a dark subtracted, too.
    temptol : float
        Difference of temperature that darks may have, degrees C.
    maxage : tuple of float
        Oldest bias, dark and flat of another folder, days; 0: any.
    overscan : bool
        Whether overscan is subtracted and trimmed.
    flatregion : str
        Pixels whose median normalises a flat: ``all``, ``centre`` or a section.
    provisional : bool
        Whether object frames without all of their masters are calibrated as far as can be.
    pincal : bool
        Whether all frames of a sequence keep the same masters.
    recal : bool
        Whether frames whose masters were superseded are calibrated anew.
    hotfix : str
        ``none``, ``nan`` or ``median``: what hot and saturated pixels hold.
    badfill : str
        ``nan`` or ``median``: what pixels without a finite value hold.
    mask, uncert : bool
        Whether products have a mask, and an uncertainty.
    badpix : BadPixels or None
        The observer's file of bad pixels, as it is now.
    cosmic : bool
        Whether cosmic rays are masked.
    egain : float or None
        Gain where the header has none, e-/ADU.
    longitude : float or None
        Of the telescope, degrees east.
    allbin : bool
        Whether frames of every binning are taken, not of `binning` alone.
    instruments : tuple of str
        Patterns of the cameras whose frames are taken; none: all cameras.
    typerules : tuple of (Kind, str)
        What patterns of paths tell of a frame's kind, over its header; the first that matches.
    recurse : bool
        Whether subfolders are watched.
    patterns : tuple of str
        Lower-case globs of file names.
    since : float or None
        Age of the oldest files that are taken at the first start, days; None: all.
    settle : float
        Time a file must stay unchanged where nothing else vouches for it, seconds.
    stall : float
        Time after which an incomplete file is reported, seconds.
    rescan : float
        Time between two scans, seconds.
    watch : str
        ``auto``, ``inotify`` or ``poll``.
    workers : int
        Worker processes, at least 1.
    minfree : float
        Part of the output disk that stays free, percent.
    statefile : Path or None
        None: the default place.
    jsonlog : Path, Off or None
        The log as a file; None: the default place.
    warnings : tuple of str
        What the log should say about tape.par itself.
    """

    file: Path
    workdir: Path
    binning: int
    saturation: float
    watchdir: Path
    outdir: Path | None
    nbias: int
    ndark: int
    nflat: int
    mincal: int
    setquiet: float
    setgap: float
    nightend: bool
    steps: tuple[Step, ...]
    combine: str
    clipsig: tuple[float, float]
    setcheck: str
    darkscale: str
    flatdark: bool
    temptol: float
    maxage: tuple[float, float, float]
    overscan: bool
    flatregion: str
    provisional: bool
    pincal: bool
    recal: bool
    hotfix: str
    badfill: str
    mask: bool
    uncert: bool
    badpix: BadPixels | None
    cosmic: bool
    egain: float | None
    longitude: float | None
    allbin: bool
    instruments: tuple[str, ...]
    typerules: tuple[Rule, ...]
    recurse: bool
    patterns: tuple[str, ...]
    since: float | None
    settle: float
    stall: float
    rescan: float
    watch: str
    workers: int
    minfree: float
    statefile: Path | None
    jsonlog: Path | Off | None
    warnings: tuple[str, ...] = ()

    @property
    def output(self) -> Path:
        """Root of everything that is written."""
        return self.outdir or self.watchdir

    @property
    def treatment(self) -> Treatment:
        """What is said of the arithmetic."""
        return Treatment(
            saturation=self.saturation,
            combine=self.combine,
            clipsig=self.clipsig,
            mask=self.mask,
            overscan=self.overscan,
            flatregion=self.flatregion,
            uncert=self.uncert,
            hotfix=self.hotfix,
            badfill=self.badfill,
            badpix=self.badpix,
            cosmic=self.cosmic,
            egain=self.egain if self.uncert or self.cosmic else None,
        )

    @property
    def workplace(self) -> Workplace:
        """Where and how jobs work."""
        return Workplace(self.watchdir, self.output, self.treatment, self.minfree)


def read_parameters(
    file: Path, *, workdir: Path | None = None, may_be_away: bool = False
) -> Parameters:
    """Read and check a parameter file.

    Parameters
    ----------
    file : Path
        The tape.par; relative paths in it are relative to its folder.
    workdir : Path, optional
        Takes the place of WORKDIR (``--workdir``); relative to the current folder.
    may_be_away : bool
        Whether folders of frames need not be there, for who only asks what is known of them.

    Raises
    ------
    ParameterError
        The file cannot be read, or values in it are not allowed: every one of them, a line each,
        and after them what is suspicious.
    """
    file = file.absolute()
    entries = parfile.entries_of(parfile.load(file))
    if workdir is not None:
        entries["WORKDIR"] = Entry("WORKDIR", _OPTION, str(workdir.absolute()))
    values, problems = _values(file, entries, may_be_away=may_be_away)
    warnings = list(_warnings(file, entries))
    if problems:
        raise ParameterError("\n".join([*problems, *warnings]))
    workdir = values["workdir"]
    watchdir = values["watchdir"] = values["watchdir"] or workdir
    if not workdir.is_relative_to(watchdir):
        warnings.append(f"{file}: WORKDIR {workdir} is outside WATCHDIR {watchdir}: not watched")
    return Parameters(file=file, warnings=tuple(warnings), **values)


def _values(
    file: Path, entries: Mapping[str, Entry], *, may_be_away: bool
) -> tuple[dict[str, Any], list[str]]:
    """Parse every key of ours: the fields of `Parameters`, and what is wrong in the file."""
    values: dict[str, Any] = {key.field: _default(key) for key in KEYS}
    problems = [] if "WORKDIR" in entries else [f"{file}: WORKDIR, tonight's folder, is missing"]
    for key in KEYS:
        if entry := entries.get(key.name):
            try:
                values[key.field] = _value(key, entry, file.parent, may_be_away=may_be_away)
            except ParameterError as error:
                problems.append(f"{_where(file, entry)}: {key.name} {_shown(entry)}: {error}")
    values.pop("", None)  # of the keys on which nothing depends
    return values, problems


def _default(key: Key) -> object:
    return None if key.default is None else key.parse(key.default)


def _value(key: Key, entry: Entry, folder: Path, *, may_be_away: bool) -> object:
    if entry.text.startswith('"') and not entry.quoted:
        raise ParameterError('allowed is one value between double quotes: "..."')
    value = key.parse(entry.text)
    if not isinstance(value, Path):
        return value
    path = _placed(key, folder / value, may_be_away=may_be_away)
    return _bad_pixels(path) if key.name == "BADPIX" else path


def _placed(key: Key, path: Path, *, may_be_away: bool) -> Path:
    """Make a path absolute, free of links (one folder, one lock), and see what is there now."""
    try:
        path = path.resolve()
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        # no permission or too long a name; a circle of links; a character no path can have
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(f"allowed is a path that can be reached: {reason}") from error
    name = printable(str(path))
    if key.name in _FOLDERS_OF_FRAMES and not is_folder and (is_there or not may_be_away):
        raise ParameterError(f"{name} is no folder; allowed is a folder that exists")
    if key.name == "OUTDIR" and is_there and not is_folder:
        raise ParameterError(f"{name} is a file; allowed is a folder, or a path where none is yet")
    if key.name in _FILES_OF_OURS and is_folder:
        raise ParameterError(f"{name} is a folder; allowed is the path of a file")
    return path


def _bad_pixels(path: Path) -> BadPixels:
    """Read a file of bad pixels as far as can be told without a frame."""
    try:
        content = path.read_bytes()
        if not content.startswith(FITS_MARK):
            parse_regions(content.decode("utf-8"))
    except OSError as error:
        raise ParameterError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ParameterError("allowed is an uncompressed FITS image, or a list as text") from error
    return BadPixels(hashlib.sha256(content).hexdigest(), path)


def _warnings(file: Path, entries: Mapping[str, Entry]) -> Iterator[str]:
    """Say what is allowed and yet looks wrong."""
    names = [key.name for key in KEYS]
    for entry in entries.values():
        if entry.key in names:
            if entry.quoted:
                yield (
                    f"{_where(file, entry)}: {entry.key} {_shown(entry)}: "
                    "TAPE itself cannot read a value in double quotes"
                )
        elif name := parfile.meant(entry.key, names):
            yield (
                f"{_where(file, entry)}: {shown(entry.key)} means nothing to tapewatch: "
                f"was {name} meant?"
            )


def _where(file: Path, entry: Entry) -> str:
    return "--workdir" if entry.line == _OPTION else f"{file}, line {entry.line}"


def _shown(entry: Entry) -> str:
    return shown(entry.text) or "(no value)"
