"""The service under a real systemd: installed as a user would, on a machine of its own.

The tests share the machine and the service, and each leaves the service running.
"""

import json
import re
from collections.abc import Iterator

import pytest

from support import eventually
from support_systemd import Machine, booted

# The first test waits for the machine: what it needs may come from far away.
pytestmark = pytest.mark.timeout(600)

UNIT = "tapewatch@dome.service"
NIGHT = "/home/camera/night"
PAR = "/etc/tapewatch/dome/tape.par"
KEYS = f"WORKDIR {NIGHT}\nSETTLE 0.2\nSETQUIET 1\nRESCAN 1\n"
SIGNS_OF_LIFE = "5"  # WatchdogSec, lest the test of a hung loop take a minute


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Machine with the service installed and started, for the folder of a camera's user."""
    with booted(tmp_path_factory.mktemp("machine")) as found:
        found.shell("cd /checkout && make install")
        found.shell(f"useradd --create-home camera; install -d -o camera -g camera -m 2775 {NIGHT}")
        found.shell("chmod 700 /home/camera")
        found.write("/root/dome.par", KEYS)
        found.shell("cd /checkout && make instance NAME=dome PAR=/root/dome.par")
        found.write(
            f"/etc/systemd/system/{UNIT}.d/test.conf", f"[Service]\nWatchdogSec={SIGNS_OF_LIFE}\n"
        )
        found.run("systemctl", "daemon-reload")
        found.run("systemctl", "start", UNIT)
        yield found


def counts(machine: Machine) -> dict[str, int]:
    """Give how many frames are in which state, as who observes asks."""
    answer = machine.shell(f"tapewatch status --json --par {PAR}", user="camera")
    found: dict[str, int] = json.loads(answer)["counts"]
    return found


def main_pid(machine: Machine) -> str:
    return machine.show(UNIT, "MainPID")


def restarts(machine: Machine) -> int:
    return int(machine.show(UNIT, "NRestarts"))


def take(machine: Machine, seed: int) -> None:
    """Have the camera's user write a night into a folder that its group may write."""
    folder = f"{NIGHT}/night{seed}"
    machine.shell(
        f"umask 002; tapewatch simulate {folder} --cadence 0 --seed {seed}", user="camera"
    )


def test_started_means_ready(machine: Machine) -> None:
    # `systemctl start` returned when the daemon had said READY=1.
    assert machine.show(UNIT, "ActiveState") == "active"
    machine.wait_for_event(UNIT, "service.ready")
    eventually(lambda: machine.show(UNIT, "StatusText").startswith("frames:"))


def test_a_night_that_another_user_writes_is_calibrated(machine: Machine) -> None:
    take(machine, 1)
    machine.wait_for_event(UNIT, "frame.calibrated", 10)
    eventually(lambda: counts(machine) == {"done": 35}, timeout=60)
    owners = machine.shell(f"stat -c '%U %G %a' {NIGHT}/night1/wM13_R_0001.fit")
    assert owners.split() == ["tapewatch", "camera", "644"]
    eventually(lambda: "35 done" in machine.show(UNIT, "StatusText"), timeout=20)


def test_journal_lines_have_their_priorities(machine: Machine) -> None:
    machine.shell(f"echo this is no image > {NIGHT}/notes.fits", user="camera")
    (rejected, *_) = machine.wait_for_event(UNIT, "frame.rejected")
    assert rejected["PRIORITY"] == "4"
    assert machine.events(UNIT, "frame.calibrated")[0]["PRIORITY"] == "6"
    machine.shell(f"rm {NIGHT}/notes.fits", user="camera")


def test_a_reload_takes_up_new_parameters(machine: Machine) -> None:
    pid = main_pid(machine)
    machine.write(PAR, KEYS + "NBIAS 7\n")
    machine.run("systemctl", "reload", UNIT)
    machine.wait_for_event(UNIT, "service.reloading")
    ready = len(machine.wait_for_event(UNIT, "service.ready", 2))
    eventually(lambda: machine.show(UNIT, "ActiveState") == "active")
    machine.write(PAR, KEYS + "NBIAS many\n")
    machine.run("systemctl", "reload", UNIT)
    (refused,) = machine.wait_for_event(UNIT, "parameters.refused")
    assert refused["PRIORITY"] == "3"
    assert "NBIAS many" in refused["line"]["reason"]
    machine.write(PAR, KEYS)
    machine.run("systemctl", "reload", UNIT)
    machine.wait_for_event(UNIT, "service.ready", ready + 1)
    assert main_pid(machine) == pid


def test_after_a_kill_it_is_started_again_and_catches_up(machine: Machine) -> None:
    before, pid = restarts(machine), main_pid(machine)
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)
    eventually(lambda: main_pid(machine) != pid)
    take(machine, 2)
    eventually(lambda: restarts(machine) > before, timeout=60)
    eventually(lambda: counts(machine).get("done") == 70, timeout=90)
    left = machine.shell(f"pgrep -u tapewatch -f forkserver -P {pid} || true")
    assert left == ""


def test_a_hung_loop_is_noticed_and_started_again(machine: Machine) -> None:
    before, pid = restarts(machine), main_pid(machine)
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
    eventually(lambda: restarts(machine) > before, timeout=90)
    eventually(lambda: machine.show(UNIT, "ActiveState") == "active", timeout=60)
    assert main_pid(machine) != pid
    assert [one for one in machine.journal(UNIT) if "Watchdog timeout" in str(one["MESSAGE"])]


def test_the_service_can_do_its_work_and_nothing_else(machine: Machine) -> None:
    machine.shell("install -d -m 777 /srv/elsewhere /home/camera/private")
    its_view = ("nsenter", "-t", main_pid(machine), "-m", "-n")
    its_user = ("setpriv", "--reuid=tapewatch", "--regid=tapewatch", "--groups=camera")

    def tried(script: str) -> str:
        command = f"({script}) 2>&1 && echo DONE"
        return machine.run(*its_view, *its_user, "--no-new-privs", "sh", "-c", command, check=False)

    assert "DONE" in tried(f"touch {NIGHT}/here; rm {NIGHT}/here")
    for place in ("/srv/elsewhere/x", "/usr/local/x", "/etc/tapewatch/dome/x", "/home/camera/x"):
        assert "DONE" not in tried(f"touch {place}"), place
    assert tried("ls /home/camera").split() == ["night", "DONE"]
    assert "DONE" not in tried("ls /home/camera/private")
    devices = machine.run(*its_view, "cat", f"/proc/{main_pid(machine)}/net/dev")
    assert re.findall(r"^\s*(\w+):", devices, re.MULTILINE) == ["lo"]


def test_the_exposure_is_small(machine: Machine) -> None:
    answer = machine.run("systemd-analyze", "security", "--no-pager", UNIT)
    (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", answer)
    assert float(level) <= 1.5, answer


def test_a_stop_is_clean_and_quick_and_a_bad_tape_par_is_no_loop(machine: Machine) -> None:
    machine.run("systemctl", "stop", UNIT)
    assert machine.show(UNIT, "Result") == "success"
    assert machine.show(UNIT, "ExecMainStatus") == "0"
    machine.wait_for_event(UNIT, "service.stopped")
    machine.write(PAR, "NBIAS many\n")
    machine.run("systemctl", "start", UNIT, check=False)
    eventually(lambda: machine.show(UNIT, "ActiveState") == "failed")
    assert machine.show(UNIT, "ExecMainStatus") == "78"
    assert machine.show(UNIT, "SubState") == "failed"  # and not auto-restart
    machine.write(PAR, KEYS)
    machine.run("systemctl", "reset-failed", UNIT)
    machine.run("systemctl", "start", UNIT)


def test_uninstalled_nothing_of_the_program_is_left(machine: Machine) -> None:
    machine.shell("cd /checkout && make uninstall")
    for path in ("/opt/tapewatch", "/usr/local/bin/tapewatch", "/etc/logrotate.d/tapewatch"):
        machine.run("test", "!", "-e", path)
    machine.run("test", "-e", PAR)
    machine.run("test", "-e", f"{NIGHT}/night1/wM13_R_0001.fit")
