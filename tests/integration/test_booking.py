"""What becomes of a job that ended, well or badly: in the ledger, in the log, and afterwards."""

import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from pebble import ProcessExpired
from structlog.typing import EventDict

from support_ledger import (
    EVENING,
    STATISTICS,
    a_build,
    a_calibration,
    a_frame,
    a_master,
    a_product,
    captured_log,
    finish,
    take,
    told,
)
from tapewatch.errors import (
    IncompleteFileError,
    MasterLostError,
    NoSpaceError,
    RejectedError,
)
from tapewatch.facts import GIVEN_UP
from tapewatch.ledger import Ledger
from tapewatch.model import Content, Job, Kind, MeasureFrame, Report, State
from tapewatch.service.booking import Booking
from tapewatch.service.outages import Outages

RESCAN = 1000.0  # seconds: longer than any test
OBJECT = a_calibration("n/x.fits", object="M13")
BIASES = ("n/b1.fits", "n/b2.fits")
BUILD = a_build(a_master("b" * 16, folder="n"), *BIASES)
JOBS = (OBJECT, BUILD)
DIED = ProcessExpired("Abnormal termination", code=-9)  # type: ignore[no-untyped-call]


class Office(NamedTuple):
    """A booking with its ledger, and the lines that it logs."""

    booking: Booking
    outages: Outages
    ledger: Ledger
    log: list[EventDict]

    def begin(self, job: Job, times: int = 1) -> int:
        """Begin a job so many times, and give the last number of tries."""
        return [self.booking.begin(job) for _ in range(times)][-1]

    def state(self) -> tuple[State, str]:
        """Give state and reason of the object frame."""
        (record,) = self.ledger.frames("n/x.fits")
        return record.state, record.reason

    def tries(self, job: Job) -> int:
        """Give how many tries of a job are counted."""
        if job is BUILD:
            return next(n for n in range(9, -1, -1) if BUILD.master.id in self.ledger.failures(n))
        return self.ledger.frames("n/x.fits")[0].tries


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    log, log_lines = captured_log()
    with Ledger(tmp_path / "state.sqlite") as ledger:
        take(ledger, OBJECT.frame, EVENING)
        for frame in BUILD.frames:
            take(ledger, frame)
        outages = Outages(ledger, log, RESCAN)
        yield Office(Booking(tmp_path, ledger, log, outages), outages, ledger, log_lines)


def report_of(office: Office) -> Report:
    identity = office.ledger.identities(["n/x.fits"])["n/x.fits"]
    content = Content(identity, "data", "header")
    return Report(STATISTICS, content, a_product("n/wx.fits", content), ended=EVENING + 1.5)


def test_a_calibrated_frame_is_booked_with_its_product_and_the_time_it_took(
    office: Office,
) -> None:
    office.begin(OBJECT)
    office.booking.succeed(OBJECT, report_of(office))
    assert office.ledger.products() == {"n/x.fits": "n/wx.fits"}
    assert office.ledger.frames("n/x.fits")[0].tries == 0
    assert told(office.log) == [("frame.calibrated", "info")]
    assert office.log[0]["latency"] == 1.5
    assert office.booking.done == {"frames_calibrated": 1}


def test_a_measured_frame_is_booked_with_its_content(office: Office) -> None:
    job = MeasureFrame(BUILD.frames[0])
    content = Content(office.ledger.identities(BIASES)[BIASES[0]], "data", "header", STATISTICS)
    office.begin(job)
    office.booking.succeed(job, Report(STATISTICS, content))
    measured = {one.frame.path: one.data_hash for one in office.ledger.calibration_frames("n")}
    assert measured == {BIASES[0]: "data", BIASES[1]: None}
    assert told(office.log) == [("frame.measured", "info")]
    assert office.booking.done == {"frames_measured": 1}


def test_a_master_is_booked_with_the_figures_of_its_inputs(office: Office) -> None:
    known = office.ledger.identities(BIASES)
    report = Report(
        STATISTICS,
        inputs=(STATISTICS, STATISTICS),
        identities=tuple(known[path] for path in BIASES),
        ended=EVENING,
    )
    office.begin(BUILD)
    office.booking.succeed(BUILD, report)
    assert [one.master for one in office.ledger.masters()] == [replace(BUILD.master, built=True)]
    assert office.ledger.failures(0) == {}
    assert told(office.log) == [
        ("frame.combined", "info"),
        ("frame.combined", "info"),
        ("master.built", "info"),
    ]
    assert office.booking.done == {"masters_built": 1}


def test_a_master_of_files_that_changed_meanwhile_is_not_booked(office: Office) -> None:
    known = office.ledger.identities(BIASES)
    take(office.ledger, BUILD.frames[1])
    office.begin(BUILD)
    report = Report(STATISTICS, identities=tuple(known[path] for path in BIASES))
    office.booking.succeed(BUILD, report)
    assert office.ledger.masters() == ()
    assert office.log == []
    assert office.booking.suspects == dict.fromkeys(BIASES, "")


def test_a_rejected_frame_is_set_aside_with_the_reason(office: Office) -> None:
    office.booking.fail(OBJECT, RejectedError("wx.fits is there already"), office.begin(OBJECT))
    assert office.state() == (State.REJECTED, "wx.fits is there already")
    assert told(office.log) == [("frame.rejected", "warning")]
    assert office.log[0]["file"] == "n/x.fits"


def test_a_set_that_cannot_be_combined_is_set_aside_with_the_reason(office: Office) -> None:
    office.booking.fail(BUILD, RejectedError("types differ"), office.begin(BUILD))
    assert office.ledger.failures(GIVEN_UP) == {BUILD.master.id: "types differ"}
    assert told(office.log) == [("master.failed", "error")]
    assert office.log[0]["reason"] == "types differ"


@pytest.mark.parametrize("error", [IncompleteFileError("2,880 of 8,640"), FileNotFoundError()])
def test_a_file_cut_short_or_gone_is_to_be_looked_at_again(
    office: Office, error: Exception
) -> None:
    office.booking.fail(OBJECT, error, office.begin(OBJECT))
    assert office.booking.suspects == {"n/x.fits": str(error)}
    assert not office.booking.may_start(OBJECT)
    assert office.state()[0] is State.SEEN
    assert office.log == []


def test_all_files_of_a_set_are_to_be_looked_at_where_one_is_cut_short(office: Office) -> None:
    office.booking.fail(BUILD, IncompleteFileError("cut short"), office.begin(BUILD))
    assert office.booking.suspects == dict.fromkeys(BIASES, "")
    assert not office.booking.may_start(BUILD)


@pytest.mark.parametrize("job", JOBS)
def test_a_full_disk_holds_all_work_and_counts_against_no_frame(office: Office, job: Job) -> None:
    office.booking.fail(job, NoSpaceError("3 % is free"), office.begin(job))
    office.booking.fail(job, NoSpaceError("2 % is free"), office.begin(job))
    assert office.tries(job) == 0
    assert office.outages.holds()
    assert not office.booking.may_start(OBJECT)
    assert office.outages.next_look() == pytest.approx(RESCAN, abs=60)
    assert told(office.log) == [("service.degraded", "error")]
    assert office.log[0]["reason"] == "3 % is free"


def test_the_first_product_after_a_full_disk_says_that_it_is_over(office: Office) -> None:
    office.booking.fail(OBJECT, NoSpaceError("3 % is free"), office.begin(OBJECT))
    for _ in range(2):
        office.booking.succeed(OBJECT, report_of(office))
    assert [event for event, _ in told(office.log)] == [
        "service.degraded",
        "frame.calibrated",
        "service.restored",
        "frame.calibrated",
    ]


def test_a_lost_master_is_forgotten_and_counts_against_no_frame(office: Office) -> None:
    office.ledger.set_master(BUILD.master, STATISTICS, EVENING)
    office.booking.fail(
        OBJECT, MasterLostError("wbias.fits is gone", BUILD.master.id), office.begin(OBJECT)
    )
    assert office.ledger.masters() == ()
    assert office.tries(OBJECT) == 0
    assert office.state()[0] is State.SEEN
    assert told(office.log) == [("master.lost", "warning")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DIED, "worker process died (exit code -9)"),
        (FutureTimeoutError(), "took too long and was ended"),
        (PermissionError(13, "Permission denied", "/n/x.fits"), "Permission denied"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (MemoryError(), "MemoryError"),
    ],
)
@pytest.mark.parametrize("job", JOBS)
def test_any_other_failure_is_tried_again_after_a_pause_and_given_up_at_the_third(
    office: Office, job: Job, error: Exception, reason: str
) -> None:
    key = "n/x.fits" if job is OBJECT else BUILD.master.id
    pauses = []
    for _ in range(2):
        office.booking.fail(job, error, office.begin(job))
        assert not office.booking.may_start(job)
        assert office.booking.may_start(MeasureFrame(a_frame("another.fits")))
        pauses.append(office.booking.next_look() or 0.0)
    assert pauses == [pytest.approx(2, abs=1), pytest.approx(4, abs=1)]
    assert told(office.log) == [("job.retry", "warning")] * 2
    assert [line["tries"] for line in office.log] == [1, 2]
    office.booking.fail(job, error, office.begin(job))
    event = "frame.failed" if job is OBJECT else "master.failed"
    assert told(office.log)[2:] == [(event, "error")]
    for line in office.log:
        assert reason in line["reason"]
    if job is OBJECT:
        assert office.state() == (State.FAILED, office.log[2]["reason"])
    else:
        assert office.ledger.failures(GIVEN_UP) == {key: office.log[2]["reason"]}


@pytest.mark.parametrize("job", JOBS)
def test_what_kills_us_each_time_is_given_up_when_it_would_begin_a_fourth_time(
    office: Office, job: Job
) -> None:
    assert office.begin(job, 3) == 3
    assert office.log == []
    assert office.begin(job) == 0
    event = "frame.failed" if job is OBJECT else "master.failed"
    assert told(office.log) == [(event, "error")]
    assert "did not come back, 3 times" in office.log[0]["reason"]


@pytest.mark.parametrize("job", JOBS)
def test_a_try_that_was_ended_for_our_stop_is_taken_back(office: Office, job: Job) -> None:
    office.begin(job, 2)
    office.booking.take_back(job)
    assert office.begin(job) == 2


def test_a_pause_that_is_over_is_forgotten(office: Office) -> None:
    office.booking.fail(OBJECT, MemoryError(), office.begin(OBJECT))
    office.booking._not_before = {"n/x.fits": time.monotonic() - 1}
    assert office.booking.may_start(OBJECT)
    # Once more the loop is told, for it may have ended after jobs were chosen.
    assert office.booking.next_look() == 0
    assert office.booking.next_look() is None
    assert not office.outages


def test_a_failure_of_a_frame_that_was_done_before_leaves_its_product(office: Office) -> None:
    frame = a_frame("n/done.fits")
    finish(office.ledger, frame, "n/wdone.fits")
    job = a_calibration("n/done.fits", redo=True)
    office.booking.fail(job, RejectedError("taken"), office.begin(job))
    assert office.ledger.products() == {"n/done.fits": "n/wdone.fits"}
    assert office.ledger.object_frame("n/done.fits") is None


def test_kinds_of_jobs_are_told_apart_in_a_retry(office: Office) -> None:
    job = MeasureFrame(a_frame(BIASES[0], Kind.BIAS))
    office.booking.fail(job, MemoryError(), office.begin(job))
    office.booking.fail(BUILD, MemoryError(), office.begin(BUILD))
    assert office.log[0]["file"] == BIASES[0]
    assert office.log[1]["master"] == BUILD.master.path
