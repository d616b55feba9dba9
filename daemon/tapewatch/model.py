"""The words that every room of the house shares, as frozen dataclasses.

A *frame* is one raw file. A *calibration set* is the frames of one folder that make one *master*.
A *product* is what is written for a frame. Nothing here does anything: no I/O, no arithmetic.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a frame is."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"
    FLATDARK = "flatdark"
    OBJECT = "object"
    OTHER = "other"


class State(StrEnum):
    """How far a frame has come; all but `SEEN` and `SETTLING` carry a reason a person can read."""

    SEEN = "seen"  # its path is known, its content not yet
    SETTLING = "settling"  # still being written, for all we know
    WAITING = "waiting"  # for the rest of its set, or for masters
    PROVISIONAL = "provisional"  # calibrated as far as it can be for now
    DONE = "done"  # its product, or its master, is on disk
    STALE = "stale"  # done, but better masters have come
    REJECTED = "rejected"  # cannot be used; the reason says why
    STALLED = "stalled"  # incomplete for too long
    FAILED = "failed"  # tried and given up
    VANISHED = "vanished"  # gone before it was done


UNDECIDED = (State.SEEN, State.SETTLING, State.WAITING, State.STALE)
"""States of frames for which something is still to be done."""


class Step(StrEnum):
    """One correction of an object frame (the key STEPS)."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """What the file system says of a file; a change means: look at it again.

    Parameters
    ----------
    device, inode : int
        Where the file lives.
    size : int
        Bytes.
    mtime_ns, ctime_ns : int
        Times of the last change of content and of inode, nanoseconds since 1970.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Detector:
    """How the camera was read out: what a frame and its masters must agree on.

    Parameters
    ----------
    camera : str
        INSTRUME, or empty.
    shape : tuple of int
        (ny, nx), pixels.
    binning : tuple of int
        (x, y).
    window : tuple of int
        First pixel (x, y) of the read-out window, binned pixels; (0, 0) for the whole frame.
    settings : tuple of (str, str)
        Keyword and value of further settings (gain, offset, read-out mode, orientation), sorted.
        Two frames disagree only where both give a value.
    """

    camera: str
    shape: tuple[int, int]
    binning: tuple[int, int]
    window: tuple[int, int] = (0, 0)
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One raw frame, as its header describes it.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR, with ``/``; it names the frame everywhere.
    kind : Kind
        What it is.
    detector : Detector
        How it was read out.
    exptime : float
        Exposure time, seconds.
    filter : str
        Name as in the header, stripped; ``none`` where there is none. Means nothing for a bias
        or dark.
    date_obs : str
        Start of the exposure, ISO 8601 UTC, as text that sorts in time.
    start : float
        The same, seconds since 1970.
    object : str
        OBJECT, or empty.
    temperature : float or None
        Sensor temperature, degrees C: the reading where it is plausible, else the set-point.
    """

    path: str
    kind: Kind
    detector: Detector
    exptime: float
    filter: str
    date_obs: str
    start: float
    object: str = ""
    temperature: float | None = None

    @property
    def folder(self) -> str:
        """Folder of the frame relative to WATCHDIR; empty for WATCHDIR itself."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """File name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the notebook printed for each frame, and how much of it is saturated.

    Parameters
    ----------
    mean, std, max, min : float
        Over all pixels, ADU (or relative to 1 for a flat); NaN pixels are left out.
    saturated : int
        Pixels at or above SATU.
    """

    mean: float
    std: float
    max: float
    min: float
    saturated: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What a frame's pixels are, found by reading them once.

    Parameters
    ----------
    identity : Identity
        Of the very file that was read.
    data_hash : str
        sha256 of the stored pixels, hexadecimal: the frame's true identity.
    header_hash : str
        sha256 of the header; a plate solver changes this one alone.
    statistics : Statistics or None
        Of the raw pixels; None for an object frame, whose product's are told.
    """

    identity: Identity
    data_hash: str
    header_hash: str
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True)
class CalibrationFrame:
    """A bias, dark or flat that may enter a set.

    Parameters
    ----------
    frame : Frame
        Its header.
    data_hash : str or None
        sha256 of its pixels; None until they have been read.
    arrived : float
        When the file was last changed or moved here, seconds since 1970.
    """

    frame: Frame
    data_hash: str | None
    arrived: float


@dataclass(frozen=True, slots=True)
class Master:
    """A combined calibration frame, on disk or (`built` False) about to be.

    Parameters
    ----------
    id : str
        Hash of its ordered inputs and its recipe, 16 hexadecimal digits.
    kind : Kind
        Bias, dark, flat or flat-dark.
    folder : str
        Where its raw frames lie, relative to WATCHDIR.
    stem : str
        Name without suffix, as in ``wdark180s``.
    set_id : str
        The set it was made of.
    detector : Detector
        How its frames were read out.
    exptime : float
        Exposure time of its last frame, seconds (the notebook's choice).
    filter : str
        Of a flat.
    temperature : float or None
        Of its first frame, degrees C.
    start : float
        Middle of the exposures' starts, seconds since 1970.
    inputs : tuple of str
        Data hashes of the frames, in order of DATE-OBS.
    bias_id : str
        The master bias that was subtracted; empty for a bias.
    built : bool
        Whether its file is on disk.
    """

    id: str
    kind: Kind
    folder: str
    stem: str
    set_id: str
    detector: Detector
    exptime: float
    filter: str
    temperature: float | None
    start: float
    inputs: tuple[str, ...]
    bias_id: str = ""
    built: bool = True

    @property
    def path(self) -> str:
        """File of this version, relative to the output folder."""
        return f"{self.folder}/{self.file}" if self.folder else self.file

    @property
    def file(self) -> str:
        """File of this version, relative to the folder of its frames."""
        return f"masters/{self.stem}-{self.id}.fits"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which masters make an object frame's product, and how.

    Parameters
    ----------
    bias, dark, flat : str
        IDs of the masters; empty where STEPS leaves the step out.
    dark_scale : float
        Exposure time of the frame over that of the dark.
    flags : tuple of str
        What a user should know: SCALED, SCALEDUP, AGED ...
    parameters : str
        Hash of the parameters of tape.par that decide the pixels.
    """

    bias: str = ""
    dark: str = ""
    flat: str = ""
    dark_scale: float = 1.0
    flags: tuple[str, ...] = ()
    parameters: str = ""

    @property
    def calstat(self) -> str:
        """Steps done, as in the CALSTAT card: ``BDF``."""
        steps = (("B", self.bias), ("D", self.dark), ("F", self.flat))
        return "".join(letter for letter, master in steps if master)


@dataclass(frozen=True, slots=True)
class Product:
    """A calibrated frame on disk.

    Parameters
    ----------
    id : str
        Hash of raw pixels, header and recipe, 16 hexadecimal digits.
    path : str
        Relative to the output folder.
    data_hash, header_hash : str
        Of the raw frame it was made from.
    recipe : Recipe
        How it was made.
    """

    id: str
    path: str
    data_hash: str
    header_hash: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class ObjectFrame:
    """An object frame that may want calibrating.

    Parameters
    ----------
    frame : Frame
        Its header.
    content : tuple of str or None
        (data hash, header hash) where the pixels have been read.
    product : Product or None
        What is on disk for it.
    """

    frame: Frame
    content: tuple[str, str] | None = None
    product: Product | None = None


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
        To subtract first; None for a bias.
    """

    master: Master
    frames: tuple[Frame, ...]
    bias: Master | None = None


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
    seconds: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where jobs read and write.

    Parameters
    ----------
    watchdir : Path
        Raw frames lie below it.
    output : Path
        Products and masters lie below it, in the same subfolders.
    saturation : float
        Saturation of raw pixels, ADU (SATU).
    minfree : float
        Percent of the output disk that stays free (MINFREE).
    """

    watchdir: Path
    output: Path
    saturation: float
    minfree: float
