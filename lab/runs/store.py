"""The store of runs: what the pages and the command line ask of it. One SQLite file; weights are files beside it."""

from __future__ import annotations

import itertools
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, fields, replace
from typing import Literal

from core.errors import RunError
from core.files import reason, remove_inside
from core.outside import plain
from core.record import short
from core.training.history import EpochRecord
from lab.runs.damage import damage_of, is_figures
from lab.runs.database import SQL
from lab.runs.leases import FORGET_BATCHES, Leases, is_set
from lab.runs.reasons import public
from lab.runs.rows import (
    BATCH_NAMES,
    EPOCH_NAMES,
    MAX_NAME,
    MAX_NICKNAME,
    MAX_RATE_FACTOR,
    MAX_TAG,
    MAX_TAGS,
    RUN_ID,
    BatchRow,
    ClassSetting,
    ClassText,
    NewRun,
    Pause,
    Run,
    RunName,
    Speed,
    Status,
    batch_of,
    epoch_of,
    plain_words,
    run_of,
)

MAX_KEPT = 2_000  # browsers of which something is kept: more than a school's
KeptText = Literal["work", "answers"]  # what somebody works on, and their answers in the lessons, as JSON


class RunStore(Leases):
    """The runs of one folder. Safe to share between threads, and to open in several processes at once."""

    def submit(self, new: NewRun, seeds: Sequence[int] = (), seed_group: str = "") -> list[Run]:
        """Puts a new run at the end of the queue, or one for each of several seeds, all of one group.

        Raises RunError for a nickname that is too long. `seed_group`: an existing group that they join.
        """
        wanted = [new.with_seed(seed) for seed in seeds] or [new]
        group = seed_group or (secrets.token_hex(8) if len(wanted) > 1 else "")
        with self.writing() as connection:
            return [insert(connection, each, group) for each in wanted]

    def extend(self, job: str, seeds: Sequence[int]) -> list[Run]:
        """Puts more seeds of the same network and recipe into the queue. A single run becomes a group by it.

        Returns all runs of the group. Raises RunError for a seed that it has already.
        """
        members = self.job(job)
        known = sorted(run.seed for run in members)
        if again := sorted(set(seeds) & set(known)):
            raise RunError(f"seed {again[0]}: this run has the seeds {', '.join(map(str, known))} already")
        first = members[0]
        group = first.seed_group or secrets.token_hex(8)
        with self.writing() as connection:
            connection.execute("UPDATE runs SET seed_group = ? WHERE id = ?", (group, first.id))
            for seed in seeds:
                insert(connection, as_new(first).with_seed(seed), group)
        return self.job(group)

    def retry(self, job: str, owner: str = "", owner_key: str = "", bounded: bool = True) -> list[Run]:
        """Submits the same job anew, from its beginning; each new run names the old one as its parent.

        It belongs to the person who asks for it; without a nickname of theirs it keeps the old one.
        """
        old = self.job(job)
        group = secrets.token_hex(8) if len(old) > 1 else ""
        with self.writing() as connection:
            return [insert(connection, _again(run, owner or run.owner, owner_key, bounded), group) for run in old]

    def resume(self, run_id: str) -> Run:
        """Puts an unfinished run back at the end of the queue, keeping its epochs, to go on after the last of them."""
        with self.writing() as connection:
            row = connection.execute(
                f"""UPDATE runs SET status = 'queued', place = {_LAST_PLACE}, stop_requested = 0, worker = '',
                        pause = '', paused_since = NULL, heartbeat = NULL, ended = NULL, error = '',
                        lost = 0, urgent = 0,
                        result = CASE kind WHEN 'train' THEN result ELSE '' END  -- the rate it goes on with
                    WHERE id = ? AND status IN ('interrupted', 'stopped', 'failed') RETURNING *""",
                (run_id,),
            ).fetchone()
            if row is not None:
                connection.execute(FORGET_BATCHES, (run_id,))
        if row is None:
            raise RunError(
                f"run {short(run_id)} is {self.get(run_id).status}; only one that was interrupted, stopped or failed "
                "can go on"
            )
        return run_of(row)

    def refuse(self, run_id: str, error: str) -> bool:
        """Ends a run that still waits, as failed: it asks for a device that is not here. False: it waits no longer."""
        refused = "UPDATE runs SET status = 'failed', error = ?, ended = ? WHERE id = ? AND status = 'queued'"
        return self.change(refused, (public(error), time.time(), run_id)) == 1

    def waiting_of(self, owner_key: str) -> int:
        """How many jobs of one browser wait: the waiting seeds of a group are one."""
        [(count,)] = self.rows(
            """SELECT count(DISTINCT CASE seed_group WHEN '' THEN id ELSE seed_group END)
               FROM runs WHERE status = 'queued' AND owner_key = ?""",
            (owner_key,),
        )
        return int(count)

    def put_first(self, run_id: str) -> Run:
        """Puts a waiting run before all others, out of turn."""
        return self._set(run_id, "urgent = 1, place = (SELECT min(place) - 1 FROM runs)", where="status = 'queued'")

    def put_last(self, run_id: str) -> Run:
        """Puts a waiting run behind all others of its owner, to wait for its turn."""
        return self._set(run_id, f"urgent = 0, place = {_LAST_PLACE}", where="status = 'queued'")

    def class_setting(self, name: ClassSetting) -> bool:
        """Whether the teacher has switched this on."""
        with self.reading() as connection:
            return is_set(connection, name)

    def set_class(self, name: ClassSetting, on: bool) -> None:
        """Switches something on or off for all."""
        self.change("INSERT OR REPLACE INTO class VALUES (?, ?)", (name, "1" if on else ""))

    def class_text(self, name: ClassText) -> str:
        """What the teacher has set it to; "" for nothing."""
        found = self.rows("SELECT value FROM class WHERE name = ?", (name,))
        return _valid(found[0][0]) if found else ""

    def set_class_text(self, name: ClassText, value: str) -> None:
        """Sets a text for all."""
        self.change("INSERT OR REPLACE INTO class VALUES (?, ?)", (name, value))

    def kept(self, owner_key: str, name: KeptText) -> str:
        """What `keep` kept last for this browser; "" for nothing."""
        rows = self.rows("SELECT text FROM kept WHERE owner_key = ? AND name = ?", (owner_key, name))
        return _valid(rows[0]["text"]) if rows else ""

    def keep(self, owner_key: str, name: KeptText, change: Callable[[str], str]) -> None:
        """Keeps what `change` makes of the text that is kept for a browser, "" for none: tabs write in turn.

        The texts of the latest MAX_KEPT browsers stay.
        """
        with self.writing() as connection:
            before = connection.execute("SELECT text FROM kept WHERE owner_key = ? AND name = ?", (owner_key, name))
            text = change(_valid((before.fetchone() or ("",))[0]))
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (owner_key, name, time.time(), text))
            connection.execute(
                "DELETE FROM kept WHERE name = ?1 AND owner_key NOT IN"
                " (SELECT owner_key FROM kept WHERE name = ?1 ORDER BY written DESC LIMIT ?2)",
                (name, MAX_KEPT),
            )

    def names(self) -> list[RunName]:
        """Every run's id, name, nickname and owner, for a menu of their checkpoints."""
        rows = self.rows("SELECT id, name, owner, owner_key, seed FROM runs")
        return [RunName(*row) for row in rows if not damage_of(row)]

    def request_stop(self, run_id: str) -> Run:
        """Stops a waiting run at once, and asks the worker of a running one to stop; an ended one stays as it is."""
        self.change(
            """UPDATE runs SET stop_requested = 1,
                   ended = CASE status WHEN 'queued' THEN ? ELSE ended END,
                   status = CASE status WHEN 'queued' THEN 'stopped' ELSE status END
               WHERE id = ? AND status IN ('queued', 'running')""",
            (time.time(), run_id),
        )
        return self.get(run_id)

    # ------------------------------------------------------------------------------------- what its owner says of a run

    def rename(self, run_id: str, name: str) -> Run:
        """Gives the run another name; its files keep theirs. Raises RunError for an empty or a long one."""
        name = plain_words(name, "the name", MAX_NAME)
        if not name:
            raise RunError(f"run {short(run_id)}: a name needs at least 1 character, this one has 0")
        return self._set(run_id, "name = ?", name)

    def set_tags(self, run_id: str, tags: Sequence[str]) -> Run:
        """Gives the run these tags and no others; empty and repeated ones are left out. Raises RunError."""
        words = dict.fromkeys(plain_words(tag, "a tag", MAX_TAG) for tag in tags)
        kept = [tag for tag in words if tag]
        if comma := next((tag for tag in kept if "," in tag), None):
            raise RunError(f"the tag {short(comma)} has a comma in it, which is what parts two tags")
        if len(kept) > MAX_TAGS:
            raise RunError(f"a run has at most {MAX_TAGS} tags, these are {len(kept)}")
        return self._set(run_id, "tags = ?", ",".join(kept))

    def set_owner(self, run_id: str, nickname: str) -> Run:
        """Says whose run it is; "" is nobody's. Raises RunError for a long nickname."""
        return self._set(run_id, "owner = ?", plain_words(nickname, "the nickname", MAX_NICKNAME))

    def _set(self, run_id: str, columns: str, *values: object, where: str = "1") -> Run:
        self.change(f"UPDATE runs SET {columns} WHERE id = ? AND {where}", (*values, _text(run_id)))
        return self.get(run_id)

    # ------------------------------------------------------------------------------------------ a running run

    def set_pause(self, run_id: str, pause: Pause) -> Run:
        """Asks for the run to be held, now or at the end of its epoch, or, with "", to go on. An ended one stays so."""
        return self._set(run_id, "pause = ?", pause, where="kind = 'train' AND status IN ('queued', 'running')")

    def set_rate_factor(self, run_id: str, factor: float) -> Run:
        """Multiplies the learning rates that are still to come by a factor of the recipe's own. Raises RunError."""
        if not 1 / MAX_RATE_FACTOR <= factor <= MAX_RATE_FACTOR:  # not a number is in no range
            raise RunError(
                f"run {short(run_id)}: the rate cannot be multiplied by {factor:g}: "
                f"that is outside {1 / MAX_RATE_FACTOR:g} to {MAX_RATE_FACTOR:g}"
            )
        return self._set(run_id, "rate_factor = ?", factor, where="kind = 'train' AND status IN ('queued', 'running')")

    def delete(self, run_id: str) -> None:
        """Removes a run and its figures, not its files. Raises RunError while it is running."""
        if not self.change("DELETE FROM runs WHERE id = ? AND status != 'running'", (run_id,)):
            raise RunError(f"run {self.get(run_id).id} is running; stop it before it is deleted")

    def delete_untagged(self, run_id: str) -> bool:
        """Removes a run that has ended and has no tag, and its figures, not its files; False: it stays."""
        ended = "DELETE FROM runs WHERE id = ? AND tags = '' AND status NOT IN ('queued', 'running')"
        return self.change(ended, (run_id,)) == 1

    def delete_files(self, run_id: str) -> None:
        """Removes the files of a run that is deleted. Raises RunError for files that stay."""
        if not RUN_ID.fullmatch(run_id):  # of a row that the lab did not write: it may name another's folder
            raise RunError(f"{short(run_id)} is no run's id: no files are deleted")
        folder = self.folder / run_id
        try:
            remove_inside(self.folder, folder)
        except OSError as error:
            raise RunError(f"{folder}: the run is deleted, its files are not: {reason(error)}") from error

    # -------------------------------------------------------------------------------------------------------- reading

    def get(self, run_id: str) -> Run:
        """The run with this id. Raises RunError."""
        rows = self.rows("SELECT * FROM runs WHERE id = ?", (_text(run_id),))
        if not (found := self.sound(rows)):
            raise self._missing(run_id)
        return found[0]

    def _missing(self, run_id: str) -> RunError:
        """Why there is no such run."""
        aside = next((each for each in self.damaged_runs() if each.run == run_id), None)
        return RunError(aside.sentence if aside else f"there is no run {short(_text(run_id))} here")

    def runs(self, limit: int = 100, statuses: Collection[Status] = ()) -> list[Run]:
        """The latest runs, newest first: those with one of the statuses, or all."""
        rows = self.rows(
            """SELECT * FROM runs WHERE ?1 = '[]' OR status IN (SELECT value FROM json_each(?1))
                ORDER BY number DESC LIMIT ?2""",
            (json.dumps(list(statuses)), limit),
        )
        return self.sound(rows)

    def job(self, job: str) -> list[Run]:
        """The runs of a group, by their seeds, or the single run of that id. Raises RunError."""
        rows = self.rows(
            "SELECT * FROM runs WHERE id = ?1 UNION ALL SELECT * FROM runs WHERE seed_group = ?1 AND ?1 != '' "
            "ORDER BY seed",
            (_text(job),),
        )
        if not (found := self.sound(rows)):
            raise self._missing(job)
        return found

    def entries(self, limit: int = 100) -> list[list[Run]]:
        """What a table of runs shows, the latest first: single runs, and the runs of a group together, by seeds."""
        rows = self.rows(ENTRIES, (limit,))
        entries = [self.sound([*rows]) for _, rows in itertools.groupby(rows, key=lambda row: row["latest"])]
        return [entry for entry in entries if entry]

    def epochs(self, run_id: str) -> list[EpochRecord]:
        """The run's epochs, in order."""
        rows = self.rows(f"SELECT {EPOCH_COLUMNS} FROM epochs WHERE run = ? ORDER BY epoch", (run_id,))
        return [epoch_of(row) for row in rows if is_figures(row)]

    def last_epochs(self, run_ids: Collection[str]) -> dict[str, EpochRecord]:
        """Each run's last epoch, for a table of runs; a run without one is left out."""
        rows = self.rows(
            f"""SELECT run, {EPOCH_COLUMNS} FROM epochs WHERE (run, epoch) IN (
                    SELECT value, (SELECT max(epoch) FROM epochs WHERE run = value) FROM json_each(?))""",
            (json.dumps(list(run_ids)),),
        )
        return {row["run"]: epoch_of(row) for row in rows if is_figures(row)}

    def iterations_done(self, run_ids: Collection[str]) -> dict[str, int]:
        """How many iterations of each run are over; a run without one is left out."""
        rows = self.rows(
            """SELECT value AS run, (SELECT max(iteration) + 1 FROM batches WHERE run = value) AS done
               FROM json_each(?) WHERE done IS NOT NULL""",
            (json.dumps(list(run_ids)),),
        )
        return {row["run"]: row["done"] for row in rows if isinstance(row["done"], int)}

    def speeds(self, limit: int = 50) -> list[Speed]:
        """How fast the latest finished runs trained."""
        rows = self.rows(
            """SELECT architecture, recipe, dataset, (SELECT avg(seconds) FROM epochs WHERE run = id) AS seconds,
                   device_name
               FROM runs WHERE status = 'finished' AND kind = 'train' AND seconds IS NOT NULL
               ORDER BY number DESC LIMIT ?""",
            (limit,),
        )
        return [speed for speed in (Speed(*row) for row in rows) if speed.is_sound]

    def batches(self, run_id: str, after_iteration: int = -1, at_most: int = 500) -> list[BatchRow]:
        """The run's iterations in order; of more than `at_most`, that many at even distances, first and last kept."""
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT {BATCH_COLUMNS} FROM batches WHERE run = ? AND iteration > ? ORDER BY iteration LIMIT ?",
                (run_id, after_iteration, at_most + 1),
            ).fetchall()
            if len(rows) > at_most:
                rows = connection.execute(
                    EVENLY, {"run": run_id, "first": rows[0]["iteration"], "at_most": at_most}
                ).fetchall()
        return [batch_of(row) for row in rows if is_figures(row)]


# By name, so that a name that a damaged file lacks is SQLite's error.
EPOCH_COLUMNS, BATCH_COLUMNS = ", ".join(EPOCH_NAMES), ", ".join(BATCH_NAMES)
ENTRIES, EVENLY = ((SQL / f"{name}.sql").read_text(encoding="utf-8") for name in ("entries", "evenly"))

_LAST_PLACE = "(SELECT coalesce(max(place), 0) + 1 FROM runs)"


def insert(connection: sqlite3.Connection, new: NewRun, seed_group: str) -> Run:
    """Puts a new run at the end of the queue. The caller has begun to write."""
    columns = {name.removesuffix("_json"): value for name, value in asdict(new).items()} | {
        "name": plain(new.name),
        "owner": plain_words(new.owner, "the nickname", MAX_NICKNAME),
        "seed_group": seed_group,
        "id": secrets.token_hex(8),  # 64 random bits: no leading dash, and no two that differ in case only
        "created": time.time(),
        "status": "queued",
    }
    row = connection.execute(
        f"""INSERT INTO runs (place, {", ".join(columns)})
            VALUES ({_LAST_PLACE}, {", ".join(f":{column}" for column in columns)}) RETURNING *""",
        columns,
    ).fetchone()
    return run_of(row)


def as_new(run: Run) -> NewRun:
    """What asks for the same run again."""
    return NewRun(**{field.name: getattr(run, field.name) for field in fields(NewRun)})


def _again(old: Run, owner: str, owner_key: str, bounded: bool) -> NewRun:
    new = replace(as_new(old), parent=old.id, prediction="")  # a new run is predicted anew
    return replace(new, owner=owner, owner_key=owner_key, bounded=bounded)


def _valid(text: object) -> str:
    """A stored text; damaged bytes in it become question marks."""
    return str(text).encode("utf-8", "replace").decode()


def _text(given: str) -> str:
    """What a URL gave for an id, as text that can be stored and shown: half a surrogate pair is neither."""
    return given.encode("utf-8", "backslashreplace").decode()
