"""Frames, masters and jobs as plain values, a ledger to put them in, and a log that is a list."""

import itertools
import logging
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import LogCapture
from structlog.typing import EventDict

from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import (
    BuildMaster,
    CalibrateFrame,
    Content,
    Detector,
    Frame,
    Identity,
    Kind,
    Master,
    Product,
    Recipe,
    Report,
    Statistics,
)
from tapewatch.parameters import Parameters, read_parameters

DETECTOR = Detector("ATK-11000", (40, 50), (1, 1))
STATISTICS = Statistics(1000.5, 5.25, 1020.0, 980.0)
EVENING = 1_774_461_600.0  # 2026-03-25 18:00:00 UTC

_numbers = itertools.count(1)


def parameters(folder: Path, **keys: object) -> Parameters:
    """Read the parameters of a folder that has a tape.par with these keys."""
    path = folder / "tape.par"
    lines = {"WORKDIR": ".", "MINFREE": 0, **keys}
    path.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return read_parameters(path)


def captured_log() -> tuple[Log, list[EventDict]]:
    """Make a log that keeps its lines, and give both: ``event``, ``log_level`` and the fields."""
    capture = LogCapture()
    log: Log = structlog.wrap_logger(
        None,
        processors=[capture],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    return log, capture.entries


def told(lines: list[EventDict]) -> list[tuple[str, str]]:
    """Give event and level of each line."""
    return [(line["event"], line["log_level"]) for line in lines]


def an_identity() -> Identity:
    """Give the identity of a file that no other call gives."""
    number = next(_numbers)
    return Identity(1, number, 2880, number, number)


def a_frame(path: str, kind: Kind = Kind.OBJECT, **fields: Any) -> Frame:  # noqa: ANN401
    """Describe a frame; of what is not said there are plain values."""
    values: dict[str, Any] = {
        "detector": DETECTOR,
        "exptime": 0.0 if kind is Kind.BIAS else 60.0,
        "filter": "R",
        "date_obs": "2026-03-25T18:00:00",
        "start": EVENING,
    }
    return Frame(path, kind, **{**values, **fields})


def a_master(master_id: str, kind: Kind = Kind.BIAS, **fields: Any) -> Master:  # noqa: ANN401
    """Describe a master; of what is not said there are plain values."""
    values: dict[str, Any] = {
        "folder": "",
        "stem": f"w{kind}",
        "set_id": "0" * 16,
        "detector": DETECTOR,
        "exptime": 0.0,
        "filter": "R",
        "temperature": None,
        "start": EVENING,
        "inputs": ("one", "two"),
    }
    return Master(master_id, kind, **{**values, **fields})


def a_product(path: str, content: Content, recipe: Recipe | None = None) -> Product:
    """Describe a product made of a raw frame's content."""
    recipe = recipe or Recipe("b" * 16, "d" * 16, "f" * 16)
    return Product("c" * 16, path, content.data_hash, content.header_hash, recipe)


def take(ledger: Ledger, frame: Frame, arrived: float = EVENING) -> Identity:
    """Record a frame as one that came whole."""
    identity = an_identity()
    ledger.set_frame(frame, identity, "header", arrived)
    return identity


def finish(ledger: Ledger, frame: Frame, product_path: str) -> Product:
    """Record a frame that came and was calibrated."""
    identity = take(ledger, frame)
    content = Content(identity, f"data of {frame.path}", "header")
    product = a_product(product_path, content)
    ledger.set_product(frame.path, Report(STATISTICS, content, product, ended=EVENING + 9))
    return product


def a_build(master: Master, *paths: str) -> BuildMaster:
    """Describe the job of building a master of frames with these paths."""
    return BuildMaster(master, tuple(a_frame(path, master.kind) for path in paths))


def a_calibration(path: str, *, redo: bool = False, **fields: Any) -> CalibrateFrame:  # noqa: ANN401
    """Describe the job of calibrating the object frame with a path."""
    return CalibrateFrame(a_frame(path, **fields), Recipe("b" * 16), redo=redo)
