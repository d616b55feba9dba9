"""Files as they are stored: sums against bytes, and tables of text; astropy is the oracle."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.integrity import damage
from tapewatch.fitsfile.table import read_texts

PIXELS = np.arange(1500, dtype=np.float32).reshape(30, 50)


def stored(path: Path, *, checksum: bool | str = True) -> Path:
    """Write an image and a table, with or without their sums, as astropy does."""
    names = fits.Column("NAME", "12A", array=["a.fits", "night/b.fits", ""])
    hashes = fits.Column("SHA256", "4A", array=["0123", "4567", "89 b"])
    table = fits.BinTableHDU.from_columns([names, hashes], name="INPUTS")
    fits.HDUList([fits.PrimaryHDU(PIXELS), table]).writeto(path, checksum=checksum)
    return path


@pytest.mark.parametrize("checksum", [True, False, "datasum"])
def test_a_file_as_it_was_written_is_not_damaged(tmp_path: Path, *, checksum: bool | str) -> None:
    assert damage(stored(tmp_path / "a.fits", checksum=checksum)) == ()


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (40, "header of HDU 0"),  # in a comment
        (2880 + 17, "data of HDU 0"),
        (-2880 + 5, "data of HDU 1"),
        (-1, "data of HDU 1"),  # the filling counts, too
    ],
)
def test_any_changed_byte_is_found_in_its_hdu(tmp_path: Path, place: int, what: str) -> None:
    path = stored(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    (reason,) = damage(path)
    assert what in reason
    with fits.open(path) as hdus:
        bad = [hdu for hdu in hdus if not (hdu.verify_datasum() and hdu.verify_checksum())]
        assert len(bad) == 1


def test_a_file_cut_short_is_incomplete(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(IncompleteFileError):
        damage(path)


def test_text_columns_are_read_as_astropy_wrote_them(tmp_path: Path) -> None:
    assert read_texts(stored(tmp_path / "a.fits"), "INPUTS") == {
        "NAME": ("a.fits", "night/b.fits", ""),
        "SHA256": ("0123", "4567", "89 b"),
    }


def test_a_table_that_is_not_there_or_not_of_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    numbers = fits.BinTableHDU.from_columns([fits.Column("NAME", "J", array=[1])], name="INPUTS")
    fits.HDUList([fits.PrimaryHDU(), numbers]).writeto(path)
    with pytest.raises(RejectedError, match="TFORM1 of table INPUTS is 'J'"):
        read_texts(path, "INPUTS")
    with pytest.raises(RejectedError, match=r"a\.fits has no table OTHERS"):
        read_texts(path, "OTHERS")
