"""FITS header cards: what a raw header says, read on demand and never refused.

The bytes of each card are kept as they came, so that a product's header can repeat them. Only the
keywords are looked at when a header is parsed; a value is read when it is asked for, since of a
hundred cards a dozen matter. Rules: FITS Standard 4.0, section 4; HIERARCH and CONTINUE (OGIP)
conventions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

CARD_SIZE = 80
KEYWORD_SIZE = 8

Value = str | int | float | bool | None

LONGEST_TEXT = 1000  # characters of one value, of any number of cards: no keyword needs as many

COMMENTARY = frozenset({"", "COMMENT", "HISTORY"})
CONTINUE = "CONTINUE"

_COMMENTARY = (b" " * KEYWORD_SIZE, b"COMMENT ", b"HISTORY ")
_EQUALS = ord("=")
_BLANK_CARD = b" " * CARD_SIZE
_END = re.compile(rb"END[ \0]{5}")
_QUOTED = re.compile(rb"'((?:[^']+|'')*)")
# Blanks within a number are outside the standard, but astropy reads them and so do we.
_NUMBER = re.compile(rb"[+-]? *(?:\.\d+|\d+(\.\d*)?) *([deDE] *[+-]? *\d+)?")
_NUMBER_TABLE = bytes.maketrans(b"dD", b"ee")


@dataclass(frozen=True, slots=True)
class Header:
    """The cards of one header, with values by keyword.

    Parameters
    ----------
    cards : tuple of bytes
        Cards of 80 bytes, verbatim, without END and without blank cards before it.
    """

    cards: tuple[bytes, ...]
    _positions: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positions: dict[str, int] = {}
        for position, card in enumerate(self.cards):
            positions.setdefault(keyword_of(card), position)
        positions.pop("", None)
        positions.pop(CONTINUE, None)
        object.__setattr__(self, "_positions", positions)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._positions

    @property
    def keywords(self) -> tuple[str, ...]:
        """Keywords in order of first appearance, in capitals, without HIERARCH."""
        return tuple(self._positions)

    def get(self, keyword: str, default: Value = None) -> Value:
        r"""Give the value of a keyword; of duplicates the first.

        Parameters
        ----------
        keyword : str
            In capitals; ``HIERARCH ESO DPR TYPE`` is ``ESO DPR TYPE``.
        default : str, int, float, bool or None
            Returned where the keyword is absent.

        Returns
        -------
        str, int, float, bool or None
            None for a card without a value. What no rule of FITS makes a value (an unquoted
            date, a complex number) is given as the text that stands there. A number too great
            for a float is an infinity. Text is decoded as UTF-8; bytes that are not show as
            ``\xNN``.
        """
        position = self._positions.get(keyword)
        return default if position is None else self._value(position)

    def items(self) -> Iterator[tuple[str, Value]]:
        """Go through all cards in order, duplicates and commentary too, blank ones apart."""
        for position, card in enumerate(self.cards):
            keyword = keyword_of(card)
            if keyword and keyword != CONTINUE:
                yield keyword, self._value(position)

    def lines(self, keyword: str) -> Iterator[str]:
        """Go through the texts of a commentary keyword.

        Parameters
        ----------
        keyword : str
            HISTORY or COMMENT.

        Yields
        ------
        str
            As `get` gives the first of them.
        """
        start = keyword.ljust(KEYWORD_SIZE).encode()
        for card in self.cards[self._positions.get(keyword, len(self.cards)) :]:
            if card.startswith(start):
                yield _text(card[KEYWORD_SIZE:])

    def _value(self, position: int) -> Value:
        value_field = _value_field(self.cards[position])
        if value_field is None:
            return _text(self.cards[position][KEYWORD_SIZE:])
        if not value_field.startswith(b"'"):
            return _unquoted(value_field)
        text = _quoted(value_field)
        while text.endswith("&") and (more := self._continued(position + 1)) is not None:
            position += 1
            text = text[:-1] + more
            if len(text) > LONGEST_TEXT:
                return text[:LONGEST_TEXT]
        return text

    def _continued(self, position: int) -> str | None:
        if position >= len(self.cards) or keyword_of(self.cards[position]) != CONTINUE:
            return None
        return _quoted(self.cards[position][KEYWORD_SIZE:].strip())


def parse_header(data: bytes) -> Header:
    """Cut the bytes of a header into cards; nothing in them is an error.

    Parameters
    ----------
    data : bytes
        From the first card; whatever follows END is left out. A last card cut short is filled up
        with blanks.

    Returns
    -------
    Header
    """
    end = find_end(data)
    stop = len(data) if end is None else end
    cards = [data[start : start + CARD_SIZE] for start in range(0, stop, CARD_SIZE)]
    if cards:
        cards[-1] = cards[-1].ljust(CARD_SIZE)
    while cards and cards[-1] == _BLANK_CARD:
        cards.pop()
    return Header(tuple(cards))


def find_end(data: bytes, start: int = 0) -> int | None:
    """Find the END card.

    Parameters
    ----------
    data : bytes
        Begins at the first card.
    start : int
        Where to begin; cards before it are known not to be END.

    Returns
    -------
    int or None
        Where the card begins; None where there is none.
    """
    for match in _END.finditer(data, start):
        if match.start() % CARD_SIZE == 0:
            return match.start()
    return None


def merge(primary: Header, extension: Header) -> Header:
    """Join the header of an image extension and that of its file.

    Parameters
    ----------
    primary, extension : Header
        The image's own keywords come first and win; those of the primary header that it lacks,
        and all the primary's comments and history, follow.

    Returns
    -------
    Header
    """
    cards = list(extension.cards)
    kept = True
    for card in primary.cards:
        keyword = keyword_of(card)
        if keyword != CONTINUE:  # which goes with the card that it continues
            kept = keyword in COMMENTARY or keyword not in extension
        if kept:
            cards.append(card)
    return Header(tuple(cards))


def keyword_of(card: bytes) -> str:
    """Read the keyword of a card.

    Parameters
    ----------
    card : bytes
        80 bytes.

    Returns
    -------
    str
        In capitals, without HIERARCH; empty for a blank keyword. Of a card that is none by the
        rules, the first eight bytes.
    """
    if card[KEYWORD_SIZE] == _EQUALS:
        return _name(card[:KEYWORD_SIZE])
    if card.startswith(b"HIERARCH") and b"=" in card:
        return _name(b" ".join(card[KEYWORD_SIZE : card.index(b"=")].split()))
    return _name(card[:KEYWORD_SIZE].partition(b"=")[0])


@lru_cache(maxsize=4096)  # the same hundred keywords come with every frame
def _name(keyword: bytes) -> str:
    # Any byte is a letter of Latin-1: this cannot fail.
    return keyword.upper().decode("latin-1").strip()


def _value_field(card: bytes) -> bytes | None:
    """Give what stands right of the value indicator; None for commentary and cards without one."""
    if card.startswith(b"HIERARCH"):
        place = card.find(b"=", KEYWORD_SIZE)
    elif card.startswith(_COMMENTARY):
        return None
    else:
        place = card.find(b"=", 0, KEYWORD_SIZE + 1)
    if place < 0:
        return None
    return card[place + 1 :].strip()


def _quoted(value_field: bytes) -> str:
    match = _QUOTED.match(value_field)
    return _text(match.group(1).replace(b"''", b"'")) if match else ""


def _unquoted(value_field: bytes) -> Value:
    text = value_field.partition(b"/")[0].strip()
    if not text:
        return None
    if text in {b"T", b"F"}:
        return text == b"T"
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _text(value_field.partition(b" /")[0])
    digits = text.replace(b" ", b"").translate(_NUMBER_TABLE)
    is_float = b"." in digits or match.group(2) is not None
    return float(digits) if is_float else int(digits)


def _text(data: bytes) -> str:
    return data.rstrip().decode("utf-8", "backslashreplace")
