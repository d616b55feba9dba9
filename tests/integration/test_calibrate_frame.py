"""Products from files: uncertainty, repairs, listed bad pixels and cosmic rays."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import NDArray

from support_jobs import JobFolder
from tapewatch.model import BadPixels, Bit, Frame, Master, Treatment

SHAPE = (90, 110)
GAIN, READNOISE, PEDESTAL = 1.5, 9.0, 1000.0  # e-/ADU, e-, ADU
Cards = dict[str, object]
TOLD: Cards = {"EGAIN": GAIN, "RDNOISE": READNOISE}
UNCERT = Treatment(saturation=60_000, uncert=True)

Pixels = NDArray[np.number]
Floats = NDArray[np.floating]


@pytest.fixture
def jobs(tmp_path: Path) -> JobFolder:
    """Give an empty folder to do jobs in."""
    return JobFolder(tmp_path)


class Night:
    """Masters of a simulated camera whose truth is known."""

    def __init__(self, jobs: JobFolder, cards: Cards | None = None, count: int = 5) -> None:
        self.jobs, self.cards = jobs, cards or {}
        self.random = np.random.default_rng(7)
        self.dark_rate = np.full(SHAPE, 0.3)  # e-/s
        self.dark_rate[3, 5] = 400.0
        self.response = self.random.normal(1, 0.01, SHAPE)
        self.bias = jobs.build(self.take("bias", count, 0))
        self.dark = jobs.build(self.take("dark", count, 100), self.bias)
        self.flat = jobs.build(self.take("flat", count, 5, 40_000), self.bias)

    def take(self, kind: str, count: int, exptime: float, light: Floats | float = 0) -> list[Frame]:
        """Write frames of a kind."""
        electrons = self.dark_rate * exptime + light * self.response
        frames = []
        for _ in range(count):
            noise = self.random.normal(0, READNOISE, SHAPE)
            adu = PEDESTAL + (self.random.poisson(electrons) + noise) / GAIN
            pixels = np.clip(np.rint(adu), 0, 65535).astype("u2")
            frames.append(self.jobs.frame(kind, pixels, exptime, **self.cards))
        return frames

    def light(self, light: Floats | float = 300, exptime: float = 100) -> Frame:
        """Write an object frame."""
        return self.take("object", 1, exptime, light)[0]

    @property
    def masters(self) -> tuple[Master, Master, Master]:
        """All three."""
        return self.bias, self.dark, self.flat


def test_ccddata_takes_product_mask_and_uncertainty(jobs: JobFolder) -> None:
    night = Night(jobs, TOLD)
    product = CCDData.read(jobs.calibrate(night.light(), *night.masters, treatment=UNCERT))
    assert product.mask.dtype == bool
    assert product.mask[3, 5]
    assert product.mask.mean() < 0.01
    assert isinstance(product.uncertainty, StdDevUncertainty)
    assert product.unit == "adu"
    truth = 300 / GAIN
    pulls = ((product.data - truth) / product.uncertainty.array)[~product.mask]
    assert abs(pulls.mean()) < 0.04  # of 9,900 pixels
    assert abs(pulls.std() - 1) < 0.03


def test_the_masters_part_is_stored_apart_and_is_common_to_all_frames(jobs: JobFolder) -> None:
    night = Night(jobs, TOLD)
    frames = [night.light() for _ in range(40)]
    paths = [jobs.calibrate(one, *night.masters, treatment=UNCERT) for one in frames]
    stack = [CCDData.read(path) for path in paths]
    mean = np.mean([one.data for one in stack], axis=0)
    with fits.open(paths[0]) as hdus:
        common, total = hdus["UNCERTM"].data, hdus["UNCERT"].data
    own = np.sqrt(total**2 - common**2)
    good = ~stack[0].mask
    left = np.hypot(common, own / np.sqrt(40))
    pulls = ((mean - 300 / GAIN) / left)[good]
    assert abs(pulls.std() - 1) < 0.03
    assert (own / np.sqrt(40))[good].mean() < 0.7 * common[good].mean()  # what averaging leaves


@pytest.mark.parametrize(
    ("cards", "egain", "gain_from", "readnoise_from"),
    [
        (TOLD, 3.0, "header", "header"),
        ({}, 1.4, "EGAIN", "biases"),
        ({}, None, "flats", "biases"),
    ],
)
def test_gain_and_read_noise_come_from_header_then_parameters_then_frames(
    jobs: JobFolder, cards: Cards, egain: float | None, gain_from: str, readnoise_from: str
) -> None:
    night = Night(jobs, cards)
    wanted = replace(UNCERT, egain=egain)
    header = fits.getheader(
        jobs.calibrate(night.light(), *night.masters, treatment=wanted), "UNCERT"
    )
    assert header.comments["TWGAIN"].endswith(f"from: {gain_from}")
    assert header.comments["TWNOISE"].endswith(f"from: {readnoise_from}")
    expected = 1.4 if gain_from == "EGAIN" else GAIN
    assert header["TWGAIN"] == pytest.approx(expected, rel=0.03)
    assert header["TWNOISE"] == pytest.approx(READNOISE / GAIN, rel=0.03)
    assert jobs.reports[-1].warnings == ()


def test_without_gain_there_is_no_uncertainty_and_a_word_on_what_to_set(jobs: JobFolder) -> None:
    night = Night(jobs)
    path = jobs.calibrate(night.light(), night.bias, night.dark, treatment=UNCERT)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "MASK"]
    (warning,) = jobs.reports[-1].warnings
    assert warning.endswith("the gain is not known: set EGAIN in tape.par")


def test_without_read_noise_the_warning_says_so(jobs: JobFolder) -> None:
    night = Night(jobs, {"EGAIN": GAIN}, count=1)
    jobs.calibrate(night.light(), *night.masters, treatment=UNCERT)
    (warning,) = jobs.reports[-1].warnings
    assert "the read noise is not known: write RDNOISE" in warning


def test_without_biases_the_dark_is_the_level_of_no_light(jobs: JobFolder) -> None:
    night = Night(jobs, {"EGAIN": GAIN})
    dark = jobs.build(night.take("dark", 5, 100))
    product = CCDData.read(jobs.calibrate(night.light(2000), dark, treatment=UNCERT))
    pulls = (product.data - 2000 * night.response / GAIN) / product.uncertainty.array
    pulls = pulls[~product.mask]
    assert abs(pulls.mean()) < 0.04
    assert abs(pulls.std() - 1) < 0.03


def test_a_product_without_any_value_has_no_uncertainty_and_all_bits(jobs: JobFolder) -> None:
    night = Night(jobs, TOLD)
    frame = jobs.frame("object", np.full(SHAPE, np.nan), 100.0, **TOLD)
    path = jobs.calibrate(frame, *night.masters, treatment=UNCERT)
    with fits.open(path) as hdus:
        assert all(np.isnan(hdus[name].data).all() for name in (0, "UNCERT", "UNCERTM"))
        assert (hdus["MASK"].data & Bit.NODATA != 0).all()


def test_double_precision_raws_have_an_uncertainty_too(jobs: JobFolder) -> None:
    night = Night(jobs, TOLD)
    frame = jobs.frame("object", np.full(SHAPE, 1500.25), 0.0, **TOLD)
    product = CCDData.read(jobs.calibrate(frame, *night.masters, scale=0.0, treatment=UNCERT))
    # k = 0: bias and read noise alone, and the signal of 500 ADU.
    c = 1.4342 / 5
    variance = (READNOISE / GAIN) ** 2 * (1 + c) + 500 / GAIN
    assert np.median(product.uncertainty.array) == pytest.approx(np.sqrt(variance), rel=0.02)


def bits_of(path: Path) -> NDArray[np.uint8]:
    return np.asarray(fits.getdata(path, "MASK"), np.uint8)


def test_hotfix_nan_and_median_touch_marked_pixels_alone(jobs: JobFolder) -> None:
    night = Night(jobs)
    light = night.light()
    plain_path = jobs.calibrate(light, *night.masters)
    plain, bits = np.asarray(fits.getdata(plain_path)), bits_of(plain_path)
    hot = bits & (Bit.HOT | Bit.SATURATED) != 0
    assert hot[3, 5]
    for hotfix in ("nan", "median"):
        treatment = Treatment(hotfix=hotfix)
        fixed = np.asarray(fits.getdata(jobs.calibrate(light, *night.masters, treatment=treatment)))
        assert np.array_equal(fixed[~hot], plain[~hot])
        if hotfix == "nan":
            assert np.isnan(fixed[hot]).all()
        else:
            square = plain[2:5, 4:7][bits[2:5, 4:7] == 0]
            assert fixed[3, 5] == pytest.approx(np.median(square.astype("f8")), rel=1e-6)


def test_badfill_leaves_no_nan_for_programs_that_cannot_take_it(jobs: JobFolder) -> None:
    night = Night(jobs)
    flats = []
    for frame in night.take("flat", 3, 5, 40_000):
        pixels = fits.getdata(jobs.folder / frame.path).copy()
        pixels[10:14, 20:60] = np.rint(PEDESTAL)
        flats.append(jobs.frame("flat", pixels, 5.0))
    zero = jobs.frame("bias", np.full(SHAPE, PEDESTAL).astype("u2"), 0.0)
    bias = jobs.build([zero] * 3)
    flat = jobs.build(flats, bias)
    light = night.light()
    plain = fits.getdata(jobs.calibrate(light, bias, flat))
    assert np.isnan(plain).sum() == 4 * 40
    path = jobs.calibrate(light, bias, flat, treatment=Treatment(badfill="median", mask=False))
    with fits.open(path) as hdus:
        assert len(hdus) == 1
        filled = hdus[0].data
    assert np.isfinite(filled).all()
    given = np.isfinite(plain)
    assert np.array_equal(filled[given], plain[given])
    assert abs(np.median(filled[~given]) - np.median(plain[given])) < plain[given].std()


def test_noise_in_a_dark_corner_of_the_flat_is_no_cosmic_ray(jobs: JobFolder) -> None:
    pytest.importorskip("astroscrappy")
    night = Night(jobs, TOLD)
    rows = np.indices(SHAPE)[0]
    night.response = np.exp(-((rows / 30.0) ** 2) / 2)  # down to 0.01
    flat = jobs.build(night.take("flat", 5, 5, 60_000), night.bias)
    light, treatment = night.light(), Treatment(cosmic=True)
    found = bits_of(jobs.calibrate(light, night.bias, night.dark, flat, treatment=treatment))
    assert np.count_nonzero(found & Bit.COSMIC) < 10


def test_a_cosmic_key_without_noise_says_why_nothing_is_looked_for(jobs: JobFolder) -> None:
    night = Night(jobs)
    jobs.calibrate(night.light(), night.bias, treatment=Treatment(cosmic=True))
    (warning,) = jobs.reports[-1].warnings
    assert warning.startswith("no COSMIC for object-")


def listed(folder: Path, content: bytes) -> BadPixels:
    path = folder / "bad.pix"
    path.write_bytes(content)
    return BadPixels(hashlib.sha256(content).hexdigest(), path)


def marked(jobs: JobFolder, frame: Frame, bad: BadPixels) -> Pixels:
    path = jobs.calibrate(frame, treatment=Treatment(badpix=bad))
    return np.argwhere(bits_of(path) & Bit.BADPIX != 0)


def test_a_list_of_bad_pixels_is_binned_and_cut_to_the_window(jobs: JobFolder) -> None:
    bad = listed(jobs.folder, b"5 5 7 8\n11 14\nbox(21,31,3,1) # three pixels\n")
    raw = np.full((40, 30), 100, "u2")
    plain = jobs.frame("object", raw, 1.0)
    expected = [[6, 4], [7, 4], [13, 10], [30, 19], [30, 20], [30, 21]]
    assert marked(jobs, plain, bad).tolist() == expected
    binned = jobs.frame("object", raw[:20, :15], 1.0, XBINNING=2, YBINNING=2)
    assert marked(jobs, binned, bad).tolist() == [[3, 2], [6, 5], [15, 9], [15, 10]]
    window = jobs.frame("object", raw[:20, :15], 1.0, XORGSUBF=4, YORGSUBF=6)
    assert marked(jobs, window, bad).tolist() == [[0, 0], [1, 0], [7, 6]]


def test_an_image_of_bad_pixels_is_taken_in_the_shape_of_frame_or_detector(jobs: JobFolder) -> None:
    flags = np.zeros((40, 30), "u1")
    flags[6, 4] = flags[39, 29] = 1
    fits.PrimaryHDU(flags).writeto(jobs.folder / "mask.fits")
    bad = listed(jobs.folder, (jobs.folder / "mask.fits").read_bytes())
    raw = np.full((40, 30), 100, "u2")
    assert marked(jobs, jobs.frame("object", raw, 1.0), bad).tolist() == [[6, 4], [39, 29]]
    binned = jobs.frame("object", raw[:20, :15], 1.0, XBINNING=2, YBINNING=2)
    assert marked(jobs, binned, bad).tolist() == [[3, 2], [19, 14]]
    other = jobs.frame("object", np.full((50, 30), 100, "u2"), 1.0)
    assert marked(jobs, other, bad).tolist() == []
    (warning,) = jobs.reports[-1].warnings
    assert "bad.pix has 30x40 pixels, which does not fit frames of 30x50" in warning


def test_a_list_that_was_changed_since_is_not_used_and_said(jobs: JobFolder) -> None:
    bad = listed(jobs.folder, b"1 1\n")
    bad.path.write_bytes(b"2 2\n")
    assert marked(jobs, jobs.frame("object", np.full((5, 6), 9, "u2"), 1.0), bad).tolist() == []
    assert "was changed" in jobs.reports[-1].warnings[0]
    bad.path.unlink()
    assert marked(jobs, jobs.frame("object", np.full((5, 6), 9, "u2"), 1.0), bad).tolist() == []
    assert "cannot be read" in jobs.reports[-1].warnings[0]


def test_dark_current_left_in_flats_is_marked(jobs: JobFolder) -> None:
    night = Night(jobs)
    path = jobs.calibrate(night.light(), *night.masters)
    found = bits_of(path) & Bit.FLATDARK != 0
    # 400 e-/s over the flat's 5 s is 2,000 of 40,000 e-.
    assert np.argwhere(found).tolist() == [[3, 5]]
    flat = jobs.build(night.take("flat", 3, 5, 40_000), night.bias, night.dark)
    assert not (
        bits_of(jobs.calibrate(night.light(), night.bias, night.dark, flat)) & Bit.FLATDARK
    ).any()


def test_cosmic_rays_are_marked_and_no_star(jobs: JobFolder) -> None:
    pytest.importorskip("astroscrappy")
    night = Night(jobs, TOLD)
    rows, columns = np.indices(SHAPE)
    star = 8000 * np.exp(-((rows - 60) ** 2 + (columns - 50) ** 2) / (2 * 2.0**2))
    light = np.full(SHAPE, 300.0) + star
    struck = [(20, 30), (21, 31), (70, 80), (40, 100)]
    for place in struck:
        light[place] += 5000
    treatment = Treatment(cosmic=True)
    path = jobs.calibrate(night.light(light), *night.masters, treatment=treatment)
    found = bits_of(path) & Bit.COSMIC != 0
    assert all(found[place] for place in struck)
    assert not found[55:66, 45:56].any()
    assert found.sum() < 30
