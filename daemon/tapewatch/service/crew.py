"""The jobs that workers have now: handed out, awaited, taken back at a stop."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from tapewatch.model import Job, Report
from tapewatch.service.queue import key_of
from tapewatch.workers import Workers


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job that a worker has, or has ended.

    Parameters
    ----------
    job : Job
        What to do.
    tries : int
        How many it has been, with this one.
    future : Future of Report
        What becomes of it.
    """

    job: Job
    tries: int
    future: Future[Report]


class Crew:
    """Workers and what they are at; one job more than there are workers, to be at hand.

    Parameters
    ----------
    workers : Workers
        Who do the jobs.
    wake : callable
        Called, from another thread, when a job has ended.
    """

    def __init__(self, workers: Workers, wake: Callable[[], None]) -> None:
        self._workers = workers
        self._wake = wake
        self._running: dict[str, Assignment] = {}
        self._attempts = 0

    def __len__(self) -> int:
        return len(self._running)

    @property
    def places(self) -> int:
        """Number of jobs that can be handed out now."""
        return max(self._workers.count + 1 - len(self._running), 0)

    def has(self, key: str) -> bool:
        """Tell whether a worker is at a master or frame.

        Parameters
        ----------
        key : str
            As `key_of` names it.

        Returns
        -------
        bool
            Then it is not to be handed out once more.
        """
        return key in self._running

    def start(self, job: Job, tries: int) -> None:
        """Hand out a job.

        Parameters
        ----------
        job : Job
            What to do.
        tries : int
            How many it has been, with this one; counted on disk already.
        """
        self._attempts += 1
        future = self._workers.start(job, f"{self._attempts:x}")
        self._running[key_of(job)] = Assignment(job, tries, future)
        future.add_done_callback(lambda _: self._wake())

    def ended(self) -> list[Assignment]:
        """Give the assignments that have ended, once each.

        Returns
        -------
        list of Assignment
            Their futures are done.
        """
        done = [one for one in self._running.values() if one.future.done()]
        for one in done:
            del self._running[key_of(one.job)]
        return done

    def wait(self, seconds: float) -> None:
        """Let jobs end, for a while.

        Parameters
        ----------
        seconds : float
            At most so long.
        """
        wait([one.future for one in self._running.values()], seconds)

    def abandon(self) -> list[Job]:
        """Give up what is still running, for the workers are about to be ended.

        Returns
        -------
        list of Job
            Those whose tries do not count.
        """
        abandoned = [one.job for one in self._running.values()]
        self._running.clear()
        return abandoned
