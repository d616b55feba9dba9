"""What was given up gets its tries back: when its file changes, and on ``tapewatch retry``."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from astropy.io import fits
from structlog.typing import EventDict

import support_service
from support_frames import SHAPE, write_raw
from support_log import documented_events
from support_night import Ended, ask
from support_service import Station, station, work_once, write_calibrations, write_objects
from tapewatch.jobs.perform import perform
from tapewatch.ledger import Ledger
from tapewatch.model import BuildMaster, Job, Master, Report, Workplace

OBJECT, FLAT = "m13-1.fits", "flat-1.fits"


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    """Wait for nothing after a failure; take the signal that the command sends to this process."""
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    with patch("tapewatch.service.booking._PAUSE", 0.0):
        yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Folder of a night."""
    folder = tmp_path / "night"
    folder.mkdir()
    write_calibrations(folder)
    write_objects(folder, OBJECT)
    return folder


class Illness:
    """Has the job of a frame, or the combining of its set, fail as long as it lasts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lasts = True
        self.failed = 0

    def perform(self, job: Job, place: Workplace, attempt: str) -> Report:
        """Do a job, in place of what a worker does."""
        if isinstance(job, BuildMaster):
            concerned = self.name in {frame.path for frame in job.frames}
        else:
            concerned = self.name == job.frame.path and self.name == OBJECT
        if concerned and self.lasts:
            self.failed += 1
            raise TimeoutError(110, "ill")
        return perform(job, place, attempt)


@pytest.fixture(params=[OBJECT, FLAT])
def illness(request: pytest.FixtureRequest) -> Iterator[Illness]:
    """Let an object frame be ill, or the set of a flat."""
    one = Illness(request.param)
    with patch.object(support_service, "perform", one.perform):
        yield one


def retry(folder: Path, *files: str) -> Ended:
    """Run the command."""
    return ask("retry", folder / "tape.par", *files)


def given_up(one: Station, illness: Illness) -> bool:
    """Tell whether it was tried three times, and that is known."""
    return illness.failed == 3 and "3 tries" in one.reason(illness.name)


def test_what_failed_is_tried_three_times_more_when_asked_for(
    night: Path, illness: Illness
) -> None:
    with station(night) as one:
        one.look()
        assert given_up(one, illness)
        one.look()
        assert illness.failed == 3
        assert "tried again; it was" in retry(night, illness.name).output
        one.look()
        assert illness.failed == 6
        assert "3 tries" in one.reason(illness.name)
        illness.lasts = False
        retry(night, str(night / illness.name))
        one.look()
        assert set(one.states().values()) == {"done"}
        noticed = [line for line in one.lines if line["event"] == "retry.noticed"]
        assert [line["file"] for line in noticed] == [illness.name] * 2
        assert (
            set(noticed[0]) - {"event", "log_level"} == documented_events()["retry.noticed"].always
        )


def test_what_is_asked_for_while_no_daemon_runs_is_heeded_at_the_next_start(
    night: Path, illness: Illness
) -> None:
    work_once(night)
    assert illness.failed == 3
    illness.lasts = False
    work_once(night)
    with station(night) as one:
        assert given_up(one, illness)
    assert "heeded at the next start" in retry(night, illness.name).output
    assert work_once(night)[0] == 0
    with station(night) as one:
        assert set(one.states().values()) == {"done"}


def test_what_failed_is_tried_again_when_its_content_changes(night: Path, illness: Illness) -> None:
    with station(night) as one:
        one.look()
        assert given_up(one, illness)
        illness.lasts = False
        kind = "object" if illness.name == OBJECT else "flat"
        write_raw(night / illness.name, 25000, IMAGETYP=kind, DATE_OBS="2026-03-25T18:05:00")
        one.look()
        assert set(one.states().values()) == {"done"}


def test_what_was_rejected_or_stalled_is_looked_at_anew(night: Path) -> None:
    odd, short = night / "odd.fits", night / "short.fits"
    fits.PrimaryHDU(np.zeros((3, 3, 3))).writeto(odd)
    short.write_bytes((night / OBJECT).read_bytes()[:-2880])
    with station(night, once=True) as one:
        one.look()
        assert (one.states()["odd.fits"], one.states()["short.fits"]) == ("rejected", "stalled")
        told = len(one.lines)
        assert retry(night, "odd.fits", "short.fits").code == 0
        one.look()
        assert (one.states()["odd.fits"], one.states()["short.fits"]) == ("rejected", "stalled")
        assert [line["event"] for line in one.lines[told:]].count("retry.noticed") == 2


def test_what_did_not_fail_is_not_tried_again_and_then_none_is(night: Path) -> None:
    with station(night) as one:
        one.look()
        state = one.ledger.path
        flat = next(path for path in night.glob("masters/wflat*.fits"))
        for name, reason in (
            (OBJECT, "is done: nothing failed"),
            (str(flat), "was combined: nothing failed"),
            ("nothing.fits", "is not known"),
        ):
            ended = retry(night, name)
            assert ended.code == 1
            assert reason in ended.errors
        ask("mark", night / "tape.par", "bad", FLAT)
        fits.PrimaryHDU(np.zeros((3, 3, 3))).writeto(night / "odd.fits")
        one.look()
        ended = retry(night, "odd.fits", FLAT)
        assert ended.code == 1
        assert "tapewatch mark good" in ended.errors
        with Ledger(state) as ledger:
            assert ledger.take_retries() == ()


def _killed_thrice(folder: Path) -> Master:
    """Have a night's master bias made, and three kills before it was booked; give it."""
    with station(folder) as one:
        one.look()
        (bias,) = [each.master for each in one.ledger.masters() if each.master.kind == "bias"]
        one.ledger.forget_master(bias.id)
        for _ in range(3):
            one.ledger.begin_master(bias.id)
    return bias


def _told_of_masters(lines: list[EventDict]) -> list[str]:
    return [one["event"] for one in lines if one["event"].startswith("master.")]


def test_a_master_that_was_made_before_the_third_kill_is_used(night: Path) -> None:
    bias = _killed_thrice(night)
    code, lines = work_once(night)
    assert (code, _told_of_masters(lines)) == (0, ["master.found"])
    with station(night) as one:
        assert bias in [each.master for each in one.ledger.masters() if each.in_use]
        assert set(one.states().values()) == {"done"}


@pytest.mark.parametrize("harm", ["gone", "another's", "cut short"])
def test_one_that_was_not_is_told_of_at_the_next_start(night: Path, harm: str) -> None:
    bias = _killed_thrice(night)
    file = night / bias.path
    content = file.read_bytes()
    file.unlink()
    if harm == "another's":
        write_raw(file)
    elif harm == "cut short":
        file.write_bytes(content[:-2880])
    assert _told_of_masters(work_once(night)[1]) == ["master.failed"]
    assert _told_of_masters(work_once(night)[1]) == []
    with station(night) as one:
        assert "combining failed: its worker did not come back" in one.reason("bias-0.fits")


def test_a_job_that_is_chosen_beside_one_that_is_not_needed_is_given_out_once(
    tmp_path: Path,
) -> None:
    for number in range(2):
        for shape in (SHAPE, (16, 30)):
            path = tmp_path / f"bias-{shape[0]}-{number}.fits"
            when = f"2026-03-25T17:{shape[0]}:{number:02}"
            write_raw(path, 1000 + shape[0] + number, shape, IMAGETYP="bias", DATE_OBS=when)
    with station(tmp_path) as one:
        one.look()
        masters = [each.master for each in one.ledger.masters()]
        for master in masters:
            one.ledger.forget_master(master.id)
        for _ in range(3):
            one.ledger.begin_master(masters[-1].id)
    with patch.object(support_service._Workers, "count", 4), station(tmp_path) as one:
        foreman = one.service._foreman
        foreman.planner.plan_all()
        foreman.planner.rested()
        with one.ledger.batch():
            chosen = foreman.choose()
        assert [job.master for job, _ in chosen if isinstance(job, BuildMaster)] == [
            replace(masters[0], built=False)
        ]
        assert [tries for _, tries in chosen] == [1]
        foreman.hand_out(chosen)
        one.look()
        assert one.events("master.found", "master.built") == ["master.found", "master.built"]
        assert set(one.states().values()) == {"done"}
