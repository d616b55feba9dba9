"""The daemon: start-up, main loop, shutdown.

Events only wake the loop; what there is to do is always worked out from the folder and the
ledger. So a lost event costs time, never a frame.
"""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from tapewatch import __version__
from tapewatch.arrival.mounts import is_network
from tapewatch.errors import (
    DamagedLedgerError,
    FatalError,
    ParameterError,
    UnwritableLedgerError,
)
from tapewatch.log import SCHEMA, configure
from tapewatch.model import Job, State
from tapewatch.parameters import Parameters
from tapewatch.service import lines
from tapewatch.service.claim import claim
from tapewatch.service.foreman import Foreman
from tapewatch.service.inspector import Inspector
from tapewatch.service.intake import Intake
from tapewatch.service.keepsake import Keepsake
from tapewatch.service.lifeline import Lifeline
from tapewatch.service.lookout import TROUBLE, Lookout
from tapewatch.service.marks import Marks
from tapewatch.service.outages import OUTPUT_TROUBLE
from tapewatch.service.outputs import folders_of, remove_unfinished
from tapewatch.service.restoration import Restoration
from tapewatch.service.statefile import Losses, StateFile
from tapewatch.service.wake import Wake
from tapewatch.whereabouts import FOLDER, NOTE, Where, find, show_life
from tapewatch.workers import Workers

_GRACE = 4.0  # seconds for running jobs to end at a stop
_LONGEST_WAIT = 60.0  # seconds


class Service:
    """Watches a folder and keeps its products true to it.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    once : bool
        Take what the folder holds, and end; otherwise run until a signal.
    reread : callable, optional
        Reads the parameters anew at a SIGHUP; raises `ParameterError` where they are not allowed.
    """

    def __init__(
        self, parameters: Parameters, *, once: bool, reread: Callable[[], Parameters] | None = None
    ) -> None:
        self._parameters = parameters
        self._once = once
        self._reread = reread or (lambda: parameters)
        self._lifeline = Lifeline()
        self._hung_up = False
        self._next_parameters: Parameters | None = None
        self._wake = Wake()
        self._losses = Losses()
        self._term = ""
        self._stopping = False

    def run(self) -> int:
        """Work until there is nothing left (once), or until SIGTERM or SIGINT.

        Returns
        -------
        int
            0; for ``once`` 1 where a frame failed or the output disk was in trouble.

        Raises
        ------
        FatalError
            Another tapewatch holds the folder, or the state file cannot be used.
        """
        with _signals(self._stop, self._hang_up):
            code = self._live()
            while self._next_parameters is not None:
                before, self._parameters = self._parameters, self._next_parameters
                self._next_parameters = None
                try:
                    code = self._live()
                except FatalError as error:
                    # They are allowed, and yet nothing can be done with them: another output
                    # folder that cannot be written, say.
                    self._refuse(error)
                    self._parameters = before
                    code = self._live()
            return code

    def _live(self) -> int:
        """Work with one set of parameters, over the loss of the state file; give the exit code."""
        was_there, lost = find(self._parameters) is not None, False
        while not (lost and self._stopping):
            with claim(self._parameters) as where:
                self._term = where.term
                self._tell_the_start(where)
                state_file = StateFile(Path(where.state), self._log)
                try:
                    return self._work(state_file, was_there=was_there or lost, started=lost)
                except DamagedLedgerError as error:
                    self._losses.add(error)
                    self._log.error("ledger.lost", reason=str(error))
            lost = True
            while not self._parameters.watchdir.is_dir() and self._pause():
                pass  # all was removed; nothing is to be made in the place where it will be again
        self._log.info("service.stopped", reason="the state file was lost")
        return 0

    def _work(self, state_file: StateFile, *, was_there: bool, started: bool) -> int:
        """Work with one state file, over times when it cannot be written; give the exit code."""
        while True:
            try:
                with ExitStack() as stack:
                    self._start(stack, state_file, was_there=was_there or started)
                    started = True
                    self._main_loop()
                    self._lifeline.stopping() if self._stopping else self._lifeline.reloading()
                    return self._shut_down()
            except UnwritableLedgerError as error:
                if self._once or not started:
                    raise
                self._lifeline.say(f"TROUBLE: {error}")
                state_file.wait(error, self._pause)
                if self._stopping:
                    self._log.info("service.stopped", reason=str(error))
                    return 0

    def _tell_the_start(self, where: Where) -> None:
        """Set the log up, and begin it."""
        self._log = configure(file=Path(where.log) if where.log else None)
        self._log.info(
            "service.starting",
            version=__version__,
            log_schema=SCHEMA,
            parameters=str(self._parameters.file),
            state=where.state,
        )
        for warning in self._parameters.warnings:
            self._log.warning("parameters.warning", reason=warning)

    def _start(self, stack: ExitStack, state_file: StateFile, *, was_there: bool) -> None:
        """Open the ledger, arm the watch, start the workers: in this order, holding the lock."""
        parameters = self._parameters
        self._ledger = stack.enter_context(state_file.open())
        if not was_there and (self._ledger.products() or self._ledger.masters()):
            # Without our note: it would tell the next start that the folder was there.
            (parameters.output / FOLDER / NOTE).unlink()
            raise FatalError(
                f"{parameters.output} holds nothing of what the state file {self._ledger.path}"
                " tells of: is it unmounted? If it was emptied on purpose, remove that file, too"
            )
        for note in (TROUBLE, OUTPUT_TROUBLE):  # of an earlier daemon: it may be over
            self._ledger.set_note(note, "")
        self._remove_leftovers(folders_of(parameters.output, self._ledger.folders()))
        self._keepsake = Keepsake(parameters.output, self._ledger)
        self._keepsake.bring_back(self._log)
        self._marks = Marks(self._ledger, self._log)
        place = replace(parameters.workplace, term=self._term)
        workers = Workers(parameters.workers, place)
        stack.callback(workers.stop)
        self._intake = Intake(
            parameters,
            self._ledger,
            self._log,
            Inspector(workers.inspect, self._wake.set),
            local=not is_network(parameters.watchdir),
            patient=not self._once,
            stopping=lambda: not self._goes_on(),
        )
        self._lookout = Lookout(parameters, self._intake, self._ledger, self._log, self._wake.set)
        stack.callback(self._lookout.stop)
        if not self._once:
            self._lookout.watch()
            workers.warm_up()
        self._foreman = Foreman(parameters, self._ledger, workers, self._log, self._wake.set)
        self._log.info(
            "service.ready",
            watching=str(parameters.watchdir),
            by=self._lookout.by,
            workers=workers.count,
        )
        self._lifeline.ready()

    def _main_loop(self) -> None:
        """Look, plan, hand out, book; sleep until something happens."""
        self._scan()
        self._foreman.clear_up()
        self._foreman.planner.plan_all(finish=self._finishing)
        while not self._stopping and self._next_parameters is None:
            self._lifeline.alive()
            with self._ledger.batch():  # one wait for the disk, before any work begins
                chosen = self._next_jobs()
            self._foreman.hand_out(chosen)
            self._foreman.tidy(finish=self._finishing)
            self._lifeline.say(self._summary())
            if self._once and self._finishing and not self._foreman.working:
                return
            self._wake.wait(self._time_to_wait())
            self._wake.clear()  # before the flags and hints are looked at, lest a signal be lost

    def _summary(self) -> str:
        """Say in a line how the night goes."""
        counts = self._ledger.counts()
        frames = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        trouble = f"TROUBLE: {self._lookout.trouble}; " if self._lookout.trouble else ""
        return f"{trouble}frames: {frames or 'none'}"

    def _next_jobs(self) -> list[tuple[Job, int]]:
        """Look, book and plan; give what is to be done now."""
        if self._hung_up:
            self._take_up_parameters()
        was_finishing = self._finishing
        changed = self._lookout.take_hints() | self._intake.look_at_due()
        changed |= self._foreman.collect() | self._look_at_suspects()
        if self._lookout.scan_in <= 0:
            changed |= self._scan()
        self._foreman.planner.plan(changed, finish=self._finishing)
        if self._finishing and not was_finishing:
            self._foreman.planner.plan_all(finish=True)
        self._foreman.planner.plan_due(finish=self._finishing)
        return self._foreman.choose()

    def _shut_down(self) -> int:
        """Let running jobs end for a while, write the lists, and say what was done."""
        self._foreman.stop(_GRACE)
        self._remove_leftovers(self._foreman.take_littered())
        if self._next_parameters is not None:
            self._log.info("service.reloading", parameters=str(self._parameters.file))
            return 0
        done, counts = self._foreman.booking.done, self._ledger.counts()
        reason = lines.outcome(counts, worked=bool(done), stopped=self._stopping)
        self._log.info("service.stopped", **done, **({"reason": reason} if reason else {}))
        if not self._once:
            return 0
        return int(bool(self._foreman.outages) or State.FAILED in counts)

    @property
    def _finishing(self) -> bool:
        """Whether sets are taken as they are: ``once``, when every file has been looked at."""
        return self._once and not self._intake.unsettled

    def _time_to_wait(self) -> float:
        """Seconds until time alone makes a difference."""
        now = time.time()
        times = (self._intake.next_look(), self._foreman.next_look())
        waits = [moment - now for moment in times if moment is not None]
        waits += [self._lookout.scan_in, self._lifeline.interval, _LONGEST_WAIT]
        return max(min(waits), 0.0)

    def _look_at_suspects(self) -> set[str]:
        """Look again at the files that workers found cut short or gone."""
        suspects, self._foreman.booking.suspects = self._foreman.booking.suspects, {}
        changed: set[str] = set()
        for path, reason in suspects.items():
            changed |= self._intake.suspect(path, reason)
        return changed

    def _scan(self) -> set[str]:
        """Compare all that should be on disk with what is: raw frames, masters, products."""
        show_life(self._parameters)
        self._remove_leftovers(self._foreman.take_littered())
        changed = self._foreman.look_for_lost() | self._marks.changed() | self._try_again()
        self._keepsake.keep()
        changed |= self._lookout.scan()
        if self._lookout.has_searched and self._ledger.is_new:
            Restoration(self._parameters, self._ledger, self._log, self._goes_on).restore()
        return changed

    def _try_again(self) -> set[str]:
        """Look anew at what a person wants to be tried again; that gives it its tries back."""
        changed: set[str] = set()
        with self._ledger.batch():
            for path in self._ledger.take_retries():
                self._log.info("retry.noticed", file=path)
                changed |= self._intake.suspect(path, "")
        return changed

    def _remove_leftovers(self, folders: Iterable[str]) -> None:
        """Remove the unfinished files that killed processes left; none of ours may be at work."""
        for path in remove_unfinished(self._parameters.output, folders):
            self._log.info("service.leftover_removed", file=str(path))

    def _pause(self) -> bool:
        """Let a while pass before the state file is tried again; tell whether to go on."""
        self._wake.wait(min(self._parameters.rescan, self._lifeline.interval))
        self._wake.clear()
        return self._goes_on()

    def _goes_on(self) -> bool:
        """Show that there is progress, and tell whether to go on with it."""
        self._lifeline.alive()
        return not self._stopping

    def _take_up_parameters(self) -> None:
        """Read tape.par anew; what is wrong with it is told, and the old parameters stay."""
        self._hung_up = False
        self._lookout.scan_soon()
        try:
            parameters = self._reread()
        except ParameterError as error:
            self._refuse(error)
            return
        if parameters != self._parameters:
            self._next_parameters = parameters

    def _refuse(self, error: FatalError) -> None:
        self._log.error("parameters.refused", reason=str(error))

    def _hang_up(self) -> None:
        self._hung_up = True
        self._wake.set()

    def _stop(self) -> None:
        self._stopping = True
        self._wake.set()


@contextmanager
def _signals(stop: Callable[[], None], hang_up: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT stop, SIGHUP reads tape.par anew and scans; restored at the end."""
    actions = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hang_up}

    def handle(number: int, _: FrameType | None) -> None:
        actions[signal.Signals(number)]()

    before = {number: signal.signal(number, handle) for number in actions}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
