"""The type of the values that a header promises is the one that astropy gives."""

import io
import warnings

import numpy as np
import pytest
from astropy.io import fits

from tapewatch.headers.cards import parse_header
from tapewatch.headers.stored import pixel_type_of


@pytest.mark.parametrize("bitpix", [8, 16, 32, 64, -32, -64])
@pytest.mark.parametrize("cards", [{}, {"BSCALE": 2.0}, {"BZERO": 1.5}, {"BLANK": 3}])
@pytest.mark.parametrize("offset", [False, True])
def test_as_astropy(bitpix: int, cards: dict[str, float], offset: bool) -> None:
    stored = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}[bitpix]
    hdu = fits.PrimaryHDU(np.ones((2, 2), stored))
    if offset and bitpix > 0 and not {"BZERO", "BLANK"} & cards.keys():  # astropy fails at both
        hdu.header["BZERO"] = -128 if bitpix == 8 else 2 ** (bitpix - 1)
    hdu.header.update(cards)
    text = hdu.header.tostring()
    file = io.BytesIO(text.encode() + np.ones((2, 2), stored).tobytes().ljust(2880, b"\0"))
    with warnings.catch_warnings(action="ignore"), fits.open(file) as hdus:
        expected = hdus[0].data.dtype.newbyteorder("=")
    assert pixel_type_of(parse_header(text.encode()), bitpix) == str(expected)
