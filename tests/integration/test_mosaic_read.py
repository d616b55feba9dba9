"""Mosaics from disk: which images they are, and what hashes make them the same frame."""

import hashlib
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from support_mosaic import PACKINGS, SHAPES, mosaic
from tapewatch.errors import IncompleteFileError
from tapewatch.fitsfile.datahash import DataHash, Run
from tapewatch.fitsfile.inspection import inspect
from tapewatch.fitsfile.read import open_frame


def write(path: Path, number: int = 0) -> Path:
    suffix = path.name[path.name.index(".") :]
    data = mosaic("bias", number, 0.0, 1000, tiled=suffix.endswith(".fz"))
    path.write_bytes(PACKINGS[suffix](data))
    return path


@pytest.mark.parametrize("suffix", PACKINGS)
def test_a_mosaic_is_its_raw_images_in_order(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"raw{suffix}")
    found = inspect(path)
    assert found.shapes == SHAPES
    assert (found.index, found.images) == (1, 3)
    assert (found.header.get("IMAGETYP"), found.header.get("CCDGAIN")) == ("bias", 1.1)
    with open_frame(path) as frame:
        assert frame.shapes == SHAPES
        assert frame.header_hash == found.header_hash
        assert frame.leading.get("CCDGAIN") is None
        strips = list(frame.strips(500))
        planes = [frame.plane_at(start) for start, _ in strips]
        assert planes == [frame.plane_at(stop - 1) for _, stop in strips] == sorted(planes)
        with pytest.raises(IndexError):
            frame.plane_at(frame.pixels)
        pixels = np.concatenate([frame.physical(*strip) for strip in strips])
    with fits.open(write(tmp_path / "raw.fits")) as hdus:
        expected = [np.array(hdus[name].data) for name in ("CHIP-A", "CHIP-B")]
    np.testing.assert_array_equal(pixels, np.concatenate([chip.ravel() for chip in expected]))


def test_the_header_hash_is_of_all_headers_and_the_data_hash_of_all_images(tmp_path: Path) -> None:
    path = write(tmp_path / "raw.fits")
    with open_frame(path) as frame:
        headers, data = frame.header_hash, frame.data_hash()
    with fits.open(path) as hdus:
        stored = [(hdus[chip].data ^ 0x8000).astype(">u2").tobytes() for chip in (1, 3)]
    assert data == hashlib.sha256(b"".join(stored)).hexdigest()
    with fits.open(path, mode="update") as hdus:
        hdus["CHIP-B"].header["CRPIX1"] = 11.0
    with open_frame(path) as frame:
        assert frame.header_hash != headers
        assert frame.data_hash() == data


def test_one_raw_image_among_masks_is_a_frame_of_one_image(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.int16).reshape(3, 4)
    others = [fits.ImageHDU(pixels, name=name) for name in ("BPM", "ERR", "WHT", "VAR", "CAT")]
    path = tmp_path / "raw.fits"
    fits.HDUList([fits.PrimaryHDU(), others[0], fits.ImageHDU(pixels), *others[1:]]).writeto(path)
    found = inspect(path)
    assert (found.index, found.shapes) == (2, ((3, 4),))


def test_a_packed_mosaic_that_is_cut_is_incomplete(tmp_path: Path) -> None:
    whole = write(tmp_path / "raw.fit.gz").read_bytes()
    for size in range(100, len(whole), 500):
        (tmp_path / "raw.fit.gz").write_bytes(whole[:size])
        with pytest.raises(IncompleteFileError):
            inspect(tmp_path / "raw.fit.gz")


READS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=8)


@given(READS, st.lists(st.integers(0, 100), max_size=4))
def test_the_hash_is_of_all_bytes_whatever_was_read(
    reads: list[tuple[int, int]], cuts: list[int]
) -> None:
    data = bytes(range(100))
    edges = [0, *sorted(cuts), 100]
    descriptor = os.memfd_create("data")
    try:
        os.write(descriptor, b"?" * 7 + data)
        runs = [Run(descriptor, 7 + start, stop - start) for start, stop in pairwise(edges)]
        data_hash = DataHash(runs)
        for start, stop in map(sorted, reads):
            data_hash.take(start, data[start:stop])
        assert data_hash.hexdigest() == hashlib.sha256(data).hexdigest()
    finally:
        os.close(descriptor)
