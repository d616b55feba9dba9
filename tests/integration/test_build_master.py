"""Masters from files: darks of flats, sets without biases, clipped means, and their noise."""

from pathlib import Path

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.stats import mad_std
from ccdproc import Combiner
from numpy.typing import NDArray

from support_jobs import JobFolder
from tapewatch.model import Frame, Treatment

SHAPE = (120, 140)
GAIN, READNOISE, PEDESTAL = 1.5, 9.0, 1000.0  # e-/ADU, e-, ADU
CLIPPED = Treatment(combine="sigclip")

Pixels = NDArray[np.number]


@pytest.fixture
def jobs(tmp_path: Path) -> JobFolder:
    """Give an empty folder to do jobs in."""
    return JobFolder(tmp_path)


class Camera:
    """Makes frames of known noise."""

    def __init__(self, jobs: JobFolder, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.jobs = jobs
        self.dark_rate = self.random.exponential(0.5, SHAPE)  # e-/s
        self.response = self.random.normal(1, 0.02, SHAPE)

    def expose(self, electrons: Pixels | float) -> Pixels:
        """Give the pixels of an exposure, uint16."""
        noise = self.random.normal(0, READNOISE, SHAPE)
        counted = self.random.poisson(np.broadcast_to(electrons, SHAPE))
        return np.rint(PEDESTAL + (counted + noise) / GAIN).astype("u2")

    def take(self, kind: str, count: int, exptime: float, light: float = 0.0) -> list[Frame]:
        """Write frames of a kind."""
        electrons = self.dark_rate * exptime + light * self.response
        return [self.jobs.frame(kind, self.expose(electrons), exptime) for _ in range(count)]

    def raws(self, frames: list[Frame]) -> Pixels:
        """Read frames back."""
        return np.stack([CCDData.read(self.jobs.folder / f.path, unit="adu").data for f in frames])


def test_a_flat_less_bias_and_scaled_dark_is_numpys(jobs: JobFolder) -> None:
    camera = Camera(jobs)
    biases, darks = camera.take("bias", 5, 0), camera.take("dark", 5, 100)
    flats = camera.take("flat", 5, 20, light=30_000)
    bias = jobs.build(biases)
    dark = jobs.build(darks, bias)
    flat = jobs.build(flats, bias, dark)
    b = np.median(camera.raws(biases), axis=0).astype("f4")
    d = np.median(camera.raws(darks) - b, axis=0).astype("f4")
    less = [(raw - b) - d * (20 / 100) for raw in camera.raws(flats)]
    expected = np.median([one / np.median(one) for one in less], axis=0)
    assert jobs.pixels(flat).tobytes() == expected.astype(">f4").tobytes()
    assert f"  each less {dark.path} x 0.2" in list(jobs.header(flat)["HISTORY"])


def test_without_biases_darks_keep_theirs_and_flats_are_less_their_dark(jobs: JobFolder) -> None:
    camera = Camera(jobs)
    darks, flats = camera.take("dark", 4, 20), camera.take("flat", 3, 20, light=30_000)
    dark = jobs.build(darks)
    flat = jobs.build(flats, None, dark)
    d = np.median(camera.raws(darks), axis=0).astype("f4")
    less = [raw.astype("f4") - d for raw in camera.raws(flats)]
    expected = np.median([one / np.median(one) for one in less], axis=0).astype("f4")
    assert np.array_equal(jobs.pixels(dark), d)
    assert np.array_equal(jobs.pixels(flat), expected)
    (light,) = camera.take("object", 1, 20, light=500)
    product = CCDData.read(jobs.calibrate(light, dark, flat))
    raw = camera.raws([light])[0]
    with np.errstate(all="ignore"):
        assert np.array_equal(product.data, (raw - d) / expected)


def test_the_noise_of_the_frames_is_measured_and_in_the_header(jobs: JobFolder) -> None:
    camera = Camera(jobs)
    bias = jobs.build(camera.take("bias", 5, 0))
    header = jobs.header(bias)
    assert header["TWNOISE"] == pytest.approx(READNOISE / GAIN, rel=0.03)
    assert header["TWCOMB"] == "median"
    assert "TWGAIN" not in header
    flat = jobs.build(camera.take("flat", 4, 10, light=30_000), bias)
    header, report = jobs.header(flat), jobs.reports[-1]
    assert header["TWGAIN"] == pytest.approx(GAIN, rel=0.03)
    assert header["TWLEVEL"] == pytest.approx(30_000 / GAIN, rel=0.01)
    assert header["TWNOISE"] == pytest.approx(np.hypot(np.sqrt(30_000), READNOISE) / GAIN, rel=0.03)
    assert report.noise is not None
    assert report.noise.gain == pytest.approx(header["TWGAIN"], rel=1e-5)


def test_a_master_of_one_frame_tells_nothing_of_noise(jobs: JobFolder) -> None:
    bias = jobs.build(Camera(jobs).take("bias", 1, 0))
    assert jobs.header(bias)["TWNOISE"] is None  # a card without a value


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_sigclip_is_ccdprocs_on_the_same_frames(jobs: JobFolder, kind: str) -> None:
    camera = Camera(jobs)
    bias = None if kind == "bias" else jobs.build(camera.take("bias", 3, 0))
    frames = camera.take(kind, 11, 30, light=30_000 if kind == "flat" else 0)
    raws = camera.raws(frames)
    less = raws - (np.float32(0) if bias is None else jobs.pixels(bias).astype("f4"))
    if kind == "flat":
        less = np.stack([one / np.median(one) for one in less])
    combiner = Combiner([CCDData(one, unit="adu") for one in less])
    combiner.sigma_clipping(low_thresh=3, high_thresh=3, func=np.ma.median, dev_func=mad_std)
    theirs = combiner.average_combine().data
    ours = jobs.pixels(jobs.build(frames, bias, treatment=CLIPPED))
    # Integers that are one step off the others are kept by us, wherever the MAD is below a third.
    deviations = np.abs(less - np.median(less, axis=0))
    wide = np.median(deviations, axis=0) * 1.4826 * 3 > (0 if kind == "flat" else 1)
    assert wide.mean() > 0.99
    assert np.allclose(ours[wide], theirs[wide], rtol=3e-7, atol=1e-4 if kind != "flat" else 0)
    assert jobs.reports[-1].warnings == ()


def test_sigclip_of_too_few_frames_is_their_median_and_says_so(jobs: JobFolder) -> None:
    frames = Camera(jobs).take("bias", 8, 0)
    master = jobs.build(frames, treatment=CLIPPED)
    (warning,) = jobs.reports[-1].warnings
    assert warning == (
        "COMBINE sigclip needs 9 frames or more, wbias has 8: their median was taken"
    )
    header = jobs.header(master)
    assert warning in " ".join(list(header["HISTORY"]))
    assert header["TWCOMB"] == "median"
    assert np.array_equal(jobs.pixels(master), jobs.pixels(jobs.build(frames)))


def test_sigclip_says_so_in_the_header(jobs: JobFolder) -> None:
    master = jobs.build(Camera(jobs).take("bias", 9, 0), treatment=CLIPPED)
    assert jobs.header(master)["TWCOMB"] == "clipped mean"
    assert "clipped mean of 9 bias frames" in jobs.header(master)["HISTORY"][0]


def test_gain_and_read_noise_of_the_header_keep_sigclip_from_clipping_noise(
    jobs: JobFolder,
) -> None:
    camera = Camera(jobs)
    pixels = [camera.expose(0) for _ in range(9)]
    told = {"EGAIN": GAIN, "RDNOISE": READNOISE}
    variances = []
    for cards in ({}, told):
        frames = [jobs.frame("bias", one, 0, **cards) for one in pixels]
        master = jobs.pixels(jobs.build(frames, treatment=CLIPPED))
        variances.append(master.var() * 9 / (READNOISE / GAIN) ** 2)
    assert variances[1] < variances[0]
    assert variances[1] == pytest.approx(1, abs=0.05)


def test_a_set_of_frames_without_any_value_gives_a_master_without_one(jobs: JobFolder) -> None:
    frames = [jobs.frame("bias", np.full((5, 6), np.nan, "f4")) for _ in range(9)]
    for treatment in (Treatment(), CLIPPED):
        master = jobs.build(frames, treatment=treatment)
        assert np.isnan(jobs.pixels(master)).all()
