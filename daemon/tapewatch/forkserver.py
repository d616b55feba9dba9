"""The fork server: a process that has loaded what workers need, and that they are forked from.

Never forked from the daemon itself, workers inherit neither its lock nor its threads.
"""

import multiprocessing
import os
from multiprocessing import forkserver

CONTEXT = multiprocessing.get_context("forkserver")
"""How worker processes are made."""

# Named only: to import them here would take as long. Workers load the command, too.
_PRELOADED = ["tapewatch.jobs.perform", "tapewatch.workers", "tapewatch.cli"]


def start() -> None:
    """Start the fork server, without waiting for it; no effect where it runs already.

    Called before the daemon loads its own modules, it loads those of the workers meanwhile.
    """
    CONTEXT.set_forkserver_preload(_PRELOADED)
    forkserver.ensure_running()


def let_go() -> None:
    """In a worker: do not keep the fork server alive; it ends with the daemon then.

    It ends when no process is left that might want others, and every worker counts as one: what
    hangs would keep the server, and so itself, for ever.
    """
    server = forkserver._forkserver  # noqa: SLF001  (there is no other way to it)
    held: int | None = getattr(server, "_forkserver_alive_fd", None)
    if held is not None:
        os.close(held)
        server._forkserver_alive_fd = None  # type: ignore[attr-defined]  # noqa: SLF001
