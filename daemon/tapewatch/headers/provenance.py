"""What a master's or a product's header says of how it was made: cards and HISTORY, pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tapewatch.headers.values import Cards, Value
from tapewatch.model import Frame, Kind, Master, Product

Change = tuple[Value, str]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Changes to a raw header that make it a product's.

    Parameters
    ----------
    cards : dict of str to (value, str)
        Keyword -> value and comment, replacing or appended.
    history : tuple of str
        HISTORY lines to append, one per step.
    """

    cards: dict[str, Change]
    history: tuple[str, ...]


def of_master(
    master: Master, frames: Sequence[Frame], bias: Master | None, version: str, now: str
) -> Provenance:
    """Describe a master; its header is that of its last frame, as in the notebook.

    Parameters
    ----------
    master : Master
        What was combined.
    frames : sequence of Frame
        Its inputs, in order of DATE-OBS.
    bias : Master or None
        What was subtracted first.
    version : str
        Of tapewatch.
    now : str
        UTC, as ``2026-03-25T18:00:00``.

    Returns
    -------
    Provenance
        Cards and HISTORY.
    """
    unit = "" if master.kind is Kind.FLAT else "adu"
    cards: dict[str, Change] = {
        "OBJECT": (master.stem, "master frame"),
        "EXPTIME": (master.exptime, "[s] exposure time"),
        "DATE-PRC": (now, "[UTC] time of processing"),
        "NCOMBINE": (len(frames), "number of frames combined"),
        "BUNIT": (unit, "unit of the pixels"),
        "TWVERS": (version, "tapewatch version"),
        "TWID": (master.id, "ID of this master"),
    }
    if master.kind is Kind.FLAT:
        cards["FILTER"] = (master.filter, "filter")
    history = [f"tapewatch {version}: median of {len(frames)} {master.kind} frames"]
    if bias is not None:
        cards["CALSTAT"] = ("B", "corrections done: Bias")
        cards["TWBIAS"] = (bias.id, "ID of the master bias subtracted")
        history.append(f"  each less {bias.path}")
    if master.kind is Kind.FLAT:
        history.append("  each divided by its own median")
    history += [f"  {frame.name}" for frame in frames]
    return Provenance(cards, tuple(history))


def of_product(
    frame: Frame, raw: Cards, masters: Sequence[Master], product: Product, version: str, now: str
) -> Provenance:
    """Describe a calibrated frame.

    Parameters
    ----------
    frame : Frame
        The raw frame.
    raw : Cards
        Its header.
    masters : sequence of Master
        Those of the product's recipe.
    product : Product
        ID, hash of the raw pixels and recipe.
    version : str
        Of tapewatch.
    now : str
        UTC, as ``2026-03-25T18:00:00``.

    Returns
    -------
    Provenance
        Cards and HISTORY.
    """
    recipe = product.recipe
    cards: dict[str, Change] = {
        "DATE-PRC": (now, "[UTC] time of processing"),
        "CALSTAT": (recipe.calstat, "corrections done: Bias, Dark, Flat"),
        "BUNIT": ("adu", "unit of the pixels"),
        "TWVERS": (version, "tapewatch version"),
        "TWID": (product.id, "ID of this product"),
        "TWRAW": (product.data_hash, "sha256 of raw data"),
        "TWRECIPE": (product.recipe.parameters, "hash of the parameters used"),
    }
    standard: dict[str, Change] = {
        "DATE-OBS": (frame.date_obs, "[UTC] start of exposure"),
        "EXPTIME": (frame.exptime, "[s] exposure time"),
        "FILTER": (frame.filter, "filter"),
        "OBJECT": (frame.object, "target"),
    }
    cards |= {keyword: change for keyword, change in standard.items() if raw.get(keyword) is None}
    if (camera_status := raw.get("CALSTAT")) is not None:
        cards["TWCALRAW"] = (camera_status, "CALSTAT of the raw frame")
    if recipe.flags:
        cards["TWFLAGS"] = (",".join(recipe.flags), "what to know of this calibration")
    history = [f"tapewatch {version}: calibrated from {frame.name}"]
    by_kind = {master.kind: master for master in masters}
    if bias := by_kind.get(Kind.BIAS):
        cards["TWBIAS"] = (bias.id, "ID of the master bias")
        history.append(f"  less {bias.path}")
    if dark := by_kind.get(Kind.DARK):
        cards["TWDARK"] = (dark.id, "ID of the master dark")
        cards["TWDSCALE"] = (recipe.dark_scale, "factor of the dark: ratio of exposures")
        history.append(f"  less {dark.path} x {recipe.dark_scale!r}")
    if flat := by_kind.get(Kind.FLAT):
        cards["TWFLAT"] = (flat.id, "ID of the master flat")
        history.append(f"  divided by {flat.path}")
    return Provenance(cards, tuple(history))
