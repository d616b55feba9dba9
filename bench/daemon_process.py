"""A running ``tapewatch run`` and its log, for the benchmarks that need one."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TextIO

from measuring import command_of, environment

_PATIENCE = 120.0  # seconds


class Daemon:
    """A daemon that runs.

    Parameters
    ----------
    process : int
        Its ID.
    log : text file
        Its standard output.
    """

    def __init__(self, process: int, log: TextIO) -> None:
        self.id = process
        self._log = log
        self._lines: Queue[dict[str, object] | None] = Queue()
        self._reader = Thread(target=self._read)
        self._reader.start()

    def wait_for(self, event: str, **fields: object) -> dict[str, object]:
        """Wait for a line of the log, passing over others.

        Parameters
        ----------
        event : str
            Its event.
        **fields : object
            What else it says.

        Returns
        -------
        dict
            All of it.
        """
        while True:
            line = self._lines.get(timeout=_PATIENCE)
            if line is None:
                raise RuntimeError(f"the daemon ended before it logged {event}")
            if line["event"] == event and fields.items() <= line.items():
                return line

    def next_line(self, patience: float = _PATIENCE) -> dict[str, object] | None:
        """Give the next line of the log; None where none comes for so many seconds."""
        try:
            line = self._lines.get(timeout=patience)
        except Empty:
            return None
        if line is None:
            raise RuntimeError("the daemon ended")
        return line

    def end(self) -> None:
        """Wait until its log ends."""
        self._reader.join()

    def _read(self) -> None:
        for line in self._log:
            self._lines.put(json.loads(line))
        self._lines.put(None)


@contextmanager
def running(parameters: Path, prefix: Sequence[str] = ()) -> Iterator[Daemon]:
    """Run the daemon while the body runs; it watches the folder when the body begins.

    Parameters
    ----------
    parameters : Path
        Its tape.par.
    prefix : sequence of str
        A command that runs the one appended to it, in its own place.

    Yields
    ------
    Daemon
    """
    command = [*prefix, *command_of("run", "--par", parameters)]
    reading, writing = os.pipe()
    with (
        os.fdopen(reading) as log,
        subprocess.Popen(command, stdout=writing, env=environment()) as process,
    ):
        os.close(writing)
        daemon = Daemon(process.pid, log)
        try:
            daemon.wait_for("service.ready")
            yield daemon
        finally:
            process.terminate()
            daemon.end()
