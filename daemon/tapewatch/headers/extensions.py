"""Cards of a product's extensions: what the bits of a mask are, what an uncertainty holds."""

from tapewatch.headers.compose import format_card
from tapewatch.model import MEANING_OF_BITS


def mask_cards() -> list[bytes]:
    """Name the bits of a mask.

    Returns
    -------
    list of bytes
        As ``BIT1 = 'SATURATED' / 2: saturated, or by bias and dark nearly so``: the number of the
        bit, its name, its value and its meaning.
    """
    return [
        card
        for number, (bit, meaning) in enumerate(MEANING_OF_BITS.items())
        for card in format_card(f"BIT{number}", str(bit.name), f"{bit.value}: {meaning}")
    ]
