"""Where a header contradicts itself, or a name contradicts it: to be told, not guessed. Pure."""

import re

from tapewatch.headers import dialects
from tapewatch.headers.typerules import flat_rule
from tapewatch.headers.values import Cards, as_text, number
from tapewatch.model import Frame, Kind

_LONGEST_BIAS = 1.0  # seconds; cameras that cannot expose for 0 s take their shortest exposure

# How a flat is called, in a name or as a folder. What begins as flat and is none: flatten.
_FLAT = r"(?<![a-z])(auto|dome|sky|twi|twilight|panel)?[ ._-]?flat(?!iron|head|ten|land)"


def exposed_bias(frame: Frame, header: Cards) -> str:
    """Tell whether a bias was exposed.

    Parameters
    ----------
    frame : Frame
        As classified.
    header : Cards
        Of the frame.

    Returns
    -------
    str
        Keyword, value and what was expected; empty where it was not, or is no bias.
    """
    if frame.kind is not Kind.BIAS:
        return ""
    for keyword in dialects.EXPOSURE_KEYWORDS:
        seconds = number(header.get(keyword))
        if seconds is not None:
            if seconds <= _LONGEST_BIAS:
                return ""
            return (
                f"a bias whose {keyword} is {as_text(header.get(keyword))} s, expected 0"
                f" ({_LONGEST_BIAS:g} at most): is it a dark?"
            )
    return ""


def flat_by_name(frame: Frame) -> str:
    """Tell whether a frame is called a flat, and is something else by its header.

    Lights are judged by their folder, too; biases and darks may well lie among the flats that they
    are for.

    Parameters
    ----------
    frame : Frame
        As classified.

    Returns
    -------
    str
        The line of tape.par that makes it a flat; empty where there is no contradiction.
    """
    text = {Kind.OBJECT: frame.path, Kind.BIAS: frame.name, Kind.DARK: frame.name}
    name = text.get(frame.kind, "").lower()
    if not re.search(_FLAT, name) or (frame.kind is not Kind.OBJECT and str(frame.kind) in name):
        return ""
    return flat_rule(frame.path)


def light_or_flat(frame: Frame, figures: str) -> str:
    """Say of an object frame that it looks like a flat, and what to do if it is one.

    Parameters
    ----------
    frame : Frame
        As classified.
    figures : str
        What it looks like.

    Returns
    -------
    str
        With the line of tape.par that makes it a flat, where nothing speaks against its being one:
        it has no OBJECT, or its name or folder says so.
    """
    told = f"by its header a light (object), and it looks like a flat: {figures}"
    if frame.object and not flat_by_name(frame):
        return told
    return f"{told}; if it is one, tape.par has to say so: {flat_rule(frame.path)}"
