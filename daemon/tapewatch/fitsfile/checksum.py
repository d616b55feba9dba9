"""DATASUM and CHECKSUM: the FITS Standard 4.0, section 4.4.2.7 and appendix J.

The sum is of 32-bit words in ones' complement arithmetic: a carry out of the highest bit is added
at the lowest. It can be built up strip by strip.
"""

import numpy as np
import numpy.typing as npt

_WORD = 0xFFFFFFFF
_BYTES = 4  # of a word
_EXCLUDED = frozenset(b":;<=>?@[\\]^_`")  # no letters or digits


def add_words(total: int, words: npt.NDArray[np.uint32]) -> int:
    """Add words to a checksum.

    Parameters
    ----------
    total : int
        The sum so far; 0 to begin with.
    words : ndarray
        (n,) uint32: values of the words, whatever the byte order they are held in
        here. For float32 pixels, their bit patterns.

    Returns
    -------
    int
        The new sum, 0 to 2**32 - 1.
    """
    total += int(words.sum(dtype=np.uint64))
    while total > _WORD:
        total = (total & _WORD) + (total >> 32)
    return total


def add_bytes(total: int, data: bytes | memoryview, place: int = 0) -> int:
    """Add bytes as big-endian words to a checksum; see `add_words`.

    Parameters
    ----------
    total : int
        The sum so far.
    data : bytes or memoryview
        Any number of them; the words that they begin and end in count as filled with zeros.
    place : int
        Of the first of them within all that is summed up, bytes.

    Returns
    -------
    int
        The new sum, 0 to 2**32 - 1.
    """
    before, after = place % _BYTES, -(place + len(data)) % _BYTES
    if before or after:
        data = b"".join((bytes(before), data, bytes(after)))
    return add_words(total, np.frombuffer(data, dtype=">u4").astype(np.uint32))


def encode(total: int) -> str:
    """Write the complement of a checksum so that the sum over the HDU becomes -0.

    Parameters
    ----------
    total : int
        Sum over header and data, the value of CHECKSUM being sixteen ``0``.

    Returns
    -------
    str
        Sixteen letters and digits, the value of CHECKSUM.
    """
    columns = [_encode_byte(byte) for byte in (~total & _WORD).to_bytes(4, "big")]
    letters = bytes(column[row] for row in range(4) for column in columns)
    # One place to the right, for the value begins one byte past a word's boundary.
    return (letters[-1:] + letters[:-1]).decode("ascii")


def _encode_byte(byte: int) -> list[int]:
    """Part a byte into four letters or digits whose offsets from ``0`` add up to it."""
    quarter, rest = divmod(byte, 4)
    letters = [ord("0") + quarter] * 4
    letters[0] += rest
    for first in (0, 2):
        while not _EXCLUDED.isdisjoint(letters[first : first + 2]):
            letters[first] += 1
            letters[first + 1] -= 1
    return letters
