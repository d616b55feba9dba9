"""A look at a master that was just built, beside others that are on disk: strip by strip."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray

from tapewatch.errors import RejectedError, RetriableError
from tapewatch.fitsfile.read import RawFrame, open_frame
from tapewatch.jobs.workplace import STRIP
from tapewatch.model import BuildMaster, FlatDark, Kind, Master, Workplace
from tapewatch.planning.flatdarks import DARK_SHARE, flatdark_advice
from tapewatch.planning.succession import worse
from tapewatch.science.compare import Strips, dark_in_flat, difference

_UNSTABLE = 0.05  # of its own value, by which a pixel of a dark may change


def second_look(job: BuildMaster, place: Workplace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compare a new master with the one before it, and flats with their dark.

    A master that is not there, or not readable, is not compared with: that is no fault of this one.

    Parameters
    ----------
    job : BuildMaster
        What was built; it is on disk.
    place : Workplace
        Where.

    Returns
    -------
    warnings, advice : tuple of str
        What an observer should know.
    """
    warnings = [] if job.previous is None else [_succession(job.master, job.previous, place)]
    advice: list[str] = []
    for pair in job.flat_darks:
        text, grave = _flat_and_dark(pair, place)
        (warnings if grave else advice).append(text)
    return tuple(filter(None, warnings)), tuple(filter(None, advice))


def _succession(now: Master, then: Master, place: Workplace) -> str:
    with _both(then, now, place) as found:
        if found is None:
            return ""
        strips, shape = found
        unstable = 0.0 if now.kind is Kind.FLAT else _UNSTABLE
        return worse(difference(strips, shape, unstable), now, then)


def _flat_and_dark(pair: FlatDark, place: Workplace) -> tuple[str, bool]:
    with _both(pair.dark, pair.flat, place) as found:
        if found is None:
            return "", False
        return flatdark_advice(pair, *dark_in_flat(found[0], pair.share, DARK_SHARE))


@contextmanager
def _both(
    one: Master, other: Master, place: Workplace
) -> Iterator[tuple[Strips, tuple[int, int]] | None]:
    """Open two masters of one shape; None where one of them cannot be looked at."""
    with ExitStack() as stack:
        try:
            files = [
                stack.enter_context(open_frame(place.output / master.path))
                for master in (one, other)
            ]
        except (OSError, RetriableError, RejectedError):
            yield None
            return
        same = files[0].shapes == files[1].shapes
        yield (lambda: _strips(*files), files[0].stacked) if same else None


def _strips(
    one: RawFrame, other: RawFrame
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    for start, stop in one.strips(STRIP):
        first, second = one.physical(start, stop), other.physical(start, stop)
        yield first.astype(np.float32, copy=False), second.astype(np.float32, copy=False)
