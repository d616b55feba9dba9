"""Raw frames from disk: pixels as astropy gives them, to the bit, or a reason; never a hang."""

import bz2
import gzip
import hashlib
import itertools
import math
import os
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.fitsfile.layout import read_layout
from tapewatch.fitsfile.read import open_frame
from tapewatch.fitsfile.scaling import Scaling
from tapewatch.fitsfile.spool import HARMLESS
from tapewatch.model import Identity

Array = npt.NDArray[np.generic]
RNG = np.random.default_rng(20260101)
COUNTS = RNG.integers(0, 2**16, (40, 70), dtype=np.uint16)


def raw(path: Path, pixels: Array = COUNTS, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(pixels)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


def stored_as(path: Path, pixels: Array, **cards: object) -> Path:
    """Write stored values and the cards that scale them, which astropy would fit to the values."""
    raw(path, pixels)
    with fits.open(path, mode="update", do_not_scale_image_data=True, memmap=False) as hdus:
        hdus[0].header.update(cards)
    return path


def ours(path: Path, strip: int = 1000) -> Array:
    with open_frame(path) as frame:
        strips = [frame.physical(start, stop) for start, stop in frame.strips(strip)]
        assert all(pixels.dtype == frame.dtype for pixels in strips)
        pixels = np.concatenate(strips)
        return pixels.reshape(frame.shape) if len(frame.shapes) == 1 else pixels


def theirs(path: Path) -> Array | None:
    """First image as astropy reads it, in native byte order; of a mosaic the pixels of all."""
    with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as hdus:
        images = (hdu.data for hdu in hdus if hdu.is_image)
        found = [data.astype(data.dtype.newbyteorder("=")) for data in images if data is not None]
        if hdus[0].data is None and len(found) > 1:
            return np.concatenate([data.ravel() for data in found])
        return found[0] if found else None


def assert_same_bits(found: Array, expected: Array | None) -> None:
    assert expected is not None
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


INTEGERS = RNG.integers(-120, 120, (6, 9))
INTEGERS[2, 3] = 0


@pytest.mark.parametrize(
    ("pixels", "cards", "dtype"),
    [
        (COUNTS, {}, np.uint16),
        (INTEGERS.astype(np.int16), {}, np.int16),
        (INTEGERS.astype(np.uint8), {}, np.uint8),
        (INTEGERS.astype(np.int8), {}, np.int8),
        (INTEGERS.astype(np.int32), {}, np.int32),
        (INTEGERS.astype(np.uint32), {}, np.uint32),
        (INTEGERS, {}, np.int64),
        (INTEGERS.astype(np.uint64), {}, np.uint64),
        (INTEGERS.astype(np.float32), {}, np.float32),
        (INTEGERS.astype(np.float64), {}, np.float64),
        (INTEGERS.astype(np.int16), {"BZERO": 32768.0}, np.uint16),
        (INTEGERS.astype(np.int16), {"BZERO": 32768, "BSCALE": 2}, np.float32),
        (INTEGERS.astype(np.int16), {"BZERO": 0.1, "BSCALE": 0.3}, np.float32),
        (INTEGERS.astype(np.uint8), {"BZERO": 10}, np.float32),
        (INTEGERS.astype(np.int32), {"BSCALE": 1e-3}, np.float64),
        (INTEGERS, {"BZERO": 5}, np.float64),
        (INTEGERS.astype(np.float32), {"BZERO": 32768, "BSCALE": 1.1}, np.float32),
        (INTEGERS.astype(np.float64), {"BZERO": 0.1}, np.float64),
        (INTEGERS.astype(np.int16), {"BLANK": int(INTEGERS[0, 0])}, np.float32),
        (INTEGERS.astype(np.int16), {"BLANK": 7, "BZERO": 32768}, np.uint16),
        (INTEGERS.astype(np.int16), {"BLANK": 0}, np.float32),
        (INTEGERS.astype(np.int32), {"BLANK": int(INTEGERS[1, 1]), "BSCALE": 2}, np.float64),
        (INTEGERS.astype(np.float32), {"BLANK": 5}, np.float32),
        (INTEGERS.astype(np.int16), {"BLANK": 10**9}, np.float32),
    ],
)
def test_physical_values_and_types_are_astropys(
    tmp_path: Path, pixels: Array, cards: dict[str, object], dtype: type[np.generic]
) -> None:
    with warnings.catch_warnings(action="ignore"):
        path = stored_as(tmp_path / "raw.fits", pixels, **cards)
    found = ours(path, strip=7)
    assert found.dtype == dtype
    assert_same_bits(found, theirs(path))


def test_blank_pixels_are_nan(tmp_path: Path) -> None:
    path = stored_as(tmp_path / "raw.fits", np.array([[1, 2], [3, 2]], np.int16), BLANK=2)
    np.testing.assert_array_equal(ours(path), [[1, np.nan], [3, np.nan]])


@given(st.sampled_from([8, 16, 32, 64, -32, -64]), st.binary(min_size=64, max_size=64))
def test_unscaled_values_keep_every_bit(bitpix: int, data: bytes) -> None:
    scaling = Scaling(bitpix)
    native = scaling.physical(data)
    assert native.dtype.isnative
    assert native.astype(scaling.stored_dtype).tobytes() == data


@given(st.binary(min_size=64, max_size=64))
def test_offset_integers_are_stored_plus_zero(data: bytes) -> None:
    for bitpix, zero, stored in ((8, -128, "u1"), (16, 2**15, ">i2"), (32, 2**31, ">i4")):
        expected = [int(value) + zero for value in np.frombuffer(data, stored)]
        assert Scaling(bitpix, zero=zero).physical(data).tolist() == expected


def test_every_real_file_is_read_as_astropy_does_or_refused(real_data: Path) -> None:
    suffixes = {".fit", ".fits", ".fts", ".fz", ".gz", ".bz2", ".z"}
    refused = {}
    read = 0
    for path in sorted(path for path in real_data.rglob("*") if path.suffix.lower() in suffixes):
        try:
            found = ours(path, strip=100_000)
        except RejectedError as error:
            refused[path] = str(error)
            continue
        expected = theirs(path)
        assert expected is not None, path
        assert_same_bits(found, expected.reshape(found.shape))
        assert sum(map(math.prod, inspect(path).shapes)) == found.size
        read += 1
    assert read > 160
    words = ("not FITS", "no image", "-D data", "compress (.Z)")
    assert all(any(word in reason for word in words) for reason in refused.values()), refused


def test_inspect_says_what_the_header_says(tmp_path: Path) -> None:
    path = raw(tmp_path / "raw.fits", OBJECT="M 13")
    found = inspect(path)
    status = path.stat()
    assert found.identity == Identity(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )
    assert (found.shape, found.bitpix, found.index, found.images) == ((40, 70), 16, 0, 1)
    assert found.size_needed == status.st_size
    assert found.header.get("OBJECT") == "M 13"
    assert not found.blank_tail


def test_header_hash_follows_the_cards_alone(tmp_path: Path) -> None:
    first = inspect(raw(tmp_path / "a.fits", OBJECT="M 13"))
    same = inspect(raw(tmp_path / "b.fits", COUNTS + np.uint16(1), OBJECT="M 13"))
    other = inspect(raw(tmp_path / "c.fits", OBJECT="M 15"))
    assert first.header_hash == same.header_hash != other.header_hash


def test_image_of_an_extension_has_the_primary_keywords_too(tmp_path: Path) -> None:
    primary, image = fits.PrimaryHDU(), fits.ImageHDU(COUNTS)
    primary.header.update(OBJECT="M 13", GAIN=1.0)
    image.header["GAIN"] = 2.0
    path = tmp_path / "wht.fits"
    fits.HDUList([primary, image]).writeto(path)
    found = inspect(path)
    assert (found.index, found.shape) == (1, (40, 70))
    assert (found.header.get("OBJECT"), found.header.get("GAIN")) == ("M 13", 2.0)
    assert_same_bits(ours(path), COUNTS)


def test_a_third_axis_of_length_one_is_dropped(tmp_path: Path) -> None:
    path = raw(tmp_path / "lco.fits", COUNTS[np.newaxis])
    assert inspect(path).shape == (40, 70)
    assert_same_bits(ours(path), COUNTS)


def test_mask_behind_a_primary_image_does_not_hide_it(tmp_path: Path) -> None:
    path = tmp_path / "masked.fits"
    mask = fits.ImageHDU(np.zeros((40, 70), np.uint8), name="MASK")
    fits.HDUList([fits.PrimaryHDU(COUNTS), mask]).writeto(path)
    assert (inspect(path).index, inspect(path).images) == (0, 2)
    assert_same_bits(ours(path), COUNTS)


@pytest.mark.parametrize(
    ("hdus", "reason"),
    [
        ([fits.PrimaryHDU()], "no image"),
        ([fits.PrimaryHDU(np.zeros((2, 3, 4)))], r"3-D data of shape \(2, 3, 4\)"),
        ([fits.PrimaryHDU(np.zeros(4))], r"1-D data of shape \(4,\)"),
        (
            [fits.PrimaryHDU(), *[fits.ImageHDU(COUNTS, name=name) for name in ("DQ", "Mask1")]],
            "no raw image: the extensions are named DQ, MASK1",
        ),
    ],
)
def test_what_holds_no_raw_image_is_rejected(
    tmp_path: Path, hdus: list[fits.PrimaryHDU], reason: str
) -> None:
    path = tmp_path / "raw.fits"
    fits.HDUList(hdus).writeto(path)
    with pytest.raises(RejectedError, match=reason):
        inspect(path)
    with pytest.raises(RejectedError, match=reason), open_frame(path):
        pass


@pytest.mark.parametrize("cards", [{"BSCALE": 0}, {"BSCALE": "x"}, {"BZERO": True}])
def test_scaling_that_means_nothing_is_rejected(tmp_path: Path, cards: dict[str, object]) -> None:
    path = raw(tmp_path / "raw.fits", INTEGERS.astype(np.float32), **cards)
    (keyword,) = cards
    with pytest.raises(RejectedError, match=keyword), open_frame(path):
        pass


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.fits")
    (tmp_path / "zero.fits").symlink_to("/dev/zero")
    (tmp_path / "folder.fits").mkdir()
    for name in ("fifo.fits", "folder.fits"):
        with pytest.raises(RejectedError, match="not a regular file"):
            inspect(tmp_path / name)
    for name in ("zero.fits", "absent.fits"):
        with pytest.raises(OSError, match=name):
            inspect(tmp_path / name)


def test_cut_and_preallocated_files(tmp_path: Path) -> None:
    whole = raw(tmp_path / "whole.fits").read_bytes()
    path = tmp_path / "raw.fits"
    for size in (0, 1, 2879, 2880, 5000, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(IncompleteFileError):
            inspect(path)
        with pytest.raises(IncompleteFileError), open_frame(path):
            pass
    path.write_bytes(whole[:5600].ljust(len(whole), b"\0"))
    assert inspect(path).blank_tail


def test_file_truncated_while_it_is_read(tmp_path: Path) -> None:
    path = raw(tmp_path / "raw.fits")
    with open_frame(path) as frame:
        frame.physical(0, 2000)
        os.truncate(path, 4000)
        with pytest.raises(IncompleteFileError, match="truncated while being read"):
            frame.physical(1000, 2000)


def test_stored_values_hash_alike_however_the_file_is_compressed(tmp_path: Path) -> None:
    plain = raw(tmp_path / "raw.fits", OBJECT="M 13")
    data = plain.read_bytes()
    tiled = tmp_path / "raw.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(COUNTS)]).writeto(tiled)
    (tmp_path / "raw.fits.gz").write_bytes(gzip.compress(data))
    (tmp_path / "raw.fits.bz2").write_bytes(bz2.compress(data))
    # Compressed though the name does not say so.
    (tmp_path / "named.fits").write_bytes(gzip.compress(data))
    hashes = {}
    for path in tmp_path.iterdir():
        with open_frame(path) as frame:
            assert frame.pixels == 2800
            for start, stop in frame.strips(999):
                frame.physical(start, stop, hashed=True)
            hashes[path.name] = frame.data_hash()
        assert_same_bits(ours(path), COUNTS)
    stored = (COUNTS ^ 0x8000).astype(">u2").tobytes()
    assert set(hashes.values()) == {hashlib.sha256(stored).hexdigest()}
    assert len(hashes) == 5


def test_compressed_files_are_inspected_by_their_first_blocks(tmp_path: Path) -> None:
    plain = raw(tmp_path / "raw.fits", OBJECT="M 13")
    packed = tmp_path / "raw.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    found = inspect(packed)
    assert found.header == inspect(plain).header
    assert found.header_hash == inspect(plain).header_hash
    assert (found.shape, found.bitpix, found.size_needed) == ((40, 70), 16, None)
    assert found.identity.size == packed.stat().st_size
    assert not found.blank_tail


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_truncated_compressed_files_are_incomplete(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    data = compress(raw(tmp_path / "raw.fits").read_bytes())
    path = tmp_path / "raw.fits.gz"
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(IncompleteFileError), open_frame(path):
            pass
    path.write_bytes(compress((tmp_path / "raw.fits").read_bytes()[:6000]))
    with pytest.raises(IncompleteFileError, match="6,000 of 8,640 bytes when unpacked"):
        ours(path)


def test_damaged_compressed_files_are_rejected(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(raw(tmp_path / "raw.fits").read_bytes()))
    path = tmp_path / "raw.fits.gz"
    data[-8:-4] = bytes(4)  # the checksum, which astropy does not look at
    path.write_bytes(data)
    with pytest.raises(RejectedError, match="damaged compressed file"):
        ours(path)


def test_bombs_are_refused_in_bounded_memory_and_disk(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fits.gz"
    whole = raw(tmp_path / "raw.fits").read_bytes()
    path.write_bytes(gzip.compress(whole) + gzip.compress(bytes(2**25)) * 8)
    greedy = whole.replace(b"                   70", f"{2**40:21d}".encode())
    tracemalloc.start()
    assert_same_bits(ours(path), COUNTS)  # what follows the image is never unpacked
    path.write_bytes(gzip.compress(greedy))
    with pytest.raises(RejectedError, match=f"more than {HARMLESS:,}"):
        ours(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


def test_damaged_tiles_are_rejected_or_read(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(COUNTS)]).writeto(path)
    whole = path.read_bytes()
    table = read_layout(lambda offset, size: whole[offset : offset + size], len(whole))[1]
    rejected = 0
    for place in range(table.data_offset, table.data_offset + 40 * 8, 3):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            ours(path)
        except RejectedError:
            rejected += 1
    assert rejected


def test_a_tiled_image_beyond_any_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(COUNTS)]).writeto(path)
    data = path.read_bytes()
    axis = data.index(b"ZNAXIS1 =")
    path.write_bytes(data[:axis] + f"ZNAXIS1 = {2**40}".encode().ljust(80) + data[axis + 80 :])
    with pytest.raises(RejectedError, match="more than"), open_frame(path):
        pass


def test_memory_is_a_strip_whatever_the_frame(tmp_path: Path) -> None:
    path = raw(tmp_path / "raw.fits", np.zeros((2000, 2000), np.uint16))
    tracemalloc.start()
    with open_frame(path) as frame:
        for start, stop in itertools.islice(frame.strips(2**14), 50):
            frame.physical(start, stop)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**19
