"""A raw frame: what it is, how far it has come, what its header and its pixels say."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a frame is; calibration kinds come after those that they are made with."""

    BIAS = "bias"
    DARK = "dark"
    FLATDARK = "flatdark"
    FLAT = "flat"
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
        (ny, nx), pixels; of a mosaic, of its first image.
    binning : tuple of int
        (x, y).
    window : tuple of int
        First pixel (x, y) of the read-out window, binned pixels; (0, 0) for the whole frame.
    settings : tuple of (str, str)
        Keyword and value of further settings (gain, offset, read-out mode, orientation), sorted.
        Two frames disagree only where both give a value.
    further : tuple of (int, int)
        (ny, nx) of the further images of a mosaic, pixels.
    """

    camera: str
    shape: tuple[int, int]
    binning: tuple[int, int]
    window: tuple[int, int] = (0, 0)
    settings: tuple[tuple[str, str], ...] = ()
    further: tuple[tuple[int, int], ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(ny, nx) of each image, pixels; one but for a mosaic."""
        return (self.shape, *self.further)


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
    gain : float or None
        Of the camera, e-/ADU, where the header tells it.
    readnoise : float or None
        Of the camera, e-, where the header tells it.
    pixels : str
        Type of its physical values, as numpy calls it: ``uint16``; empty where that is not known.
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
    gain: float | None = None
    readnoise: float | None = None
    pixels: str = ""

    @property
    def folder(self) -> str:
        """Folder of the frame relative to WATCHDIR; empty for WATCHDIR itself."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """File name."""
        return self.path.rpartition("/")[2]

    @property
    def series(self) -> str:
        """Hash of target, filter and detector: object frames of one sequence have the same."""
        alike = (self.object, self.filter, self.detector)
        return hashlib.sha256(repr(alike).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Span:
    """When the frames of a folder were taken, and how warm the sensor was.

    Parameters
    ----------
    first, last : float
        When the first and the last exposure began, seconds since 1970.
    coldest, warmest : float or None
        Degrees C; None where no frame tells.
    all_tell : bool
        Every frame has a temperature.
    """

    first: float
    last: float
    coldest: float | None = None
    warmest: float | None = None
    all_tell: bool = False


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
class Profile:
    """What a frame looks like, by robust figures of a sub-sample of its pixels.

    Parameters
    ----------
    level : float
        Median, ADU (or relative to 1 for a master flat), as `scatter` and `structure`; NaN where no
        pixel is finite.
    scatter : float
        1.4826 times the median deviation from the median of a pixel's surroundings: the standard
        deviation of normal noise, without gradients, stars and hot pixels.
    structure : tuple of float
        Medians of 8 x 8 cells less `level`, row by row; empty where no pixel is finite.
    bright : float
        Fraction of pixels far above their surroundings: stars, cosmic rays, hot pixels.
    constant : float
        Fraction of rows in which all pixels are the same: 1 for a frame without an image.
    invalid : float
        Fraction of pixels that are no finite number.
    saturated : float
        Fraction of pixels at or above SATU, of the whole frame.
    """

    level: float
    scatter: float
    structure: tuple[float, ...]
    bright: float = 0.0
    constant: float = 0.0
    invalid: float = 0.0
    saturated: float = 0.0


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
    profile : Profile or None
        Of the raw pixels of a calibration frame, by which it is compared with its set.
    """

    identity: Identity
    data_hash: str
    header_hash: str
    statistics: Statistics | None = None
    profile: Profile | None = None


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
    profile : Profile or None
        What it looks like; None until its pixels have been read.
    """

    frame: Frame
    data_hash: str | None
    arrived: float
    profile: Profile | None = None
