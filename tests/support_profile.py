"""Frames of pixels with a known truth, and what a calibration frame is known by."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from support_planning import frame
from tapewatch.model import CalibrationFrame, Detector, Kind, Profile
from tapewatch.science.profile import Sampler

SHAPE = (256, 384)
DETECTOR = Detector("Apogee", SHAPE, (1, 1))
BIAS, READ_NOISE = 1000.0, 8.0  # ADU; one electron an ADU

Pixels = NDArray[np.float64]


def generator(seed: int) -> np.random.Generator:
    """Give random numbers, the same for a seed."""
    return np.random.default_rng(seed)


def across() -> Pixels:
    """Give x from -1 to 1 over the frame."""
    return np.broadcast_to(np.linspace(-1, 1, SHAPE[1]), SHAPE)


def a_bias(seed: int, light: Pixels | float = 0.0) -> Pixels:
    """Give a bias; `light` are electrons that should not be there."""
    return a_dark(seed, 0.0, light)


def a_dark(seed: int, current: float, light: Pixels | float = 0.0) -> Pixels:
    """Give a dark of so many electrons a pixel; one pixel in 500 has a hundred times as many."""
    rates = np.where(generator(0).random(SHAPE) < 0.002, 100.0, 1.0)
    return _read_out(seed, current * rates + light)


def a_flat(seed: int, level: float, sky: Pixels | float = 1.0, stars: float = 0.0) -> Pixels:
    """Give a flat: vignetting, pixels that differ by 1 %, and a part of them under stars."""
    response = (1 - 0.05 * across() ** 2) * generator(0).normal(1.0, 0.01, SHAPE)
    light = level * response * sky
    places = generator(seed + 100).random(SHAPE) < stars
    return _read_out(seed, light + 20 * math.sqrt(level) * places)


def _read_out(seed: int, electrons: Pixels | float) -> Pixels:
    random = generator(seed)
    counts = random.poisson(np.broadcast_to(electrons, SHAPE))
    counted: Pixels = BIAS + counts + random.normal(0.0, READ_NOISE, SHAPE)
    return np.minimum(np.rint(counted), 65535.0)


def profile_of(pixels: Pixels) -> Profile:
    """Profile of pixels, as a worker takes it, with SATU 65535."""
    sampler = Sampler((pixels.shape[0], pixels.shape[1]))
    sampler.add(pixels.astype(np.float32).ravel())
    return sampler.result(int(np.count_nonzero(pixels >= 65535)))


def members(kind: Kind, frames: Iterable[Pixels], **changes: object) -> list[CalibrationFrame]:
    """Give calibration frames of one set, a minute apart, that have been read."""
    return [
        CalibrationFrame(
            frame(f"{kind}{number}.fits", kind, number, **{"detector": DETECTOR, **changes}),
            f"pixels of {kind}{number}.fits",
            0.0,
            profile_of(pixels),
        )
        for number, pixels in enumerate(frames)
    ]
