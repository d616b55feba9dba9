"""Which calibration frames belong together: a pure function, the same for every order of arrival.

Frames of one folder form a set where they agree in kind and in how the detector was read out; a
set of darks is then cut where the temperature or the exposure time differs, and every set where
SETGAP hours lie between two exposures. Flats that keep their bias are cut by exposure time, too.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

from tapewatch.model import CalibrationFrame, Detector, Frame, Kind

# Darks whose exposure times differ by less than this fraction are of one set.
_SAME_EXPOSURE = 0.001
_HOUR = 3600.0
_PIXELS = ""  # no keyword is called so
_Settings = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """Frames that together make one master, in order of their exposure.

    Parameters
    ----------
    frames : tuple of CalibrationFrame
        At least one, in order of (start of exposure, path).
    detector : Detector
        How they were read out; settings that only some of them name are included.

    Attributes
    ----------
    id : str
        Hash of what its frames agree on and of where it begins, 16 hexadecimal digits.
    """

    frames: tuple[CalibrationFrame, ...]
    detector: Detector
    id: str = field(init=False)

    def __post_init__(self) -> None:
        first = self.frames[0].frame
        key = (self.kind, self.folder, self.detector, self.last.filter, self.pixels)
        begins = (first.exptime, first.temperature, first.start)
        object.__setattr__(
            self, "id", hashlib.sha256(repr((key, begins)).encode()).hexdigest()[:16]
        )

    @property
    def last(self) -> Frame:
        """The frame whose header the master inherits, as in the notebook."""
        return self.frames[-1].frame

    @property
    def kind(self) -> Kind:
        """Kind of its frames."""
        return self.last.kind

    @property
    def folder(self) -> str:
        """Folder of its frames."""
        return self.last.folder

    @property
    def pixels(self) -> str:
        """Type of the values of its frames; empty where none of them tells it."""
        return max(member.frame.pixels for member in self.frames)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Data hashes of the frames that have been read, in order."""
        return tuple(member.data_hash for member in self.frames if member.data_hash is not None)

    @property
    def measured(self) -> bool:
        """Whether all its frames have been read."""
        return all(member.data_hash is not None for member in self.frames)

    @property
    def middle(self) -> float:
        """Middle of the exposures' starts, seconds since 1970."""
        return (self.frames[0].frame.start + self.last.start) / 2

    @property
    def arrived(self) -> float:
        """When its last frame came, seconds since 1970."""
        return max(member.arrived for member in self.frames)

    @property
    def spacing(self) -> float:
        """Typical time between two of its frames, seconds; 0 for a single frame."""
        arrivals = sorted(member.arrived for member in self.frames)
        return (
            median(later - earlier for earlier, later in pairwise(arrivals))
            if arrivals[1:]
            else 0.0
        )


def find_sets(
    frames: Iterable[CalibrationFrame],
    temptol: float,
    setgap: float,
    *,
    flats_by_exposure: bool = False,
) -> tuple[CalibrationSet, ...]:
    """Sort calibration frames into sets.

    Parameters
    ----------
    frames : iterable of CalibrationFrame
        In any order. Of frames of a set with the same pixels the first one counts.
    temptol : float
        Degrees C that darks of one set may differ (TEMPTOL).
    setgap : float
        Hours between two exposures above which another set begins (SETGAP); 0: never.
    flats_by_exposure : bool
        Flats of one set are of one exposure time, as darks are: that of the dark they need.

    Returns
    -------
    tuple of CalibrationSet
        In order of kind (bias, dark, flat-dark, flat), then of time.
    """
    groups: dict[object, list[CalibrationFrame]] = defaultdict(list)
    for member in frames:
        groups[_agreement(member.frame)].append(member)
    sets = [
        CalibrationSet(_first_of_each_content(members), detector)
        for group in groups.values()
        for detector, alike in _by_settings(group)
        for members in _cut(alike, temptol, setgap, flats_by_exposure=flats_by_exposure)
    ]
    order = list(Kind)
    return tuple(sorted(sets, key=lambda one: (order.index(one.kind), one.last.start, one.id)))


def _first_of_each_content(members: Iterable[CalibrationFrame]) -> tuple[CalibrationFrame, ...]:
    """Order frames by (start, path), and leave out those whose pixels an earlier one has, too."""
    first_of: dict[str, CalibrationFrame] = {}
    for member in sorted(members, key=lambda member: (member.frame.start, member.frame.path)):
        first_of.setdefault(member.data_hash or member.frame.path, member)
    return tuple(first_of.values())


def _agreement(frame: Frame) -> object:
    """Key that frames of one set share, the optional settings apart."""
    detector = frame.detector
    read_out = detector.camera, detector.shapes, detector.binning, detector.window
    return frame.folder, frame.kind, frame.filter, read_out


def _by_settings(
    members: Sequence[CalibrationFrame],
) -> list[tuple[Detector, list[CalibrationFrame]]]:
    """Split by settings and type of the values.

    A frame that lacks a setting joins the others where they all agree on it.
    """
    values: dict[str, set[str]] = defaultdict(set)
    for member in members:
        for keyword, value in _settings(member.frame):
            values[keyword].add(value)
    common = {keyword: min(found) for keyword, found in values.items() if len(found) == 1}
    groups: dict[tuple[tuple[str, str], ...], list[CalibrationFrame]] = defaultdict(list)
    for member in members:
        settings = common | dict(_settings(member.frame))
        groups[tuple(sorted(settings.items()))].append(member)
    return [
        (replace(members[0].frame.detector, settings=_less_pixels(settings)), group)
        for settings, group in groups.items()
    ]


def _settings(frame: Frame) -> _Settings:
    """Give the settings of a frame, and as one more the type of its values where it is known."""
    pixels = ((_PIXELS, frame.pixels),) if frame.pixels else ()
    return (*frame.detector.settings, *pixels)


def _less_pixels(settings: _Settings) -> _Settings:
    """Give the settings by which masters are chosen: the type of the values is none of them."""
    return tuple(one for one in settings if one[0] != _PIXELS)


def _cut(
    members: list[CalibrationFrame], temptol: float, setgap: float, *, flats_by_exposure: bool
) -> list[list[CalibrationFrame]]:
    """Cut along temperature and exposure time (darks), then along time (all)."""
    groups = [members]
    kind = members[0].frame.kind
    dark = kind in {Kind.DARK, Kind.FLATDARK}
    if dark:
        groups = _cut_each(groups, _temperature, lambda first, _, this: this - first > temptol)
    if dark or (kind is Kind.FLAT and flats_by_exposure):
        groups = _cut_each(
            groups, _exposure_time, lambda first, _, this: this > first * (1 + _SAME_EXPOSURE)
        )
    gap = setgap * _HOUR
    return _cut_each(groups, _start, lambda _, previous, this: bool(gap) and this - previous > gap)


def _cut_each(
    groups: list[list[CalibrationFrame]],
    value: Callable[[CalibrationFrame], float],
    begins: Callable[[float, float, float], bool],
) -> list[list[CalibrationFrame]]:
    """Sort each group by a value and cut it where ``begins(first, previous, this)`` says so."""
    cut: list[list[CalibrationFrame]] = []
    for group in groups:
        ordered = sorted(
            group, key=lambda member: (value(member), _start(member), member.frame.path)
        )
        part = [ordered[0]]
        for member in ordered[1:]:
            if begins(value(part[0]), value(part[-1]), value(member)):
                cut.append(part)
                part = []
            part.append(member)
        cut.append(part)
    return cut


def _temperature(member: CalibrationFrame) -> float:
    """Temperature to sort by, degrees C; frames without one come first, as a group of their own."""
    temperature = member.frame.temperature
    return float("-inf") if temperature is None else temperature


def _exposure_time(member: CalibrationFrame) -> float:
    return member.frame.exptime


def _start(member: CalibrationFrame) -> float:
    return member.frame.start
