"""Selection networks: the median of N values by a fixed sequence of minima and maxima.

A network knows nothing of the values, so each of its operations can be applied to whole arrays at
once: that is what makes it many times as fast as sorting pixel by pixel. Only the operations that
the median depends on are kept; a comparator of which one output is used becomes a single minimum
or maximum.

Two constructions are tried, and the one with fewer operations is taken:

- Batcher's odd-even merge sort (K. E. Batcher, "Sorting networks and their applications", AFIPS
  Spring Joint Computer Conference 32, 1968, p. 307), mostly from a dozen values on;
- forgetful selection: hold just over half of the values, and for each further one drop the
  smallest and the largest held, neither of which can be the median any more (A. W. Paeth, "Median
  finding on a 3x3 grid", in: Graphics Gems, 1990, p. 171), mostly for fewer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

Comparator = tuple[int, int]
"""Two wires: the smaller of their values goes on along the first, the larger along the second."""

Step = tuple[int, int, tuple[bool, ...]]
"""A comparator's wires, and which of its outputs are needed: the smaller (False), the larger."""


class Operation(NamedTuple):
    """One minimum or maximum: ``place[target] = min or max(place[first], place[second])``.

    Parameters
    ----------
    larger : bool
        Whether the larger of the two is wanted, else the smaller.
    first, second : int
        Places to read.
    target : int
        Place to write: a register, never an input; it may be one of those read.
    """

    larger: bool
    first: int
    second: int
    target: int


@dataclass(frozen=True, slots=True)
class Network:
    """The operations that select the median of `inputs` values.

    Places 0 to ``inputs - 1`` are the values, which are only read; the places after them are
    registers, which hold what is in between.

    Parameters
    ----------
    inputs : int
        Number of values.
    registers : int
        Number of registers that the operations need.
    operations : tuple of Operation
        In the order in which they must be done.
    outputs : tuple of int
        Place of the median for an odd number of values; for an even one, places of the two middle
        values, in no order.
    """

    inputs: int
    registers: int
    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]


@cache
def median_network(count: int) -> Network:
    """Return the cheapest network known here for the median.

    Parameters
    ----------
    count : int
        Number of values, at least 1.

    Returns
    -------
    Network
        Of 10 operations for 5 values and 84 for 15.

    Raises
    ------
    ValueError
        `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"the median of {count} values does not exist: one or more are needed")
    sort = _batcher_sort(count)
    middle = (count - 1) // 2, count // 2
    selection, held = _forgetful_selection(count)
    networks = (_network(count, sort, middle), _network(count, selection, held))
    return min(networks, key=lambda network: len(network.operations))


def _batcher_sort(count: int) -> list[Comparator]:
    """Return Batcher's sort, without the wires that pad `count` to a power of two.

    Those wires are the last, and act as if they held infinity: nothing ever moves from them.
    """

    def sort(first: int, length: int) -> Iterator[Comparator]:
        if length > 1:
            yield from sort(first, length // 2)
            yield from sort(first + length // 2, length // 2)
            yield from merge(first, length, 1)

    def merge(first: int, length: int, stride: int) -> Iterator[Comparator]:
        if 2 * stride >= length:
            yield first, first + stride
            return
        yield from merge(first, length, 2 * stride)
        yield from merge(first + stride, length, 2 * stride)
        inner = range(first + stride, first + length - stride, 2 * stride)
        yield from ((wire, wire + stride) for wire in inner)

    padded = 1 << (count - 1).bit_length()
    return [(low, high) for low, high in sort(0, padded) if high < count]


def _forgetful_selection(count: int) -> tuple[list[Comparator], tuple[int, ...]]:
    """Return forgetful selection and the one or two wires it ends on.

    The smallest of `held` values has `held` - 1 above it: with ``count // 2 + 2`` held it
    cannot be a middle value of all, nor can the largest.
    """
    wanted = 2 - count % 2
    held = list(range(min(count, count // 2 + 2)))
    waiting = list(range(len(held), count))
    comparators: list[Comparator] = []
    while len(held) > wanted:
        comparators += _extremes(held)
        held = held[1:-1] + waiting[:1]
        waiting = waiting[1:]
    return comparators, tuple(held)


def _extremes(wires: list[int]) -> Iterator[Comparator]:
    """Yield comparators that bring the smallest value to the first wire, the largest to the last.

    Values meet in pairs first, so that each is looked at for one of the two ends only.
    """
    half, pairs = (len(wires) + 1) // 2, len(wires) // 2
    yield from zip(wires[:pairs], wires[: half - 1 : -1], strict=True)
    yield from ((wires[0], wire) for wire in wires[1:half])
    yield from ((wire, wires[-1]) for wire in wires[pairs:-1])


def _network(count: int, comparators: list[Comparator], outputs: tuple[int, ...]) -> Network:
    """Return the network of those outputs of the comparators that `outputs` depend on."""
    return _allocate(count, _prune(comparators, set(outputs)), tuple(sorted(set(outputs))))


def _prune(comparators: list[Comparator], outputs: set[int]) -> list[Step]:
    """Keep what the outputs depend on, going back from the last comparator.

    A last comparator that only puts the two outputs in order is left out.
    """
    steps: list[Step] = []
    needed = set(outputs)
    for pair in reversed(comparators):
        kept = tuple(larger for larger, wire in enumerate(pair) if wire in needed)
        if kept and needed != set(pair):
            steps.append((*pair, tuple(map(bool, kept))))
            needed.update(pair)
    return steps[::-1]


def _allocate(count: int, steps: Iterable[Step], outputs: tuple[int, ...]) -> Network:
    """Give every value in between a register, and use each again as soon as it is free.

    What went into a comparator is never read after it, so that its last operation may write where
    it read. The register freed last is taken first: it is the one still in the cache.
    """
    places = list(range(count))
    free: list[int] = []
    total = count
    operations: list[Operation] = []
    for first, second, kept in steps:
        operands = places[first], places[second]
        for larger in kept:
            if larger == kept[-1]:
                free += [place for place in operands if place >= count]
            if not free:
                free.append(total)
                total += 1
            target = free.pop()
            operations.append(Operation(larger, *operands, target))
            places[second if larger else first] = target
    return Network(count, total - count, tuple(operations), tuple(places[w] for w in outputs))
