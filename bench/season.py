"""A season of small frames, in the order in which a camera writes them: for the soak.

Each night is a folder with bias, darks, flats in two filters and object frames of four targets.
Of three nights, one has its flats at dawn, when the last ones in these filters are too old: object
frames are calibrated provisionally. Another has all its calibration frames at dawn: object frames
are calibrated with the masters of the night before, and done anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from measuring import Exposure, fits_bytes, pixels_of

OF_A_NIGHT = 50
"""Frames."""

SIZES = {"NBIAS": 5, "NDARK": 5, "NFLAT": 4}
"""How many frames complete a set, as tape.par has it."""

# The same are used again after more than the 14 days for which a flat is good (MAXAGE).
_FILTERS = ("RV", "BI", "gr", "iz", "uy", "HO")
_TARGETS = (("HAT-P-12b", 60.0), ("TrES-3b", 30.0), ("Qatar-1b", 60.0), ("WASP-52b", 45.0))
_DAY = 8640  # numbers of exposures: each is 10 s
# Kind, and which of the night's two filters.
_CALIBRATION = [("bias", 0)] * 5 + [("dark", 0)] * 5
_FLATS = [("flat", band) for band in (0, 1) for _ in range(4)]
_OBJECTS = [("object", band) for band in (0, 1) for _ in range(16)]
_ORDERS = (
    [*_CALIBRATION, *_OBJECTS, *_FLATS],
    [*_CALIBRATION, *_FLATS, *_OBJECTS],
    [*_OBJECTS, *_CALIBRATION, *_FLATS],
)
_EXPTIMES = {"bias": 0.0, "dark": 60.0, "flat": 2.0}


@dataclass(frozen=True, slots=True)
class SeasonFrame:
    """A raw frame that a camera is about to write.

    Parameters
    ----------
    night : str
        Its folder.
    name : str
        Of its file.
    exposure : Exposure
        What it is.
    at_dawn : bool
        All that came before it had the time to be worked on.
    """

    night: str
    name: str
    exposure: Exposure
    at_dawn: bool

    @property
    def path(self) -> str:
        """As the log names it."""
        return f"{self.night}/{self.name}"

    def file(self, size: int) -> bytes:
        """Give what is in its file: an image of so many pixels a side, unlike any other."""
        noise = np.random.default_rng(self.exposure.number).standard_normal((size, size))
        return fits_bytes(self.exposure, pixels_of(self.exposure, size, noise.astype("f4")))


def season(frames: int) -> Iterator[SeasonFrame]:
    """Give so many frames; the last night may be cut short.

    Parameters
    ----------
    frames : int
        How many.

    Yields
    ------
    SeasonFrame
        In the order in which they are taken.
    """
    for count in range(frames):
        night, place = divmod(count, OF_A_NIGHT)
        order = _ORDERS[night % len(_ORDERS)]
        kind, band = order[place]
        objects = sum(one == "object" for one, _ in order[:place])
        target, exptime = _TARGETS[objects % 16 // 4]
        exposure = Exposure(
            kind,
            night * _DAY + place * 10,
            _EXPTIMES.get(kind, exptime),
            _FILTERS[night // len(_ORDERS) % len(_FILTERS)][band],
            target,
        )
        at_dawn = objects == len(_OBJECTS) and order[place - 1][0] == "object"
        name = f"{kind}-{place + 1:02}.fits"
        yield SeasonFrame(f"night-{night + 1:03}", name, exposure, at_dawn)
