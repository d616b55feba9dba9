"""The bits of a mask that are known before a frame is read: by its masters and by the observer.

They are the same for every frame of one recipe, and are kept in the worker beside the masters.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tapewatch.fitsfile.read import RawFrame
from tapewatch.jobs.badpixels import UnfitError, bad_pixels
from tapewatch.jobs.masters import master_noise
from tapewatch.jobs.memory import Memory
from tapewatch.model import Bit, CalibrateFrame, Kind, Workplace
from tapewatch.science import mask

Single = NDArray[np.float32]

# One byte a pixel, for as many nights' masters as a worker keeps (workplace.py).
_MASKS: Final[Memory[np.uint8]] = Memory(1 << 26)


def known_bits(
    job: CalibrateFrame, place: Workplace, loaded: Mapping[Kind, Single], raw: RawFrame
) -> tuple[mask.Mask, tuple[str, ...]]:
    """Give what is known of a frame's pixels beforehand.

    Parameters
    ----------
    job : CalibrateFrame
        The frame and its masters.
    place : Workplace
        Where the masters lie; SATU and BADPIX.
    loaded : mapping of Kind to numpy.ndarray
        Pixels of the masters, (ny * nx,) float32.
    raw : RawFrame
        The frame, open.

    Returns
    -------
    numpy.ndarray
        (ny * nx,) uint8, read-only.
    tuple of str
        Warnings: why BADPIX could not be used.
    """
    treatment, detector = place.treatment, job.frame.detector
    key = (job.masters, detector, raw.shapes, raw.corner, job.recipe.dark_scale, treatment)

    def of_masters() -> mask.Mask:
        return _of_masters(job, place, loaded, raw.pixels)

    def with_bad_pixels() -> mask.Mask:
        bits = of_masters()
        if treatment.badpix is not None:
            mask.add_bit(bits, Bit.BADPIX, bad_pixels(treatment.badpix, detector, raw))
        return bits

    try:
        return _MASKS.get(key, with_bad_pixels), ()
    except UnfitError as error:
        return _MASKS.get((key, "masters alone"), of_masters), (f"{job.frame.path}: {error}",)


def _of_masters(
    job: CalibrateFrame, place: Workplace, loaded: Mapping[Kind, Single], pixels: int
) -> mask.Mask:
    bias, dark, flat = (loaded.get(kind) for kind in (Kind.BIAS, Kind.DARK, Kind.FLAT))
    bits = mask.of_masters(
        pixels, bias, dark, job.recipe.dark_scale, flat, place.treatment.saturation
    )
    masters = {master.kind: master for master in job.masters}
    if dark is None or flat is None or not masters[Kind.DARK].bias_id or masters[Kind.FLAT].dark_id:
        return bits  # no dark current to be told, or none left in the flat
    level = master_noise(place.output, masters[Kind.FLAT]).level
    dark_time, flat_time = masters[Kind.DARK].exptime, masters[Kind.FLAT].exptime
    if level is not None and dark_time > 0:
        ratio = flat_time / dark_time
        mask.add_bit(bits, Bit.FLATDARK, mask.dark_in_flat(flat, dark, ratio, level))
    return bits
