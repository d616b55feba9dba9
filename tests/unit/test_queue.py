"""The queue of jobs: the most urgent first, one for each master or frame."""

from collections.abc import Callable, Collection
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from support_ledger import EVENING, a_build, a_calibration, a_frame, a_master
from tapewatch.model import Job, Kind, MeasureFrame
from tapewatch.service.queue import Queue, folder_of, key_of, urgency


def always(_: Job) -> bool:
    return True


def _among(keys: Collection[str]) -> Callable[[Job], bool]:
    return lambda job: key_of(job) in keys


def drained(queue: Queue, ready: Callable[[Job], bool] = always) -> list[Job]:
    jobs = []
    while (job := queue.pop(ready)) is not None:
        jobs.append(job)
    return jobs


BUILD = a_build(a_master("a" * 16), "b1.fits", "b2.fits")
MEASURE = MeasureFrame(a_frame("bias.fits", Kind.BIAS))
NEW = a_calibration("new.fits", start=EVENING + 60)
OLD = a_calibration("old.fits", start=EVENING)
MEASURE_OBJECT = MeasureFrame(a_frame("changed.fits"))
REDO = a_calibration("redo.fits", redo=True)


def test_a_job_is_about_a_master_or_a_frame() -> None:
    assert (key_of(BUILD), folder_of(BUILD)) == ("a" * 16, "")
    job = a_calibration("n/x.fits")
    assert (key_of(job), folder_of(job)) == ("n/x.fits", "n")


def test_masters_come_first_then_what_makes_them_then_new_frames_and_last_what_is_redone() -> None:
    queue = Queue()
    queue.put([REDO, MEASURE_OBJECT, OLD, NEW, MEASURE, BUILD])
    assert drained(queue) == [BUILD, MEASURE, NEW, OLD, MEASURE_OBJECT, REDO]


def test_the_earliest_master_and_the_latest_object_come_first() -> None:
    early, late = (a_build(a_master(one * 16, start=start)) for one, start in (("e", 1), ("l", 2)))
    queue = Queue()
    queue.put([OLD, late, NEW, early])
    assert drained(queue) == [early, late, NEW, OLD]


def test_a_job_takes_the_place_of_the_earlier_one_about_the_same_frame() -> None:
    queue = Queue()
    queue.put([NEW])
    again = replace(NEW, redo=True)
    queue.put([again, OLD])
    assert len(queue) == 2
    assert drained(queue) == [OLD, again]


def test_a_job_that_was_taken_can_be_put_again() -> None:
    queue = Queue()
    queue.put([NEW])
    assert drained(queue) == [NEW]
    queue.put([NEW])
    assert drained(queue) == [NEW]


def test_what_is_not_ready_stays_for_later() -> None:
    queue = Queue()
    queue.put([BUILD, NEW, OLD])
    assert queue.pop(lambda job: job == OLD) == OLD
    assert queue.pop(lambda _: False) is None
    assert len(queue) == 2
    assert drained(queue) == [BUILD, NEW]


def test_drop_others_keeps_to_the_folder() -> None:
    elsewhere = a_calibration("n/x.fits")
    queue = Queue()
    queue.put([BUILD, NEW, OLD, elsewhere])
    queue.drop_others("", lambda job: job == NEW)
    assert len(queue) == 2
    assert set(drained(queue)) == {NEW, elsewhere}


def test_dropping_what_is_not_there_does_nothing() -> None:
    queue = Queue()
    queue.put([NEW])
    queue.drop("unknown.fits", "")
    queue.drop("new.fits", "")
    queue.drop("new.fits", "")
    assert len(queue) == 0
    assert drained(queue) == []


class NaiveQueue:
    """The same as a plain list: put at the end, sorted when one is taken."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def put(self, job: Job) -> None:
        if job not in self.jobs:
            self.jobs = [one for one in self.jobs if key_of(one) != key_of(job)]
            self.jobs.append(job)

    def drop_others(self, folder: str, keep: Callable[[Job], bool]) -> None:
        self.jobs = [one for one in self.jobs if folder_of(one) != folder or keep(one)]

    def pop(self, ready: Callable[[Job], bool]) -> Job | None:
        found = sorted((one for one in self.jobs if ready(one)), key=urgency)[:1]
        for one in found:
            self.jobs.remove(one)
        return found[0] if found else None


NAMES = ("a.fits", "b.fits", "n/a.fits", "n/b.fits")
STARTS = st.integers(0, 3).map(float)
JOBS = st.one_of(
    st.builds(
        lambda name, start, redo: a_calibration(name, start=start, redo=redo),
        st.sampled_from(NAMES),
        STARTS,
        st.booleans(),
    ),
    st.builds(
        lambda name, start: MeasureFrame(a_frame(name, Kind.BIAS, start=start)),
        st.sampled_from(NAMES),
        STARTS,
    ),
    st.builds(
        lambda master, folder, start: a_build(a_master(master, folder=folder, start=start)),
        st.sampled_from(["1", "2"]),
        # a master's ID says in which folder it is
        st.just("n"),
        STARTS,
    ),
)
KEYS = st.sets(st.sampled_from([*NAMES, "1", "2"]))
STEPS = st.one_of(
    st.tuples(st.just("put"), st.lists(JOBS, max_size=4)),
    st.tuples(st.just("pop"), KEYS),
    st.tuples(st.just("drop"), st.tuples(st.sampled_from(["", "n"]), KEYS)),
)


@given(st.lists(STEPS, max_size=30))
def test_the_queue_does_as_a_sorted_list_would(steps: list[tuple[str, object]]) -> None:
    queue, naive = Queue(), NaiveQueue()
    for what, argument in steps:
        match what, argument:
            case "put", list(jobs):
                queue.put(jobs)
                for job in jobs:
                    naive.put(job)
            case "pop", set(keys):
                ready = _among(keys)
                assert queue.pop(ready) == naive.pop(ready)
            case "drop", (str(folder), set(keys)):

                def keep(job: Job, keys: set[object] = keys) -> bool:
                    return key_of(job) in keys

                queue.drop_others(folder, keep)
                naive.drop_others(folder, keep)
            case _:
                raise AssertionError(what)
        assert len(queue) == len(naive.jobs)
    while naive.jobs:
        assert queue.pop(always) == naive.pop(always)
    assert queue.pop(always) is None
