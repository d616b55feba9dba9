"""Nights in a folder: frames to put there, tapewatch run on them, and what must come out."""

import io
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

import notebook
from tapewatch.cli import main
from tapewatch.commands.simulate import Night, take_night

Line = dict[str, Any]

COMMAND = str(Path(sysconfig.get_path("scripts")) / "tapewatch")
PATIENCE = 60.0  # seconds until a test gives up waiting for the log

# One night of each dialect: sets of even and of odd size, two darks, two filters, and an exposure
# time (90 s) just between those of the darks.
NIGHTS = {
    "tape": Night(
        shape=(48, 64),
        bias=4,
        darks=5,
        flats=4,
        objects=8,
        object_exposures=(60.0, 90.0, 200.0),
        dialect="tape",
    ),
    "maxim": Night(
        shape=(50, 34),
        bias=5,
        darks=4,
        flats=3,
        objects=8,
        object_exposures=(120.0, 90.0, 30.0),
        dialect="maxim",
    ),
}

# What makes a daemon as quick as a test wants it.
# Frames wait for all of their masters, so that each is calibrated once.
QUICK = {"SETTLE": 0.2, "RESCAN": 1, "SETQUIET": 1, "ONMISSING": "wait"}


def set_sizes(night: Night) -> dict[str, int]:
    """Give NBIAS, NDARK and NFLAT as a simulated night has them."""
    return {"NBIAS": night.bias, "NDARK": night.darks, "NFLAT": night.flats}


def write_par(folder: Path, **keys: object) -> Path:
    """Write a tape.par for a folder; of what is not said the defaults hold."""
    path = folder / "tape.par"
    lines = {"WORKDIR": ".", **keys}
    path.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return path


def take(folder: Path, night: Night) -> list[Path]:
    """Write a simulated night's frames at once."""
    return list(take_night(folder, night, 0.0, pause=lambda _: None))


def copy_frames(source: Path, folder: Path) -> list[Path]:
    """Copy real frames, which may be read-only, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(path, folder / path.name)) for path in sorted(source.iterdir())]


def state_of(path: Path) -> tuple[int, int, int, bytes]:
    """Give what must stay the same of a file that nobody touches."""
    return *stamp_of(path), path.read_bytes()


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Give what reading a file, folder or link leaves as it is, unlike its access time."""
    found = path.lstat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def states_below(folder: Path, pattern: str) -> dict[str, tuple[int, int, int, bytes]]:
    """`state_of` each file of a pattern, by its name relative to the folder."""
    return {str(path.relative_to(folder)): state_of(path) for path in folder.glob(pattern)}


def assert_same_pixels(path: Path, expected: NDArray[np.float32]) -> None:
    """See that a file holds an image to the last bit, NaN where the expected is not finite."""
    image, _ = notebook.read(path)
    assert image.shape == expected.shape, path
    assert image.dtype.kind == "f", path
    assert image.dtype.itemsize == expected.dtype.itemsize == 4, path
    finite = np.isfinite(expected)
    assert np.isnan(image[~finite]).all(), path
    ours, theirs = (np.ascontiguousarray(one, dtype="<f4") for one in (image, expected))
    differ = (ours.view(np.uint32) != theirs.view(np.uint32)) & finite
    assert not differ.any(), f"{path.name}: {differ.sum()} of {differ.size} pixels differ"


def assert_as_the_notebook(folder: Path, raws: list[Path]) -> notebook.Night:
    """See that a folder holds just the masters, products and lists that the notebook would make."""
    expected = notebook.process(raws)
    names = {path.name for path in folder.glob("w*.fit*")}
    assert names == {f"{stem}.fits" for stem in expected.masters} | set(expected.products)
    for stem, image in expected.masters.items():
        assert_same_pixels(folder / f"{stem}.fits", image)
    for name, image in expected.products.items():
        assert_same_pixels(folder / name, image)
    lists = {path.stem: path.read_text().splitlines() for path in folder.glob("*.list")}
    assert lists == expected.lists
    return expected


def assert_whole(path: Path) -> None:
    """See that a FITS file is complete and its checksums are those of its bytes."""
    with fits.open(path, memmap=False) as hdus:
        hdus.verify("exception")
        assert sum(hdu.filebytes() for hdu in hdus) == path.stat().st_size, path
        for hdu in hdus:
            assert hdu.data is not None, path
            assert hdu.verify_datasum() == hdu.verify_checksum() == 1, path


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, its log (or JSON answer) and what it complained."""

    code: int
    output: str
    errors: str

    @property
    def lines(self) -> list[Line]:
        """Lines of its log."""
        return [json.loads(line) for line in self.output.splitlines()]

    def events(self, event: str) -> list[Line]:
        """Lines of one event."""
        return [line for line in self.lines if line["event"] == event]


def tapewatch(
    command: str, par: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a command of tapewatch to its end, as the first of a process group."""
    done = subprocess.run(
        [COMMAND, command, "--par", str(par), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=environment,
        process_group=0,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def ask(command: str, par: Path, *options: str) -> Ended:
    """Run a command to its end, in this process: most of a command's time is Python's start."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        code = main([command, "--par", str(par), *options])
    return Ended(code, output.getvalue(), errors.getvalue())


def frames_by_name(par: Path) -> dict[str, Line]:
    """Give what ``status --json`` says of each frame."""
    answer = json.loads(tapewatch("status", par, "--json").output)
    return {frame["file"]: frame for frame in answer["frames"]}


class Daemon:
    """``tapewatch run`` in a process of its own, its log read line by line as it comes."""

    def __init__(
        self,
        par: Path,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> None:
        self.lines: list[Line] = []
        self._news = threading.Condition()
        self._ended = False
        # A file, not a pipe: whatever is written there, nobody has to read it meanwhile.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `close`)
        self.process = subprocess.Popen(
            [*before, COMMAND, "run", "--par", str(par)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, name="log reader")
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            with self._news:
                self.lines.append(json.loads(text))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def events(self, event: str, **fields: object) -> list[Line]:
        """Give the lines so far of one event whose fields have the given values."""
        with self._news:
            return [
                line
                for line in self.lines
                if line["event"] == event
                and all(line.get(key) == value for key, value in fields.items())
            ]

    def wait_for(self, event: str, count: int = 1, **fields: object) -> list[Line]:
        """Wait until the log has so many lines of an event."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while len(found := self.events(event, **fields)) < count:
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "the daemon has ended" if self._ended else f"{PATIENCE} s have gone by"
                    raise AssertionError(
                        f"{len(found)} of {count} {event} {fields}, and {why}; {self.errors()!r};"
                        f" last lines: {self.lines[-5:]}"
                    )
                self._news.wait(left)
        return found

    def pause(self) -> None:
        """Stop the daemon's own process, until `resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; give the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def errors(self) -> str:
        """Give what the daemon wrote on stderr."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def close(self) -> None:
        """End the daemon and all it has started, whatever state they are in."""
        with suppress(ProcessLookupError):  # what is left of it would keep its log open
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()


@contextmanager
def running(
    par: Path, environment: Mapping[str, str] | None = None, before: Sequence[str] = ()
) -> Iterator[Daemon]:
    """Run the daemon until the end of the block, ready at its begin.

    Parameters
    ----------
    par : Path
        Its tape.par.
    environment : mapping of str to str, or None
        Its environment, where it is not that of the test.
    before : sequence of str
        A command that starts the one given to it, with fewer rights, say.
    """
    daemon = Daemon(par, environment, before)
    try:
        daemon.wait_for("service.ready")
        yield daemon
    finally:
        daemon.close()


def appear(path: Path, content: bytes) -> None:
    """Make a file appear whole: written elsewhere on the same disk, and renamed."""
    outside = path.parent.parent / f"{path.name}.outside"
    outside.write_bytes(content)
    outside.replace(path)
