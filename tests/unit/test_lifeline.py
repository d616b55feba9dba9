"""What systemd is told, read from a socket as systemd reads it."""

import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapewatch.service.lifeline import Lifeline


class Listener:
    """systemd's end of the line."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.settimeout(0)

    def heard(self) -> list[dict[str, str]]:
        """All messages since the last call."""
        messages: list[dict[str, str]] = []
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in text.splitlines()))


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    abstract = request.param == "abstract"
    found = Listener(f"@tapewatch-test-{os.getpid()}" if abstract else str(tmp_path / "notify"))
    yield found
    found.socket.close()


def test_systemd_hears_of_start_reload_and_stop(listener: Listener) -> None:
    line = Lifeline({"NOTIFY_SOCKET": listener.address})
    line.ready()
    line.reloading()
    line.stopping()
    ready, reloading, stopping = listener.heard()
    assert ready == {"READY": "1"}
    assert reloading.pop("RELOADING") == "1"
    assert int(reloading.pop("MONOTONIC_USEC")) > 0
    assert reloading == {}
    assert stopping == {"STOPPING": "1"}


def test_a_status_is_sent_when_it_changes(listener: Listener) -> None:
    line = Lifeline({"NOTIFY_SOCKET": listener.address})
    for status in ("2 done", "2 done", "3 done"):
        line.say(status)
    assert listener.heard() == [{"STATUS": "2 done"}, {"STATUS": "3 done"}]


def test_a_listener_that_does_not_read_holds_nothing_up_and_hears_the_status_later(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapewatch.service.lifeline._PATIENCE", 0.001)
    line = Lifeline({"NOTIFY_SOCKET": listener.address})
    for number in range(1000):  # far more than the kernel keeps
        line.say(f"{number} done")
    assert 0 < len(listener.heard()) < 1000
    line.say("999 done")
    assert listener.heard() == [{"STATUS": "999 done"}]


def test_signs_of_life_come_as_often_as_asked_for(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    line = Lifeline({"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "20000000"})
    assert line.interval <= 10  # sd_watchdog_enabled(3): half of the time at most
    counts = []
    for _ in range(4):
        for _ in range(100):
            line.alive()
        counts.append(len(listener.heard()))
        now += line.interval
    assert counts == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
    ],
)
def test_no_sign_of_life_where_none_is_waited_for(
    listener: Listener, environment: dict[str, str]
) -> None:
    line = Lifeline({"NOTIFY_SOCKET": listener.address, **environment})
    line.alive()
    assert line.interval == math.inf
    assert listener.heard() == []


def test_where_nobody_listens_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        line = Lifeline(environment)
        line.ready()
        line.say("alone")
        line.alive()
