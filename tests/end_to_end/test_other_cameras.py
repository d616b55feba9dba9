"""Cameras whose headers speak other languages: what is taken, what is left, what comes out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

from support_night import assert_same_pixels, copy_frames, frames_by_name, tapewatch, write_par


@pytest.fixture(scope="module")
def efosc(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a night of EFOSC2 at La Silla, binned 2x2, after ``tapewatch once``."""
    folder = tmp_path_factory.mktemp("efosc")
    copy_frames(real_data / "eso-efosc2-lasilla", folder)
    ended = tapewatch("once", write_par(folder, STEPS="bias,flat", ALLBIN=1))
    assert ended.code == 0, ended.errors
    return folder


def pixels(folder: Path, *types: str) -> dict[str, np.ndarray]:
    """Read the imaging frames of some ESO types, by name, in order of time."""
    found = {}
    for file in sorted(folder.glob("EFOSC*.fits")):
        with fits.open(file, memmap=False) as hdus:
            header = hdus[0].header
            if header["ESO DPR TYPE"] in types and header["ESO DPR TECH"] == "IMAGE":
                found[file.name] = hdus[0].data
    return found


def test_spectra_and_lamps_are_set_aside_with_reasons(efosc: Path) -> None:
    frames = frames_by_name(efosc / "tape.par")
    states = [frame["state"] for frame in frames.values()]
    assert (states.count("done"), states.count("rejected")) == (13, 4)
    reasons = {frame["reason"] for frame in frames.values() if frame["state"] == "rejected"}
    assert reasons == {
        "not imaging: ESO DPR TECH is 'SPECTRUM'",
        "an arc lamp exposure: ESO DPR TYPE is 'WAVE'",
    }


def test_the_imaging_frames_are_calibrated_by_bias_and_flat(efosc: Path) -> None:
    bias = np.median(list(pixels(efosc, "DARK").values()), axis=0).astype(np.float32)
    flats = [image - bias for image in pixels(efosc, "SKY,FLAT").values()]
    flat = np.median([image / np.median(image) for image in flats], axis=0)
    assert ((flat <= 0).sum(), (flat == 0).sum()) == (1504, 210)
    objects = pixels(efosc, "OBJECT", "STD")
    assert len(objects) == 5
    for name, image in objects.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = (image - bias) / flat
        expected[~np.isfinite(expected)] = np.nan
        assert np.isnan(expected).sum() == 210
        assert_same_pixels(efosc / f"w{name}", expected)


def test_the_mask_has_every_pixel_whose_flat_is_no_use(efosc: Path) -> None:
    for name in pixels(efosc, "OBJECT", "STD"):
        product = CCDData.read(efosc / f"w{name}")
        with fits.open(efosc / f"w{name}") as hdus:
            bits, names = hdus["MASK"].data, hdus["MASK"].header["BIT*"]
        bad_flat = 1 << int(next(key for key in names if names[key] == "BADFLAT")[3:])
        assert np.count_nonzero(bits & bad_flat) == 1504
        assert np.count_nonzero(np.isnan(product.data) & (bits & bad_flat != 0)) == 210
        assert np.array_equal(product.mask, bits != 0)


def test_flats_that_are_typed_as_lights_are_told_once_with_the_rule_to_add(
    real_data: Path, tmp_path: Path
) -> None:
    for file in (real_data / "uoft-atik-maxim6-spectra").glob("*.fit"):
        shutil.copyfile(file, tmp_path / file.name)
    ended = tapewatch("once", write_par(tmp_path, ALLBIN=1))
    (warning,) = ended.events("quality.warning")
    assert warning["file"].startswith("Flat-1s_0")
    assert warning["reason"].endswith("tape.par has to say so: TYPERULES flat:*flat*")


def test_rules_by_name_and_by_camera_decide_and_are_logged(real_data: Path, tmp_path: Path) -> None:
    for file in (real_data / "uoft-atik-maxim6-spectra").glob("*.fit"):
        shutil.copyfile(file, tmp_path / file.name)
    par = write_par(tmp_path, TYPERULES="flat:*Flat*", ALLBIN=1, INSTRUMENT="AtikCameras")
    ended = tapewatch("once", par)
    assert ended.code == 0, ended.errors
    assert len(ended.events("frame.kind_by_rule")) == 3
    frames = frames_by_name(par)
    assert [frames[f"Flat-1s_0{number}.fit"]["kind"] for number in (1, 2, 3)] == ["flat"] * 3
    assert frames["MoonGuideImage2.fit"]["reason"].startswith("another camera: 'Atik Cameras 2'")
