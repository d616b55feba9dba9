"""The pool of worker processes, and what their failures mean.

Workers are made by a fork server, never by forking the daemon: they inherit neither its lock nor
its threads. A worker that crashes or hangs costs one try of one frame; a broken pool is rebuilt.
"""

import ctypes
import signal
from concurrent.futures import Future
from pathlib import Path

from pebble import ProcessPool

from tapewatch import forkserver
from tapewatch.model import BuildMaster, Job, Report, Workplace

# A frame takes tens of milliseconds; a job that takes this much longer hangs.
_PATIENCE = 120.0
_PATIENCE_PER_FRAME = 20.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Workers:
    """Worker processes that do jobs.

    Parameters
    ----------
    count : int
        How many.
    place : Workplace
        Where they read and write.
    """

    def __init__(self, count: int, place: Workplace) -> None:
        self.count = count
        self._place = place
        forkserver.start()
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.count, initializer=_prepare_worker, context=forkserver.CONTEXT
        )

    def start(self, job: Job, attempt: str) -> Future[Report]:
        """Hand a job to the next free worker.

        Parameters
        ----------
        job : Job
            What to do.
        attempt : str
            Names this attempt.

        Returns
        -------
        Future of Report
            Fails with what the job raised, with `TimeoutError`, or with pebble's `ProcessExpired`
            where the worker died.
        """
        if not self._pool.active:
            self._pool = self._new_pool()
        future: Future[Report] = self._pool.schedule(
            _perform, args=(job, self._place, attempt), timeout=timeout_of(job)
        )
        return future

    def warm_up(self) -> None:
        """Start the processes now, so that the first frame need not wait for them."""
        for _ in range(self.count):
            self._pool.schedule(_nothing)

    def stop(self) -> None:
        """End all workers at once; a job that runs leaves nothing but a temporary file."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # pebble types its other methods
        self._pool.join()


def timeout_of(job: Job) -> float:
    """Time after which a job counts as hanging.

    Parameters
    ----------
    job : Job
        The job.

    Returns
    -------
    float
        Seconds.
    """
    frames = len(job.frames) if isinstance(job, BuildMaster) else 1
    return _PATIENCE + _PATIENCE_PER_FRAME * frames


def _prepare_worker() -> None:
    """Let a worker end with the daemon, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if Path("/proc/self").exists():
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _perform(job: Job, place: Workplace, attempt: str) -> Report:
    """Do a job, in a worker; the daemon itself loads neither numpy nor what else jobs need."""
    from tapewatch.jobs.perform import perform  # noqa: PLC0415  (the fork server has it loaded)

    return perform(job, place, attempt)


def _nothing() -> None:
    """Do nothing, in a process that is there after it."""
