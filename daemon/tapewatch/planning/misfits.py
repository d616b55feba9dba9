"""What may be wrong with a calibration frame: by itself, and beside the other frames of its set.

What an observer would call normal is never told: the tolerances are several times what real nights
show, and a frame is compared with three frames at least.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tapewatch.model import CalibrationFrame, Detector, Kind, Profile
from tapewatch.planning.contents import contradiction

FLAT_LEVELS = (0.05, 0.90)
"""Level of a flat over its bias as a fraction of SATU: below, the noise of a few thousand photons
a pixel goes into every frame; above, sensors are no longer linear."""

_FEWEST = 3  # frames of a set, or none can be told to be the odd one
_SMALLEST = 128  # pixels of a side; of less a cell's median is one of too few pixels
_SATURATED = 0.01  # fraction of pixels
_EMPTY_ROWS = 0.05  # fraction of rows beyond what the others have; overscan may be constant
_INVALID = 0.01  # fraction of pixels beyond what the others have
_SPREADS = 6.0  # of the set's own spread, which may be more than the tolerances below
_SHIFT = 1.0  # scatters by which the level of a bias or dark, or of part of it, may be off
_STEPS = 2.0  # ADU; the least that is told of integers
_NOISE = 0.3  # fraction by which the scatter may be off
_BEND = 0.02  # by which part of a flat may be off, relative to the whole
_BRIGHTER = 1.5  # factor by which the fraction of bright pixels may differ, and beyond it:
_STARS = 0.001  # the fraction of a flat's pixels that stars may be
_HOT = 0.002  # the fraction of a bias's or dark's that may become hot
_NORMAL = 1.4826  # standard deviation of a normal distribution over its median deviation


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is wrong with a frame.

    Parameters
    ----------
    cause : str
        In one word: each is told once of a frame.
    reason : str
        With the figure and what it should be.
    grave : bool
        ``SETCHECK reject`` leaves the frame out.
    """

    cause: str
    reason: str
    grave: bool = True


def words(doubts: Iterable[Doubt]) -> str:
    """Put a frame's doubts into words.

    Parameters
    ----------
    doubts : iterable of Doubt
        At least one.

    Returns
    -------
    str
        Their reasons.
    """
    return "; ".join(doubt.reason for doubt in doubts)


def by_itself(member: CalibrationFrame, saturation: float, pedestal: float) -> Iterator[Doubt]:
    """Find what is wrong with a frame whatever the others are like.

    Parameters
    ----------
    member : CalibrationFrame
        The frame.
    saturation : float
        SATU, ADU.
    pedestal : float
        Level of its bias, ADU.

    Yields
    ------
    Doubt
        None where its pixels have not been read.
    """
    profile, kind = member.profile, member.frame.kind
    if profile is None:
        return
    if profile.saturated > _SATURATED:
        yield Doubt(
            "saturated",
            f"{profile.saturated:.1%} of its pixels are saturated, {_SATURATED:.0%} at most wanted",
        )
    if kind is Kind.FLAT and saturation > pedestal:
        lowest, highest = FLAT_LEVELS
        filled = (profile.level - pedestal) / (saturation - pedestal)
        if not lowest <= filled <= highest:
            yield Doubt(
                "level",
                f"its level of {profile.level:.0f} ADU is {filled:.1%} of SATU"
                f" ({saturation:.0f}), {lowest:.0%} to {highest:.0%} wanted",
            )
    if reason := contradiction(kind, profile, saturation):
        yield Doubt("light", reason)


def beside_the_others(
    members: Sequence[CalibrationFrame], detector: Detector, temptol: float, pedestal: float
) -> dict[str, tuple[Doubt, ...]]:
    """Find what is wrong with frames beside the others of their set.

    Parameters
    ----------
    members : sequence of CalibrationFrame
        Frames of one set that are sound by themselves.
    detector : Detector
        How they were read out.
    temptol : float
        TEMPTOL, degrees C.
    pedestal : float
        Level of their bias, ADU.

    Returns
    -------
    dict of str to tuple of Doubt
        By path; empty as long as not all have been read, or there are less than three.
    """
    profiles = [member.profile for member in members if member.profile is not None]
    if len(profiles) < max(len(members), _FEWEST):
        return {}
    kind, large = members[0].frame.kind, min(detector.shape) >= _SMALLEST
    found: dict[str, list[Doubt]] = {member.frame.path: [] for member in members}
    checks: list[Callable[[], Iterator[Doubt | None]]] = [
        lambda: _empty(profiles),
        lambda: _invalid(profiles),
        lambda: _temperatures(members, temptol),
    ]
    if kind is Kind.FLAT and large:
        checks += [lambda: _flat_noise(profiles, pedestal), lambda: _bends(profiles, pedestal)]
        checks += [lambda: _stars(profiles)]
    elif kind is not Kind.FLAT:
        checks += [lambda: _levels(profiles)]
        if large:
            checks += [lambda: _noise(profiles), lambda: _patterns(profiles)]
            checks += [lambda: _hot(profiles)]
    for check in checks:
        for member, doubt in zip(members, check(), strict=True):
            found[member.frame.path] += [] if doubt is None else [doubt]
    return {path: _telling(doubts) for path, doubts in found.items()}


def _telling(doubts: list[Doubt]) -> tuple[Doubt, ...]:
    """Leave out what only follows from rows without an image."""
    return tuple(one for one in doubts if one.cause == "rows") or tuple(doubts)


def _middle_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Median of a set's values, and by how much one may be off for the set's own spread."""
    middle = median(values)
    return middle, _SPREADS * _NORMAL * median(abs(value - middle) for value in values)


def _empty(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    usual = median(profile.constant for profile in profiles)
    for profile in profiles:
        odd = profile.constant > usual + _EMPTY_ROWS
        yield Doubt("rows", f"{profile.constant:.0%} of its rows hold no image") if odd else None


def _invalid(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    usual = median(profile.invalid for profile in profiles)
    for profile in profiles:
        odd = profile.invalid > usual + _INVALID
        yield (
            Doubt("invalid", f"{profile.invalid:.0%} of its pixels are no numbers") if odd else None
        )


def _temperatures(members: Sequence[CalibrationFrame], temptol: float) -> Iterator[Doubt | None]:
    """Compare temperatures; of darks sets are cut by them, of flats they do not matter."""
    known = [one.frame.temperature for one in members if one.frame.temperature is not None]
    usual = median(known) if len(known) >= _FEWEST else None
    for member in members:
        own = member.frame.temperature
        odd = member.frame.kind is Kind.BIAS and None not in (own, usual)
        if odd and own is not None and usual is not None and abs(own - usual) > temptol:
            reason = (
                f"taken at {own:.1f} degrees C, the others at {usual:.1f} (TEMPTOL {temptol:g})"
            )
            yield Doubt("temperature", reason, grave=False)
        else:
            yield None


def _levels(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    usual, spread = _middle_and_spread([profile.level for profile in profiles])
    normal = max(_SHIFT * median(one.scatter for one in profiles), spread, _STEPS)
    for profile in profiles:
        reason = f"its level is {profile.level:.0f} ADU, {usual:.0f} +- {normal:.0f} in the others"
        yield Doubt("level", reason) if abs(profile.level - usual) > normal else None


def _noise(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    usual, spread = _middle_and_spread([profile.scatter for profile in profiles])
    normal = max(_NOISE * usual, spread, _STEPS)
    for profile in profiles:
        reason = (
            f"its pixels scatter by {profile.scatter:.1f} ADU,"
            f" {usual:.1f} +- {normal:.1f} in the others"
        )
        yield Doubt("scatter", reason) if abs(profile.scatter - usual) > normal else None


def _patterns(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    normal = max(_SHIFT * median(one.scatter for one in profiles), _STEPS)
    for off in _furthest([profile.structure for profile in profiles]):
        reason = (
            f"part of it is {off:+.0f} ADU off the same part of the others,"
            f" within {normal:.0f} wanted: light, or a faulty read-out?"
        )
        yield Doubt("structure", reason) if abs(off) > normal else None


def _hot(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    usual = median(profile.bright for profile in profiles)
    least, most = usual / _BRIGHTER - _HOT, usual * _BRIGHTER + _HOT
    for profile in profiles:
        reason = (
            f"{profile.bright:.2%} of its pixels stand out, {usual:.2%} in the others:"
            " light, or another temperature?"
        )
        yield Doubt("bright", reason) if not least <= profile.bright <= most else None


def _flat_noise(profiles: Sequence[Profile], pedestal: float) -> Iterator[Doubt | None]:
    """Compare the scatter relative to the level; a fainter flat may have more, by its photons."""
    levels = [max(profile.level - pedestal, 1.0) for profile in profiles]
    relative = [one.scatter / level for one, level in zip(profiles, levels, strict=True)]
    usual, level_there = median(relative), median(levels)
    for own, level in zip(relative, levels, strict=True):
        normal = usual * (1 + _NOISE) * max(1.0, level_there / level) ** 0.5
        reason = f"its pixels scatter by {own:.1%} of its level, {usual:.1%} in the other flats"
        yield Doubt("scatter", reason) if own > normal else None


def _bends(profiles: Sequence[Profile], pedestal: float) -> Iterator[Doubt | None]:
    levels = [max(profile.level - pedestal, 1.0) for profile in profiles]
    relative = [
        tuple(cell / level for cell in profile.structure)
        for profile, level in zip(profiles, levels, strict=True)
    ]
    for off, profile, level in zip(_furthest(relative), profiles, levels, strict=True):
        normal = max(_BEND, profile.scatter / level)  # a cell's median is good to a tenth of it
        reason = (
            f"part of it is {off:+.1%} off the same part of the other flats,"
            f" within {normal:.1%} wanted: clouds, or a gradient of the sky?"
        )
        yield Doubt("structure", reason) if abs(off) > normal else None


def _stars(profiles: Sequence[Profile]) -> Iterator[Doubt | None]:
    usual = median(profile.bright for profile in profiles)
    for profile in profiles:
        reason = (
            f"{profile.bright:.2%} of its pixels stand out, {usual:.2%} in the other flats: stars?"
        )
        yield Doubt("stars", reason) if profile.bright > usual * _BRIGHTER + _STARS else None


def _furthest(structures: Sequence[Sequence[float]]) -> list[float]:
    """By how much each frame is off the median of all in the cell where it is so most."""
    usual = [median(cell) for cell in zip(*structures, strict=True)]
    return [
        max((own - there for own, there in zip(structure, usual, strict=True)), key=abs, default=0)
        for structure in structures
    ]
