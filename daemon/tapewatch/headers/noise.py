"""Noise in headers: what a camera's header tells of it, and a master's cards."""

from collections.abc import Sequence

from tapewatch.headers import dialects
from tapewatch.headers.values import Cards, Value, as_text, number
from tapewatch.model import Kind, MasterNoise

Change = tuple[Value, str]

_MEDIAN, _MEAN = "median", "clipped mean"
_LARGEST = 1e3  # e-/ADU of a gain, e- of a read noise


def gain_of(header: Cards) -> float | None:
    """Tell the gain of the camera.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    float or None
        e-/ADU; None where no keyword tells it, or what stands there cannot be a gain.
    """
    gain = _first_positive(header, dialects.GAIN_KEYWORDS)
    if gain is None and readnoise_of(header) is not None:
        gain = _first_positive(header, (dialects.GAIN_BESIDE_READNOISE,))
    if gain is None and (inverse := _first_positive(header, dialects.INVERSE_GAIN_KEYWORDS)):
        gain = 1 / inverse
    return gain


def readnoise_of(header: Cards) -> float | None:
    """Tell the read noise of the camera.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    float or None
        e-; None where no keyword tells it, or what stands there cannot be a read noise.
    """
    return _first_positive(header, dialects.READNOISE_KEYWORDS)


def _first_positive(header: Cards, keywords: Sequence[str]) -> float | None:
    values = (number(header.get(keyword)) for keyword in keywords)
    return next((one for one in values if one is not None and 0 < one <= _LARGEST), None)


def noise_cards(noise: MasterNoise, kind: Kind) -> dict[str, Change]:
    """Write what is known of a master's noise.

    Parameters
    ----------
    noise : MasterNoise
        As measured when it was made.
    kind : Kind
        Of the master.

    Returns
    -------
    dict of str to (value, str)
        As many cards whatever is known, those of the unknown without a value; with NCOMBINE, which
        every master has, they say all.
    """
    cards: dict[str, Change] = {
        "TWCOMB": (_MEDIAN if noise.is_median else _MEAN, "how the frames were combined"),
        "TWNOISE": (_rounded(noise.noise), "[adu] noise of one frame"),
    }
    if kind is Kind.FLAT:
        cards["TWLEVEL"] = (_rounded(noise.level), "[adu] level that is 1 in this flat")
        cards["TWGAIN"] = (_rounded(noise.gain), "[electron/adu] gain by the noise of the flats")
    return cards


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def noise_of(header: Cards) -> MasterNoise:
    """Read what `noise_cards` wrote.

    Parameters
    ----------
    header : Cards
        Of a master.

    Returns
    -------
    MasterNoise
        Of an older master without these cards: its number of frames alone.
    """
    return MasterNoise(
        frames=int(number(header.get("NCOMBINE")) or 1),
        is_median=as_text(header.get("TWCOMB")) != _MEAN,
        noise=number(header.get("TWNOISE")),
        level=number(header.get("TWLEVEL")),
        gain=number(header.get("TWGAIN")),
    )
