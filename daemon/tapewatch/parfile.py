"""How tape.par is written: its lines, its near misses, and the forms a value can have.

The grammar is that of TAPE's own reader: ``KEY value # comment``. A value parser is a function of
the value's text; it raises `ParameterError` with what is allowed, and its caller adds file, line
and key.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tapewatch.errors import ParameterError

# Eight to a line, as a list in a book; one a line would fill a screen.
TAPE_KEYS: Final = frozenset({
    *("WORKDIR", "BINNING", "STARBOX", "THRES", "FWHMCUT", "SATU", "PHOTAPER", "SKYANNUL"),
    *("SUBPIXEL", "EGAIN", "PSCALE", "STARPLOT", "LOGFILE", "APERUSED", "SHIFTPLOT", "OBSDATE"),
    *("TARGETNAM", "TARGETNUM", "COMPNUMS", "CHKSIG", "CHKDELM", "OBSLAT", "OBSLON", "OBSELEV"),
    *("FILTER", "CONTCUT", "CONTCOEF", "DMIN", "PLOTDESC", "PER", "RSTAR", "A", "RR", "B"),
})  # fmt: skip
"""Every key of TAPE's own steps; none of them is a misspelling of ours."""

_QUOTED_LINE = re.compile(r'\s*([^\s#]+)\s+"([^"]*)"\s*(?:#.*)?')

_LONGEST: Final = 80  # characters of a value that a message repeats

Value = TypeVar("Value")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as it stands in the file.

    Parameters
    ----------
    key : str
        As written.
    line : int
        Counted from 1.
    text : str
        The value: its tokens joined without blanks, or what the double quotes held; empty where
        the line has none.
    quoted : bool
        Whether the value stood in double quotes, which TAPE does not know.
    """

    key: str
    line: int
    text: str
    quoted: bool = False


def load(file: Path) -> str:
    """Read the text of a parameter file.

    Raises
    ------
    ParameterError
        The file is missing, unreadable or not UTF-8.
    """
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(f"{file}: the parameter file cannot be read: {reason}") from error
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"{file}: byte {error.start} is not UTF-8 text; allowed is a plain text file in UTF-8"
        ) from error


def entries_of(text: str) -> dict[str, Entry]:
    """Split a parameter file into its keys; a later line of the same key wins.

    Lines end as in Python's text files, so that TAPE and we count the same ones.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    entries = (_entry(line, number) for number, line in enumerate(lines, start=1))
    return {entry.key: entry for entry in entries if entry}


def _entry(line: str, number: int) -> Entry | None:
    """One line; None where it is blank or all comment."""
    if quoted := _QUOTED_LINE.fullmatch(line):
        return Entry(quoted[1], number, quoted[2], quoted=True)
    tokens = line.partition("#")[0].split()
    return Entry(tokens[0], number, "".join(tokens[1:])) if tokens else None


def meant(written: str, known: Iterable[str]) -> str | None:
    """Tell which of the `known` keys a foreign key was probably meant to be.

    Returns
    -------
    str or None
        The first that differs by upper and lower case and by at most one slip of the fingers;
        None where there is none, or where the key is one of TAPE's.
    """
    key = written.upper()
    if key in TAPE_KEYS.difference(known):
        return None
    return next((candidate for candidate in known if at_most_one_slip(key, candidate)), None)


def at_most_one_slip(written: str, meant: str) -> bool:
    """Tell whether two words differ by no more than one slip.

    A slip is a letter missing, added, wrong, or swapped with its neighbour: a Damerau-Levenshtein
    distance of 1 (Damerau 1964, Communications of the ACM 7, 171).
    """
    pairs = zip(written, meant, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(written), len(meant)))
    left, right = written[same:], meant[same:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[1::-1] == right[:2] and left[2:] == right[2:])
    )


def printable(text: str) -> str:
    """Give a text as a terminal can show it: on one line, control characters escaped."""
    return text if text.isprintable() else ascii(text)


def shown(text: str) -> str:
    """Give a value as a message repeats it: printable, and not endless."""
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Make the parser of a whole number from `low` to `high` (None: no limit)."""
    limits = f"of {low} or more" if high is None else f"from {low} to {high}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise ParameterError(f"allowed is a whole number {limits}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """Make the parser of a number from `low` to `high`, both included and finite."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # so that NaN is refused too
            raise ParameterError(f"allowed is a number from {low:.10g} to {high:.10g}")
        return value

    return parse


def choice(values: Mapping[str, Value]) -> Callable[[str], Value]:
    """Make the parser of one word out of several, in upper or lower case."""
    *first, last = values
    allowed = f"{', '.join(first)} or {last}" if first else last

    def parse(text: str) -> Value:
        try:
            return values[text.lower()]
        except KeyError:
            raise ParameterError(f"allowed is {allowed}") from None

    return parse


def words(*values: str) -> Callable[[str], str]:
    """Make the parser of one of `values`, returned as it is spelt here."""
    return choice({value: value for value in values})


def word_or(
    word: str, value: Value, other: Callable[[str], Other]
) -> Callable[[str], Value | Other]:
    """Make a parser that takes `word` for `value` and leaves everything else to `other`."""

    def parse(text: str) -> Value | Other:
        if text.lower() == word:
            return value
        try:
            return other(text)
        except ParameterError as error:
            raise ParameterError(f"{error}, or {word}") from error

    return parse
