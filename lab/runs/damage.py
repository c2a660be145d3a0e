"""Rows that a failing disk has damaged, such as by one flipped byte: told from sound ones, and set aside.

A damaged run is moved to the table `set_aside`, as JSON, with what is wrong. Nothing of it is deleted: its epochs, its
batches and its files stay where they are. A damaged figure is left out of its list.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import get_args

from lab.runs import rows

# Bytes that are no UTF-8 would make SQLite refuse every row of an answer. So they become halves of surrogate pairs.
text_of = partial(str, encoding="utf-8", errors="surrogateescape")

NUMBERS = frozenset({"parameters", "seed", "epochs", "lost", "side_by_side"})
FLAGS = frozenset({"stop_requested", "snapshots", "urgent", "bounded"})
WHOLE = frozenset({"number", "place"}) | NUMBERS | FLAGS
MOMENTS = {"created", "rate_factor"}
MOMENTS_OR_NONE = {"started", "ended", "heartbeat", "paused_since", "claimed"}
DEVICES = ("auto", "cpu", "cuda", "mps")
ONE_OF: dict[str, tuple[str, ...]] = {
    "kind": get_args(rows.Kind),
    "status": get_args(rows.Status),
    "pause": get_args(rows.Pause),
    "device": DEVICES,
}
RANGES = {"parameters": 10**12, "epochs": 10**6, "lost": 10**6, "side_by_side": 10**6}  # from 0
LATEST = 4e9  # seconds since 1970, in the year 2096: what a clock may say, and dates can be made of


@dataclass(frozen=True)
class SetAside:
    """A run whose row is damaged."""

    number: int
    run: str  # its id, as far as it can be read
    reason: str
    found: float = 0.0

    @property
    def sentence(self) -> str:
        """Which run, what is wrong, and where it is kept."""
        return f"Run {self.run} is damaged and was set aside: {self.reason}; its row is kept in the table set_aside."


def damage_of(row: sqlite3.Row) -> str:
    """What is wrong with a row of the table of runs, in a few words; "" where nothing is."""
    return _damage(tuple(row.keys()), *row)


@lru_cache(maxsize=4096, typed=True)  # pages read the same rows each second; 1 and 1.0 are not the same here
def _damage(names: tuple[str, ...], *values: object) -> str:
    found = ((name, _wrong(name, value)) for name, value in zip(names, values, strict=True))
    return next((f"its {name} {wrong}" for name, wrong in found if wrong), "")


def _wrong(name: str, value: object) -> str:
    if name in WHOLE:
        if not isinstance(value, int):
            return f"is {_shown(value)}, not a whole number"
        most = RANGES.get(name)
        return "" if most is None or 0 <= value <= most else f"is {value}, outside 0 to {most}"
    if name in MOMENTS or (name in MOMENTS_OR_NONE and value is not None):
        if not isinstance(value, int | float) or not math.isfinite(value):
            return f"is {_shown(value)}, not a number"
        return "" if abs(value) < LATEST else f"is {value:g}, which is no moment"
    return "" if name in MOMENTS_OR_NONE or name == "latest" else _wrong_text(name, value)


def _wrong_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        return f"is {_shown(value)}, not text"
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        return "has bytes that are no UTF-8"
    if name in ONE_OF and value not in ONE_OF[name]:
        return f"is {_shown(value)}, not one of {', '.join(filter(None, ONE_OF[name]))}"
    if name == "id" and not re.fullmatch(r"[\w-]{1,64}", value):
        return f"is {_shown(value)}, which is none"
    if name in ("architecture", "recipe") or (value and name in ("result", "rate_changes")):
        return _wrong_json(name, value)
    return ""


def _wrong_json(name: str, value: str) -> str:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return "is no JSON"
    if name == "rate_changes":
        pairs = isinstance(found, list) and all(
            isinstance(each, list) and len(each) == 2 and all(isinstance(number, int | float) for number in each)
            for each in found
        )
        return "" if pairs else "is no list of pairs"
    return "" if name == "result" or isinstance(found, dict) else "is no JSON object"


def _shown(value: object) -> str:
    return ascii(value)[:40]


def is_figures(row: sqlite3.Row) -> bool:
    """Whether a row of epochs or batches holds numbers, or none, and counts from 0."""
    counts = [row[name] for name in row.keys() if name in ("epoch", "iteration")]  # noqa: SIM118
    figures = [row[name] for name in row.keys() if name not in ("run", "epoch", "iteration")]  # noqa: SIM118
    return all(isinstance(each, int) and 0 <= each < 10**9 for each in counts) and all(
        each is None or isinstance(each, int | float) for each in figures
    )


def is_slot(row: sqlite3.Row) -> bool:
    """Whether a row of the table of workers is sound."""
    texts = all(isinstance(row[name], str) and row[name].isprintable() for name in ("device", "worker", "host", "run"))
    numbers = all(isinstance(row[name], int | float) for name in ("started", "heartbeat"))
    return texts and numbers and isinstance(row["slot"], int) and isinstance(row["pid"], int)


def move(connection: sqlite3.Connection, found: Sequence[tuple[int, str]]) -> list[SetAside]:
    """Move runs, by number and with what is wrong, out of the table of runs. The caller has begun to write."""
    moved = []
    for number, reason in found:
        row = connection.execute("SELECT * FROM runs WHERE number = ?", (number,)).fetchone()
        if row is None:  # another was first
            continue
        shown = row["id"] if isinstance(row["id"], str) and row["id"].isprintable() else f"number {number}"
        whole = {name: value.hex() if isinstance(value := row[name], bytes) else value for name in row.keys()}  # noqa: SIM118
        connection.execute(
            "INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?, ?)",
            (number, shown, reason, time.time(), json.dumps(whole)),
        )
        with suppress(sqlite3.IntegrityError):
            connection.execute("DELETE FROM runs WHERE number = ?", (number,))
        moved.append(SetAside(number, shown, reason))
    return moved


def damaged_in(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """The runs that are damaged, by number, and what is wrong with each; the connection's text is `text_of`."""
    found = connection.execute("SELECT * FROM runs").fetchall()
    return [(row["number"], reason) for row in found if (reason := damage_of(row))]
