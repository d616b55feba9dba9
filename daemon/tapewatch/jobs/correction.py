"""What is done to the pixels of one object frame, strip by strip, and what is told of them.

The strips go through stages, each a generator over the one before: calibration with mask and
uncertainty, then (each where it is asked for) cosmic rays and repairs.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile.read import RawFrame
from tapewatch.jobs.cosmic import add_cosmic_rays
from tapewatch.jobs.known import known_bits
from tapewatch.jobs.masters import load_master
from tapewatch.jobs.uncertainty import NoiseModel, Uncertainty, UnknownNoiseError, noise_model
from tapewatch.jobs.workplace import STRIP
from tapewatch.model import Bit, CalibrateFrame, Kind, Treatment, Workplace
from tapewatch.science import mask, repair
from tapewatch.science.calibrate import Pixels, calibrate
from tapewatch.science.overscan import subtract_overscan

REPAIRED = Bit.HOT | Bit.SATURATED | Bit.BADPIX
"""What HOTFIX repairs."""


class Corrected(NamedTuple):
    """A strip of a product: whole rows of one image.

    Parameters
    ----------
    plane : int
        Which image of the frame.
    product : numpy.ndarray
        (n,) float32, ADU.
    mask : numpy.ndarray
        (n,) uint8, bits as in `tapewatch.model.Bit`; empty where nothing asks for it.
    uncertainty : Uncertainty or None
        Where it is wanted and known.
    saturated : int
        Raw pixels at or above SATU.
    """

    plane: int
    product: NDArray[np.float32]
    mask: mask.Mask
    uncertainty: Uncertainty | None
    saturated: int


@dataclass(frozen=True, slots=True)
class Correction:
    """The masters of one frame and how they are used.

    Parameters
    ----------
    bias, dark, flat : numpy.ndarray or None
        (ny * nx,) float32: ADU, ADU, relative to 1; None where the step is left out.
    dark_scale : float
        Exposure time of the frame over that of the dark.
    known : numpy.ndarray or None
        (ny * nx,) uint8: bits that masters and observer set; None where nothing asks for a mask.
    noise : NoiseModel or None
        Where an uncertainty is wanted and gain and read noise are known.
    treatment : Treatment
        What tape.par says of the pixels.
    warnings : tuple of str
        What could not be done, and why.
    """

    bias: NDArray[np.float32] | None
    dark: NDArray[np.float32] | None
    flat: NDArray[np.float32] | None
    dark_scale: float
    known: mask.Mask | None
    noise: NoiseModel | None
    treatment: Treatment
    warnings: tuple[str, ...] = ()

    def strips(self, raw: RawFrame) -> Iterator[Corrected]:
        """Correct a frame.

        Parameters
        ----------
        raw : RawFrame
            Open; its data hash is known afterwards.

        Yields
        ------
        Corrected
            The strips in order.
        """
        corrected = self._calibrated(raw)
        if self.treatment.cosmic and self.noise is not None:
            corrected = self._without_cosmic_rays(corrected, raw)
        if "median" in {self.treatment.hotfix, self.treatment.badfill}:
            corrected = self._repaired(corrected, raw)
        return map(self._without_hot, corrected) if self.treatment.hotfix == "nan" else corrected

    def _calibrated(self, raw: RawFrame) -> Iterator[Corrected]:
        for start, stop in raw.strips_of_rows(STRIP, repair.REACH):
            yield self._strip(raw.physical(start, stop, hashed=True), start, raw)

    def _strip(self, pixels: Pixels, start: int, raw: RawFrame) -> Corrected:
        part, plane = slice(start, start + pixels.size), raw.plane_at(start)
        # Saturation is told by the pixels as the camera gave them, all else without overscan.
        level = subtract_overscan(pixels, raw.overscan(part.start, part.stop))
        product = calibrate(
            level,
            None if self.bias is None else self.bias[part],
            None if self.dark is None else self.dark[part],
            self.dark_scale,
            None if self.flat is None else self.flat[part],
        )
        saturated = pixels >= self.treatment.saturation
        bits = np.empty(0, np.uint8)
        if self.known is not None:
            bits = mask.of_frame(self.known[part], pixels, saturated, product)
        uncertainty = None
        if self.noise is not None and self.treatment.uncert:
            columns = raw.shapes[plane][1]
            uncertainty = self.noise.of_strip(level, product, start, columns)
        return Corrected(plane, product, bits, uncertainty, int(np.count_nonzero(saturated)))

    def _without_cosmic_rays(
        self, strips: Iterable[Corrected], raw: RawFrame
    ) -> Iterator[Corrected]:
        """Add the bit of cosmic rays; holds an image of the frame whole, as the search needs it."""
        for plane, group in groupby(strips, key=lambda strip: strip.plane):
            held = list(group)
            image = np.concatenate([strip.product for strip in held]).reshape(raw.shapes[plane])
            bits = np.concatenate([strip.mask for strip in held]).reshape(image.shape)
            flat = None
            if self.flat is not None:
                first = sum(math.prod(shape) for shape in raw.shapes[:plane])
                flat = self.flat[first : first + image.size].reshape(image.shape)
            if self.noise is not None:
                add_cosmic_rays(image, bits, self.noise.unlit, self.treatment.saturation, flat)
            ends = np.cumsum([strip.mask.size for strip in held])
            for strip, part in zip(held, np.split(bits.ravel(), ends[:-1]), strict=True):
                yield strip._replace(mask=part)

    def _repaired(self, strips: Iterable[Corrected], raw: RawFrame) -> Iterator[Corrected]:
        """Fill in the median of good neighbours; holds a strip and the rows beside it."""
        for plane, group in groupby(strips, key=lambda strip: strip.plane):
            waiting: deque[Corrected] = deque()
            parts = self._to_repair(group, waiting, raw.shapes[plane][1])
            for pixels in repair.repaired(parts):
                yield waiting.popleft()._replace(product=pixels.ravel())

    def _to_repair(
        self, strips: Iterable[Corrected], waiting: deque[Corrected], columns: int
    ) -> Iterator[repair.Strip]:
        for strip in strips:
            waiting.append(strip)
            wanted = np.zeros(strip.product.size, bool)
            if self.treatment.hotfix == "median":
                wanted |= strip.mask & REPAIRED != 0
            if self.treatment.badfill == "median":
                wanted |= np.isnan(strip.product)
            shape = (-1, columns)
            good = (strip.mask == 0).reshape(shape)
            yield repair.Strip(strip.product.reshape(shape), good, wanted.reshape(shape))

    def _without_hot(self, strip: Corrected) -> Corrected:
        product = strip.product.copy()
        product[strip.mask & REPAIRED != 0] = np.nan
        return strip._replace(product=product)


def correction_of(job: CalibrateFrame, place: Workplace, raw: RawFrame) -> Correction:
    """Gather what a frame is corrected with.

    Parameters
    ----------
    job : CalibrateFrame
        The frame and its masters.
    place : Workplace
        Where the masters lie, and the treatment.
    raw : RawFrame
        The frame, open.

    Returns
    -------
    Correction

    Raises
    ------
    MasterLostError
        A master's file is gone, or is not that master any more.
    """
    treatment, warnings = place.treatment, list[str]()
    detector = job.frame.detector
    loaded = {
        master.kind: load_master(place.output, master, detector, raw) for master in job.masters
    }
    bias, dark, flat = (loaded.get(kind) for kind in (Kind.BIAS, Kind.DARK, Kind.FLAT))
    scale = job.recipe.dark_scale
    known = noise = None
    if treatment.needs_mask:
        known, unfit = known_bits(job, place, loaded, raw)
        warnings += unfit
    if treatment.uncert or treatment.cosmic:
        try:
            noise = noise_model(job, place, loaded, raw)
        except UnknownNoiseError as error:
            wanted = "UNCERT" if treatment.uncert else "COSMIC"
            warnings.append(f"no {wanted} for {job.frame.path}: {error}")
    return Correction(bias, dark, flat, scale, known, noise, treatment, tuple(warnings))
