"""A new master beside the one before it, and flats beside their dark: what is told, and when."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from support_planning import CAMERA, master, member, members, parameters
from support_profile import SHAPE, Pixels, a_bias, a_dark, a_flat, across
from tapewatch.model import BuildMaster, Difference, FlatDark, Kind, Master, Profile
from tapewatch.planning.decisions import Facts
from tapewatch.planning.flatdarks import flatdark_advice
from tapewatch.planning.plan import plan
from tapewatch.planning.succession import before, worse
from tapewatch.science.compare import dark_in_flat, difference

NIGHT = 24 * 60.0  # minutes
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def strips(one: Pixels, other: Pixels, size: int = 10_000) -> Callable[[], Iterator[Pair]]:
    """Give two masters strip by strip."""
    first, second = (pixels.astype(np.float32).ravel() for pixels in (one, other))

    def pairs() -> Iterator[Pair]:
        for start in range(0, first.size, size):
            yield first[start : start + size], second[start : start + size]

    return pairs


def bias_of(seeds: range, light: Pixels | float = 0.0) -> Pixels:
    """Median of biases."""
    return np.median([a_bias(seed, light) for seed in seeds], axis=0)


def told(old: Pixels, new: Pixels, kind: Kind = Kind.BIAS, counts: tuple[int, int] = (5, 5)) -> str:
    """Give what is said of a new master after an old one."""
    then, now = (
        master(name, kind, inputs=tuple(map(str, range(count))))
        for name, count in zip(("then", "now"), counts, strict=True)
    )
    unstable = 0.0 if kind is Kind.FLAT else 0.05
    return worse(difference(strips(old, new), SHAPE, unstable), now, then)


def test_a_difference_is_that_of_the_pixels() -> None:
    old, new = bias_of(range(5)), bias_of(range(5, 10)) + 4
    new[:4] += 500
    found = difference(strips(old, new), SHAPE)
    change = new - old
    assert found.shift == pytest.approx(np.median(change), abs=0.5)
    assert found.sigma == pytest.approx(np.std(change[4:]), rel=0.05)
    assert found.off == pytest.approx(4 / SHAPE[0], abs=1e-4)
    assert found.noise == pytest.approx(found.noise_before, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "frames"),
    [
        (Kind.BIAS, a_bias),
        (Kind.DARK, lambda seed: a_dark(seed, 50.0) - 1000),
        (Kind.FLAT, lambda seed: (a_flat(seed, 2e4) - 1000) / 2e4),
    ],
)
def test_a_master_as_good_as_the_one_before_is_not_told_of(
    kind: Kind, frames: Callable[[int], Pixels]
) -> None:
    old, new, fewer = (
        np.median([frames(seed) for seed in seeds], axis=0)
        for seeds in (range(5), range(5, 10), range(10, 13))
    )
    assert told(old, new, kind) == ""
    assert told(old, fewer, kind, (5, 3)) == ""
    more = np.median([frames(seed) for seed in range(6)], axis=0)
    assert told(old, more, kind, (5, 6)) == ""  # the same frames and one more


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (bias_of(range(5, 10), 60.0), "its level off by 60"),
        (bias_of(range(5, 10), 30 * (across() + 1)), "a part of it off by"),
        (1000 + 3 * (bias_of(range(5, 10)) - 1000), "3.0 times as much (1.5 times at most wanted)"),
    ],
    ids=["light", "leak", "noise"],
)
def test_a_worse_bias_is_told_with_figures_and_both_files(new: Pixels, words: str) -> None:
    reason = told(bias_of(range(5)), new)
    assert words in reason
    assert "masters/wbias-then.fits of 5 frames" in reason
    assert "`tapewatch mark bad masters/wbias-now.fits` takes it back" in reason


def test_dust_that_moved_is_told() -> None:
    old, new = ((a_flat(seed, 4e4) - 1000) / 4e4 for seed in (1, 2))
    new[100:110, 100:115] *= 0.8  # 150 of 98,304 pixels
    assert "0.15% of the pixels off by more than 6 sigma" in told(old, new, Kind.FLAT)


def test_the_last_night_s_master_of_the_same_sort_is_compared_with() -> None:
    wanted = master("new", Kind.DARK, NIGHT, temperature=-20.0, built=False)
    last = master("last", Kind.DARK, NIGHT - 60, temperature=-19.0, folder="yesterday")
    others = [
        master("older", Kind.DARK, 0.0, temperature=-20.0),
        replace(last, id="later", start=wanted.start + 1),
        replace(last, id="longer", exptime=120.0),
        replace(last, id="warmer", temperature=-10.0),
        replace(last, id="not built", built=False),
        replace(last, id="binned", detector=replace(CAMERA, binning=(2, 2))),
        replace(last, id="with its bias", bias_id=""),
        replace(last, id="bias", kind=Kind.BIAS),
    ]
    assert before(wanted, [*others, last], parameters()) == last
    assert before(wanted, others[1:], parameters()) is None


def builds(facts: Facts) -> dict[Kind, BuildMaster]:
    """Give the masters that a plan would build."""
    jobs = plan(facts, parameters(nbias=2, ndark=2, nflat=2), 1e12, finish=True).jobs
    return {job.master.kind: job for job in jobs if isinstance(job, BuildMaster)}


def test_a_plan_names_the_master_of_the_night_before() -> None:
    yesterday = master("yesterday", folder="yesterday", minutes=-NIGHT)
    facts = Facts(members(Kind.BIAS, 3), elsewhere=(yesterday,))
    assert builds(facts)[Kind.BIAS].previous == yesterday
    assert builds(replace(facts, bad={"yesterday": "clouds"}))[Kind.BIAS].previous is None
    # Also where it may not be chosen any more.
    facts = replace(facts, elsewhere=(), predecessors=(yesterday,))
    assert builds(facts)[Kind.BIAS].previous == yesterday


def test_flats_and_their_dark_are_looked_at_together_whichever_comes_last() -> None:
    bias = master("bias", inputs=tuple(f"pixels of bias{n}.fits" for n in range(3)))
    level = Profile(21_000.0, 100.0, (0.0,) * 64)
    biases = [
        replace(one, profile=Profile(1000.0, 5.0, (0.0,) * 64)) for one in members(Kind.BIAS, 3)
    ]
    darks = list(members(Kind.DARK, 3, exptime=80.0))
    flats = [
        replace(member(f"flat{n}.fits", Kind.FLAT, n, exptime=40.0), profile=level)
        for n in range(3)
    ]
    facts = Facts((*biases, *darks, *flats), elsewhere=(bias,))
    jobs = builds(replace(facts, calibration=(*darks, *flats)))
    (pair,) = jobs[Kind.FLAT].flat_darks
    assert jobs[Kind.DARK].flat_darks == (pair,)
    assert (pair.flat.id, pair.dark.id) == (
        *(jobs[Kind.FLAT].master.id, jobs[Kind.DARK].master.id),
    )
    assert pair.share == pytest.approx(40 / 80 / 21_000)  # of no bias the level is known there


def test_the_share_of_dark_current_is_counted_by_pixel() -> None:
    dark, flat = np.full(SHAPE, 10.0), np.ones(SHAPE)
    dark[:64] = 100.0  # a quarter of the pixels; 0.25 %
    dark[0] = 1000.0  # 2.5 %
    above, far = dark_in_flat(strips(dark, flat), 0.5 / 20_000, 0.002)
    assert (above, far) == (0.25, 1 / 256)


def test_flatdark_is_advised_with_figures_where_it_would_matter() -> None:
    pair = FlatDark(master("f", Kind.FLAT), master("d", Kind.DARK), 1e-5)
    assert flatdark_advice(pair, 0.01, 0.001) == ("", False)
    assert flatdark_advice(pair, 0.05, 0.001) == (
        (
            "dark current is more than 0.2% of the flat masters/wflat-f.fits in 5.0% of its pixels,"
            " more than 1 % in 0.10%, by masters/wdark-d.fits: FLATDARK 1 would subtract it"
        ),
        False,
    )
    assert flatdark_advice(pair, 0.05, 0.011)[1]


def test_masters_without_noise_are_compared_too() -> None:
    same = Difference(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    one: Master = master("one")
    assert worse(same, one, one) == ""
