"""In turn: what many sessions ask for at once is done one after the other, so the first need not wait for the last.

Python runs one thread at a time. Thirty that draw the same page together would each take thirty times as long, and the
server, which is one more thread, would hardly come to send what they have drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 2.0  # seconds; then it is done out of turn, for whoever is before may compute for long

_turn = threading.Lock()
_mine = threading.local()


@contextmanager
def in_turn() -> Iterator[None]:
    """Around what takes some hundredths of a second; within it, another is nothing."""
    if getattr(_mine, "turn", False) or not _turn.acquire(timeout=PATIENCE):
        yield
        return
    _mine.turn = True
    try:
        yield
    finally:
        _mine.turn = False
        _turn.release()
