"""What is done to the pixels of one object frame, strip by strip, and the masks that tell of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile.read import RawFrame
from tapewatch.jobs.masters import load_master
from tapewatch.jobs.memory import Memory
from tapewatch.model import CalibrateFrame, Kind, Master, Treatment, Workplace
from tapewatch.science import mask
from tapewatch.science.calibrate import Pixels, calibrate
from tapewatch.science.overscan import subtract_overscan

# Masks of masters, one byte a pixel, for as many nights' masters as a worker keeps (workplace.py).
_MASKS: Final[Memory[np.uint8]] = Memory(1 << 26)


class Corrected(NamedTuple):
    """A strip of a product.

    Parameters
    ----------
    product : numpy.ndarray
        (n,) float32, ADU.
    mask : numpy.ndarray or None
        (n,) uint8, bits as in `tapewatch.model.Bit`; None where none is wanted.
    saturated : int
        Raw pixels at or above SATU.
    """

    product: NDArray[np.float32]
    mask: mask.Mask | None
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
        (ny * nx,) uint8: bits that masters and observer set; None where no mask is wanted.
    treatment : Treatment
        What tape.par says of the pixels.
    """

    bias: NDArray[np.float32] | None
    dark: NDArray[np.float32] | None
    flat: NDArray[np.float32] | None
    dark_scale: float
    known: mask.Mask | None
    treatment: Treatment

    def correct(
        self, raw: Pixels, start: int, overscan: NDArray[np.floating] | None = None
    ) -> Corrected:
        """Calibrate a strip.

        Parameters
        ----------
        raw : numpy.ndarray
            (n,), ADU, as the camera gave them: saturation is told by these.
        start : int
            Its first pixel, counted from the frame's first.
        overscan : numpy.ndarray or None
            (n,), ADU, to be subtracted first.

        Returns
        -------
        Corrected
        """
        part = slice(start, start + raw.size)
        product = calibrate(
            subtract_overscan(raw, overscan),
            None if self.bias is None else self.bias[part],
            None if self.dark is None else self.dark[part],
            self.dark_scale,
            None if self.flat is None else self.flat[part],
        )
        saturated = raw >= self.treatment.saturation
        bits = None
        if self.known is not None:
            bits = mask.of_frame(self.known[part], raw, saturated, product)
        return Corrected(product, bits, int(np.count_nonzero(saturated)))


def correction(job: CalibrateFrame, place: Workplace, raw: RawFrame) -> Correction:
    """Gather what a frame is corrected with.

    Parameters
    ----------
    job : CalibrateFrame
        The frame and its masters.
    place : Workplace
        Where the masters lie, and the treatment.
    raw : RawFrame
        The frame, opened.

    Returns
    -------
    Correction

    Raises
    ------
    MasterLostError
        A master's file is gone, or is not that master any more.
    """
    detector = job.frame.detector
    loaded = {
        master.kind: load_master(place.output, master, detector, raw) for master in job.masters
    }
    bias, dark, flat = (loaded.get(kind) for kind in (Kind.BIAS, Kind.DARK, Kind.FLAT))
    scale, treatment = job.recipe.dark_scale, place.treatment
    known = None
    if treatment.mask:
        readout = (raw.shapes, raw.corner, detector.window)
        key = (readout, _ids(job.masters), scale, treatment)
        known = _MASKS.get(
            key,
            lambda: mask.of_masters(raw.pixels, bias, dark, scale, flat, treatment.saturation),
        )
    return Correction(bias, dark, flat, scale, known, treatment)


def _ids(masters: Sequence[Master]) -> tuple[str, ...]:
    return tuple(master.id for master in masters)
