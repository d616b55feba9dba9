"""``tapewatch tail``: follow the log as a person reads it."""

import argparse
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from tapewatch.errors import TapewatchError
from tapewatch.log import console
from tapewatch.parameters import read_parameters
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
        There is no log as a file.
    """
    parameters = read_parameters(options.par, workdir=options.workdir)
    where = find(parameters)
    if where is None or not where.log:
        raise TapewatchError(f"no log of {parameters.output} as a file (JSONLOG off?)")
    render = console(colours=sys.stdout.isatty())
    try:
        for line in _follow(Path(where.log), options.lines):
            print(render(None, "", json.loads(line)), flush=True)
    except KeyboardInterrupt:
        return 0
    return 0


def _follow(log: Path, lines: int) -> Iterator[str]:
    """Give the last lines of a file, then each new one; begin anew where it was rotated."""
    file = log.open(encoding="utf-8")
    yield from deque(file, maxlen=lines)
    while True:
        if line := file.readline():
            yield line
        elif log.exists() and log.stat().st_ino != os.fstat(file.fileno()).st_ino:
            file.close()
            file = log.open(encoding="utf-8")
        else:
            time.sleep(_POLL)
