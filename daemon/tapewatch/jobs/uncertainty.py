"""The uncertainty of a product: what is known of the camera's noise, and what follows from it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile.read import RawFrame
from tapewatch.headers.extensions import NoiseUsed
from tapewatch.jobs.masters import master_noise
from tapewatch.jobs.memory import Memory
from tapewatch.model import CalibrateFrame, Kind, MasterNoise, Workplace
from tapewatch.science import variance
from tapewatch.science.calibrate import subtract_bias

Single = NDArray[np.float32]
Shapes = Sequence[tuple[int, int]]

# Variances of masters, as large as the masters themselves.
_VARIANCES: Final[Memory[np.float32]] = Memory(1 << 28)


class Uncertainty(NamedTuple):
    """Standard deviations of a strip.

    Parameters
    ----------
    total : numpy.ndarray
        (n,) float32, ADU.
    of_masters : numpy.ndarray
        (n,) float32, ADU: the part that all frames have in common that were made with the same
        masters.
    """

    total: Single
    of_masters: Single


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """What the uncertainty of one frame is worked out from.

    Parameters
    ----------
    noise : variance.Noise
        Gain and read noise.
    used : NoiseUsed
        The same for the header, and where they come from.
    pedestal : numpy.ndarray or None
        (ny * nx,) float32, ADU: what a pixel without light holds, master bias or, without biases,
        master dark.
    subtracted : numpy.ndarray
        (ny * nx,) float32, ADU^2: variance of what was subtracted.
    flat, flat_variance : numpy.ndarray or None
        (ny * nx,) float32: master flat and its variance, relative to 1.
    """

    noise: variance.Noise
    used: NoiseUsed
    pedestal: Single | None
    subtracted: Single
    flat: Single | None
    flat_variance: Single | None

    @property
    def unlit(self) -> variance.Noise:
        """Noise of a typical pixel without light, that of what was subtracted included."""
        squared = self.noise.readnoise**2 + float(np.median(self.subtracted))
        return variance.Noise(self.noise.gain, math.sqrt(squared))

    def of_strip(
        self, raw: NDArray[np.number], product: Single, start: int, columns: int
    ) -> Uncertainty:
        """Work out the uncertainty of a strip.

        Parameters
        ----------
        raw, product : numpy.ndarray
            (n,), ADU: whole rows before and after calibration.
        start : int
            First pixel, counted from the frame's first.
        columns : int
            Pixels of a row.

        Returns
        -------
        Uncertainty
            NaN where the product is.
        """
        part = slice(start, start + raw.size)
        signal = subtract_bias(raw, None if self.pedestal is None else self.pedestal[part])
        expected = variance.expected_signal(signal.reshape(-1, columns), self.noise).ravel()
        flat, of_flat = (
            None if one is None else one[part] for one in (self.flat, self.flat_variance)
        )
        masters = variance.of_masters(product, self.subtracted[part], flat, of_flat)
        total = variance.of_frame(expected, self.noise, flat) + masters
        return Uncertainty(_sigma(total, product), _sigma(masters, product))


def _sigma(squared: NDArray[np.floating], product: Single) -> Single:
    with np.errstate(invalid="ignore", over="ignore"):
        sigma: Single = np.sqrt(squared).astype(np.float32)
    sigma[~np.isfinite(product) | ~np.isfinite(sigma)] = np.nan
    return sigma


class UnknownNoiseError(ValueError):
    """Gain or read noise are not known; the message says which keyword to set."""


def noise_model(
    job: CalibrateFrame, place: Workplace, loaded: Mapping[Kind, Single], raw: RawFrame
) -> NoiseModel:
    """Gather what the uncertainty of a frame is worked out from.

    Parameters
    ----------
    job : CalibrateFrame
        The frame and its masters.
    place : Workplace
        Where the masters lie, and EGAIN.
    loaded : mapping of Kind to numpy.ndarray
        Pixels of the masters, (ny * nx,) float32.
    raw : RawFrame
        The frame, open.

    Returns
    -------
    NoiseModel

    Raises
    ------
    UnknownNoiseError
        Neither header nor tape.par nor masters tell the gain, or the read noise; or nothing tells
        what a pixel without light holds.
    """
    masters = {master.kind: master for master in job.masters}
    told = {kind: master_noise(place.output, one) for kind, one in masters.items()}
    bias, dark = loaded.get(Kind.BIAS), loaded.get(Kind.DARK)
    if bias is None and dark is None:
        raise UnknownNoiseError("without bias and dark the level of no light is not known: STEPS")
    used = noise_used(job, place, told)
    noise = variance.Noise(used.gain, used.readnoise)
    kept = {kind: _share(one) for kind, one in told.items()}
    readout = (job.frame.detector, raw.shapes, raw.corner)
    key = (job.masters, readout, job.recipe.dark_scale, noise)
    subtracted = _VARIANCES.get(
        (key, "subtracted"),
        lambda: _of_subtracted(noise, bias, dark, kept, job.recipe.dark_scale, raw.shapes),
    )
    flat, flat_variance = loaded.get(Kind.FLAT), None
    level = told[Kind.FLAT].level if Kind.FLAT in told else None
    if flat is not None and level is not None:
        of_flat = variance.FlatNoise(kept[Kind.FLAT], level, noise)
        flat_variance = _VARIANCES.get(
            (key, "flat"), lambda: of_flat.variance(flat).astype(np.float32)
        )
    return NoiseModel(noise, used, dark if bias is None else bias, subtracted, flat, flat_variance)


def noise_used(
    job: CalibrateFrame, place: Workplace, told: Mapping[Kind, MasterNoise]
) -> NoiseUsed:
    """Choose gain and read noise: of the header, else of tape.par, else measured.

    Parameters
    ----------
    job : CalibrateFrame
        The frame.
    place : Workplace
        EGAIN.
    told : mapping of Kind to MasterNoise
        Of the frame's masters.

    Returns
    -------
    NoiseUsed

    Raises
    ------
    UnknownNoiseError
        One of them is not known.
    """
    frame = job.frame
    nothing = MasterNoise(0)
    gains = (
        (frame.gain, "header"),
        (place.treatment.egain, "EGAIN"),
        (told.get(Kind.FLAT, nothing).gain, "flats"),
    )
    gain, gain_from = next(((one, name) for one, name in gains if one is not None), (None, ""))
    if gain is None:
        raise UnknownNoiseError("the gain is not known: set EGAIN in tape.par")
    in_header = (None if frame.readnoise is None else frame.readnoise / gain, "header")
    if Kind.BIAS in told:
        noises = (in_header, (told[Kind.BIAS].noise, "biases"))
    else:
        # Without biases the dark is the level of no light, and the noise that of its frames.
        noises = ((told.get(Kind.DARK, nothing).noise, "darks"), in_header)
    noise, noise_from = next(((one, name) for one, name in noises if one is not None), (None, ""))
    if noise is None:
        raise UnknownNoiseError(
            "the read noise is not known: write RDNOISE [electron] into the headers, or take two"
            " biases or more"
        )
    return NoiseUsed(gain, noise, gain_from, noise_from)


def _share(noise: MasterNoise) -> variance.Share:
    return variance.Share(noise.frames, noise.is_median)


def _of_subtracted(
    noise: variance.Noise,
    bias: Single | None,
    dark: Single | None,
    kept: Mapping[Kind, variance.Share],
    dark_scale: float,
    shapes: Shapes,
) -> Single:
    """Give the variance of what was subtracted from each pixel, ADU^2."""
    if bias is None or dark is None:
        # One master alone is the level of no light: it enters once, as a bias does.
        alone, share = (bias, kept.get(Kind.BIAS)) if dark is None else (dark, kept[Kind.DARK])
        size = 0 if alone is None else alone.size
        return np.full(size, variance.of_subtracted(noise, share, None, None, 0.0), np.float32)
    share = kept[Kind.DARK]
    current = np.empty_like(dark)
    start = 0
    for rows, columns in shapes:
        part = slice(start, start + rows * columns)
        image = dark[part].reshape(rows, columns)
        current[part] = variance.expected_signal(image, noise, share.value).ravel()
        start = part.stop
    found = variance.of_subtracted(noise, kept[Kind.BIAS], current, share, dark_scale)
    return np.asarray(found, np.float32)
