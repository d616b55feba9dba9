"""What the main loop sleeps on."""

import threading


class Wake:
    """An event that a signal's handler may set, whatever the main thread is at.

    A `threading.Event` is no such thing: its lock cannot be taken again by the thread that holds
    it, and a signal that came while it was being set or cleared would never return.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._is_set = False

    def set(self) -> None:
        """Wake the loop, or have it not sleep next time."""
        with self._condition:
            self._is_set = True
            self._condition.notify_all()

    def clear(self) -> None:
        """Forget what was set so far."""
        self._is_set = False

    def wait(self, seconds: float) -> None:
        """Sleep, at most so long, until it is set."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_set, seconds)
