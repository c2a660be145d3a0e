"""Why runs wait though a worker should have them: workers that die, again and again, and a disk without room.

A worker's death fails no run: what it dies of may be the machine's. Deaths are counted, so slow ones count too.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lab.runs import full_disk
from lab.runs.reasons import without_folders
from lab.runs.store import RunStore

MOST_DEATHS = 3  # in a row, without an epoch between, before it is said that there is no worker
LONGEST_PAUSE = 30.0  # seconds between two tries


@dataclass(frozen=True)
class Trouble:
    """The workers of one slot that have died in a row."""

    deaths: int
    said: str  # by the last of them
    epochs: int  # that the store had then: once it has more, the row is broken
    next_try: float  # on the monotonic clock


_lock = threading.Lock()
_troubles: dict[tuple[Path, str, int], Trouble] = {}  # by store, device and slot


def note_death(store: RunStore, device: str, slot: int, said: str, status: int | None) -> Trouble:
    """A worker has died; `status`: of its process, below 0 for a signal, None where it had to be killed."""
    key, epochs = (store.folder.resolve(), device, slot), store.epochs_recorded()
    with _lock:
        old = _troubles.get(key)
        deaths = old.deaths if old and old.epochs >= epochs else 0
        deaths += status != full_disk.STATUS
        pause = min(LONGEST_PAUSE, 2.0 ** (deaths - 2)) if deaths > 1 else 0.0
        if status == full_disk.STATUS:
            if not full_disk.why_not_written(store.folder):  # it may have room for less than the worker needed
                full_disk.note_full(store.folder)
            pause = 1.0
        trouble = Trouble(deaths, _in_words(said, status), epochs, time.monotonic() + pause)
        _troubles[key] = trouble
    return trouble


def may_try(store: RunStore, device: str, slot: int) -> bool:
    """Whether it is time to start a worker there: after each death in a row, more time passes."""
    trouble = _troubles.get((store.folder.resolve(), device, slot))
    return trouble is None or time.monotonic() >= trouble.next_try


def in_the_way(store: RunStore, device: str) -> str:
    """Why what waits for a device does not start, in one sentence; "" where nothing is known to be in the way."""
    return full_disk.why_not_written(store.folder) or no_worker_lives(store, device)


def no_worker_lives(store: RunStore, device: str) -> str:
    """How the workers of a device ended, where several in a row have died; "" otherwise."""
    folder = store.folder.resolve()
    found = [each for (home, kind, _), each in list(_troubles.items()) if (home, kind) == (folder, device)]
    worst = max(found, key=lambda each: each.deaths, default=None)
    if worst is None or worst.deaths < MOST_DEATHS or store.epochs_recorded() > worst.epochs:
        return ""
    return f"No worker stays alive: {worst.deaths} in a row have died before an epoch was done; {worst.said}"


def _in_words(said: str, status: int | None) -> str:
    """How a worker ended, in words without the server's paths."""
    if status is not None and status < 0:
        names = {each.value: each.name for each in signal.Signals}
        return f"the last was killed by {names.get(-status, f'signal {-status}')}."
    said = without_folders(" ".join(said.split()))[:300].rstrip(".")
    return f"the last said: {said}." if said else "the last said nothing."
