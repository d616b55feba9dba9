"""The line to systemd: that we are ready, what we are at, and that there is progress.

The protocol is that of sd_notify(3): datagrams to the socket that ``$NOTIFY_SOCKET`` names. Where
none is named nobody listens, and nothing is sent.
"""

import math
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_SIGNS_A_TIMEOUT: Final = 4  # one lost, one late, and still no alarm
_PATIENCE = 1.0  # seconds for who does not read
_ABSTRACT = "@"  # how an address of Linux's abstract namespace is spelled


class Lifeline:
    """Tells systemd how the daemon fares.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are looked for; that of the
        process by default.

    Attributes
    ----------
    interval : float
        Seconds between two signs of life at most; infinite where nobody waits for them.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        address = given.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith(_ABSTRACT) else address
        self.interval = _timeout(given) / _SIGNS_A_TIMEOUT
        self._due = 0.0  # by the monotonic clock
        self._status = ""

    def ready(self) -> None:
        """Say that the daemon works: after the start, or with new parameters."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that new parameters are being taken up; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def say(self, status: str) -> None:
        """Give the line that ``systemctl status`` shows; sent where it is another than before.

        Parameters
        ----------
        status : str
            On one line.
        """
        if status != self._status and self._send(f"STATUS={status}"):
            self._status = status

    def alive(self) -> None:
        """Give a sign of life, if one is due. To be called wherever there is progress."""
        now = time.monotonic()
        if now >= self._due and math.isfinite(self.interval):
            self._due = now + self.interval / 2
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> bool:
        """Send a message, if anybody listens; tell whether it was taken."""
        if not self._address:
            return False
        # Whether systemd hears it is systemd's affair: no night ends, or waits, for that.
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line,
        ):
            line.settimeout(_PATIENCE)
            line.connect(self._address)
            line.sendall(message.encode())
            return True
        return False


def _timeout(environment: Mapping[str, str]) -> float:
    """Seconds without a sign of life after which systemd ends us; infinite for none."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return math.inf
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return math.inf
    return microseconds / 1e6 if microseconds > 0 else math.inf
