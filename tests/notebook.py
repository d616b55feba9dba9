"""The notebook's arithmetic, transcribed: what every master and product is compared with.

Its expressions stand here as in the cells of TAPE's ``run_ccdproc``: the same order, the same
types, numpy and astropy alone, and nothing of tapewatch. It departs in three points: a frame's type
may be spelt as MaxIm DL does, a bias or dark needs no FILTER, and of two darks equally near in
exposure time the longer is taken.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Image = NDArray[Any]


@dataclass(frozen=True)
class Night:
    """What the notebook leaves in a folder, by name less its suffix: ``wbias``, ``wflatR`` ..."""

    lists: dict[str, list[str]] = field(default_factory=dict)
    masters: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    headers: dict[str, fits.Header] = field(default_factory=dict)
    products: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def process(files: Iterable[Path]) -> Night:
    """Do what the notebook does with raw frames of one folder and one binning."""
    raws = {path.name: read(path) for path in files}
    lists = _lists({name: hdr for name, (_, hdr) in raws.items()})
    night = Night(lists=lists)

    # COMBINE bias frames
    bias_stack = []
    for fname in lists["wbias"]:
        dat, hdr = raws[fname]
        bias_stack.append(dat)
        night.headers["wbias"] = hdr
    master_bias = np.array(np.median(bias_stack, axis=0), dtype=np.float32)
    night.masters["wbias"] = master_bias

    # COMBINE dark frames, LOOP of the exposure time
    master_darks, exptime_darks = [], []
    for fidx in _darks_the_longest_first(lists, raws):
        dark_stack = []
        for fname in lists[fidx]:
            dat, hdr = raws[fname]
            dark_stack.append(dat - master_bias)
            night.headers[fidx] = hdr
        master_dark = np.median(dark_stack, axis=0)
        exptime_dark = night.headers[fidx].get("EXPTIME")
        night.masters[fidx] = master_dark
        master_darks.append(master_dark)
        exptime_darks.append(exptime_dark)

    # COMBINE the flat frames, LOOP of filters
    master_flats, filter_flats = [], []
    for fidx in (one for one in lists if one.startswith("wflat")):
        flat_stack = []
        for fname in lists[fidx]:
            dat, hdr = raws[fname]
            dat = dat - master_bias
            fdat = dat / np.median(dat)
            flat_stack.append(fdat)
            night.headers[fidx] = hdr
        master_flat = np.median(flat_stack, axis=0)
        filter_flat = str.strip(night.headers[fidx].get("FILTER"))
        night.masters[fidx] = master_flat
        master_flats.append(master_flat)
        filter_flats.append(filter_flat)

    # DO PREPROCESSING with the calibration frames
    for fname in lists["wobj"]:
        cIMAGE, hdr = raws[fname]  # noqa: N806  (the notebook's name)
        cfilter = str.strip(hdr.get("FILTER"))
        cexptime = float(hdr.get("EXPTIME"))
        # FIND the master dark with the closest exposure time
        dd = np.argmin(np.abs(np.array(exptime_darks) - cexptime))
        dframe = master_darks[dd]
        dframe = dframe * (cexptime / exptime_darks[dd])
        # FIND the master flat with the same filter
        fframe = master_flats[filter_flats.index(cfilter)]
        cIMAGE = cIMAGE - master_bias - dframe  # noqa: N806
        night.products[f"w{fname}"] = np.array(cIMAGE / fframe, dtype=np.float32)
    return night


def read(path: Path) -> tuple[Image, fits.Header]:
    """Give image and header of a file's first HDU."""
    with fits.open(path, memmap=False) as hdus:
        return hdus[0].data, hdus[0].header


def type_of(header: fits.Header) -> str:
    """Give the type of a frame in the notebook's own word: bias, dark, flat or object."""
    word = str.lower(header["IMAGETYP"]).split()[0]
    return "object" if word == "light" else word


def _lists(headers: dict[str, fits.Header]) -> dict[str, list[str]]:
    """Give the names of the raw frames of each set, in order of DATE-OBS."""
    lists = defaultdict(list)
    for name, hdr in sorted(headers.items(), key=lambda item: str(item[1]["DATE-OBS"])):
        match type_of(hdr):
            case "bias":
                lname = "wbias"
            case "dark":
                lname = f"wdark{hdr['EXPTIME']:.0f}s"
            case "flat":
                lname = f"wflat{hdr['FILTER']}"
            case "object":
                lname = "wobj"
            case _:
                lname = "others"
        lists[lname].append(name)
    return dict(lists)


def _darks_the_longest_first(
    lists: dict[str, list[str]], raws: dict[str, tuple[Image, fits.Header]]
) -> list[str]:
    """Give the sets of darks; of two equally near in exposure `argmin` takes the first."""
    darks = [one for one in lists if one.startswith("wdark")]
    return sorted(darks, key=lambda one: -raws[lists[one][-1]][1]["EXPTIME"])
