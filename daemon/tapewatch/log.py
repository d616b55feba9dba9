"""The log: one event, one line; JSON for machines, coloured text for a person at a terminal.

``docs/log.md`` documents every event and field; what is written here is the schema's version and
the form of the lines.
"""

import errno
import json
import logging
import math
import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from tapewatch.errors import FatalError

SCHEMA = 1
"""Version of the log's schema; told in the line ``service.starting``."""

Log = FilteringBoundLogger

# Lines stay below 4 kB, so that journald, syslog and pipes pass them on whole.
_LONGEST_VALUE = 600  # characters
_LONGEST_LINE = 4000  # bytes
_SHORTENED = {"shortened": True}  # said by a line that lacks what would have made it longer
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)
_NOTICE = 5
_DIGITS = 5  # of a number on the console
_PATIENCE = 1000  # milliseconds that a reader of the lines may be behind
_MISSED = "lines_missed"  # says how many lines before it could not be written there
_MASTERS = ("bias", "dark", "flat", "master")  # fields that name a master's file


def configure(stream: TextIO | None = None, file: Path | None = None) -> Log:
    """Make the log.

    Parameters
    ----------
    stream : text file or None
        Gets coloured text where it is a terminal, else JSON; where it is systemd's journal, with
        each line's priority. None: `sys.stdout`, if there is one.
    file : Path or None
        Gets the same lines as JSON, appended.

    Returns
    -------
    Log
        A structlog logger.

    Raises
    ------
    FatalError
        The file cannot be written.
    """
    stream = stream or sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    outlet = _Stream(stream)
    copy = [] if file is None else [_Copy(file)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bounded,
            *copy,
            outlet.tell_missed,
            _rendering(stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: outlet,
        cache_logger_on_first_use=False,
    )
    log: Log = structlog.get_logger()
    return log


def console(*, colours: bool = True) -> Processor:
    """Make what renders an event for a person: time of day, level, event, then what it says.

    Parameters
    ----------
    colours : bool
        Use them.

    Returns
    -------
    structlog processor
        As ``tapewatch tail`` uses it, too.
    """
    render = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=18, sort_keys=False)

    def for_a_person(logger: WrappedLogger, name: str, event: EventDict) -> str:
        return str(render(logger, name, _brief(event)))

    return for_a_person


def _is_journal(stream: TextIO) -> bool:
    """Tell whether a stream goes to systemd's journal (systemd.exec(5), ``$JOURNAL_STREAM``)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _for_the_journal(logger: WrappedLogger, level: str, event: EventDict) -> str:
    """Write the line as JSON, behind what the journal reads its priority from (sd-daemon(3))."""
    return f"<{_PRIORITIES.get(level, _NOTICE)}>{_as_json(logger, level, event)}"


def _rendering(stream: TextIO) -> Processor:
    """Choose the form of the lines for a stream."""
    if stream.isatty():
        return console()
    return _for_the_journal if _is_journal(stream) else _as_json


class _Stream:
    """Logger that writes lines to a stream; that nobody reads them must not hold up the night.

    A pipe that nobody reads from is full at some time, and who writes to it then waits for ever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._missed = 0
        self._room: select.poll | None = None
        with suppress(OSError, ValueError):  # a stream that is no file, or closed
            descriptor = stream.fileno()
            self._room = select.poll()
            self._room.register(descriptor, select.POLLOUT)

    def tell_missed(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """Say in an event how many lines before it could not be written."""
        return {**event, _MISSED: self._missed} if self._missed else event

    def msg(self, line: str) -> None:
        """Write a line."""
        # A line is shorter than what a pipe has room for when it says that it has any (pipe(7)).
        patience = 0 if self._missed else _PATIENCE
        if self._room is not None and not self._room.poll(patience):
            self._missed += 1
            return
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()
            self._missed = 0

    debug = info = warning = error = critical = msg


class _Copy:
    """Processor that writes each line to a file, too.

    The file is opened for each line, so that it may be rotated at any time, and a line is written
    at once, so that none is torn by another program's reading or by our end.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._missed = 0
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.open("ab").close()
        except OSError as error:
            raise FatalError(f"the log {file} cannot be written: {error.strerror}") from error

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        told = {**event, _MISSED: self._missed} if self._missed else event
        try:
            self._append((_as_json(logger, name, told) + "\n").encode())
        except OSError as error:
            # A full disk must not end the night: the line is on stdout, too, and the first says so.
            self._missed += 1
            trouble = f"the log {self._file} cannot be written: {error.strerror}"
            return {**event, "log_trouble": trouble} if self._missed == 1 else event
        self._missed = 0
        return event

    def _append(self, line: bytes) -> None:
        with self._file.open("ab", buffering=0) as file:
            end = file.tell()
            if file.write(line) < len(line):  # the rest has no room: no half of a line may stay
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _brief(event: EventDict) -> EventDict:
    """Leave out what a person does not look for: dates, digits, IDs of masters, empty values."""
    brief: EventDict = {key: value for key, value in event.items() if value not in ("", [])}
    brief["timestamp"] = str(event.get("timestamp", ""))[11:19]
    for key, value in brief.items():
        if isinstance(value, float):
            brief[key] = f"{value:.{_DIGITS}g}"
        elif key in _MASTERS:
            brief[key] = _without_id(str(value))
    return brief


def _without_id(path: str) -> str:
    """Shorten ``M13/masters/wbias-9da9299f10de9ea5.fits`` to ``M13/wbias``."""
    folder, _, name = path.rpartition("masters/")
    return folder + name.rpartition("-")[0] if name.count("-") else path


def _bounded(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Round numbers, escape odd bytes and shorten values, so that a line is one line."""
    return {key: _presentable(value) for key, value in event.items()}


def _presentable(value: Any) -> Any:  # noqa: ANN401  (log values are of any type)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None  # JSON knows no NaN
    if isinstance(value, list | tuple):
        return [_presentable(one) for one in value]
    # No longer than needed before it is escaped, which makes it longer.
    text = str(value)[: _LONGEST_VALUE + 1].encode("utf-8", "backslashreplace").decode()
    text = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Write the line as JSON: timestamp, level, event, then the rest."""
    ordered = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    ordered.update(event)
    line = json.dumps(ordered)
    if len(line) <= _LONGEST_LINE:
        return line
    kept, size = {}, len(json.dumps(_SHORTENED))
    for key, value in ordered.items():
        needed = len(json.dumps({key: value}))
        if size + needed <= _LONGEST_LINE:
            kept[key] = value
            size += needed
    return json.dumps(kept | _SHORTENED)
