"""Sequences: the object frames that an observer takes of one target, one after another."""

from dataclasses import dataclass
from typing import Final, Self

from tapewatch.model.frames import Frame, State
from tapewatch.model.masters import Recipe

LONGEST_GAP: Final = 7200.0
"""Seconds from the end of one exposure to the start of the next that a sequence may have."""


@dataclass(frozen=True, slots=True)
class Chain:
    """By which masters and parameters a product was made.

    Parameters
    ----------
    bias, dark, flat : str
        IDs of the masters; empty where STEPS leaves the step out.
    parameters : str
        Hash of the parameters of tape.par that decide the pixels.
    """

    bias: str = ""
    dark: str = ""
    flat: str = ""
    parameters: str = ""

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Give what of a recipe the frames of a sequence share."""
        return cls(recipe.bias, recipe.dark, recipe.flat, recipe.parameters)

    @property
    def masters(self) -> tuple[str, ...]:
        """IDs of the masters that there are."""
        return tuple(one for one in (self.bias, self.dark, self.flat) if one)


@dataclass(frozen=True, slots=True)
class Tally:
    """Frames of a sequence that are alike in all that decides on their masters.

    Parameters
    ----------
    exptime : float
        Exposure time, seconds.
    chain : Chain or None
        How their products were made; None where they have none, or a provisional one.
    state : State
        Where they stand.
    gone : bool
        Their products cannot be made anew: the raw files are gone, and not there under another
        name either, or were given up.
    frames : int
        How many they are.
    coldest, warmest : float or None
        Sensor temperature, degrees C; None where no header tells it.
    """

    exptime: float
    chain: Chain | None
    state: State
    gone: bool
    frames: int
    coldest: float | None = None
    warmest: float | None = None


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """Frames of one target, filter and camera in a folder, without a gap above `LONGEST_GAP`.

    Parameters
    ----------
    folder : str
        Where they lie, relative to WATCHDIR.
    series : str
        Hash of target, filter and detector.
    first, last : float
        Start of the first and of the last exposure, seconds since 1970.
    ended : float
        End of the last exposure, seconds since 1970.
    example : Frame
        The last one.
    tallies : tuple of Tally
        Its frames, summed up.
    """

    folder: str
    series: str
    first: float
    last: float
    ended: float
    example: Frame
    tallies: tuple[Tally, ...]

    def holds(self, frame: Frame) -> bool:
        """Tell whether a frame, whose folder and series are these, is one of its frames."""
        return self.first <= frame.start <= self.last
