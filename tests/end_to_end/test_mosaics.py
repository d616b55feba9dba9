"""Cameras of several chips: every image is calibrated by the same image of the masters."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from support_mosaic import NAMES, PACKINGS, SHAPES, chips_of, expected_chips, take_mosaics
from support_night import frames_by_name, tapewatch, write_par

SETS = {"NBIAS": 3, "NDARK": 3, "NFLAT": 4}


@pytest.mark.parametrize("suffix", PACKINGS)
def test_every_chip_of_a_mosaic_is_calibrated(tmp_path: Path, suffix: str) -> None:
    take_mosaics(tmp_path, suffix)
    ended = tapewatch("once", write_par(tmp_path, **SETS))
    assert ended.code == 0, ended.errors
    masters, product = expected_chips(tmp_path, suffix)
    for stem, chips in masters.items():
        for found, expected in zip(chips_of(tmp_path / f"{stem}.fits"), chips, strict=True):
            np.testing.assert_array_equal(found, expected, stem)
    name = f"wobject0{suffix.removesuffix('.gz').removesuffix('.bz2').removesuffix('.fz')}"
    for found, expected in zip(chips_of(tmp_path / name), product, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (tmp_path / "wobj.list").read_text().split() == [name.removeprefix("w")]


def test_a_product_keeps_the_structure_of_its_mosaic(tmp_path: Path) -> None:
    take_mosaics(tmp_path, ".fits")
    assert tapewatch("once", write_par(tmp_path, **SETS)).code == 0
    for file in ("wobject0.fits", "wbias.fits", "wflatR.fits"):
        with fits.open(tmp_path / file, checksum=True) as hdus:
            hdus.verify("exception")
            assert hdus[0].data is None
            assert len(hdus[0].header["TWID"]) == 16
            images = [hdu for hdu in hdus[1:] if hdu.name in NAMES]
            assert [(hdu.name, hdu.ver) for hdu in images] == [("CHIP-A", 1), ("CHIP-B", 2)]
            assert [hdu.header["CRPIX1"] for hdu in images] == [10.5, 21.0]
            assert [hdu.data.shape for hdu in images] == list(SHAPES)
            assert {"BZERO", "BSCALE"}.isdisjoint(images[0].header)
            assert "BPM" not in [hdu.name for hdu in hdus]
    with fits.open(tmp_path / "wobject0.fits") as hdus:
        assert hdus["CHIP-A"].header["BUNIT"] == "adu"
        assert hdus[0].header["FILTER"] == "R"
        masks = [(hdu.ver, hdu.data.shape) for hdu in hdus if hdu.name == "MASK"]
        assert masks == list(enumerate(SHAPES, start=1))


def test_a_mosaic_of_other_chips_does_not_match(tmp_path: Path) -> None:
    frame = take_mosaics(tmp_path, ".fits")
    with fits.open(frame, mode="update") as hdus:
        hdus["CHIP-B"].data = hdus["CHIP-B"].data[:-1]
    ended = tapewatch("once", write_par(tmp_path, **SETS))
    assert ended.code == 0
    reason = frames_by_name(tmp_path / "tape.par")[frame.name]["reason"]
    assert "size 40x31 + 52x24, frame 40x31 + 52x23" in reason


def test_the_toys_of_ccdproc_are_told_apart(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "ccdproc-tests" / "science-mef.fits"
    (tmp_path / source.name).write_bytes(source.read_bytes())
    ended = tapewatch("once", write_par(tmp_path))
    assert ended.code == 0
    frame = frames_by_name(tmp_path / "tape.par")[source.name]
    assert (frame["kind"], frame["state"], frame["filter"]) == ("object", "waiting", "B")
