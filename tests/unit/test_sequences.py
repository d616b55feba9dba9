"""Frames of one sequence keep the same masters, whatever comes late, goes bad, or is killed."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_planning import DAY, HOUR, MINUTE, NOW, exposures, frame, parameters
from support_world import MARKED, File, World, assert_no_mixed_sequence, whole
from tapewatch.model import Kind, Recipe, State

SETS = {Kind.BIAS: 3, Kind.DARK: 3, Kind.FLAT: 3}


def quick(**changes: Any) -> World:  # noqa: ANN401  (whatever the field holds)
    """World of an observer who takes three calibration frames of each kind."""
    return World(parameters(nbias=3, ndark=3, nflat=3, mincal=3, **changes))


def add(world: World, kind: Kind, numbers: Iterable[int], folder: str = "", **fields: Any) -> None:  # noqa: ANN401
    """Have frames of one kind come, a minute apart from each other."""
    for number in numbers:
        one = frame(f"{folder}{kind}{number:02}.fits", kind, number, **fields)
        world.arrive(File(one, one.path))


def calibrations(world: World, folder: str = "", **fields: Any) -> None:  # noqa: ANN401
    """Have a complete set of each kind come."""
    for kind, count in SETS.items():
        add(world, kind, range(count), folder, **fields)


def states(world: World) -> dict[str, State]:
    """Give the states of the object frames."""
    return {path: world.states[path] for path in world.objects}


def recipes(world: World) -> list[Recipe]:
    """Give how the products were made, in order of the frames' names."""
    made = [world.objects[path].product for path in sorted(world.objects)]
    return [one.recipe for one in made if one is not None]


def grown(objects: int = 4, **changes: Any) -> World:  # noqa: ANN401
    """Sequence that goes on, of which the flats grew after its frames were done."""
    world = quick(**changes)
    calibrations(world)
    add(world, Kind.OBJECT, range(10, 10 + objects))
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    add(world, Kind.FLAT, range(3, 6))
    world.settle()
    world.now += 10 * MINUTE  # the set is quiet, and combined once more
    world.settle()
    return world


def after_the_end(world: World) -> None:
    """Let time pass until the sequence counts as ended."""
    world.now = max(one.frame.start + 60 for one in world.objects.values()) + 2 * HOUR + 1


def test_objects_before_calibrations_are_provisional_until_their_masters_come() -> None:
    world = quick()
    add(world, Kind.OBJECT, range(10, 13))
    world.settle()
    assert set(states(world).values()) == {State.WAITING}  # there is nothing to be done at all
    add(world, Kind.BIAS, range(3))
    add(world, Kind.DARK, range(2))
    world.settle()
    assert set(states(world).values()) == {State.PROVISIONAL}
    assert {one.calstat for one in recipes(world)} == {"B"}
    assert all("PROVISIONAL" in one.flags for one in recipes(world))
    path = "object10.fits"
    product = world.objects[path].product
    assert product is not None
    assert product.path == "provisional/wobject10.fits"
    assert "waits: for a master" in world.reasons[path]
    assert "2 of 3 dark frames" in world.reasons[path]
    add(world, Kind.DARK, (2,))
    add(world, Kind.FLAT, range(3))
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    assert {one.calstat for one in recipes(world)} == {"BDF"}
    assert not any(one.provisional for one in recipes(world))


def test_with_onmissing_wait_nothing_is_provisional() -> None:
    world = quick(provisional=False)
    add(world, Kind.OBJECT, range(10, 13))
    add(world, Kind.BIAS, range(3))
    world.settle()
    assert set(states(world).values()) == {State.WAITING}
    assert recipes(world) == []


def test_a_master_that_is_being_combined_is_waited_for() -> None:
    world = quick()
    calibrations(world)
    add(world, Kind.OBJECT, (10,))
    while world.running or world.start():
        jobs = [job for job in world.running if hasattr(job, "recipe")]
        assert not any(job.recipe.provisional for job in jobs)
        if not world.running:
            break
        world.end(0)
    assert states(world) == {"object10.fits": State.DONE}


def test_frames_of_a_running_sequence_keep_the_masters_of_its_products() -> None:
    world = grown()
    before = recipes(world)
    assert set(states(world).values()) == {State.STALE}
    assert "for when its sequence has ended" in world.reasons["object10.fits"]
    add(world, Kind.OBJECT, (14,))  # one more, long after the new flat
    look_again = world.settle()
    assert recipes(world)[:4] == before
    assert len({one.flat for one in recipes(world)}) == 1
    ended = world.objects["object14.fits"].frame.start + 60
    assert look_again == ended + 2 * HOUR
    world.now = look_again
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    assert len({one.flat for one in recipes(world)}) == 1
    assert recipes(world)[0].flat != before[0].flat


def test_another_target_or_filter_is_another_sequence() -> None:
    world = grown()
    add(world, Kind.OBJECT, (14,), object="M 92")
    world.settle()
    assert recipes(world)[4].flat != recipes(world)[0].flat
    assert states(world)["object14.fits"] is State.DONE


def test_no_half_redone_sequence_is_called_done() -> None:
    world = grown()
    after_the_end(world)
    world.start()
    total = len(world.running)
    assert total == 4
    for redone in range(1, total):
        world.end(0)
        world.start()
        assert set(states(world).values()) == {State.STALE}
        told = [one for one in world.reasons.values() if "being redone" in one]
        assert len(told) == redone
        assert all(f"its sequence is being redone: {redone} of 4" in one for one in told)
    world.end(0)
    world.start()
    assert set(states(world).values()) == {State.DONE}


def test_a_kill_in_the_middle_of_redoing_is_made_up_for() -> None:
    world = grown()
    after_the_end(world)
    world.start()
    world.end(0)
    world.end(0)
    world.running.clear()  # as a kill does; what is in the ledger stays
    world.plan()
    assert set(states(world).values()) == {State.STALE}
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    assert_no_mixed_sequence(world)


def test_once_takes_every_sequence_as_ended() -> None:
    world = grown()
    before = recipes(world)[0].flat
    world.settle(finish=True)
    assert set(states(world).values()) == {State.DONE}
    assert {one.flat for one in recipes(world)}.isdisjoint({before})


def test_a_master_marked_bad_at_midnight_is_replaced_at_once() -> None:
    world = grown()
    first = recipes(world)[0].flat
    world.bad = {first}
    world.start()
    assert set(states(world).values()) == {State.STALE}
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    assert first not in {one.flat for one in recipes(world)}
    assert_no_mixed_sequence(world)


def test_a_bad_master_without_another_leaves_its_products_stale() -> None:
    world = grown()
    world.bad = {one.id for one in world.masters.values() if one.kind is Kind.FLAT}
    world.settle()
    assert set(states(world).values()) == {State.STALE}
    assert world.running == []
    assert MARKED in world.reasons["object10.fits"]


def test_a_lost_master_is_replaced_at_once() -> None:
    world = grown()
    first = recipes(world)[0].flat
    del world.masters[first]
    world.in_use.discard(first)
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    assert_no_mixed_sequence(world)


def test_where_a_raw_frame_is_gone_all_keep_their_masters() -> None:
    world = grown()
    before = recipes(world)
    world.vanish("object11.fits")
    after_the_end(world)
    world.settle()
    assert recipes(world) == before
    assert set(states(world).values()) <= {State.DONE, State.STALE}
    assert states(world)["object10.fits"] is State.DONE
    assert "a raw frame of its sequence is gone" in world.reasons["object10.fits"]
    add(world, Kind.OBJECT, (14,))  # copied late: it gets what its fellows have
    world.settle()
    assert len({one.flat for one in recipes(world)}) == 1


def test_a_raw_frame_that_goes_in_the_middle_of_redoing_takes_all_back() -> None:
    world = grown()
    before = recipes(world)
    after_the_end(world)
    world.start()
    done = {job.frame.path for job in world.running[:2] if hasattr(job, "frame")}
    world.end(0)
    world.end(0)
    assert len(set(recipes(world))) == 2
    world.vanish(min(world.objects.keys() - done))
    world.settle()
    assert recipes(world) == before
    there = world.objects.keys() - world.files_gone
    assert {world.states[path] for path in there} == {State.DONE}


def test_a_raw_frame_that_goes_after_it_was_redone_hinders_nothing() -> None:
    world = grown()
    after_the_end(world)
    world.start()
    world.end(0)
    (done,) = [
        path
        for path, one in world.objects.items()
        if one.product and one.product.recipe.flat not in {r.flat for r in recipes(world)[1:]}
    ] or [min(world.objects)]
    world.vanish(done)
    world.settle()
    there = world.objects.keys() - world.files_gone
    assert {world.states[path] for path in there} == {State.DONE}
    assert len({one.flat for one in recipes(world)}) == 1


def test_recal_never_lists_what_it_leaves() -> None:
    world = grown(recal=False)
    before = recipes(world)
    after_the_end(world)
    world.settle()
    assert recipes(world) == before
    assert set(states(world).values()) == {State.STALE}
    assert "RECAL is never" in world.reasons["object10.fits"]
    add(world, Kind.OBJECT, (14,))
    world.settle()
    assert len({one.flat for one in recipes(world)}) == 1


def test_recal_never_does_replace_what_is_provisional() -> None:
    world = quick(recal=False)
    add(world, Kind.OBJECT, (10,))
    add(world, Kind.BIAS, range(3))
    world.settle()
    assert states(world) == {"object10.fits": State.PROVISIONAL}
    calibrations(world)
    world.settle()
    assert states(world) == {"object10.fits": State.DONE}


def test_without_pincal_each_frame_has_the_best_masters_at_once() -> None:
    world = grown(pincal=False)
    assert set(states(world).values()) == {State.DONE}
    best = {one.id for one in world.masters.values() if len(one.inputs) == 6}
    assert {one.flat for one in recipes(world)} == best


def test_each_exposure_time_has_a_dark_of_its_own() -> None:
    world = quick()
    calibrations(world)
    add(world, Kind.DARK, range(20, 23), exptime=10.0)
    add(world, Kind.OBJECT, range(30, 33), exptime=60.0)
    add(world, Kind.OBJECT, range(40, 43), exptime=10.0)
    world.settle()
    made = recipes(world)
    assert len({one.dark for one in made[:3]}) == len({one.dark for one in made[3:]}) == 1
    assert made[0].dark != made[3].dark
    assert {one.dark_scale for one in made} == {1.0}
    assert_no_mixed_sequence(world)


def test_where_no_dark_suits_all_frames_each_has_its_own_and_a_flag() -> None:
    world = quick(temptol=1.0)
    calibrations(world)
    for number, temperature in enumerate((-20.0, -15.0)):
        frames = range(20 + 10 * number, 23 + 10 * number)
        add(world, Kind.DARK, frames, temperature=temperature)
        add(world, Kind.OBJECT, (50 + number,), temperature=temperature)
    for path in [path for path in world.calibration if path < "dark20"]:
        if path.startswith("dark"):
            world.vanish(path)
    world.settle(finish=True)
    first, second = recipes(world)
    assert first.dark != second.dark
    assert first.flags == second.flags == ("MIXED",)
    assert (first.bias, first.flat) == (second.bias, second.flat)
    assert set(states(world).values()) == {State.DONE}


def test_a_dark_of_another_folder_that_is_superseded_stays_pinned() -> None:
    world = quick()
    calibrations(world, "calibration/")
    add(world, Kind.OBJECT, range(10, 13), "night/")
    world.settle()
    before = recipes(world)
    add(world, Kind.FLAT, range(3, 6), "calibration/")
    world.settle()
    world.now += 10 * MINUTE
    world.settle()
    add(world, Kind.OBJECT, (14,), "night/")
    world.settle()
    assert {one.flat for one in recipes(world)} == {before[0].flat}


@st.composite
def long_nights(draw: st.DrawFn) -> list[File]:
    """Files of a night of one target, with more calibration frames than a set needs."""
    files = []
    for kind, most in ((Kind.BIAS, 5), (Kind.DARK, 5), (Kind.FLAT, 6), (Kind.OBJECT, 6)):
        for number in range(draw(st.integers(1, most))):
            minutes = draw(st.sampled_from((0, 1, 2, 45, 90, 300, 420)))
            exptime = draw(st.sampled_from((60.0, 60.0, 10.0)))
            filter_name = "R" if kind in {Kind.OBJECT, Kind.FLAT} else "none"
            one = frame(
                f"{kind}{number}.fits",
                kind,
                minutes + number,
                exptime=0.0 if kind is Kind.BIAS else exptime,
                filter=filter_name,
            )
            files.append(File(one, one.path))
    return files


def assert_truthful(world: World) -> None:
    """See that no frame is called done whose sequence is on different masters."""
    for group in exposures(one.frame for one in world.objects.values()):
        made = [
            (one.exptime, product.recipe, world.states.get(one.path))
            for one in group
            if (product := world.objects[one.path].product) is not None
            and one.path not in world.files_gone
            and whole(product.recipe)
        ]
        mixed = len({(recipe.bias, recipe.flat) for _, recipe, _ in made}) > 1
        darks = {(exptime, recipe.dark) for exptime, recipe, _ in made}
        mixed |= len(darks) > len({exptime for exptime, _, _ in made})
        if mixed and not any("MIXED" in recipe.flags for _, recipe, _ in made):
            assert State.DONE not in {state for _, _, state in made}


def happen(world: World, event: str, number: int) -> None:
    """Have something happen, and all be planned that it concerns."""
    if event == "settle":
        world.settle()
    elif event == "wait":
        world.now += number * HOUR / 3
    elif event == "kill":
        world.running.clear()
    elif event == "bad" and world.masters and not number:
        world.bad.add(min(world.masters))
    elif event == "end" and world.running:
        world.end(number)
    world.start()


@given(long_nights(), st.booleans(), st.data())
@settings(max_examples=60)
def test_at_every_moment_status_is_truthful_and_in_the_end_nothing_is_mixed(
    files: list[File], provisional: bool, data: st.DataObject
) -> None:
    world = quick(provisional=provisional, longitude=0.0)
    events = st.lists(
        st.tuples(
            st.sampled_from(("start", "end", "end", "wait", "settle", "bad", "kill")),
            st.integers(0, 9),
        ),
        max_size=4,
    )
    for file in data.draw(st.permutations(files)):
        world.arrive(file)
        for event, number in data.draw(events):
            happen(world, event, number)
            assert_truthful(world)
    world.rest()
    assert_truthful(world)
    assert_no_mixed_sequence(world)
    for path, one in world.objects.items():
        if world.states[path] is State.DONE:
            assert one.product is not None
            recipe = one.product.recipe
            assert world.bad.isdisjoint({recipe.bias, recipe.dark, recipe.flat})


@pytest.mark.parametrize("ahead", [-3 * HOUR, DAY])
def test_a_camera_clock_that_is_wrong_leaves_no_sequence_running_for_ever(ahead: float) -> None:
    world = grown()
    last = max(one.frame.start for one in world.objects.values())
    world.now = last + 60 - ahead if ahead > 0 else last + 60 + 3 * HOUR
    world.settle()
    assert set(states(world).values()) == {State.DONE}
    assert world.now != NOW
