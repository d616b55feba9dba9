"""SETCHECK through the daemon: what is told, what is left out, and that it is said once."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from structlog.typing import EventDict

from support_frames import CARDS
from support_profile import Pixels, a_bias, a_dark, a_flat, across
from support_service import work_once
from tapewatch.ledger import Ledger

GOOD = [a_bias(seed) for seed in range(4)]
LIT = a_bias(9, 60.0)


def write(
    folder: Path,
    kind: str,
    frames: Iterable[Pixels],
    *,
    first: int = 0,
    day: str = "2026-03-25",
    exptime: float = 0.0,
) -> None:
    """Write raw frames of one set, a minute apart."""
    folder.mkdir(exist_ok=True)
    for number, pixels in enumerate(frames, first):
        begun = {"DATE-OBS": f"{day}T17:{number:02}:00", "EXPTIME": exptime}
        header = fits.Header(CARDS | {"IMAGETYP": kind} | begun)
        image = fits.PrimaryHDU(pixels.astype(np.uint16), header)
        image.writeto(folder / f"{kind}{number}.fits")


def work(folder: Path, **keys: object) -> list[EventDict]:
    """Do what ``tapewatch once`` does; give the lines of its log."""
    code, lines = work_once(folder, **keys)
    assert code == 0
    return lines


def told(lines: Iterable[EventDict], event: str) -> dict[str, str]:
    """Give the reason of each line of an event, by file; no file twice."""
    found = [(line.get("file", ""), line["reason"]) for line in lines if line["event"] == event]
    assert len(dict(found)) == len(found)
    return dict(found)


def states(folder: Path) -> dict[str, tuple[str, str]]:
    """Give state and reason of each frame."""
    with Ledger(folder / ".tapewatch" / "state.sqlite") as ledger:
        return {one.path: (str(one.state), one.reason) for one in ledger.frames()}


def master_of(folder: Path, name: str) -> np.ndarray:
    pixels: np.ndarray = fits.getdata(folder / name)
    return pixels


def test_warn_uses_the_frame_and_tells_it_once(tmp_path: Path) -> None:
    write(tmp_path, "bias", [*GOOD, LIT])
    lines = work(tmp_path)
    warnings = told(lines, "quality.warning")
    assert list(warnings) == ["bias4.fits"]
    assert warnings["bias4.fits"].startswith("its level is 1060 ADU, 1000 +- ")
    assert np.array_equal(
        master_of(tmp_path, "wbias.fits"), np.median([*GOOD, LIT], axis=0).astype(np.float32)
    )
    state, reason = states(tmp_path)["bias4.fits"]
    assert state == "done"
    assert reason.startswith("in masters/wbias-")
    assert warnings["bias4.fits"] in reason
    assert told(work(tmp_path), "quality.warning") == {}


def test_reject_leaves_the_frame_out_and_tells_it_once(tmp_path: Path) -> None:
    write(tmp_path, "bias", [*GOOD, LIT])
    lines = work(tmp_path, SETCHECK="reject")
    assert told(lines, "quality.warning") == {}
    rejected = told(lines, "frame.rejected")
    assert list(rejected) == ["bias4.fits"]
    assert "does not fit its set: its level is 1060 ADU" in rejected["bias4.fits"]
    assert np.array_equal(
        master_of(tmp_path, "wbias.fits"), np.median(GOOD, axis=0).astype(np.float32)
    )
    assert states(tmp_path)["bias4.fits"] == ("rejected", rejected["bias4.fits"])
    assert (tmp_path / "wbias.list").read_text().split() == [f"bias{n}.fits" for n in range(4)]
    assert told(work(tmp_path, SETCHECK="reject"), "frame.rejected") == {}


def test_what_was_left_out_comes_back_when_others_like_it_come(tmp_path: Path) -> None:
    lit = [a_bias(seed, 60.0) for seed in range(20, 24)]
    write(tmp_path / "night", "bias", [*GOOD[:2], lit[0]])
    work(tmp_path, SETCHECK="reject")
    assert states(tmp_path)["night/bias2.fits"][0] == "rejected"
    write(tmp_path / "night", "bias", lit[1:], first=3)
    work(tmp_path, SETCHECK="reject")
    found = states(tmp_path)
    assert [path for path in sorted(found) if found[path][0] == "rejected"] == [
        f"night/bias{number}.fits" for number in range(2)
    ]
    write(tmp_path / "at once", "bias", [*GOOD[:2], *lit])
    work(tmp_path, SETCHECK="reject")
    found = states(tmp_path)
    for number in range(6):
        assert found[f"night/bias{number}.fits"][0] == found[f"at once/bias{number}.fits"][0], (
            number
        )


@pytest.mark.parametrize("setcheck", ["warn", "reject"])
def test_what_no_arithmetic_can_use_is_left_out_in_any_case(tmp_path: Path, setcheck: str) -> None:
    write(tmp_path, "bias", [*GOOD, np.full_like(LIT, 7), np.full_like(LIT, 65535)])
    lines = work(tmp_path, SETCHECK=setcheck)
    assert told(lines, "frame.rejected") == {
        "bias4.fits": "all its pixels are 7: no image",
        "bias5.fits": "all its pixels are 65535: no image",
    }
    assert np.array_equal(
        master_of(tmp_path, "wbias.fits"), np.median(GOOD, axis=0).astype(np.float32)
    )


def test_a_copy_of_a_frame_that_is_left_out_is_left_out_with_it(tmp_path: Path) -> None:
    write(tmp_path, "bias", [*GOOD, LIT])
    (tmp_path / "copy.fits").write_bytes((tmp_path / "bias4.fits").read_bytes())
    lines = work(tmp_path, SETCHECK="reject")
    found = states(tmp_path)
    assert [found[name][0] for name in ("bias4.fits", "copy.fits")] == ["rejected", "rejected"]
    assert found["copy.fits"][1].startswith("the same pixels as bias4.fits: does not fit")
    assert len(told(lines, "frame.rejected")) == 1


def test_a_flat_with_clouds_goes_and_the_others_stay(tmp_path: Path) -> None:
    good = [a_flat(seed, level) for seed, level in enumerate((1e4, 2e4, 3e4, 4e4))]
    write(tmp_path, "bias", GOOD)
    write(tmp_path, "flat", [*good, a_flat(9, 2e4, 1 + 0.04 * across())])
    lines = work(tmp_path, SETCHECK="reject")
    assert list(told(lines, "frame.rejected")) == ["flat4.fits"]
    bias = np.median(GOOD, axis=0).astype(np.float32)
    flats = [flat.astype(np.uint16) - bias for flat in good]
    expected = np.median([flat / np.median(flat) for flat in flats], axis=0)
    assert np.array_equal(master_of(tmp_path, "wflatR.fits"), expected.astype(np.float32))


def test_a_master_unlike_that_of_the_night_before_is_told_and_used(tmp_path: Path) -> None:
    write(tmp_path / "first", "bias", GOOD, day="2026-03-24")
    assert told(work(tmp_path), "quality.warning") == {}
    write(tmp_path / "second", "bias", [a_bias(seed) for seed in range(20, 24)])
    assert told(work(tmp_path), "quality.warning") == {}
    write(tmp_path / "third", "bias", [a_bias(seed, 60.0) for seed in range(30, 34)])
    lines = work(tmp_path)
    (warning,) = (line for line in lines if line["event"] == "quality.warning")
    (built,) = (line for line in lines if line["event"] == "master.built")
    assert warning["master"] == built["master"]
    assert warning["reason"].startswith("worse than or unlike second/masters/wbias-")
    assert "of 4 frames: its level off by 6" in warning["reason"]
    assert (tmp_path / "third" / "wbias.fits").exists()


@pytest.mark.parametrize(
    ("exptime", "event"), [(1.0, ""), (90.0, "quality.advice"), (300.0, "quality.warning")]
)
def test_flatdark_is_advised_where_dark_current_matters(
    tmp_path: Path, exptime: float, event: str
) -> None:
    write(tmp_path, "bias", GOOD)
    write(tmp_path, "dark", [a_dark(seed, 30.0) for seed in range(4)], exptime=60.0)
    write(tmp_path, "flat", [a_flat(seed, 1e4) for seed in range(4)], exptime=exptime)
    found = [line for line in work(tmp_path) if line["event"].startswith("quality.")]
    assert {line["event"] for line in found} == ({event} if event else set())
    for line in found:  # two where flat and dark were ready at one moment
        assert line["reason"].startswith("dark current is more than 0.2% of the flat masters/wflat")
        assert line["reason"].endswith("FLATDARK 1 would subtract it")


def test_biases_with_an_exposure_are_told_once_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "bias", GOOD, exptime=30.0)
    assert list(told(work(tmp_path), "quality.warning").values()) == [
        "a bias whose EXPTIME is 30 s, expected 0 (1 at most): is it a dark?"
    ]
