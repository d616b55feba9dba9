"""The fork server: a process that has loaded what workers need, and that they are forked from.

Never forked from the daemon itself, workers inherit neither its lock nor its threads.
"""

import multiprocessing
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
