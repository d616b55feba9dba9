"""Values of header cards as programs mean them: numbers that are text, pairs in one card."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

Value = str | int | float | bool | None

# A decimal comma is what a program writes that heeds the language of its Windows: '5,00000'.
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_PAIR = re.compile(r"(\d+)[ ,x*]+(\d+)", re.ASCII | re.IGNORECASE)
_ANY_LETTERS = re.IGNORECASE | re.DOTALL


class Cards(Protocol):
    """Whatever gives values by keyword: a header."""

    def get(self, keyword: str, default: Value = None, /) -> Value:
        """Value of a keyword."""

    def lines(self, keyword: str, /) -> Iterator[str]:
        """Texts of all cards of a commentary keyword."""


def as_text(value: Value) -> str:
    """Give a value as stripped text.

    Parameters
    ----------
    value : str, int, float, bool or None
        Of a card.

    Returns
    -------
    str
        100 and 100.0 are both ``100``; empty for None.
    """
    if value is None:
        return ""
    if isinstance(value, int | float) and (plain := number(value)) is not None:
        return f"{plain:.15g}"
    return str(value).strip()


def first_text(header: Cards, keywords: Sequence[str]) -> str:
    """Give the value of the first keyword that has one.

    Parameters
    ----------
    header : Cards
        Header of the image.
    keywords : sequence of str
        Tried in this order; blank values are passed over.

    Returns
    -------
    str
        Stripped; empty where there is none.
    """
    return next((text for keyword in keywords if (text := as_text(header.get(keyword)))), "")


def number(value: Value) -> float | None:
    """Read a number, also one that was written as text.

    Parameters
    ----------
    value : str, int, float, bool or None
        Of a card.

    Returns
    -------
    float or None
        None for what is no finite number.
    """
    if isinstance(value, str):
        if _NUMBER.fullmatch(value.strip()) is None:
            return None
        value = value.strip().replace(",", ".")
    if value is None or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer too great for a float
        return None
    return found if math.isfinite(found) else None


def pair(texts: Sequence[str]) -> tuple[int, int] | None:
    """Read two whole numbers, each in a card of its own or both in one.

    Parameters
    ----------
    texts : sequence of str
        Of one card or of two, as `as_text` gives them.

    Returns
    -------
    tuple of int or None
        (x, y); a single number stands for both. None for what is no such pair.
    """
    if len(texts) == 1 and (match := _PAIR.fullmatch(texts[0])):
        texts = match.groups()
    numbers = [number(text) for text in texts]
    whole = [int(found) for found in numbers if found is not None and found.is_integer()]
    return (whole[0], whole[-1]) if whole and len(whole) == len(texts) else None


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern of the dialects matches a whole text, whatever its case.

    Parameters
    ----------
    pattern : str
        Regular expression.
    text : str
        Value of a card.

    Returns
    -------
    bool
        Whether it does.
    """
    return re.fullmatch(pattern, text, _ANY_LETTERS) is not None
