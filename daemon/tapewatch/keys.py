"""The table of keys: every word of tape.par that tapewatch understands, as data.

The reader goes through it, and so do the tests that hold the sample tape.par and the documentation
to it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tapewatch.errors import ParameterError
from tapewatch.headers.sections import parse_section
from tapewatch.headers.typerules import parse_rules
from tapewatch.model import Step
from tapewatch.parfile import choice, number, whole, word_or, words

_DAY: Final = 86400.0  # seconds
_YEAR: Final = 8760.0  # hours
_CENTURY: Final = 36525.0  # days
_MOST_WORKERS_UNASKED: Final = 4


class Off(Enum):
    """What stands for a file that shall not be written (JSONLOG off)."""

    OFF = "off"


@dataclass(frozen=True, slots=True)
class Key:
    """A row of the table of keys.

    Parameters
    ----------
    name : str
        As in the file.
    default : str or None
        The text that means the same as leaving the key out; None: there is no such text.
    parse : callable
        Text to value; raises `ParameterError` with what is allowed. A relative path stays so.
    field : str
        Of `Parameters`; empty for a key that has one value for now, so that nothing depends on it.
    meaning : str
        For the observer, on one line.
    """

    name: str
    default: str | None
    parse: Callable[[str], object]
    field: str
    meaning: str


def _steps(text: str) -> tuple[Step, ...]:
    names = text.lower().split(",")
    if len(set(names)) < len(names) or not set(names) <= set(Step):
        raise ParameterError("allowed are some of bias,dark,flat, each once, with commas between")
    return tuple(step for step in Step if step in names)


def _maxage(text: str) -> tuple[float, float, float]:
    parse = number(0, _CENTURY)
    try:
        ages = [parse(age) for age in text.split(",")]
        bias, dark, flat = ages * 3 if len(ages) == 1 else ages
    except (ParameterError, ValueError):
        raise ParameterError(
            f"allowed is one number of days from 0 to {_CENTURY:g}, or three: bias,dark,flat"
        ) from None
    return bias, dark, flat


def _clipsig(text: str) -> tuple[float, float]:
    parse = number(1, 100)
    try:
        low, high = (parse(limit) for limit in text.split(","))
    except (ParameterError, ValueError):
        raise ParameterError("allowed are two numbers from 1 to 100: low,high") from None
    return low, high


def _region(text: str) -> str:
    name = text.lower()
    if name in {"all", "centre", "center"}:
        return name.replace("center", "centre")
    section = parse_section(text)
    if section is None or min(section.top, section.left) < 0:
        raise ParameterError("allowed is all, centre, or a section as [101:900,101:900]")
    return str(section)


def _cosmic(text: str) -> bool:
    wanted = _SWITCH(text)
    if wanted and find_spec("astroscrappy") is None:
        raise ParameterError(
            "allowed is 0, since astroscrappy is not installed here: pip install tapewatch[cosmic]"
        )
    return wanted


def _instruments(text: str) -> tuple[str, ...]:
    patterns = tuple(text.split(","))
    if not all(patterns):
        raise ParameterError("allowed are patterns of INSTRUME as FLI*,ZWO*, or * for all cameras")
    return () if patterns == ("*",) else patterns


def _patterns(text: str) -> tuple[str, ...]:
    globs = text.lower().split(",")
    if not all(globs) or "/" in text:
        raise ParameterError("allowed are patterns of file names as *.fits,*.fit, without a /")
    return tuple(globs)


def _workers(text: str) -> int:
    cores = len(os.sched_getaffinity(0))
    return whole(0, 64)(text) or min(cores, _MOST_WORKERS_UNASKED)


def _path(text: str) -> Path:
    if not text:
        raise ParameterError("allowed is a path")
    return Path(text)


_SWITCH = choice({"0": False, "1": True})
_PATH = word_or("auto", None, _path)
_PACKINGS = ("", ".gz", ".bz2", ".fz")
_GLOBS = ",".join(f"*.{name}{packing}" for packing in _PACKINGS for name in ("fit", "fits", "fts"))

# A table reads by its rows: the formatter would make seven lines of each.
KEYS: Final = (
    Key("WORKDIR", None, _path, "workdir", "folder of tonight's frames"),
    Key("BINNING", "1", whole(1, 64), "binning", "binning of the frames to reduce"),
    Key("SATU", "65535", number(1, 1e9), "saturation", "saturation level of the raw pixels [ADU]"),
    Key("EGAIN", None, number(1e-3, 1e3), "egain",
        "gain of the camera where the header has none [electron/ADU]"),
    Key("OBSLON", None, number(-180, 360), "longitude", "longitude of the telescope [deg east]"),
    Key("WATCHDIR", "auto", _PATH, "watchdir",
        "folder to watch, with its subfolders; auto: WORKDIR"),
    Key("OUTDIR", "auto", _PATH, "outdir",
        "folder for masters, calibrated frames and lists; auto: beside the raw frames"),
    Key("NBIAS", "5", whole(1), "nbias", "number of bias frames that complete a set"),
    Key("NDARK", "5", whole(1), "ndark",
        "number of dark frames of one exposure time that complete a set"),
    Key("NFLAT", "5", whole(1), "nflat",
        "number of flat frames of one filter that complete a set"),
    Key("MINCAL", "3", whole(1), "mincal",
        "fewest frames for a master where a set stays incomplete"),
    Key("SETQUIET", "120", number(0, _DAY), "setquiet",
        "seconds without a new frame after which MINCAL frames are enough"),
    Key("SETGAP", "18", number(0, _YEAR), "setgap",
        "hours between two frames (DATE-OBS) above which another set begins; 0: never"),
    Key("NIGHTEND", "noon", choice({"noon": True, "off": False}), "nightend",
        "noon: at local noon a set takes the frames it has, however few; off: it goes on waiting"),
    Key("STEPS", "bias,dark,flat", _steps, "steps",
        "corrections that every object frame needs; bias,flat: no darks; dark,flat: no biases"),
    Key("COMBINE", "median", words("median", "sigclip"), "combine",
        "how the frames of a set are combined: median, or sigclip, their mean without outliers"),
    Key("CLIPSIG", "3,3", _clipsig, "clipsig",
        "sigclip leaves out what is so many sigma below,above the median"),
    Key("SETCHECK", "warn", words("warn", "reject"), "setcheck",
        "calibration frames that do not fit their set; warn: used, and told; reject: left out"),
    Key("DARKSCALE", "any", words("any", "down", "never"), "darkscale",
        "darks of another exposure time, scaled: any; down: only longer ones; never: none"),
    Key("FLATDARK", "0", _SWITCH, "flatdark",
        "1: subtract a dark from flats too: of flat-darks, or else the nearest dark, scaled"),
    Key("HOTFIX", "none", words("none", "nan", "median"), "hotfix",
        "what hot, saturated and listed bad pixels hold: none: what comes out; nan; median: of"
        " good neighbours"),
    Key("BADFILL", "nan", words("nan", "median"), "badfill",
        "what a pixel holds that cannot be computed: nan, or median of good neighbours"),
    Key("TEMPTOL", "2.0", number(0, 100), "temptol",
        "degrees C by which dark and object frame may differ"),
    Key("MAXAGE", "90,90,14", _maxage, "maxage",
        "days by which a bias,dark,flat of another folder may differ from the frame; 0: any"),
    Key("ONMISSING", "provisional", choice({"provisional": True, "wait": False}), "provisional",
        "an object frame whose masters are missing: provisional: the steps that can be done; wait"),
    Key("PINCAL", "1", _SWITCH, "pincal",
        "1: all frames of a sequence keep the same masters; 0: each has the best at its time"),
    Key("RECAL", "auto", choice({"auto": True, "never": False}), "recal",
        "auto: frames whose masters were superseded are calibrated anew; never: they are listed"),
    Key("OVERSCAN", "0", _SWITCH, "overscan",
        "1: subtract the overscan and trim, as BIASSEC, TRIMSEC or DATASEC of the header say"),
    Key("FLATREGION", "all", _region, "flatregion",
        "pixels whose median normalises a flat; all, centre, or a section as [101:900,101:900]"),
    Key("MASK", "1", _SWITCH, "mask",
        "1: write a mask of pixels not to trust into calibrated frames; 0: not"),
    Key("UNCERT", "0", _SWITCH, "uncert",
        "1: write the uncertainty of each pixel into calibrated frames; 0: not"),
    Key("BADPIX", "none", word_or("none", None, _path), "badpix",
        "FITS mask (not 0: bad) or region list of bad pixels, unbinned; none"),
    Key("COSMIC", "0", _cosmic, "cosmic",
        "1: mask cosmic rays (needs the extra: pip install tapewatch[cosmic]); 0: not"),
    Key("INSTRUMENT", "*", _instruments, "instruments",
        "cameras (INSTRUME) whose frames are taken, as FLI*,ZWO*; other frames are left alone"),
    Key("TYPERULES", "none", parse_rules, "typerules",
        "as flat:*flat*,dark:*dark*: what a path tells of a frame's type goes over its header"),
    Key("ALLBIN", "0", _SWITCH, "allbin",
        "1: take frames of every binning, each with its own masters; 0: of BINNING alone"),
    Key("RECURSE", "1", _SWITCH, "recurse", "1: watch subfolders too; 0: not"),
    Key("PATTERNS", _GLOBS, _patterns, "patterns",
        "file names that are taken for frames, in upper or lower case"),
    Key("SINCE", "7", word_or("all", None, number(0, _CENTURY)), "since",
        "days back from the first start from which frames are taken; all: however old"),
    Key("SETTLE", "2", number(0, _DAY), "settle",
        "seconds a file must stay unchanged before it is read, where nothing tells its end"),
    Key("STALL", "600", number(0, _DAY), "stall",
        "seconds after which a frame that was never finished is reported"),
    Key("RESCAN", "15", number(0.01, _DAY), "rescan",
        "seconds between two searches of the folder for what went unnoticed"),
    Key("WATCH", "auto", words("auto", "inotify", "poll"), "watch",
        "how new files are noticed; inotify: told; poll: looked for; auto: poll on network disks"),
    Key("WORKERS", "0", _workers, "workers",
        "number of frames worked on side by side; 0: one per processor core, at most 4"),
    Key("MINFREE", "5", number(0, 99), "minfree",
        "percent of the output disk that stays free; below it nothing is written"),
    Key("STATEFILE", "auto", _PATH, "statefile",
        "file in which tapewatch remembers what it did; auto: .tapewatch/ of the output folder"),
    Key("JSONLOG", "auto", word_or("off", Off.OFF, _PATH), "jsonlog",
        "the log as a file for programs; auto: beside STATEFILE; off: none"),
)  # fmt: skip
"""Every key that tapewatch understands, in the order of the sample."""
