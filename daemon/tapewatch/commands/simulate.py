"""``tapewatch simulate DIR``: a camera that writes a night of frames into a folder.

For demonstrations and trials. This is the command and the door to the simulator: which frames a
night has stands in `tapewatch.commands.night`, their pixels in `sky`, their headers in `camera`,
and how files come to disk, faults included, in `writing`.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import TextIO

from tapewatch.commands.camera import fits_bytes
from tapewatch.commands.night import DIALECTS, Exposure, Fault, Night, exposures
from tapewatch.commands.sky import Truth, pixels, truth
from tapewatch.commands.writing import (
    DEFAULT_CADENCE,
    Pause,
    Progress,
    take_night,
    write_exposure,
)
from tapewatch.errors import FatalError
from tapewatch.model import Kind

__all__ = [
    "Exposure",
    "Fault",
    "Night",
    "Truth",
    "add_arguments",
    "exposures",
    "fits_bytes",
    "pixels",
    "run",
    "take_night",
    "truth",
    "write_exposure",
]

DEFAULTS = Night()
DEFAULT_FAULTS = (Fault.SLOW, Fault.RENAMED)  # such as every camera program does
INTERRUPTED = 130  # exit code: 128 + SIGINT, as shells have it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``tapewatch simulate``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        That of the command.
    """
    add = parser.add_argument
    add("folder", metavar="DIR", type=Path, help="folder to write into; made where it is absent")
    _add_camera(parser.add_argument_group("the camera"))
    _add_plan(parser.add_argument_group("what it takes"))
    writing = parser.add_argument_group("how it writes").add_argument
    writing(
        "--faults",
        type=_fault_names,
        metavar="F,F...|none",
        help=f"each befalls one object frame: {', '.join(Fault)} ({','.join(DEFAULT_FAULTS)})",
    )
    writing(
        "--cadence",
        type=_seconds,
        default=DEFAULT_CADENCE,
        metavar="S",
        help="seconds between two files (%(default)s)",
    )
    writing("--force", action="store_true", help="even where FITS files are already")
    add("--json", action="store_true", help="tell what was written as JSON")


def _add_camera(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    ny, nx = DEFAULTS.shape
    add("--seed", type=_count, default=DEFAULTS.seed, help="of all random numbers (%(default)s)")
    add(
        "--size",
        dest="shape",
        type=_shape,
        default=DEFAULTS.shape,
        metavar="NX[xNY]",
        help=f"pixels of a frame ({nx}x{ny})",
    )
    add("--binning", type=_count, default=DEFAULTS.binning, help="in x and y (%(default)s)")
    add(
        "--dialect",
        choices=DIALECTS,
        default=DEFAULTS.dialect,
        help="header keywords and file names (%(default)s)",
    )


def _add_plan(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--start", default=DEFAULTS.start, metavar="TIME", help="of the night, UTC (%(default)s)")
    for name, what in (
        ("bias", "bias frames"),
        ("darks", "darks of each exposure time"),
        ("flats", "flats of each filter"),
        ("objects", "object frames"),
    ):
        add(
            f"--{name}",
            type=_count,
            default=getattr(DEFAULTS, name),
            metavar="N",
            help=f"number of {what} (%(default)s)",
        )
    for name, what in (("dark", "the darks"), ("object", "the object frames, in turn")):
        times = getattr(DEFAULTS, f"{name}_exposures")
        add(
            f"--{name}-exposures",
            type=_seconds_list,
            default=times,
            metavar="S,S...",
            help=f"exposure times of {what}, seconds ({','.join(f'{s:g}' for s in times)})",
        )
    add(
        "--filters",
        type=_names,
        default=DEFAULTS.filters,
        metavar="F,F...",
        help=f"their names ({','.join(DEFAULTS.filters)})",
    )


def run(arguments: argparse.Namespace, pause: Pause = time.sleep) -> int:
    """Carry out ``tapewatch simulate``: progress on stderr, what was written on stdout.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of `add_arguments`.
    pause : callable
        Waits the given seconds.

    Returns
    -------
    int
        0, or 130 where Ctrl-C ended it; the file then being written stays as it is, as when a
        camera program is stopped.

    Raises
    ------
    ParameterError
        Where no camera could take such a night.
    FatalError
        Where the folder holds FITS files already or cannot be written.
    """
    night = _night(arguments)
    folder: Path = arguments.folder
    written: list[Exposure] = []
    show = _progress_line(sys.stderr)

    def note(number: int, total: int, exposure: Exposure) -> None:
        written.append(exposure)
        show(number, total, exposure)

    try:
        take_night(folder, night, arguments.cadence, note, force=arguments.force, pause=pause)
    except KeyboardInterrupt:
        fresh_line = "\n" if sys.stderr.isatty() else ""
        print(f"{fresh_line}stopped after {len(written)} frames", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        raise FatalError(f"{error.filename or folder}: {error.strerror}") from error
    print(_as_json(folder, written) if arguments.json else _as_line(folder, written))
    return 0


def _night(arguments: argparse.Namespace) -> Night:
    """Return the night that the options describe; each has the name of a field."""
    options = {field.name: getattr(arguments, field.name) for field in fields(Night)}
    if options["faults"] is None:
        options["faults"] = DEFAULT_FAULTS[: arguments.objects]
    return Night(**options)


def _progress_line(stream: TextIO) -> Progress:
    """Return what shows progress: one line that is written over on a terminal, else many."""
    terminal = stream.isatty()

    def show(number: int, total: int, exposure: Exposure) -> None:
        width = len(str(total))
        text = f"[{number:{width}d}/{total}] {exposure.name} {exposure.exptime:g} s"
        text = " ".join((text, exposure.filter, exposure.fault or "")).rstrip()
        if terminal:
            ending = "\n" if number == total else ""
            print(f"\r\x1b[K{text}", end=ending, file=stream, flush=True)
        else:
            print(text, file=stream, flush=True)

    return show


def _counts(written: list[Exposure]) -> dict[str, int]:
    counts = Counter(exposure.kind for exposure in written)
    return {str(kind): counts[kind] for kind in Kind if counts[kind]}


def _as_line(folder: Path, written: list[Exposure]) -> str:
    counts = ", ".join(f"{number} {kind}" for kind, number in _counts(written).items())
    return f"{len(written)} frames written to {folder}: {counts or 'nothing was asked for'}"


def _as_json(folder: Path, written: list[Exposure]) -> str:
    faults = {exposure.name: exposure.fault for exposure in written if exposure.fault}
    names = [exposure.name for exposure in written]
    answer = {"folder": str(folder), "counts": _counts(written), "faults": faults, "files": names}
    return json.dumps(answer)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def _shape(text: str) -> tuple[int, int]:
    """Read ``NX`` or ``NXxNY``; return (ny, nx)."""
    nx, _, ny = text.lower().partition("x")
    return _count(ny or nx), _count(nx)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return seconds


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _seconds_list(text: str) -> tuple[float, ...]:
    return tuple(_seconds(name) for name in _names(text))


def _fault_names(text: str) -> tuple[str, ...]:
    names = () if text.strip().lower() == "none" else _names(text)
    for name in names:
        if name not in tuple(Fault):
            raise argparse.ArgumentTypeError(f"{name!r}: allowed are none, {', '.join(Fault)}")
    return names
