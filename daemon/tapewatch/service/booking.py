"""Books what comes back from the workers: products, masters, failures."""

import time
from collections import Counter
from pathlib import Path

from tapewatch.arrival.made import master_in
from tapewatch.errors import (
    FatalError,
    IncompleteFileError,
    MasterLostError,
    NoSpaceError,
    OutputError,
    RejectedError,
)
from tapewatch.facts import GIVEN_UP, TRIES
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import BuildMaster, CalibrateFrame, Job, MeasureFrame, Report, State
from tapewatch.service import lines
from tapewatch.service.outages import Outages
from tapewatch.service.queue import folder_of, key_of
from tapewatch.workers import reason_of

_PAUSE = 2.0  # seconds after a first failure, doubled with each

_DISK = "a file with room to spare"  # of outages: what could not be written


class Booking:
    """Writes the outcome of each job into the ledger and the log.

    Parameters
    ----------
    output : Path
        Output folder.
    ledger : Ledger
        Open for writing.
    log : Log
        Where each frame gets its line.
    outages : Outages
        What is held because the output folder, or a folder in it, cannot be written.
    """

    def __init__(self, output: Path, ledger: Ledger, log: Log, outages: Outages) -> None:
        self._output = output
        self._ledger = ledger
        self._log = log
        self._outages = outages
        self._not_before: dict[str, float] = {}  # by the monotonic clock, as the next
        self.done: Counter[str] = Counter()
        """What has been done since the start, for the log's last line."""
        self.suspects: dict[str, str] = {}
        """Frames whose files should be looked at again, and what a worker said of them."""

    def may_start(self, job: Job) -> bool:
        """Tell whether a job need wait neither after a failure nor for its folder."""
        paused = self._not_before.get(key_of(job), 0.0) > time.monotonic()
        return not paused and not self.is_held(job)

    def is_held(self, job: Job) -> bool:
        """Tell whether a job waits for its folder to be writable; to be measured it need not."""
        reads_only = isinstance(job, MeasureFrame)
        return not reads_only and self._outages.holds(products_of(folder_of(job)))

    def next_look(self) -> float | None:
        """Seconds until something that failed is tried again."""
        now = time.monotonic()
        times = list(self._not_before.values())
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
            How many tries it has been; 0 where it is not to be started: it has been given up, or
            was done just before the last kill.
        """
        if isinstance(job, BuildMaster):
            tries = self._ledger.begin_master(job.master.id)
        else:
            tries = self._ledger.begin(job.frame.path)
        if tries <= TRIES:
            return tries
        if isinstance(job, BuildMaster) and self._found(job):
            return 0
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
            self._outages.end(_DISK)
            self._outages.end(products_of(folder_of(job)))

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
        if isinstance(error, FatalError):
            raise error
        reason = reason_of(error)
        if isinstance(error, OutputError):
            self.take_back(job)
            self._hold(job, error, reason)
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

    def _found(self, job: BuildMaster) -> bool:
        """Book a master that was made before the last kill; tell whether it was."""
        path = self._output / job.master.path
        try:
            made = master_in(path, job.master.folder)
        except FileNotFoundError:
            return False
        except (IncompleteFileError, RejectedError, OSError) as error:
            self._log.warning("master.lost", reason=f"{path} cannot be read: {error}")
            return False
        if made is None or made.master.id != job.master.id:
            return False
        self._ledger.set_master(made.master, made.statistics, made.made[1] / 1e9)
        self._log.info("master.found", **lines.of_set(job), reason=f"made before the {TRIES}. kill")
        return True

    def _hold(self, job: Job, error: OutputError, reason: str) -> None:
        """Hold the work of the job's folder, or all where the disk has no room for any."""
        if isinstance(error, NoSpaceError):
            self._outages.begin(_DISK, reason)
        else:
            products = products_of(folder_of(job))
            self._outages.begin(products, reason, holds=products)

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
            self._ledger.give_up_master(job.master.id, reason, GIVEN_UP)
            self._log.error("master.failed", **lines.of_set(job), reason=reason)
            return
        self._ledger.set_verdicts([(job.frame.path, state, reason)])
        tell = self._log.error if state is State.FAILED else self._log.warning
        tell(f"frame.{state}", file=job.frame.path, reason=reason)


def products_of(folder: str) -> str:
    """Name what outages of a folder hold.

    Parameters
    ----------
    folder : str
        Relative to the watched folder.

    Returns
    -------
    str
        The same for all of its masters and products.
    """
    return f"products of {folder}"
