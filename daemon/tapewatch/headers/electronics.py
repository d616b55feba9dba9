"""Gain and read noise, where a header tells them: what an error of a pixel is made of."""

from tapewatch.headers import dialects
from tapewatch.headers.values import Cards, as_text, first_number, matches


def egain(header: Cards) -> float | None:
    """Electrons per ADU.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    float or None
        None where no keyword tells it. GAIN counts only where the program is known to mean it;
        elsewhere it is a camera's setting.
    """
    found = first_number(header, dialects.EGAIN_KEYWORDS)
    if found is None and any(
        matches(mark.pattern, as_text(header.get(mark.keyword)))
        for mark in dialects.GAIN_IS_ELECTRONS
    ):
        found = first_number(header, ("GAIN",))
    return found


def read_noise(header: Cards) -> float | None:
    """Read noise, electrons.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    float or None
        None where no keyword tells it.
    """
    return first_number(header, dialects.READ_NOISE_KEYWORDS)
