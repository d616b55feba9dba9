"""What a master's or a product's header says of how it was made: cards and HISTORY, pure.

With the raw frames, the masters and tape.par these cards are all that it takes to make the file
again: so does ``tapewatch verify``.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tapewatch.headers.noise import noise_cards
from tapewatch.headers.values import Cards, Value, as_text, number
from tapewatch.model import (
    BuildMaster,
    Frame,
    Kind,
    Master,
    MasterNoise,
    Product,
    Recipe,
    Statistics,
)

INPUTS = "INPUTS"
"""EXTNAME of the table of a master's raw frames."""
RECORD = "RECORD"
"""EXTNAME of the table of what the state file holds of a master, so that a lost one can be told."""

Change = tuple[Value, str]

_CALIBRATED_FROM = "calibrated from "

# As FITS and TAPE's next step read it: UTC, to the second or finer.
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*)?", re.ASCII)


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
    job: BuildMaster, noise: MasterNoise, raw: Cards, recipe: str, version: str, now: str
) -> Provenance:
    """Describe a master; its header is that of its last frame, as in the notebook.

    Parameters
    ----------
    job : BuildMaster
        The master, its frames in order of DATE-OBS, and what was subtracted from them.
    noise : MasterNoise
        How they were combined, and what is known of their noise.
    raw : Cards
        Header of the last of the frames.
    recipe : str
        Hash of what tape.par says of masters.
    version : str
        Of tapewatch.
    now : str
        UTC, as ``2026-03-25T18:00:00``.

    Returns
    -------
    Provenance
        Cards and HISTORY; the frames' names stand in the table `inputs_of`.
    """
    master, bias, dark = job.master, job.bias, job.dark
    cards: dict[str, Change] = {
        "OBJECT": (master.stem, "master frame"),
        "EXPTIME": (master.exptime, "[s] exposure time"),
        "DATE-PRC": (now, "[UTC] time of processing"),
        "NCOMBINE": (len(job.frames), "number of frames combined"),
        "BUNIT": ("" if master.kind is Kind.FLAT else "adu", "unit of the pixels"),
        "TWVERS": (version, "tapewatch version"),
        "TWID": (master.id, "ID of this master"),
        "TWKIND": (str(master.kind), "kind of master"),
        "TWRECIPE": (recipe, "hash of the parameters used"),
    }
    if master.kind is Kind.FLAT:
        cards["FILTER"] = (master.filter, "filter")
    cards |= _time_of(job.frames[-1], raw)
    cards |= noise_cards(noise, master.kind)
    how = as_text(cards["TWCOMB"][0])
    history = [f"tapewatch {version}: {how} of {len(job.frames)} {master.kind} frames"]
    if bias is not None:
        cards["TWBIAS"] = (bias.id, "ID of the master bias subtracted")
        history.append(f"  each less {bias.path}")
    if dark is not None:
        cards["TWDARK"] = (dark.id, "ID of the master dark subtracted")
        cards["TWDSCALE"] = (master.dark_scale, "factor of the dark: ratio of exposures")
        scales = sorted(set(job.dark_scales))
        times = " to ".join(repr(scale) for scale in {scales[0]: 0, scales[-1]: 0})
        history.append(f"  each less {dark.path} x {times}")
    if master.kind is Kind.FLAT:
        history.append("  each divided by its own median")
    steps = "".join(letter for letter, one in (("B", bias), ("D", dark)) if one is not None)
    cards |= _status(raw, steps, "corrections done: Bias, Dark")
    history += [f"  {frame.name}" for frame in job.frames]
    return Provenance(cards, tuple(history))


def inputs_of(job: BuildMaster) -> Mapping[str, Sequence[str]]:
    """List the raw frames of a master, for its table `INPUTS`.

    Parameters
    ----------
    job : BuildMaster
        What is combined.

    Returns
    -------
    mapping of str to sequence of str
        Column NAME: path relative to the watched folder; column SHA256: of the stored pixels;
        both in the order of combination.
    """
    return {"NAME": [frame.path for frame in job.frames], "SHA256": job.master.inputs}


def rounded(statistics: Statistics) -> Statistics:
    """Round figures to seven digits, which every machine finds alike."""
    mean, std, largest, smallest = (
        float(f"{value:.7g}")
        for value in (statistics.mean, statistics.std, statistics.max, statistics.min)
    )
    return Statistics(mean, std, largest, smallest, statistics.saturated)


def statistics_cards(statistics: Statistics) -> dict[str, Change]:
    """Write figures of a master's pixels, as many cards where they are no numbers.

    Parameters
    ----------
    statistics : Statistics
        As `rounded` gives them.

    Returns
    -------
    dict of str to (value, str)
        NaN pixels left out, as the notebook printed them.
    """
    return {
        "TWMEAN": (statistics.mean, "mean of the pixels"),
        "TWSTD": (statistics.std, "standard deviation of the pixels"),
        "TWMAX": (statistics.max, "largest pixel"),
        "TWMIN": (statistics.min, "smallest pixel"),
    }


def statistics_of(header: Cards) -> Statistics:
    """Read what `statistics_cards` wrote; NaN where a figure was none."""
    said = (number(header.get(keyword)) for keyword in ("TWMEAN", "TWSTD", "TWMAX", "TWMIN"))
    mean, std, largest, smallest = (math.nan if value is None else value for value in said)
    return Statistics(mean, std, largest, smallest)


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
        "BUNIT": ("adu", "unit of the pixels"),
        "TWVERS": (version, "tapewatch version"),
        "TWID": (product.id, "ID of this product"),
        "TWRAW": (product.data_hash, ""),  # a sha256 leaves no room for words
        "TWRECIPE": (product.recipe.parameters, "hash of the parameters used"),
    }
    cards |= _standard(frame, raw)
    cards |= _status(raw, recipe.calstat, "corrections done: Bias, Dark, Flat")
    if recipe.flags:
        cards["TWFLAGS"] = (",".join(recipe.flags), "what to know of this calibration")
    history = [f"tapewatch {version}: {_CALIBRATED_FROM}{frame.name}"]
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


def recipe_of(header: Cards) -> Recipe:
    """Read how a product was made.

    Parameters
    ----------
    header : Cards
        As `of_product` has made it.

    Returns
    -------
    Recipe
        The very one.
    """
    flags = as_text(header.get("TWFLAGS"))
    return Recipe(
        bias=as_text(header.get("TWBIAS")),
        dark=as_text(header.get("TWDARK")),
        flat=as_text(header.get("TWFLAT")),
        dark_scale=_dark_scale(header),
        flags=tuple(flags.split(",")) if flags else (),
        parameters=as_text(header.get("TWRECIPE")),
    )


def _dark_scale(header: Cards) -> float:
    """Read what the dark was multiplied by; 1 where none was subtracted."""
    scale = number(header.get("TWDSCALE"))
    return 1.0 if scale is None else scale


def raw_name_of(header: Cards) -> str:
    """Read the name of the raw frame of which a product was made; empty where it is not told.

    Parameters
    ----------
    header : Cards
        As `of_product` has made it; a name that does not fit on its line may not be whole.
    """
    told = [line for line in header.lines("HISTORY") if _CALIBRATED_FROM in line]
    return told[-1].partition(_CALIBRATED_FROM)[2].strip() if told else ""


def _status(raw: Cards, steps: str, comment: str) -> dict[str, Change]:
    """Say which corrections were done, and keep what the camera's program said of that."""
    cards: dict[str, Change] = {}
    said = raw.get("CALSTAT")
    if steps or said is not None:
        cards["CALSTAT"] = (steps, comment)
    if said is not None:
        cards["TWCALRAW"] = (said, "CALSTAT of the raw frame")
    return cards


def _standard(frame: Frame, raw: Cards) -> dict[str, Change]:
    """Give the keywords that every program knows, where the raw header spells them otherwise."""
    cards = _time_of(frame, raw)
    if number(raw.get("EXPTIME")) is None or isinstance(raw.get("EXPTIME"), str):
        cards["EXPTIME"] = (frame.exptime, "[s] exposure time")
    if not as_text(raw.get("FILTER")):
        cards["FILTER"] = (frame.filter, "filter")
    if not as_text(raw.get("OBJECT")) and (frame.object or raw.get("OBJECT") is None):
        cards["OBJECT"] = (frame.object, "target")
    return cards


def _time_of(frame: Frame, raw: Cards) -> dict[str, Change]:
    """Give DATE-OBS in full where the raw header has none, or one that only its program reads.

    A day alone stays a day where no other keyword tells the time of day.
    """
    said = as_text(raw.get("DATE-OBS"))
    a_mere_day = frame.date_obs.startswith(f"{said}T00:00:00")
    if _ISO_MOMENT.fullmatch(said) or (said and a_mere_day):
        return {}
    was = f", raw: {said}" if said else ""
    return {"DATE-OBS": (frame.date_obs, f"[UTC] start of exposure{was}")}
