"""Any order of arrival ends in the same products; and when all is done, nothing is planned.

The daemon is played with symbols: its ledger is a few dictionaries, its pixels are names, and its
workers do what a job says at once. What is planned is the real thing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from support_planning import (
    NOW,
    exposures,
    frame,
    palettes,
    parameters,
    policies,
    sequences_of,
)
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
from tapewatch.planning.names import product_path
from tapewatch.planning.plan import plan

MARKED = "marked bad"
MOST_ROUNDS = 12  # of planning and working, until nothing is left to do
GREENWICH = 0.0  # an OBSLON: with it the night has an end


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
        """Have a calibration frame removed."""
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
            assert all(moment > self.now for moment in moments([made]))
            self.in_use -= facts.in_use
            self.in_use |= {one.id for one in made.kept}
            self.in_use |= {one.master.id for one in made.sets if one.master and one.master.built}
            self.states |= {one.path: one.state for one in made.verdicts}
            self.stems |= {one.calibration_set.id: one.stem for one in made.sets}
            plans.append(made)
        return plans

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


def moments(plans: Iterable[Plan]) -> list[float]:
    """Give when time alone will change plans."""
    found = [one.look_again for one in plans]
    found += [each.look_again for one in plans for each in one.sequences]
    return [one for one in found if one is not None]


@st.composite
def nights(draw: st.DrawFn) -> list[File]:
    """Files of two folders, in order of their paths; some have the same pixels."""
    files = []
    palette = draw(palettes(("", "b")))
    kinds = [Kind.BIAS] * draw(st.integers(1, 5))
    kinds += [Kind.DARK] * draw(st.integers(1, 6))
    kinds += [Kind.FLATDARK] * draw(st.integers(0, 4))
    kinds += [Kind.FLAT] * draw(st.integers(1, 5))
    kinds += [Kind.OBJECT] * draw(st.integers(1, 4))
    for number, kind in enumerate(kinds):
        one = palette.frame(draw, f"{number:02}.fits", kind)
        pixels = draw(st.sampled_from((number, number, 0)))
        files.append(File(one, f"{kind} {pixels}"))
    return files


def lived_through(
    data: st.DataObject, files: Sequence[File], policy: Parameters, *, longitude: float | None
) -> World:
    """World in which files came in some order, between work that was begun, done, or neither."""
    world = World(replace(policy, longitude=longitude))
    events = st.lists(
        st.tuples(st.sampled_from(("start", "end", "end", "wait", "settle")), st.integers(0, 9)),
        max_size=3,
    )
    for file in data.draw(st.permutations(files)):
        world.arrive(file)
        for event, number in data.draw(events):
            if event == "start":
                world.start()
            elif event == "end" and world.running:
                world.end(number)
            elif event == "settle":
                world.settle()
            else:
                world.now += 40.0 * number
    return world


def all_at_once(files: Iterable[File], policy: Parameters) -> World:
    """World in which ``tapewatch once`` found all files in the folder."""
    world = World(policy)
    for file in files:
        world.arrive(file)
    return world.rest(finish=True)


def assert_same_outcome(live: World, other: World) -> None:
    """See that a user finds the same masters under the same names, and the same products."""
    assert live.names() == other.names()
    assert_same_products(live, other)


def assert_same_products(live: World, other: World) -> None:
    """See that every frame that can be calibrated is, in the same way; the others wait.

    Where a frame cannot be calibrated by the masters at the end, there may have been one before a
    further frame split or changed its set: the product made then stays, and is called stale. So do
    those of its sequence: all of its frames are redone, or none.
    """
    products = other.recipes()
    undone = {path for path, recipe in products.items() if not whole(recipe)}
    kept = {path for path in undone if whole(live.recipes()[path])}
    if live.parameters.pincal:
        for group in exposures(one.frame for one in live.objects.values()):
            if not kept.isdisjoint(one.path for one in group):
                kept |= {one.path for one in group}
    assert {path: live.states[path] for path in other.states if path not in kept} == {
        path: state for path, state in other.states.items() if path not in kept
    }
    assert {path: live.recipes()[path] for path in products if path not in kept} == {
        path: recipe for path, recipe in products.items() if path not in kept
    }
    for path in kept & undone:
        expected = State.STALE if whole(live.recipes()[path]) else other.states[path]
        assert live.states[path] is expected
    assert_no_mixed_sequence(live)


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


@given(nights(), policies, st.data())
@settings(max_examples=60)
def test_any_order_of_arrival_ends_in_the_same_products(
    files: list[File], policy: Parameters, data: st.DataObject
) -> None:
    live = lived_through(data, files, policy, longitude=GREENWICH).rest()
    assert_same_outcome(live, all_at_once(files, policy))


@given(nights(), policies, st.data())
@settings(max_examples=40)
def test_without_a_nights_end_frames_wait_for_the_same_sets_in_any_order(
    files: list[File], policy: Parameters, data: st.DataObject
) -> None:
    live = lived_through(data, files, policy, longitude=None).rest()
    in_order = World(replace(policy, longitude=None))
    for file in files:
        in_order.arrive(file)
    in_order.rest()
    assert live.in_use == in_order.in_use
    assert_same_products(live, in_order)
    assert_same_outcome(live.rest(finish=True), all_at_once(files, policy))


@given(nights(), policies, st.data())
@settings(max_examples=30)
def test_it_all_comes_to_rest_whatever_changes_vanishes_or_cannot_be_combined(
    files: list[File], policy: Parameters, data: st.DataObject
) -> None:
    damaged = data.draw(st.sampled_from(files))
    files = [replace(one, pixels="damaged") if one is damaged else one for one in files]
    world = lived_through(data, files, policy, longitude=GREENWICH)
    for file in data.draw(st.lists(st.sampled_from(files), unique_by=id, max_size=6)):
        if file.frame.kind is Kind.OBJECT:
            world.arrive(replace(file, header="with the position of the stars"))
        elif data.draw(st.booleans()):
            world.vanish(file.frame.path)
        else:
            world.arrive(file)
        if data.draw(st.booleans()):
            world.settle()
    world.rest()
    assert set(world.states.values()) <= {
        State.DONE,
        State.WAITING,
        State.STALE,
        State.PROVISIONAL,
    }
    for one in world.objects.values():
        if world.states[one.frame.path] is State.DONE:
            assert one.product is not None
            assert one.content == world._content(one.frame.path)


@given(nights(), policies, st.data())
@settings(max_examples=25)
def test_planning_some_of_the_objects_decides_on_them_as_planning_all(
    files: list[File], policy: Parameters, data: st.DataObject
) -> None:
    world = lived_through(data, files, policy, longitude=None)
    facts = world.facts("")
    every = plan(facts, world.parameters, world.now)
    chosen = tuple(one for one in facts.objects if data.draw(st.booleans()))
    paths = {one.frame.path for one in chosen}
    some = plan(replace(facts, objects=chosen), world.parameters, world.now)
    bare = plan(replace(facts, objects=()), world.parameters, world.now)
    later = plan(replace(facts, objects=chosen), world.parameters, world.now, known=bare)
    assert some == replace(
        later, jobs=bare.jobs + later.jobs, verdicts=bare.verdicts + later.verdicts
    )
    others = {one.frame.path for one in facts.objects} - paths
    assert some.sets == every.sets
    assert some.verdicts == tuple(one for one in every.verdicts if one.path not in others)
    assert some.matches == {path: every.matches[path] for path in paths}
    assert some.jobs == tuple(
        job for job in every.jobs if isinstance(job, BuildMaster) or job.frame.path not in others
    )


def test_a_night_as_it_should_be_is_calibrated_whole() -> None:
    world = World(parameters())
    for kind in (Kind.OBJECT, Kind.FLAT, Kind.DARK, Kind.BIAS):
        for number in range(5):
            world.arrive(good(kind, number))
        world.settle()
    assert set(world.states.values()) == {State.DONE}
    assert len(world.masters) == 3


def good(kind: Kind, number: int) -> File:
    """File of a night on which nothing went wrong."""
    one = frame(f"{kind}{number}.fits", kind, number)
    return File(one, one.path)
