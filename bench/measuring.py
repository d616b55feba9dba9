"""What the benchmarks share: frames to work on, parameter files, processes and their memory."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from threading import Event, Thread

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Pixels = NDArray[np.uint16]

EXPTIMES = {"bias": 0.0, "dark": 60.0, "flat": 2.0, "object": 30.0}
"""Exposure time of each kind of simulated frame, seconds."""

_POLL = 0.02  # seconds between two looks at the memory of processes
_MEGA = 1e6
_FIRST = 1_774_000_000  # seconds since 1970: when the first simulated exposure began


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a simulated frame is.

    Parameters
    ----------
    kind : str
        As in IMAGETYP.
    number : int
        Of the exposure in the night: its time, and the seed of its noise.
    exptime : float
        Exposure time, seconds.
    filter, target : str
        As in FILTER and OBJECT.
    """

    kind: str
    number: int
    exptime: float = 0.0
    filter: str = "R"
    target: str = "HAT-P-12b"

    def header(self) -> fits.Header:
        """Give the cards that a camera of the benchmark writes."""
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_FIRST + 10 * self.number))
        return fits.Header(
            {
                "IMAGETYP": self.kind,
                "DATE-OBS": date,
                "EXPTIME": self.exptime,
                "XBINNING": 1,
                "YBINNING": 1,
                "FILTER": self.filter,
                "OBJECT": self.target if self.kind == "object" else self.kind,
                "INSTRUME": "benchmark",
                "CCD-TEMP": -20.0,
            }
        )


def pixels_of(exposure: Exposure, size: int, noise: NDArray[np.float32]) -> Pixels:
    """Make the pixels of a frame, as a camera of 16 bits would give them.

    Parameters
    ----------
    exposure : Exposure
        What it is.
    size : int
        Pixels of a side.
    noise : ndarray
        (size, size) float32 of unit variance, from `make_noise`; each frame gets it shifted, so
        that no two are the same and none takes long to make.

    Returns
    -------
    ndarray
        (size, size) uint16, ADU: a bias of 600 with columns that differ, a dark current, a sky or
        a vignetted flat, read noise and photon noise.
    """
    rng = np.random.default_rng(exposure.number)
    shifted = np.roll(noise, rng.integers(0, size, 2).tolist(), (0, 1))
    columns = 600 + 4 * np.sin(np.arange(size, dtype=np.float32) / 7)
    level = {"flat": 25000.0, "object": 800.0}.get(exposure.kind, 0.0)
    axis = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    signal = level * (1 - 0.1 * (axis[:, None] + axis)) + 0.05 * exposure.exptime
    image = np.rint(columns + signal + shifted * np.sqrt(signal + 81))
    pixels: Pixels = np.clip(image, 0, 65535).astype(np.uint16)
    return pixels


def make_noise(size: int) -> NDArray[np.float32]:
    """Make a field of normal noise, (size, size) float32 of unit variance, always the same."""
    return np.random.default_rng(1).standard_normal((size, size), dtype=np.float32)


def fits_bytes(exposure: Exposure, pixels: Pixels) -> bytes:
    """Make the bytes of a frame's file (16 bits, BZERO 32768)."""
    header: str = fits.PrimaryHDU(pixels, exposure.header()).header.tostring()
    return header.encode() + _data_unit(pixels)


def _data_unit(pixels: Pixels) -> bytes:
    stored = (pixels ^ np.uint16(0x8000)).astype(">u2").tobytes()
    return stored + bytes(-len(stored) % 2880)


def write_parameters(folder: Path, **keys: object) -> Path:
    """Write ``tape.par`` for the frames in a folder, beside it; further keys by their names."""
    lines = {"WORKDIR": folder, "SATU": 65535, "SINCE": "all", **keys}
    file = folder.with_suffix(".par")
    file.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return file


def summary(values: Sequence[float], unit: str, digits: int = 2) -> str:
    """Say smallest, median and largest of some measurements."""
    figures = (min(values), statistics.median(values), max(values))
    return "min {:.{d}f}  median {:.{d}f}  max {:.{d}f} {}".format(*figures, unit, d=digits)


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the value below which so many percent of the measurements lie."""
    return float(np.percentile(values, percent))


def command_of(*arguments: object) -> list[str]:
    """Give the command line that runs the tapewatch installed beside this Python."""
    return [str(Path(sys.executable).with_name("tapewatch")), *map(str, arguments)]


def environment() -> dict[str, str]:
    """Give the environment of what is measured.

    Python may keep what it has compiled, as where it is installed, in a place of the benchmark's.
    """
    settings = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
    return settings | {"PYTHONPYCACHEPREFIX": str(Path(gettempdir()) / "tapewatch-bench-compiled")}


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Run a command to its end; give its wall-clock time, seconds."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment())
    return time.perf_counter() - began


@dataclass(slots=True)
class PeakMemory:
    """Highest resident memory (VmHWM) of a process and of each of its descendants.

    Parameters
    ----------
    root : int
        Process ID.
    peaks : dict of int to float
        Process ID -> MB, of those that run a copy or a child of it.
    """

    root: int
    peaks: dict[int, float] = field(default_factory=dict)

    def look(self) -> None:
        """Note what every process of the tree has needed so far."""
        for process in tree_of(self.root):
            if (peak := _high_water(process)) is not None:
                self.peaks[process] = peak

    @property
    def of_root(self) -> float:
        """MB of the process itself."""
        return self.peaks[self.root]

    @property
    def of_largest_child(self) -> float:
        """MB of the descendant that needed most; 0 where there is none."""
        return max((mb for process, mb in self.peaks.items() if process != self.root), default=0.0)


def tree_of(root: int) -> Iterator[int]:
    """Give the IDs of a process and of all its descendants."""
    waiting = [root]
    while waiting:
        process = waiting.pop()
        yield process
        try:
            for task in Path(f"/proc/{process}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since


@contextmanager
def watched_memory(process: int) -> Iterator[PeakMemory]:
    """Watch the memory of a process tree while the body runs."""
    peak, over = PeakMemory(process), Event()

    def watch() -> None:
        while not over.wait(_POLL):
            peak.look()

    thread = Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def peak_memory_of(command: Sequence[str], folder: Path) -> PeakMemory:
    """Run a command to its end, watching its memory."""
    with (
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, env=environment()
        ) as process,
        watched_memory(process.pid) as peak,
    ):
        code = process.wait()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return peak


def _high_water(process: int) -> float | None:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MEGA
    return None  # it has ended, and waits to be collected


def machine() -> str:
    """Describe the machine in a line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB; Python {sys.version.split()[0]}"
