"""The crew: how long a job may take, and who is blamed when workers die."""

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from support_jobs import JobFolder
from tapewatch.model import MeasureFrame, Report, Statistics, Treatment, Workplace
from tapewatch.service.crew import Crew
from tapewatch.workers import bounded_memory, memory_of, timeout_of

REPORT = Report(Statistics(0.0, 0.0, 0.0, 0.0))


class _Workers:
    """Two workers whose jobs end as the test says."""

    count = 2

    def __init__(self) -> None:
        self.futures: list[Future[Report]] = []

    def start(self, job: MeasureFrame, attempt: str) -> Future[Report]:
        del job, attempt
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def workers() -> _Workers:
    return _Workers()


@pytest.fixture
def crew(workers: _Workers) -> Crew:
    return Crew(workers, lambda: None)  # type: ignore[arg-type]


@pytest.fixture
def jobs(tmp_path: Path) -> list[MeasureFrame]:
    """Give four jobs."""
    folder = JobFolder(tmp_path)
    pixels = np.zeros((4, 4), np.uint16)
    return [MeasureFrame(folder.frame("bias", pixels)) for _ in range(4)]


def test_a_pool_that_breaks_is_nobodys_fault_until_jobs_are_done_one_by_one(
    crew: Crew, workers: _Workers, jobs: list[MeasureFrame]
) -> None:
    assert crew.places == 3
    for job in jobs[:3]:
        crew.start(job, 1)
    for future in workers.futures:
        future.set_exception(BrokenProcessPool())
    assert [one.is_blameless for one in crew.ended()] == [True] * 3
    for job in jobs[:2]:
        assert crew.places == 1
        crew.start(job, 1)
        assert crew.places == 0
        workers.futures[-1].set_exception(BrokenProcessPool())
        assert [one.is_blameless for one in crew.ended()] == [False]
    crew.start(jobs[2], 1)
    workers.futures[-1].set_result(REPORT)
    assert len(crew.ended()) == 1
    assert crew.places == 3


def test_a_job_that_takes_too_long_is_ended_whatever_the_wall_clock_says(
    crew: Crew, workers: _Workers, jobs: list[MeasureFrame]
) -> None:
    with patch("time.monotonic", return_value=1000.0):
        crew.start(jobs[0], 1)
        limit = crew.next_deadline()
    assert limit is not None
    assert limit == pytest.approx(timeout_of(jobs[0]))
    with patch("time.time", return_value=4e9), patch("time.monotonic", return_value=1001.0):
        assert crew.ended() == []
    with patch("time.monotonic", return_value=1001.0 + limit):
        (ended,) = crew.ended()
    assert isinstance(ended.error, TimeoutError)
    assert workers.futures[0].cancelled()
    assert crew.next_deadline() is None


def test_a_job_that_has_to_wait_for_a_worker_gets_that_time_too(
    crew: Crew, jobs: list[MeasureFrame]
) -> None:
    for job in jobs[:3]:
        crew.start(job, 1)
    last = crew._running[jobs[2].frame.path].deadline
    first = crew._running[jobs[0].frame.path].deadline
    assert last - first == pytest.approx(timeout_of(jobs[0]), abs=5)


def test_larger_frames_may_take_longer_and_more_memory_within_bounds(
    jobs: list[MeasureFrame], tmp_path: Path
) -> None:
    place = Workplace(tmp_path, tmp_path, Treatment(), 0.0)
    small = jobs[0]

    def of(side: int) -> MeasureFrame:
        detector = replace(small.frame.detector, shape=(side, side))
        return MeasureFrame(replace(small.frame, detector=detector))

    assert timeout_of(small) == pytest.approx(140, abs=1)
    assert timeout_of(small) < timeout_of(of(8192)) < timeout_of(of(1 << 20)) == 3600
    assert memory_of(small, place) == pytest.approx(2**30, rel=1e-4)
    assert memory_of(of(4096), place) == 2**30 + 96 * 4096**2
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory_of(of(1 << 20), place) == machine


def test_what_asks_for_more_memory_than_allowed_is_refused_and_the_worker_goes_on() -> None:
    with bounded_memory(1 << 26):
        assert len(bytearray(1 << 20)) == 1 << 20
        with pytest.raises(MemoryError):
            bytearray(1 << 30)
    assert len(bytearray(1 << 28)) == 1 << 28
