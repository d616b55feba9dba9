"""The daemon, played with symbols.

Its ledger is a few dictionaries, its pixels are names, and its workers do what a job says at once.
What is planned is the real thing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from support_planning import NOW, exposures, sequences_of, span_of
from tapewatch.model import (
    BuildMaster,
    CalibrateFrame,
    CalibrationFrame,
    Frame,
    Job,
    Kind,
    Master,
    ObjectFrame,
    Product,
    Recipe,
    State,
)
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts, Plan
from tapewatch.planning.library import Library
from tapewatch.planning.names import product_path
from tapewatch.planning.plan import plan

MARKED = "marked bad"
MOST_ROUNDS = 12  # of planning and working, until nothing is left to do


@dataclass(frozen=True)
class File:
    """A raw file: what its header says, and a name for its pixels and for its header's text."""

    frame: Frame
    pixels: str
    header: str = "as the camera wrote it"


@dataclass
class World:
    """A folder, a daemon and its ledger, in which time passes only when told.

    Object frames that are gone leave their products behind.
    """

    parameters: Parameters
    now: float = NOW
    files: dict[str, File] = field(default_factory=dict)
    calibration: dict[str, CalibrationFrame] = field(default_factory=dict)
    objects: dict[str, ObjectFrame] = field(default_factory=dict)
    masters: dict[str, Master] = field(default_factory=dict)
    in_use: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    running: list[Job] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    files_gone: set[str] = field(default_factory=set)

    def arrive(self, file: File) -> None:
        """Take a file that came, or came anew with another header."""
        path = file.frame.path
        self.files[path] = file
        if file.frame.kind is not Kind.OBJECT:
            self.calibration[path] = CalibrationFrame(file.frame, None, self.now)
        elif path in self.objects:
            self.objects[path] = replace(self.objects[path], content=None)
        else:
            self.objects[path] = ObjectFrame(file.frame)

    def vanish(self, path: str) -> None:
        """Have a frame removed; a product that was made of it stays."""
        if path in self.objects:
            self.files_gone.add(path)
            self.running = [one for one in self.running if path not in paths_of(one)]
        else:
            del self.files[path], self.calibration[path]

    def facts(self, folder: str) -> Facts:
        """Gather what the ledger would tell of a folder."""
        here = tuple(one for one in self.masters.values() if one.folder == folder)
        in_use = frozenset(one.id for one in here if one.id in self.in_use)
        return Facts(
            calibration=tuple(c for c in self.calibration.values() if c.frame.folder == folder),
            objects=tuple(
                one
                for path, one in self.objects.items()
                if one.frame.folder == folder and path not in self.files_gone
            ),
            masters=here,
            in_use=in_use,
            elsewhere=tuple(
                one
                for one in self.masters.values()
                if one.folder != folder and one.id in self.in_use
            ),
            sequences=sequences_of(
                (one for one in self.objects.values() if one.frame.folder == folder),
                self.states,
                self.files_gone,
            ),
            pinned=tuple(
                one
                for one in self.masters.values()
                if one.folder != folder and one.id not in self.in_use
            ),
            failures=self.failures,
            bad=dict.fromkeys(self.bad, MARKED),
        )

    def plan(self, *, finish: bool = False) -> list[Plan]:
        """Plan every folder, and book masters in use and states as the daemon does."""
        plans = []
        for folder in sorted({file.frame.folder for file in self.files.values()}):
            facts = self.facts(folder)
            made = plan(facts, self.parameters, self.now, finish=finish)
            assert made == plan(facts, self.parameters, self.now, finish=finish)
            brief = plan(self._brief(facts, folder), self.parameters, self.now, finish=finish)
            assert decided(brief) == decided(made)
            assert chosen(brief) == chosen(made)
            assert all(moment > self.now for moment in moments([made]))
            self.in_use -= facts.in_use
            self.in_use |= {one.id for one in made.kept}
            self.in_use |= {one.master.id for one in made.sets if one.master and one.master.built}
            self.states |= {one.path: one.state for one in made.verdicts}
            self.reasons |= {one.path: one.reason for one in made.verdicts}
            self.stems |= {one.calibration_set.id: one.stem for one in made.sets}
            plans.append(made)
        return plans

    def _brief(self, facts: Facts, folder: str) -> Facts:
        """Leave of the masters elsewhere those that may be chosen, as the daemon does."""
        frames = [one.frame for one in self.objects.values()]
        frames += [one.frame for one in self.calibration.values()]
        here = [one for one in frames if one.folder == folder]
        library = Library(self.masters.values(), self.in_use, self.parameters)
        return replace(facts, elsewhere=library.elsewhere(folder, span_of(here), facts.bad))

    def start(self, *, finish: bool = False) -> list[Plan]:
        """Plan, and hand out what is not being done already."""
        plans = self.plan(finish=finish)
        jobs = [job for made in plans for job in made.jobs]
        self.running += [job for job in jobs if job not in self.running]
        return plans

    def end(self, position: int) -> None:
        """Have one of the running jobs done."""
        job = self.running.pop(position % len(self.running))
        if isinstance(job, BuildMaster):
            self._build(job)
        elif isinstance(job, CalibrateFrame):
            self._calibrate(job)
        elif (path := job.frame.path) in self.calibration:
            known = self.calibration[path]
            self.calibration[path] = replace(known, data_hash=self.files[path].pixels)
        elif path in self.objects:
            self.objects[path] = replace(self.objects[path], content=self._content(path))

    def _content(self, path: str) -> tuple[str, str]:
        return self.files[path].pixels, self.files[path].header

    def _build(self, job: BuildMaster) -> None:
        if not {one.path for one in job.frames} <= self.files.keys():
            return
        assert all(one is None or self.masters[one.id] == one for one in (job.bias, job.dark))
        assert tuple(self.files[one.path].pixels for one in job.frames) == job.master.inputs
        if "damaged" in job.master.inputs:
            self.failures[job.master.id] = "it cannot be read"
        else:
            self.masters[job.master.id] = replace(job.master, built=True)

    def _calibrate(self, job: CalibrateFrame) -> None:
        assert all(self.masters[one.id] == one for one in job.masters)
        ids = {job.recipe.bias, job.recipe.dark, job.recipe.flat} - {""}
        assert {one.id for one in job.masters} == ids
        path, content = job.frame.path, self._content(job.frame.path)
        place = product_path(job.frame.path, provisional=job.recipe.provisional)
        product = Product("id", place, *content, job.recipe)
        self.objects[path] = replace(self.objects[path], content=content, product=product)

    def settle(self, *, finish: bool = False) -> float | None:
        """Work until there is nothing to do now; give when to look again."""
        for _ in range(MOST_ROUNDS):
            before = set(self.in_use)
            plans = self.start(finish=finish)
            if not self.running and self.in_use == before:
                return min(moments(plans), default=None)
            while self.running:
                self.end(0)
        raise AssertionError(f"more to do after {MOST_ROUNDS} rounds: {self.plan(finish=finish)}")

    def rest(self, *, finish: bool = False) -> "World":
        """Work, and let time pass, until nothing will ever change by itself."""
        for _ in range(2 * len(self.files) + 2):
            look_again = self.settle(finish=finish)
            if look_again is None:
                assert [one.jobs for one in self.plan(finish=finish) if one.jobs] == []
                return self
            self.now = look_again
        raise AssertionError("time passes, and there is always more to come")

    def recipes(self) -> dict[str, Recipe | None]:
        """Say how the product of every object frame was made."""
        return {
            path: None if one.product is None else one.product.recipe
            for path, one in self.objects.items()
        }

    def names(self) -> dict[str, str]:
        """Give the plain names of the masters in use."""
        used = [self.masters[one] for one in self.in_use]
        return {one.path: self.stems[one.set_id] for one in used if one.set_id in self.stems}


def chosen(made: Plan) -> dict[tuple[str, Kind], tuple[Master | None, float, tuple[str, ...]]]:
    """Give the master of each object frame, its scale and flags."""
    return {
        (path, kind): (match.master, match.scale, match.flags)
        for path, found in made.matches.items()
        for kind, match in found.items()
    }


def decided(made: Plan) -> tuple[object, ...]:
    """Give all that is decided, less what is said of masters that were turned down."""
    sets = [(one.calibration_set.id, one.stem, one.master) for one in made.sets]
    states = [(one.path, one.state) for one in made.verdicts]
    return made.jobs, states, sets, made.kept, made.look_again, made.sequences


def paths_of(job: Job) -> set[str]:
    """Give the paths of the frames that a job reads."""
    frames = job.frames if isinstance(job, BuildMaster) else (job.frame,)
    return {one.path for one in frames}


def moments(plans: Iterable[Plan]) -> list[float]:
    """Give when time alone will change plans."""
    found = [one.look_again for one in plans]
    found += [each.look_again for one in plans for each in one.sequences]
    return [one for one in found if one is not None]


def whole(recipe: Recipe | None) -> bool:
    """Tell whether a product is there, and not provisional."""
    return recipe is not None and not recipe.provisional


def assert_no_mixed_sequence(world: World) -> None:
    """See that all products of a sequence were made by the same masters, or are flagged."""
    if not world.parameters.pincal:
        return
    for group in exposures(one.frame for one in world.objects.values()):
        products = [(one, world.objects[one.path].product) for one in group]
        made = [
            (one.exptime, product.recipe)
            for one, product in products
            if product is not None and whole(product.recipe)
        ]
        if not any("MIXED" in recipe.flags for _, recipe in made):
            assert len({(recipe.bias, recipe.flat) for _, recipe in made}) <= 1
            darks = {(exptime, recipe.dark) for exptime, recipe in made}
            assert len(darks) == len({exptime for exptime, _ in made})
