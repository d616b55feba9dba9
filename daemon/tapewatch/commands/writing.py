"""How the simulated camera's files come to disk: one after the other, faults included."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tapewatch.commands.camera import BLOCK, fits_bytes, solver_cards
from tapewatch.commands.night import Exposure, Fault, Night, exposures
from tapewatch.errors import FatalError

Pause = Callable[[float], None]
Progress = Callable[[int, int, Exposure], None]

DEFAULT_CADENCE = 0.2  # seconds
PIECES = 8
PIECE_SECONDS = 0.125
RENAME_SECONDS = 0.5
PIXELS_SECONDS = 1.0
SOLVER_SECONDS = (5.0, 9.0)  # after the file was closed, and after that again
TEMPORARY_SUFFIX = ".tmp"
_SUFFIXES = (".fit", ".fits", ".fts")
_PACKED = (".gz", ".bz2", ".fz")


def take_night(
    folder: Path,
    night: Night,
    cadence: float = DEFAULT_CADENCE,
    progress: Progress | None = None,
    *,
    force: bool = False,
    pause: Pause = time.sleep,
) -> tuple[Path, ...]:
    """Write all frames of a night into a folder, in camera order.

    Parameters
    ----------
    folder : Path
        Where to; made where it is absent.
    night : Night
        What to take.
    cadence : float
        Seconds between two files; 0 for none.
    progress : callable or None
        Told after each file: its number from 1, how many there are, and the exposure.
    force : bool
        Write into a folder that holds FITS files already, over those of the same names.
    pause : callable
        Waits the given seconds.

    Returns
    -------
    tuple of Path
        The files, in the order of writing.

    Raises
    ------
    FatalError
        Where the folder holds FITS files already.
    OSError
        Where the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not force:
        _refuse_frames(folder)
    plan = exposures(night)
    paths = []
    for number, exposure in enumerate(plan, start=1):
        paths.append(write_exposure(folder, night, exposure, pause))
        if progress is not None:
            progress(number, len(plan), exposure)
        if cadence > 0 and number < len(plan):
            pause(cadence)
    return tuple(paths)


def _refuse_frames(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        for packed in _PACKED:
            name = name.removesuffix(packed)
        if name.endswith(_SUFFIXES):
            raise FatalError(
                f"{folder} holds FITS files already ({path.name}): "
                "simulate writes into a folder without any, or anywhere with --force"
            )


def write_exposure(
    folder: Path, night: Night, exposure: Exposure, pause: Pause = time.sleep
) -> Path:
    """Take one exposure and write its file as the camera does.

    Parameters
    ----------
    folder : Path
        Where to.
    night : Night
        Camera, dialect and seed.
    exposure : Exposure
        One of the night's; its fault decides how the file comes to disk.
    pause : callable
        Waits the given seconds between two steps of a fault.

    Returns
    -------
    Path
        The file, as far as the camera will ever write it.

    Raises
    ------
    OSError
        Where the disk refuses.
    """
    path = folder / exposure.name
    content = fits_bytes(night, exposure)
    match exposure.fault:
        case None | Fault.NOTYPE:
            path.write_bytes(content)
        case Fault.SLOW:
            _slowly(path, content, pause)
        case Fault.REOPENED:
            _reopened(path, content, pause)
        case Fault.RENAMED:
            _renamed(path, content, pause)
        case Fault.TRUNCATED:
            path.write_bytes(content[: len(content) // 2])
        case Fault.PREALLOCATED:
            _preallocated(path, content, pause)
        case Fault.REWRITTEN:
            path.write_bytes(content)
            for seconds, extra in zip(SOLVER_SECONDS, solver_cards(night, exposure), strict=True):
                pause(seconds)
                path.write_bytes(fits_bytes(night, exposure, extra))
    return path


def _pieces(content: bytes) -> Iterator[bytes]:
    """Cut into `PIECES` parts that do not end where FITS blocks do."""
    size = -(-len(content) // PIECES)
    size += size % BLOCK == 0
    for first in range(0, len(content), size):
        yield content[first : first + size]


def _slowly(path: Path, content: bytes, pause: Pause) -> None:
    with path.open("wb") as file:
        for piece in _pieces(content):
            file.write(piece)
            file.flush()
            pause(PIECE_SECONDS)


def _reopened(path: Path, content: bytes, pause: Pause) -> None:
    path.write_bytes(b"")
    for piece in _pieces(content):
        with path.open("ab") as file:
            file.write(piece)
        pause(PIECE_SECONDS)


def _renamed(path: Path, content: bytes, pause: Pause) -> None:
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    temporary.write_bytes(content)
    pause(RENAME_SECONDS)
    temporary.replace(path)


def _preallocated(path: Path, content: bytes, pause: Pause) -> None:
    header = content[: _header_length(content)]
    with path.open("wb") as file:
        file.write(header)
        # Real zeros, no hole: the file has its full size and opens as an image without pixels.
        file.write(bytes(len(content) - len(header)))
        file.flush()
        pause(PIXELS_SECONDS)
        file.seek(len(header))
        file.write(content[len(header) :])


def _header_length(content: bytes) -> int:
    """Return the bytes of the blocks up to the one with the END card."""
    end = next(
        first for first in range(0, len(content), 80) if content[first : first + 8] == b"END     "
    )
    return (end // BLOCK + 1) * BLOCK
