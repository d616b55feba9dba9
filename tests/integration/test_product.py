"""Products: right to the bit, verified by astropy, whole or absent, never over other files."""

import errno
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from support_night import stamp_of
from tapewatch.errors import NoSpaceError, RejectedError
from tapewatch.fitsfile import atomic
from tapewatch.fitsfile.atomic import part_path, publish, remove_leftovers, write_text
from tapewatch.fitsfile.checksum import add_bytes, add_words, encode
from tapewatch.fitsfile.hdus import image_plan
from tapewatch.fitsfile.inspection import inspect
from tapewatch.fitsfile.ownership import Owner, owner
from tapewatch.fitsfile.product import ProductWriter, product_cards
from tapewatch.fitsfile.read import open_frame
from tapewatch.headers.cards import Header, parse_header

RNG = np.random.default_rng(20260102)
PIXELS = RNG.normal(1000, 30, (41, 67)).astype(np.float32)
PIXELS[3, 4], PIXELS[5, 6] = np.nan, -np.inf
PLAIN = {".fit", ".fits"}
OURS = {"TWID": ("0123456789abcdef", "this product")}
EMPTY = Header(())
BLANK = image_plan([], (41, 67))


def write(
    target: Path,
    cards: list[bytes] | None = None,
    pixels: npt.NDArray[np.float32] = PIXELS,
    strip: int = 1000,
) -> None:
    cards = product_cards(EMPTY, OURS) if cards is None else cards
    rows, columns = pixels.shape
    with ProductWriter(target, [image_plan(cards, (rows, columns))], "job1") as writer:
        for start in range(0, pixels.size, strip):
            writer.write(0, pixels.ravel()[start : start + strip])
        writer.commit()


def header_of(path: Path) -> Header:
    return inspect(path).header


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("strip", [1, 1000, 41 * 67])
def test_astropy_reads_and_verifies_a_product(tmp_path: Path, strip: int) -> None:
    write(tmp_path / "w.fits", product_cards(EMPTY, OURS, ["bias: wbias.fits"]), strip=strip)
    with fits.open(tmp_path / "w.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert hdus[0].data.dtype == np.dtype(">f4")
        assert hdus[0].data.astype(np.float32).tobytes() == PIXELS.tobytes()
        assert hdus[0].header["HISTORY"] == ["bias: wbias.fits"]
        assert hdus[0].header.comments["DATASUM"] == "data unit checksum"
    assert names(tmp_path) == ["w.fits"]


def test_checksums_notice_a_changed_bit(tmp_path: Path) -> None:
    write(tmp_path / "w.fits")
    data = bytearray((tmp_path / "w.fits").read_bytes())
    data[5000] ^= 1
    (tmp_path / "w.fits").write_bytes(data)
    with pytest.warns(Warning, match="verification failed"):
        fits.open(tmp_path / "w.fits", checksum=True).close()


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.fits", strip=7)
    write(tmp_path / "b.fits", strip=2000)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


@given(st.lists(st.integers(0, 2**32 - 1), max_size=300), st.integers(0, 300))
def test_checksum_is_the_sum_with_carries_brought_round(words: list[int], cut: int) -> None:
    expected = 0
    for word in words:
        expected += word
        expected = (expected & 0xFFFFFFFF) + (expected >> 32)
    array = np.array(words, dtype=np.uint32)
    assert add_words(add_words(0, array[:cut]), array[cut:]) == expected
    assert add_bytes(0, array.astype(">u4").tobytes()) == expected


@given(st.integers(0, 2**32 - 1))
def test_encoded_checksum_is_astropys(total: int) -> None:
    assert encode(total) == fits.PrimaryHDU()._char_encode(~np.uint32(total))


UNTRUE = re.compile(
    rb"(SIMPLE|XTENSION|BITPIX|NAXIS\d?|EXTEND|[PG]COUNT|BZERO|BSCALE|BLANK|DATA(MIN|MAX|SUM)|CHECKSUM"
    rb"|CBLACK|CWHITE|INHERIT|EXT(NAME|VER|LEVEL)|GROUPS|BLOCKED) *="
)


def test_real_headers_survive_less_what_became_untrue(real_data: Path, tmp_path: Path) -> None:
    checked = 0
    for path in sorted(path for path in real_data.rglob("*") if path.suffix.lower() in PLAIN):
        try:
            found = inspect(path)
        except RejectedError:
            continue
        if found.index != 0:
            continue
        write(tmp_path / "w.fits", product_cards(found.header, OURS))
        product = header_of(tmp_path / "w.fits")
        assert list(product.cards[7:-1]) == [
            card for card in found.header.cards if not UNTRUE.match(card)
        ]
        data = (tmp_path / "w.fits").read_bytes()
        assert sum(np.frombuffer(data, ">u4").tolist()) % 0xFFFFFFFF == 0
        with warnings.catch_warnings(action="ignore"), fits.open(tmp_path / "w.fits") as hdus:
            # Where astropy corrects a card (lower-case exponents), it sums up the corrected one.
            read_back = hdus[0].header.tostring().encode("latin-1")
            assert hdus[0].verify_checksum() or not data.startswith(read_back)
            assert hdus[0].data.shape == PIXELS.shape
        checked += 1
    assert checked > 120


def test_pointing_time_and_comments_survive_and_scaling_goes(arcsat: Path, tmp_path: Path) -> None:
    path = next(iter(sorted(arcsat.glob("M13*"))))
    with open_frame(path) as frame:
        raw = frame.header
    write(tmp_path / "w.fits", product_cards(raw, OURS | {"OBJECT": ("M13", "")}, ["flat"]))
    product = header_of(tmp_path / "w.fits")
    for keyword in ("RA", "DEC", "DATE-OBS", "EXPTIME", "FILTER", "CRVAL1", "AIRMASS", "CSTRETCH"):
        assert product.get(keyword) == raw.get(keyword) is not None
    assert not {"BZERO", "BSCALE", "CBLACK", "CWHITE"} & set(product.keywords)
    assert {"BZERO", "BSCALE", "CBLACK", "CWHITE"} <= set(raw.keywords)
    history = [value for keyword, value in product.items() if keyword == "HISTORY"]
    assert history[:-1] == [value for keyword, value in raw.items() if keyword == "HISTORY"]
    assert history[-1] == "flat"


def test_cards_of_a_compressed_raw_lose_its_table_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits.fz"
    header = fits.Header(
        {"OBJECT": "M 13", "ZENITH": 30.5, "ZP": 22, "TDIMMER": "on", "BLANKET": 1}
    )
    image = fits.CompImageHDU(np.zeros((20, 30), np.uint16), header)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    with open_frame(path) as frame:
        write(tmp_path / "w.fits", product_cards(frame.header, OURS))
    product = header_of(tmp_path / "w.fits")
    structure = {"SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "CHECKSUM", "DATASUM", "TWID"}
    assert set(product.keywords) - structure == {"OBJECT", "ZENITH", "ZP", "TDIMMER", "BLANKET"}


def test_nothing_remains_without_commit(tmp_path: Path) -> None:
    target = tmp_path / "new" / "w.fits"

    def break_off() -> None:
        with ProductWriter(target, [BLANK], "job1") as writer:
            writer.write(0, PIXELS.ravel())
            assert names(target.parent) == [".tapewatch-job1.part"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert names(target.parent) == []


def test_missing_and_superfluous_pixels_are_errors(tmp_path: Path) -> None:
    with ProductWriter(tmp_path / "w.fits", [BLANK], "job1") as writer:
        writer.write(0, PIXELS.ravel()[1:])
        with pytest.raises(ValueError, match="2746 pixels written"):
            writer.commit()
        with pytest.raises(ValueError, match="2748 pixels written"):
            writer.write(0, PIXELS.ravel()[:2])
    assert names(tmp_path) == []


def strangers(folder: Path) -> Iterator[Path]:
    raw, notes, half = folder / "raw.fits", folder / "notes.fits", folder / "half.fits"
    fits.writeto(raw, np.zeros((4, 4), np.uint16))
    notes.write_text("my notes")
    half.write_bytes(raw.read_bytes()[:1000])
    (folder / "folder.fits").mkdir()
    (folder / "link.fits").symlink_to(raw)
    integers = folder / "integers.fits"
    fits.writeto(integers, np.zeros((4, 4), np.uint16), fits.Header({"DATE-PRC": "2018"}))
    yield from (raw, notes, half, folder / "folder.fits", folder / "link.fits", integers)


def test_a_strangers_file_is_never_replaced(tmp_path: Path) -> None:
    write(tmp_path / "ours.fits")
    for target in strangers(tmp_path):
        before = stamp_of(target)
        assert owner(target) is Owner.FOREIGN
        with pytest.raises(RejectedError, match=target.name):
            write(target)
        with pytest.raises(RejectedError, match=target.name):
            publish(tmp_path / "ours.fits", target, "job2")
        assert stamp_of(target) == before
    assert not list(tmp_path.glob(".tapewatch*"))


def test_our_own_and_the_notebooks_files_are_replaced(tmp_path: Path) -> None:
    target = tmp_path / "w.fits"
    assert owner(target) is Owner.ABSENT
    fits.writeto(target, PIXELS, fits.Header({"DATE-PRC": "2018-03-27T10:00:00"}))
    assert owner(target) is Owner.NOTEBOOK
    write(target)
    assert owner(target) is Owner.OURS
    write(target, pixels=PIXELS + np.float32(1))
    np.testing.assert_array_equal(fits.getdata(target), PIXELS + np.float32(1))


def test_a_reader_keeps_the_whole_old_file(tmp_path: Path) -> None:
    target = tmp_path / "w.fits"
    write(target)
    old = target.read_bytes()
    with target.open("rb") as reader:
        write(target, pixels=PIXELS * np.float32(2))
        assert reader.read() == old != target.read_bytes()


@pytest.mark.parametrize("linked", [True, False])
def test_a_second_name_has_the_same_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, linked: bool
) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if not linked:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    source, target = tmp_path / "masters" / "wbias-1.fits", tmp_path / "wbias.fits"
    for pixels in (PIXELS, PIXELS + np.float32(1)):
        source.unlink(missing_ok=True)
        write(source, pixels=pixels)
        for _ in range(2):  # done twice, it changes nothing
            publish(source, target, "job2")
            assert target.read_bytes() == source.read_bytes()
            assert names(tmp_path) == ["masters", "wbias.fits"]
        assert target.samefile(source) is linked


def test_text_is_written_once(tmp_path: Path) -> None:
    target = tmp_path / "wobj.list"
    assert write_text(target, "a.fits\n", "job1")
    before = stamp_of(target)
    assert not write_text(target, "a.fits\n", "job1")
    assert stamp_of(target) == before
    assert write_text(target, "a.fits\nb\udcff.fits\n", "job1")
    assert target.read_bytes() == b"a.fits\nb\xff.fits\n"
    assert names(tmp_path) == ["wobj.list"]


def test_full_disk_is_its_own_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: object, _offset: int = 0) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tapewatch.fitsfile.product.write_at", full)
    monkeypatch.setattr(atomic, "write_all", full)
    with pytest.raises(NoSpaceError, match=r"no space left to write .*w\.fits"):
        write(tmp_path / "w.fits")
    with pytest.raises(NoSpaceError, match=r"wobj\.list"):
        write_text(tmp_path / "wobj.list", "a", "job1")
    assert names(tmp_path) == []


def test_disk_that_fills_while_pixels_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: object, _offset: int) -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    def fill_up() -> None:
        with ProductWriter(tmp_path / "w.fits", [BLANK], "job1") as writer:
            monkeypatch.setattr(os, "pwrite", full)
            writer.write(0, PIXELS.ravel())

    with pytest.raises(NoSpaceError):
        fill_up()
    assert names(tmp_path) == []


def test_everything_is_durable_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(descriptor: int) -> None:
        calls.append("fsync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_rename(self: Path, target: Path) -> Path:
        calls.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    expected = ["fsync .tapewatch-job1.part", "rename", f"fsync {tmp_path.name}"]
    write(tmp_path / "w.fits")
    assert calls == expected
    calls.clear()
    write_text(tmp_path / "wobj.list", "a", "job1")
    assert calls == expected


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from tapewatch.fitsfile.hdus import image_plan
from tapewatch.fitsfile.product import ProductWriter
with ProductWriter(Path(sys.argv[1]), [image_plan([], (41, 67))], "job1") as writer:
    writer.write(0, np.zeros(2000, np.float32))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_is_no_product_and_is_removed(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2] / "daemon"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "w.fits"],
        env=os.environ | {"PYTHONPATH": str(source)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    part = part_path(tmp_path / "w.fits", "job1")
    assert names(tmp_path) == [part.name]
    (tmp_path / "raw.part").touch()
    assert remove_leftovers(tmp_path) == (part.name,)
    assert names(tmp_path) == ["raw.part"]


def test_a_try_after_a_killed_one_succeeds(tmp_path: Path) -> None:
    part_path(tmp_path / "w.fits", "job1").write_bytes(b"half")
    write(tmp_path / "w.fits")
    assert names(tmp_path) == ["w.fits"]


def test_odd_cards_of_the_raw_header_do_not_stop_a_product(tmp_path: Path) -> None:
    odd = parse_header(b"\xb0C     = 'x\xff'".ljust(80) + b"\0".ljust(80) + b"NOVALUE".ljust(80))
    write(tmp_path / "w.fits", product_cards(odd, OURS))
    assert header_of(tmp_path / "w.fits").cards[7:10] == odd.cards
