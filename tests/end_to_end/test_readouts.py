"""What part of the detector a frame holds: overscan and trim, windows, regions; and colours."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from support_night import Ended, assert_same_pixels, assert_whole, tapewatch, write_par

SETS = {"NBIAS": 3, "NDARK": 3, "NFLAT": 3}
SHAPE = (48, 72)
LIT = (slice(2, 44), slice(7, 64))  # rows and columns of the detector that see light
SECTIONS = {"TRIMSEC": "[8:64,3:44]", "BIASSEC": "[65:72,1:48]"}
Pixels = NDArray[np.float32]
Night = dict[str, list[NDArray[np.uint16]]]

_SETS = {"bias": (3, 0.0), "dark": (3, 60.0), "flat": (3, 4.0), "object": (1, 90.0)}
_LEVELS = {"bias": 1000, "dark": 1030, "flat": 21000, "object": 3000}


def take(folder: Path, **cards: object) -> Night:
    """Write a night whose pedestal drifts from row to row and from frame to frame."""
    random = np.random.default_rng(20260606)
    night: Night = {}
    for kind, (count, exptime) in _SETS.items():
        night[kind] = []
        for number in range(count):
            pixels = np.full(SHAPE, 1000.0)
            pixels[LIT] += _LEVELS[kind] - 1000
            pixels += random.normal(0, 6, SHAPE) + random.normal(0, 20, (SHAPE[0], 1))
            hdu = fits.PrimaryHDU(np.rint(pixels).astype(np.uint16))
            hdu.header.update(IMAGETYP=kind, EXPTIME=exptime, FILTER="R", OBJECT="M13", **cards)
            hdu.header["DATE-OBS"] = f"2026-03-25T1{list(_SETS).index(kind)}:{number:02d}:00"
            hdu.writeto(folder / f"{kind}{number}.fits")
            night[kind].append(hdu.data)
    return night


def once(folder: Path, **keys: object) -> Ended:
    ended = tapewatch("once", write_par(folder, **SETS, **keys))
    assert ended.code == 0, ended.errors
    return ended


@np.errstate(divide="ignore", invalid="ignore")
def reduce(frames: dict[str, list[Pixels]], region: tuple[slice, slice]) -> Pixels:
    """Do what the notebook does, the flats' level being that of a region."""
    bias = np.median(frames["bias"], axis=0).astype(np.float32)
    dark = np.median([one - bias for one in frames["dark"]], axis=0).astype(np.float32)
    flats = [one - bias for one in frames["flat"]]
    flat = np.median([one / np.median(one[region]) for one in flats], axis=0).astype(np.float32)
    product: Pixels = ((frames["object"][0] - bias - dark * 1.5) / flat).astype(np.float32)
    return product


def test_overscan_is_subtracted_row_by_row_and_trimmed(tmp_path: Path) -> None:
    night = take(tmp_path, **SECTIONS, CRPIX1=30.0, CRPIX2=20.0, LTV1=0.0)
    once(tmp_path, OVERSCAN=1)
    left = {
        kind: [
            one[LIT].astype(np.float32)
            - np.median(one[2:44, 64:], axis=1, keepdims=True).astype(np.float32)
            for one in frames
        ]
        for kind, frames in night.items()
    }
    assert_same_pixels(tmp_path / "wobject0.fits", reduce(left, (slice(None), slice(None))))
    for name in ("wobject0.fits", "wbias.fits", "wdark60s.fits", "wflatR.fits"):
        assert_whole(tmp_path / name)
        header = fits.getheader(tmp_path / name)
        assert (header["NAXIS1"], header["NAXIS2"]) == (57, 42)
        assert (header["CRPIX1"], header["CRPIX2"], header["LTV1"]) == (23.0, 18.0, -7.0)
        assert header["TWTRIM"] == SECTIONS["TRIMSEC"]
        assert not {"TRIMSEC", "BIASSEC"} & set(header)
    assert not [path for path in tmp_path.glob("w*.fits") if b"TRIMSEC" in path.read_bytes()]
    verified = tapewatch("verify", tmp_path / "tape.par", str(tmp_path / "wobject0.fits"))
    assert verified.code == 0, verified.output
    assert np.std(fits.getdata(tmp_path / "wbias.fits")) < 6  # the rows' drift of 20 is gone


def test_without_the_key_sections_mean_nothing(tmp_path: Path) -> None:
    night = take(tmp_path, **SECTIONS)
    once(tmp_path)
    whole = {kind: [one.astype(np.float32) for one in frames] for kind, frames in night.items()}
    assert_same_pixels(tmp_path / "wobject0.fits", reduce(whole, (slice(None), slice(None))))
    assert fits.getheader(tmp_path / "wobject0.fits")["TRIMSEC"] == SECTIONS["TRIMSEC"]


def test_sections_of_no_use_are_told_once_a_frame(tmp_path: Path) -> None:
    take(tmp_path, TRIMSEC="UNKNOWN")
    lines = [
        (line["file"], line["reason"])
        for line in once(tmp_path, OVERSCAN=1).lines
        if line["event"] == "quality.warning" and "TRIMSEC" in line["reason"]
    ]
    assert len(lines) == len(set(lines)) == 10
    assert lines[0][1] == "TRIMSEC is 'UNKNOWN', no section [x1:x2,y1:y2]: ignored"


@pytest.mark.parametrize(
    ("key", "region"),
    [
        ("centre", (slice(12, 36), slice(18, 54))),
        ("[11:20,41:48]", (slice(40, 48), slice(10, 20))),
    ],
)
def test_a_region_of_the_flats_is_their_level(
    tmp_path: Path, key: str, region: tuple[slice, slice]
) -> None:
    night = take(tmp_path)
    once(tmp_path, FLATREGION=key)
    whole = {kind: [one.astype(np.float32) for one in frames] for kind, frames in night.items()}
    assert_same_pixels(tmp_path / "wobject0.fits", reduce(whole, region))


def test_a_region_outside_the_flats_is_said(tmp_path: Path) -> None:
    take(tmp_path)
    ended = tapewatch("once", write_par(tmp_path, **SETS, FLATREGION="[1:99,1:99]"))
    assert "FLATREGION [1:99,1:99] is not within the image of 72x48 pixels" in ended.output
    assert not (tmp_path / "wflatR.fits").exists()


@pytest.mark.parametrize("overscan", [0, 1])
def test_a_window_is_calibrated_by_the_cut_of_full_frames(tmp_path: Path, overscan: int) -> None:
    """The window lies at (10, 5) of the detector; with OVERSCAN 1 the masters lack its edges."""
    night = take(tmp_path, INSTRUME="cam", **(SECTIONS if overscan else {}))
    once(tmp_path, OVERSCAN=overscan)
    full = fits.getdata(tmp_path / "wobject0.fits")
    window = fits.PrimaryHDU(night["object"][0][5:35, 10:50])
    window.header.update(fits.getheader(tmp_path / "object0.fits"))
    window.header.update(XORGSUBF=10, YORGSUBF=5)
    for keyword in SECTIONS:
        window.header.pop(keyword, None)
    window.writeto(tmp_path / "roi.fits")
    once(tmp_path, OVERSCAN=overscan)
    expected = full[3:33, 3:43] if overscan else full[5:35, 10:50]
    found = fits.getdata(tmp_path / "wroi.fits")
    assert found.shape == (30, 40)
    if overscan:  # the window has none of its own: its pedestal stays
        assert abs(np.median(found - expected) - 1000) < 20
    else:
        assert_same_pixels(tmp_path / "wroi.fits", expected)
    assert "CUT" in fits.getheader(tmp_path / "wroi.fits")["TWFLAGS"]


def test_a_colour_camera_has_one_level_for_all_colours(tmp_path: Path) -> None:
    night = take(tmp_path, BAYERPAT="RGGB", XBAYROFF=0)
    for number, pixels in enumerate(night["flat"]):
        pixels[::2, ::2] //= 2  # red pixels see half as much of the dome
        with fits.open(tmp_path / f"flat{number}.fits", mode="update") as hdus:
            hdus[0].data = pixels
    once(tmp_path)
    whole = {kind: [one.astype(np.float32) for one in frames] for kind, frames in night.items()}
    assert_same_pixels(tmp_path / "wobject0.fits", reduce(whole, (slice(None), slice(None))))
    for name in ("wobject0.fits", "wflatR.fits"):
        header = fits.getheader(tmp_path / name)
        assert (header["BAYERPAT"], header["XBAYROFF"]) == ("RGGB", 0)
    assert 0.4 < np.median(fits.getdata(tmp_path / "wflatR.fits")[2:44:2, 8:64:2]) < 0.6
