"""The pool of worker processes, and what their failures mean.

Workers are made by a fork server, never by forking the daemon: they inherit neither its lock nor
its threads. A worker that crashes or hangs costs one try of one frame; a broken pool is rebuilt.
"""

import ctypes
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from tapewatch import forkserver
from tapewatch.errors import FatalError, TapewatchError
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.model import BuildMaster, Job, Report, Workplace

Result = TypeVar("Result")

# A frame takes tens of milliseconds; a job that takes this much longer hangs.
_PATIENCE = 120.0  # seconds, the next too
_PATIENCE_PER_FRAME = 20.0
_PATIENCE_PER_PIXEL = 4e-6  # four bytes over a share that gives a megabyte a second
_LONGEST = 3600.0
# Most that jobs were measured to take: 64 bytes a pixel (UNCERT), 106 with COSMIC, the masters kept
# included; of a .fz file its pixels twice besides.
_MEMORY = 1 << 30  # bytes
_MEMORY_PER_PIXEL = 96  # bytes, and as many again to look for cosmic rays
UNPACKING_PATIENCE = 900.0
"""Seconds after which to unpack a file counts as hanging: bzip2 makes ten megabytes a second."""

_PAUSES = (0.0, 0.1, 0.5, 2.0, 0.0)  # seconds until processes are made once more
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
        self._jobs = _Processes(count)
        self._unpacking = _Processes(1)

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
            Fails with what the job raised, with pebble's `ProcessExpired` where its worker died,
            or with `BrokenProcessPool` where one died and pebble cannot tell whose. To cancel it
            ends the worker.

        Raises
        ------
        FatalError
            No worker process can be started.
        """
        return self._jobs.schedule(_perform, job, self._place, attempt)

    def inspect(self, path: Path) -> Future[Inspection]:
        """Have a file unpacked and looked into, one after the other, beside all jobs.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        Future of Inspection
            Fails as that of a job.

        Raises
        ------
        FatalError
            No process can be started.
        """
        return self._unpacking.schedule(_inspect, path)

    def warm_up(self) -> None:
        """Start the processes now, so that the first frame need not wait for them.

        Raises
        ------
        FatalError
            None can be started.
        """
        for _ in range(self.count):
            self._jobs.schedule(_nothing)

    def stop(self) -> None:
        """End all workers at once; a job that runs leaves nothing but a temporary file."""
        self._jobs.stop()
        self._unpacking.stop()


class _Processes:
    """So many processes, which are made when they are wanted first, and anew when they break."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begin()

    def _begin(self) -> None:
        self._pool = ProcessPool(
            max_workers=self._count, initializer=_prepare_worker, context=forkserver.CONTEXT
        )

    def schedule(self, function: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Have a function called by the next free process.

        All may break at this very moment: when the fork server dies as they are made. It is
        replaced as soon as it has ended.
        """
        reason: BaseException | None = None
        for pause in _PAUSES:
            try:
                future: Future[Result] = self._pool.schedule(function, args=arguments)
            except RuntimeError as error:  # of pebble, `BrokenProcessPool` included
                reason = error.__cause__ or error
                self.stop()
                self._begin()
                time.sleep(pause)
            else:
                return future
        raise FatalError(f"no worker process can be started: {reason!r}")

    def stop(self) -> None:
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
    frames = job.frames if isinstance(job, BuildMaster) else (job.frame,)
    each = _PATIENCE_PER_FRAME + _PATIENCE_PER_PIXEL * _pixels_of(job)
    return min(_PATIENCE + len(frames) * each, _LONGEST)


def memory_of(job: Job, place: Workplace) -> int:
    """Memory that a job may take beyond what its worker has already.

    Parameters
    ----------
    job : Job
        The job.
    place : Workplace
        Whose treatment says whether cosmic rays are looked for.

    Returns
    -------
    int
        Bytes of address space, never more than this machine has.
    """
    times = 2 if place.treatment.cosmic else 1
    wanted = _MEMORY + times * _MEMORY_PER_PIXEL * _pixels_of(job)
    return min(wanted, os.sysconf("SC_PHYS_PAGES") * resource.getpagesize())


@contextmanager
def bounded_memory(more: int) -> Iterator[None]:
    """Have what is asked for in the body beyond so many bytes refused, as a `MemoryError`.

    Without this bound a file that asks for too much brings the whole machine into trouble.

    Parameters
    ----------
    more : int
        Bytes of address space beyond what this process has already.

    Yields
    ------
    None
        Once.
    """
    statm = Path("/proc/self/statm")
    if not statm.exists():
        yield
        return
    mapped = int(statm.read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bounds = [mapped + more, *(one for one in (soft, hard) if one != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def error_of(future: Future[Result]) -> BaseException | None:
    """Give what a call that has ended raised, or became of it.

    Parameters
    ----------
    future : Future
        Done.

    Returns
    -------
    BaseException or None
        `TimeoutError` where it was cancelled, as is what takes too long.
    """
    return TimeoutError() if future.cancelled() else future.exception()


def is_of_worker(error: BaseException) -> bool:
    """Tell whether an error is what became of a worker, not what it found."""
    if isinstance(error, TimeoutError):
        return not error.args  # else the system's
    return isinstance(error, ProcessExpired | BrokenProcessPool | MemoryError)


def reason_of(error: BaseException) -> str:
    """Put into words for the log why a job failed.

    Parameters
    ----------
    error : BaseException
        What it raised, or what became of its worker.

    Returns
    -------
    str
        The message; with the type where it was none that we expected.
    """
    if isinstance(error, ProcessExpired):
        return f"its worker process died (exit code {error.exitcode})"
    if isinstance(error, BrokenProcessPool):
        return "its worker process died"
    if isinstance(error, MemoryError):
        return f"MemoryError: it asks for more than a frame of its size may take {error}".rstrip()
    if isinstance(error, TimeoutError) and is_of_worker(error):
        return "it took too long and was ended"
    if isinstance(error, TapewatchError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _pixels_of(job: Job) -> int:
    """Count the pixels of one frame of a job."""
    frame = job.frames[0] if isinstance(job, BuildMaster) else job.frame
    return sum(rows * columns for rows, columns in frame.detector.shapes)


def _prepare_worker() -> None:
    """Let a worker end with the daemon, and leave Ctrl-C to it.

    A worker's parent is the fork server, which ends when the daemon does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    forkserver.let_go()
    if Path("/proc/self").exists():
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    daemon = multiprocessing.parent_process()
    if daemon is not None and not daemon.is_alive():  # it ended before the line above
        os._exit(1)


def _perform(job: Job, place: Workplace, attempt: str) -> Report:
    """Do a job, in a worker; the daemon itself loads neither numpy nor what else jobs need."""
    from tapewatch.jobs.perform import perform  # noqa: PLC0415  (the fork server has it loaded)

    with bounded_memory(memory_of(job, place)):
        return perform(job, place, attempt)


def _inspect(path: Path) -> Inspection:
    """Look into a file, in a process of its own."""
    with bounded_memory(_MEMORY):
        return inspect(path)


def _nothing() -> None:
    """Do nothing, in a process that is there after it."""
