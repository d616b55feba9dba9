"""What a mask says of a pixel."""

from enum import IntFlag


class Bit(IntFlag):
    """Why a pixel of a product should not be trusted; a mask holds the sum of what applies."""

    NODATA = 1  # the raw frame or a master has no value there
    SATURATED = 2  # measured, or so predicted by bias and dark that no light could be told
    HOT = 4  # dark current far above that of the other pixels
    BADFLAT = 8  # the flat is zero, negative or no number
    BADPIX = 16  # in the observer's list
    FLATDARK = 32  # the flat holds dark current that was not subtracted from it
    COSMIC = 64  # struck by a cosmic ray


MEANING_OF_BITS = {
    Bit.NODATA: "no value in the raw frame or a master",
    Bit.SATURATED: "saturated, or by bias and dark nearly so",
    Bit.HOT: "hot in the master dark",
    Bit.BADFLAT: "the flat is <= 0 or not finite",
    Bit.BADPIX: "in the list BADPIX",
    Bit.FLATDARK: "over 1 % of the flat is dark current",
    Bit.COSMIC: "cosmic ray",
}
"""Comments of the cards that name the bits."""
