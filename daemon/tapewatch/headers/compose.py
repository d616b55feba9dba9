"""Headers for products: the raw header byte by byte, less what became untrue, plus what was done.

Rules: FITS Standard 4.0, sections 4.1 and 4.2; HIERARCH and CONTINUE (OGIP) conventions.
"""

import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence

from tapewatch.headers.cards import CARD_SIZE, CONTINUE, KEYWORD_SIZE, Header, Value, keyword_of

_STANDARD_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")
_HISTORY_WIDTH = CARD_SIZE - KEYWORD_SIZE
_CONTINUE_START = "CONTINUE  "


def compose(
    raw: Header,
    *,
    drop: Callable[[str], bool],
    changes: Mapping[str, tuple[Value, str]],
    history: Sequence[str] = (),
) -> list[bytes]:
    """Make the cards of a product's header.

    Parameters
    ----------
    raw : Header
        Its cards come out in their order and byte by byte, blank, odd and commentary cards too.
    drop : callable
        Says of a keyword whether its cards are left out.
    changes : mapping of str to (value, comment)
        Take the place of the first card of that keyword, further ones go; new keywords follow
        after all the raw cards.
    history : sequence of str
        A HISTORY line each, at the end; wrapped where longer than a card.

    Returns
    -------
    list of bytes
        Cards of 80 bytes, without END.
    """
    cards: list[bytes] = []
    waiting = dict(changes)
    kept = True
    for card in raw.cards:
        keyword = keyword_of(card)
        if keyword != CONTINUE:  # which goes with the card that it continues
            kept = keyword not in changes and not drop(keyword)
        if kept:
            cards.append(card)
        elif keyword in waiting:
            cards += format_card(keyword, *waiting.pop(keyword))
    for keyword, (value, comment) in waiting.items():
        cards += format_card(keyword, value, comment)
    for line in history:
        cards += format_history(line)
    return cards


def format_card(keyword: str, value: Value, comment: str = "") -> list[bytes]:
    r"""Write one keyword as a card, or as several where a text is long.

    Parameters
    ----------
    keyword : str
        In capitals; one that is not standard is written as HIERARCH.
    value : str, int, float, bool or None
        None is written as a card without a value, and so are NaN and infinities, which FITS has
        no way to write. Text becomes printable ASCII: ``é`` is written ``\xe9``.
    comment : str
        Cut where the card ends; left out behind a text of several cards.

    Returns
    -------
    list of bytes
        Cards of 80 bytes.
    """
    standard = _STANDARD_KEYWORD.fullmatch(keyword)
    start = f"{keyword:8}= " if standard else f"HIERARCH {keyword} = "
    if isinstance(value, str):
        quoted = printable(value).replace("'", "''")
        if len(start) + len(quoted) + 2 > CARD_SIZE:
            return _long_text(start, quoted)
        text = f"'{quoted:8}'".ljust(20)
    else:
        text = _plain_value(value).rjust(20)
    end = f" / {printable(comment)}" if comment else ""
    return [_card(f"{start}{text}{end}"[:CARD_SIZE])]


def format_history(line: str) -> list[bytes]:
    """Write a line of history.

    Parameters
    ----------
    line : str
        Any length; wrapped at blanks where possible.

    Returns
    -------
    list of bytes
        Cards of 80 bytes.
    """
    parts = textwrap.wrap(printable(line), _HISTORY_WIDTH, break_on_hyphens=False)
    return [_card(f"HISTORY {part}") for part in parts]


def printable(text: str) -> str:
    r"""Write a text in the letters that a header may hold.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Printable ASCII: ``é`` becomes ``\xe9``.
    """
    return "".join(
        letter if " " <= letter <= "~" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def _plain_value(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int):
        return str(int(value))
    # Through float: numpy's own numbers print otherwise.
    return str(float(value)).replace("e", "E")


def _long_text(start: str, quoted: str) -> list[bytes]:
    """Spread a text with its quotes already doubled over CONTINUE cards."""
    cards = []
    while quoted:
        room = CARD_SIZE - len(start) - 3  # two quotes and an ampersand
        room -= quoted[:room].count("'") % 2  # never part a doubled quote
        part, quoted = quoted[:room], quoted[room:]
        cards.append(_card(f"{start}'{part}&'" if quoted else f"{start}'{part}'"))
        start = _CONTINUE_START
    return cards


def _card(text: str) -> bytes:
    return text.ljust(CARD_SIZE).encode("ascii")
