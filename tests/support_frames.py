"""Small raw frames, written by astropy as a camera would write them."""

from pathlib import Path

import numpy as np
from astropy.io import fits

CARDS = {
    "IMAGETYP": "object",
    "DATE-OBS": "2026-03-25T18:00:00",
    "EXPTIME": 60.0,
    "FILTER": "R",
    "OBJECT": "M13",
    "XBINNING": 1,
    "YBINNING": 1,
}
SHAPE = (20, 30)


def write_raw(
    path: Path, level: int = 1000, shape: tuple[int, int] = SHAPE, **cards: object
) -> Path:
    """Write a raw frame; a card whose value is None is left out, one underscore is a dash.

    The pixels are noise that depends on the level alone: two frames of one level hold the same.
    A name that ends in .gz gives a compressed file.
    """
    image = np.random.default_rng(level).integers(level, level + 50, shape, dtype=np.uint16)
    exptime = {"EXPTIME": 0.0} if cards.get("IMAGETYP") == "bias" else {}
    values = CARDS | exptime | {key.replace("_", "-"): value for key, value in cards.items()}
    header = fits.Header()
    for key, value in values.items():
        if value is not None:
            header[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(image, header).writeto(path, overwrite=True)
    return path


def write_set(folder: Path, kind: str, count: int, **cards: object) -> list[Path]:
    """Write calibration frames of one set, a minute apart."""
    level = {"bias": 1000, "dark": 1100, "flat": 20000}[kind]
    paths = [folder / f"{kind}-{number}.fits" for number in range(count)]
    for number, path in enumerate(paths):
        when = {"IMAGETYP": kind, "DATE_OBS": f"2026-03-25T17:0{number}:00"}
        write_raw(path, level + number, SHAPE, **{**when, **cards})
    return paths
