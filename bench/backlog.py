"""A backlog of small frames: frames per second, memory, and whether a frame's cost stays the same.

``once`` finds them in the folder; ``run`` gets them while it watches, by renames in quick
succession. Each number of frames is a night of its own: a twentieth of them calibration frames
of each kind, the rest object frames.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from daemon_process import running
from measuring import (
    EXPTIMES,
    Exposure,
    command_of,
    fits_bytes,
    machine,
    make_noise,
    peak_memory_of,
    pixels_of,
    watched_memory,
    write_parameters,
)

_PART = 20  # one of so many frames is a bias, one a dark, one a flat


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="*", default=[500, 1000, 2000])
    parser.add_argument("--size", type=int, default=256, help="pixels of a side")
    parser.add_argument("--dir", type=Path, help="folder to work in (default: for temporary files)")
    options = parser.parse_args()
    print(f"backlogs of frames of {options.size}x{options.size}; {machine()}")
    for frames in options.frames:
        with tempfile.TemporaryDirectory(prefix="tapewatch-bench-", dir=options.dir) as place:
            raws = Path(place) / "raws"
            _write_night(raws, frames, options.size)
            _measure_once(raws, frames)
            _measure_run(raws, frames)


def _write_night(folder: Path, frames: int, size: int) -> None:
    folder.mkdir()
    noise = make_noise(size)
    calibration = frames // _PART
    kinds = [kind for kind in ("bias", "dark", "flat") for _ in range(calibration)]
    kinds += ["object"] * (frames - len(kinds))
    for number, kind in enumerate(kinds):
        exposure = Exposure(kind, number, EXPTIMES[kind])
        data = fits_bytes(exposure, pixels_of(exposure, size, noise))
        (folder / f"{kind}-{number:05d}.fits").write_bytes(data)


def _measure_once(raws: Path, frames: int) -> None:
    folder = raws.with_name("once")
    shutil.copytree(raws, folder)
    parameters = write_parameters(folder)
    began = time.perf_counter()
    peak = peak_memory_of(command_of("once", "--par", parameters), folder)
    _tell("once", frames, time.perf_counter() - began, peak.of_root)


def _measure_run(raws: Path, frames: int) -> None:
    folder = raws.with_name("run")
    folder.mkdir()
    calibration = frames // _PART
    parameters = write_parameters(
        folder, NBIAS=calibration, NDARK=calibration, NFLAT=calibration, JSONLOG="off"
    )
    copies = shutil.copytree(raws, raws.with_name("arriving"))
    with running(parameters) as daemon, watched_memory(daemon.id) as peak:
        began = time.perf_counter()
        for copy in sorted(copies.iterdir()):
            copy.rename(folder / copy.name)
        for _ in range(frames - 3 * calibration):
            daemon.wait_for("frame.calibrated")
        seconds = time.perf_counter() - began
    _tell("run", frames, seconds, peak.of_root)


def _tell(how: str, frames: int, seconds: float, megabytes: float) -> None:
    print(
        f"  {how:4} {frames:5} frames: {seconds:6.1f} s, {1000 * seconds / frames:5.1f} ms a frame,"
        f" {frames / seconds:5.0f} frames/s; main process at most {megabytes:.0f} MB"
    )


if __name__ == "__main__":
    main()
