"""Masters, and the products that are made with them."""

from dataclasses import dataclass
from typing import Final

from tapewatch.model.frames import Detector, Frame, Kind

PROVISIONAL: Final = "PROVISIONAL"
"""Flag of a product that was made without a needed master."""


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
        The master bias that was subtracted; empty for a bias, and where there was none.
    dark_id : str
        The master dark that was subtracted from flats; empty where there was none.
    dark_scale : float
        Exposure time of the flats over that of the dark.
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
    dark_id: str = ""
    dark_scale: float = 1.0
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
class Difference:
    """How a master differs from the one before it, in the unit of their pixels.

    Parameters
    ----------
    sigma : float
        Robust standard deviation of the difference.
    shift : float
        Median of the difference.
    bend : float
        The largest of it in a part of the frame, beyond `shift`.
    off : float
        Fraction of the pixels off by more than 6 sigma, the shift apart.
    noise_before, noise : float
        Scatter of the pixels of each.
    """

    sigma: float
    shift: float
    bend: float
    off: float
    noise_before: float
    noise: float


@dataclass(frozen=True, slots=True)
class FlatDark:
    """A flat that had no dark subtracted, and the dark that FLATDARK 1 would subtract.

    Parameters
    ----------
    flat, dark : Master
        One of them is being built, the other may be.
    share : float
        Dark current of the flat relative to its level, for an ADU of the dark:
        ``(t_flat / t_dark) / level``, per ADU.
    """

    flat: Master
    dark: Master
    share: float


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

    @property
    def provisional(self) -> bool:
        """Whether steps are left out for want of masters."""
        return PROVISIONAL in self.flags


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
