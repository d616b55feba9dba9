"""What TAPE's step 02 (photometry) does with our files, written out: it must work unchanged."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

import notebook
from support_night import NIGHTS, copy_frames, take, tapewatch, write_par

POINTING = ("RA", "DEC", "ALT", "AZ", "HJD", "AIRMASS")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@pytest.fixture(scope="module", params=["arcsat", "tape"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a calibrated night."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "arcsat":
        copy_frames(request.getfixturevalue("arcsat"), folder)
    else:
        take(folder, NIGHTS["tape"])
    assert tapewatch("once", write_par(folder)).code == 0
    return folder


def read_list(folder: Path) -> NDArray[np.str_]:
    """Read the list as step 02 does; it opens every name in it without a try."""
    names: NDArray[np.str_] = np.genfromtxt(folder / "wobj.list", dtype="U")
    return names


def test_every_name_in_the_list_has_its_product(folder: Path) -> None:
    flist = read_list(folder)
    assert len(flist) == len(list(folder.glob("w*[0-9].fits")))
    times = []
    for fname in flist:
        with fits.open(folder / f"w{fname}", memmap=False) as hdus:
            img, hdr = hdus[0].data, hdus[0].header
        assert img.ndim == 2
        assert img.dtype.kind == "f"
        assert img.dtype.itemsize == 4
        # One NaN, and scipy's sigmaclip, through which step 02 looks for stars, returns nothing.
        assert np.isfinite(img).all()
        times.append(hdr["DATE-OBS"])
        assert float(hdr["EXPTIME"]) > 0
        assert hdr["OBJECT"].strip()
        assert hdr["FILTER"].strip()
    assert times == sorted(times)


def test_the_raw_headers_cards_are_kept(folder: Path) -> None:
    for name in read_list(folder):
        raw, product = fits.getheader(folder / name), fits.getheader(folder / f"w{name}")
        for keyword in ("DATE-OBS", "OBJECT", "EXPTIME", "FILTER", *POINTING):
            assert product.get(keyword) == raw.get(keyword), (name, keyword)
        untrue = {"BZERO", "BSCALE", "BLANK", "BITPIX", "CBLACK", "CWHITE", "BUNIT", "CALSTAT"}
        changed = {
            card.keyword
            for card in raw.cards
            if card.keyword
            and card.keyword not in {"HISTORY", "COMMENT"}
            and product.get(card.keyword) != card.value
        }
        assert changed <= untrue, (name, changed)
        assert (
            list(raw.get("HISTORY", [])) == list(product["HISTORY"])[: len(raw.get("HISTORY", []))]
        )


def test_products_say_what_was_done_as_the_notebook_did(folder: Path) -> None:
    lists = notebook.process(folder.glob("[!w]*.fits")).lists
    for name in read_list(folder):
        header = fits.getheader(folder / f"w{name}")
        assert TIME.fullmatch(header["DATE-PRC"])
        assert header["CALSTAT"] == "BDF"
        assert header["BITPIX"] == -32
        assert not {"BZERO", "BSCALE"} & set(header)
        for keyword, start in (("TWBIAS", "wbias"), ("TWDARK", "wdark"), ("TWFLAT", "wflat")):
            found = list(folder.glob(f"masters/{start}*-{header[keyword]}.fits"))
            assert len(found) == 1
            assert found[0].name.rpartition("-")[0] in lists
            assert fits.getheader(found[0])["TWID"] == header[keyword]


def test_masters_carry_the_notebooks_cards(folder: Path) -> None:
    night = notebook.process(folder.glob("[!w]*.fits"))
    for stem, last in night.headers.items():
        header = fits.getheader(folder / f"{stem}.fits")
        assert header["OBJECT"] == stem
        assert header["EXPTIME"] == last["EXPTIME"]
        assert header["DATE-OBS"] == last["DATE-OBS"]
        assert TIME.fullmatch(header["DATE-PRC"])
        assert header["NCOMBINE"] == len(night.lists[stem])
        assert "BZERO" not in header
        if stem.startswith("wflat"):
            assert header["FILTER"] == last["FILTER"].strip()
            assert stem == f"wflat{header['FILTER']}"
        if stem.startswith("wdark"):
            assert stem == f"wdark{header['EXPTIME']:.0f}s"
