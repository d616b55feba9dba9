"""What tests need and pytest does not have."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL = 0.02  # seconds between two looks at a condition


def eventually(condition: Callable[[], Value], timeout: float = 20.0) -> Value:
    """Wait for a condition, and not a moment longer than it takes.

    This is no sleep: a test never waits a fixed time in the hope that something has happened by
    then. The limit only says when to give up, so it can be generous.

    Parameters
    ----------
    condition : callable
        Called without arguments until it returns something true. Its exceptions are not caught.
    timeout : float
        When to give up, seconds.

    Returns
    -------
    Value
        The first true value of the condition.

    Raises
    ------
    AssertionError
        When the condition has not come true; it tells the last value.
    """
    give_up = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > give_up:
            raise AssertionError(f"still {value!r} after {timeout} s: {condition}")
        pause.wait(POLL)
    return value
