"""The log: one event, one line; JSON for machines, coloured text for a person at a terminal.

``docs/log.md`` documents every event and field; what is written here is the schema's version and
the form of the lines.
"""

import json
import sys
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

SCHEMA = 1
"""Version of the log's schema; told in the line ``service.starting``."""

Log = FilteringBoundLogger

# Lines stay below 4 kB, so that journald, syslog and pipes pass them on whole.
_LONGEST_VALUE = 600
_LONGEST_LINE = 4000
_KEPT = 6  # fields of a line that would be longer


def configure(stream: TextIO = sys.stdout, file: Path | None = None) -> Log:
    """Make the log.

    Parameters
    ----------
    stream : text file
        Gets coloured text where it is a terminal, else JSON.
    file : Path or None
        Gets the same lines as JSON, appended.

    Returns
    -------
    Log
        A structlog logger.
    """
    copy: TextIO | None = None
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        copy = file.open("a", encoding="utf-8", buffering=1)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bounded,
            _Copy(copy),
            console() if stream.isatty() else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    log: Log = structlog.get_logger()
    return log


def console(*, colours: bool = True) -> structlog.dev.ConsoleRenderer:
    """Make what renders an event for a person: time, level, event, then what it says.

    Parameters
    ----------
    colours : bool
        Use them.

    Returns
    -------
    structlog processor
        As ``tapewatch tail`` uses it, too.
    """
    return structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=18, sort_keys=False)


class _Copy:
    """Processor that writes each line to a file, too."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        if self._file is not None:
            self._file.write(_as_json(logger, name, event) + "\n")
        return event


def _bounded(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Round numbers, escape odd bytes and shorten values, so that a line is one line."""
    return {key: _presentable(value) for key, value in event.items()}


def _presentable(value: Any) -> Any:  # noqa: ANN401  (log values are of any type)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list | tuple):
        return [_presentable(one) for one in value]
    text = str(value).encode("utf-8", "backslashreplace").decode()
    text = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Write the line as JSON: timestamp, level, event, then the rest."""
    ordered = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    ordered.update(event)
    line = json.dumps(ordered)
    if len(line) <= _LONGEST_LINE:
        return line
    kept = dict(list(ordered.items())[:_KEPT])
    return json.dumps({**kept, "shortened": True})
