"""What a teacher's link took away from a lesson stays away in that browser: the address alone does not bring it back.

No Streamlit. It is forgotten after a teaching day, and when the app ends.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

LOCKED_SECONDS = 12 * 3600.0
MAX_KEPT = 5_000  # browsers times lessons


@dataclass(frozen=True)
class Taken:
    """What a link hides and locks, in the words of the URL."""

    hidden: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hidden or self.locked)


class Locks:
    """By browser and lesson. Times are seconds on the clock of time.monotonic()."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[Taken, float]] = OrderedDict()

    def opened(self, key: str, lesson: str, by_link: Taken, now: float | None = None) -> Taken:
        """What holds when a browser opens a lesson: what its link says, and without a word of it what the last said."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if by_link:
                self._kept[key, lesson] = (by_link, now)
                self._kept.move_to_end((key, lesson))
                if len(self._kept) > MAX_KEPT:
                    self._kept.popitem(last=False)
                return by_link
            kept, since = self._kept.get((key, lesson), (Taken(), now))
            return kept if now - since <= LOCKED_SECONDS else Taken()

    def freed(self, key: str, lesson: str) -> None:
        """The teacher has led this browser here, without a lock."""
        with self._lock:
            self._kept.pop((key, lesson), None)
