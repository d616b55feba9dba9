"""One daemon a folder: the lock, held as long as the daemon lives."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from tapewatch.errors import FatalError, FolderTakenError
from tapewatch.fitsfile.atomic import write_text
from tapewatch.fitsfile.fence import begin_term
from tapewatch.parameters import Parameters
from tapewatch.whereabouts import FOLDER, LOCK, NOTE, Where, find, log_file, state_file


@contextmanager
def claim(parameters: Parameters) -> Iterator[Where]:
    """Hold the output folder against any other tapewatch.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.

    Yields
    ------
    Where
        As written to ``where.json``.

    Raises
    ------
    FolderTakenError
        Another tapewatch holds the folder.
    FatalError
        The folder cannot be written.
    """
    folder = parameters.output / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Never unlinked: a lock file that is deleted while held would let a second daemon in.
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise FatalError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(parameters)
            raise FolderTakenError(
                f"another tapewatch holds {parameters.output}{holder}"
            ) from error
        log = log_file(parameters)
        where = Where(
            state=str(state_file(parameters)),
            log="" if log is None else str(log),
            pid=os.getpid(),
            host=socket.gethostname(),
            started=time.time(),
            term=begin_term(folder),
        )
        write_text(folder / NOTE, json.dumps(asdict(where)) + "\n", "where")
        yield where
    finally:
        os.close(descriptor)


def _holder(parameters: Parameters) -> str:
    """Say who holds a folder, as far as its note tells."""
    where = find(parameters)
    return "" if where is None else f" (process {where.pid} on {where.host})"
