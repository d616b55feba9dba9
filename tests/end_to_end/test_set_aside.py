"""What cannot be used has a reason in log and status, harms nothing, and is not touched."""

import gzip
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from astropy.io import fits

import notebook
from support_night import (
    NIGHTS,
    QUICK,
    Line,
    assert_same_pixels,
    assert_whole,
    frames_by_name,
    running,
    set_sizes,
    state_of,
    states_below,
    take,
    tapewatch,
    write_par,
)

NIGHT = NIGHTS["tape"]

Make = Callable[[Path, Path], None]


class Fault(NamedTuple):
    """A file that cannot be used: how it is made from a good raw frame, and what is said of it."""

    name: str
    make: Make
    state: str
    words: str


def with_cards(**cards: object) -> Make:
    """Copy with some cards changed, or removed where the value is None."""

    def make(good: Path, path: Path) -> None:
        image, header = notebook.read(good)
        for keyword, value in cards.items():
            header.remove(keyword)
            if value is not None:
                header[keyword] = value
        fits.writeto(path, image, header)

    return make


def resized(good: Path, path: Path) -> None:
    image, header = notebook.read(good)
    fits.writeto(path, image[:20, :30], header)


def cube(good: Path, path: Path) -> None:
    image, header = notebook.read(good)
    fits.writeto(path, np.stack([image, image]), header)


def without_pixels(good: Path, path: Path) -> None:
    header = notebook.read(good)[1]
    fits.PrimaryHDU(header=fits.Header([("IMAGETYP", header["IMAGETYP"])])).writeto(path)


def truncated(good: Path, path: Path) -> None:
    path.write_bytes(good.read_bytes()[:5000])


def text(good: Path, path: Path) -> None:
    path.write_text(f"The night was clear; see {good.name}.\n")


def empty(_: Path, path: Path) -> None:
    path.touch()


def symlink(good: Path, path: Path) -> None:
    path.symlink_to(good)


def fifo(_: Path, path: Path) -> None:
    os.mkfifo(path)


def compressed_twin(good: Path, path: Path) -> None:
    path.write_bytes(gzip.compress(good.read_bytes()))


def by_the_notebook(good: Path, path: Path) -> None:
    """Write what the notebook wrote: a float image, the raw header, DATE-PRC."""
    image, header = notebook.read(good)
    header.set("DATE-PRC", "2026-03-26T09:00:00")
    fits.writeto(path, np.array(image / 2, dtype=np.float32), header)


FAULTS = (
    Fault("spectrum.fits", with_cards(IMAGETYP="spectrum"), "rejected", "IMAGETYP is 'spectrum'"),
    Fault("untyped.fits", with_cards(IMAGETYP=None), "rejected", "no frame type"),
    Fault("untimed.fits", with_cards(**{"DATE-OBS": None}), "rejected", "DATE-OBS"),
    Fault("tonight.fits", with_cards(**{"DATE-OBS": "tonight"}), "rejected", "'tonight'"),
    Fault("unexposed.fits", with_cards(EXPTIME=None), "rejected", "EXPTIME"),
    Fault("minus.fits", with_cards(EXPTIME=-5.0), "rejected", "EXPTIME is -5.0"),
    Fault("unbinned.fits", with_cards(XBINNING=None), "rejected", "XBINNING"),
    Fault(
        "binned.fits",
        with_cards(XBINNING=2, YBINNING=2),
        "rejected",
        "binning 2x2, BINNING is 1",
    ),
    Fault("small.fits", resized, "waiting", "size 64x48, frame 30x20"),
    Fault("other-filter.fits", with_cards(FILTER="Ha"), "waiting", "for a master flat Ha"),
    Fault("cube.fits", cube, "rejected", ""),
    Fault("header-only.fits", without_pixels, "rejected", ""),
    Fault("truncated.fits", truncated, "stalled", "incomplete"),
    Fault("empty.fits", empty, "stalled", "incomplete"),
    Fault("text.fits", text, "rejected", ""),
    Fault("link.fits", symlink, "rejected", "symbolic link"),
    Fault("pipe.fits", fifo, "rejected", "only regular files"),
    Fault("object-000003.fits.gz", compressed_twin, "rejected", "wobject-000003.fits"),
    Fault("old-product.fits", by_the_notebook, "rejected", "notebook"),
)
TAKEN = "object-000001.fits"  # its product's name is taken by a file of others
REPLACED = "object-000002.fits"  # its product was made by the notebook before


class Night(NamedTuple):
    """A folder in which much went wrong, after tapewatch."""

    folder: Path
    par: Path
    log: list[Line]
    status: dict[str, Line]
    expected: notebook.Night
    before: dict[str, tuple[int, int, int, bytes]]


@pytest.fixture(scope="module", params=["once", "run"])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder: Path = tmp_path_factory.mktemp("aside")
    raws = take(folder, NIGHT)
    expected = notebook.process(raws)
    foreign = [folder / f"w{TAKEN}", folder / "wflatR.fits"]
    for path in foreign:
        fits.writeto(path, np.ones((4, 4), dtype=np.int16))
    by_the_notebook(folder / REPLACED, folder / f"w{REPLACED}")
    by_the_notebook(folder / REPLACED, folder / "wbias.fits")
    par = write_par(folder, **QUICK, **set_sizes(NIGHT), STALL=1)
    if request.param == "once":
        make_faults(folder)
        untouched = raws_and_faults(folder, raws, foreign)
        ended = tapewatch("once", par)
        assert ended.code == 0, ended.errors
        log = ended.lines
    else:
        with running(par) as daemon:
            daemon.wait_for("frame.calibrated", NIGHT.objects - 1)
            make_faults(folder)
            untouched = raws_and_faults(folder, raws, foreign)
            for fault in FAULTS:
                daemon.wait_for(f"frame.{fault.state}", file=fault.name)
            assert daemon.stop() == 0
            assert daemon.errors() == ""
        log = daemon.lines
    return Night(folder, par, log, frames_by_name(par), expected, untouched)


def make_faults(folder: Path) -> None:
    for fault in FAULTS:
        fault.make(folder / "object-000003.fits", folder / fault.name)


def raws_and_faults(
    folder: Path, raws: list[Path], foreign: list[Path]
) -> dict[str, tuple[int, int, int, bytes]]:
    """State of all that tapewatch may not touch."""
    faults = [folder / fault.name for fault in FAULTS]
    return {
        path.name: state_of(path)
        for path in [*raws, *faults, *foreign]
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_cannot_be_used_has_its_reason_in_log_and_status(night: Night, fault: Fault) -> None:
    told = night.status[fault.name]
    assert told["state"] == fault.state
    assert fault.words in told["reason"]
    assert told["reason"]
    logged = [
        line
        for line in night.log
        if line["event"] == f"frame.{fault.state}" and line.get("file") == fault.name
    ]
    assert [line["reason"] for line in logged] == [told["reason"]]
    assert told["product"] is None
    assert not (night.folder / f"w{fault.name}").exists()


def test_good_frames_are_done_all_the_same(night: Night) -> None:
    for name, pixels in night.expected.products.items():
        if name != f"w{TAKEN}":
            assert_same_pixels(night.folder / name, pixels)
    good = {name for names in night.expected.lists.values() for name in names} - {TAKEN}
    assert {night.status[name]["state"] for name in good} == {"done"}
    objects = [name for name in night.expected.lists["wobj"] if name != TAKEN]
    assert (night.folder / "wobj.list").read_text().splitlines() == objects


def test_nothing_that_is_not_ours_is_touched(night: Night) -> None:
    assert {name: state_of(night.folder / name) for name in night.before} == night.before
    assert not list(night.folder.rglob("*.part"))


def test_a_taken_name_is_told_and_not_taken(night: Night) -> None:
    told = night.status[TAKEN]
    assert told["state"] == "rejected"
    assert f"w{TAKEN} is there already" in told["reason"]
    events = [line["event"] for line in night.log if line.get("file") == TAKEN]
    assert events == ["frame.rejected"]
    # A master's plain name is taken too: the master itself is there, and said to be.
    assert [line["file"] for line in night.log if line["event"] == "master.name_taken"] == [
        "wflatR.fits"
    ]
    (master,) = night.folder.glob("masters/wflatR-*.fits")
    assert_same_pixels(master, night.expected.masters["wflatR"])


def test_the_notebooks_own_products_are_replaced(night: Night) -> None:
    assert_same_pixels(night.folder / "wbias.fits", night.expected.masters["wbias"])
    assert_whole(night.folder / "wbias.fits")
    assert_whole(night.folder / f"w{REPLACED}")


def test_rejected_files_are_listed_as_others(night: Night) -> None:
    others = set((night.folder / "others.list").read_text().splitlines())
    assert {fault.name for fault in FAULTS if fault.state == "rejected"} | {TAKEN} <= others


def test_no_product_or_master_is_taken_for_a_raw_frame(tmp_path: Path) -> None:
    raws = take(tmp_path, NIGHT)
    par = write_par(tmp_path)
    assert tapewatch("once", par).code == 0
    written = states_below(tmp_path, "**/w*.fits")
    # Our own files, under names that look like raw ones, and in another folder.
    shutil.copyfile(tmp_path / "wbias.fits", tmp_path / "bias-900.fits")
    shutil.copyfile(tmp_path / "wflatV.fits", tmp_path / "flat-V-900.fits")
    shutil.copyfile(tmp_path / "wobject-000001.fits", tmp_path / "object-000900.fits")
    shutil.copytree(tmp_path / "masters", tmp_path / "archive")
    again = tapewatch("once", par)
    assert again.code == 0
    assert "nothing to do" in again.lines[-1]["reason"]
    assert states_below(tmp_path, "**/w[bfdo]*.fits").items() >= written.items()
    assert set(frames_by_name(par)) == {path.name for path in raws}


def test_a_name_given_back_is_used(tmp_path: Path) -> None:
    raws = take(tmp_path, NIGHT)
    foreign = tmp_path / f"w{TAKEN}"
    fits.writeto(foreign, np.ones((4, 4), dtype=np.int16))
    par = write_par(tmp_path)
    assert tapewatch("once", par).code == 0
    assert frames_by_name(par)[TAKEN]["state"] == "rejected"
    foreign.unlink()
    assert [line["file"] for line in tapewatch("once", par).events("frame.calibrated")] == [TAKEN]
    assert_same_pixels(foreign, notebook.process(raws).products[foreign.name])


def test_a_file_completed_later_is_done_after_all(tmp_path: Path) -> None:
    raws = take(tmp_path, NIGHT)
    late = tmp_path / "object-000004.fits"
    content = late.read_bytes()
    late.write_bytes(content[:6000])
    with running(write_par(tmp_path, **QUICK, **set_sizes(NIGHT), STALL=1)) as daemon:
        daemon.wait_for("frame.stalled", file=late.name)
        with late.open("ab") as file:
            file.write(content[6000:])
        daemon.wait_for("frame.calibrated", file=late.name)
        assert daemon.stop(signal.SIGINT) == 0
    assert late.read_bytes() == content
    assert_same_pixels(tmp_path / f"w{late.name}", notebook.process(raws).products[f"w{late.name}"])
