"""Plans what to do, hands it out, and has it booked when it is done.

The ledger is the only memory. What is kept here can be made again from it: the queue, by planning;
which masters can be used, by planning, too.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tapewatch.errors import MasterLostError, OutputError
from tapewatch.facts import gather
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.model import BuildMaster, CalibrateFrame, Job, Kind, ObjectFrame
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts, Plan
from tapewatch.planning.plan import plan
from tapewatch.service.booking import Booking, reason_of
from tapewatch.service.crew import Crew
from tapewatch.service.housekeeping import Housekeeping
from tapewatch.service.queue import Queue, key_of
from tapewatch.service.telling import Telling
from tapewatch.workers import Workers

_REST = 5.0  # times what planning a folder took, before it is planned for another frame
_MADE_WITH_OTHERS = (Kind.DARK, Kind.FLATDARK, Kind.FLAT)
_TIDY_EVERY = 1.0  # seconds, while there is work


@dataclass(frozen=True, slots=True)
class _Known:
    """The last plan of a folder's sets, and what it was made of."""

    facts: Facts
    finish: bool
    plan: Plan


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
        self._telling = Telling(log)
        self._housekeeping = Housekeeping(parameters.output, ledger, log)
        self.booking = Booking(ledger, log, parameters.rescan)
        self._queue = Queue()
        self._look_again: dict[str, float] = {}
        self._known: dict[str, _Known] = {}
        self._masters: dict[str, object] = {}  # folder -> what could be used when last planned
        self._reasons_outdated: set[str] = set()
        self._seen: frozenset[Kind] = frozenset()
        self._put_off: set[str] = set()  # folders to be planned a little later
        self._rest_until: dict[str, float] = {}  # by the monotonic clock
        self._hindered: set[Callable[[], object]] = set()  # what the output folder did not allow
        self._tidied = 0.0

    @property
    def working(self) -> bool:
        """Whether anything is being done, or could be now or after a pause."""
        return bool(self._crew or self._put_off) or (bool(self._queue) and not self.booking.held)

    def next_look(self) -> float | None:
        """When time alone will change what can be done, seconds since 1970."""
        now, clock = time.time(), time.monotonic()
        times = [*self._look_again.values()]
        times += [now + self._rest_until[folder] - clock for folder in self._put_off]
        if (seconds := self.booking.next_look()) is not None:
            times.append(now + seconds)
        return min(times, default=None)

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
        # A large folder is not planned at each of its frames, lest that take all the time.
        clock = time.monotonic()
        folders |= self._put_off
        self._put_off = {one for one in folders if clock < self._rest_until.get(one, 0.0)}
        self._plan_folders(folders - self._put_off, finish=finish)

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

    def look_for_lost(self) -> set[str]:
        """See that masters and products are still on disk.

        Returns
        -------
        set of str
            Paths of the frames to be planned anew, for they have to be made again.
        """
        return self._with_output(self._housekeeping.forget_lost)

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
            self._telling.waiting()
        self._with_output(self._housekeeping.write)
        self._tidied = time.monotonic()

    def _plan_folders(self, folders: set[str], *, finish: bool) -> None:
        """Plan the sets of folders, and all object frames that other masters than before suit."""
        concerned: set[str] = set()
        to_plan = set(folders)
        while to_plan:
            folder = min(to_plan)
            to_plan.remove(folder)
            began = time.monotonic()
            made = self._plan(folder, (), finish=finish)
            self._look_again.pop(folder, None)
            if made.look_again is not None:
                self._look_again[folder] = made.look_again
            self._housekeeping.note(folder, made)
            in_use = {master.id for master in made.kept}
            in_use |= {one.master.id for one in made.sets if one.master and one.master.built}
            if self._ledger.set_in_use(folder, in_use):
                concerned |= self._ledger.folders(Kind.OBJECT)
                # Darks and flats of other folders may want one of these biases, flats one of these
                # darks. This ends: biases in use depend on frames of their own folder alone.
                if any(one.calibration_set.kind is not Kind.FLAT for one in made.sets):
                    to_plan |= self._ledger.folders(*_MADE_WITH_OTHERS) - {folder}
            usable = frozenset((one.master.id, one.master.built) for one in made.sets if one.master)
            if self._masters.get(folder) != usable:
                self._masters[folder] = usable
                concerned.add(folder)
            self._reasons_outdated.add(folder)
            clock = time.monotonic()
            self._rest_until[folder] = clock + _REST * (clock - began)
        if (seen := self._ledger.kinds_seen()) != self._seen:
            # Whoever waits for the first frame of a kind was advised to do without it.
            self._seen = seen
            self._reasons_outdated |= self._ledger.folders(Kind.OBJECT)
        for folder in sorted(concerned):
            frames = self._ledger.object_frames(folder, finished=True)
            self._plan_objects(folder, frames, finish=finish)

    def _plan_objects(self, folder: str, frames: tuple[ObjectFrame, ...], *, finish: bool) -> None:
        if frames:
            self._plan(folder, frames, finish=finish)

    def _plan(self, folder: str, frames: tuple[ObjectFrame, ...], *, finish: bool) -> Plan:
        """Plan a folder's sets and some of its object frames, and queue the jobs."""
        facts = gather(self._ledger, folder, frames)
        known = self._still_known(folder, facts, finish=finish) if frames else None
        made = plan(facts, self._parameters, time.time(), finish=finish, known=known)
        sets = replace(made, jobs=(), verdicts=(), matches={})
        self._known[folder] = _Known(replace(facts, objects=()), finish, sets)
        planned = {key_of(job) for job in made.jobs}
        decided = {one.frame.path for one in frames}

        def stays(job: Job) -> bool:
            of_object = not isinstance(job, BuildMaster) and job.frame.kind is Kind.OBJECT
            return of_object or key_of(job) in planned

        if known is None:
            self._queue.drop_others(folder, stays)
        for path in decided - planned:
            self._queue.drop(path, folder)
        self._queue.put(job for job in made.jobs if not self._crew.has(key_of(job)))
        verdicts = ((one.path, one.state, one.reason) for one in made.verdicts)
        changed = self._ledger.set_verdicts(verdicts, planned=True)
        self._telling.plan(made, planned, changed)
        return made

    def _still_known(self, folder: str, facts: Facts, *, finish: bool) -> Plan | None:
        """Give the last plan of a folder, if its sets hold: they cost most, and seldom change."""
        last = self._known.get(folder)
        if last is None or (last.facts, last.finish) != (replace(facts, objects=()), finish):
            return None
        look_again = last.plan.look_again
        return last.plan if look_again is None or time.time() < look_again else None

    def choose(self) -> list[tuple[Job, int]]:
        """Choose the most urgent jobs, as many as can be handed out.

        Returns
        -------
        list of (Job, int)
            Each with the number of its try, to be handed out when the ledger has it on disk.
        """
        chosen: list[tuple[Job, int]] = []
        while len(chosen) < self._crew.places and not self.booking.held:
            job = self._queue.pop(self.booking.may_start)
            if job is None:
                break
            if tries := self.booking.begin(job):
                chosen.append((job, tries))
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
        changed: set[str] = set()
        with self._ledger.batch():
            for one in self._crew.ended():
                job, error = one.job, one.future.exception()
                if error is None:
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

    def _with_output(self, action: Callable[[], set[str] | None]) -> set[str]:
        """Do what needs the output folder; a full or vanished disk is told, not fatal."""
        try:
            found = action()
        except (OSError, OutputError) as error:
            self._hindered.add(action)
            self.booking.degrade(reason_of(error))
            return set()
        if self._hindered == {action}:
            self.booking.restore()
        self._hindered.discard(action)
        return found or set()

    def stop(self, grace: float) -> None:
        """Let running jobs end, for a while; end the others, whose tries do not count.

        Parameters
        ----------
        grace : float
            Seconds.
        """
        self._crew.wait(grace)
        self.plan(self.collect())
        for job in self._crew.abandon():
            self.booking.take_back(job)
        self._with_output(self._housekeeping.write)
