"""How long a test waits for something before it gives up.

A limit only decides how late a test that hangs fails, so a limit is generous, and longer where the machine has more to
do than it has cores. LAB_TESTS_PATIENCE=3 makes each limit three times as long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

FACTOR = float(os.environ.get("LAB_TESTS_PATIENCE", "1"))


def patient(seconds: float) -> float:
    """The limit for what takes at most `seconds` on a quiet machine: twice that, and more under load."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)  # processes for each core that run or wait to
    return seconds * FACTOR * 2 * max(1.0, load)


def milliseconds(seconds: float) -> float:
    """The limit as Playwright takes it."""
    return 1000 * patient(seconds)


def wait(until: Callable[[], object], what: str, seconds: float = 90.0, pause: float = 0.02) -> None:
    """Ask until it is true. `what`: the sentence that is true then."""
    limit = patient(seconds)
    deadline = time.monotonic() + limit
    while not until():
        assert time.monotonic() < deadline, f"waited {limit:g} s in vain until {what}"
        time.sleep(pause)


def quiet(seconds: float) -> None:
    """Time in which nothing may happen: a test that uses it cannot fail because the machine is slow."""
    time.sleep(seconds)
