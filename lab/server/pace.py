"""A lock around what many sessions ask for at once: one after the other, so that the first does not wait for the last.

Python runs one thread at a time. Thirty threads that draw the same page together would each take thirty times as long,
and the server, which is one more thread, could hardly send what they have drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 2.0  # seconds; after these it is done without the lock: another session may compute for long

_turn = threading.Lock()
_mine = threading.local()


@contextmanager
def in_turn() -> Iterator[None]:
    """Hold the lock around what takes some hundredths of a second; a nested use does nothing."""
    if getattr(_mine, "turn", False) or not _turn.acquire(timeout=PATIENCE):
        yield
        return
    _mine.turn = True
    try:
        yield
    finally:
        _mine.turn = False
        _turn.release()
