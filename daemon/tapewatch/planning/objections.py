"""Why a master does not suit a frame: the field that tells them apart, with both values."""

from dataclasses import replace
from math import inf

from tapewatch.model import Detector, Frame, Kind, Master, Step
from tapewatch.parameters import Parameters
from tapewatch.planning.cuts import cut_of

SAME_EXPOSURE = 0.001
"""Part of an exposure time by which two may differ and yet be the same."""

DAY = 86400.0
"""Seconds."""


def objection(master: Master, frame: Frame, parameters: Parameters) -> str:
    """Say why a master does not suit a frame.

    Parameters
    ----------
    master : Master
        Of any kind.
    frame : Frame
        The frame.
    parameters : Parameters
        STEPS, TEMPTOL, MAXAGE and DARKSCALE.

    Returns
    -------
    str
        The first field in which they differ, with both values; empty where it suits.
    """
    return (
        readout_objection(master.detector, frame.detector)
        or _kind_objection(master, frame, parameters)
        or _bias_objection(master, parameters)
        or _age_objection(master, frame, parameters)
    )


def detector_objection(master: Detector, frame: Detector) -> str:
    """Say in which setting of the read-out two detectors differ.

    Parameters
    ----------
    master, frame : Detector
        Settings count only where both name them.

    Returns
    -------
    str
        As ``binning 2x2, frame 1x1``; empty where they agree.
    """
    fields = (
        ("camera", master.camera, frame.camera),
        ("binning", _by(master.binning), _by(frame.binning)),
        ("size", _sizes(master), _sizes(frame)),
        ("window at", _by(master.window), _by(frame.window)),
    )
    for name, theirs, ours in fields:
        if theirs != ours:
            return f"{name} {theirs or 'unknown'}, frame {ours or 'unknown'}"
    settings = dict(frame.settings)
    for keyword, value in master.settings:
        if settings.get(keyword, value) != value:
            return f"{keyword} {value}, frame {settings[keyword]}"
    return ""


def readout_objection(master: Detector, frame: Detector) -> str:
    """Say why a master's pixels, or a cut of them, are not those of a frame.

    Parameters
    ----------
    master, frame : Detector
        As for `detector_objection`.

    Returns
    -------
    str
        Empty where the master suits as it is, or a part of it does.
    """
    if master == frame:  # as nearly all are, and it is asked of all masters for all frames
        return ""
    if cut_of(master, frame) is not None:
        master = replace(master, shape=frame.shape, window=frame.window)
    return detector_objection(master, frame)


def exposure_objection(kind: Kind, exptime: float, frame: Frame, parameters: Parameters) -> str:
    """Say why a dark of an exposure time may not be scaled to that of a frame.

    Parameters
    ----------
    kind : Kind
        Dark or flat-dark.
    exptime : float
        Of the dark, seconds.
    frame : Frame
        The frame.
    parameters : Parameters
        STEPS and DARKSCALE.

    Returns
    -------
    str
        Empty where it may.
    """
    tolerance = SAME_EXPOSURE * exptime
    longer = frame.exptime - exptime
    if abs(longer) <= tolerance or not (
        darks_must_match(kind, parameters) or (parameters.darkscale == "down" and longer > 0)
    ):
        return ""
    rule = f"DARKSCALE {parameters.darkscale}"
    if keeps_bias(parameters):
        rule = "darks keep their bias, for STEPS has none, and are not scaled"
    elif kind is Kind.FLATDARK:
        rule = "flat-darks are not scaled"
    return f"exposure {exptime:g} s, frame {frame.exptime:g} s ({rule})"


def darks_must_match(kind: Kind, parameters: Parameters) -> bool:
    """Tell whether a dark of this kind serves frames of its own exposure time alone.

    Parameters
    ----------
    kind : Kind
        Dark or flat-dark.
    parameters : Parameters
        STEPS and DARKSCALE.

    Returns
    -------
    bool
        Flat-darks always; darks that keep their bias, for that part does not grow with time.
    """
    return kind is Kind.FLATDARK or keeps_bias(parameters) or parameters.darkscale == "never"


def keeps_bias(parameters: Parameters) -> bool:
    """Tell whether frames and masters keep their bias.

    Parameters
    ----------
    parameters : Parameters
        STEPS.

    Returns
    -------
    bool
        STEPS leaves the bias out.
    """
    return Step.BIAS not in parameters.steps


def too_warm(master: Master, frame: Frame, parameters: Parameters) -> bool:
    """Tell whether the sensor was warmer or colder than TEMPTOL allows.

    Parameters
    ----------
    master : Master
        Any.
    frame : Frame
        The frame.
    parameters : Parameters
        TEMPTOL.

    Returns
    -------
    bool
        False where one of them has no temperature.
    """
    if master.temperature is None or frame.temperature is None:
        return False
    return abs(master.temperature - frame.temperature) > parameters.temptol


def age_limit(kind: Kind, parameters: Parameters) -> float:
    """Give by how much a master of another folder may be older or younger than a frame.

    Parameters
    ----------
    kind : Kind
        Of the master.
    parameters : Parameters
        MAXAGE.

    Returns
    -------
    float
        Seconds; infinite where any will do.
    """
    bias, dark, flat = parameters.maxage
    limits = {Kind.BIAS: bias, Kind.DARK: dark, Kind.FLATDARK: dark, Kind.FLAT: flat}
    return limits[kind] * DAY or inf


def _kind_objection(master: Master, frame: Frame, parameters: Parameters) -> str:
    if master.kind is Kind.FLAT and master.filter != frame.filter:
        return f"filter {master.filter}, frame {frame.filter}"
    if master.kind not in {Kind.DARK, Kind.FLATDARK}:
        return ""
    if too_warm(master, frame, parameters):
        return (
            f"temperature {master.temperature:.1f}, frame {frame.temperature:.1f}"
            f" (TEMPTOL {parameters.temptol:g})"
        )
    return exposure_objection(master.kind, master.exptime, frame, parameters)


def _bias_objection(master: Master, parameters: Parameters) -> str:
    """Reason why a master was made for other STEPS; they may have changed since."""
    if master.kind is Kind.BIAS or bool(master.bias_id) != keeps_bias(parameters):
        return ""
    made = "with a bias, which STEPS leaves out" if master.bias_id else "without a bias"
    return f"made {made}"


def _age_objection(master: Master, frame: Frame, parameters: Parameters) -> str:
    limit = age_limit(master.kind, parameters)
    age = abs(master.start - frame.start)
    if master.folder == frame.folder or age <= limit:
        return ""
    return f"{age / DAY:.0f} days away, in another folder (MAXAGE {limit / DAY:g})"


def _sizes(detector: Detector) -> str:
    """Sizes of the images, as ``2048x4096 + 2048x4096``."""
    return " + ".join(_by(shape[::-1]) for shape in detector.shapes)


def _by(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}x{numbers[1]}"
