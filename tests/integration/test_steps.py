"""STEPS without the bias, and darks of flats: a whole night against arithmetic written out here."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from support_frames import SHAPE, write_raw
from support_service import station

Image = NDArray[np.float32]


def write(path: Path, kind: str, exptime: float, level: float, minute: int) -> Path:
    """Write a frame of a camera with a pedestal, dark current and an uneven response."""
    write_raw(path, IMAGETYP=kind, EXPTIME=exptime, DATE_OBS=f"2026-03-25T17:{minute:02}:00")
    yy, xx = np.indices(SHAPE)
    current = 1.0 + 40.0 * ((yy * 7 + xx * 3) % 11 == 0)
    response = 0.8 + 0.4 * xx / SHAPE[1]
    scene = 500.0 + yy + current * exptime + level * response
    noisy = np.random.default_rng(minute).normal(scene, 4.0)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data = np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)
    return path


def raws(paths: Sequence[Path]) -> list[Image]:
    """Read frames as float32."""
    return [fits.getdata(path).astype(np.float32) for path in paths]


def median(images: Sequence[Image]) -> Image:
    """Combine images as the notebook did."""
    middle: Image = np.median(np.stack(images), axis=0).astype(np.float32)
    return middle


def normalised(images: Sequence[Image]) -> Image:
    """Combine flats."""
    return median([image / np.median(image) for image in images])


class Folder:
    """A night's frames of each sort."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.objects = [write(folder / f"m13-{n}.fits", "object", 60.0, 200.0, n) for n in (1, 2)]
        self.darks = self.write("dark", 60.0, 0.0, 10)
        self.flats = self.write("flat", 12.0, 20000.0, 20)

    def write(self, kind: str, exptime: float, level: float, minute: int) -> list[Path]:
        """Write a set of three."""
        names = (self.path / f"{kind}-{exptime:g}-{n}.fits" for n in range(3))
        return [
            write(path, kind, exptime, level, minute + number) for number, path in enumerate(names)
        ]

    def product(self, raw: Path) -> Image:
        """Read a frame's product."""
        return np.asarray(fits.getdata(self.path / f"w{raw.name}"), dtype=np.float32)


@pytest.fixture
def night(tmp_path: Path) -> Folder:
    """Object frames of 60 s, darks of 60 s, flats of 12 s."""
    return Folder(tmp_path / "night")


@pytest.mark.parametrize("kind", ["darkflat", "dark"])
def test_without_biases_flats_wait_for_flat_darks_and_all_is_calibrated(
    night: Folder, kind: str
) -> None:
    with station(night.path, STEPS="dark,flat", ONMISSING="wait") as one:
        one.look()
        assert one.states()["m13-1.fits"] == "waiting"
        reason = one.reason(night.flats[0].name)
        assert "wait for a master flatdark 12 s: no flatdark frames yet" in reason
        assert "exposure 60 s, frame 12 s (darks keep their bias" in reason
        own = night.write(kind, 12.0, 0.0, 30)
        one.look()
        assert set(one.states().values()) == {"done"}
        assert (night.path / f"w{'flatdark' if kind == 'darkflat' else 'dark'}12s.list").is_file()
    dark, flatdark = median(raws(night.darks)), median(raws(own))
    flat = normalised([image - flatdark for image in raws(night.flats)])
    assert np.array_equal(fits.getdata(night.path / "wdark60s.fits"), dark)
    assert np.array_equal(fits.getdata(night.path / "wflatR.fits"), flat)
    for path, raw in zip(night.objects, raws(night.objects), strict=True):
        assert np.array_equal(night.product(path), (raw - dark) / flat)
        header = fits.getheader(night.path / f"w{path.name}")
        assert (header["CALSTAT"], "TWBIAS" in header) == ("DF", False)


def test_a_change_of_steps_uses_no_master_of_before(night: Folder) -> None:
    biases = night.write("bias", 0.0, 0.0, 40)
    night.write("darkflat", 12.0, 0.0, 30)
    with station(night.path, ONMISSING="wait") as one:
        one.look()
        assert set(one.states().values()) == {"done"}
        before = {each.master.id for each in one.ledger.masters() if each.master.kind != "bias"}
    with station(night.path, STEPS="dark,flat", ONMISSING="wait") as one:
        one.service._foreman.planner.plan_all()
        one.look()
        assert set(one.states().values()) == {"done"}
        used = {each.master.id for each in one.ledger.masters() if each.in_use}
        assert before.isdisjoint(used)
    with station(night.path, ONMISSING="wait") as one:
        one.service._foreman.planner.plan_all()
        one.look()
        used = {each.master.id for each in one.ledger.masters() if each.in_use}
        assert before <= used
    bias = median(raws(biases))
    dark = median([image - bias for image in raws(night.darks)])
    flat = normalised([image - bias for image in raws(night.flats)])
    (raw,) = raws(night.objects[:1])
    assert np.array_equal(night.product(night.objects[0]), ((raw - bias) - dark) / flat)


@pytest.mark.parametrize("with_own", [True, False])
def test_with_flatdark_flats_have_their_dark_subtracted(night: Folder, with_own: bool) -> None:
    biases = night.write("bias", 0.0, 0.0, 40)
    own = night.write("darkflat", 12.0, 0.0, 30) if with_own else night.darks
    with station(night.path, FLATDARK=1, ONMISSING="wait") as one:
        one.look()
        assert set(one.states().values()) == {"done"}
    bias = median(raws(biases))
    scale = np.float32(1.0 if with_own else 12.0 / 60.0)
    dark = median([image - bias for image in raws(own)]) * scale
    flat = normalised([(image - bias) - dark for image in raws(night.flats)])
    assert np.array_equal(fits.getdata(night.path / "wflatR.fits"), flat)
    plain = normalised([image - bias for image in raws(night.flats)])
    assert np.abs(plain / flat - 1).max() > 0.01  # hot pixels: that is what it is for


def test_each_sky_flat_has_the_dark_of_its_own_exposure_subtracted(night: Folder) -> None:
    biases = night.write("bias", 0.0, 0.0, 40)
    for path in night.flats:
        path.unlink()
    times = (20.0, 9.0, 5.0)
    flats = [
        write(night.path / f"sky{n}.fits", "flat", time, 15000.0, 50 + n)
        for n, time in enumerate(times)
    ]
    with station(night.path, FLATDARK=1, ONMISSING="wait", NFLAT=3) as one:
        one.look()
        assert set(one.states().values()) == {"done"}
    bias = median(raws(biases))
    dark = median([image - bias for image in raws(night.darks)])
    flat = normalised(
        [
            (image - bias) - dark * np.float32(time / 60.0)
            for image, time in zip(raws(flats), times, strict=True)
        ]
    )
    found = fits.getdata(night.path / "wflatR.fits")
    assert np.allclose(found, flat, rtol=3e-7, atol=0)
