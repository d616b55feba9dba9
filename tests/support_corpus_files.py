"""Small FITS files from cards and pixels, whatever they say: of these a corpus is made."""

import bz2
import gzip
import io
import zlib
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

BLOCK = 2880
SHAPE = (48, 64)  # that of the night among which the bad files lie

_CARDS = {
    "SIMPLE": "T",
    "BITPIX": "16",
    "NAXIS": "2",
    "NAXIS1": str(SHAPE[1]),
    "NAXIS2": str(SHAPE[0]),
    "BZERO": "32768.0",
    "IMAGETYP": "'object'",
    "OBJECT": "'corpus'",
    "DATE-OBS": "'2026-03-25T20:00:00'",
    "EXPTIME": "60.0",
    "FILTER": "'V'",
    "XBINNING": "1",
    "YBINNING": "1",
}
_BITPIX = {"i2": "16", "u1": "8", "i4": "32", "f4": "-32", "f8": "-64"}


def card(keyword: str, value: str) -> bytes:
    """Write a card with the text of its value as given, cut to 80 bytes."""
    return f"{keyword:8}= {value:>20}".encode("latin-1", "replace").ljust(80)[:80]


def header_of(cards: bytes) -> bytes:
    """End a header and fill its block up."""
    return (cards + b"END".ljust(80)).ljust(-(-(len(cards) + 80) // BLOCK) * BLOCK)


def noise(seed: str, level: int = 1500) -> NDArray[np.int16]:
    """Make pixels that no other seed gives, as stored beside BZERO 32768."""
    random = np.random.default_rng(zlib.crc32(seed.encode()))
    return (random.integers(level, level + 60, SHAPE) - 32768).astype(np.int16)


def padded(pixels: NDArray[np.generic]) -> bytes:
    """Give pixels as the file holds them, in whole blocks."""
    data = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    return data + bytes(-len(data) % BLOCK)


def raw(
    seed: str,
    pixels: NDArray[np.generic] | None = None,
    more: bytes = b"",
    **changes: str | None,
) -> bytes:
    """Make a frame: good but for some cards (None: left out; one underscore is a dash).

    Parameters
    ----------
    seed : str
        Tells its pixels.
    pixels : ndarray, optional
        As stored, instead of noise.
    more : bytes
        Cards before END.
    changes : str or None
        Texts of values, quotes included.
    """
    values: dict[str, str | None] = dict(_CARDS)
    if pixels is not None and pixels.dtype.str[1:] != "i2":
        values |= {"BITPIX": _BITPIX[pixels.dtype.str[1:]], "BZERO": None}
    values |= {key.replace("_", "-"): value for key, value in changes.items()}
    cards = b"".join(card(key, value) for key, value in values.items() if value is not None)
    return header_of(cards + more) + padded(noise(seed) if pixels is None else pixels)


def with_card(seed: str, one: bytes) -> bytes:
    """Make a frame with one more card, as it is."""
    return raw(seed, more=one.ljust(80)[:80])


def multi(seed: str, images: int = 3) -> bytes:
    """Make a file without a primary image, with a few in extensions."""
    first = raw(seed, NAXIS="0", NAXIS1=None, NAXIS2=None, EXTEND="T", BZERO=None)[:BLOCK]
    extension: dict[str, Any] = {
        "SIMPLE": None,
        "XTENSION": None,
        "IMAGETYP": None,
        "PCOUNT": "0",
        "GCOUNT": "1",
    }
    parts = [first]
    for number in range(images):
        body = raw(f"{seed}{number}", **extension)
        parts.append(header_of(card("XTENSION", "'IMAGE   '") + body[: 10 * 80]) + body[BLOCK:])
    return b"".join(parts)


def tiled(seed: str) -> bytes:
    """Make a file compressed tile by tile (.fz)."""
    with fits.open(io.BytesIO(raw(seed))) as hdus:
        image = fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")
        file = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(file)
    return file.getvalue()


def gz(data: bytes) -> bytes:
    """Compress with gzip, always to the same bytes."""
    return gzip.compress(data, mtime=0)


def bz(data: bytes) -> bytes:
    """Compress with bzip2."""
    return bz2.compress(data)


def bomb(head: bytes, gigabytes: int = 2) -> bytes:
    """Make a gzip file that unpacks to some bytes and so many GiB of zeros; quickly, of members."""
    return gz(head) + gz(bytes(1 << 24)) * (gigabytes * 64)


def damaged(data: bytes, place: float, size: int = 16) -> bytes:
    """Turn all bits of some bytes at a place, a fraction of the whole."""
    start = int(len(data) * place)
    return (
        data[:start]
        + bytes(one ^ 0xFF for one in data[start : start + size])
        + data[start + size :]
    )
