"""The simulated camera's plan: the exposures of a night, their times and file names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tapewatch.errors import ParameterError
from tapewatch.model import Kind

READOUT_SECONDS = 4.0
FLAT_SECONDS = 8.0
LONGEST_SECONDS = 86400.0
SMALLEST_SIDE = 16  # pixels
TARGETS = {"maxim": "M13", "tape": "hat-p-12b"}
DIALECTS = tuple(TARGETS)
_FILTER = re.compile(r"[!-~]([ -~]{0,38}[!-~])?")


class Fault(StrEnum):
    """What a camera program may do to a file other than write it at once and close it."""

    SLOW = "slow"  # in pieces over a second
    REOPENED = "reopened"  # closed after each piece, opened again to append
    RENAMED = "renamed"  # under a temporary name first
    TRUNCATED = "truncated"  # given up half-way
    PREALLOCATED = "preallocated"  # full size with zeros first, the pixels later
    REWRITTEN = "rewritten"  # with another header some seconds later, twice: a plate solver
    NOTYPE = "notype"  # no IMAGETYP in the header


@dataclass(frozen=True, slots=True)
class Night:
    """What the simulated camera shall take.

    Parameters
    ----------
    seed : int
        Of all random numbers: the same night has the same pixels, headers and names.
    shape : tuple of int
        (ny, nx) of the frames as written, binned pixels.
    bias : int
        Number of bias frames.
    darks : int
        Number of dark frames for each of `dark_exposures`.
    dark_exposures : tuple of float
        Exposure times of the darks, seconds.
    flats : int
        Number of flats for each of `filters`.
    filters : tuple of str
        Names of the filters; the object frames cycle through them.
    objects : int
        Number of object frames.
    object_exposures : tuple of float
        Exposure times of the object frames, seconds; the next one after each round of filters.
    dialect : str
        Whose header keywords and file names: ``maxim`` (MaxIm DL 6 with ACP) or ``tape``.
    start : str
        Start of the first exposure, ISO 8601, UTC.
    binning : int
        In both directions.
    faults : tuple of str
        Names of `Fault`; each befalls one object frame, spread over the night. A name given twice
        befalls two.

    Raises
    ------
    ParameterError
        Where no camera could take such a night.
    """

    seed: int = 1
    shape: tuple[int, int] = (512, 512)
    bias: int = 5
    darks: int = 5
    dark_exposures: tuple[float, ...] = (60.0, 120.0)
    flats: int = 5
    filters: tuple[str, ...] = ("R", "V")
    objects: int = 10
    object_exposures: tuple[float, ...] = (60.0, 120.0)
    dialect: str = "maxim"
    start: str = "2026-03-25T18:00:00"
    binning: int = 1
    faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for sound, complaint in self._demands():
            if not sound:
                raise ParameterError(f"simulated night: {complaint}")
        for fault in self.faults:
            if fault not in tuple(Fault):
                raise ParameterError(
                    f"simulated night: fault {fault!r}, allowed: {', '.join(Fault)}"
                )
        try:
            _moment(self.start)
        except ValueError as error:
            raise ParameterError(f"simulated night: start {self.start!r}: {error}") from error

    def _demands(self) -> tuple[tuple[bool, str], ...]:
        """Return what must hold, each with the complaint where it does not."""
        numbers = (self.seed, self.bias, self.darks, self.flats, self.objects)
        exposures = self.dark_exposures + self.object_exposures
        darks = {f"{exptime:g}" for exptime in self.dark_exposures}
        filters = {_in_file_name(name) for name in self.filters}
        return (
            (min(numbers) >= 0, "seed and numbers of frames are 0 or more"),
            (self.binning >= 1, f"binning {self.binning}, allowed: 1 or more"),
            (min(self.shape) >= SMALLEST_SIDE, f"a side is {SMALLEST_SIDE} pixels or more"),
            (
                all(0 < s <= LONGEST_SECONDS for s in exposures),
                "exposures take above 0 s, 1 day at most",
            ),
            (bool(self.object_exposures), "object frames need an exposure time"),
            (len(darks) == len(self.dark_exposures), "two exposure times of darks are the same"),
            (
                bool(filters) and all(_FILTER.fullmatch(name) for name in self.filters),
                "filters have names of 1 to 40 printable ASCII characters",
            ),
            (len(filters) == len(self.filters), "two filters would give the same file names"),
            (self.dialect in DIALECTS, f"dialect {self.dialect!r}, allowed: {', '.join(DIALECTS)}"),
            (
                set(self.faults) <= set(Fault),
                f"faults {', '.join(self.faults)}, allowed: {', '.join(Fault)}",
            ),
            (
                len(self.faults) <= self.objects,
                f"{len(self.faults)} faults need as many object frames, not {self.objects}",
            ),
        )

    @property
    def target(self) -> str:
        """Name of what the object frames show."""
        return TARGETS[self.dialect]


@dataclass(frozen=True, slots=True)
class Exposure:
    """One file of the night.

    Parameters
    ----------
    index : int
        Place in the night, from 0; with the seed it makes the noise.
    name : str
        File name.
    kind : Kind
        Bias, dark, flat or object.
    exptime : float
        Exposure time, seconds.
    filter : str
        Of a flat or object frame; empty for a bias or dark.
    object : str
        Target of an object frame; else empty.
    date_obs : str
        Start of the exposure, ISO 8601, UTC, whole seconds.
    fault : Fault or None
        What befalls its file.
    """

    index: int
    name: str
    kind: Kind
    exptime: float
    filter: str
    object: str
    date_obs: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Shot:
    """An exposure before it has a time; `number` counts from 1 within its sequence."""

    kind: Kind
    exptime: float
    filter: str
    number: int


def exposures(night: Night) -> tuple[Exposure, ...]:
    """Return the plan of the night in camera order: biases, darks, flats, object frames.

    Parameters
    ----------
    night : Night
        What to take.

    Returns
    -------
    tuple of Exposure
        Names are unique and `date_obs` grows by exposure time and read-out.
    """
    shots = tuple(_shots(night))
    first_object = len(shots) - night.objects
    faults = _faults_by_object_frame(night)
    when = _moment(night.start)
    plan = []
    for index, shot in enumerate(shots):
        plan.append(
            Exposure(
                index=index,
                name=_file_name(night, shot),
                kind=shot.kind,
                exptime=shot.exptime,
                filter=shot.filter,
                object=night.target if shot.kind is Kind.OBJECT else "",
                date_obs=when.strftime("%Y-%m-%dT%H:%M:%S"),
                fault=faults.get(index - first_object),
            )
        )
        when += timedelta(seconds=shot.exptime + READOUT_SECONDS)
    return tuple(plan)


def _moment(text: str) -> datetime:
    """Read ISO 8601; what names no time zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shots(night: Night) -> Iterator[_Shot]:
    for number in range(1, night.bias + 1):
        yield _Shot(Kind.BIAS, 0.0, "", number)
    for exptime in night.dark_exposures:
        for number in range(1, night.darks + 1):
            yield _Shot(Kind.DARK, exptime, "", number)
    for name in night.filters:
        for number in range(1, night.flats + 1):
            # Twilight fades: each flat of a sequence is exposed longer than the one before.
            yield _Shot(Kind.FLAT, FLAT_SECONDS + number - 1, name, number)
    for index in range(night.objects):
        rounds, position = divmod(index, len(night.filters))
        exptime = night.object_exposures[rounds % len(night.object_exposures)]
        # MaxIm counts the frames of each filter, TAPE's camera all of them.
        number = rounds + 1 if night.dialect == "maxim" else index + 1
        yield _Shot(Kind.OBJECT, exptime, night.filters[position], number)


def _file_name(night: Night, shot: _Shot) -> str:
    exptime, name = f"{shot.exptime:g}s", _in_file_name(shot.filter)
    if night.dialect == "maxim":
        stems = {
            Kind.BIAS: "Bias",
            Kind.DARK: f"Dark_{exptime}",
            Kind.FLAT: f"Flat_{name}",
            Kind.OBJECT: f"{night.target}_{name}",
        }
        return f"{stems[shot.kind]}_{shot.number:04d}.fit"
    stems = {
        Kind.BIAS: f"bias-{shot.number:03d}",
        Kind.DARK: f"dark-{exptime}-{shot.number:03d}",
        Kind.FLAT: f"flat-{name}-{shot.number:03d}",
        Kind.OBJECT: f"object-{shot.number:06d}",
    }
    return f"{stems[shot.kind]}.fits"


def _in_file_name(text: str) -> str:
    """Return a filter's name as a camera program puts it into a file name."""
    return re.sub(r"[^A-Za-z0-9.+_-]+", "_", text.strip())


def _faults_by_object_frame(night: Night) -> dict[int, Fault]:
    """Spread the faults evenly: {number of the object frame, from 0: fault}."""
    count = len(night.faults)
    return {
        (2 * turn + 1) * night.objects // (2 * count): Fault(fault)
        for turn, fault in enumerate(night.faults)
    }
