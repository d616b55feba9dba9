"""The simulated camera's pixels: a pure function of the night's seed and the exposure.

A frame is ``bias + (Poisson(electrons) + read noise) / gain``, in ADU, where the electrons are
those of the dark current and, through the response of optics and filter, of the twilight or of sky
and stars (S. B. Howell, Handbook of CCD Astronomy, 2nd ed., sections 3 and 4).
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tapewatch.commands.night import Exposure, Night
from tapewatch.model import Kind

GAIN = 1.5  # e-/ADU
FULL_SCALE = 65535  # ADU
BIAS_LEVEL = 1000.0  # ADU
COLUMN_SCATTER = 3.0  # ADU, standard deviation of the fixed column structure
READ_NOISE = 8.0  # e-
DARK_CURRENT = 0.05  # ADU/s per unbinned pixel, typical
HOT_FRACTION = 0.001
HOT_CURRENT = (2.0, 100.0)  # ADU/s, faintest and brightest hot pixel
VIGNETTING = (0.2, 0.3)  # loss in the corners, by filter
PIXEL_SCATTER = 0.01  # relative, pixel to pixel
DUST_RINGS = 4
DUST_LOSS = (0.03, 0.08)  # relative, on the ring
FLAT_LEVEL = 25000.0  # ADU
SKY_RATE = 3.0  # ADU/s per unbinned pixel
STARS_PER_PIXEL = 1 / 1300
STARS_AT_MOST = 2000
MAGNITUDES = (11.5, 18.0)  # brightest and faintest star
COUNTS_SLOPE = 0.3  # log10 of the number of stars per magnitude
ZERO_POINT = 21.0  # magnitude of a star of 1 ADU/s
FWHM = 3.0  # unbinned pixels
DRIFT = 0.35  # unbinned pixels: radius of the circle the guiding wanders on
FRAMES_PER_DRIFT = 40

# Streams of random numbers: what is fixed in the camera or the sky is drawn apart from the noise.
_COLUMNS, _DARK, _RESPONSE, _STARS, _NOISE = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What perfect masters of a night would hold.

    Parameters
    ----------
    bias : ndarray
        (ny, nx) float32, ADU: level and column structure.
    dark : ndarray
        (ny, nx) float32, ADU/s: dark current.
    flats : mapping of str to ndarray
        By filter, (ny, nx) float32: response relative to its median.
    """

    bias: NDArray[np.float32]
    dark: NDArray[np.float32]
    flats: Mapping[str, NDArray[np.float32]]


@lru_cache(maxsize=1)
def truth(night: Night) -> Truth:
    """Return what the camera's pixels are like without noise; the arrays are read-only.

    Parameters
    ----------
    night : Night
        Its seed, shape, binning and filters count.

    Returns
    -------
    Truth
        Kept for the next call: each frame of the night needs it.
    """
    flats = {name: _response(night, name) for name in night.filters}
    result = Truth(_bias(night), _dark_current(night), MappingProxyType(flats))
    for array in (result.bias, result.dark, *flats.values()):
        array.flags.writeable = False
    return result


def pixels(night: Night, exposure: Exposure) -> NDArray[np.uint16]:
    """Take one exposure.

    Parameters
    ----------
    night : Night
        Camera and seed.
    exposure : Exposure
        One of the night's.

    Returns
    -------
    ndarray
        (ny, nx) uint16, ADU; the same whatever was taken before.
    """
    random = _random(night, _NOISE, exposure.index)
    adu = random.standard_normal(night.shape, dtype=np.float32)
    adu *= READ_NOISE / GAIN
    adu += truth(night).bias
    if exposure.kind is not Kind.BIAS:
        electrons = random.poisson(_expected(night, exposure, random) * np.float32(GAIN))
        adu += electrons.astype(np.float32) / np.float32(GAIN)
    return np.clip(np.rint(adu), 0, FULL_SCALE).astype(np.uint16)


def _random(night: Night, *stream: int) -> np.random.Generator:
    return np.random.default_rng([night.seed, *stream])


def _expected(night: Night, exposure: Exposure, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the signal above the bias before any noise, (ny, nx) float32, ADU."""
    light = truth(night)
    signal = light.dark * np.float32(exposure.exptime)
    if exposure.kind is Kind.FLAT:
        level = FLAT_LEVEL * random.uniform(0.85, 1.15)
        signal += np.float32(level) * light.flats[exposure.filter]
    elif exposure.kind is Kind.OBJECT:
        sky = SKY_RATE * night.binning**2 * exposure.exptime
        scene = np.full(night.shape, sky, np.float32)
        _add_stars(scene, night, exposure)
        signal += scene * light.flats[exposure.filter]
    return signal


def _bias(night: Night) -> NDArray[np.float32]:
    columns = _random(night, _COLUMNS).normal(BIAS_LEVEL, COLUMN_SCATTER, night.shape[1])
    return np.tile(columns.astype(np.float32), (night.shape[0], 1))


def _dark_current(night: Night) -> NDArray[np.float32]:
    random = _random(night, _DARK)
    current = random.standard_gamma(25.0, night.shape, dtype=np.float32)  # scatter of 20 %
    current *= DARK_CURRENT * night.binning**2 / 25.0
    hot = random.choice(current.size, math.ceil(HOT_FRACTION * current.size), replace=False)
    faintest, brightest = np.log(HOT_CURRENT)
    current.flat[hot] += np.exp(random.uniform(faintest, brightest, hot.size))
    return current


def _response(night: Night, name: str) -> NDArray[np.float32]:
    """Return vignetting, dust and pixel scatter of one filter, (ny, nx) float32, median 1."""
    # A checksum of the name, not its place: a filter stays the same when others are added.
    random = _random(night, _RESPONSE, zlib.crc32(name.encode()))
    rows, columns = night.shape
    y = np.linspace(-1.0, 1.0, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, columns, dtype=np.float32)[None, :]
    response = 1.0 - np.float32(random.uniform(*VIGNETTING) / 2) * (y**2 + x**2)
    for _ in range(DUST_RINGS):
        # Out-of-focus grains: a dark ring of a 40th to a 16th of the short side.
        radius = min(rows, columns) * random.uniform(1 / 40, 1 / 16)
        centre_y, centre_x = random.uniform(0, rows), random.uniform(0, columns)
        distance = np.hypot(
            np.arange(rows, dtype=np.float32)[:, None] - np.float32(centre_y),
            np.arange(columns, dtype=np.float32)[None, :] - np.float32(centre_x),
        )
        ring = np.exp(-0.5 * ((distance - np.float32(radius)) / np.float32(0.3 * radius)) ** 2)
        response *= 1.0 - np.float32(random.uniform(*DUST_LOSS)) * ring
    scatter = random.standard_normal(night.shape, dtype=np.float32)
    response *= 1.0 + np.float32(PIXEL_SCATTER) * scatter
    response /= np.median(response)
    return response


def _add_stars(scene: NDArray[np.float32], night: Night, exposure: Exposure) -> None:
    """Add the stars of the field, Gaussian profiles on small stamps, to `scene` (ADU)."""
    rows, columns = night.shape
    count = min(STARS_AT_MOST, max(1, round(rows * columns * STARS_PER_PIXEL)))
    random = _random(night, _STARS)
    x, y = random.uniform(0, columns, count), random.uniform(0, rows, count)
    flux = _fluxes(random.uniform(0, 1, count)) * exposure.exptime
    phase = 2 * math.pi * exposure.index / FRAMES_PER_DRIFT
    x += DRIFT / night.binning * math.cos(phase)
    y += DRIFT / night.binning * math.sin(phase)
    sigma = FWHM / night.binning / (2 * math.sqrt(2 * math.log(2)))
    for star_x, star_y, star_flux in zip(x, y, flux, strict=True):
        across, profile_x = _profile(star_x, sigma, columns)
        along, profile_y = _profile(star_y, sigma, rows)
        scene[along, across] += np.outer(star_flux * profile_y, profile_x)


def _fluxes(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return fluxes, ADU/s, of stars whose number grows as 10^(0.3 magnitude)."""
    brightest, faintest = MAGNITUDES
    least = 10 ** (COUNTS_SLOPE * (brightest - faintest))
    magnitudes = faintest + np.log10(least + (1 - least) * quantiles) / COUNTS_SLOPE
    return np.asarray(10 ** (0.4 * (ZERO_POINT - magnitudes)))


def _profile(centre: float, sigma: float, length: int) -> tuple[slice, NDArray[np.float64]]:
    """Return where along an axis a star lies and its share of light in each of those pixels."""
    reach = math.ceil(5 * sigma)
    first = min(max(0, round(centre) - reach), length)
    last = max(first, min(length, round(centre) + reach + 1))
    offsets = np.arange(first, last) - centre
    share = np.exp(-0.5 * (offsets / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return slice(first, last), share
