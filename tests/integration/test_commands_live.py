"""The commands that take their time: tail and simulate, each in a process of its own."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from astropy.io import fits

from support_night import COMMAND, PATIENCE, tapewatch, write_par
from tapewatch.cli import main

OLD = '{"timestamp": "2026-03-25T18:00:00.0Z", "level": "info", "event": "frame.waiting", "file": '


def line(name: str) -> str:
    """Make a line of the log about a file."""
    return f'{OLD}"{name}"}}\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Make a folder where a tapewatch has worked, and give its log."""
    assert tapewatch("once", write_par(tmp_path)).code == 0
    return tmp_path / ".tapewatch" / "tapewatch.jsonl"


@contextmanager
def tailing(log: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``tapewatch tail`` in the block."""
    with subprocess.Popen(
        [COMMAND, "tail", "--par", str(log.parent.parent / "tape.par"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_tail_shows_the_last_lines_and_new_ones_until_ctrl_c(log: Path) -> None:
    with log.open("a") as file:
        file.write(line("a.fits") + line("b.fits"))
    with tailing(log, "-n", "1") as process:
        assert next_line(process) == "18:00:00 [info     ] frame.waiting      file=b.fits\n"
        with log.open("a") as file:
            file.write(line("c.fits") + "torn by a\x1b crash\n" + line("d.fits"))
        assert next_line(process).endswith("file=c.fits\n")
        assert next_line(process) == "'torn by a\\x1b crash'\n"
        assert next_line(process).endswith("file=d.fits\n")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("emptied", [False, True])
def test_tail_goes_on_where_the_log_was_rotated(log: Path, *, emptied: bool) -> None:
    log.write_text(line("a.fits") * 100)
    with tailing(log, "-n", "1") as process:
        next_line(process)
        if emptied:
            log.write_text(line("b.fits"))
        else:
            log.rename(log.with_suffix(".old"))
            log.write_text(line("b.fits"))
        assert next_line(process).endswith("file=b.fits\n")


def test_tail_waits_for_the_rest_of_a_line(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = iter((line("a.fits")[:40], line("a.fits")[40:]))

    def write_the_next_piece(_: float) -> None:
        piece = next(pieces, None)
        if piece is None:
            raise KeyboardInterrupt
        with log.open("a") as file:
            file.write(piece)

    monkeypatch.setattr("tapewatch.commands.tail.time.sleep", write_the_next_piece)
    assert main(["tail", "--par", str(log.parent.parent / "tape.par"), "-n", "0"]) == 0
    assert capsys.readouterr().out == "18:00:00 [info     ] frame.waiting      file=a.fits\n"


def test_tail_of_a_log_that_is_gone_fails_with_a_word(log: Path) -> None:
    log.unlink()
    ended = tapewatch("tail", log.parent.parent / "tape.par")
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors == f"tapewatch: {log} cannot be read: No such file or directory\n"


def test_tail_of_a_log_that_is_off_fails_with_a_word(tmp_path: Path) -> None:
    par = write_par(tmp_path, JSONLOG="off")
    assert tapewatch("once", par).code == 0
    ended = tapewatch("tail", par)
    assert (ended.code, ended.output) == (1, "")
    assert "JSONLOG" in ended.errors


def simulate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Have a small night simulated without pauses."""
    size = ("--size", "32x24", "--bias", "1", "--darks", "1", "--flats", "1", "--objects", "2")
    return subprocess.run(
        [COMMAND, "simulate", str(folder), *size, "--cadence", "0", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_simulate_writes_a_night_and_tells_what_it_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    done = simulate(folder, "--faults", "notype", "--filters", "R", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["counts"] == {"bias": 1, "dark": 2, "flat": 1, "object": 2}
    assert list(answer["faults"].values()) == ["notype"]
    assert sorted(answer["files"]) == sorted(path.name for path in folder.iterdir())
    assert done.stderr.count("\n") == 6  # progress
    for name in answer["files"]:
        image, header = fits.getdata(folder / name, header=True)
        assert image.shape == (24, 32)
        assert ("IMAGETYP" in header) == (name not in answer["faults"])


def test_simulate_leaves_frames_that_are_there_alone(tmp_path: Path) -> None:
    assert simulate(tmp_path, "--faults", "none").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = simulate(tmp_path, "--faults", "none")
    assert (again.returncode, again.stdout) == (1, "")
    assert "--force" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "code"), [(("--size", "none"), 2), (("--faults", "x"), 2), (("--binning", "0"), 78)]
)
def test_simulate_refuses_a_night_that_no_camera_could_take(
    tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    done = simulate(tmp_path / "night", *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr
    assert not (tmp_path / "night").exists()
