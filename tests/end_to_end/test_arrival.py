"""Whatever way a frame comes into the folder, it gives one product, and the right one."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

import notebook
from support_night import (
    QUICK,
    Line,
    assert_same_pixels,
    assert_whole,
    running,
    set_sizes,
    take,
    write_par,
)
from tapewatch.commands.simulate import Night

PIECES = 6
PIECE_SECONDS = 0.15  # between two pieces: more than the event loop needs to see each of them
YEARS_AGO = 1.3e9  # seconds since 1970

Way = Callable[[Path, Path], None]


def pause() -> None:
    """Let the camera take its time: part of what the file does, nothing that a test awaits."""
    threading.Event().wait(PIECE_SECONDS)


def pieces(source: Path) -> Iterator[bytes]:
    content = source.read_bytes()
    size = len(content) // PIECES + 1
    return (content[first : first + size] for first in range(0, len(content), size))


def written_at_once(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


def written_slowly(source: Path, target: Path) -> None:
    with target.open("wb") as file:
        for piece in pieces(source):
            file.write(piece)
            file.flush()
            pause()


def reopened_for_each_piece(source: Path, target: Path) -> None:
    for piece in pieces(source):
        with target.open("ab") as file:
            file.write(piece)
        pause()


def renamed_in_place(source: Path, target: Path) -> None:
    temporary = target.with_name(f"{target.name}.tmp")
    written_slowly(source, temporary)
    temporary.rename(target)


def moved_in(source: Path, target: Path) -> None:
    outside = target.parent.parent / f"outside-{target.name}"
    shutil.copyfile(source, outside)
    outside.rename(target)


def hard_linked(source: Path, target: Path) -> None:
    outside = target.parent.parent / f"linked-{target.name}"
    shutil.copyfile(source, outside)
    target.hardlink_to(outside)


def copied_with_its_old_times(source: Path, target: Path) -> None:
    os.utime(source, (YEARS_AGO, YEARS_AGO))
    shutil.copy2(source, target)


def space_reserved_beforehand(source: Path, target: Path) -> None:
    content = source.read_bytes()
    with target.open("wb") as file:
        file.write(bytes(len(content)))
        file.flush()
        pause()
        file.seek(0)
        file.write(content[:2880])  # the header, while the pixels are zeros yet
        file.flush()
        for _ in range(9):  # longer than RESCAN: a search of the folder finds it like this
            pause()
        file.write(content[2880:])


def written_over_what_was_there(source: Path, target: Path) -> None:
    target.write_bytes(b"")
    pause()
    target.write_bytes(source.read_bytes()[:5000])
    pause()
    target.write_bytes(source.read_bytes())


WAYS: tuple[Way, ...] = (
    written_at_once,
    written_slowly,
    reopened_for_each_piece,
    renamed_in_place,
    moved_in,
    hard_linked,
    copied_with_its_old_times,
    space_reserved_beforehand,
    written_over_what_was_there,
)
NIGHT = Night(shape=(40, 48), bias=3, darks=3, flats=3, objects=len(WAYS), dialect="tape")
# Folders that come as a whole, of other cameras: no master of one suits a frame of another.
FOLDERS = {
    "moved": replace(NIGHT, shape=(44, 52), objects=6),
    "deep/copied": replace(NIGHT, shape=(36, 44), objects=6),
}


class Arrived(NamedTuple):
    """What became of frames that each came in another way."""

    folder: Path
    name_of: dict[Way, str]
    expected: dict[str, notebook.Night]
    log: list[Line]


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    """Let frames come in all ways at once into one running daemon, then whole folders."""
    base = tmp_path_factory.mktemp("arrival")
    camera, folder = base / "camera", base / "night"
    expected = {"": notebook.process(take(camera, NIGHT))}
    shutil.copytree(camera, folder, ignore=shutil.ignore_patterns("object*"))
    name_of = dict(zip(WAYS, expected[""].lists["wobj"], strict=True))
    keys = {**QUICK, **set_sizes(NIGHT), "SETTLE": 0.5}
    with running(write_par(folder, **keys)) as daemon:
        cameras = [
            threading.Thread(target=way, args=(camera / name, folder / name))
            for way, name in name_of.items()
        ]
        for one in cameras:
            one.start()
        for one in cameras:
            one.join()
        for subfolder, night in FOLDERS.items():
            expected[subfolder] = notebook.process(take(base / subfolder, night))
        (base / "moved").rename(folder / "moved")
        shutil.copytree(base / "deep/copied", folder / "deep/copied")
        daemon.wait_for("frame.calibrated", sum(len(one.products) for one in expected.values()))
        # Another look at everything finds one frame more, and nothing else to do.
        daemon.process.send_signal(signal.SIGHUP)
        written_at_once(camera / name_of[written_at_once], folder / "last.fits")
        daemon.wait_for("frame.calibrated", file="last.fits")
        assert daemon.stop() == 0
    return Arrived(folder, name_of, expected, daemon.lines)


def calibrations(arrived: Arrived, file: str) -> int:
    return sum(line["event"] == "frame.calibrated" and line["file"] == file for line in arrived.log)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_frame_gives_one_product_however_it_comes(arrived: Arrived, way: Way) -> None:
    name = arrived.name_of[way]
    assert_whole(arrived.folder / f"w{name}")
    assert_same_pixels(arrived.folder / f"w{name}", arrived.expected[""].products[f"w{name}"])
    assert calibrations(arrived, name) == 1


@pytest.mark.parametrize("subfolder", FOLDERS)
def test_a_folder_that_comes_as_a_whole_is_done_as_a_whole(
    arrived: Arrived, subfolder: str
) -> None:
    expected = arrived.expected[subfolder]
    for name, pixels in expected.products.items():
        assert_same_pixels(arrived.folder / subfolder / name, pixels)
        assert calibrations(arrived, f"{subfolder}/{name.removeprefix('w')}") == 1
    for stem, pixels in expected.masters.items():
        assert_same_pixels(arrived.folder / subfolder / f"{stem}.fits", pixels)
    lists = {path.stem: path for path in (arrived.folder / subfolder).glob("*.list")}
    assert {stem: path.read_text().split() for stem, path in lists.items()} == expected.lists


def test_each_set_is_combined_once_and_nothing_went_wrong(arrived: Arrived) -> None:
    built = [line["master"] for line in arrived.log if line["event"] == "master.built"]
    assert len(built) == sum(len(one.masters) for one in arrived.expected.values())
    assert not [line for line in arrived.log if line["level"] != "info"]


def test_raw_frames_keep_their_bytes(arrived: Arrived) -> None:
    for name in arrived.name_of.values():
        raw = (arrived.folder / name).read_bytes()
        assert raw == (arrived.folder.parent / "camera" / name).read_bytes()
