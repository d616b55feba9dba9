"""Overscan and trim of real and simulated frames, against ccdproc."""

import hashlib
from pathlib import Path

import ccdproc
import numpy as np
import numpy.typing as npt
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData

from tapewatch.fitsfile.read import RawFrame, open_frame

RNG = np.random.default_rng(20260505)
COUNTS = RNG.integers(900, 1200, (60, 80), dtype=np.uint16)


def left_of(frame: RawFrame, strip: int) -> npt.NDArray[np.number]:
    strips = [frame.less_overscan(start, stop) for start, stop in frame.strips(strip)]
    return np.concatenate(strips).reshape(frame.shape)


def raw(path: Path, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(COUNTS)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


@pytest.mark.parametrize("strip", [1, 37, 10_000, 10**6])
def test_a_real_frame_is_as_ccdproc_makes_it(real_data: Path, strip: int) -> None:
    path = real_data / "ccdproc-tests" / "a8280271.fits"
    raw_frame = CCDData.read(path, unit="adu")
    less = ccdproc.subtract_overscan(
        raw_frame, fits_section=raw_frame.header["BIASSEC"], median=True, overscan_axis=1
    )
    expected = ccdproc.trim_image(less, fits_section=raw_frame.header["TRIMSEC"])
    with open_frame(path, overscan=True) as frame:
        assert frame.shapes == ((520, 512),)
        assert (frame.stored_shapes, frame.corner) == (((520, 536),), (0, 16))
        assert frame.warnings == ()
        found = left_of(frame, strip)
    np.testing.assert_array_equal(found, expected.data.astype(np.float32))


@pytest.mark.parametrize(
    ("trim", "overscan", "axis"),
    [
        ("[11:80,1:60]", "[1:10,1:60]", 1),
        ("[1:80,3:50]", "[1:80,52:60]", 0),
        ("[5:70,3:50]", "[72:80,1:60]", 1),
    ],
)
def test_levels_by_row_and_by_column_are_ccdprocs(
    tmp_path: Path, trim: str, overscan: str, axis: int
) -> None:
    path = raw(tmp_path / "raw.fits", TRIMSEC=trim, BIASSEC=overscan)
    less = ccdproc.subtract_overscan(
        CCDData(COUNTS, unit=units.adu), fits_section=overscan, median=True, overscan_axis=axis
    )
    expected = ccdproc.trim_image(less, fits_section=trim)
    with open_frame(path, overscan=True) as frame:
        np.testing.assert_array_equal(left_of(frame, 100), expected.data.astype(np.float32))


def test_a_section_beside_nothing_gives_one_level(tmp_path: Path) -> None:
    path = raw(tmp_path / "raw.fits", TRIMSEC="[11:80,11:60]", BIASSEC="[1:10,1:10]")
    expected = COUNTS[10:, 10:] - np.float32(np.median(COUNTS[:10, :10]))
    with open_frame(path, overscan=True) as frame:
        np.testing.assert_array_equal(left_of(frame, 1000), expected)


def test_each_amplifier_has_its_own_level(tmp_path: Path) -> None:
    path = raw(
        tmp_path / "raw.fits",
        DATASEC1="[11:40,1:60]", BIASSEC1="[1:10,1:60]",
        DATASEC2="[41:70,1:60]", BIASSEC2="[71:80,1:60]",
    )  # fmt: skip
    expected = COUNTS[:, 10:70].astype(np.float32)
    expected[:, :30] -= np.median(COUNTS[:, :10], axis=1, keepdims=True)
    expected[:, 30:] -= np.median(COUNTS[:, 70:], axis=1, keepdims=True)
    with open_frame(path, overscan=True) as frame:
        np.testing.assert_array_equal(left_of(frame, 777), expected)


def test_hash_and_raw_values_are_those_of_the_file(tmp_path: Path) -> None:
    path = raw(tmp_path / "raw.fits", TRIMSEC="[11:80,2:50]", BIASSEC="[1:10,1:60]")
    stored = (COUNTS ^ 0x8000).astype(">u2").tobytes()
    with open_frame(path, overscan=True) as frame:
        strips = list(frame.strips(333))
        pixels = [frame.physical(*strip, hashed=True) for strip in strips]
        assert frame.data_hash() == hashlib.sha256(stored).hexdigest()
    np.testing.assert_array_equal(np.concatenate(pixels).reshape(49, 70), COUNTS[1:50, 10:])
    with open_frame(path) as frame:
        assert frame.shapes == ((60, 80),)
        assert frame.overscan(0, 100) is None


def test_sections_of_no_use_leave_frame_and_header_alone(real_data: Path) -> None:
    spectra = sorted((real_data / "lco-floyds-fz").glob("*w00.fits.fz"))
    for path in [*spectra, real_data / "keck-lris-float-bzero" / "569_0000.fits"]:
        with open_frame(path, overscan=True) as frame, open_frame(path) as plain:
            assert frame.shapes == plain.shapes
            assert frame.leading == plain.leading
            assert frame.warnings != ()
            assert plain.warnings == ()


def test_the_prescan_of_efosc_is_where_no_light_is(real_data: Path) -> None:
    """The last six columns, on the amplifier's side: dark in every lit frame."""
    checked = 0
    for path in sorted((real_data / "eso-efosc2-lasilla").glob("*.fits")):
        with open_frame(path, overscan=True) as frame, fits.open(path) as hdus:
            assert frame.shapes == ((1024, 1024),)
            levels = frame.overscan(0, frame.pixels)
            assert levels is not None
            level, image = np.median(levels), hdus[0].data
            if hdus[0].header["ESO DPR TYPE"] == "DARK":
                assert abs(level - np.median(image)) < 5
                checked += 1
            if hdus[0].header["ESO DPR TYPE"] == "SKY,FLAT":
                assert level < np.median(image) / 50
                assert np.median(image[:, 1:7]) > np.median(image) / 2
                checked += 1
    assert checked == 8
