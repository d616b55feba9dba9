"""``tapewatch verify``: products and masters made again, and compared with what is on disk."""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tapewatch.commands.replay import Origins
from tapewatch.errors import TapewatchError
from tapewatch.fitsfile.comparison import Comparison, Difference
from tapewatch.fitsfile.inspection import inspect
from tapewatch.fitsfile.integrity import damage
from tapewatch.headers.values import as_text
from tapewatch.jobs.build import build_master
from tapewatch.jobs.calibrate import calibrate_frame
from tapewatch.model import BuildMaster, CalibrateFrame, Workplace
from tapewatch.parameters import Parameters, read_parameters
from tapewatch.parfile import printable


class Verdict(StrEnum):
    """What became of one file."""

    EQUAL = "equal"
    DIFFERS = "differs"
    DAMAGED = "damaged"  # its own sums tell
    PARAMETERS = "other parameters"  # tape.par is not what it was made with
    MISSING = "missing"  # something that it was made of
    FOREIGN = "unknown"  # nothing of tapewatch, or unreadable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said of one file.

    Parameters
    ----------
    file : str
        As it was given.
    verdict : Verdict
        In a word.
    reasons : tuple of str
        What is missing, damaged, or other than it was, and where it differs.
    differences : tuple of Difference
        By HDU.
    cards : tuple of str
        Keywords of cards that differ.
    """

    file: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    cards: tuple[str, ...] = ()


def verify(options: argparse.Namespace) -> int:
    """Make files again from what their headers name, and print where they differ.

    Nothing is written; neither the daemon nor its state file is needed.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``json``, ``files``.

    Returns
    -------
    int
        0 where all are equal, else 1.
    """
    parameters = read_parameters(options.par, workdir=options.workdir)
    origins = Origins(parameters)
    outcomes = []
    for file in options.files:
        outcomes.append(verify_file(file, parameters, origins))
        if not options.json:
            print("\n".join(_lines(outcomes[-1])))
    if options.json:
        print(json.dumps({"files": [_as_json(one) for one in outcomes]}))
    return 0 if all(one.verdict is Verdict.EQUAL for one in outcomes) else 1


def verify_file(file: str, parameters: Parameters, origins: Origins) -> Outcome:
    """Make one file again and compare.

    Parameters
    ----------
    file : str
        A calibrated frame or a master, under any of its names.
    parameters : Parameters
        From tape.par.
    origins : Origins
        Finds what it was made of.

    Returns
    -------
    Outcome
    """
    path = Path(file).resolve()
    try:
        header = inspect(path).header
        if "TWID" not in header:
            return Outcome(file, Verdict.FOREIGN, ("it has no TWID: not written by tapewatch",))
        damaged = damage(path)
    except (TapewatchError, OSError) as error:
        return Outcome(file, Verdict.FOREIGN, (f"it cannot be read: {error}",))
    reasons = [*damaged]
    recipe, recipe_now = as_text(header.get("TWRECIPE")), origins.recipe(header)
    if recipe != recipe_now:
        reasons.append(f"tape.par asks for another treatment: {recipe_now}, TWRECIPE is {recipe}")
    comparison = Comparison(path)
    try:
        _make_again(comparison, origins.job(path, header), parameters.workplace)
    except (TapewatchError, OSError) as error:
        word = Verdict.DAMAGED if damaged else Verdict.MISSING
        return Outcome(file, word, (*reasons, str(error)))
    if damaged:
        verdict = Verdict.DAMAGED
    elif recipe != recipe_now:
        verdict = Verdict.PARAMETERS
    else:
        verdict = Verdict.EQUAL if comparison.is_equal else Verdict.DIFFERS
    reasons += comparison.structure
    return Outcome(file, verdict, tuple(reasons), comparison.differences, tuple(comparison.cards))


def _make_again(
    comparison: Comparison, job: BuildMaster | CalibrateFrame, place: Workplace
) -> None:
    if isinstance(job, BuildMaster):
        build_master(job, place, "verify", comparison.open)
    else:
        calibrate_frame(job, place, "verify", comparison.open)


def _lines(outcome: Outcome) -> Iterator[str]:
    """Say it to a person: a line a file, and one for each thing that is to be known."""
    yield printable(f"{outcome.file}: {outcome.verdict}")
    for reason in outcome.reasons:
        yield printable(f"  {reason}")
    for one in outcome.differences:
        x, y = one.first
        yield (
            f"  {one.hdu}: {one.pixels:,} of {one.size:,} pixels differ, the first at"
            f" x {x}, y {y}: {one.stored:.9g}, made again {one.made:.9g};"
            f" by {one.largest:.3g} at most"
        )
    if outcome.cards:
        yield printable(f"  cards differ: {', '.join(outcome.cards)}")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    def number(value: object) -> object:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    answer = asdict(outcome)
    answer["differences"] = [
        {key: number(value) for key, value in one.items()} for one in answer["differences"]
    ]
    return answer
