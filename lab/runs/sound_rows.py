"""Reading runs so that a damaged row stands in nobody's way: it is set aside, and said."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress

from core.errors import RunError
from lab.runs.damage import SetAside, damage_of, move
from lab.runs.database import Database
from lab.runs.rows import RUN_COLUMNS, Run, run_of

log = logging.getLogger("lab.runs.sound_rows")


class SoundRows(Database):
    """The part of the store that tells sound rows from damaged ones."""

    def sound(self, rows: Sequence[sqlite3.Row]) -> list[Run]:
        """The runs of these rows; those that are damaged are set aside."""
        found, damaged = parted(rows)
        self.set_aside(damaged)
        return found

    def set_aside(self, damaged: Sequence[tuple[int, str]]) -> None:
        """Moves runs, by number and with what is wrong, out of the way; what cannot be moved is passed over only."""
        if not damaged:
            return
        with suppress(RunError), self.errors(), closing(self._connect()) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")  # else their figures would be deleted
            connection.execute("BEGIN IMMEDIATE")
            moved = move(connection, damaged)
            connection.execute("COMMIT")
            for each in moved:
                log.error("%s", each.sentence)

    def damaged_runs(self) -> list[SetAside]:
        """The runs that have been set aside, the latest first."""
        found = self.rows("SELECT number, run, reason, found FROM set_aside ORDER BY found DESC LIMIT 100")
        return [SetAside(*row) for row in found]


def parted(rows: Sequence[sqlite3.Row]) -> tuple[list[Run], list[tuple[int, str]]]:
    """The sound runs, and the numbers of the damaged ones with what is wrong. Raises RunError for rows of no runs."""
    if rows and (missing := sorted(RUN_COLUMNS.difference(rows[0].keys()))):
        raise RunError(f"the store of runs is damaged: its runs have no {missing[0]}")
    wrong = [damage_of(row) for row in rows]
    sound = [run_of(row) for row, reason in zip(rows, wrong, strict=True) if not reason]
    return sound, [(row["number"], reason) for row, reason in zip(rows, wrong, strict=True) if reason]
