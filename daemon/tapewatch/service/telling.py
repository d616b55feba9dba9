"""What the log is told of plans, once: sets combined, frames that wait or do not fit."""

from collections.abc import Collection, Iterable

from tapewatch.log import Log
from tapewatch.model import BuildMaster, State
from tapewatch.planning.decisions import Plan
from tapewatch.service import lines


class Telling:
    """Tells what an observer should know of what was planned, and remembers what was told.

    Parameters
    ----------
    log : Log
        Where it is told.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: dict[str, str] = {}  # object frame -> what it waits for
        self._told: set[object] = set()  # frames that wait, masters' IDs, (frame, cause)

    def plan(self, made: Plan, planned: Collection[str], changed: Iterable[str]) -> None:
        """Tell of the sets, and note the object frames that have to wait.

        Parameters
        ----------
        made : Plan
            Of a folder.
        planned : collection of str
            Keys of its jobs.
        changed : iterable of str
            Paths of frames of which it decides other than before. What was known of a frame was
            told then, if not by this process.
        """
        for verdict in made.verdicts:
            if verdict.path in made.matches:
                waits = verdict.state is State.WAITING and verdict.path not in planned
                self._waiting.pop(verdict.path, None)
                if waits:
                    self._waiting[verdict.path] = verdict.reason
        self._misfits(made, set(changed))
        for job in made.jobs:
            if isinstance(job, BuildMaster) and self._is_news(job.master.id):
                self._log.info("set.complete", **lines.of_set(job))

    def waiting(self) -> None:
        """Tell the object frames that wait although nothing more can be done now."""
        for path in self._waiting.keys() - self._told:
            self._told.add(path)
            self._log.info("frame.waiting", file=path, reason=self._waiting[path])

    def forget(self, path: str) -> None:
        """Forget that a frame was said to wait, for something was done for it."""
        self._told.discard(path)

    def _misfits(self, made: Plan, changed: Collection[str]) -> None:
        """Tell the calibration frames that do not fit their sets: used, or left out."""
        for one in made.sets:
            for path, doubts in one.doubts:
                causes = ((path, doubt.cause) for doubt in doubts)
                news = [self._is_news(cause) for cause in causes]
                if any(news) and path in changed:
                    reason = "; ".join(doubt.reason for doubt in doubts)
                    self._log.warning("quality.warning", file=path, reason=reason)
            for member, reason in one.left_out:
                path = member.frame.path
                if path in changed and self._is_news((path, "left out")):
                    self._log.warning("frame.rejected", file=path, reason=reason)

    def _is_news(self, subject: object) -> bool:
        news = subject not in self._told
        self._told.add(subject)
        return news
