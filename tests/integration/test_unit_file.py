"""The systemd unit: systemd itself finds nothing wrong with it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tapewatch.errors import ParameterError

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "tapewatch@.service"
PROGRAM = "/opt/tapewatch/bin/tapewatch"


def verify(unit: Path) -> str:
    """Return what ``systemd-analyze verify`` says of a unit file; nothing when all is well."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    # An unknown key is only printed by some versions, so the exit code alone is not enough.
    about = [line for line in answer.stderr.splitlines() if unit.name.partition("@")[0] in line]
    return "\n".join([*about, *([f"exit {answer.returncode}"] if answer.returncode else [])])


def with_a_program(folder: Path, text: str) -> Path:
    """Write the unit with a program that every machine has, in place of the installed one."""
    unit = folder / UNIT.name
    unit.write_text(text.replace(f"ExecStart={PROGRAM}", "ExecStart=/bin/true"))
    return unit


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    assert verify(with_a_program(tmp_path, UNIT.read_text())) == ""


def test_systemd_would_find_a_misspelt_key(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("\nKillMode=", "\nKilMode=")
    assert "KilMode" in verify(with_a_program(tmp_path, text))


def test_the_instance_names_parameters_state_and_log() -> None:
    unit = UNIT.read_text()
    assert f"\nExecStart={PROGRAM} run --par /etc/tapewatch/%i/tape.par\n" in unit
    assert "\nStateDirectory=tapewatch/%i\n" in unit
    assert "\nLogsDirectory=tapewatch/%i\n" in unit


def test_bad_configuration_is_not_restarted() -> None:
    codes = re.findall(r"^RestartPreventExitStatus=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert codes == [str(ParameterError.exit_code)]
