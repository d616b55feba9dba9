"""Books what comes back from the workers: products, masters, failures."""

import time
from collections import Counter
from concurrent.futures.process import BrokenProcessPool

from pebble import ProcessExpired

from tapewatch.errors import (
    FatalError,
    IncompleteFileError,
    MasterLostError,
    OutputError,
    RejectedError,
    TapewatchError,
)
from tapewatch.facts import TRIES
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import BuildMaster, CalibrateFrame, Job, MeasureFrame, Report, State
from tapewatch.service import lines
from tapewatch.service.queue import key_of

_PAUSE = 2.0  # seconds after a first failure, doubled with each

OUTPUT_TROUBLE = "output_trouble"
"""Note in the ledger: what is wrong with the output folder now."""


class Booking:
    """Writes the outcome of each job into the ledger and the log.

    Parameters
    ----------
    ledger : Ledger
        Open for writing.
    log : Log
        Where each frame gets its line.
    rescan : float
        Seconds for which all work is held when the output disk is in trouble (RESCAN).
    """

    def __init__(self, ledger: Ledger, log: Log, rescan: float) -> None:
        self._ledger = ledger
        self._log = log
        self._rescan = rescan
        self._not_before: dict[str, float] = {}  # by the monotonic clock, as the next
        self._held_until = 0.0
        self._degraded = False
        self.done: Counter[str] = Counter()
        """What has been done since the start, for the log's last line."""
        self.suspects: dict[str, str] = {}
        """Frames whose files should be looked at again, and what a worker said of them."""

    def may_start(self, key: str) -> bool:
        """Tell whether a job need not wait after a failure."""
        return self._not_before.get(key, 0.0) <= time.monotonic()

    @property
    def held(self) -> bool:
        """Whether all work is held for the sake of the output disk."""
        return time.monotonic() < self._held_until

    def next_look(self) -> float | None:
        """Seconds until something that was held can go on."""
        now = time.monotonic()
        times = [*self._not_before.values(), *([self._held_until] if self.held else [])]
        # What is over by now is told once more: it may not have been when jobs were chosen.
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        return max(min(times) - now, 0.0) if times else None

    def begin(self, job: Job) -> int:
        """Count a try before the work begins: what kills its worker, or us, ends after `TRIES`.

        Parameters
        ----------
        job : Job
            About to be started.

        Returns
        -------
        int
            How many tries it has been; 0 where it has been given up instead.
        """
        if isinstance(job, BuildMaster):
            tries = self._ledger.begin_master(job.master.id)
        else:
            tries = self._ledger.begin(job.frame.path)
        if tries <= TRIES:
            return tries
        self._give_up(job, State.FAILED, f"its worker did not come back, {TRIES} times")
        return 0

    def succeed(self, job: Job, report: Report) -> None:
        """Book a job that was done.

        Parameters
        ----------
        job : Job
            The job.
        report : Report
            What was made; it is on disk.
        """
        if isinstance(job, BuildMaster):
            known = self._ledger.identities(frame.path for frame in job.frames)
            if any(
                known.get(frame.path) != identity
                for frame, identity in zip(job.frames, report.identities, strict=True)
            ):
                self.take_back(job)
                self._suspect(job, "")
                return
            self._ledger.set_master(job.master, report.statistics, report.ended)
            for line in lines.of_inputs(job, report):
                self._log.info("frame.combined", **line)
            self.done["masters_built"] += 1
            self._log.info("master.built", **lines.of_master(job, report))
        elif isinstance(job, CalibrateFrame):
            arrived = self._ledger.set_product(job.frame.path, report)
            self.done["frames_calibrated"] += 1
            self._log.info("frame.calibrated", **lines.of_product(job, report, arrived))
        else:
            self._ledger.set_content(job.frame.path, report)
            self.done["frames_measured"] += 1
            self._log.info("frame.measured", **lines.of_frame(job, report))
        for reason in report.warnings:
            self._log.warning("quality.warning", **lines.named(job), reason=reason)
        for reason in report.advice:
            self._log.info("quality.advice", **lines.named(job), reason=reason)
        if not isinstance(job, MeasureFrame):  # which writes nothing
            self.restore()

    def fail(self, job: Job, error: BaseException, tries: int) -> None:
        """Book a job that failed.

        Parameters
        ----------
        job : Job
            The job.
        error : BaseException
            What the worker raised, or what became of it.
        tries : int
            How many it has been.

        Raises
        ------
        FatalError
            Another tapewatch has taken the folder meanwhile, for all that the lock says.
        """
        reason = reason_of(error)
        if isinstance(error, FatalError):
            raise error
        if isinstance(error, OutputError):
            self.take_back(job)
            self.degrade(reason)
        elif isinstance(error, MasterLostError):
            self.take_back(job)
            self._ledger.forget_master(error.master_id)
            self._log.warning("master.lost", reason=reason)
        elif isinstance(error, RejectedError):
            self._give_up(job, State.REJECTED, reason)
        elif isinstance(error, IncompleteFileError | FileNotFoundError):
            self._suspect(job, reason)
        elif tries >= TRIES:
            self._give_up(job, State.FAILED, f"{reason} ({tries} tries)")
        else:
            self._not_before[key_of(job)] = time.monotonic() + _PAUSE * 2 ** (tries - 1)
            self._log.warning("job.retry", **lines.of_job(job), reason=reason, tries=tries)

    def take_back(self, job: Job) -> None:
        """Take back a try that failed, or was ended, for no fault of the frame.

        Parameters
        ----------
        job : Job
            The job.
        """
        if isinstance(job, BuildMaster):
            self._ledger.take_back_master(job.master.id)
        else:
            self._ledger.take_back(job.frame.path)

    def degrade(self, reason: str) -> None:
        """Hold all work until the next scan, and say why, once.

        Parameters
        ----------
        reason : str
            What is wrong with the output folder.
        """
        self._held_until = time.monotonic() + self._rescan
        if not self._degraded:
            self._degraded = True
            self._ledger.set_note(OUTPUT_TROUBLE, reason)
            self._log.error("service.degraded", reason=reason)

    def restore(self) -> None:
        """Say that the trouble with the output folder is over, where there was any."""
        if self._degraded:
            self._degraded = False
            self._ledger.set_note(OUTPUT_TROUBLE, "")
            self._log.info("service.restored")

    def _suspect(self, job: Job, reason: str) -> None:
        """Have the files of a job looked at again: one was cut short, or is gone."""
        self._not_before[key_of(job)] = time.monotonic() + _PAUSE
        if isinstance(job, BuildMaster):
            # All of them were whole when they were measured: what changed will be seen.
            self.suspects |= {frame.path: "" for frame in job.frames}
        else:
            self.suspects[job.frame.path] = reason

    def _give_up(self, job: Job, state: State, reason: str) -> None:
        """Set a frame, or a set's master, aside until something about it changes."""
        if isinstance(job, BuildMaster):
            self._ledger.give_up_master(job.master.id, reason, TRIES)
            self._log.error("master.failed", **lines.of_set(job), reason=reason)
            return
        self._ledger.set_verdicts([(job.frame.path, state, reason)])
        tell = self._log.error if state is State.FAILED else self._log.warning
        tell(f"frame.{state}", file=job.frame.path, reason=reason)


def reason_of(error: BaseException) -> str:
    """Put an error into words for the log.

    Parameters
    ----------
    error : BaseException
        What was raised.

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
    if isinstance(error, TimeoutError) and not error.args:  # not the system's
        return "it took too long and was ended"
    if isinstance(error, TapewatchError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"
