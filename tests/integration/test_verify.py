"""``tapewatch verify``: products and masters are made again, and any difference is found."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from support_frames import write_raw, write_set
from support_night import NIGHTS, Ended, ask, set_sizes, state_of, take, tapewatch, write_par

NIGHT = replace(NIGHTS["maxim"], objects=3, filters=("R",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a night that was calibrated, in a subfolder, products apart from the raw frames."""
    folder = tmp_path_factory.mktemp("verified")
    take(folder / "night", NIGHT)
    (folder / "out").mkdir()
    par = write_par(folder, OUTDIR="out", MINFREE=0, WORKERS=1, **set_sizes(NIGHT))
    assert tapewatch("once", par).code == 0
    return folder


@pytest.fixture
def night(made: Path, tmp_path: Path) -> Path:
    """Copy that night: a test may break it."""
    return Path(shutil.copytree(made, tmp_path / "night", copy_function=shutil.copy2))


def products(folder: Path) -> list[Path]:
    """Calibrated frames of the night."""
    return sorted((folder / "out" / "night").glob("wM13*"))


def all_files(folder: Path) -> dict[Path, object]:
    """Give the state of every file of the night."""
    return {path: state_of(path) for path in folder.rglob("*") if path.is_file()}


def verify(folder: Path, *files: Path) -> tuple[int, list[dict[str, Any]]]:
    """Give the exit code and what is said of each file."""
    ended = verified(folder, "--json", *map(str, files))
    assert ended.errors == ""
    return ended.code, json.loads(ended.output)["files"]


def verified(folder: Path, *arguments: str) -> Ended:
    """Run the command."""
    return ask("verify", folder / "tape.par", *arguments)


def the_one(answer: tuple[int, list[dict[str, Any]]], verdict: str) -> dict[str, Any]:
    """Give what is said of the only file, which must not be equal."""
    code, (outcome,) = answer
    assert (code, outcome["verdict"]) == (1, verdict), outcome
    return outcome


def rewrite(path: Path, change: Callable[[fits.HDUList], None]) -> None:
    """Change a file as a program would that makes its sums right again."""
    with fits.open(path, memmap=False, mode="update") as hdus:
        change(hdus)
        for hdu in hdus:
            hdu.add_checksum()


def spoil(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes of a file and nothing else."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def set_pixel(value: float) -> Callable[[fits.HDUList], None]:
    """Give the change of the pixel that FITS counts as x 5, y 3."""

    def change(hdus: fits.HDUList) -> None:
        hdus[0].data[2, 4] = value

    return change


def test_all_that_was_made_is_made_again_and_equal(made: Path) -> None:
    files = [*products(made), *(made / "out").rglob("wbias*.fits"), *made.rglob("wflat*.fits")]
    files += made.rglob("wdark*.fits")
    assert len(files) >= 3 + 2 * 4
    before = all_files(made)
    ended = verified(made, *map(str, files))
    assert ended == Ended(0, "".join(f"{file}: equal\n" for file in files), "")
    assert all_files(made) == before


def test_neither_the_state_file_nor_the_other_outputs_are_needed(night: Path) -> None:
    for path in (night / "out").rglob("*.list"):
        path.unlink()
    shutil.rmtree(night / "out" / ".tapewatch")
    before = all_files(night)
    code, outcomes = verify(night, *products(night))
    assert (code, {one["verdict"] for one in outcomes}) == (0, {"equal"})
    assert all_files(night) == before


def test_one_changed_pixel_is_told_with_its_place_and_size(night: Path) -> None:
    path = products(night)[0]
    value = float(fits.getdata(path)[2, 4])
    rewrite(path, set_pixel(value + 0.25))
    outcome = the_one(verify(night, path), "differs")
    (difference,) = outcome["differences"]
    stored = float(np.float32(value + 0.25))
    assert (difference["hdu"], difference["pixels"], difference["first"]) == ("HDU 0", 1, [5, 3])
    assert (difference["stored"], difference["made"]) == (stored, value)
    assert difference["largest"] == stored - value
    assert (outcome["cards"], outcome["reasons"]) == ([], [])
    text = verified(night, str(path)).output
    assert f"{path}: differs\n  HDU 0: 1 of 1,700 pixels differ, the first at x 5, y 3: " in text


def test_a_pixel_that_became_nan_differs(night: Path) -> None:
    path = products(night)[0]
    rewrite(path, set_pixel(np.nan))
    (difference,) = the_one(verify(night, path), "differs")["differences"]
    assert (difference["pixels"], difference["stored"], difference["largest"]) == (1, None, 0.0)


def test_bytes_that_changed_on_the_disk_are_damage(night: Path) -> None:
    path = products(night)[0]
    pixel = fits.getdata(path)[2, 4]
    spoil(path, np.array(pixel, ">f4").tobytes(), np.array(pixel + 1, ">f4").tobytes())
    outcome = the_one(verify(night, path), "damaged")
    assert "HDU 0 were changed: DATASUM is" in outcome["reasons"][0]
    assert outcome["differences"][0]["pixels"] == 1


def test_a_header_that_was_edited_is_told_card_by_card(night: Path) -> None:
    path = products(night)[0]

    def change(hdus: fits.HDUList) -> None:
        hdus[0].header["OBSERVER"] = "somebody else"
        hdus[0].header["TWFLAGS"] = "AGED"

    rewrite(path, change)
    outcome = the_one(verify(night, path), "differs")
    assert "OBSERVER" in outcome["cards"]
    assert outcome["differences"] == []
    spoil(path, b"somebody else", b"nobody at all")
    assert "CHECKSUM" in the_one(verify(night, path), "damaged")["reasons"][0]


def test_a_raw_frame_that_changed_or_went_away_is_named(night: Path) -> None:
    path = products(night)[0]
    raw = night / "night" / path.name.removeprefix("w")
    with fits.open(raw, mode="update") as hdus:
        hdus[0].data[0, 0] += 1
    name = f"night/{raw.name}"
    outcome = the_one(verify(night, path), "missing")
    assert outcome["reasons"] == [f"raw frame {name} has changed: its pixels are other ones"]
    raw.unlink()
    assert the_one(verify(night, path), "missing")["reasons"] == [f"raw frame {name} is gone"]


def test_a_raw_header_that_changed_since_shows_in_the_cards(night: Path) -> None:
    path = products(night)[0]
    raw = night / "night" / path.name.removeprefix("w")
    fits.setval(raw, "AIRMASS", value=1.5)
    outcome = the_one(verify(night, path), "differs")
    assert {"AIRMASS", "TWID"} <= set(outcome["cards"])
    assert outcome["differences"] == []


def test_every_input_of_a_master_that_is_gone_is_named(night: Path) -> None:
    gone = sorted((night / "night").glob("Bias*"))[:2]
    for path in gone:
        path.unlink()
    (reason,) = the_one(verify(night, night / "out/night/wbias.fits"), "missing")["reasons"]
    assert reason == "; ".join(f"raw frame night/{path.name} is gone" for path in gone)
    # What was made with that master is not concerned: the master itself is there.
    assert verify(night, *products(night))[0] == 0


def test_a_master_that_is_gone_is_named_by_its_card(night: Path) -> None:
    path = products(night)[0]
    identity = fits.getval(path, "TWFLAT")
    (flat,) = night.rglob(f"masters/*-{identity}.fits")
    flat.unlink()
    (reason,) = the_one(verify(night, path), "missing")["reasons"]
    assert f"master {identity} (TWFLAT) is in no folder masters/ of {night / 'out'}" in reason


def test_a_master_of_another_folder_is_found(night: Path) -> None:
    path = products(night)[0]
    elsewhere = night / "out" / "library" / "masters"
    elsewhere.mkdir(parents=True)
    (flat,) = night.rglob(f"masters/*-{fits.getval(path, 'TWFLAT')}.fits")
    flat.rename(elsewhere / flat.name)
    # Its HISTORY names the folder where the flat was; the pixels are the same.
    outcome = the_one(verify(night, path), "differs")
    assert (outcome["differences"], outcome["cards"]) == ([], ["HISTORY"])


def test_a_master_whose_pixels_were_changed_shows_in_what_was_made_with_it(night: Path) -> None:
    path = products(night)[0]
    (flat,) = night.rglob(f"masters/*-{fits.getval(path, 'TWFLAT')}.fits")
    rewrite(flat, set_pixel(0.5))
    (difference,) = the_one(verify(night, path), "differs")["differences"]
    assert (difference["pixels"], difference["first"]) == (1, [5, 3])
    assert the_one(verify(night, flat), "differs")["differences"][0]["stored"] == 0.5


def test_other_parameters_are_told_beside_the_comparison(night: Path) -> None:
    par = night / "tape.par"
    par.write_text(par.read_text() + "SATU 3000\n")
    outcome = the_one(verify(night, products(night)[0]), "other parameters")
    recipe = fits.getval(products(night)[0], "TWRECIPE")
    assert outcome["reasons"][0].endswith(f"TWRECIPE is {recipe}")
    # SATU decides a bit of the mask, not the image; and nothing of a master.
    assert [one["hdu"] for one in outcome["differences"]] == ["MASK"]
    assert verify(night, night / "out/night/wbias.fits")[0] == 0


def test_an_input_table_that_lies_is_found_out(night: Path) -> None:
    path = night / "out/night/wbias.fits"
    names = [row["NAME"] for row in fits.getdata(path, "INPUTS")]
    assert names == [f"night/{one.name}" for one in sorted((night / "night").glob("Bias*"))]

    def swap(hdus: fits.HDUList) -> None:
        hashes = hdus["INPUTS"].data["SHA256"]
        hashes[0], hashes[1] = str(hashes[1]), str(hashes[0])

    rewrite(path, swap)
    (reason,) = the_one(verify(night, path), "missing")["reasons"]
    assert reason.count("has changed") == 2


def test_what_is_not_ours_or_not_there_is_said(night: Path) -> None:
    raw = next((night / "night").glob("M13*"))
    code, (foreign, absent) = verify(night, raw, night / "no.fits")
    assert code == 1
    assert (foreign["verdict"], absent["verdict"]) == ("unknown", "unknown")
    assert foreign["reasons"] == ["it has no TWID: not written by tapewatch"]
    assert "No such file" in absent["reasons"][0]


def test_a_product_away_from_its_folder_cannot_be_traced(night: Path, tmp_path: Path) -> None:
    away = Path(shutil.copy(products(night)[0], tmp_path / "w.fits"))
    (reason,) = the_one(verify(night, away), "missing")["reasons"]
    assert "is not below" in reason


@pytest.mark.parametrize("card", ["TWFLAT", "TWBIAS"])
def test_a_card_that_is_no_id_is_refused(night: Path, card: str) -> None:
    path = products(night)[0]
    rewrite(path, lambda hdus: hdus[0].header.set(card, "*"))
    (reason,) = the_one(verify(night, path), "missing")["reasons"]
    assert reason == f"{card} is '*', expected 16 hexadecimal digits"


def test_odd_names_compressed_frames_and_kinds_by_rule(tmp_path: Path) -> None:
    for path in (*write_set(tmp_path, "bias", 3), *write_set(tmp_path, "dark", 3)):
        path.rename(path.with_name(f"é {path.name}"))
    for number in range(3):
        write_raw(tmp_path / f"twilight{number}.fits.gz", 20000 + number, IMAGETYP=None)
    write_raw(tmp_path / "M13.fits.gz", 3000)
    par = write_par(tmp_path, MINFREE=0, WORKERS=1, TYPERULES="flat:twilight*")
    ended = tapewatch("once", par)
    assert ended.code == 0, ended.output
    files = [tmp_path / "wM13.fits", *sorted(tmp_path.glob("masters/*.fits"))]
    code, outcomes = verify(tmp_path, *files)
    assert (code, [one["verdict"] for one in outcomes]) == (0, ["equal"] * 4), outcomes


def test_a_provisional_product_is_made_again_from_the_masters_that_it_had(tmp_path: Path) -> None:
    take(tmp_path, replace(NIGHT, flats=0, objects=1))
    par = write_par(tmp_path, MINFREE=0, WORKERS=1)
    assert tapewatch("once", par).code == 0
    (product,) = tmp_path.glob("provisional/wM13*")
    assert fits.getval(product, "TWFLAGS").split(",")[-1] == "PROVISIONAL"
    assert verify(tmp_path, product)[0] == 0
    rewrite(product, set_pixel(1.5))
    assert the_one(verify(tmp_path, product), "differs")["differences"][0]["pixels"] == 1


@pytest.mark.parametrize(
    "keys",
    [
        {"MASK": 0, "SATU": 60000},
        {"COMBINE": "sigclip", "CLIPSIG": "2.5,3"},
        {"STEPS": "bias,flat"},
        {"STEPS": "bias"},
        {"STEPS": "dark"},
        {"FLATDARK": 1},
        {"OVERSCAN": 1},
        {"FLATREGION": "centre"},
        {"UNCERT": 1, "EGAIN": 1.5},
        {"HOTFIX": "median", "BADFILL": "median", "MASK": 0},
        {"HOTFIX": "nan", "COSMIC": 1, "UNCERT": 1, "EGAIN": 1.5},
    ],
    ids="-".join,
)
def test_whatever_the_treatment_it_can_be_made_again(
    tmp_path: Path, keys: dict[str, object]
) -> None:
    night = replace(NIGHT, bias=9, darks=9, flats=9, objects=2, object_exposures=(60.0,))
    take(tmp_path, replace(night, dark_exposures=(60.0,)))
    par = write_par(tmp_path, MINFREE=0, WORKERS=1, **keys)
    ended = tapewatch("once", par)
    assert ended.code == 0, ended.output + ended.errors
    files = [*tmp_path.glob("wM13*"), *tmp_path.glob("masters/*.fits")]
    assert len(files) > 2
    code, outcomes = verify(tmp_path, *files)
    assert (code, {one["verdict"] for one in outcomes}) == (0, {"equal"}), outcomes
