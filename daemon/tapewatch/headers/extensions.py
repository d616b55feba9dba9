"""Cards of a product's extensions: what the bits of a mask are, what an uncertainty holds."""

from typing import NamedTuple

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


class NoiseUsed(NamedTuple):
    """Gain and read noise from which an uncertainty was worked out.

    Parameters
    ----------
    gain : float
        e-/ADU.
    readnoise : float
        ADU.
    gain_from, readnoise_from : str
        ``header``, ``EGAIN`` (of tape.par), or the frames by which they were measured.
    """

    gain: float
    readnoise: float
    gain_from: str
    readnoise_from: str


def uncertainty_cards(used: NoiseUsed) -> list[bytes]:
    """Say what an uncertainty was worked out from.

    Parameters
    ----------
    used : NoiseUsed
        Gain and read noise.

    Returns
    -------
    list of bytes
    """
    return [
        *format_card("BUNIT", "adu", "unit of the pixels"),
        *format_card("TWGAIN", used.gain, f"[electron/adu] gain, from: {used.gain_from}"),
        *format_card("TWNOISE", used.readnoise, f"[adu] read noise, from: {used.readnoise_from}"),
    ]
