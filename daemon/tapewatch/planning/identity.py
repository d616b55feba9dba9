"""IDs of masters and products: hashes of whatever decides what they are."""

import hashlib

# Part of every ID: what is made by another arithmetic gets another name.
ARITHMETIC = "median-1"


def identify(*parts: object) -> str:
    """Make an ID of whatever decides what a master or product is.

    Parameters
    ----------
    *parts : object
        Text, numbers, tuples and dataclasses of them.

    Returns
    -------
    str
        16 hexadecimal digits, the same for the same parts.
    """
    return hashlib.sha256(repr((ARITHMETIC, *parts)).encode()).hexdigest()[:16]
