"""Builders and strategies for tests of what is pure: frames, masters, parameters."""

import dataclasses
import functools
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tapewatch.headers.values import Value
from tapewatch.model import (
    CalibrationFrame,
    Chain,
    Detector,
    Frame,
    FrameSequence,
    Kind,
    Master,
    ObjectFrame,
    Product,
    Recipe,
    Span,
    State,
    Step,
    Tally,
)
from tapewatch.parameters import Parameters, read_parameters
from tapewatch.planning.sets import CalibrationSet, find_sets

EVENING = datetime(2026, 3, 25, 20, tzinfo=UTC)
NOW = (EVENING + timedelta(hours=1)).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CAMERA = Detector("Apogee", (8, 8), (1, 1))


class Cards:
    """A header, given by its values."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, keyword: str, default: Value = None, /) -> Value:
        """Value of a keyword."""
        found: Value = self._values.get(keyword, default)
        return found

    def lines(self, keyword: str, /) -> Iterator[str]:
        """Texts of a commentary keyword."""
        value = self._values.get(keyword)
        yield from [] if value is None else [str(value)]


@functools.cache
def _defaults() -> Parameters:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tape.par"
        file.write_text("WORKDIR .\n", encoding="utf-8")
        return read_parameters(file)


def parameters(**changes: Any) -> Parameters:  # noqa: ANN401  (whatever the field holds)
    """Parameters of an empty tape.par, apart from the fields given."""
    return dataclasses.replace(_defaults(), **changes)


def frame(path: str, kind: Kind = Kind.OBJECT, minutes: float = 0.0, **changes: Any) -> Frame:  # noqa: ANN401
    """Frame that was begun some minutes into the evening; 60 s of filter R but for a bias."""
    start = EVENING + timedelta(minutes=minutes)
    made = Frame(
        path=path,
        kind=kind,
        detector=CAMERA,
        exptime=0.0 if kind is Kind.BIAS else 60.0,
        filter="R" if kind in {Kind.FLAT, Kind.OBJECT} else "none",
        date_obs=start.replace(tzinfo=None).isoformat(),
        start=start.timestamp(),
    )
    return dataclasses.replace(made, **changes)


def member(
    path: str,
    kind: Kind = Kind.BIAS,
    minutes: float = 0.0,
    *,
    pixels: str | None = "",
    arrived: float | None = None,
    **changes: Any,  # noqa: ANN401
) -> CalibrationFrame:
    """Calibration frame that arrived at once, with pixels of its own; None: not read yet."""
    one = frame(path, kind, minutes, **changes)
    content = f"pixels of {path}" if pixels == "" else pixels
    return CalibrationFrame(one, content, one.start if arrived is None else arrived)


def members(kind: Kind, count: int, **changes: Any) -> tuple[CalibrationFrame, ...]:  # noqa: ANN401
    """Calibration frames of one set, a minute apart."""
    return tuple(member(f"{kind}{number}.fits", kind, number, **changes) for number in range(count))


def only_set(frames: tuple[CalibrationFrame, ...]) -> CalibrationSet:
    """Give the one set that frames make."""
    (one,) = find_sets(frames, 2.0, 18.0)
    return one


def master(identity: str, kind: Kind = Kind.BIAS, minutes: float = 0.0, **changes: Any) -> Master:  # noqa: ANN401
    """Master on disk in the folder itself; a dark of 60 s, a flat of filter R."""
    made = Master(
        id=identity,
        kind=kind,
        folder="",
        stem=f"w{kind}",
        set_id=f"set of {identity}",
        detector=CAMERA,
        exptime=0.0 if kind is Kind.BIAS else 60.0,
        filter="R" if kind is Kind.FLAT else "none",
        temperature=None,
        start=EVENING.timestamp() + minutes * MINUTE,
        inputs=(f"pixels of {identity}",),
        bias_id="" if kind is Kind.BIAS else "bias",
    )
    return dataclasses.replace(made, **changes)


def calibrated(one: Frame, recipe: Recipe, content: tuple[str, str] = ("d", "h")) -> ObjectFrame:
    """Object frame with the product of a recipe."""
    return ObjectFrame(one, content, Product("product", f"w{one.name}", *content, recipe))


def exposures(frames: Iterable[Frame]) -> list[list[Frame]]:
    """Sort object frames into sequences: by what is alike, then wherever a gap is above 2 hours."""
    alike = defaultdict(list)
    for one in frames:
        alike[one.folder, one.object, one.filter, one.detector].append(one)
    found = []
    for group in alike.values():
        group.sort(key=lambda one: (one.start, one.path))
        found.append([group[0]])
        for before, one in itertools.pairwise(group):
            if one.start - (before.start + before.exptime) > 2 * HOUR:
                found.append([])
            found[-1].append(one)
    return found


def span_of(frames: Collection[Frame]) -> Span:
    """Give what frames span, as the ledger does."""
    starts = [one.start for one in frames]
    known = [one.temperature for one in frames if one.temperature is not None]
    coldest, warmest = min(known, default=None), max(known, default=None)
    all_tell = len(known) == len(frames)
    return Span(min(starts), max(starts), coldest, warmest, all_tell)


def sequences_of(
    objects: Iterable[ObjectFrame],
    states: Mapping[str, State] | None = None,
    gone: Collection[str] = (),
) -> tuple[FrameSequence, ...]:
    """Sum up the sequences of object frames, as the ledger does; all are done if not said."""
    known = {one.frame.path: one for one in objects}
    return tuple(
        _summed_up([known[one.path] for one in group], states, gone)
        for group in exposures(one.frame for one in known.values())
    )


def _summed_up(
    group: list[ObjectFrame], states: Mapping[str, State] | None, gone: Collection[str]
) -> FrameSequence:
    tallies = []
    for one in group:
        product = one.product
        chain = None
        if product is not None and not product.recipe.provisional:
            chain = Chain.of(product.recipe)
        path, temperature = one.frame.path, one.frame.temperature
        if chain is not None or path not in gone:
            state = State.DONE if states is None else states.get(path, State.SEEN)
            of_one = one.frame.exptime, chain, state, path in gone, 1, temperature, temperature
            tallies.append(Tally(*of_one))
    last = group[-1].frame
    ended = last.start + last.exptime
    of_all = last.folder, last.series, group[0].frame.start, last.start, ended, last
    return FrameSequence(*of_all, tuple(tallies))


DETECTORS = (CAMERA, CAMERA, CAMERA, Detector("ZWO", (4, 4), (2, 2)))
SETTINGS = ((), (("GAIN", "1"),), (("GAIN", "2"),), (("GAIN", "1"), ("READOUTM", "Fast")))
# Around TEMPTOL 2, around 0.1 % of an exposure, around SETGAP 18 hours.
TEMPERATURES = (-20.0, -19.0, -18.0, -17.5, None)
EXPOSURES = (0.4, 0.5, 60.0, 60.05, 60.1, 180.0)
HOURS = (0.0, 1.0, 17.0, 18.5, 20.5, 37.0)


@dataclasses.dataclass(frozen=True)
class Palette:
    """What may differ between the frames of one night: a little of it each night."""

    detectors: tuple[Detector, ...]
    temperatures: tuple[float | None, ...]
    exposures: tuple[float, ...]
    hours: tuple[float, ...]
    folders: tuple[str, ...]

    def frame(self, draw: st.DrawFn, name: str, kind: Kind) -> Frame:
        """Draw a frame."""
        folder = draw(st.sampled_from(self.folders))
        return frame(
            f"{folder}/{name}".lstrip("/"),
            kind,
            60 * draw(st.sampled_from(self.hours)) + draw(st.integers(0, 9)),
            detector=draw(st.sampled_from(self.detectors)),
            exptime=0.0 if kind is Kind.BIAS else draw(st.sampled_from(self.exposures)),
            filter=draw(st.sampled_from("RRr")) if kind in {Kind.FLAT, Kind.OBJECT} else "none",
            temperature=draw(st.sampled_from(self.temperatures)),
        )


@st.composite
def palettes(draw: st.DrawFn, folders: tuple[str, ...] = ("",)) -> Palette:
    """Palettes on which much is the same, so that frames do form sets."""

    def some(values: tuple[Any, ...], most: int = 3) -> tuple[Any, ...]:
        return tuple(draw(st.lists(st.sampled_from(values), min_size=1, max_size=most)))

    settings = some(SETTINGS)
    detectors = some(DETECTORS, 2)
    return Palette(
        tuple(dataclasses.replace(one, settings=each) for one in detectors for each in settings),
        some(TEMPERATURES),
        some(EXPOSURES),
        some(HOURS),
        some(folders),
    )


@st.composite
def calibration_frames(draw: st.DrawFn, most: int = 12) -> list[CalibrationFrame]:
    """Calibration frames of one folder; some have the same pixels, some have not been read."""
    palette = draw(palettes())
    kinds = st.sampled_from((Kind.BIAS, Kind.DARK, Kind.DARK, Kind.FLATDARK, Kind.FLAT))
    made = []
    for number in range(draw(st.integers(0, most))):
        one = palette.frame(draw, f"{number}.fits", draw(kinds))
        pixels = draw(st.none() | st.integers(0, 2 * most).map(str))
        made.append(CalibrationFrame(one, pixels, one.start + draw(st.integers(0, 600))))
    return made


masters = st.builds(
    master,
    st.uuids().map(lambda one: one.hex[:16]),
    st.sampled_from((Kind.BIAS, Kind.DARK, Kind.FLATDARK, Kind.FLAT)),
    st.sampled_from(HOURS).map(lambda hours: 60 * hours),
    folder=st.sampled_from(("", "elsewhere")),
    exptime=st.sampled_from(EXPOSURES),
    temperature=st.sampled_from(TEMPERATURES),
    bias_id=st.sampled_from(("bias", "bias", "")),
    detector=st.sampled_from(
        (CAMERA, CAMERA, dataclasses.replace(CAMERA, shape=(4, 4), window=(2, 3)))
    ),
)
"""Masters of one camera that differ in window, folder, time, exposure and temperature."""

policies = st.builds(
    parameters,
    nbias=st.integers(1, 4),
    ndark=st.integers(1, 4),
    nflat=st.integers(1, 4),
    mincal=st.integers(1, 5),
    setgap=st.sampled_from((0.0, 18.0)),
    temptol=st.sampled_from((0.0, 2.0)),
    darkscale=st.sampled_from(("any", "down", "never")),
    flatdark=st.booleans(),
    steps=st.sampled_from(
        (tuple(Step), tuple(Step), (Step.BIAS, Step.FLAT), (Step.DARK, Step.FLAT), (Step.FLAT,))
    ),
    provisional=st.booleans(),
    pincal=st.sampled_from((True, True, False)),
    maxage=st.sampled_from(((90.0, 90.0, 14.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5))),
)
"""Parameters in which sets and matching differ."""
