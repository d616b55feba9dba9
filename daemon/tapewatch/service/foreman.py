"""Plans what to do, hands it out, and has it booked when it is done.

The ledger is the only memory. What is kept here can be made again from it: the queue, by planning;
which masters can be used, by planning, too.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from tapewatch.errors import NoSpaceError
from tapewatch.facts import gather
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import BuildMaster, Job, Kind, ObjectFrame, Report, State
from tapewatch.parameters import Parameters
from tapewatch.planning.plan import Plan, plan
from tapewatch.service import lines
from tapewatch.service.booking import Booking, reason_of
from tapewatch.service.housekeeping import Housekeeping
from tapewatch.service.queue import Queue, key_of
from tapewatch.workers import Workers

_TIDY_EVERY = 1.0  # seconds, while there is work


@dataclass(frozen=True, slots=True)
class _Running:
    """A job that a worker has."""

    job: Job
    future: Future[Report]
    tries: int


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
        self._workers = workers
        self._log = log
        self._wake = wake
        self._housekeeping = Housekeeping(parameters.output, ledger, log)
        self.booking = Booking(ledger, log, parameters.rescan)
        self._queue = Queue()
        self._running: dict[str, _Running] = {}
        self._look_again: dict[str, float] = {}
        self._masters: dict[str, object] = {}  # folder -> what could be used when last planned
        self._reasons_outdated: set[str] = set()
        self._waiting: dict[str, str] = {}  # object frame -> what it waits for
        self._told: set[str] = set()
        self._attempts = 0
        self._tidied = 0.0

    @property
    def working(self) -> bool:
        """Whether anything is being done, or could be now or after a pause."""
        return bool(self._running) or (bool(self._queue) and not self.booking.held)

    def next_look(self) -> float | None:
        """When time alone will change what can be done, seconds since 1970."""
        times = [*self._look_again.values(), self.booking.next_look()]
        return min((moment for moment in times if moment is not None), default=None)

    def plan(self, changed: Iterable[str], *, finish: bool = False) -> None:
        """Plan what a change concerns.

        Parameters
        ----------
        changed : iterable of str
            Paths of frames that have come, changed, or gone.
        finish : bool
            Take sets as they are, as ``tapewatch once`` does.
        """
        folders: set[str] = set()
        objects: dict[str, list[ObjectFrame]] = defaultdict(list)
        for path in changed:
            folder = path.rpartition("/")[0]
            if (one := self._ledger.object_frame(path)) is not None:
                objects[folder].append(one)
            else:
                folders.add(folder)
                self._queue.drop(path, folder)
        for folder, frames in objects.items():
            self._plan_objects(folder, tuple(frames), finish=finish)
            self._housekeeping.touch(folder)
        self._plan_folders(folders, finish=finish)

    def plan_due(self, *, finish: bool = False) -> None:
        """Plan the folders for which the time has come.

        Parameters
        ----------
        finish : bool
            As for `plan`.
        """
        now = time.time()
        due = {folder for folder, moment in self._look_again.items() if moment <= now}
        self._plan_folders(due, finish=finish)

    def forget_lost(self) -> None:
        """Forget the masters and products whose files are gone, so that they are made again."""
        output = self._parameters.output
        with self._ledger.batch():
            for path, product in self._ledger.products().items():
                if not (output / product).exists():
                    self._ledger.forget_product(path)
                    self._log.warning("product.lost", file=path, reason=f"{product} is gone")
            for one in self._ledger.masters():
                if one.in_use and not (output / one.master.path).exists():
                    self._ledger.forget_master(one.master.id)
                    self._log.warning("master.lost", reason=f"{one.master.path} is gone")

    def plan_all(self, *, finish: bool = False) -> None:
        """Plan every folder, with the object frames that are done: at start, and for ``once``.

        Parameters
        ----------
        finish : bool
            As for `plan`.
        """
        self._masters.clear()
        self._plan_folders(self._ledger.folders(), finish=finish)

    def tidy(self, *, finish: bool) -> None:
        """Write lists, and say anew what waiting frames wait for: when idle, or now and then.

        Parameters
        ----------
        finish : bool
            As for `plan`.
        """
        if self.working and time.monotonic() < self._tidied + _TIDY_EVERY:
            return
        for folder in sorted(self._reasons_outdated):
            self._plan_objects(folder, self._ledger.object_frames(folder), finish=finish)
        self._reasons_outdated.clear()
        if not self.working:
            self._tell_waiting()
        self._with_output(self._housekeeping.write_lists)
        self._tidied = time.monotonic()

    def _plan_folders(self, folders: set[str], *, finish: bool) -> None:
        """Plan the sets of folders, and all object frames that other masters than before suit."""
        concerned: set[str] = set()
        for folder in sorted(folders):
            made = self._plan(folder, (), finish=finish)
            self._look_again.pop(folder, None)
            if made.look_again is not None:
                self._look_again[folder] = made.look_again
            self._with_output(partial(self._housekeeping.note, folder, made))
            in_use = {master.id for master in made.kept}
            in_use |= {one.master.id for one in made.sets if one.master and one.master.built}
            if self._ledger.set_in_use(folder, in_use):
                concerned |= self._ledger.folders(Kind.OBJECT)
            usable = frozenset((one.master.id, one.master.built) for one in made.sets if one.master)
            if self._masters.get(folder) != usable:
                self._masters[folder] = usable
                concerned.add(folder)
            self._reasons_outdated.add(folder)
        for folder in sorted(concerned):
            frames = self._ledger.object_frames(folder, finished=True)
            self._plan_objects(folder, frames, finish=finish)

    def _plan_objects(self, folder: str, frames: tuple[ObjectFrame, ...], *, finish: bool) -> None:
        if frames:
            self._plan(folder, frames, finish=finish)

    def _plan(self, folder: str, frames: tuple[ObjectFrame, ...], *, finish: bool) -> Plan:
        """Plan a folder's sets and some of its object frames, and queue the jobs."""
        facts = gather(self._ledger, folder, frames)
        made = plan(facts, self._parameters, time.time(), finish=finish)
        planned = {key_of(job) for job in made.jobs}
        decided = {one.frame.path for one in frames}

        def stays(job: Job) -> bool:
            other_object = (
                not isinstance(job, BuildMaster)
                and job.frame.kind is Kind.OBJECT
                and job.frame.path not in decided
            )
            return other_object or key_of(job) in planned

        self._queue.drop_others(folder, stays)
        self._queue.put(job for job in made.jobs if key_of(job) not in self._running)
        self._ledger.set_verdicts((one.path, one.state, one.reason) for one in made.verdicts)
        self._note(made, planned)
        return made

    def _note(self, made: Plan, planned: set[str]) -> None:
        """Log the sets that are being combined, and note the object frames that have to wait."""
        for verdict in made.verdicts:
            if verdict.path in made.matches:
                waits = verdict.state is State.WAITING and verdict.path not in planned
                self._waiting.pop(verdict.path, None)
                if waits:
                    self._waiting[verdict.path] = verdict.reason
        for job in made.jobs:
            if isinstance(job, BuildMaster) and job.master.id not in self._told:
                self._told.add(job.master.id)
                self._log.info("set.complete", **lines.of_set(job))

    def _tell_waiting(self) -> None:
        """Log the object frames that wait although nothing more can be done now, once each."""
        for path in self._waiting.keys() - self._told:
            self._told.add(path)
            self._log.info("frame.waiting", file=path, reason=self._waiting[path])

    def hand_out(self) -> None:
        """Give jobs to the workers, the most urgent first, one more than there are workers."""
        starting: list[tuple[Job, int]] = []
        with self._ledger.batch():
            while len(self._running) + len(starting) <= self._workers.count:
                job = None if self.booking.held else self._queue.pop(self.booking.may_start)
                if job is None:
                    break
                if tries := self.booking.begin(job):
                    starting.append((job, tries))
        for job, tries in starting:
            self._attempts += 1
            future = self._workers.start(job, f"{self._attempts:x}")
            self._running[key_of(job)] = _Running(job, future, tries)
            future.add_done_callback(lambda _: self._wake())

    def collect(self) -> set[str]:
        """Book the jobs that have ended.

        Returns
        -------
        set of str
            Paths of the frames that they concern, to be planned anew.
        """
        ended = [(key, running) for key, running in self._running.items() if running.future.done()]
        changed: set[str] = set()
        with self._ledger.batch():
            for key, running in ended:
                del self._running[key]
                job = running.job
                error = running.future.exception()
                if error is None:
                    self.booking.succeed(job, running.future.result())
                else:
                    self.booking.fail(job, error, running.tries)
                if isinstance(job, BuildMaster):
                    changed.add(job.frames[0].path)
                else:
                    changed.add(job.frame.path)
                    self._told.discard(job.frame.path)
        return changed

    def _with_output(self, action: Callable[[], None]) -> None:
        """Do what writes to the output folder; a full or vanished disk is told, not fatal."""
        try:
            action()
        except (OSError, NoSpaceError) as error:
            self.booking.degrade(reason_of(error))

    def stop(self, grace: float) -> None:
        """Let running jobs end, for a while; end the others, whose tries do not count.

        Parameters
        ----------
        grace : float
            Seconds.
        """
        deadline = time.monotonic() + grace
        for running in self._running.values():
            left = deadline - time.monotonic()
            if left > 0:
                wait([running.future], left)
        self.plan(self.collect())
        for running in self._running.values():
            self.booking.take_back(running.job)
        self._with_output(self._housekeeping.write_lists)
