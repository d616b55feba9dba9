"""Headers of products of real frames: readable by any program, and true."""

import functools
import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from astropy.io import fits

from support_night import copy_frames, tapewatch, write_par
from tapewatch.arrival.recognise import recognise
from tapewatch.errors import TapewatchError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.jobs.calibrate import calibrate_frame
from tapewatch.model import CalibrateFrame, Recipe
from tapewatch.parameters import Parameters, read_parameters

FITS_NAME = re.compile(r".+\.(fits?|fts)(\.(gz|bz2|fz))?", re.IGNORECASE)
FITS_TEXT = re.compile(rb"[ -~]*")  # FITS Standard 4.0, section 4.1.2.3

# What a calibrated frame has besides the cards of its raw frame, where all steps were done.
OURS = {
    *("DATE-PRC", "CALSTAT", "BUNIT", "TWVERS", "TWID", "TWRAW", "TWRECIPE"),
    *("TWBIAS", "TWDARK", "TWDSCALE", "TWFLAT"),
}
OF_A_MASTER = {
    *("DATE-PRC", "BUNIT", "NCOMBINE", "TWVERS", "TWID", "TWKIND", "TWRECIPE"),
    *("TWCOMB", "TWNOISE", "TWMEAN", "TWSTD", "TWMAX", "TWMIN"),
}
OF_A_FLAT = {"TWLEVEL", "TWGAIN"}
STRUCTURE = {"SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "CHECKSUM", "DATASUM"}


class Treated(NamedTuple):
    """A real frame, and the product that was made of it."""

    raw: Path
    product: Path


@pytest.fixture(scope="module")
def treated(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Treated]:
    """Make a product of every real frame, whatever its type, without any correction."""
    folder = tmp_path_factory.mktemp("real")
    keys = {"WORKDIR": real_data, "OUTDIR": folder, "ALLBIN": 1, "TYPERULES": "object:*"}
    parameters = read_parameters(write_par(folder, **keys))
    return list(all_treated(parameters))


def all_treated(parameters: Parameters) -> Iterator[Treated]:
    place = parameters.workplace
    for path in sorted(place.watchdir.rglob("*")):
        if not FITS_NAME.fullmatch(path.name) or "odd-files" in path.parts:
            continue
        try:
            name = path.relative_to(place.watchdir).as_posix()
            frame = recognise(name, inspect(path), parameters)
        except TapewatchError:
            continue
        made = calibrate_frame(CalibrateFrame(frame, Recipe()), place, "job").product
        assert made is not None
        yield Treated(path, place.output / made.path)


@functools.cache
def flaws(path: Path) -> frozenset[str]:
    """Say what astropy finds wrong with a file's headers."""
    with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as hdus:
        try:
            hdus.verify("exception")
        except fits.VerifyError as error:
            return frozenset(re.findall(r"Card '.*", str(error)) or [str(error)])
    return frozenset()


def test_every_product_opens_without_a_warning_and_is_whole(treated: list[Treated]) -> None:
    assert len(treated) > 130
    for raw, product in treated:
        # A warning is an error; to correct a card of the raw frame's program astropy warns.
        with fits.open(product, memmap=False, checksum=not flaws(raw)) as hdus:
            for hdu in hdus:
                assert list(hdu.header.items())
                assert (hdu.data is None) == (hdu.header["NAXIS"] == 0)


def test_no_product_has_a_flaw_that_its_raw_frame_has_not(treated: list[Treated]) -> None:
    # SBIG's CCDOPS writes exponents in lower case, and they stay as they are.
    for raw, product in treated:
        found = flaws(product)
        assert found <= flaws(raw), product
        assert all(re.search(r"e[+-]0\d\d'", text) for text in found), product


def test_every_header_is_printable_ascii_in_whole_blocks(treated: list[Treated]) -> None:
    for raw, product in treated:
        data = product.read_bytes()
        header = data[: data.index(b"END".ljust(80)) + 80]
        assert FITS_TEXT.fullmatch(header), raw
        assert len(data) % 2880 == 0


def test_time_exposure_filter_and_target_are_where_programs_look(treated: list[Treated]) -> None:
    for raw, product in treated:
        header = fits.getheader(product)
        moment = datetime.fromisoformat(header["DATE-OBS"])
        assert moment.tzinfo is None, raw
        assert isinstance(header["EXPTIME"], float | int), raw
        assert header["FILTER"].strip(), raw
        assert isinstance(header["OBJECT"], str), raw


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uw-st7-ccdops-notype", {"EXPTIME", "DATE-OBS", "FILTER", "OBJECT"}),
        ("eso-efosc2-lasilla", {"FILTER"}),
        ("keck-lris-float-bzero", {"EXPTIME", "DATE-OBS", "FILTER"}),
        ("ccdproc-tests", {"FILTER", "DATE-OBS"}),
        ("arcsat-m13-maxim6-acp", set()),
        ("lco-floyds-fz", set()),
    ],
)
def test_only_what_other_programs_lack_is_added(
    treated: list[Treated], name: str, expected: set[str]
) -> None:
    standard = {"DATE-OBS", "EXPTIME", "FILTER", "OBJECT"}
    product = next(
        product
        for raw, product in treated
        if name in raw.parts and (name != "ccdproc-tests" or raw.name == "a8280271.fits")
        if "M13" in raw.name or name != "arcsat-m13-maxim6-acp"
    )
    with fits.open(product, memmap=False) as hdus:
        comments = hdus[0].header.comments
        ours = {
            key
            for key in standard & set(hdus[0].header)
            if comments[key].startswith(("[UTC] start of exposure", "[s] exposure time"))
            or comments[key] in {"filter", "target"}
        }
    assert ours == expected


@pytest.fixture(scope="module")
def night(arcsat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibrate a real night."""
    folder = tmp_path_factory.mktemp("night")
    copy_frames(arcsat, folder)
    assert tapewatch("once", write_par(folder, MINFREE=0)).code == 0
    return folder


def test_a_product_has_the_promised_cards_and_no_others(night: Path) -> None:
    for raw in night.glob("M13*"):
        header, before = fits.getheader(night / f"w{raw.name}"), fits.getheader(raw)
        flags = {"TWFLAGS"} if header["TWDSCALE"] != 1 else set()
        assert set(header) - set(before) - STRUCTURE == OURS | flags
        assert set(before) - set(header) == {"BSCALE", "BZERO", "CBLACK", "CWHITE"} & set(before)
        assert (header["CALSTAT"], header["BUNIT"]) == ("BDF", "adu")
        changed = {key for key in before if key in header and header[key] != before[key]}
        assert changed - STRUCTURE <= {"HISTORY", "COMMENT"}


def test_history_has_a_line_a_step_that_names_the_files(night: Path) -> None:
    for product in night.glob("wM13*"):
        header = fits.getheader(product)
        lines = [line for line in header["HISTORY"] if line.startswith(("tapewatch", "  "))]
        ids = (header[key] for key in ("TWBIAS", "TWDARK", "TWFLAT"))
        named = [path.name for one in ids for path in night.glob(f"masters/*-{one}.fits")]
        assert len(named) == 3
        assert product.name.removeprefix("w") in lines[-4]
        for line, name in zip(lines[-3:], named, strict=True):
            assert f"masters/{name}" in line
        assert lines[-2].endswith(f" x {header['TWDSCALE']!r}")


def test_a_master_has_the_promised_cards(night: Path) -> None:
    lists = {path.stem: path.read_text().split() for path in night.glob("w*.list")}
    for master in night.glob("w[bdf]*.fits"):
        header = fits.getheader(master)
        last = fits.getheader(night / lists[master.stem][-1])
        done = set() if master.stem == "wbias" else {"CALSTAT", "TWBIAS"}
        done |= OF_A_FLAT if "flat" in master.stem else set()
        added = set(header) - set(last) - STRUCTURE
        assert added - {"HISTORY"} == OF_A_MASTER | done
        assert (header["OBJECT"], header["NCOMBINE"]) == (master.stem, 3)
        assert header["TWKIND"] == re.sub(r"^w(bias|dark|flat).*", r"\1", master.stem)
        inputs = fits.getdata(master, "INPUTS")
        assert list(inputs["NAME"]) == lists[master.stem]
        assert [line.strip() for line in header["HISTORY"]][-3:] == lists[master.stem]


def test_two_runs_in_two_folders_give_the_same_bytes_but_for_the_time(
    arcsat: Path, night: Path, tmp_path: Path
) -> None:
    copy_frames(arcsat, tmp_path)
    assert tapewatch("once", write_par(tmp_path, MINFREE=0, WORKERS=1)).code == 0
    names = {path.relative_to(night) for path in night.rglob("*.fits")}
    assert names == {path.relative_to(tmp_path) for path in tmp_path.rglob("*.fits")}
    made = re.compile(rb"(DATE-PRC|CHECKSUM)= '[^']*'")
    for name in names:
        one, other = (made.sub(b"", (folder / name).read_bytes()) for folder in (night, tmp_path))
        assert one == other, name
