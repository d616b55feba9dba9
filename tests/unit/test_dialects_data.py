"""Every real frame at hand, by its header: the table of `expected_frames` comes out in full."""

import os
from pathlib import Path

import pytest

from expected_frames import EXPECTED, EXPECTED_TEXTS, RULED, RULES, Expected
from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.fitsfile.layout import read_layout
from tapewatch.headers.cards import Header, merge
from tapewatch.headers.classify import classify
from tapewatch.headers.typerules import Rule, parse_rules

# Files that lie there beside the frames.
NO_FRAMES = {"INDEX.csv", "README.md"}


def told(path: str, header: Header, shape: tuple[int, int], rules: tuple[Rule, ...]) -> Expected:
    frame = classify(path, header, shape, rules=rules)
    return Expected(str(frame.kind), frame.filter, frame.exptime, frame.detector.binning)


def header_of(file: Path) -> tuple[Header, tuple[int, int]]:
    """Header and shape of a file's image; of a mosaic, those of its first."""
    try:
        inspection = inspect(file)
    except RejectedError as error:
        if "several images" not in str(error):
            raise
    else:
        return inspection.header, inspection.shape
    descriptor = os.open(file, os.O_RDONLY)
    try:
        hdus = read_layout(lambda at, size: os.pread(descriptor, size, at), file.stat().st_size)
    finally:
        os.close(descriptor)
    rows, columns = 10, 10  # of no account
    return merge(hdus[0].header, hdus[1].header), (rows, columns)


def judged(root: Path, path: str, rules: tuple[Rule, ...] = ()) -> Expected:
    try:
        header, shape = header_of(root / path)
        return told(path, header, shape, rules)
    except (RejectedError, IncompleteFileError) as error:
        return Expected("other", reason=str(error))


def agrees(found: Expected, expected: Expected) -> bool:
    if expected.kind == "other":
        return found.kind == "other" and expected.reason in found.reason
    return found == expected


@pytest.mark.parametrize("path", EXPECTED)
def test_a_real_frame_is_what_its_observatory_says(real_data: Path, path: str) -> None:
    found = judged(real_data, path)
    assert agrees(found, EXPECTED[path]), f"{path}: {found}, expected {EXPECTED[path]}"


@pytest.mark.parametrize("path", EXPECTED_TEXTS)
def test_a_header_alone_tells_the_same(real_data: Path, path: str) -> None:
    lines = (real_data / path).read_bytes().splitlines()
    header = Header(tuple(line[:80].ljust(80) for line in lines if line.strip(b" \0") != b"END"))
    try:
        found = told(path, header, (10, 10), ())
    except RejectedError as error:
        found = Expected("other", reason=str(error))
    assert agrees(found, EXPECTED_TEXTS[path]), f"{path}: {found}"


@pytest.mark.parametrize("path", RULED)
def test_typerules_mend_what_headers_get_wrong(real_data: Path, path: str) -> None:
    assert judged(real_data, path, parse_rules(RULES)) == RULED[path]


def test_no_real_frame_is_left_out_of_the_table(real_data: Path) -> None:
    files = {
        file.relative_to(real_data).as_posix() for file in real_data.rglob("*") if file.is_file()
    }
    assert files - NO_FRAMES == EXPECTED.keys() | EXPECTED_TEXTS.keys()


def test_the_guiders_frame_is_another_camera(real_data: Path) -> None:
    path = "uoft-atik-maxim6-spectra/MoonGuideImage2.fit"
    header, shape = header_of(real_data / path)
    assert classify(path, header, shape).detector.camera == "Atik Cameras 2"
    with pytest.raises(RejectedError, match="another camera: 'Atik Cameras 2'"):
        classify(path, header, shape, instruments=("AtikCameras",))


def test_the_efosc_set_falls_apart_into_its_parts(real_data: Path) -> None:
    folder = "eso-efosc2-lasilla/"
    kinds = [judged(real_data, path).kind for path in EXPECTED if path.startswith(folder)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "bias": 5,
        "flat": 3,
        "object": 5,
        "other": 4,
    }


def test_temperatures_in_kelvin_are_read_as_such(real_data: Path) -> None:
    path = "ccdproc-tests/a8280271.fits"
    header, shape = header_of(real_data / path)
    assert classify(path, header, shape).temperature == pytest.approx(180.2 - 273.15)
