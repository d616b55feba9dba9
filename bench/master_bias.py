"""Master bias of 15 frames of 4096x4096: ``tapewatch once`` against the notebook's arithmetic.

Both are whole processes, from the start of Python to the end; they run in turn on the same files,
whose pages are in the kernel's cache for both. Memory is watched in a run of its own.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from measuring import (
    Exposure,
    command_of,
    fits_bytes,
    machine,
    make_noise,
    peak_memory_of,
    pixels_of,
    seconds_of,
    summary,
    write_parameters,
)

NOTEBOOK = Path(__file__).with_name("notebook_bias.py")


def main() -> None:
    """Measure, and print the figures."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="tapewatch-bench-", dir=options.dir) as place:
        folder = Path(place) / "night"
        folder.mkdir()
        _write_frames(folder, options.frames, options.size)
        parameters = write_parameters(folder, STEPS="bias", NBIAS=options.frames)
        ours = command_of("once", "--par", parameters)
        theirs = [sys.executable, str(NOTEBOOK), str(folder)]
        print(f"{options.frames} bias frames of {options.size}x{options.size}; {machine()}")
        _forget(folder)
        seconds_of(theirs, folder)
        seconds_of(ours, folder)
        print("same pixels:", "yes" if _same_pixels(folder) else "NO")
        _compare_times(folder, ours, theirs, options.pairs)
        _compare_memory(folder, ours, theirs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=15)
    parser.add_argument("--size", type=int, default=4096, help="pixels of a side")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="folder to work in (default: for temporary files)")
    return parser.parse_args()


def _write_frames(folder: Path, frames: int, size: int) -> None:
    noise = make_noise(size)
    for number in range(frames):
        exposure = Exposure("bias", number)
        pixels = pixels_of(exposure, size, noise)
        (folder / f"bias-{number:03d}.fits").write_bytes(fits_bytes(exposure, pixels))


def _forget(folder: Path) -> None:
    """Remove all that was made, so that the next run makes it anew."""
    for made in ("masters", ".tapewatch", "notebook"):
        shutil.rmtree(folder / made, ignore_errors=True)
    for name in ("wbias.fits", "wbias.list"):
        (folder / name).unlink(missing_ok=True)


def _same_pixels(folder: Path) -> bool:
    ours = fits.getdata(folder / "wbias.fits")
    theirs = fits.getdata(folder / "notebook" / "wbias.fits")
    return bool(np.array_equal(ours.view(np.uint32), theirs.view(np.uint32)))


def _compare_times(folder: Path, ours: list[str], theirs: list[str], pairs: int) -> None:
    times: dict[str, list[float]] = {"tapewatch": [], "notebook": []}
    ratios = []
    for _ in range(pairs):
        for name, command in (("tapewatch", ours), ("notebook", theirs)):
            _forget(folder)
            times[name].append(seconds_of(command, folder))
        ratios.append(times["notebook"][-1] / times["tapewatch"][-1])
        print(f"  pair: {times['tapewatch'][-1]:.2f} s, {times['notebook'][-1]:.2f} s")
    print(f"times as fast: {summary(ratios, '')}")
    for name, values in times.items():
        print(f"{name}: {summary(values, 's')}")


def _compare_memory(folder: Path, ours: list[str], theirs: list[str]) -> None:
    _forget(folder)
    peak = peak_memory_of(ours, folder)
    print(
        f"tapewatch, peak memory: {peak.of_largest_child:.0f} MB the process that combines,"
        f" {peak.of_root:.0f} MB the main process"
    )
    print(f"notebook, peak memory: {peak_memory_of(theirs, folder).of_root:.0f} MB")


if __name__ == "__main__":
    main()
