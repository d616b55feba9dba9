"""From the close of a raw file to its product, in a daemon that runs and has its masters.

Object frames are written and closed one after another, each when the one before it is done. Seen
from outside: from close() to the product's name, which it gets when its data are on the disk. By
the log: `latency`, from the file's last change until its name is on the disk too; and `seconds`,
the worker's part of it.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from daemon_process import running
from measuring import (
    EXPTIMES,
    Exposure,
    fits_bytes,
    machine,
    make_noise,
    percentile,
    pixels_of,
    write_parameters,
)

_POLL = 0.0002  # seconds between two looks for the product
_PATIENCE = 60.0  # seconds
_OF_A_SET = 3
_WARMING = 6  # frames before the first that counts: every worker has the masters in memory


class Night:
    """A folder that a simulated camera writes into."""

    def __init__(self, place: Path, size: int) -> None:
        self.folder = place / "night"
        self.folder.mkdir()
        self.parameters = write_parameters(
            self.folder, NBIAS=_OF_A_SET, NDARK=_OF_A_SET, NFLAT=_OF_A_SET
        )
        self._size = size
        self._noise = make_noise(size)
        self._count = 0

    def next_frame(self, kind: str) -> tuple[str, bytes]:
        """Make the next frame: its name and what is in its file."""
        self._count += 1
        exposure = Exposure(kind, self._count, EXPTIMES[kind])
        pixels = pixels_of(exposure, self._size, self._noise)
        return f"{kind}-{self._count:04d}.fits", fits_bytes(exposure, pixels)

    def write_calibration(self) -> None:
        """Write the frames that make the masters."""
        for kind in ("bias", "dark", "flat"):
            for _ in range(_OF_A_SET):
                name, data = self.next_frame(kind)
                (self.folder / name).write_bytes(data)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--size", type=int, default=2048, help="pixels of a side")
    parser.add_argument("--dirs", type=Path, nargs="*", default=[tempfile.gettempdir(), "/dev/shm"])  # noqa: S108
    options = parser.parse_args()
    print(f"{options.frames} object frames of {options.size}x{options.size}; {machine()}")
    for base in options.dirs:
        with tempfile.TemporaryDirectory(prefix="tapewatch-bench-", dir=base) as place:
            _measure(Path(place), options.frames, options.size)


def _measure(place: Path, frames: int, size: int) -> None:
    night = Night(place, size)
    night.write_calibration()
    outside, latency, seconds = [], [], []
    with running(night.parameters) as daemon:
        daemon.wait_for("master.built", kind="flat")
        for number in range(_WARMING + frames):
            name, data = night.next_frame("object")
            waited = _time_to_product(night.folder, name, data)
            line = daemon.wait_for("frame.calibrated", file=name)
            if number >= _WARMING:
                outside.append(waited)
                latency.append(float(str(line["latency"])))
                seconds.append(float(str(line["seconds"])))
    print(f"in {place.parent}:")
    _tell("close to product, seen from outside", outside)
    _tell("close to durable product, by the log", latency)
    _tell("  of which in the worker", seconds)
    before = [whole - part for whole, part in zip(latency, seconds, strict=True)]
    _tell("  of which before it: notice, judge, plan", before)


def _time_to_product(folder: Path, name: str, data: bytes) -> float:
    """Write a raw frame; give the seconds from its close to its product."""
    product = folder / f"w{name}"
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, data)
    os.close(descriptor)
    closed = time.perf_counter()
    while not product.exists():
        if time.perf_counter() > closed + _PATIENCE:
            raise TimeoutError(f"no {product} after {_PATIENCE:g} s")
        time.sleep(_POLL)
    return time.perf_counter() - closed


def _tell(what: str, seconds: Sequence[float]) -> None:
    figures = (min(seconds), percentile(seconds, 50), percentile(seconds, 95), max(seconds))
    low, median, p95, high = (1000 * value for value in figures)
    print(
        f"  {what:42} min {low:5.1f}  median {median:5.1f}  p95 {p95:5.1f}  max {high:5.1f} ms",
    )


if __name__ == "__main__":
    main()
