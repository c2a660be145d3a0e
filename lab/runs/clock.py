"""Whether the clock was set, or the machine has slept: then the age of a heartbeat says nothing for a moment.

Heartbeats are moments of the clock, because several processes write and read them. A worker writes its next one within
a second, and a laptop that wakes up is no reason to give its runs away.
"""

from __future__ import annotations

import threading
import time

JUMP_SECONDS = 2.0  # by which the clock differs from the time that has passed
SETTLING_SECONDS = 5.0  # after which every worker that lives has written a heartbeat by the new clock


class Clock:
    """Compares the clock with the time that passes; it is asked about once a second, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._apart: float | None = None
        self._jumped = float("-inf")

    def is_settled(self, clock: float | None = None, passed: float | None = None) -> bool:
        """Whether it has not jumped lately. `clock`: time.time(), `passed`: time.monotonic()."""
        clock = time.time() if clock is None else clock
        passed = time.monotonic() if passed is None else passed
        with self._lock:
            if self._apart is not None and abs(clock - passed - self._apart) > JUMP_SECONDS:
                self._jumped = passed
            self._apart = clock - passed
            return passed - self._jumped > SETTLING_SECONDS
