"""What is known of the noise of a master's frames."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MasterNoise:
    """The noise of the frames that made a master, measured when it was made.

    Parameters
    ----------
    frames : int
        How many they are.
    is_median : bool
        Whether the master is their median; else a mean.
    noise : float or None
        Noise of one frame, ADU, from differences of pairs: of biases the read noise; of flats that
        at their own level. None where it cannot be told.
    level : float or None
        Of flats: the level that is 1 in the master, ADU.
    gain : float or None
        Of flats: gain by their noise, e-/ADU.
    """

    frames: int
    is_median: bool = True
    noise: float | None = None
    level: float | None = None
    gain: float | None = None
