"""The whole chain against ccdproc: astropy's package for reducing CCD frames, on the same frames.

``tapewatch once`` has calibrated a night; ccdproc does it again from the raw frames, in float64, by
its own functions, and both must agree to the rounding of float32. Where they differ on purpose, a
test shows by how much and says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ccdproc
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.stats import mad_std
from numpy.typing import NDArray

import notebook
from support_night import NIGHTS, copy_frames, take, tapewatch, write_par

Image = NDArray[np.float64]

MEDIAN = {"method": "median"}
CLIPPED_MEAN = {
    "method": "average",
    "sigma_clip": True,
    "sigma_clip_low_thresh": 3,
    "sigma_clip_high_thresh": 3,
    "sigma_clip_func": np.ma.median,
    "sigma_clip_dev_func": mad_std,
}

ROUNDING = float(np.finfo(np.float32).eps) / 2  # relative, of one operation


@dataclass(frozen=True)
class Night:
    """A night that tapewatch calibrated, and the raw frames of each set by the list's name.

    `how` are the words in which ccdproc is told to combine.
    """

    folder: Path
    raws: Mapping[str, list[CCDData]]
    names: Mapping[str, list[str]]
    how: Mapping[str, object]

    def master(self, stem: str) -> CCDData:
        """Read a master that tapewatch made, as ccdproc shall use it."""
        return read(self.folder / f"{stem}.fits")

    def product(self, raw_name: str) -> Image:
        """Pixels that tapewatch made of an object frame."""
        return np.asarray(fits.getdata(self.folder / f"w{raw_name}"), dtype=np.float64)


def read(path: Path, **changes: object) -> CCDData:
    """Read an image in float64 with its header; a raw one less its overscan, if it has any."""
    image, header = notebook.read(path)
    ccd = CCDData(np.asarray(image, dtype=np.float64), unit=u.adu)
    ccd.header = dict(header) | changes
    if "BIASSEC" in header and "TWID" not in header:
        ccd = ccdproc.subtract_overscan(
            ccd, fits_section=header["BIASSEC"], overscan_axis=1, median=True
        )
        ccd = ccdproc.trim_image(ccd, fits_section=header["TRIMSEC"])
    return ccd


def read_night(folder: Path, how: Mapping[str, object] = MEDIAN) -> Night:
    """Read raw frames by the lists that tapewatch left."""
    names = {path.stem: path.read_text().splitlines() for path in folder.glob("w*.list")}
    raws = {stem: [read(folder / name) for name in those] for stem, those in names.items()}
    return Night(folder, raws, names, how)


@pytest.fixture(scope="module", params=["arcsat", "tape", "sigclip", "overscan"])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Calibrate real frames, or simulated ones with two darks and exposures between them."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sigclip":
        take(folder, replace(NIGHTS["tape"], bias=9, darks=10, flats=11))
        spoil(folder)
        assert tapewatch("once", write_par(folder, MINFREE=0, COMBINE="sigclip")).code == 0
        return read_night(folder, CLIPPED_MEAN)
    if request.param == "overscan":
        add_overscan(take(folder, NIGHTS["tape"]))
        assert tapewatch("once", write_par(folder, MINFREE=0, OVERSCAN=1)).code == 0
        return read_night(folder)
    if request.param == "arcsat":
        copy_frames(request.getfixturevalue("arcsat"), folder)
    else:
        take(folder, NIGHTS["tape"])
    assert tapewatch("once", write_par(folder, MINFREE=0)).code == 0
    return read_night(folder)


def add_overscan(paths: list[Path]) -> None:
    """Put 12 columns of overscan beside each frame, whose level drifts from row to row."""
    random = np.random.default_rng(6)
    for path in paths:
        with fits.open(path, mode="update") as hdus:
            image = hdus[0].data
            rows, columns = image.shape
            drift = np.linspace(0, 9, rows).astype(np.uint16)[:, None]
            over = random.normal(300, 4, (rows, 12)).astype(np.uint16) + drift
            hdus[0].data = np.hstack([image + drift, over])
            hdus[0].header["BIASSEC"] = f"[{columns + 1}:{columns + 12},1:{rows}]"
            hdus[0].header["TRIMSEC"] = f"[1:{columns},1:{rows}]"


def spoil(folder: Path) -> None:
    """Let cosmic rays strike every calibration frame, each elsewhere."""
    random = np.random.default_rng(5)
    for path in sorted(folder.glob("*.fit*")):
        with fits.open(path, mode="update") as hdus:
            if notebook.type_of(hdus[0].header) != "object":
                struck = random.integers(0, hdus[0].data.size, 30)
                hdus[0].data.ravel()[struck] += 5000


def off_step(night: Night, less: list[CCDData]) -> NDArray[np.bool_]:
    """Tell where whole numbers are so alike that a step of 1 would already be left out.

    Why: the deviation by MAD of 100, 100, 100, 101 is 0, yet 101 is as good as any: it is kept.
    """
    if "sigma_clip" not in night.how:
        return np.zeros(less[0].shape, dtype=bool)
    values = np.stack([one.data for one in less])
    return np.asarray(3 * mad_std(values, axis=0) < 1)


def on_the_edge(night: Night, flats: list[CCDData]) -> NDArray[np.bool_]:
    """Tell where a rounding of float32 decides whether a value is left out."""
    if "sigma_clip" not in night.how:
        return np.zeros(flats[0].shape, dtype=bool)
    values = np.stack([one.data for one in flats])
    apart = np.abs(values - np.median(values, axis=0))
    return np.asarray((np.abs(apart - 3 * mad_std(values, axis=0)) < 1e-6).any(axis=0))


def combined(night: Night, frames: list[CCDData]) -> Image:
    """Combine as ccdproc does."""
    return np.asarray(ccdproc.combine(frames, **night.how).data)


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


def test_master_bias_is_what_ccdproc_combines(night: Night) -> None:
    raws = night.raws["wbias"]
    theirs, alike = combined(night, raws), off_step(night, raws)
    assert alike.mean() < 0.05
    # A median of whole numbers needs no rounding.
    roundings = 0 if night.how is MEDIAN else 1
    ours = night.master("wbias").data
    assert_rounding(ours[~alike], theirs[~alike], theirs[~alike], roundings)


def test_master_darks_are_combined_less_the_bias(night: Night) -> None:
    bias = night.master("wbias")
    stems = [stem for stem in night.names if stem.startswith("wdark")]
    assert stems
    for stem in stems:
        less_bias = [ccdproc.subtract_bias(raw, bias) for raw in night.raws[stem]]
        theirs, alike = combined(night, less_bias), off_step(night, less_bias)
        roundings = 0 if night.how is MEDIAN else 2
        ours, scale = night.master(stem).data, bias.data + np.abs(theirs)
        assert_rounding(ours[~alike], theirs[~alike], scale[~alike], roundings)


def test_master_flats_are_combined_of_flats_by_their_medians(night: Night) -> None:
    bias = night.master("wbias")
    stems = [stem for stem in night.names if stem.startswith("wflat")]
    assert stems
    for stem in stems:
        less_bias = [ccdproc.subtract_bias(raw, bias) for raw in night.raws[stem]]
        # Not by ccdproc's own `scale`, which leaves out before it scales: the flats of a
        # brightening sky differ by more than their noise, and all but a few would be left out.
        normalised = [one.divide(np.median(one.data)) for one in less_bias]
        theirs = combined(night, normalised)
        ours, sure = night.master(stem).data, ~on_the_edge(night, normalised)
        assert sure.mean() > 0.99
        # One rounding for the division, one for the mean.
        assert_rounding(ours[sure], theirs[sure], np.abs(theirs[sure]), 2)


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


def test_uncertainty_is_ccdprocs_where_a_pixel_stands_for_itself(
    arcsat: Path, tmp_path: Path
) -> None:
    """The frame's own part, without that of the masters, which ccdproc reads from the masters.

    Where a pixel stands out (stars), both work out its photon noise from its own value. Elsewhere
    we take its neighbours' mean (see `science/variance.py`), so both agree in the mean alone.
    """
    copy_frames(arcsat, tmp_path)
    par = write_par(tmp_path, MINFREE=0, UNCERT=1, EGAIN=1.5)
    assert tapewatch("once", par).code == 0
    night = read_night(tmp_path)
    name, raw = night.names["wobj"][0], night.raws["wobj"][0]
    with fits.open(tmp_path / f"w{name}", memmap=False) as hdus:
        ours, of_masters = (hdus[key].data.astype(np.float64) for key in ("UNCERT", "UNCERTM"))
        gain = hdus["UNCERT"].header["TWGAIN"] * u.electron / u.adu
        read_noise = hdus["UNCERT"].header["TWNOISE"] * u.adu * gain
    less_bias = ccdproc.subtract_bias(raw, night.master("wbias"))
    deviation = ccdproc.create_deviation(less_bias, gain=gain, readnoise=read_noise)
    flat = night.master(f"wflat{raw.header['FILTER'].strip()}")
    done = ccdproc.flat_correct(deviation, flat, norm_value=1.0)
    ratio = (ours**2 - of_masters**2) / done.uncertainty.array**2
    stars = less_bias.data > np.median(less_bias.data) + 5000
    assert stars.sum() > 300
    assert np.quantile(np.abs(ratio[stars] - 1), 0.95) < 1e-5
    assert abs(np.median(ratio) - 1) < 0.01


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
