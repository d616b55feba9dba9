"""``tapewatch tail``: follow the log as a person reads it."""

import argparse
import json
import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

from structlog.typing import Processor

from tapewatch.errors import TapewatchError
from tapewatch.log import console
from tapewatch.parameters import read_parameters
from tapewatch.parfile import printable
from tapewatch.whereabouts import find

_POLL = 0.3  # seconds


def tail(options: argparse.Namespace) -> int:
    """Print the last lines of the log, and those that come, until Ctrl-C.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``lines``.

    Returns
    -------
    int
        0.

    Raises
    ------
    TapewatchError
        There is no log as a file, or it cannot be read.
    """
    parameters = read_parameters(options.par, workdir=options.workdir, may_be_away=True)
    where = find(parameters)
    if where is None or not where.log:
        raise TapewatchError(f"no log of {parameters.output} as a file (JSONLOG off?)")
    render = console(colours=sys.stdout.isatty())
    try:
        with closing(_follow(Path(where.log), max(options.lines, 0))) as news:
            for line in news:
                print(_rendered(line, render), flush=True)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `tapewatch tail | head`
        raise
    except OSError as error:
        raise TapewatchError(f"{where.log} cannot be read: {error.strerror}") from error
    return 0


def _rendered(line: str, render: Processor) -> str:
    """Render a line of the log; one that a crash or a full disk has torn is shown as it is."""
    try:
        return str(render(None, "", json.loads(line)))
    except ValueError:
        return printable(line.rstrip())


def _follow(log: Path, lines: int) -> Generator[str]:
    """Give the last lines of a file, then each new one; begin anew where it was rotated."""
    while True:
        with log.open(encoding="utf-8", errors="backslashreplace") as file:
            yield from deque(file, maxlen=lines)
            yield from _new_lines(log, file)
        lines = sys.maxsize


def _new_lines(log: Path, file: TextIO) -> Iterator[str]:
    """Give each line that is added to an open file, once it is whole, until it was rotated."""
    line = ""
    while True:
        line += file.readline()
        if line.endswith("\n"):
            yield line
            line = ""
        elif _was_rotated(log, file):
            return
        else:
            time.sleep(_POLL)


def _was_rotated(log: Path, file: TextIO) -> bool:
    """Tell whether a new file has the log's name, or the old one was emptied."""
    opened = os.fstat(file.fileno())
    try:
        named = log.stat()
    except FileNotFoundError:
        return False  # renamed, and the new one is yet to come
    return (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino) or (
        named.st_size < file.tell()
    )
