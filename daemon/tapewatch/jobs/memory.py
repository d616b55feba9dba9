"""What a worker keeps between jobs: arrays costly to make, those used last, up to a size."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", bound=np.generic)

_MOST = 64  # arrays: what is kept of a season of small frames is more than their pixels


class Memory(Generic[Item]):
    """Arrays by key; those used longest ago go first, the last one stays whatever its size.

    Parameters
    ----------
    size : int
        Bytes that all arrays together may take.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrays: dict[Hashable, NDArray[Item]] = {}

    def get(self, key: Hashable, make: Callable[[], NDArray[Item]]) -> NDArray[Item]:
        """Give the array of a key.

        Parameters
        ----------
        key : hashable
            All that decides what the array holds.
        make : callable
            Makes it where it is not there.

        Returns
        -------
        numpy.ndarray
            Not to be changed: it is read-only.
        """
        array = self._arrays.pop(key, None)
        if array is None:
            array = make()
            array.flags.writeable = False
        self._arrays[key] = array  # the last in order is the one used last
        while len(self._arrays) > 1 and self._is_full:
            del self._arrays[next(iter(self._arrays))]
        return array

    @property
    def _is_full(self) -> bool:
        held = sum(one.nbytes for one in self._arrays.values())
        return held > self._size or len(self._arrays) > _MOST
