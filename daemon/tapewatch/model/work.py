"""Jobs for the workers, what they report, and where and how they work."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tapewatch.model.frames import Content, Frame, Identity, Statistics
from tapewatch.model.masters import FlatDark, Master, Product, Recipe
from tapewatch.model.noise import MasterNoise

_SAME_EXPOSURE = 0.001


class Step(StrEnum):
    """One correction of an object frame (the key STEPS)."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class BuildMaster:
    """Job: combine a set into a master.

    Parameters
    ----------
    master : Master
        What shall come out (`built` False).
    frames : tuple of Frame
        The inputs in order of DATE-OBS, as ``master.inputs``.
    bias : Master or None
        To subtract first; None for a bias, and where STEPS leave the bias out.
    dark : Master or None
        To subtract from flats after the bias, times `dark_scales`.
    previous : Master or None
        The version that this one is to succeed, or the last night's, for comparison.
    flat_darks : tuple of FlatDark
        Flats without a dark and the dark they do without, of which this master is one.
    """

    master: Master
    frames: tuple[Frame, ...]
    bias: Master | None = None
    dark: Master | None = None
    previous: Master | None = None
    flat_darks: tuple[FlatDark, ...] = ()

    @property
    def dark_scales(self) -> tuple[float, ...]:
        """Factor of the dark for each frame: the master's, times its exposure over the last one's.

        Sky flats differ in exposure; within 0.1 % it counts as the same.
        """
        last = self.master.exptime
        ratios = (frame.exptime / last if last else 1.0 for frame in self.frames)
        same = (1.0 if abs(ratio - 1) <= _SAME_EXPOSURE else ratio for ratio in ratios)
        return tuple(self.master.dark_scale * ratio for ratio in same)


@dataclass(frozen=True, slots=True)
class CalibrateFrame:
    """Job: make the product of one object frame.

    Parameters
    ----------
    frame : Frame
        The raw frame.
    recipe : Recipe
        IDs of the masters, scale and flags.
    masters : tuple of Master
        Those masters.
    redo : bool
        A product is there already; the work can wait for newer frames.
    """

    frame: Frame
    recipe: Recipe
    masters: tuple[Master, ...] = ()
    redo: bool = False


@dataclass(frozen=True, slots=True)
class MeasureFrame:
    """Job: read the pixels of one frame once, for its hash and statistics.

    Parameters
    ----------
    frame : Frame
        The raw frame.
    """

    frame: Frame


Job = BuildMaster | CalibrateFrame | MeasureFrame


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says when a job is done; everything in it is on disk.

    Parameters
    ----------
    statistics : Statistics
        Of what was written, or of the raw frame where nothing was.
    content : Content or None
        Of the raw frame that was measured or calibrated.
    product : Product or None
        What was written for an object frame.
    inputs : tuple of Statistics
        Of each flat after bias and normalisation, as the notebook printed.
    identities : tuple of Identity
        Of the very files that were combined.
    noise : MasterNoise or None
        Of a master's frames.
    warnings : tuple of str
        What an observer should know of the quality of what was made, in words.
    advice : tuple of str
        What could be made better, where nothing is wrong.
    seconds : float
        Time that the worker took.
    ended : float
        When all was on disk, seconds since 1970.
    """

    statistics: Statistics
    content: Content | None = None
    product: Product | None = None
    inputs: tuple[Statistics, ...] = ()
    identities: tuple[Identity, ...] = ()
    noise: MasterNoise | None = None
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    seconds: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class BadPixels:
    """A file of bad pixels (BADPIX).

    Parameters
    ----------
    digest : str
        sha256 of the file: its content decides, wherever it lies.
    path : Path
        Absolute.
    """

    digest: str
    path: Path = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What tape.par says of the arithmetic: the same frames so treated give the same pixels.

    Parameters
    ----------
    saturation : float
        Saturation of raw pixels, ADU (SATU).
    combine : str
        How the frames of a set are combined: ``median`` or ``sigclip`` (COMBINE).
    clipsig : tuple of float
        Standard deviations below and above the median from which sigclip leaves a value out
        (CLIPSIG).
    overscan : bool
        Whether overscan is subtracted and trimmed (OVERSCAN).
    flatregion : str
        Pixels whose median normalises a flat: ``all``, ``centre`` or a section (FLATREGION).
    mask, uncert : bool
        Whether products have a mask, and an uncertainty (MASK, UNCERT).
    hotfix : str
        What hot and saturated pixels hold: ``none`` (what the arithmetic gives), ``nan`` or
        ``median`` (HOTFIX).
    badfill : str
        What pixels hold where the arithmetic gives no finite number: ``nan`` or ``median``
        (BADFILL).
    badpix : BadPixels or None
        Known by the observer (BADPIX).
    cosmic : bool
        Whether cosmic rays are looked for (COSMIC).
    egain : float or None
        Gain where the header has none, e-/ADU; None where nothing depends on it (EGAIN).
    """

    saturation: float = 65535.0
    combine: str = "median"
    clipsig: tuple[float, float] = (3.0, 3.0)
    mask: bool = True
    overscan: bool = False
    flatregion: str = "all"
    uncert: bool = False
    hotfix: str = "none"
    badfill: str = "nan"
    badpix: BadPixels | None = None
    cosmic: bool = False
    egain: float | None = None

    @property
    def needs_mask(self) -> bool:
        """Whether anything asks which pixels not to trust."""
        plain = (self.hotfix, self.badfill) == ("none", "nan")
        return self.mask or self.cosmic or not plain

    @property
    def of_masters(self) -> tuple[object, ...]:
        """What of it decides the pixels of masters, too; part of their IDs."""
        # Without those at their defaults, so that a key that is new leaves the IDs as they were.
        clipping = self.clipsig if self.combine == "sigclip" else None
        decisive = (
            ("COMBINE", (self.combine, clipping), ("median", None)),
            ("OVERSCAN", self.overscan, False),
            ("FLATREGION", self.flatregion, "all"),
        )
        return tuple((key, value) for key, value, default in decisive if value != default)


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where and how jobs work.

    Parameters
    ----------
    watchdir : Path
        Raw frames lie below it.
    output : Path
        Products and masters lie below it, in the same subfolders.
    treatment : Treatment
        Of the pixels.
    minfree : float
        Percent of the output disk that stays free (MINFREE).
    term : str
        Of the daemon that gives the jobs (`tapewatch.fitsfile.fence`); empty where none does.
    """

    watchdir: Path
    output: Path
    treatment: Treatment
    minfree: float
    term: str = ""
