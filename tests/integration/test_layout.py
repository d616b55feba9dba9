"""The structure of a file: what is cut short is incomplete, what is no FITS is rejected."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.layout import Hdu, read_layout


def layout(data: bytes) -> tuple[Hdu, ...]:
    return read_layout(lambda offset, size: data[offset : offset + size], len(data))


def bytes_of(*hdus: fits.PrimaryHDU) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(buffer)
    return buffer.getvalue()


def first_header(*cards: str) -> bytes:
    text = "".join(card.ljust(80) for card in ("SIMPLE  = T", *cards, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode("ascii")


IMAGE = np.arange(1500, dtype=np.int16).reshape(30, 50)
SIMPLE_FILE = bytes_of(fits.PrimaryHDU(IMAGE))
TABLE = fits.BinTableHDU.from_columns([fits.Column("A", "PJ()", array=[[1, 2], [3]])])


def test_every_proper_prefix_of_a_file_is_incomplete() -> None:
    (hdu,) = layout(SIMPLE_FILE)
    assert (hdu.data_offset, hdu.data_size, hdu.end) == (2880, 3000, 8640)
    for size in range(len(SIMPLE_FILE)):
        with pytest.raises(IncompleteFileError, match="incomplete"):
            layout(SIMPLE_FILE[:size])


def test_incomplete_tells_how_much_is_there() -> None:
    with pytest.raises(IncompleteFileError, match="incomplete: 4,321 of 8,640 bytes"):
        layout(SIMPLE_FILE[:4321])


def test_extensions_cut_anywhere_but_between_hdus_are_incomplete() -> None:
    data = bytes_of(fits.PrimaryHDU(), fits.ImageHDU(IMAGE), TABLE, fits.ImageHDU(IMAGE))
    whole = layout(data)
    assert [hdu.end for hdu in whole][-1] == len(data)
    between = {hdu.end for hdu in whole}
    for size in range(0, len(data), 7):
        if size not in between:
            with pytest.raises(IncompleteFileError):
                layout(data[:size])
    assert layout(data[: whole[1].end]) == whole[:2]


def test_images_tables_and_groups_are_told_apart() -> None:
    compressed = fits.CompImageHDU(IMAGE, compression_type="RICE_1")
    data = bytes_of(fits.PrimaryHDU(), TABLE, compressed, fits.ImageHDU(IMAGE), fits.ImageHDU())
    found = [(hdu.is_image, hdu.compressed) for hdu in layout(data)]
    assert found == [(False, False), (False, False), (True, True), (True, False), (False, False)]
    assert [layout(data)[index].shape for index in (2, 3)] == [(30, 50), (30, 50)]
    assert layout(data)[2].bitpix == 16
    assert len(data) == layout(data)[-1].end


def test_size_of_random_groups() -> None:
    cards = ("BITPIX  = -32", "NAXIS   = 3", "NAXIS1  = 0", "NAXIS2  = 10", "NAXIS3  = 20")
    header = first_header(*cards, "GROUPS  = T", "PCOUNT  = 5", "GCOUNT  = 7")
    (hdu,) = layout(header.ljust(2880 * 3 + 2880, b"\0"))
    assert hdu.data_size == 4 * 7 * (5 + 10 * 20)
    assert not hdu.is_image


@pytest.mark.parametrize("rest", [b"\0" * 2880, b"trailing", b"SIMPLE  =", b"\n"])
def test_what_follows_the_last_hdu_and_begins_none_is_ignored(rest: bytes) -> None:
    assert layout(SIMPLE_FILE + rest) == layout(SIMPLE_FILE)


def test_a_file_allotted_beforehand_is_incomplete_until_its_header_is_there() -> None:
    long_header = fits.PrimaryHDU(IMAGE)
    for number in range(200):
        long_header.header[f"KEY{number}"] = number
    data = bytes_of(long_header)
    for size in (0, 80, 2880, 2880 * 4):
        with pytest.raises(IncompleteFileError):
            layout(data[:size].ljust(600 * 2880, b"\0"))


def long_headers(count: int) -> bytes:
    """Begin a file of HDUs whose headers are each as long as one may be, but for a block."""
    extension = first_header("BITPIX  = 8", "NAXIS   = 0").replace(b"SIMPLE  = T", b"XTENSION= T")
    return SIMPLE_FILE + (b"XTENSION= T".ljust(80) * (36 * 510) + extension) * count


def tiled_image(width: int) -> bytes:
    """Begin a file with an image compressed in a table, of any width."""
    cards = ["BITPIX  = 8", "NAXIS   = 0", "ZIMAGE  = T", "ZBITPIX = 8", "ZNAXIS  = 2"]
    table = first_header(*cards, f"ZNAXIS1 = {width}", "ZNAXIS2 = 1")
    return SIMPLE_FILE + table.replace(b"SIMPLE  = T         ", b"XTENSION= 'BINTABLE'")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\x05\x16\x07" + b"\0" * 4000, "not FITS"),
        (b"import astropy.io.fits\n", "not FITS"),
        (b"SIMPLE = nonsense", "not FITS"),
        (first_header("BITPIX  = 16"), "NAXIS is missing"),
        (first_header("NAXIS   = 0"), "BITPIX is missing"),
        (first_header("BITPIX  = 12", "NAXIS   = 0"), "BITPIX is 12"),
        (first_header("BITPIX  = 16.0", "NAXIS   = 0"), "BITPIX is 16.0"),
        (first_header("BITPIX  = 8", "NAXIS   = 1000000000"), "NAXIS is 1000000000"),
        (first_header("BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = -1"), "NAXIS1 is -1"),
        (first_header("BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = T"), "NAXIS1 is T"),
        (first_header("BITPIX  = 8", "NAXIS   = 1", f"NAXIS1  = {2**50}"), "makes"),
        (first_header("BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 1", "GCOUNT  = 'x'"), "GCOUNT"),
        (first_header("BITPIX  = 8", "NAXIS   = 0").replace(b"= T", b"= F"), "SIMPLE is F"),
        (b"SIMPLE  = T".ljust(80) * 40000, "no END"),
        (long_headers(10), "more than 11,796,480 bytes of headers"),
        (tiled_image(10**30), "an image of 1e[+]30 x 1 pixels, BITPIX 8"),
        (
            SIMPLE_FILE
            + first_header("BITPIX  = 8", "NAXIS   = 0").replace(b"SIMPLE  = T", b"XTENSION= T")
            * 1000,
            "more than 1000 HDUs",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_camera_writes_is_rejected_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        layout(data)


CARD = st.builds(
    "{:8}= {}".format,
    st.sampled_from(["SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3"])
    | st.sampled_from(["PCOUNT", "GCOUNT", "GROUPS", "ZIMAGE", "ZBITPIX", "ZNAXIS", "ZNAXIS1"]),
    st.one_of(
        st.integers(-(10**12), 10**12).map(str),
        st.sampled_from(["T", "F", "8", "16", "-32", "0", "1", "2", "3", "'BINTABLE'", "1E3", ""]),
        st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=20),
    ),
)


@given(st.lists(CARD, max_size=12), st.integers(0, 4 * 2880), st.booleans())
def test_fuzzed_headers_are_incomplete_or_rejected_or_fit(
    cards: list[str], size: int, extension: bool
) -> None:
    text = "".join(card[:80].ljust(80) for card in cards) + "END".ljust(80)
    first = "" if extension else "SIMPLE  =                    T".ljust(80)
    data = (SIMPLE_FILE if extension else b"") + (first + text).encode("latin-1")
    data = data.ljust(len(data) + size, b" ")
    try:
        hdus = layout(data)
    except (IncompleteFileError, RejectedError):
        return
    assert hdus[-1].end <= len(data)


@given(st.lists(st.tuples(st.integers(0, 2879), st.integers(0, 255)), min_size=1, max_size=9))
def test_flipped_bytes_in_a_header_raise_nothing_else(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SIMPLE_FILE)
    for place, byte in changes:
        data[place] = byte
    try:
        layout(bytes(data))
    except (IncompleteFileError, RejectedError) as error:
        assert str(error)  # noqa: PT017 - either outcome is right, silence is not


def test_real_files_are_as_long_as_astropy_says(real_data: Path) -> None:
    plain = {".fit", ".fits", ".fz"}
    checked = 0
    for path in sorted(path for path in real_data.rglob("*") if path.suffix.lower() in plain):
        data = path.read_bytes()
        try:
            ours = layout(data)
        except (IncompleteFileError, RejectedError):
            continue
        with (
            warnings.catch_warnings(action="ignore"),
            fits.open(path, disable_image_compression=True, memmap=False) as hdus,
        ):
            theirs = [(hdu._data_offset, hdu._data_size) for hdu in hdus]
        assert [(hdu.data_offset, hdu.end - hdu.data_offset) for hdu in ours] == theirs, path
        checked += 1
    assert checked > 150
