"""Any order of arrival ends in the same products; and when all is done, nothing is planned."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from support_planning import (
    exposures,
    frame,
    palettes,
    parameters,
    policies,
)
from support_world import File, World, assert_no_mixed_sequence, whole
from tapewatch.model import (
    BuildMaster,
    Kind,
    State,
)
from tapewatch.parameters import Parameters
from tapewatch.planning.plan import plan

GREENWICH = 0.0  # an OBSLON: with it the night has an end


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
