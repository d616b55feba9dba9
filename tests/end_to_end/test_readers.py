"""Whoever looks into the folder at any moment sees whole files or none."""

import os
import shutil
import threading
from pathlib import Path
from typing import BinaryIO, Self

import notebook
from support_night import (
    QUICK,
    assert_as_the_notebook,
    assert_whole,
    running,
    set_sizes,
    take,
    write_par,
)
from tapewatch.commands.camera import solver_cards
from tapewatch.commands.simulate import Night, exposures, fits_bytes

# Frames large enough that writing one takes a while.
NIGHT = Night(shape=(400, 500), bias=3, darks=3, flats=3, objects=24, dialect="tape")


class Reader:
    """Another program that looks all the time, and opens whatever is new the moment it is there.

    It keeps every file open to the end: what it has opened may be replaced by a newer version, but
    never be written to.
    """

    def __init__(self, folder: Path, raws: set[str]) -> None:
        self.faults: list[str] = []
        self.opened = 0
        self.lists_read = 0
        self._folder = folder
        self._raws = raws
        self._held: dict[int, tuple[BinaryIO, int, int]] = {}  # inode -> file, size, mtime
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="reader")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for file, *before in self._held.values():
            with file:
                after = os.fstat(file.fileno())
                if [after.st_size, after.st_mtime_ns] != before:
                    self.faults.append(f"{file.name} was written to after it had appeared")

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  (whatever goes wrong is what we look for)
                self.faults.append(repr(error))

    def _look(self) -> None:
        for folder in (self._folder, self._folder / "masters"):
            if not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                found = [Path(entry.path) for entry in entries if entry.name.startswith("w")]
            for path in found:
                is_new = self._hold(path)
                if path.suffix == ".list":
                    self._read_list(path)
                elif is_new:
                    self.opened += 1
                    assert_whole(path)

    def _hold(self, path: Path) -> bool:
        file = path.open("rb")
        status = os.fstat(file.fileno())
        if status.st_ino in self._held:
            file.close()
            return False
        self._held[status.st_ino] = (file, status.st_size, status.st_mtime_ns)
        return True

    def _read_list(self, path: Path) -> None:
        text = path.read_text()
        names = text.splitlines()
        self.lists_read += 1
        assert text.endswith("\n"), (path.name, text)
        assert set(names) <= self._raws, (path.name, text)
        if path.name == "wobj.list":
            missing = [name for name in names if not (self._folder / f"w{name}").is_file()]
            assert not missing, missing


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    camera = tmp_path / "camera"
    raws = {path.name for path in take(camera, NIGHT)}
    objects = notebook.process(camera.iterdir()).lists["wobj"]
    folder = tmp_path / "night"
    shutil.copytree(camera, folder, ignore=shutil.ignore_patterns("object*"))
    par = write_par(folder, **QUICK, **set_sizes(NIGHT))
    with running(par) as daemon, Reader(folder, raws) as reader:
        for name in objects:
            shutil.copyfile(camera / name, folder / name)
        daemon.wait_for("frame.calibrated", len(objects))
        # A plate solver comes by: products that are there already are replaced.
        for exposure in exposures(NIGHT)[-4:]:
            solved = fits_bytes(NIGHT, exposure, solver_cards(NIGHT, exposure)[0])
            (folder / exposure.name).write_bytes(solved)
        daemon.wait_for("frame.calibrated", len(objects) + 4)
        assert daemon.stop() == 0
    assert reader.faults == []
    assert reader.opened >= len(objects) + 5
    assert reader.lists_read
    assert_as_the_notebook(folder, [folder / name for name in raws])
