"""The whole chain against ccdproc: astropy's package for reducing CCD frames, on the same frames.

``tapewatch once`` has calibrated a night; ccdproc does it again from the raw frames, in float64, by
its own functions, and both must agree to the rounding of float32. Where they differ on purpose, a
test shows by how much and says why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ccdproc
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from numpy.typing import NDArray

import notebook
from support_night import NIGHTS, copy_frames, take, tapewatch, write_par

Image = NDArray[np.float64]

ROUNDING = float(np.finfo(np.float32).eps) / 2  # relative, of one operation


@dataclass(frozen=True)
class Night:
    """A night that tapewatch calibrated, and the raw frames of each set by the list's name."""

    folder: Path
    raws: Mapping[str, list[CCDData]]
    names: Mapping[str, list[str]]

    def master(self, stem: str) -> CCDData:
        """Read a master that tapewatch made, as ccdproc shall use it."""
        return read(self.folder / f"{stem}.fits")

    def product(self, raw_name: str) -> Image:
        """Pixels that tapewatch made of an object frame."""
        return np.asarray(fits.getdata(self.folder / f"w{raw_name}"), dtype=np.float64)


def read(path: Path, **changes: object) -> CCDData:
    """Read an image in float64, with its header and nothing else."""
    image, header = notebook.read(path)
    ccd = CCDData(np.asarray(image, dtype=np.float64), unit=u.adu)
    ccd.header = dict(header) | changes
    return ccd


def read_night(folder: Path) -> Night:
    """Read raw frames by the lists that tapewatch left."""
    names = {path.stem: path.read_text().splitlines() for path in folder.glob("w*.list")}
    raws = {stem: [read(folder / name) for name in those] for stem, those in names.items()}
    return Night(folder, raws, names)


@pytest.fixture(scope="module", params=["arcsat", "tape"])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Calibrate real frames, or a simulated night with two darks and exposures between them."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "arcsat":
        copy_frames(request.getfixturevalue("arcsat"), folder)
    else:
        take(folder, NIGHTS["tape"])
    assert tapewatch("once", write_par(folder, MINFREE=0)).code == 0
    return read_night(folder)


def combined(frames: Iterable[CCDData], **how: object) -> CCDData:
    """Combine as ccdproc does, by the median if nothing else is said."""
    return ccdproc.combine(list(frames), **{"method": "median", **how})


def exposure(ccd: CCDData) -> u.Quantity:
    """Exposure time of a frame."""
    return float(ccd.header["EXPTIME"]) * u.s


def nearest_dark(night: Night, raw: CCDData) -> str:
    """Name of the dark nearest in exposure time; of two as near, the longer."""
    darks = [stem for stem in night.names if stem.startswith("wdark")]

    def apart(stem: str) -> tuple[float, float]:
        seconds = exposure(night.raws[stem][-1]).value
        return abs(seconds - exposure(raw).value), -seconds

    return min(darks, key=apart)


def assert_rounding(ours: Image, theirs: Image, scale: Image, operations: int) -> None:
    """See that images differ by so many roundings of numbers of that size, at most."""
    assert ours.shape == theirs.shape
    worst = np.max(np.abs(ours - theirs) / np.maximum(scale, 1e-30))
    assert worst <= operations * ROUNDING, f"{worst / ROUNDING:.1f} roundings"


def test_master_bias_is_the_median(night: Night) -> None:
    theirs = combined(night.raws["wbias"]).data
    np.testing.assert_array_equal(night.master("wbias").data, theirs)


def test_master_darks_are_medians_less_the_bias(night: Night) -> None:
    bias = night.master("wbias")
    stems = [stem for stem in night.names if stem.startswith("wdark")]
    assert stems
    for stem in stems:
        theirs = combined(ccdproc.subtract_bias(raw, bias) for raw in night.raws[stem]).data
        np.testing.assert_array_equal(night.master(stem).data, theirs)


def test_master_flats_are_medians_of_flats_by_their_medians(night: Night) -> None:
    bias = night.master("wbias")
    stems = [stem for stem in night.names if stem.startswith("wflat")]
    assert stems
    for stem in stems:
        less_bias = [ccdproc.subtract_bias(raw, bias) for raw in night.raws[stem]]
        theirs = combined(less_bias, scale=lambda image: 1 / np.median(np.asarray(image))).data
        # One rounding for the division, one for the mean of two where the number is even.
        assert_rounding(night.master(stem).data, theirs, np.abs(theirs), 2)


def calibrated_by_ccdproc(night: Night, raw: CCDData, bias: CCDData) -> tuple[Image, Image]:
    """Calibrate an object frame with the masters on disk; also the size of what is rounded."""
    stem = nearest_dark(night, raw)
    dark, flat = night.master(stem), night.master(f"wflat{raw.header['FILTER'].strip()}")
    less_bias = ccdproc.subtract_bias(raw, bias)
    less_dark = ccdproc.subtract_dark(
        less_bias,
        dark,
        dark_exposure=exposure(night.raws[stem][-1]),
        data_exposure=exposure(raw),
        scale=True,
    )
    done = ccdproc.flat_correct(less_dark, flat, norm_value=1.0)
    factor = float(exposure(raw) / exposure(night.raws[stem][-1]))
    scale = (np.abs(less_bias.data) + np.abs(dark.data) * factor) / np.abs(flat.data)
    return done.data, scale


def test_object_frames_are_bias_scaled_dark_and_flat_corrected(night: Night) -> None:
    bias = night.master("wbias")
    scales = set()
    for name, raw in zip(night.names["wobj"], night.raws["wobj"], strict=True):
        theirs, scale = calibrated_by_ccdproc(night, raw, bias)
        # Roundings: the dark times its factor, two differences, the quotient.
        assert_rounding(night.product(name), theirs, scale, 4)
        scales.add(fits.getval(night.folder / f"w{name}", "TWDSCALE"))
    assert len(scales) > 1  # darks were scaled, not only taken as they are


def test_flat_correct_divides_by_the_mean_of_the_flat_where_we_do_not(night: Night) -> None:
    # Why: a flat is normalised once, by the median of each frame, which no star or hot column
    # moves. ccdproc without `norm_value` normalises it once more, by its mean: its products are
    # ours times that one number.
    name, raw = night.names["wobj"][0], night.raws["wobj"][0]
    flat = night.master(f"wflat{raw.header['FILTER'].strip()}")
    ours = CCDData(night.product(name) * flat.data, unit=u.adu)
    theirs = ccdproc.flat_correct(ours, flat).data
    mean = float(flat.data.mean())
    assert abs(mean - 1) > 1e-5
    np.testing.assert_allclose(theirs, night.product(name) * mean, rtol=1e-12)


def test_ccdproc_counts_the_bias_pedestal_as_signal_where_we_do_not(night: Night) -> None:
    # Why: photons make noise, the amplifier's pedestal of 1,000 ADU or so does not. Given a raw
    # frame, `create_deviation` takes the root of the pedestal into every pixel's deviation; given
    # one without bias it does not.
    raw, bias = night.raws["wobj"][0], night.master("wbias")
    gain, read_noise = 1.0 * u.electron / u.adu, 5.0 * u.electron

    def variance(ccd: CCDData) -> Image:
        made = ccdproc.create_deviation(ccd, gain=gain, readnoise=read_noise, disregard_nan=True)
        return np.asarray(made.uncertainty.array, dtype=np.float64) ** 2

    without = ccdproc.subtract_bias(raw, bias)
    above = without.data > 0
    excess = (variance(raw) - variance(without))[above]
    np.testing.assert_allclose(excess, bias.data[above], rtol=1e-9)


def test_what_a_flat_of_zero_gives(tmp_path: Path) -> None:
    # Why: inf spoils a sum as NaN does, but passes `isnan`: a pixel without value is always NaN.
    dead = 5, 7
    for path in take(tmp_path, replace(NIGHTS["tape"], objects=1, filters=("R",))):
        with fits.open(path, mode="update") as hdus:
            if notebook.type_of(hdus[0].header) in {"bias", "flat"}:
                hdus[0].data[dead] = 1000
    assert tapewatch("once", write_par(tmp_path, MINFREE=0)).code == 0
    night = read_night(tmp_path)
    ((name,), (raw,)) = night.names["wobj"], night.raws["wobj"]
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs, _ = calibrated_by_ccdproc(night, raw, night.master("wbias"))
    assert not np.isfinite(theirs[dead])
    ours = night.product(name)
    assert np.isnan(ours[dead])
    assert np.array_equal(np.isfinite(ours), np.isfinite(theirs))
