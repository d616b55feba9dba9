"""From the values that a file stores to physical ones, as astropy.io.fits would give them.

The daemon's products equal to the bit what the notebook's ``fits.open(file)[0].data`` leads to, so
the types follow astropy's (`tapewatch.headers.stored`).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tapewatch.errors import RejectedError
from tapewatch.headers.cards import Header
from tapewatch.headers.stored import is_offset, pixel_type

Pixels = npt.NDArray[np.number]

_STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the stored values of one image become physical ones.

    Parameters
    ----------
    bitpix : int
        As in the header (ZBITPIX of a compressed image).
    scale, zero : float
        BSCALE and BZERO.
    blank : int or None
        BLANK: the stored integer that means no value.
    """

    bitpix: int
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None

    @property
    def stored_dtype(self) -> np.dtype[np.number]:
        """Type of the stored values, big-endian."""
        return np.dtype(_STORED[self.bitpix])

    @property
    def dtype(self) -> np.dtype[np.number]:
        """Type of the physical values, in the machine's byte order."""
        blank = self.blank is not None
        return np.dtype(pixel_type(self.bitpix, self.scale, self.zero, blank=blank))

    def physical(self, stored: bytes | memoryview) -> Pixels:
        """Convert stored values.

        Parameters
        ----------
        stored : bytes or memoryview
            Big-endian values as in the file.

        Returns
        -------
        ndarray
            (n,) of `dtype`, physical values (mostly ADU), the caller's own. BLANK becomes NaN
            where the values are scaled to floats, except a BLANK of 0, which astropy leaves.
        """
        values = np.frombuffer(stored, dtype=self.stored_dtype)
        if self._is_offset:
            return self._without_offset(values)
        # astype copies, changing byte order and type in one pass.
        result = values.astype(self.dtype)
        if not self._is_plain:
            self._scale(result)
            if self.blank and self.bitpix > 0:
                result[values == self.blank] = math.nan
        return result

    @property
    def _is_plain(self) -> bool:
        no_blank = self.blank is None or self.bitpix < 0
        return self.scale == 1 and self.zero == 0 and no_blank

    @property
    def _is_offset(self) -> bool:
        return is_offset(self.bitpix, self.scale, self.zero)

    def _without_offset(self, values: Pixels) -> Pixels:
        # Adding half the range to an integer that wraps round is turning its highest bit.
        unsigned = np.dtype(f"u{values.itemsize}")
        result = values.astype(values.dtype.newbyteorder("=")).view(unsigned)
        result ^= unsigned.type(1 << (self.bitpix - 1))
        return result.view(self.dtype)

    def _scale(self, result: Pixels) -> None:
        # A Python float leaves the array's type as it is: float32 stays so.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.scale != 1:
                np.multiply(result, self.scale, out=result)
            if self.zero != 0:
                np.add(result, self.zero, out=result)


def scaling_of(header: Header, bitpix: int) -> Scaling:
    """Read BSCALE, BZERO and BLANK.

    Parameters
    ----------
    header : Header
        Of the image.
    bitpix : int
        Of the image.

    Returns
    -------
    Scaling
        A BLANK that is no integer is ignored, as astropy does.

    Raises
    ------
    RejectedError
        BSCALE or BZERO is no finite number, or BSCALE is 0.
    """
    scale, zero = _number(header, "BSCALE", 1.0), _number(header, "BZERO", 0.0)
    if scale == 0:
        raise RejectedError("BSCALE is 0: every pixel would have the same value")
    blank = header.get("BLANK")
    return Scaling(bitpix, scale, zero, blank if isinstance(blank, int) else None)


def _number(header: Header, keyword: str, default: float) -> float:
    value = header.get(keyword, default)
    if isinstance(value, str | bool) or value is None or not math.isfinite(value):
        raise RejectedError(f"{keyword} is {value!r}, expected a number")
    return float(value)
