"""Which type the physical values of an image have, by its header: pure.

As astropy.io.fits gives them, whose types the arithmetic of the notebook follows: offset integers
stay integers, other scaled integers become float32 (of 8 and 16 bits) or float64 (FITS Standard
4.0, sections 4.4.2.5 and 5.2.5).
"""

from tapewatch.headers.values import Cards, number

_BYTE = 8  # the only width stored unsigned
_WIDE = 16  # integers of more bits are scaled in double precision


def is_offset(bitpix: int, scale: float, zero: float) -> bool:
    """Tell whether BZERO only moves the range of an integer: unsigned ones, and signed bytes."""
    if bitpix < 0 or scale != 1:
        return False
    half = 2.0 ** (bitpix - 1)
    return zero == (-half if bitpix == _BYTE else half)


def pixel_type(bitpix: int, scale: float, zero: float, *, blank: bool) -> str:
    """Name the type of the physical values.

    Parameters
    ----------
    bitpix : int
        Of the image.
    scale, zero : float
        BSCALE and BZERO.
    blank : bool
        Whether BLANK names an integer that means no value.

    Returns
    -------
    str
        As numpy calls it: ``uint16``.
    """
    width = abs(bitpix)
    if is_offset(bitpix, scale, zero):
        return f"{'int' if bitpix == _BYTE else 'uint'}{width}"
    if bitpix < 0:
        return f"float{width}"
    if scale == 1 and zero == 0 and not blank:
        return f"{'uint' if bitpix == _BYTE else 'int'}{width}"
    return "float64" if bitpix > _WIDE else "float32"


def pixel_type_of(header: Cards, bitpix: int) -> str:
    """Name the type of the physical values of the image that a header describes."""
    scale, zero = number(header.get("BSCALE")), number(header.get("BZERO"))
    blank = isinstance(header.get("BLANK"), int)
    return pixel_type(bitpix, 1.0 if scale is None else scale, zero or 0.0, blank=blank)
