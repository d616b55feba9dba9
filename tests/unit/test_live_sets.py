"""How many masters a set gives while its frames come one by one, on a simulated clock."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import EVENING, MINUTE, frame, master, parameters
from tapewatch.model import BuildMaster, CalibrationFrame, Kind, Master
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts
from tapewatch.planning.plan import plan

BIAS = master("bias", folder="elsewhere")


@dataclass
class Night:
    """A folder into which a camera writes; masters are built the moment they are planned."""

    parameters: Parameters
    frames: tuple[CalibrationFrame, ...] = ()
    masters: tuple[Master, ...] = ()
    in_use: frozenset[str] = frozenset()
    built_at: list[float] = field(default_factory=list)

    def decide(self, now: float) -> float | None:
        """Plan and build until there is nothing to do now; give when to look again."""
        while True:
            facts = Facts(self.frames, masters=self.masters, in_use=self.in_use, elsewhere=(BIAS,))
            made = plan(facts, self.parameters, now)
            used = (one.master for one in made.sets if one.master and one.master.built)
            self.in_use = frozenset(one.id for one in used)
            builds = [job for job in made.jobs if isinstance(job, BuildMaster)]
            if not builds:
                return made.look_again
            self.masters += tuple(replace(job.master, built=True) for job in builds)
            self.built_at += [now] * len(builds)

    def live(self, kind: Kind, exptime: float, arrivals: list[float]) -> None:
        """Have frames come at these times, and then time pass until nothing changes any more."""
        look_again: float | None = None
        for number, now in enumerate(arrivals):
            while look_again is not None and look_again < now:
                look_again = self.decide(look_again)
            start = (now - EVENING.timestamp() - exptime) / MINUTE
            one = frame(f"{kind}{number:02}.fits", kind, start, exptime=exptime)
            self.frames += (CalibrationFrame(one, f"pixels {number}", now),)
            look_again = self.decide(now)
        while look_again is not None:
            look_again = self.decide(look_again)


def arriving(count: int, every: float) -> list[float]:
    """Give times of arrival, so many seconds apart."""
    return [EVENING.timestamp() + number * every for number in range(1, count + 1)]


def versions(count: int, exptime: float, every: float, **changes: Any) -> list[int]:  # noqa: ANN401
    """Frames of each version that a set of darks gives."""
    night = Night(parameters(**changes))
    night.live(Kind.DARK, exptime, arriving(count, every))
    return [len(one.inputs) for one in night.masters]


@pytest.mark.parametrize("readout", [1.0, 20.0, 90.0])
def test_ten_darks_of_300_seconds_arriving_live_make_two_versions(readout: float) -> None:
    assert versions(10, 300.0, 300.0 + readout) == [5, 10]


@pytest.mark.parametrize("setquiet", [0.0, 120.0, 600.0])
def test_whatever_setquiet_is(setquiet: float) -> None:
    assert versions(10, 300.0, 320.0, setquiet=setquiet) == [5, 10]
    assert versions(10, 300.0, 320.0, setquiet=setquiet, ndark=10) == [10]
    assert versions(10, 300.0, 320.0, setquiet=setquiet, ndark=20) == [10]


def test_the_last_version_comes_when_the_set_is_quiet() -> None:
    night = Night(parameters())
    times = arriving(10, 320.0)
    night.live(Kind.DARK, 300.0, times)
    assert night.built_at == [times[4], times[-1] + 3 * 320.0]


@given(
    st.integers(1, 25), st.floats(0.0, 1200.0), st.floats(0.1, 120.0), st.integers(1, 12),
    st.integers(1, 5), st.sampled_from((0.0, 120.0)),
)  # fmt: skip
def test_a_set_at_a_steady_pace_makes_at_most_two_versions(
    count: int, exptime: float, readout: float, ndark: int, mincal: int, setquiet: float
) -> None:
    exptime = max(exptime, 0.001)
    policy = {"ndark": ndark, "mincal": mincal, "setquiet": setquiet}
    made = versions(count, exptime, exptime + readout, **policy)
    assert len(made) <= 2
    assert made[-1:] == ([count] if count >= min(mincal, ndark) else [])


@given(st.data())
def test_a_pause_that_is_no_longer_than_an_exposure_makes_no_further_version(
    data: st.DataObject,
) -> None:
    exptime = data.draw(st.floats(60.0, 600.0))
    pauses = data.draw(st.lists(st.floats(1.0, exptime), min_size=10, max_size=10))
    arrivals, now = [], EVENING.timestamp()
    for pause in pauses:
        now += exptime + pause
        arrivals.append(now)
    night = Night(parameters())
    night.live(Kind.DARK, exptime, arrivals)
    assert [len(one.inputs) for one in night.masters] == [5, 10]
