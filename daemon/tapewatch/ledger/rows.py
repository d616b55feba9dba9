"""Rows of the state file as the dataclasses of the model, and back: JSON in text columns."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tapewatch.model import (
    Detector,
    Frame,
    Identity,
    Kind,
    Master,
    ObjectFrame,
    Product,
    Profile,
    Recipe,
    State,
    Statistics,
)


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """All that the ledger holds of one frame, for ``status`` and ``why``.

    Parameters
    ----------
    path : str
        Relative to WATCHDIR.
    state : State
        How far it has come.
    reason : str
        Why.
    arrived : float
        Seconds since 1970.
    tries : int
        How often work on it was begun since its file last changed.
    frame : Frame or None
        Its header; None where it could not be told.
    statistics : Statistics or None
        Of the raw pixels.
    product : Product or None
        What is on disk for it.
    """

    path: str
    state: State
    reason: str
    arrived: float
    tries: int
    frame: Frame | None
    statistics: Statistics | None
    product: Product | None


@dataclass(frozen=True, slots=True)
class MasterRecord:
    """A master on disk, for ``masters`` and ``status``.

    Parameters
    ----------
    master : Master
        What it is.
    in_use : bool
        Whether it is the version that frames are calibrated with now.
    statistics : Statistics
        Of its pixels.
    built_at : float
        Seconds since 1970.
    """

    master: Master
    in_use: bool
    statistics: Statistics
    built_at: float


def to_json(value: Any) -> str:  # noqa: ANN401  (any dataclass of the model)
    """Write a dataclass of the model as JSON."""
    return _ENCODER.encode(value)


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401  (any dataclass of the model)
    """Give the fields of a dataclass; `dataclasses.asdict` would copy them all, at some cost."""
    return {name: getattr(value, name) for name in value.__slots__}


_ENCODER = json.JSONEncoder(default=_fields, separators=(",", ":"))


@lru_cache(maxsize=1 << 9)  # a folder's calibration frames are read at every plan
def read_frame(text: str) -> Frame:
    """Read a frame from its JSON."""
    values = json.loads(text)
    values["kind"] = Kind(values["kind"])
    values["detector"] = _detector(values["detector"])
    return Frame(**values)


def _detector(values: dict[str, Any]) -> Detector:
    return _the_one(
        Detector(
            camera=values["camera"],
            shape=tuple(values["shape"]),
            binning=tuple(values["binning"]),
            window=tuple(values["window"]),
            settings=tuple((keyword, value) for keyword, value in values["settings"]),
            further=tuple((rows, columns) for rows, columns in values.get("further", ())),
        )
    )


@lru_cache(maxsize=1 << 8)
def _the_one(detector: Detector) -> Detector:
    """Give the same object for all that are equal: a camera reads out in few ways."""
    return detector


def read_identity(text: str) -> Identity:
    """Read from its JSON what the file system said of a file."""
    return Identity(**json.loads(text))


@lru_cache(maxsize=1 << 14)  # all are read again when one changes: a season's must find room
def read_master(text: str) -> Master:
    """Read a master from its JSON."""
    values = json.loads(text)
    values["kind"] = Kind(values["kind"])
    values["detector"] = _detector(values["detector"])
    values["inputs"] = tuple(values["inputs"])
    return Master(**values)


def read_product(text: str | None) -> Product | None:
    """Read a product from its JSON; None where there is none."""
    if text is None:
        return None
    values = json.loads(text)
    recipe = values["recipe"]
    values["recipe"] = Recipe(**{**recipe, "flags": tuple(recipe["flags"])})
    return Product(**values)


@lru_cache(maxsize=1 << 14)  # as masters
def read_statistics(text: str) -> Statistics:
    """Read statistics from their JSON."""
    return Statistics(**json.loads(text))


@lru_cache(maxsize=1 << 9)  # as frames
def read_profile(text: str | None) -> Profile | None:
    """Read a profile from its JSON; None where there is none."""
    if text is None:
        return None
    values = json.loads(text)
    values["structure"] = tuple(values["structure"])
    return Profile(**values)


def read_object_frame(
    frame: str, data_hash: str | None, header_hash: str, product: str | None
) -> ObjectFrame:
    """Make an object frame of its columns."""
    content = None if data_hash is None else (data_hash, header_hash)
    return ObjectFrame(read_frame(frame), content, read_product(product))


def read_record(
    path: str,
    state: str,
    reason: str,
    arrived: float,
    tries: int,
    frame: str | None,
    statistics: str | None,
    product: str | None,
) -> FrameRecord:
    """Make a record of its columns."""
    return FrameRecord(
        path,
        State(state),
        reason,
        arrived,
        tries,
        None if frame is None else read_frame(frame),
        None if statistics is None else read_statistics(statistics),
        read_product(product),
    )
