"""The commands that tell: status, masters, why, check; their words, JSON and exit codes."""

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from support_frames import write_raw
from support_night import COMMAND, PATIENCE, ask, take, tapewatch, write_par
from tapewatch import __version__
from tapewatch.commands.simulate import Night
from tapewatch.ledger import Ledger
from tapewatch.model import State
from tapewatch.parameters import KEYS

README = Path(__file__).resolve().parents[2] / "README.md"
NIGHT = Night(shape=(24, 32), bias=3, darks=3, flats=3, filters=("R",), objects=2)
COMMANDS = (
    *(
        "run",
        "once",
        "status",
        "masters",
        "why",
        "verify",
        "mark",
        "retry",
        "tail",
        "check",
        "simulate",
    ),
)
OPTIONS = {
    "run": ("--par", "--workdir"),
    "once": ("--par", "--workdir"),
    "status": ("--par", "--workdir", "--json", "--wait"),
    "masters": ("--par", "--workdir", "--json"),
    "why": ("--par", "--workdir", "--json", "FILE"),
    "verify": ("--par", "--workdir", "--json", "FILE"),
    "retry": ("--par", "--workdir", "FILE"),
    "mark": ("--par", "--workdir", "bad", "good", "FILE", "--why"),
    "tail": ("--par", "--workdir", "-n"),
    "check": ("--par", "--workdir", "--json"),
    "simulate": ("--json", "--seed", "--size", "--faults", "--cadence", "--dialect", "DIR"),
}
FRAME_FIELDS = {
    *("file", "kind", "state", "reason", "filter", "exptime", "date_obs", "masters", "flags"),
    "product",
}
MASTER_FIELDS = {
    *("file", "id", "kind", "filter", "exptime", "frames", "in_use", "built", "mean", "std"),
}
HEALTH_FIELDS = {"running", "pid", "host", "started", "watching", "state", "log", "trouble"} | {
    "by",
    "found_by_scan",
    "set_aside",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tapewatch to its end, in a process of its own."""
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
    )


@pytest.fixture(scope="module")
def par(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a night that was processed: 2 frames are done, 1 waits for a flat, 1 is no frame."""
    folder = tmp_path_factory.mktemp("night")
    take(folder, NIGHT)
    raw = folder / "M13_R_0001.fit"
    shutil.copyfile(raw, folder / "M13_V_0001.fit")
    fits.setval(folder / "M13_V_0001.fit", "FILTER", value="V")
    (folder / "notes\n\x1b[31m.fits").write_text("clouds after midnight\n" * 200)
    par = write_par(folder, MINFREE=0, WORKERS=1, ONMISSING="wait")
    assert tapewatch("once", par).code == 0
    return par


def answer(command: str, par: Path, *options: str) -> dict[str, Any]:
    """Give the JSON that a command prints, which must be all of its output."""
    ended = ask(command, par, "--json", *options)
    assert (ended.code, ended.errors) == (0, "")

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    found: dict[str, Any] = json.loads(ended.output, parse_constant=refuse)
    return found


def test_status_as_json_has_the_promised_fields(par: Path) -> None:
    status = answer("status", par)
    assert set(status) == {"frames", "masters", "counts", "health"}
    assert all(set(frame) == FRAME_FIELDS for frame in status["frames"])
    assert all(set(master) == MASTER_FIELDS for master in status["masters"])
    assert set(status["health"]) == HEALTH_FIELDS
    assert status["counts"] == Counter(frame["state"] for frame in status["frames"])
    assert status["counts"] == {"done": 14, "waiting": 1, "rejected": 1}
    kinds = Counter(frame["kind"] for frame in status["frames"])
    assert kinds == {"bias": 3, "dark": 6, "flat": 3, "object": 3, "other": 1}


def test_status_as_json_tells_all_of_a_frame(par: Path) -> None:
    frames = {frame["file"]: frame for frame in answer("status", par)["frames"]}
    done = frames["M13_R_0001.fit"]
    assert (done["kind"], done["state"], done["filter"]) == ("object", "done", "R")
    assert (done["exptime"], done["flags"], done["product"]) == (60.0, [], "wM13_R_0001.fit")
    header = fits.getheader(par.parent / done["product"])
    for kind, name in done["masters"].items():
        assert fits.getheader(par.parent / name)["TWID"] == header[f"TW{kind.upper()}"]
    assert set(done["masters"]) == {"bias", "dark", "flat"}
    waiting = frames["M13_V_0001.fit"]
    assert (waiting["state"], waiting["masters"], waiting["product"]) == ("waiting", {}, None)
    assert "flat V" in waiting["reason"]
    assert all(frame["reason"] for frame in frames.values())


def test_health_tells_whether_a_tapewatch_runs_and_where_all_is(par: Path) -> None:
    health = answer("status", par)["health"]
    assert (health["running"], health["trouble"]) == (False, "")
    assert health["watching"] == str(par.parent)
    assert Path(health["state"]).is_file()
    assert Path(health["log"]).is_file()


def test_status_for_a_person_names_what_is_open_and_is_safe_to_print(par: Path) -> None:
    ended = ask("status", par)
    assert ended.code == 0
    assert "does not run now" in ended.output
    assert "14 done, 1 rejected, 1 waiting" in ended.output
    assert re.search(r"M13_V_0001\.fit +object +V +60 +waiting +waits: for a master", ended.output)
    assert re.search(r"M13_R_0001\.fit +object +R +60 +done ", ended.output)
    assert "masters in use: bias, dark 60 s, dark 120 s, flat R" in ended.output
    assert all(line.isprintable() for line in ended.output.splitlines())


def test_status_can_wait_until_all_is_decided_and_says_when_it_is_not(par: Path) -> None:
    assert ask("status", par, "--wait", "0.1").code == 1


def test_masters_as_json_and_as_a_table(par: Path) -> None:
    masters = answer("masters", par)
    assert set(masters) == {"masters"}
    assert [(one["kind"], one["frames"]) for one in masters["masters"]] == [
        ("bias", 3),
        ("dark", 3),
        ("dark", 3),
        ("flat", 3),
    ]
    table = ask("masters", par).output.splitlines()
    assert re.split(" {2,}", table[0]) == [
        *("MASTER", "AGE", "FRAMES", "MEAN", "STD", "NOISE", "PRODUCTS", "USE", "FILE"),
    ]
    for one, line in zip(masters["masters"], table[1:], strict=True):
        image = fits.getdata(par.parent / one["file"]).astype("f8")
        assert (one["mean"], one["std"]) == pytest.approx((image.mean(), image.std()), rel=1e-6)
        assert one["in_use"] is True
        assert line.endswith(one["file"])


def test_why_tells_of_a_frame_that_is_done_its_masters(par: Path) -> None:
    why = answer("why", par, "M13_R_0001.fit")
    assert set(why) == FRAME_FIELDS | {"candidates", "set"}
    assert why["state"] == "done"
    chosen = [one["master"] for one in why["candidates"] if one["verdict"] == "chosen"]
    assert sorted(chosen) == sorted(why["masters"].values())
    text = ask("why", par, "M13_R_0001.fit").output
    assert text.startswith("M13_R_0001.fit: done\n")
    assert f"  flat: {why['masters']['flat']}\n" in text


def test_why_tells_of_a_frame_that_waits_which_master_does_not_suit_and_why(par: Path) -> None:
    text = ask("why", par, "M13_V_0001.fit").output
    assert text.startswith("M13_V_0001.fit: waiting\n")
    assert re.search(
        r"flat R [-\d]{10}: does not suit: filter R, frame V \[masters/wflatR-\w+\.fits\]", text
    )


def test_why_knows_a_frame_by_any_path_that_leads_to_it(
    par: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(par.parent)
    monkeypatch.chdir(par.parent.parent)
    for path in (
        "M13_R_0001.fit",
        str(par.parent / "M13_R_0001.fit"),
        f"{par.parent.name}/M13_R_0001.fit",
        f"{par.parent.name}/../{par.parent.name}/M13_R_0001.fit",
        str(link / "M13_R_0001.fit"),
    ):
        assert ask("why", par, path).output.startswith("M13_R_0001.fit: done\n"), path


def test_why_of_an_unknown_frame_fails_with_a_word(par: Path) -> None:
    ended = ask("why", par, "nothing\n.fits")
    assert (ended.code, ended.output) == (1, "")
    assert ended.errors.startswith("tapewatch: ")
    assert "not known" in ended.errors
    assert ended.errors.count("\n") == 1


def test_check_says_what_would_be_done(par: Path) -> None:
    check = answer("check", par)
    files = [path for path in par.parent.iterdir() if ".fit" in path.name]
    assert (check["files"], check["running"]) == (len(files), False)
    assert check["bytes"] == sum(path.stat().st_size for path in files)
    decisions = {one["what"]: (one["decision"], one["files"]) for one in check["frames"]}
    assert decisions["bias"] == ("combined", 3)
    assert decisions["object V 60 s"] == ("calibrated", 1)
    assert decisions["product of tapewatch"] == ("left alone", 4 + 2)
    assert decisions["other"][0].startswith("set aside: ")
    text = ask("check", par).output
    assert re.search(r"3 +flat R +combined", text)
    assert all(line.isprintable() for line in text.splitlines())


def test_check_writes_nothing_and_needs_no_frames(tmp_path: Path) -> None:
    par = write_par(tmp_path)
    assert answer("check", par)["files"] == 0
    assert "0 files" in ask("check", par).output
    assert list(tmp_path.iterdir()) == [par]


def test_check_reads_real_frames_of_all_sorts(real_data: Path, tmp_path: Path) -> None:
    par = write_par(tmp_path, OUTDIR=tmp_path / "out", WATCHDIR=real_data, WORKDIR=real_data)
    check = answer("check", par)
    assert check["files"] > 100
    assert sum(group["files"] for group in check["frames"]) == check["files"]
    assert all(group["decision"] for group in check["frames"])
    assert list(tmp_path.iterdir()) == [par]


def test_a_folder_where_none_has_worked_is_said_to_be_so(tmp_path: Path) -> None:
    par = write_par(tmp_path)
    for command in ("status", "masters", "tail"):
        ended = ask(command, par)
        assert (ended.code, ended.output) == (1, "")
        assert ended.errors.startswith("tapewatch: no ")


def test_workdir_takes_the_place_of_the_one_in_the_file(par: Path, tmp_path: Path) -> None:
    other = write_par(tmp_path)
    assert len(answer("status", other, "--workdir", str(par.parent))["frames"]) == 16


def test_a_bad_parameter_file_ends_with_78_and_touches_nothing(tmp_path: Path) -> None:
    par = write_par(tmp_path, NBIAS="many")
    for command in ("run", "once", "status", "check"):
        ended = ask(command, par)
        assert (ended.code, ended.output) == (78, "")
        assert re.search(r"tape\.par, line 2: NBIAS many: allowed is", ended.errors)
    assert ask("once", tmp_path / "absent.par").code == 78
    assert list(tmp_path.iterdir()) == [par]


@pytest.mark.parametrize("arguments", [(), ("nap",), ("why",), ("status", "--colour")])
def test_what_is_no_command_ends_with_2(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "usage: tapewatch" in ended.stderr


def test_a_folder_that_another_tapewatch_holds_ends_with_75(tmp_path: Path) -> None:
    par = write_par(tmp_path)
    (tmp_path / ".tapewatch").mkdir()
    with (tmp_path / ".tapewatch" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in ("run", "once"):
            ended = ask(command, par)
            assert (ended.code, ended.output) == (75, "")
            assert f"another tapewatch holds {tmp_path}" in ended.errors


def test_once_ends_with_1_where_a_frame_failed(tmp_path: Path) -> None:
    par = write_par(tmp_path, MINFREE=0)
    write_raw(tmp_path / "bias.fits", IMAGETYP="bias")
    assert tapewatch("once", par).code == 0
    with Ledger(tmp_path / ".tapewatch" / "state.sqlite") as ledger:
        ledger.set_verdicts([("bias.fits", State.FAILED, "tried 3 times")])
    assert tapewatch("once", par).code == 1


def test_once_ends_with_1_where_the_output_disk_is_full(tmp_path: Path) -> None:
    par = write_par(tmp_path, MINFREE=99)
    write_raw(tmp_path / "bias.fits", IMAGETYP="bias")
    ended = tapewatch("once", par)
    assert ended.code == 1
    assert "MINFREE is 99 %" in ended.events("service.degraded")[0]["reason"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_all_options(command: str) -> None:
    ended = run(command, "--help")
    assert ended.returncode == 0
    for option in OPTIONS[command]:
        assert option in ended.stdout


def test_help_names_every_command_and_exit_code() -> None:
    text = run("--help").stdout
    for word in (*COMMANDS, "0 done", "75", "78"):
        assert re.search(rf"\b{word}\b", text)


def test_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"tapewatch {__version__}\n"


@pytest.mark.parametrize("command", ["status", "masters", "check", "tail"])
def test_a_reader_that_went_away_leaves_no_traceback(par: Path, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [COMMAND, command, "--par", str(par)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE,
        # Python must keep what it prints until the end, as it does where nobody says otherwise.
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_the_readme_names_every_command_and_key() -> None:
    text = README.read_text()
    missing = [name for name in COMMANDS if f"tapewatch {name}" not in text]
    missing += [key.name for key in KEYS if not re.search(rf"\b{key.name}\b", text)]
    assert not missing
