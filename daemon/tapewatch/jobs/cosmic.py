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
    image: NDArray[np.float32], mask: Mask, noise: Noise, saturation: float
) -> None:
    """Set the bit COSMIC in a mask.

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
    """
    known = mask != 0
    good = image[~known]
    if not good.size:
        return
    # Imported here: only what asks for it pays the third of a second.
    detect = import_module("astroscrappy").detect_cosmics
    filled = np.where(known, np.float32(np.median(good)), image)
    struck, _ = detect(
        filled,
        inmask=known,
        gain=noise.gain,
        readnoise=noise.readnoise * noise.gain,
        satlevel=saturation * noise.gain,
    )
    mask[struck & ~known] |= Bit.COSMIC.value
