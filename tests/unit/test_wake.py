"""What the loop sleeps on: it can be woken at any moment, and by whom is at it already."""

import signal
import threading
from types import FrameType

from tapewatch.service.wake import Wake

FOR_EVER = 3600.0  # seconds: a test that waits so long is ended


def test_what_was_set_before_lets_nobody_sleep_until_it_is_cleared() -> None:
    wake = Wake()
    wake.set()
    wake.wait(FOR_EVER)
    wake.wait(FOR_EVER)
    wake.clear()
    wake.wait(0.0)


def test_another_thread_wakes_who_sleeps() -> None:
    wake = Wake()
    waker = threading.Thread(target=wake.set)
    waker.start()
    wake.wait(FOR_EVER)
    waker.join()


def test_a_signal_may_come_while_it_is_being_set() -> None:
    wake, came = Wake(), 0

    def handle(_: int, __: FrameType | None) -> None:
        nonlocal came
        came += 1
        wake.set()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with wake._condition:  # as within `set`
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert came == 1
    wake.wait(FOR_EVER)
