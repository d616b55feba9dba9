"""Has what can be done planned, hands it out, and has it booked when it is done."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from tapewatch.errors import MasterLostError, NoSpaceError, OutputError
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import BuildMaster, CalibrateFrame, Job
from tapewatch.parameters import Parameters
from tapewatch.service.booking import Booking
from tapewatch.service.crew import Crew
from tapewatch.service.housekeeping import Housekeeping
from tapewatch.service.outages import EVERYTHING, Outages
from tapewatch.service.planner import Planner
from tapewatch.service.queue import Queue, folder_of
from tapewatch.service.telling import Telling
from tapewatch.workers import Workers, reason_of

_TIDY_EVERY = 1.0  # seconds, while there is work


class Foreman:
    """Turns the ledger's facts into work, and work into facts.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    ledger : Ledger
        Open for writing.
    workers : Workers
        Who do the jobs.
    log : Log
        Where each frame gets its line.
    wake : callable
        Called, from another thread, when a job has ended.
    """

    def __init__(
        self,
        parameters: Parameters,
        ledger: Ledger,
        workers: Workers,
        log: Log,
        wake: Callable[[], None],
    ) -> None:
        self._parameters = parameters
        self._ledger = ledger
        self._crew = Crew(workers, wake)
        self._log = log
        self._telling = Telling(log)
        self._housekeeping = Housekeeping(parameters.output, ledger, log)
        self.outages = Outages(ledger, log, parameters.rescan)
        self.booking = Booking(parameters.output, ledger, log, self.outages)
        self._queue = Queue()
        self.planner = Planner(
            parameters, ledger, self._telling, self._queue, self._housekeeping, self._crew.has
        )
        self._settled: set[str] = set()  # frames of masters that need not be built, after all
        self._wake = wake
        self._littered: set[str] = set()
        self._tidied = 0.0

    @property
    def working(self) -> bool:
        """Whether anything is being done, or could be now or after a pause."""
        return bool(self._crew or self._settled or self.planner.put_off) or (
            not self.outages.holds()
            and self._queue.has_any(lambda job: not self.booking.is_held(job))
        )

    def next_look(self) -> float | None:
        """When time alone will change what can be done, seconds since 1970."""
        times = [self.planner.next_look()]
        waits = (
            self.booking.next_look(),
            self.outages.next_look(),
            self._crew.next_deadline(),
        )
        times += [time.time() + seconds for seconds in waits if seconds is not None]
        return min((one for one in times if one is not None), default=None)

    def take_littered(self) -> set[str]:
        """Give the folders in which workers that died may have left unfinished files, once.

        Returns
        -------
        set of str
            Empty while anything is being written.
        """
        if self._crew:
            return set()
        littered, self._littered = self._littered, set()
        return littered

    def look_for_lost(self) -> set[str]:
        """See that masters and products are still on disk.

        Returns
        -------
        set of str
            Paths of the frames to be planned anew, for they have to be made again.
        """
        return self._with_output("what was made is looked for", self._housekeeping.forget_lost)

    def clear_up(self) -> None:
        """Remove provisional products that are not valid any more; at start, before any work."""
        self._with_output("provisional products", self._housekeeping.clear_up)

    def tidy(self, *, finish: bool) -> None:
        """Write lists, and say anew what waiting frames wait for: when idle, or now and then.

        Parameters
        ----------
        finish : bool
            As for `plan`.
        """
        if self.working and time.monotonic() < self._tidied + _TIDY_EVERY:
            return
        self.planner.renew_reasons(finish=finish)
        if not self.working:
            self._telling.waiting()
        self._write_lists()
        self._tidied = time.monotonic()

    def choose(self) -> list[tuple[Job, int]]:
        """Choose the most urgent jobs, as many as can be handed out.

        Returns
        -------
        list of (Job, int)
            Each with the number of its try, to be handed out when the ledger has it on disk.
        """
        chosen: list[tuple[Job, int]] = []
        while len(chosen) < self._crew.places and not self.outages.holds():
            job = self._queue.pop(self.booking.may_start)
            if job is None:
                break
            if tries := self.booking.begin(job):
                chosen.append((job, tries))
            elif isinstance(job, BuildMaster):
                self._settled.add(job.frames[0].path)
                self._wake()
        return chosen

    def hand_out(self, chosen: Iterable[tuple[Job, int]]) -> None:
        """Give jobs to the workers.

        Parameters
        ----------
        chosen : iterable of (Job, int)
            What `choose` gave.
        """
        for job, tries in chosen:
            self._crew.start(job, tries)

    def collect(self) -> set[str]:
        """Book the jobs that have ended.

        Returns
        -------
        set of str
            Paths of the frames that they concern, to be planned anew.
        """
        changed, self._settled = self._settled, set()
        with self._ledger.batch():
            for one in self._crew.ended():
                job, error = one.job, one.error
                if error is not None:
                    self._littered.add(folder_of(job))
                if one.is_blameless:
                    self.booking.take_back(job)
                elif error is None:
                    self.booking.succeed(job, one.future.result())
                else:
                    self.booking.fail(job, error, one.tries)
                if isinstance(error, MasterLostError):
                    changed |= self._frames_of(job, error.master_id)
                if isinstance(job, BuildMaster):
                    changed.add(job.frames[0].path)
                else:
                    changed.add(job.frame.path)
                    self._telling.forget(job.frame.path)
        return changed

    def _frames_of(self, job: Job, master_id: str) -> set[str]:
        """Give the paths of the frames of which a master can be made again."""
        masters = job.masters if isinstance(job, CalibrateFrame) else ()
        if isinstance(job, BuildMaster) and job.bias is not None:
            masters = (job.bias,)
        folders = {master.folder for master in masters if master.id == master_id}
        frames = (self._ledger.calibration_frames(folder) for folder in folders)
        return {one.frame.path for found in frames for one in found}

    def _write_lists(self) -> None:
        """Write the lists and plain names of each folder that can be written."""
        for folder in self._housekeeping.outdated:
            undone = f"lists of {folder}"
            if not self.outages.holds(undone):
                self._with_output(undone, partial(self._housekeeping.write, folder), holds=undone)

    def _with_output(
        self, doing: str, action: Callable[[], set[str] | None], holds: str = EVERYTHING
    ) -> set[str]:
        """Do what needs the output folder; a full or vanished disk is told, not fatal."""
        try:
            found = action()
        except (OSError, OutputError) as error:
            everything = isinstance(error, NoSpaceError)
            self.outages.begin(doing, reason_of(error), EVERYTHING if everything else holds)
            return set()
        self.outages.end(doing)
        return found or set()

    def stop(self, grace: float) -> None:
        """Let running jobs end, for a while; end the others, whose tries do not count, and all.

        Parameters
        ----------
        grace : float
            Seconds.
        """
        self._crew.wait(grace)
        self.planner.plan(self.collect())
        for job in self._crew.abandon():
            self.booking.take_back(job)
            self._littered.add(folder_of(job))
        self._write_lists()
