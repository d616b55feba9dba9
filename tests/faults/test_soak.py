"""The soak itself, over a short season: every criterion is judged, and fails where it should."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from soak import Criterion, Look, judge_growth

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"

# A daemon in which nothing grows but what must, looked at twenty times.
CURVE = [
    Look(
        frames=250 * number,
        seconds=5.0 * number,
        cpu=2.5 * number,
        daemon=40.0,
        fork_server=50.0,
        workers=80.0,
        descriptors=20,
        threads=7,
        ledger=0.5 * number,
        wal=4.0,
        log=0.2 * number,
    )
    for number in range(1, 21)
]


@pytest.mark.timeout(600)
def test_a_short_season_meets_every_criterion(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--frames", "200", "--idle", "2", "--dir", str(tmp_path), "--json", str(figures)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(SOAK), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert [one["frames"] for one in found["looks"]] == list(range(10, 201, 10))
    assert all(one["daemon"] > 0 and one["workers"] > 0 for one in found["looks"])
    criteria = [Criterion(**one) for one in found["criteria"]]
    # Growth cannot be told from warming up so soon; all else is judged.
    assert sum(one.holds is None for one in criteria) == 3
    assert sum(one.holds is True for one in criteria) == len(criteria) - 3 > 10


def test_a_daemon_that_stays_as_it_is_passes() -> None:
    assert all(one.holds for one in judge_growth(CURVE))


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("daemon", 0.3),
        ("workers", 3.0),
        ("descriptors", 1),
        ("threads", 1),
        ("ledger", 2.5),
        ("wal", 1.0),
        ("log", 1.5),
    ],
)
def test_what_grows_is_told(name: str, step: float) -> None:
    looks = [
        replace(look, **{name: getattr(look, name) + step * number})
        for number, look in enumerate(CURVE)
    ]
    assert [one.holds for one in judge_growth(looks)].count(False) == 1


def test_a_daemon_that_slows_down_is_told() -> None:
    looks = [replace(look, cpu=look.cpu + number**2) for number, look in enumerate(CURVE)]
    (slow,) = (one for one in judge_growth(looks) if not one.holds)
    assert slow.what.startswith("processor time")
