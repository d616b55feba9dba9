"""The jobs that workers have now: handed out, awaited, taken back at a stop."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from tapewatch.model import Job, Report
from tapewatch.service.queue import key_of
from tapewatch.workers import Workers, error_of, timeout_of


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
        What becomes of it; cancelled where it took too long.
    deadline : float
        When it has taken too long, by the monotonic clock: the wall clock may be set meanwhile.
    alone : bool
        No other job was given to a worker until it ended.
    """

    job: Job
    tries: int
    future: Future[Report]
    deadline: float
    alone: bool = False

    @property
    def error(self) -> BaseException | None:
        """What the job raised, or became of it; `TimeoutError` where it was cancelled."""
        return error_of(self.future)

    @property
    def is_blameless(self) -> bool:
        """Whether it ended with others because a worker died, and nobody knows at which job."""
        return not self.alone and isinstance(self.error, BrokenProcessPool)


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
        self._one_by_one = 0  # how many more jobs

    def __len__(self) -> int:
        return len(self._running)

    @property
    def places(self) -> int:
        """Number of jobs that can be handed out now.

        After a death of which nobody knows whose it was, jobs are done one by one for a while:
        then the next one can be blamed on its job.
        """
        most = 1 if self._one_by_one else self._workers.count + 1
        return max(most - len(self._running), 0)

    def next_deadline(self) -> float | None:
        """Seconds until a job will have taken too long."""
        if not self._running:
            return None
        return min(one.deadline for one in self._running.values()) - time.monotonic()

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
        patience = timeout_of(job)
        if len(self._running) >= self._workers.count:  # it has to wait for one of them
            patience += max(timeout_of(one.job) for one in self._running.values())
        future = self._workers.start(job, f"{self._attempts:x}")
        deadline = time.monotonic() + patience
        self._running[key_of(job)] = Assignment(
            job, tries, future, deadline, alone=bool(self._one_by_one)
        )
        future.add_done_callback(lambda _: self._wake())

    def ended(self) -> list[Assignment]:
        """Give the assignments that have ended, once each; end those that took too long.

        Returns
        -------
        list of Assignment
            Their futures are done.
        """
        now = time.monotonic()
        for one in self._running.values():
            if now >= one.deadline:
                one.future.cancel()
        done = [one for one in self._running.values() if one.future.done()]
        for one in done:
            del self._running[key_of(one.job)]
        blameless = sum(one.is_blameless for one in done)
        self._one_by_one = max(self._one_by_one - len(done), 0) + blameless
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
        """Give up what is still running, and end the workers.

        Returns
        -------
        list of Job
            Those whose tries do not count.
        """
        abandoned = [one.job for one in self._running.values()]
        self._running.clear()
        self._workers.stop()
        return abandoned
