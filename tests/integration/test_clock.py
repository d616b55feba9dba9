"""The wall clock is set, forward and back: no wait becomes endless, and nothing is done twice."""

import time
from pathlib import Path

import pytest

from support_frames import write_raw
from support_service import Station, station, write_calibrations, write_objects
from support_state import files_of

YEAR = 365 * 86400.0  # seconds
MINUTES = 300.0  # seconds: longer than a set has to be quiet
EVENTS = ("frame.calibrated", "frame.measured", "master.built", "product.lost", "master.lost")


class Clock:
    """The wall clock as the program sees it."""

    def __init__(self) -> None:
        self._really = time.time
        self.ahead = 0.0  # seconds

    def time(self) -> float:
        """Tell the time."""
        return self._really() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


def few_biases(folder: Path) -> None:
    """Write fewer biases than make a set complete: they are taken when no more come."""
    for number in range(2):
        write_raw(folder / f"bias-{number}.fits", 300 + number, IMAGETYP="bias")


def built(at: Station) -> int:
    at.look()
    return len(at.events("master.built"))


@pytest.mark.parametrize("back", [YEAR, 3600.0])
def test_a_set_is_quiet_in_time_although_the_clock_was_set_back(
    tmp_path: Path, clock: Clock, back: float
) -> None:
    few_biases(tmp_path)
    with station(tmp_path, NBIAS=9, MINCAL=2) as at:
        assert built(at) == 0
        clock.ahead = -back
        assert built(at) == 0
        clock.ahead += MINUTES
        assert built(at) == 1


def test_a_set_is_quiet_in_time_although_the_clock_was_set_back_between_two_starts(
    tmp_path: Path, clock: Clock
) -> None:
    few_biases(tmp_path)
    with station(tmp_path, NBIAS=9, MINCAL=2) as at:
        assert built(at) == 0
    clock.ahead = -YEAR
    with station(tmp_path, NBIAS=9, MINCAL=2) as at:
        assert built(at) == 0
        clock.ahead += MINUTES
        assert built(at) == 1


def test_a_set_is_complete_though_the_clock_was_set_forward(tmp_path: Path, clock: Clock) -> None:
    few_biases(tmp_path)
    with station(tmp_path, NBIAS=9, MINCAL=2) as at:
        assert built(at) == 0
        clock.ahead = YEAR
        assert built(at) == 1


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_frames_that_come_after_the_clock_was_set_are_done_as_ever(
    tmp_path: Path, clock: Clock, ahead: float
) -> None:
    made = []
    for name in ("set", "right"):
        folder = tmp_path / name
        write_calibrations(folder)
        write_objects(folder, "x.fits")
        with station(folder, SETTLE=10, OUTDIR=tmp_path / f"{name}.out") as at:
            clock.ahead = 20.0
            at.look()
            assert at.states()["x.fits"] == "done"
            clock.ahead = ahead if name == "set" else 30.0
            write_objects(folder, "x.fits", "y.fits")
            at.look()
            clock.ahead += 20.0
            at.look()
            clock.ahead += 20.0
            at.look()
            assert set(at.states().values()) == {"done"}
            assert at.objects() == ["x.fits", "y.fits"]
            made.append(files_of(at.output))
        clock.ahead = 0.0
    assert made[0] == made[1]


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_nothing_is_done_again_because_the_clock_was_set_between_two_starts(
    tmp_path: Path, clock: Clock, ahead: float
) -> None:
    write_calibrations(tmp_path)
    write_objects(tmp_path, "x.fits")
    with station(tmp_path) as at:
        at.look()
        assert set(at.states().values()) == {"done"}
    clock.ahead = ahead
    with station(tmp_path) as at:
        at.look()
        assert set(at.states().values()) == {"done"}
        assert at.events(*EVENTS) == []


def test_frames_dated_in_the_future_are_done_as_others(tmp_path: Path) -> None:
    write_calibrations(tmp_path)
    write_raw(tmp_path / "x.fits", 2000, DATE_OBS="2096-03-25T18:00:00")
    with station(tmp_path) as at:
        at.look()
        assert at.states()["x.fits"] in {"done", "provisional"}
        assert (tmp_path / "wx.fits").is_file() or at.reason("x.fits")
