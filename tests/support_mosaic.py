"""Nights of a camera with two chips in one file, and what must come out of them, by numpy."""

import bz2
import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Chips = list[NDArray[np.float32]]

SHAPES = ((31, 40), (24, 52))
NAMES = ("CHIP-A", "CHIP-B")
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".fits": bytes,
    ".FTS": bytes,
    ".fit.gz": gzip.compress,
    ".fits.bz2": bz2.compress,
    ".fits.fz": bytes,
}
_FRAMES = {"bias": (3, 0.0, 1000), "dark": (3, 60.0, 1050), "flat": (4, 5.0, 20000)}


def mosaic(kind: str, number: int, exptime: float, level: int, *, tiled: bool) -> bytes:
    """Make a frame: keywords in the primary header, the chips and a bad pixel mask behind it."""
    random = np.random.default_rng([level, number])
    primary = fits.PrimaryHDU()
    primary.header.update(
        IMAGETYP=kind, EXPTIME=exptime, FILTER="R", OBJECT="M13", INSTRUME="Twins", NEXTEND=3
    )
    primary.header["DATE-OBS"] = f"2026-03-25T{12 + level // 2000:02d}:{number:02d}:00"
    make = fits.CompImageHDU if tiled else fits.ImageHDU
    images = []
    for chip, (shape, name) in enumerate(zip(SHAPES, NAMES, strict=True), start=1):
        # The second chip is half as sensitive: what one normalisation for both must keep.
        pixels = random.integers(level // chip, level // chip + 90, shape, dtype=np.uint16)
        image = make(pixels, name=name)
        image.header.update(EXTVER=chip, CRPIX1=10.5 * chip, CCDGAIN=1.1 * chip, INHERIT=True)
        images.append(image)
    mask = fits.ImageHDU(np.zeros(SHAPES[0], np.uint8), name="BPM")
    file = io.BytesIO()
    fits.HDUList([primary, images[0], mask, images[1]]).writeto(file)
    return file.getvalue()


def take_mosaics(folder: Path, suffix: str) -> Path:
    """Write a night's frames in one of the packings; return the object frame."""
    sets = [(kind, *values) for kind, values in _FRAMES.items()]
    for kind, count, exptime, level in [*sets, ("object", 1, 90.0, 4000)]:
        for number in range(count):
            path = folder / f"{kind}{number}{suffix}"
            data = mosaic(kind, number, exptime, level, tiled=suffix.endswith(".fz"))
            path.write_bytes(PACKINGS[suffix](data))
    return folder / f"object0{suffix}"


def chips_of(path: Path) -> Chips:
    """Read both chips with astropy."""
    with fits.open(path, memmap=False) as hdus:
        return [np.array(hdus[name].data) for name in NAMES]


def expected_chips(folder: Path, suffix: str) -> tuple[dict[str, Chips], Chips]:
    """Work out masters and product as the notebook would, chip by chip."""

    def raws(kind: str) -> Sequence[Chips]:
        return [chips_of(path) for path in sorted(folder.glob(f"{kind}?{suffix}"))]

    def median(frames: Sequence[Chips]) -> Chips:
        chips = zip(*frames, strict=True)
        return [np.median(np.array(chip), axis=0).astype(np.float32) for chip in chips]

    bias = median(raws("bias"))

    def less_bias(frame: Chips) -> Chips:
        return [chip - master for chip, master in zip(frame, bias, strict=True)]

    dark = median([less_bias(frame) for frame in raws("dark")])
    flats = []
    for frame in map(less_bias, raws("flat")):
        level = np.median(np.concatenate([chip.ravel() for chip in frame]))
        flats.append([chip / level for chip in frame])
    flat = median(flats)
    (target,) = map(less_bias, raws("object"))
    product = [
        ((chip - dark * (90.0 / 60.0)) / flat).astype(np.float32)
        for chip, dark, flat in zip(target, dark, flat, strict=True)
    ]
    return {"wbias": bias, "wdark60s": dark, "wflatR": flat}, product
