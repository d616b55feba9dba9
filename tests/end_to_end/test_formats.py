"""One night as different programs store it: names, packings and types of pixels."""

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from support_night import assert_same_pixels, assert_whole, tapewatch, write_par

SHAPE = (20, 33)
_SETS = {"bias": (3, 0.0, 1000), "dark": (3, 60.0, 1040), "flat": (3, 4.0, 9000)}
_ALL = {**_SETS, "object": (1, 90.0, 3000)}

PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress}

Hdus = list[fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU]


def unsigned(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(pixels.astype(np.uint16))]


def signed(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(pixels.astype(np.int16))]


def wide(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(pixels.astype(np.int32))]


def real(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(pixels.astype(np.float32))]


def real_with_zero(pixels: NDArray[np.int64]) -> Hdus:
    """As Keck's LRIS: floats, and BZERO 32768 beside them."""
    hdu = fits.PrimaryHDU((pixels - 32768).astype(np.float32))
    hdu.header["BZERO"] = 32768
    return [hdu]


def with_blank(pixels: NDArray[np.int64]) -> Hdus:
    hdu = signed(pixels)[0]
    hdu.header["BLANK"] = -32768  # held by no pixel: it makes them floats, no more
    return [hdu]


def degenerate(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(pixels.astype(np.uint16)[np.newaxis])]


def in_extension(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(), fits.ImageHDU(pixels.astype(np.uint16))]


def tiled(pixels: NDArray[np.int64]) -> Hdus:
    return [fits.PrimaryHDU(), fits.CompImageHDU(pixels.astype(np.uint16))]


def take(
    folder: Path, suffix: str, store: Callable[[NDArray[np.int64]], Hdus]
) -> dict[str, list[NDArray[np.floating]]]:
    """Write a night, the keywords in the primary header; return its pixels."""
    random = np.random.default_rng(20260707)
    night: dict[str, list[NDArray[np.floating]]] = {}
    packing = suffix.rpartition(".")[2].lower()
    for hour, (kind, (count, exptime, level)) in enumerate(_ALL.items()):
        night[kind] = []
        for number in range(count):
            pixels = random.integers(level, level + 60, SHAPE)
            hdus = store(pixels)
            hdus[0].header.update(IMAGETYP=kind, EXPTIME=exptime, FILTER="R", OBJECT="M13")
            hdus[0].header["DATE-OBS"] = f"2026-03-25T1{hour}:{number:02d}:00"
            file = io.BytesIO()
            fits.HDUList(hdus).writeto(file)
            data = file.getvalue()
            packed = PACK[packing](data) if packing in PACK else data
            (folder / f"{kind}{number}{suffix}").write_bytes(packed)
            night[kind].append(pixels.astype(np.float32))
    return night


def expected(night: dict[str, list[NDArray[np.floating]]]) -> NDArray[np.float32]:
    """Do what the notebook does; all pixels are whole numbers, so that no type rounds them."""
    bias = np.median(night["bias"], axis=0).astype(np.float32)
    dark = np.median([one - bias for one in night["dark"]], axis=0).astype(np.float32)
    flats = [one - bias for one in night["flat"]]
    flat = np.median([one / np.median(one) for one in flats], axis=0).astype(np.float32)
    product: NDArray[np.floating] = (night["object"][0] - bias - dark * 1.5) / flat
    return product.astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "store", "product"),
    [
        (".FIT", unsigned, "wobject0.FIT"),
        (".fts", signed, "wobject0.fts"),
        (".fits", real, "wobject0.fits"),
        (".fit.GZ", real_with_zero, "wobject0.fit"),
        (".FITS.bz2", with_blank, "wobject0.FITS"),
        (".fits", degenerate, "wobject0.fits"),
        (".fit.gz", in_extension, "wobject0.fit"),
        (".fits.fz", tiled, "wobject0.fits"),
    ],
)
def test_the_same_night_gives_the_same_product(
    tmp_path: Path, suffix: str, store: Callable[[NDArray[np.int64]], Hdus], product: str
) -> None:
    night = take(tmp_path, suffix, store)
    ended = tapewatch("once", write_par(tmp_path, NBIAS=3, NDARK=3, NFLAT=3))
    assert ended.code == 0, ended.errors
    assert_same_pixels(tmp_path / product, expected(night))
    assert_whole(tmp_path / product)


def test_wide_integers_are_worked_out_in_double_precision(tmp_path: Path) -> None:
    night = take(tmp_path, ".fits", wide)
    ended = tapewatch("once", write_par(tmp_path, NBIAS=3, NDARK=3, NFLAT=3))
    assert ended.code == 0, ended.errors
    doubles: dict[str, list[NDArray[np.floating]]] = {
        kind: [one.astype(np.float64) for one in frames] for kind, frames in night.items()
    }
    assert_same_pixels(tmp_path / "wobject0.fits", expected(doubles))
