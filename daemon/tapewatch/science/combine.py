"""Medians: of a stack of frames pixel by pixel, and of one frame over all its pixels.

Both give, bit for bit, what ``numpy.median`` gives, many times as fast and in little memory: the
stack comes in tiles and the frame in strips, so that what is held does not grow with the frame.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tapewatch.science.calibrate import Pixels, working_dtype
from tapewatch.science.networks import median_network

BLOCK = 1 << 15
"""Pixels that go through a network at once: few enough for the registers to stay in the cache."""

SAMPLE_STRIDE = 61
"""One pixel of so many is sampled; a prime, lest a sample keep to some columns or to one colour."""

SAMPLE_ERRORS = 4
"""Half width of a bracket around the median, in standard errors of a sample's rank."""

COLLECTED_SHARE = 16
"""At most one of so many pixels of a frame is held at a time."""

COLLECTED_ALWAYS = 1 << 16
"""Pixels that may be held of the smallest frame too."""

Strip = NDArray[np.floating]
Strips = Callable[[], Iterable[Strip]]
"""Delivers the pixels of a frame, strip by strip, and the same ones each time it is called."""


def workspace(count: int, dtype: np.dtype[np.number]) -> Pixels:
    """Return memory that `median` can use again for tile after tile.

    Parameters
    ----------
    count : int
        Number of frames.
    dtype : numpy.dtype
        Of their pixels.

    Returns
    -------
    numpy.ndarray
        (registers, BLOCK), of `dtype`; 1 MB for 15 frames of 16 bits.
    """
    return np.empty((median_network(count).registers, BLOCK), dtype)


def median(frames: Sequence[Pixels], work: Pixels | None = None) -> NDArray[np.floating]:
    """Return the median of a stack of frames, pixel by pixel.

    Parameters
    ----------
    frames : sequence of numpy.ndarray
        The same tile of every frame: (n,), of one native data type of numbers. They are only read.
    work : numpy.ndarray or None
        What `workspace` returned for as many frames of this data type; None makes a new one.

    Returns
    -------
    numpy.ndarray
        (n,), float32 for integers of 8 and 16 bits (half-integers are exact) and for float32, else
        float64. An even number of frames gives the mean of the two middle values. NaN where any
        frame has NaN. A zero is +0, whatever the signs of the zeros that went in.

    Raises
    ------
    ValueError
        There are no frames.
    """
    network = median_network(len(frames))
    dtype = frames[0].dtype
    if work is None:
        work = workspace(len(frames), dtype)
    result = np.empty(frames[0].shape, working_dtype(dtype))
    for start in range(0, result.size, BLOCK):
        block = slice(start, start + BLOCK)
        part = result[block]
        places = [frame[block] for frame in frames]
        places += [register[: part.size] for register in work]
        for function, first, second, target in _program(len(frames)):
            function(places[first], places[second], out=places[target])
        _mean(places[network.outputs[0]], places[network.outputs[-1]], part)
    return result


@cache
def _program(count: int) -> tuple[tuple[np.ufunc, int, int, int], ...]:
    """Return the network's operations with numpy's functions in them."""
    return tuple(
        (np.maximum if larger else np.minimum, first, second, target)
        for larger, first, second, target in median_network(count).operations
    )


def _mean(low: Pixels, high: Pixels, out: NDArray[np.floating]) -> None:
    """Put the mean of the middle values into `out`, in its precision, as ``numpy.mean`` does.

    Adding 0 turns -0 into +0, as the start of numpy's sum does; the even case adds in `out`, where
    two integers of 16 bits cannot overflow.
    """
    np.add(low, 0, out=out, dtype=out.dtype)
    if low is not high:
        with np.errstate(over="ignore", invalid="ignore"):
            np.add(out, high, out=out)
        out /= 2


def frame_median(strips: Strips) -> np.floating:
    """Return the median of all pixels of one frame, without ever holding the frame.

    A sample brackets the median narrowly; a second pass counts what lies below the bracket and
    collects what lies inside, some 2 % of the pixels, where the median is then found by its rank.
    The ends of the bracket are counted, not collected: values that very many pixels share come to
    be such ends, so that ties cost no memory. Where a sample misleads, the counts tell where the
    median is, and the search goes on there, in two more passes.

    Parameters
    ----------
    strips : callable
        Returns the frame's pixels as (n,) arrays of native float32 or float64, n >= 1 and free to
        vary; it is called twice or more. The arrays are only read, and no longer needed when the
        next one is asked for.

    Returns
    -------
    numpy.floating
        What ``numpy.median`` gives for the whole frame, of the pixels' own type: the mean of the
        two middle values where their number is even, NaN where any pixel is NaN.

    Raises
    ------
    ValueError
        There are no pixels.
    """
    sample: list[Strip] = []
    size = 0
    for strip in strips():
        if np.isnan(strip.min()):
            return strip.dtype.type(np.nan)
        sample.append(strip[::SAMPLE_STRIDE].copy())
        size += strip.size
    if not size:
        raise ValueError("a frame without pixels has no median")
    number = sample[0].dtype.type
    frame = _Part(number(-np.inf), number(np.inf), 0, size)
    limit = max(COLLECTED_ALWAYS, size // COLLECTED_SHARE)
    parts = _census(strips(), frame, _bracket(sample, frame, size // 2), limit)
    lower = _value_at((size - 1) // 2, strips, parts, limit)
    upper = _value_at(size // 2, strips, parts, limit)
    with np.errstate(over="ignore", invalid="ignore"):
        return number(lower + 0 if size % 2 else (lower + upper + 0) / 2)


@dataclass(frozen=True, slots=True)
class _Part:
    """The pixels of a frame from one value to another.

    Parameters
    ----------
    low, high : numpy.floating
        The values, both included.
    start, stop : int
        Pixels of the frame below `low`, and up to `high`: ranks of the first and past the last.
    pixels : numpy.ndarray or None
        The pixels in order; None where they were not collected.
    """

    low: np.floating
    high: np.floating
    start: int
    stop: int
    pixels: Strip | None = None


def _value_at(rank: int, strips: Strips, parts: list[_Part], limit: int) -> np.floating:
    """Return the pixel of a rank, searching on in the part that holds it if need be.

    Each round leaves out the ends of its bracket, which are values of the part: the search ends.
    """
    while True:
        part = next(part for part in parts if part.start <= rank < part.stop)
        if part.low == part.high:
            return part.low
        if part.pixels is not None:
            value: np.floating = part.pixels[rank - part.start]
            return value
        ends = part.low, part.high
        if part.stop - part.start > limit:
            inside = (strip[(strip >= part.low) & (strip <= part.high)] for strip in strips())
            ends = _bracket([strip[::SAMPLE_STRIDE].copy() for strip in inside], part, rank)
        parts = _census(strips(), part, ends, limit)


def _bracket(sample: list[Strip], part: _Part, rank: int) -> tuple[np.floating, np.floating]:
    """Return two values of a part's sample that most likely hold a rank between them."""
    values = np.sort(np.concatenate(sample))
    place = values.size * (rank - part.start) / (part.stop - part.start)
    margin = SAMPLE_ERRORS * math.sqrt(values.size) / 2 + 1
    low = max(math.floor(place - margin), 0)
    high = min(math.ceil(place + margin), values.size - 1)
    return values[low], values[high]


def _census(
    strips: Iterable[Strip], part: _Part, ends: tuple[np.floating, np.floating], limit: int
) -> list[_Part]:
    """Divide a part in five: below a bracket, its low end, inside, its high end, above.

    The pixels inside are collected if they are `limit` at most. Where the ends are one value, no
    pixel is inside, and the high end only says again what the low end says.
    """
    low, high = ends
    ranks = np.zeros(4, int)
    collected: list[Strip] = []
    held = 0
    for strip in strips:
        masks = strip < low, strip <= low, strip < high, strip <= high
        ranks += [np.count_nonzero(mask) for mask in masks]
        inside = masks[2] & ~masks[1]
        held += int(np.count_nonzero(inside))
        if held > limit:
            collected.clear()
        else:
            collected.append(strip[inside])
    first, second, third, fourth = ranks.tolist()
    pixels = np.sort(np.concatenate(collected)) if held <= limit else None
    with np.errstate(over="ignore"):
        before_low, before_high = np.nextafter(ends, low.dtype.type(-np.inf))
        after_low, after_high = np.nextafter(ends, low.dtype.type(np.inf))
    return [
        _Part(part.low, before_low, part.start, first),
        _Part(low, low, first, second),
        _Part(after_low, before_high, second, third, pixels),
        _Part(high, high, third, fourth),
        _Part(after_high, part.high, fourth, part.stop),
    ]
