"""A log that many requests cannot flood: of remarks of one kind, a few a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

MOST, WINDOW_SECONDS = 10, 60.0
ALIKE = 30  # of one line of the code, with as many first characters the same
MOST_KINDS = 1_000
LOUD = (
    "asyncio",
    "uvicorn.error",
    "websockets.server",
    "streamlit.web.server.starlette.starlette_routes",
    "streamlit.web.server.starlette.starlette_websocket",
    "lab.server.headers",
    "lab.server.connections",
)


class AFewAMinute(logging.Filter):
    """Lets the first `MOST` remarks of a kind through in each minute, and then says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._lock = clock, threading.Lock()
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}  # since when, and how many

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        kind, now = (record.pathname, record.lineno, record.getMessage()[:ALIKE]), self._clock()
        with self._lock:
            if len(self._seen) > MOST_KINDS:
                self._seen.clear()
            since, number = self._seen.get(kind, (now, 0))
            left_out = number - MOST
            if now - since > WINDOW_SECONDS:
                since, number = now, 0
            self._seen[kind] = since, number + 1
        if number == 0 and left_out > 0:
            record.msg = f"{record.getMessage()} ({left_out:,} more of this kind were left out before)"
            record.args = ()
        return number < MOST


def hush() -> None:
    """Bound what strangers can write into the log."""
    few = AFewAMinute()
    for name in LOUD:
        logging.getLogger(name).addFilter(few)
