"""What a worker keeps between jobs: what was used last, and never more than it may."""

import numpy as np
from numpy.typing import NDArray

from tapewatch.jobs.memory import Memory


def keys_made(memory: Memory[np.uint8], *keys: int, size: int = 10) -> list[int]:
    """Ask for arrays; give the keys of those that had to be made."""
    made = []

    def make(key: int) -> NDArray[np.uint8]:
        made.append(key)
        return np.full(size, key, np.uint8)

    for key in keys:
        found = memory.get(key, lambda key=key: make(key))  # type: ignore[misc]
        assert found.tolist() == [key] * size
        assert not found.flags.writeable
    return made


def test_arrays_are_made_once_as_long_as_there_is_room() -> None:
    assert keys_made(Memory(30), 1, 2, 3, 1, 2, 3) == [1, 2, 3]


def test_those_used_longest_ago_go_first() -> None:
    assert keys_made(Memory(20), 1, 2, 1, 3, 1, 2) == [1, 2, 3, 2]


def test_the_last_one_stays_whatever_its_size() -> None:
    assert keys_made(Memory(5), 1, 1, 2, 1) == [1, 2, 1]


def test_there_are_never_more_than_some_however_small() -> None:
    memory: Memory[np.uint8] = Memory(1 << 30)
    assert keys_made(memory, *range(1, 200)) == list(range(1, 200))
    assert keys_made(memory, 199, 150) == []
    assert keys_made(memory, 1) == [1]
