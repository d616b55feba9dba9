"""Jobs that could be done now, the most urgent first."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable

from tapewatch.model import BuildMaster, Job, Kind, MeasureFrame


def key_of(job: Job) -> str:
    """Name what a job is about.

    Parameters
    ----------
    job : Job
        Any.

    Returns
    -------
    str
        A master's ID or a frame's path.
    """
    return job.master.id if isinstance(job, BuildMaster) else job.frame.path


def folder_of(job: Job) -> str:
    """Give the folder that a job's outcome concerns.

    Parameters
    ----------
    job : Job
        Any.

    Returns
    -------
    str
        Relative to the watched folder.
    """
    return job.master.folder if isinstance(job, BuildMaster) else job.frame.folder


def urgency(job: Job) -> tuple[int, float]:
    """Order of jobs: masters, what makes them, new frames, then what is done anew.

    Parameters
    ----------
    job : Job
        Any.

    Returns
    -------
    tuple
        To be sorted by; of object frames the newest exposure comes first.
    """
    if isinstance(job, BuildMaster):
        return 0, job.master.start
    if isinstance(job, MeasureFrame):
        return (3 if job.frame.kind is Kind.OBJECT else 1), job.frame.start
    return (4 if job.redo else 2), -job.frame.start


class Queue:
    """Jobs waiting for a worker; one for each master or frame."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._of_folder: dict[str, set[str]] = defaultdict(set)
        self._heap: list[tuple[tuple[int, float], int, str, Job]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._jobs)

    def has_any(self, wanted: Callable[[Job], bool]) -> bool:
        """Tell whether there is a job of some kind.

        Parameters
        ----------
        wanted : callable
            Tells it of a job.

        Returns
        -------
        bool
        """
        return any(wanted(job) for job in self._jobs.values())

    def put(self, jobs: Iterable[Job]) -> None:
        """Add jobs; each takes the place of an earlier one about the same thing.

        Parameters
        ----------
        jobs : iterable of Job
            What could be done now.
        """
        for job in jobs:
            key = key_of(job)
            if self._jobs.get(key) != job:
                self._jobs[key] = job
                self._of_folder[folder_of(job)].add(key)
                heapq.heappush(self._heap, (urgency(job), next(self._count), key, job))

    def drop(self, key: str, folder: str) -> None:
        """Remove the job about a master or frame, if there is one.

        Parameters
        ----------
        key : str
            As `key_of` names it.
        folder : str
            As `folder_of` says.
        """
        self._jobs.pop(key, None)
        self._of_folder[folder].discard(key)

    def drop_others(self, folder: str, keep: Callable[[Job], bool]) -> None:
        """Remove the jobs of a folder that are no longer planned.

        Parameters
        ----------
        folder : str
            The folder.
        keep : callable
            Tells of a job whether it stays.
        """
        for key in [key for key in self._of_folder[folder] if not keep(self._jobs[key])]:
            self.drop(key, folder)

    def pop(self, ready: Callable[[Job], bool]) -> Job | None:
        """Take the most urgent job that can be started.

        Parameters
        ----------
        ready : callable
            Tells of a job whether it can be started now.

        Returns
        -------
        Job or None
            Removed from the queue.
        """
        passed_over = []
        found = None
        while self._heap and found is None:
            entry = heapq.heappop(self._heap)
            _, _, key, job = entry
            if self._jobs.get(key) is not job:
                continue  # replaced or dropped since
            if ready(job):
                found = job
                self.drop(key, folder_of(job))
            else:
                passed_over.append(entry)
        for entry in passed_over:
            heapq.heappush(self._heap, entry)
        return found
