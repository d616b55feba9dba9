"""Products of several HDUs, written side by side: astropy reads and verifies each of them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewatch.fitsfile.checksum import add_bytes
from tapewatch.fitsfile.hdus import (
    HduPlan,
    bare_plan,
    image_plan,
    mask_plan,
    table_plan,
    uncertainty_plan,
)
from tapewatch.fitsfile.product import ProductWriter, product_cards
from tapewatch.headers.cards import Header
from tapewatch.headers.compose import format_card

SHAPE = (37, 53)
RNG = np.random.default_rng(20260304)
IMAGE = RNG.normal(1000, 30, SHAPE).astype(np.float32)
SIGMA = RNG.uniform(1, 9, SHAPE).astype(np.float32)
BITS = RNG.integers(0, 2, SHAPE).astype(np.uint8) * np.uint8(5)
CARDS = product_cards(
    Header(()), {"TWID": ("0123456789abcdef", ""), "BUNIT": ("adu", "")}, ["less wbias.fits"]
)
NAMES = ["a b.fits", "bé.fits", "M 13.NOAUTODARK.fits"]
HASHES = ["0" * 64, "1" * 64, "f" * 64]

Data = npt.NDArray[np.float32] | npt.NDArray[np.uint8]


def write(target: Path, parts: list[tuple[HduPlan, Data]], strip: int = 500) -> None:
    """Write strips of all HDUs in turn, as long as each has some left."""
    with ProductWriter(target, [plan for plan, _ in parts], "job1") as writer:
        longest = max(data.size for _, data in parts)
        for start in range(0, longest, strip):
            for index, (_, data) in enumerate(parts):
                if start < data.size:
                    writer.write(index, data.ravel()[start : start + strip])
        writer.commit()


@pytest.mark.parametrize("strip", [1, 333, 37 * 53])
def test_astropy_verifies_image_mask_uncertainty_and_table(tmp_path: Path, strip: int) -> None:
    table = table_plan("INPUTS", {"NAME": NAMES, "SHA256": HASHES})
    parts: list[tuple[HduPlan, Data]] = [
        (image_plan(CARDS, SHAPE), IMAGE),
        (mask_plan(SHAPE, format_card("BIT0", "SATURATED")), BITS),
        (uncertainty_plan(SHAPE), SIGMA),
        table,
    ]
    write(tmp_path / "w.fits", parts, strip)
    with fits.open(tmp_path / "w.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "MASK", "UNCERT", "INPUTS"]
        for hdu, expected in zip(hdus, (IMAGE, BITS, SIGMA), strict=False):
            assert hdu.data.dtype.newbyteorder("=") == expected.dtype
            np.testing.assert_array_equal(hdu.data, expected)
        assert hdus["MASK"].header["BIT0"] == "SATURATED"
        assert list(hdus["INPUTS"].data["NAME"]) == ["a b.fits", r"b\xe9.fits", NAMES[2]]
        assert list(hdus["INPUTS"].data["SHA256"]) == HASHES
    # Against the Standard itself: the words of each HDU add up to -0, so those of the file do.
    words = np.frombuffer((tmp_path / "w.fits").read_bytes(), ">u4")
    assert sum(words.tolist()) % 0xFFFFFFFF == 0


def test_ccddata_takes_mask_and_uncertainty(tmp_path: Path) -> None:
    parts: list[tuple[HduPlan, Data]] = [
        (image_plan(CARDS, SHAPE), IMAGE),
        (mask_plan(SHAPE), BITS),
        (uncertainty_plan(SHAPE), SIGMA),
    ]
    write(tmp_path / "w.fits", parts)
    read = CCDData.read(tmp_path / "w.fits")
    np.testing.assert_array_equal(read.data, IMAGE)
    np.testing.assert_array_equal(read.mask, BITS != 0)
    assert isinstance(read.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(read.uncertainty.array, SIGMA)
    assert read.unit == "adu"


def test_a_mosaic_has_a_bare_primary_header_and_named_images(tmp_path: Path) -> None:
    second = IMAGE[:20, :30] * np.float32(2)
    parts: list[tuple[HduPlan, Data]] = [
        (bare_plan(CARDS), np.empty(0, np.uint8)),
        (image_plan(format_card("GAIN", 1.5), SHAPE, "chip", 1), IMAGE),
        (image_plan([], (20, 30), "chip", 2), second),
        (mask_plan((20, 30), version=2), BITS[:20, :30]),
    ]
    write(tmp_path / "w.fits", parts)
    with fits.open(tmp_path / "w.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert hdus[0].data is None
        assert hdus["CHIP", 1].header["GAIN"] == 1.5
        np.testing.assert_array_equal(hdus["CHIP", 1].data, IMAGE)
        np.testing.assert_array_equal(hdus["CHIP", 2].data, second)
        np.testing.assert_array_equal(hdus["MASK", 2].data, BITS[:20, :30])


def test_cards_of_each_hdu_are_replaced_by_as_many(tmp_path: Path) -> None:
    plans = [image_plan(format_card("TWID", "?"), (1, 2)), mask_plan((1, 2), format_card("N", 0))]
    with ProductWriter(tmp_path / "w.fits", plans, "job1") as writer:
        writer.write(1, np.array([1, 0], np.uint8))
        writer.write(0, np.array([1, 2], np.float32))
        with pytest.raises(ValueError, match="0 cards, room is for 1"):
            writer.commit({1: []})
        writer.commit({1: format_card("N", 1), 0: format_card("TWID", "a")})
    with fits.open(tmp_path / "w.fits", checksum=True) as hdus:
        assert (hdus[0].header["TWID"], hdus[1].header["N"]) == ("a", 1)


def test_a_product_short_of_its_mask_is_an_error_and_nothing_remains(tmp_path: Path) -> None:
    plans = [image_plan([], (1, 2)), mask_plan((1, 2))]
    with ProductWriter(tmp_path / "w.fits", plans, "job1") as writer:
        writer.write(0, np.zeros(2, np.float32))
        writer.write(1, np.zeros(1, np.uint8))
        with pytest.raises(ValueError, match="uint8, expected float32"):
            writer.write(0, np.zeros(2, np.uint8))
        with pytest.raises(ValueError, match="1 pixels written"):
            writer.commit()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    table = table_plan("INPUTS", {"NAME": [], "SHA256": []})
    write(tmp_path / "w.fits", [(image_plan(CARDS, SHAPE), IMAGE), table])
    with fits.open(tmp_path / "w.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert len(hdus["INPUTS"].data) == 0


@settings(max_examples=50)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_checksum_of_bytes_is_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    padded = data + bytes(-len(data) % 4)
    expected = sum(np.frombuffer(padded, ">u4").tolist())
    while expected >= 2**32:
        expected = (expected & 0xFFFFFFFF) + (expected >> 32)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    total = 0
    for start, stop in pairwise(edges):
        total = add_bytes(total, data[start:stop], start)
    assert total == expected
