"""What a frame's pixels say of it by themselves."""

import math

import pytest

from tapewatch.model import Profile, Statistics
from tapewatch.planning.contents import useless

FINE = Profile(1000.0, 10.0, (0.0,) * 64)


@pytest.mark.parametrize(
    ("statistics", "profile", "reason"),
    [
        (Statistics(1000, 10, 1050, 950), FINE, ""),
        (Statistics(7, 0, 7, 7), Profile(7, 0, (0.0,) * 64, constant=1.0), "all its pixels are 7"),
        (Statistics(math.nan, math.nan, math.nan, math.nan), FINE, "none of its pixels is a num"),
        (Statistics(6e4, 1, 65535, 6e4), Profile(6e4, 1, (), saturated=0.51), "51% of its pixels"),
        (Statistics(6e4, 1, 65535, 6e4), Profile(6e4, 1, (), saturated=0.49), ""),
        (Statistics(0, 0.1, 1, 0), Profile(0, 0, (0.0,) * 64, constant=0.9), ""),
    ],
    ids=["fine", "constant", "nan", "mostly saturated", "half saturated", "little noise"],
)
def test_what_no_arithmetic_can_use(statistics: Statistics, profile: Profile, reason: str) -> None:
    found = useless(statistics, profile)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)
