"""The store of runs: one SQLite file with every run's specification, status and figures. Weights are files beside it.

Many threads of the app and several workers read and write it at once, so whatever must not happen twice, such as
claiming a run or taking a device's seat, is one statement that SQLite makes atomic.
"""

from __future__ import annotations

import itertools
import json
import math
import secrets
import socket
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from core.errors import RunError
from core.record import short
from core.training.history import EpochRecord, RateChange
from lab.runs.fair_queue import Waiting, next_of

Kind = Literal["train", "range_test"]
Status = Literal["queued", "running", "finished", "stopped", "failed", "interrupted"]
Ending = Literal["finished", "stopped", "failed", "interrupted"]
ClassSetting = Literal["queue_paused", "bounds_lifted"]
Pause = Literal["", "now", "epoch"]  # not at all; before the next iteration; at the end of the epoch

FILE_NAME = "runs.sqlite3"
APPLICATION_ID = 0x52554E53  # "RUNS", in the file's header: tells our file from any other SQLite database

# Each entry brings a store to the next version, in one transaction. Append; never change what has been released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            number INTEGER PRIMARY KEY,  -- the order of submission, whatever the clock says
            place INTEGER NOT NULL,  -- the order in the queue
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('train', 'range_test')),
            status TEXT NOT NULL CHECK (
                status IN ('queued', 'running', 'finished', 'stopped', 'failed', 'interrupted')),
            slug TEXT NOT NULL,
            name TEXT NOT NULL,
            architecture TEXT NOT NULL,
            recipe TEXT NOT NULL,
            dataset TEXT NOT NULL,
            device TEXT NOT NULL,
            parameters INTEGER NOT NULL,
            seed INTEGER NOT NULL,
            epochs INTEGER NOT NULL,
            owner TEXT NOT NULL,
            parent TEXT NOT NULL,
            created REAL NOT NULL,
            started REAL,
            ended REAL,
            heartbeat REAL,
            worker TEXT NOT NULL DEFAULT '',
            device_name TEXT NOT NULL DEFAULT '',
            stop_requested INTEGER NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT '',
            result TEXT NOT NULL DEFAULT ''
        ) STRICT""",
        "CREATE INDEX runs_in_line ON runs (status, place)",
        "CREATE INDEX runs_by_place ON runs (place)",
        # Figures may be NULL, which is how SQLite keeps a float that is not a number.
        """CREATE TABLE epochs (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            epoch INTEGER NOT NULL,
            train_loss REAL,
            train_accuracy REAL,
            validation_loss REAL,
            validation_accuracy REAL,
            test_loss REAL,
            test_accuracy REAL,
            learning_rate REAL,
            seconds REAL,
            PRIMARY KEY (run, epoch)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE batches (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            iteration INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            loss REAL,
            accuracy REAL,
            learning_rate REAL,
            images_per_second REAL,
            PRIMARY KEY (run, iteration)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE workers (
            device TEXT PRIMARY KEY,
            worker TEXT NOT NULL,
            pid INTEGER NOT NULL,
            host TEXT NOT NULL,
            started REAL NOT NULL,
            heartbeat REAL NOT NULL,
            run TEXT NOT NULL DEFAULT ''
        ) STRICT""",
    ),
    (
        "ALTER TABLE runs ADD COLUMN seed_group TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX runs_by_seed_group ON runs (seed_group)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT ''",  # with commas between
        "ALTER TABLE runs ADD COLUMN prediction TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN snapshots INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN pause TEXT NOT NULL DEFAULT '' CHECK (pause IN ('', 'now', 'epoch'))",
        "ALTER TABLE runs ADD COLUMN paused_since REAL",
        "ALTER TABLE runs ADD COLUMN rate_factor REAL NOT NULL DEFAULT 1",
        "ALTER TABLE runs ADD COLUMN rate_changes TEXT NOT NULL DEFAULT ''",
    ),
    (
        "ALTER TABLE runs ADD COLUMN owner_key TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN bounded INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE runs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN claimed REAL",
        "UPDATE runs SET claimed = started WHERE seed_group = ''",  # so that one that is running goes on
        "CREATE INDEX runs_by_owner ON runs (owner_key, claimed)",
        # A device has several seats now. Nobody sits in the new ones: a worker of the older version leaves by itself.
        "DROP TABLE workers",
        """CREATE TABLE workers (
            device TEXT NOT NULL,
            slot INTEGER NOT NULL,
            worker TEXT NOT NULL,
            pid INTEGER NOT NULL,
            host TEXT NOT NULL,
            started REAL NOT NULL,
            heartbeat REAL NOT NULL,
            run TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (device, slot)
        ) STRICT, WITHOUT ROWID""",
        # What the teacher has decided for all: see `ClassSetting`.
        "CREATE TABLE class (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ),
    (
        "ALTER TABLE epochs ADD COLUMN plain_train_loss REAL",
        "ALTER TABLE epochs ADD COLUMN plain_train_accuracy REAL",
    ),
)

MOST_NAME, MOST_TAG, MOST_NICKNAME = 60, 30, 30  # characters
MOST_TAGS = 8
MOST_LOST = 5  # workers that a run may lose without finishing an epoch between: it may be what they die of
MOST_RATE_FACTOR = 1e6  # and its inverse: what a rate may be multiplied by in a running run


@dataclass(frozen=True)
class Run:
    """One training run or range test: what was asked for, and how far it got. Moments are seconds since 1970."""

    id: str  # unguessable; fit for a URL, a command line and a file name
    place: int  # the order in the queue
    kind: Kind
    status: Status
    slug: str  # the step of the ladder, or "" for a design of one's own
    name: str
    architecture: str  # JSON
    recipe: str  # JSON
    dataset: str  # "MNIST", ...
    device: str  # as requested: "auto", "cpu", "cuda", "mps"
    parameters: int
    seed: int
    epochs: int  # as planned
    owner: str  # a nickname
    parent: str  # the run that this one retries, or ""
    seed_group: str  # shared by the runs of one architecture and recipe that differ in their seeds; "" of a single run
    created: float
    started: float | None  # when it was first claimed
    ended: float | None
    heartbeat: float | None  # the last sign of life from its worker
    worker: str  # the worker that has it, or had it last
    device_name: str  # what it really runs on
    stop_requested: bool
    error: str
    result: str  # a range test's, JSON
    tags: tuple[str, ...]
    prediction: str  # what the owner said it would come to, JSON, or ""
    snapshots: bool  # whether the weights of every epoch are kept
    pause: Pause  # as asked for
    paused_since: float | None  # None while it is not held
    rate_factor: float  # by which the schedule's learning rates are multiplied
    rate_changes: tuple[RateChange, ...]  # those that have come into force
    owner_key: str  # of the browser that it came from, a hash; "" where it came from none
    urgent: bool  # the teacher has put it first in the queue
    bounded: bool  # the bound on minutes holds for it
    lost: int  # workers that died, or lost their device, while they had it, since its last epoch
    claimed: float | None  # when a worker last took it from the queue


@dataclass(frozen=True)
class Control:
    """What the worker of a running run is asked to do."""

    stop: bool = False
    pause: Pause = ""
    rate_factor: float = 1.0


@dataclass(frozen=True)
class BatchRow:
    """The figures of one training iteration; of a range test, one point of its curve."""

    iteration: int  # counted from 0 over the whole run
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float


@dataclass(frozen=True)
class Seat:
    """The worker of a device, as far as it has been heard of."""

    device: str
    slot: int  # from 0: a device may have several workers
    worker: str
    pid: int  # for people and for signals; whether it lives is the heartbeat's to say
    host: str
    started: float
    heartbeat: float
    run: str  # the run it is busy with, or ""


@dataclass(frozen=True)
class Pace:
    """How fast a finished run trained."""

    architecture: str  # JSON
    recipe: str  # JSON
    dataset: str
    seconds: float  # of an epoch, on average


@dataclass(frozen=True)
class Spread:
    """A figure over several runs."""

    n: int
    mean: float | None  # None of no run
    sd: float | None  # the sample's, over n - 1; None of fewer than two runs


def spread(values: Sequence[float]) -> Spread:
    """Mean and deviation of one figure of several runs."""
    return Spread(
        n=len(values),
        mean=statistics.fmean(values) if values else None,
        sd=statistics.stdev(values) if len(values) > 1 else None,
    )


def _names(kind: type[Run | EpochRecord | BatchRow | Seat]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


RUN_NAMES, EPOCH_NAMES, BATCH_NAMES, SEAT_NAMES = (_names(kind) for kind in (Run, EpochRecord, BatchRow, Seat))
RUN, EPOCH, BATCH, SEAT = (", ".join(names) for names in (RUN_NAMES, EPOCH_NAMES, BATCH_NAMES, SEAT_NAMES))


def plain_words(text: str, what: str, most: int) -> str:
    """The text on one line, with single spaces. Raises RunError when it is longer than `most` characters."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if len(words) > most:
        raise RunError(f"{what} has {len(words)} characters, at most {most} fit: {short(words)}")
    return words


def silence(heartbeat: float, now: float) -> float:
    """Seconds since a heartbeat. One from the future counts too: else a clock set back would keep the dead alive."""
    return abs(now - heartbeat)


class RunStore:
    """The runs of one folder. Safe to share between threads, and to open in several processes at once."""

    def __init__(self, folder: Path, patience: float = 10.0) -> None:
        """Opens the store, made or brought up to date as needed. `patience`: seconds to wait for a lock."""
        self.folder = folder
        self.file = folder / FILE_NAME
        self.patience = patience
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{folder}: the folder for runs cannot be made: {error.strerror}") from error
        # Held open and idle: when a file's last connection closes, SQLite folds the log back into it, which costs a
        # sync to the disk. With this one open, those of single operations come and go in a tenth of a millisecond.
        with self._errors():
            self._anchor = self._connect(create=True)
            try:
                self._prepare(self._anchor)
            except BaseException:
                self._anchor.close()
                raise

    def close(self) -> None:
        """Lets go of the file."""
        self._anchor.close()

    # --------------------------------------------------------------------------------------------------- connections

    def _connect(self, create: bool = False) -> sqlite3.Connection:
        # mode=rw: a store that has been moved away is an error, not an empty new file.
        uri = f"{self.file.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(
            uri, timeout=self.patience, isolation_level=None, check_same_thread=False, uri=True
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        # NORMAL syncs the log before it is folded into the file, not at each commit. After a power cut the store opens
        # whole and consistent, at worst without the last moments' commits; FULL would cost a disk sync for each.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements all see the store at one moment."""
        with self._errors(), closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection with the write lock: what is done with it is done whole, or, on an error, not at all."""
        with self._errors(), closing(self._connect()) as connection:  # closing without a COMMIT rolls back
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code: int | None = getattr(error, "sqlite_errorcode", None)
            if code is None:  # a mistake in this file's use of sqlite3, not a fault of the store's file
                raise
            raise RunError(f"{self.file}: {self._reason(code & 0xFF, error)}") from error
        except OSError as error:
            raise RunError(f"{self.file}: {error.strerror}") from error
        except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON and URLs can carry
            raise RunError(f"{self.file}: {ascii(error.object)[:60]} is not valid Unicode text") from error
        except OverflowError as error:
            raise RunError(f"{self.file}: a whole number beyond 2**63 cannot be stored") from error

    def _reason(self, code: int, error: sqlite3.Error) -> str:
        match code:
            case sqlite3.SQLITE_FULL:
                return "the disk is full; nothing was changed"
            case sqlite3.SQLITE_READONLY:
                return "the store of runs is read-only"
            case sqlite3.SQLITE_CANTOPEN:
                return "the store of runs cannot be opened"
            case sqlite3.SQLITE_NOTADB:
                return "this is not a store of runs, nor any SQLite database"
            case sqlite3.SQLITE_CORRUPT:
                return "the store of runs is damaged"
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return f"another program has kept the store of runs locked for {self.patience:g} s"
            case sqlite3.SQLITE_IOERR:
                return "the disk failed, or is full, while the store of runs was used"
            case _:
                return str(error)

    # -------------------------------------------------------------------------------------------------------- schema

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if self._version(connection) == len(MIGRATIONS):
            return
        self._use_log(connection)
        connection.execute("BEGIN IMMEDIATE")
        version = self._version(connection)  # again: another process may have been first
        if 0 < version < len(MIGRATIONS):
            self._keep_copy(version)
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")

    def _version(self, connection: sqlite3.Connection) -> int:
        """The version of the schema, 0 for an empty file. Refuses what is not ours, and what is newer than we are."""
        # One statement, so that another process that is just making the store is seen before or after, not between.
        application, version, tables = connection.execute(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),"
            " (SELECT count(*) FROM sqlite_master)"
        ).fetchone()
        if application != APPLICATION_ID and tables:
            raise RunError(f"{self.file}: this is a SQLite database, but not a store of runs")
        if version > len(MIGRATIONS):
            raise RunError(
                f"{self.file}: this store of runs has version {version}, and this lab reads up to version "
                f"{len(MIGRATIONS)}; update the lab, or set LAB_HOME to another folder"
            )
        return int(version)

    def _use_log(self, connection: sqlite3.Connection) -> None:
        """Turns on the write-ahead log, with which readers and the writer do not wait for each other."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:  # SQLite does not wait here by itself
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise RunError(f"{self.file}: no write-ahead log is possible here; set LAB_HOME to a local folder")

    def _keep_copy(self, version: int) -> None:
        """The store as it is, in a file beside it. The caller holds the write lock, so nothing slips in between."""
        kept = self.file.with_suffix(f".version{version}.sqlite3")
        unfinished = kept.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        # The caller's own connection would not do: SQLite copies from none that is in the middle of writing.
        with closing(self._connect()) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
        unfinished.replace(kept)

    # ------------------------------------------------------------------------------------------------------ the queue

    def submit(
        self,
        *,
        kind: Kind,
        name: str,
        architecture: str,
        recipe: str,
        dataset: str,
        device: str,
        parameters: int,
        seed: int,
        epochs: int,
        slug: str = "",
        owner: str = "",
        parent: str = "",
        seed_group: str = "",
        worker: str = "",
        device_name: str = "",
        prediction: str = "",
        snapshots: bool = False,
        owner_key: str = "",
        bounded: bool = True,
    ) -> Run:
        """Puts a new run at the end of the queue; one for a given worker is that worker's at once, and never waits.

        Raises RunError for a nickname that is too long.
        """
        now = time.time()
        asked = {
            "kind": kind,
            "slug": slug,
            "name": name,
            "architecture": architecture,
            "recipe": recipe,
            "dataset": dataset,
            "device": device,
            "parameters": parameters,
            "seed": seed,
            "epochs": epochs,
            "owner": plain_words(owner, "the nickname", MOST_NICKNAME),
            "parent": parent,
            "seed_group": seed_group,
            "prediction": prediction,
            "snapshots": int(snapshots),
            "owner_key": owner_key,
            "bounded": int(bounded),
            "id": secrets.token_hex(8),  # 64 random bits: no leading dash, and no two that differ in case only
            "created": now,
            "status": "running" if worker else "queued",
            "worker": worker,
            "device_name": device_name,
            "started": now if worker else None,
            "heartbeat": now if worker else None,
        }
        with self._writing() as connection:
            row = connection.execute(
                f"""INSERT INTO runs (place, {", ".join(asked)})
                    VALUES ({_LAST_PLACE}, {", ".join(f":{column}" for column in asked)}) RETURNING {RUN}""",
                asked,
            ).fetchone()
        return _run(row)

    def retry(self, run_id: str, owner: str = "", owner_key: str = "", bounded: bool = True) -> Run:
        """Submits the same run anew, from its beginning; the new one names the old as its parent, and is single.

        It is the run of whoever asks for it; without a nickname of theirs it keeps the old one.
        """
        old = self.get(run_id)
        return self.submit(
            kind=old.kind,
            name=old.name,
            architecture=old.architecture,
            recipe=old.recipe,
            dataset=old.dataset,
            device=old.device,
            parameters=old.parameters,
            seed=old.seed,
            epochs=old.epochs,
            slug=old.slug,
            owner=owner or old.owner,
            parent=old.id,
            snapshots=old.snapshots,
            owner_key=owner_key,
            bounded=bounded,
        )

    def resume(self, run_id: str) -> Run:
        """Puts an unfinished run back at the end of the queue, keeping its epochs, to go on after the last of them."""
        with self._writing() as connection:
            row = connection.execute(
                f"""UPDATE runs SET status = 'queued', place = {_LAST_PLACE}, stop_requested = 0, worker = '',
                        pause = '', paused_since = NULL, heartbeat = NULL, ended = NULL, error = '',
                        lost = 0, urgent = 0,
                        result = CASE kind WHEN 'train' THEN result ELSE '' END  -- the rate it goes on with
                    WHERE id = ? AND status IN ('interrupted', 'stopped', 'failed') RETURNING {RUN}""",
                (run_id,),
            ).fetchone()
            if row is not None:
                connection.execute(_FORGET_BATCHES, (run_id,))
        if row is None:
            raise RunError(
                f"run {short(run_id)} is {self.get(run_id).status}; only one that was interrupted, stopped or failed "
                "can go on"
            )
        return _run(row)

    def refuse(self, run_id: str, error: str) -> bool:
        """Ends a run that still waits, as failed: no worker can be had for it. False when it waits no longer."""
        with self._writing() as connection:
            refused = connection.execute(
                "UPDATE runs SET status = 'failed', error = ?, ended = ? WHERE id = ? AND status = 'queued'",
                (error, time.time(), run_id),
            )
        return refused.rowcount == 1

    def queue(self, device_kinds: Collection[str] = ()) -> Queue:
        """Who waits and who is under way for one of these devices, or for any, at one moment."""
        with self._reading() as connection:
            return _queue(connection, device_kinds)

    def waiting_of(self, owner_key: str) -> int:
        """How many runs of one browser wait."""
        with self._reading() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM runs WHERE status = 'queued' AND owner_key = ?", (owner_key,)
            ).fetchone()
        return int(count)

    def put_first(self, run_id: str) -> Run:
        """Puts a waiting run before all others, whoever's turn it would be."""
        return self._set(run_id, "urgent = 1, place = (SELECT min(place) - 1 FROM runs)", where="status = 'queued'")

    def put_last(self, run_id: str) -> Run:
        """Puts a waiting run behind all others of its owner, to wait for its turn."""
        return self._set(run_id, f"urgent = 0, place = {_LAST_PLACE}", where="status = 'queued'")

    def class_setting(self, name: ClassSetting) -> bool:
        """Whether the teacher has switched this on."""
        with self._reading() as connection:
            return _is_set(connection, name)

    def set_class(self, name: ClassSetting, on: bool) -> None:
        """Switches something on or off for all."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO class VALUES (?, ?)", (name, "1" if on else ""))

    def request_stop(self, run_id: str) -> Run:
        """Stops a waiting run at once, and asks the worker of a running one to stop; an ended one stays as it is."""
        with self._writing() as connection:
            connection.execute(
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
        name = plain_words(name, "the name", MOST_NAME)
        if not name:
            raise RunError(f"run {short(run_id)}: a name needs at least 1 character, this one has 0")
        return self._set(run_id, "name = ?", name)

    def set_tags(self, run_id: str, tags: Sequence[str]) -> Run:
        """Gives the run these tags and no others; empty and repeated ones are left out. Raises RunError."""
        words = dict.fromkeys(plain_words(tag, "a tag", MOST_TAG) for tag in tags)
        kept = [tag for tag in words if tag]
        if comma := next((tag for tag in kept if "," in tag), None):
            raise RunError(f"the tag {short(comma)} has a comma in it, which is what parts two tags")
        if len(kept) > MOST_TAGS:
            raise RunError(f"a run has at most {MOST_TAGS} tags, these are {len(kept)}")
        return self._set(run_id, "tags = ?", ",".join(kept))

    def set_owner(self, run_id: str, nickname: str) -> Run:
        """Says whose run it is; "" is nobody's. Raises RunError for a long nickname."""
        return self._set(run_id, "owner = ?", plain_words(nickname, "the nickname", MOST_NICKNAME))

    def _set(self, run_id: str, columns: str, *values: object, where: str = "1") -> Run:
        with self._writing() as connection:
            connection.execute(f"UPDATE runs SET {columns} WHERE id = ? AND {where}", (*values, _text(run_id)))
        return self.get(run_id)

    # ------------------------------------------------------------------------------------------ a run that is under way

    def set_pause(self, run_id: str, pause: Pause) -> Run:
        """Asks for the run to be held, now or at the end of its epoch, or, with "", to go on. An ended one stays so."""
        return self._set(run_id, "pause = ?", pause, where="kind = 'train' AND status IN ('queued', 'running')")

    def set_rate_factor(self, run_id: str, factor: float) -> Run:
        """Multiplies the learning rates that are still to come by a factor of the recipe's own. Raises RunError."""
        if not 1 / MOST_RATE_FACTOR <= factor <= MOST_RATE_FACTOR:  # not a number is in no range
            raise RunError(
                f"run {short(run_id)}: the rate cannot be multiplied by {factor:g}: "
                f"that is outside {1 / MOST_RATE_FACTOR:g} to {MOST_RATE_FACTOR:g}"
            )
        return self._set(run_id, "rate_factor = ?", factor, where="kind = 'train' AND status IN ('queued', 'running')")

    def control(self, run_id: str) -> Control:
        """What the run's worker is asked to do; to stop, when the run is not there any more."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT stop_requested, pause, rate_factor FROM runs WHERE id = ?", (run_id,)
            ).fetchone()
        if row is None:
            return Control(stop=True)
        return Control(bool(row["stop_requested"]), row["pause"], row["rate_factor"])

    def hold(self, run_id: str, worker: str, asked: Pause) -> bool:
        """Says that the run is held, from now until it is told to go on. A heartbeat too; False: no longer its run.

        `asked` is the pause that the worker was asked for. Where something else has been asked since, that stands.
        """
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                connection.execute(
                    """UPDATE runs SET pause = 'now', paused_since = coalesce(paused_since, ?)
                       WHERE id = ? AND pause IN (?, 'now')""",
                    (time.time(), run_id, asked),
                )
        return mine

    def release(self, run_id: str, worker: str) -> bool:
        """Says that the run goes on. It is a heartbeat too; False: nothing was written."""
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                connection.execute("UPDATE runs SET paused_since = NULL WHERE id = ?", (run_id,))
        return mine

    def set_rate_changes(self, run_id: str, worker: str, changes: Sequence[RateChange]) -> bool:
        """Keeps where the rate was changed. It is a heartbeat too; False: nothing was written."""
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                pairs = json.dumps([astuple(change) for change in changes])
                connection.execute("UPDATE runs SET rate_changes = ? WHERE id = ?", (pairs, run_id))
        return mine

    def others_wait(self, run_id: str) -> bool:
        """Whether a run waits for the worker that this run keeps busy."""
        with self._reading() as connection:
            (waiting,) = connection.execute(
                """SELECT EXISTS (SELECT 1 FROM runs AS mine JOIN runs AS other ON other.status = 'queued'
                       AND (other.device = mine.device OR 'auto' IN (other.device, mine.device))
                   WHERE mine.id = ?)""",
                (run_id,),
            ).fetchone()
        return bool(waiting)

    def delete(self, run_id: str) -> None:
        """Removes a run and its figures, not its files. Raises RunError while it is running."""
        with self._writing() as connection:
            deleted = connection.execute("DELETE FROM runs WHERE id = ? AND status != 'running'", (run_id,)).rowcount
        if not deleted:
            raise RunError(f"run {self.get(run_id).id} is running; stop it before it is deleted")

    def delete_untagged(self, run_id: str) -> bool:
        """Removes a run that has ended and has no tag, and its figures, not its files; False: it stays."""
        with self._writing() as connection:
            deleted = connection.execute(
                "DELETE FROM runs WHERE id = ? AND tags = '' AND status NOT IN ('queued', 'running')", (run_id,)
            )
        return deleted.rowcount == 1

    # --------------------------------------------------------------------------------- what a worker does with a run

    def claim(self, device_kinds: Collection[str], worker: str, device_name: str = "", a_person: int = 1) -> Run | None:
        """Gives the worker the run whose turn it is on one of these devices; None when none waits, or none may start.

        Of one person at most `a_person` runs are under way at a time: see `lab.runs.fair_queue`. None, too, while the
        teacher holds the queue.
        """
        if not self.is_waited_for(device_kinds):  # a look that takes no lock: idle workers do it ten times a second
            return None
        now = time.time()
        with self._writing() as connection:
            if _is_set(connection, "queue_paused"):
                return None
            found = _queue(connection, device_kinds)
            chosen = next_of([_waiting(run) for run in found.waiting], found.busy, found.served, a_person)
            if chosen is None:
                return None
            row = connection.execute(
                f"""UPDATE runs SET status = 'running', worker = ?1, device_name = ?2, heartbeat = ?3, claimed = ?3,
                        started = coalesce(started, ?3), error = ''
                    WHERE id = ?4 RETURNING {RUN}""",
                (worker, device_name, now, chosen.id),
            ).fetchone()
        return _run(row)

    def is_waited_for(self, device_kinds: Collection[str]) -> bool:
        """Whether a run waits for one of these devices."""
        with self._reading() as connection:
            (waiting,) = connection.execute(
                f"SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND {_OF_KINDS})", _kinds(device_kinds)
            ).fetchone()
        return bool(waiting)

    def heartbeat(self, run_id: str, worker: str) -> bool:
        """Says that the run is alive. False when it is no longer this worker's, which should then let go of it."""
        with self._writing() as connection:
            return _beat(connection, run_id, worker)

    def heartbeats(self, worker: str) -> set[str]:
        """Says that all the runs the worker has are alive, and which they are."""
        with self._writing() as connection:
            rows = connection.execute(
                "UPDATE runs SET heartbeat = ? WHERE worker = ? AND status = 'running' RETURNING id",
                (time.time(), worker),
            ).fetchall()
        return {row["id"] for row in rows}

    def stop_requested(self, run_id: str) -> bool:
        """Whether the run should stop: because someone asked for it, or because it is not there any more."""
        with self._reading() as connection:
            row = connection.execute("SELECT stop_requested FROM runs WHERE id = ?", (run_id,)).fetchone()
        return row is None or bool(row["stop_requested"])

    def add_epoch(self, run_id: str, worker: str, epoch: EpochRecord) -> bool:
        """Adds an epoch, or replaces it. It is a heartbeat too, and as there, False means that nothing was written."""
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                connection.execute(
                    f"INSERT OR REPLACE INTO epochs (run, {EPOCH}) VALUES (?{', ?' * len(EPOCH_NAMES)})",
                    (run_id, *astuple(epoch)),
                )
                # It is not the run that its workers died of, if there were any. What it had done before says nothing.
                connection.execute("UPDATE runs SET lost = 0 WHERE id = ? AND lost > 0", (run_id,))
        return mine

    def add_batches(self, run_id: str, worker: str, batches: Sequence[BatchRow]) -> bool:
        """Adds iterations, or replaces them, all or none. It is a heartbeat too; False: nothing was written."""
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                connection.executemany(
                    f"INSERT OR REPLACE INTO batches (run, {BATCH}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [(run_id, *astuple(batch)) for batch in batches],
                )
        return mine

    def rewind(self, run_id: str, worker: str, epochs: int) -> bool:
        """Forgets all but the first `epochs` epochs: for a resume file that is older than the figures stored here."""
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                connection.execute("DELETE FROM epochs WHERE run = ? AND epoch >= ?", (run_id, epochs))
                connection.execute("DELETE FROM batches WHERE run = ? AND epoch >= ?", (run_id, epochs))
        return mine

    def set_result(self, run_id: str, worker: str, result: str) -> bool:
        """Keeps a range test's result, JSON. It is a heartbeat too; False: nothing was written."""
        with self._writing() as connection:
            if mine := _beat(connection, run_id, worker):
                connection.execute("UPDATE runs SET result = ? WHERE id = ?", (result, run_id))
        return mine

    def finish(self, run_id: str, worker: str, status: Ending, error: str = "") -> bool:
        """Ends the run. False when it is no longer this worker's, and is left as it is."""
        with self._writing() as connection:
            ended = connection.execute(
                """UPDATE runs SET status = ?1, error = ?2, ended = ?3, heartbeat = ?3, pause = '', paused_since = NULL
                   WHERE id = ?4 AND worker = ?5 AND status = 'running'""",
                (status, error, time.time(), run_id, worker),
            )
        return ended.rowcount == 1

    def put_back(self, run_id: str, worker: str, error: str = "", lost: bool = False) -> bool:
        """Gives a run back to the queue, at its old place, to go on after its last epoch. False: no longer its run.

        `lost`: its worker failed under it; after MOST_LOST of those the run has failed, with the error.
        """
        with self._writing() as connection:
            row = connection.execute(
                f"""UPDATE runs SET lost = lost + ?3, {_PUT_BACK.format("'failed'")}, error = ?4
                    WHERE id = ?1 AND worker = ?2 AND status = 'running' RETURNING status""",
                (run_id, worker, int(lost), error, time.time()),
            ).fetchone()
            if row is not None and row["status"] == "queued":
                connection.execute(_FORGET_BATCHES, (run_id,))
        return row is not None

    def recover(self, older_than_seconds: float, now: float | None = None, dead: Collection[str] = ()) -> list[Run]:
        """Sees to the runs whose worker has fallen silent, or is among the dead.

        One from the queue waits again, to go on after its last epoch, unless that has happened MOST_LOST times; then,
        and where it came from no queue, it is interrupted. It is stopped where a stop had been asked for.
        """
        now = time.time() if now is None else now
        with self._writing() as connection:
            rows = connection.execute(
                f"""UPDATE runs SET lost = lost + 1, {_PUT_BACK.format("'interrupted'")},
                        error = 'its worker gave no sign of life for ' || CAST(abs(?5 - heartbeat) AS INTEGER) || ' s'
                    WHERE status = 'running'
                        AND (abs(?5 - heartbeat) > ?1 OR worker IN (SELECT value FROM json_each(?2)))  -- `silence`
                    RETURNING {RUN}""",
                (older_than_seconds, json.dumps(list(dead)), 1, None, now),
            ).fetchall()
            for row in rows:
                if row["status"] == "queued":
                    connection.execute(_FORGET_BATCHES, (row["id"],))
        return [_run(row) for row in rows]

    # -------------------------------------------------------------------------------------------------------- reading

    def get(self, run_id: str) -> Run:
        """The run with this id. Raises RunError."""
        with self._reading() as connection:
            row = connection.execute(f"SELECT {RUN} FROM runs WHERE id = ?", (_text(run_id),)).fetchone()
        if row is None:
            raise RunError(f"there is no run {short(_text(run_id))} here")
        return _run(row)

    def runs(self, limit: int = 100, statuses: Collection[Status] = ()) -> list[Run]:
        """The latest runs, newest first: those with one of the statuses, or all."""
        with self._reading() as connection:
            rows = connection.execute(
                f"""SELECT {RUN} FROM runs WHERE ?1 = '[]' OR status IN (SELECT value FROM json_each(?1))
                    ORDER BY number DESC LIMIT ?2""",
                (json.dumps(list(statuses)), limit),
            ).fetchall()
        return [_run(row) for row in rows]

    def seed_group(self, seed_group: str) -> list[Run]:
        """The runs of a group, by their seeds. Raises RunError."""
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {RUN} FROM runs WHERE seed_group = ? AND seed_group != '' ORDER BY seed", (_text(seed_group),)
            ).fetchall()
        if not rows:
            raise RunError(f"there is no group of runs {short(_text(seed_group))} here")
        return [_run(row) for row in rows]

    def entries(self, limit: int = 100) -> list[list[Run]]:
        """What a table of runs shows, the latest first: single runs, and the runs of a group together, by seeds."""
        with self._reading() as connection:
            rows = connection.execute(_ENTRIES, (limit,)).fetchall()
        return [[_run(row) for row in rows] for _, rows in itertools.groupby(rows, key=lambda row: row["latest"])]

    def epochs(self, run_id: str) -> list[EpochRecord]:
        """The run's epochs, in order."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {EPOCH} FROM epochs WHERE run = ? ORDER BY epoch", (run_id,)).fetchall()
        return [_epoch(row) for row in rows]

    def last_epochs(self, run_ids: Collection[str]) -> dict[str, EpochRecord]:
        """Each run's last epoch, for a table of runs; a run without one is left out."""
        with self._reading() as connection:
            rows = connection.execute(
                f"""SELECT run, {EPOCH} FROM epochs WHERE (run, epoch) IN (
                        SELECT value, (SELECT max(epoch) FROM epochs WHERE run = value) FROM json_each(?))""",
                (json.dumps(list(run_ids)),),
            ).fetchall()
        return {row["run"]: _epoch(row) for row in rows}

    def iterations_done(self, run_ids: Collection[str]) -> dict[str, int]:
        """How many iterations of each run are over; a run without one is left out."""
        with self._reading() as connection:
            rows = connection.execute(
                """SELECT value AS run, (SELECT max(iteration) + 1 FROM batches WHERE run = value) AS done
                   FROM json_each(?) WHERE done IS NOT NULL""",
                (json.dumps(list(run_ids)),),
            ).fetchall()
        return {row["run"]: row["done"] for row in rows}

    def paces(self, limit: int = 50) -> list[Pace]:
        """How fast the latest finished runs trained."""
        with self._reading() as connection:
            rows = connection.execute(
                """SELECT architecture, recipe, dataset,
                       (SELECT avg(seconds) FROM epochs WHERE run = id) AS seconds
                   FROM runs WHERE status = 'finished' AND kind = 'train' AND seconds IS NOT NULL
                   ORDER BY number DESC LIMIT ?""",
                (limit,),
            ).fetchall()
        return [Pace(**{name: row[name] for name in ("architecture", "recipe", "dataset", "seconds")}) for row in rows]

    def batches(self, run_id: str, after_iteration: int = -1, at_most: int = 500) -> list[BatchRow]:
        """The run's iterations in order; of more than `at_most`, that many at even distances, first and last kept."""
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {BATCH} FROM batches WHERE run = ? AND iteration > ? ORDER BY iteration LIMIT ?",
                (run_id, after_iteration, at_most + 1),
            ).fetchall()
            if len(rows) > at_most:
                rows = connection.execute(
                    _EVENLY, {"run": run_id, "first": rows[0]["iteration"], "at_most": at_most}
                ).fetchall()
        return [_batch(row) for row in rows]

    # ---------------------------------------------------------------------------------------------------------- seats

    def take_seat(
        self, device: str, worker: str, pid: int, stale_after: float, now: float | None = None, slot: int = 0
    ) -> bool:
        """Gives the worker a seat at the device: False when another has shown life there in the last seconds."""
        now = time.time() if now is None else now
        with self._writing() as connection:
            row = connection.execute(
                """INSERT INTO workers (device, slot, worker, pid, host, started, heartbeat)
                       VALUES (?1, ?7, ?2, ?3, ?4, ?5, ?5)
                   ON CONFLICT (device, slot) DO UPDATE SET worker = ?2, pid = ?3, host = ?4, started = ?5,
                       heartbeat = ?5, run = ''
                   WHERE worker = ?2 OR abs(?5 - heartbeat) > ?6 RETURNING device""",  # `silence`, in SQL
                (device, worker, pid, socket.gethostname(), now, stale_after, slot),
            ).fetchone()
        return row is not None

    def seat_heartbeat(self, device: str, worker: str, run_id: str = "", slot: int = 0) -> bool:
        """Says that the worker is alive, and busy with which run. False when the seat is another's: it should leave."""
        with self._writing() as connection:
            beat = connection.execute(
                "UPDATE workers SET heartbeat = ?, run = ? WHERE device = ? AND slot = ? AND worker = ?",
                (time.time(), run_id, device, slot, worker),
            )
        return beat.rowcount == 1

    def leave_seat(self, device: str, worker: str, slot: int = 0) -> None:
        """Frees the seat, if it is this worker's."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM workers WHERE device = ? AND slot = ? AND worker = ?", (device, slot, worker)
            )

    def seat(self, device: str, slot: int = 0) -> Seat | None:
        """One of the device's seats, whether or not its worker is alive: see `silence`."""
        return next((seat for seat in self.seats() if (seat.device, seat.slot) == (device, slot)), None)

    def seats(self) -> list[Seat]:
        """All seats that are taken, whether or not their workers are alive."""
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {SEAT} FROM workers ORDER BY device, slot").fetchall()
        return [Seat(**{name: row[name] for name in SEAT_NAMES}) for row in rows]


@dataclass(frozen=True)
class Queue:
    """The queue at one moment, as `lab.runs.fair_queue` wants it."""

    waiting: tuple[Run, ...]  # by place
    running: tuple[Run, ...]
    served: dict[str, float]  # when each owner's last run was taken, of those who wait
    paused: bool  # by the teacher

    @property
    def busy(self) -> dict[str, int]:
        """Runs under way by owner."""
        return dict(Counter(run.owner_key for run in self.running))


def _queue(connection: sqlite3.Connection, device_kinds: Collection[str]) -> Queue:
    rows = connection.execute(
        f"SELECT {RUN} FROM runs WHERE status = 'queued' AND {_OF_KINDS} ORDER BY place", _kinds(device_kinds)
    ).fetchall()
    running = connection.execute(f"SELECT {RUN} FROM runs WHERE status = 'running' ORDER BY place").fetchall()
    owners = json.dumps(sorted({row["owner_key"] for row in rows}))
    served = connection.execute(
        """SELECT value, (SELECT max(claimed) FROM runs WHERE owner_key = value) AS last FROM json_each(?)
           WHERE last IS NOT NULL""",
        (owners,),
    ).fetchall()
    return Queue(
        tuple(map(_run, rows)),
        tuple(map(_run, running)),
        {row["value"]: row["last"] for row in served},
        _is_set(connection, "queue_paused"),
    )


def _waiting(run: Run) -> Waiting:
    return Waiting(run.id, run.owner_key, run.place, run.urgent)


def _is_set(connection: sqlite3.Connection, name: ClassSetting) -> bool:
    row = connection.execute("SELECT value FROM class WHERE name = ?", (name,)).fetchone()
    return row is not None and bool(row["value"])


def _kinds(device_kinds: Collection[str]) -> dict[str, str]:
    return {"kinds": json.dumps(list(device_kinds))}


_OF_KINDS = "(:kinds = '[]' OR device IN (SELECT value FROM json_each(:kinds)))"

# A run that goes back to the queue, held if it was to be held, or that, where it has lost too many workers or came from
# no queue, ends as is said.
_ENDS = f"(stop_requested OR claimed IS NULL OR lost + ?3 >= {MOST_LOST})"
_PUT_BACK = f"""status = CASE WHEN stop_requested THEN 'stopped' WHEN {_ENDS} THEN {{0}} ELSE 'queued' END,
        ended = CASE WHEN {_ENDS} THEN ?5 END, heartbeat = CASE WHEN {_ENDS} THEN heartbeat END,
        pause = CASE WHEN {_ENDS} THEN '' ELSE pause END, paused_since = NULL"""

# The iterations after the last whole epoch: they will be done again.
_FORGET_BATCHES = """DELETE FROM batches
    WHERE run = ?1 AND epoch > (SELECT coalesce(max(epoch), -1) FROM epochs WHERE run = ?1)"""

_LAST_PLACE = "(SELECT coalesce(max(place), 0) + 1 FROM runs)"

# A group stands where its latest run does. One scan from the latest run back until there are enough entries, with a
# look-up in the index for each run of a group that is passed.
_ENTRIES = f"""
    WITH entries (latest, member) AS (
        SELECT number, seed_group FROM runs AS latest
        WHERE seed_group = '' OR number = (SELECT max(number) FROM runs WHERE seed_group = latest.seed_group)
        ORDER BY number DESC LIMIT ?)
    SELECT latest, {RUN} FROM entries JOIN runs
        ON number = latest OR (seed_group = member AND member != '')  -- by the indices; a CASE would scan
    ORDER BY latest DESC, seed"""

# From the last iteration back to the first in equal strides, and at each the next iteration that is stored: as many
# look-ups in the index as points, however long the run.
_EVENLY = f"""
    WITH RECURSIVE
        bounds (last, strides) AS (SELECT max(iteration), max(:at_most - 1, 1) FROM batches WHERE run = :run),
        point (number) AS (VALUES (0) UNION ALL SELECT number + 1 FROM point WHERE number < :at_most - 1)
    SELECT {BATCH} FROM batches WHERE run = :run AND iteration IN (
        SELECT (SELECT min(iteration) FROM batches
                WHERE run = :run AND iteration >= last - (last - :first) * number / strides)
        FROM point, bounds)
    ORDER BY iteration"""


def _beat(connection: sqlite3.Connection, run_id: str, worker: str) -> bool:
    beat = connection.execute(
        "UPDATE runs SET heartbeat = ? WHERE id = ? AND worker = ? AND status = 'running'",
        (time.time(), run_id, worker),
    )
    return beat.rowcount == 1


def _run(row: sqlite3.Row) -> Run:
    values = {name: row[name] for name in RUN_NAMES}
    tags = tuple(row["tags"].split(",")) if row["tags"] else ()
    flags = {name: bool(row[name]) for name in ("stop_requested", "snapshots", "urgent", "bounded")}
    changes = tuple(RateChange(*pair) for pair in json.loads(row["rate_changes"] or "[]"))
    return Run(**values | flags | {"tags": tags, "rate_changes": changes})


def _epoch(row: sqlite3.Row) -> EpochRecord:
    record = EpochRecord(**_figures(row, EPOCH_NAMES))
    for measured in ("validation", "plain_train"):
        if row[f"{measured}_accuracy"] is None:  # not measured; else an accuracy is a number even where a loss is none
            record = replace(record, **{f"{measured}_{figure}": None for figure in ("loss", "accuracy")})  # type: ignore[arg-type]
    return record


def _batch(row: sqlite3.Row) -> BatchRow:
    return BatchRow(**_figures(row, BATCH_NAMES))


def _figures(row: sqlite3.Row, names: tuple[str, ...]) -> dict[str, Any]:  # Any: int and float fields
    return {name: math.nan if row[name] is None else row[name] for name in names}


def _text(given: str) -> str:
    """What a URL gave for an id, as text that can be stored and shown: half a surrogate pair is neither."""
    return given.encode("utf-8", "backslashreplace").decode()
