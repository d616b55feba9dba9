"""Cosmic rays, found by astroscrappy: the one thing for which a frame is held whole.

L.A.Cosmic (P. G. van Dokkum, "Cosmic-ray rejection by Laplacian edge detection", PASP 113, 2001,
1420) looks at edges in the image and at its noise; it needs all neighbours several times over.
"""

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from tapewatch.model import Bit
from tapewatch.science.mask import Mask
from tapewatch.science.variance import Noise


def add_cosmic_rays(
    image: NDArray[np.float32],
    mask: Mask,
    noise: Noise,
    saturation: float,
    flat: NDArray[np.float32] | None,
) -> None:
    """Set the bit COSMIC in a mask.

    The search is made in the image before its division by the flat, whose noise follows from gain
    and read noise: in the vignetted corners of a divided one noise itself looks like cosmic rays.

    Parameters
    ----------
    image : numpy.ndarray
        (ny, nx) float32, ADU: a calibrated image.
    mask : numpy.ndarray
        (ny, nx) uint8: pixels with any bit are left out of the search.
    noise : Noise
        Gain and read noise.
    saturation : float
        Saturation of raw pixels, ADU.
    flat : numpy.ndarray or None
        (ny, nx) float32: what the image was divided by.
    """
    known = mask != 0
    level = image if flat is None else image * np.where(known, np.float32(1), flat)
    good = level[~known]
    if not good.size:
        return
    # Imported here: only what asks for it pays the third of a second.
    detect = import_module("astroscrappy").detect_cosmics
    filled = np.where(known, np.float32(np.median(good)), level)
    struck, _ = detect(
        filled,
        inmask=known,
        gain=noise.gain,
        readnoise=noise.readnoise * noise.gain,
        satlevel=saturation * noise.gain,
    )
    mask[struck & ~known] |= Bit.COSMIC.value
