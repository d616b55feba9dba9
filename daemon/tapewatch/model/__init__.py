"""The words that every room of the house shares, as frozen dataclasses.

A *frame* is one raw file. A *calibration set* is the frames of one folder that make one *master*.
A *product* is what is written for a frame. Nothing here does anything: no I/O, no arithmetic.
"""

from tapewatch.model.frames import (
    UNDECIDED,
    CalibrationFrame,
    Content,
    Detector,
    Frame,
    Identity,
    Kind,
    Profile,
    Span,
    State,
    Statistics,
)
from tapewatch.model.masters import (
    PROVISIONAL,
    Difference,
    FlatDark,
    Master,
    ObjectFrame,
    Product,
    Recipe,
)
from tapewatch.model.noise import MasterNoise
from tapewatch.model.pixels import MEANING_OF_BITS, Bit
from tapewatch.model.sequences import LONGEST_GAP, Chain, FrameSequence, Tally
from tapewatch.model.work import (
    BadPixels,
    BuildMaster,
    CalibrateFrame,
    Job,
    MeasureFrame,
    Report,
    Step,
    Treatment,
    Workplace,
)

__all__ = [
    "LONGEST_GAP",
    "MEANING_OF_BITS",
    "PROVISIONAL",
    "UNDECIDED",
    "BadPixels",
    "Bit",
    "BuildMaster",
    "CalibrateFrame",
    "CalibrationFrame",
    "Chain",
    "Content",
    "Detector",
    "Difference",
    "FlatDark",
    "Frame",
    "FrameSequence",
    "Identity",
    "Job",
    "Kind",
    "Master",
    "MasterNoise",
    "MeasureFrame",
    "ObjectFrame",
    "Product",
    "Profile",
    "Recipe",
    "Report",
    "Span",
    "State",
    "Statistics",
    "Step",
    "Tally",
    "Treatment",
    "Workplace",
]
