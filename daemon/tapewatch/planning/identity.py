"""IDs of masters and products: hashes of whatever decides what they are."""

import hashlib
from collections.abc import Sequence

from tapewatch.model import Step, Treatment

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


def recipe_of_products(steps: Sequence[Step], treatment: Treatment) -> str:
    """Hash what tape.par says that decides the pixels of a calibrated frame, masters given.

    Parameters
    ----------
    steps : sequence of Step
        STEPS.
    treatment : Treatment
        Of the pixels.

    Returns
    -------
    str
        As in the card TWRECIPE of a product.
    """
    return identify(*steps, treatment)


def recipe_of_masters(treatment: Treatment) -> str:
    """Hash what tape.par says that decides the pixels of a master, frames and masters given.

    Parameters
    ----------
    treatment : Treatment
        Of the pixels.

    Returns
    -------
    str
        As in the card TWRECIPE of a master.
    """
    return identify(treatment.of_masters)
