"""Plans what a change concerns, and no more than that, and queues what can be done.

The ledger is the only memory. What is kept here can be made again from it, by planning.
"""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tapewatch.ledger import Ledger
from tapewatch.model import BuildMaster, FrameSequence, Job, Kind, ObjectFrame, State
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts, Plan
from tapewatch.planning.plan import plan
from tapewatch.service.briefing import Briefing
from tapewatch.service.housekeeping import Housekeeping
from tapewatch.service.queue import Queue, key_of
from tapewatch.service.telling import Telling

_KNOWN = 8  # folders of which the last plan is kept: planning the sets costs most
_MADE_WITH_OTHERS = (Kind.DARK, Kind.FLATDARK, Kind.FLAT)
_REST = 5.0  # times what planning a folder took, before it is planned for another frame
_REASONS_EVERY = 1.0  # seconds, while there is work
_REASONS_REST = 10.0  # times what saying anew why frames wait took, before it is done once more


@dataclass(frozen=True, slots=True)
class _Known:
    """The last plan of a folder's sets, and what it was made of."""

    facts: Facts
    finish: bool
    plan: Plan


class Planner:
    """Turns the ledger's facts into queued work and into states.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    ledger : Ledger
        Open for writing.
    telling : Telling
        Told of what is planned.
    queue : Queue
        Where the work goes.
    housekeeping : Housekeeping
        Told of sets and products.
    at_work : callable
        Tells of a key, as `key_of` gives it, whether a worker is at that.
    """

    def __init__(
        self,
        parameters: Parameters,
        ledger: Ledger,
        telling: Telling,
        queue: Queue,
        housekeeping: Housekeeping,
        at_work: Callable[[str], bool],
    ) -> None:
        self._parameters = parameters
        self._ledger = ledger
        self._briefing = Briefing(parameters, ledger)
        self._telling = telling
        self._queue = queue
        self._housekeeping = housekeeping
        self._at_work = at_work
        self._look_again: dict[str, float] = {}
        self._ends: dict[str, dict[tuple[str, float], float]] = defaultdict(dict)
        self._redone: dict[tuple[str, str, float], int] = {}  # of sequences, when last planned
        self._known: OrderedDict[str, _Known] = OrderedDict()  # of the folders planned last
        self._combining: set[str] = set()  # folders of which a master is about to be there
        self._masters: dict[str, object] = {}  # folder -> what could be used when last planned
        self._reasons_outdated: set[str] = set()
        self._reasons_rest_until = 0.0  # by the monotonic clock
        self._seen: frozenset[Kind] = frozenset()
        self._put_off: set[str] = set()  # folders to be planned a little later
        self._rest_until: dict[str, float] = {}  # by the monotonic clock
        self._concerned: set[str] = set()  # folders that masters of another one may suit
        self._concerned_rest_until = 0.0  # by the monotonic clock
        self.decided = 0
        """How many frames were decided on since the start: what planning costs."""

    @property
    def put_off(self) -> bool:
        """Whether a folder is to be planned after a pause."""
        return bool(self._put_off or self._concerned)

    def next_look(self) -> float | None:
        """When time alone will change what can be done, seconds since 1970."""
        now, clock = time.time(), time.monotonic()
        times = [*self._look_again.values()]
        times += [moment for ends in self._ends.values() for moment in ends.values()]
        times += [now + self._rest_until[folder] - clock for folder in self._put_off]
        if self._concerned:
            times.append(now + self._concerned_rest_until - clock)
        if self._reasons_outdated:
            times.append(now + max(self._reasons_rest_until - clock, 0.0))
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

    def rested(self) -> None:
        """Put off no folder for what the last plan of it took, as if time had passed since."""
        self._rest_until.clear()
        self._concerned_rest_until = 0.0

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
        self._plan_concerned(finish=finish)
        for folder, ends in list(self._ends.items()):
            if any(moment <= now for moment in ends.values()):
                self._plan_sequences(folder, finish=finish)

    def plan_all(self, *, finish: bool = False) -> None:
        """Plan every folder, with the object frames that are done: at start, and for ``once``.

        Parameters
        ----------
        finish : bool
            As for `plan`.
        """
        self._plan_folders(self._ledger.folders(), finish=finish)
        for folder in sorted(self._ledger.folders(Kind.OBJECT)):
            frames = self._ledger.object_frames(folder, finished=True)
            self._plan_objects(folder, frames, finish=finish)

    def renew_reasons(self, *, finish: bool) -> None:
        """Say anew what waiting frames wait for: when idle, or now and then.

        Parameters
        ----------
        finish : bool
            As for `plan`.
        """
        began = time.monotonic()
        if not self._reasons_outdated or (began < self._reasons_rest_until and not finish):
            return
        outdated, self._reasons_outdated = self._reasons_outdated, set()
        for folder in sorted(outdated):
            self._plan_objects(folder, self._ledger.object_frames(folder), finish=finish)
        clock = time.monotonic()
        self._reasons_rest_until = clock + max(_REASONS_REST * (clock - began), _REASONS_EVERY)

    def _plan_folders(self, folders: set[str], *, finish: bool) -> None:
        """Plan the sets of folders, and the sequences that other masters than before may suit."""
        own: set[str] = set()
        to_plan = folders | self._find_concerned()
        while to_plan:
            folder = min(to_plan)
            to_plan.remove(folder)
            began = time.monotonic()
            made = self._plan(folder, self._briefing.facts(folder), finish=finish)
            self._look_again.pop(folder, None)
            if made.look_again is not None:
                self._look_again[folder] = made.look_again
            self._housekeeping.note(folder, made)
            in_use = {master.id for master in made.kept}
            in_use |= {one.master.id for one in made.sets if one.master and one.master.built}
            if self._ledger.set_in_use(folder, in_use):
                # Darks and flats of other folders may want one of these biases, flats one of these
                # darks. This ends: biases in use depend on frames of their own folder alone.
                to_plan |= self._find_concerned()
            usable = frozenset((one.master.id, one.master.built) for one in made.sets if one.master)
            if self._masters.get(folder) != usable:
                self._masters[folder] = usable
                own.add(folder)
            self._reasons_outdated.add(folder)
            clock = time.monotonic()
            self._rest_until[folder] = clock + _REST * (clock - began)
        if (seen := self._ledger.kinds_seen()) != self._seen:
            # Whoever waits for the first frame of a kind was advised to do without it.
            self._seen = seen
            self._reasons_outdated |= self._ledger.folders(Kind.OBJECT)
        for folder in sorted(own):
            self._plan_sequences(folder, finish=finish)
        self._concerned -= own
        self._plan_concerned(finish=finish)

    def _find_concerned(self) -> set[str]:
        """Note whose object frames other masters may suit now, and give whose sets they may."""
        found = self._briefing.with_another_choice()
        if not found:  # as at nearly every frame
            return found
        self._concerned |= found & self._ledger.folders(Kind.OBJECT)
        return found & self._ledger.folders(*_MADE_WITH_OTHERS)

    def _plan_concerned(self, *, finish: bool) -> None:
        """Plan the sequences that masters of another folder may suit, now and then.

        In a long season these are many, and every master concerns them all.
        """
        began = time.monotonic()
        if not self._concerned or (began < self._concerned_rest_until and not finish):
            return
        concerned, self._concerned = self._concerned, set()
        for folder in sorted(concerned):
            self._plan_sequences(folder, finish=finish)
        clock = time.monotonic()
        self._concerned_rest_until = clock + _REST * (clock - began)

    def _plan_sequences(self, folder: str, *, finish: bool) -> None:
        """Plan the object frames of a folder that are not done, or should be no more."""
        pincal = self._parameters.pincal
        frames = self._ledger.object_frames(folder, finished=not pincal)
        sequences = self._ledger.sequences(folder) if pincal else ()
        self._ends.pop(folder, None)
        if frames or sequences:
            self._plan_with_fellows(folder, frames, sequences, finish=finish)

    def _plan_objects(self, folder: str, frames: tuple[ObjectFrame, ...], *, finish: bool) -> None:
        """Plan some object frames of a folder, and their sequences."""
        if frames:
            self._plan_with_fellows(folder, frames, None, finish=finish)

    def _plan_with_fellows(
        self,
        folder: str,
        frames: tuple[ObjectFrame, ...],
        sequences: tuple[FrameSequence, ...] | None,
        *,
        finish: bool,
    ) -> None:
        """Plan object frames, and those of their sequences of which they change the state."""
        made = self._plan(folder, self._briefing.facts(folder, frames, sequences), finish=finish)
        decided = {one.frame.path for one in frames}
        for one in made.sequences:
            key = one.sequence.series, one.sequence.first
            self._ends[folder].pop(key, None)
            if one.look_again is not None:
                self._ends[folder][key] = one.look_again
            if one.redoing is not None and self._redone.get((folder, *key)) != one.redoing:
                self._redone[folder, *key] = one.redoing
                self._reasons_outdated.add(folder)  # so many of so many
            if one.overtaken:
                fellows = self._ledger.members(one.sequence, one.overtaken)
                others = tuple(each for each in fellows if each.frame.path not in decided)
                if others:
                    facts = self._briefing.facts(folder, others, (one.sequence,))
                    self._plan(folder, facts, finish=finish)

    def _plan(self, folder: str, facts: Facts, *, finish: bool) -> Plan:
        """Plan a folder's sets and some of its object frames, and queue the jobs."""
        frames = facts.objects
        self.decided += len(frames) + len(facts.calibration)
        if not facts.busy_elsewhere and self._combining - {folder}:
            facts = replace(facts, busy_elsewhere=True)
        of_sets = replace(
            facts, objects=(), sequences=(), pinned=(), busy_elsewhere=False, predecessors=()
        )
        of_objects = bool(frames or facts.sequences)
        known = self._still_known(folder, of_sets, finish=finish) if of_objects else None
        made = plan(facts, self._parameters, time.time(), finish=finish, known=known)
        sets = replace(made, jobs=(), verdicts=(), matches={}, sequences=())
        self._known[folder] = _Known(of_sets, finish, sets)
        self._known.move_to_end(folder)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        self._combining.discard(folder)
        if any(one.master is not None and not one.master.built for one in made.sets):
            self._combining.add(folder)
        planned = {key_of(job) for job in made.jobs}

        def stays(job: Job) -> bool:
            of_object = not isinstance(job, BuildMaster) and job.frame.kind is Kind.OBJECT
            return of_object or key_of(job) in planned

        if known is None:
            self._queue.drop_others(folder, stays)
        for path in {one.frame.path for one in frames} - planned:
            self._queue.drop(path, folder)
        self._queue.put(job for job in made.jobs if not self._at_work(key_of(job)))
        verdicts = ((one.path, one.state, one.reason) for one in made.verdicts)
        changed = self._ledger.set_verdicts(verdicts, planned=True)
        self._telling.plan(made, planned, changed)
        if facts.busy_elsewhere and any(one.state is State.WAITING for one in made.verdicts):
            self._reasons_outdated.add(folder)  # they wait for seconds, or else are decided anew
        return made

    def _still_known(self, folder: str, of_sets: Facts, *, finish: bool) -> Plan | None:
        """Give the last plan of a folder, if its sets hold: they cost most, and seldom change."""
        last = self._known.get(folder)
        if last is None or (last.facts, last.finish) != (of_sets, finish):
            return None
        look_again = last.plan.look_again
        return last.plan if look_again is None or time.time() < look_again else None
