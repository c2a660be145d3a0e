"""What workers do with the store: take a slot, claim a run, say that it lives, write its figures, end it.

A worker may write to a run only while the run is its own: each method that writes says False when it is not. What
proves that is its lease: the token of its claim, or the worker's id where that can have no older claim of the run.
"""

from __future__ import annotations

import json
import secrets
import socket
import sqlite3
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import astuple, fields

from core.checkpoints.card import read_card
from core.errors import CheckpointError
from core.training.history import EpochRecord, RateChange
from lab.runs.adoption import CLAIM, adopt, discard, settle, staged_in
from lab.runs.damage import is_slot
from lab.runs.fair_queue import Waiting, next_of
from lab.runs.reasons import public
from lab.runs.rows import (
    BATCH_NAMES,
    EPOCH_NAMES,
    MAX_LOST,
    BatchRow,
    ClassSetting,
    Control,
    Ending,
    Pause,
    Queue,
    Run,
    Slot,
    run_of,
)
from lab.runs.sound_rows import SoundRows, parted


class Leases(SoundRows):
    """The part of the store that workers use."""

    # --- the queue

    def queue(self, device_kinds: Collection[str] = ()) -> Queue:
        """Which runs wait and which are running on one of these devices, or for any, at one moment."""
        with self.reading() as connection:
            found, damaged = _queue(connection, device_kinds)
        self.set_aside(damaged)
        return found

    def claim(
        self, device_kinds: Collection[str], worker: str, device_name: str = "", a_person: int = 1, spread: bool = False
    ) -> Run | None:
        """Gives the worker the run whose turn it is on one of these devices; None when none waits, or none may start.

        Of one person at most `a_person` jobs run at a time: see `lab.runs.fair_queue`. None, too, while the
        teacher holds the queue. Further seeds of a group that is running are claimed here with `spread` only; else
        they are left to the worker that has the group: see `claim_seed`.
        """
        if not self.is_waited_for(device_kinds):  # a look that takes no lock: idle workers do it ten times a second
            return None
        with self.writing() as connection:
            if is_set(connection, "queue_paused"):
                return None
            found, damaged = _queue(connection, device_kinds)
            waiting = [_waiting(run) for run in found.waiting if spread or run.job not in found.jobs]
            chosen = next_of(waiting, found.busy, found.served, a_person, found.jobs)
            taken = self._take(connection, chosen.id, worker, device_name) if chosen else None
        self.set_aside(damaged)
        return taken

    def _take(self, connection: sqlite3.Connection, run_id: str, worker: str, device_name: str) -> Run:
        for path in (self.folder / run_id).glob(f"{CLAIM}*"):  # here, where no other claim of the run can begin
            discard(path)
        row = connection.execute(
            """UPDATE runs SET status = 'running', worker = ?1, device_name = ?2, heartbeat = ?3, claimed = ?3,
                   started = coalesce(started, ?3), error = '', claim = ?5
               WHERE id = ?4 RETURNING *""",
            (worker, device_name, time.time(), run_id, secrets.token_hex(8)),
        ).fetchone()
        return run_of(row)

    def sweep(self) -> int:
        """Deletes what dead claims have left in the folders of runs; returns how many folders that were."""
        with self.errors():
            left = staged_in(self.folder)
        if not left:
            return 0
        with self.writing() as connection:
            held = connection.execute("SELECT claim FROM runs WHERE status = 'running'").fetchall()
            dead = [path for path in left if path.name not in {f"{CLAIM}{row['claim']}" for row in held}]
            for path in dead:
                discard(path)
        return len(dead)

    def claim_seed(self, seed_group: str, worker: str, device_name: str = "") -> Run | None:
        """Gives the worker one more waiting run of a group that it has; None when none waits."""
        with self.writing() as connection:
            row = connection.execute(
                """SELECT id FROM runs WHERE status = 'queued' AND seed_group = ? AND NOT EXISTS
                       (SELECT 1 FROM class WHERE name = 'queue_paused' AND value != '') ORDER BY seed LIMIT 1""",
                (seed_group,),
            ).fetchone()
            return self._take(connection, row["id"], worker, device_name) if row else None

    def set_side_by_side(self, seed_group: str, most: int) -> int:
        """Keeps how many seeds of a group train at a time, where that is not decided yet; returns what holds."""
        with self.writing() as connection:
            connection.execute(
                """UPDATE runs SET side_by_side = coalesce(
                       (SELECT max(side_by_side) FROM runs WHERE seed_group = ?1 AND side_by_side > 0),
                       min(?2, (SELECT count(*) FROM runs WHERE seed_group = ?1)))
                   WHERE seed_group = ?1 AND side_by_side = 0""",
                (seed_group, most),
            )
            (held,) = connection.execute(
                "SELECT max(side_by_side) FROM runs WHERE seed_group = ?", (seed_group,)
            ).fetchone()
        return min(int(held), most)

    def is_waited_for(self, device_kinds: Collection[str]) -> bool:
        """Whether a run waits for one of these devices."""
        return bool(
            self.rows(f"SELECT 1 FROM runs WHERE status = 'queued' AND {_OF_KINDS} LIMIT 1", _kinds(device_kinds))
        )

    def epochs_recorded(self) -> int:
        """How many epochs of all runs are here: while workers get on, it grows."""
        return int(self.rows("SELECT count(*) FROM epochs")[0][0])

    def heartbeat(self, run_id: str, lease: str) -> bool:
        """Says that the run is alive. False when it is no longer the holder's, which should then let go of it."""
        return self._write(run_id, lease)

    def heartbeats(self, worker: str) -> set[str]:
        """Says that all the runs the worker has are alive, and which they are."""
        with self.writing() as connection:
            rows = connection.execute(
                "UPDATE runs SET heartbeat = ? WHERE worker = ? AND status = 'running' RETURNING id",
                (time.time(), worker),
            ).fetchall()
        return {row["id"] for row in rows}

    def stop_requested(self, run_id: str) -> bool:
        """Whether the run should stop: because someone asked for it, or because it is not there any more."""
        return self.control(run_id).stop

    def add_epoch(self, run_id: str, lease: str, epoch: EpochRecord) -> bool:
        """Adds an epoch, or replaces it, and with it the files that the claim has written: see `adoption`.

        It is a heartbeat too, and as there, False means that nothing was written.
        """
        # It is not the run that its workers died of, if there were any. What it had done before says nothing.
        survived = "UPDATE runs SET lost = 0 WHERE id = ? AND lost > 0", (run_id,)
        return self._write(run_id, lease, (_INSERT_EPOCH, (run_id, *astuple(epoch))), survived, adopted=True)

    def add_batches(self, run_id: str, lease: str, batches: Sequence[BatchRow]) -> bool:
        """Adds iterations, or replaces them, all or none. It is a heartbeat too; False: nothing was written."""
        return self._write(run_id, lease, *((_INSERT_BATCH, (run_id, *astuple(batch))) for batch in batches))

    def rewind(self, run_id: str, lease: str, epochs: int) -> bool:
        """Forgets all but the first `epochs` epochs: for a resume file that is older than the figures stored here."""
        beyond = [
            (f"DELETE FROM {table} WHERE run = ? AND epoch >= ?", (run_id, epochs)) for table in ("epochs", "batches")
        ]
        return self._write(run_id, lease, *beyond)

    def set_result(self, run_id: str, lease: str, result: str) -> bool:
        """Keeps a range test's result, JSON. It is a heartbeat too; False: nothing was written."""
        return self._write(run_id, lease, ("UPDATE runs SET result = ? WHERE id = ?", (result, run_id)))

    def _write(self, run_id: str, lease: str, *statements: tuple[str, Sequence[object]], adopted: bool = False) -> bool:
        """A heartbeat, and these statements with their values; False, and nothing, when the run is not the worker's."""
        with self.writing() as connection:
            mine = connection.execute(
                "UPDATE runs SET heartbeat = ? WHERE id = ? AND ? IN (worker, claim) AND status = 'running'",
                (time.time(), run_id, lease),
            ).rowcount
            for statement, values in statements if mine else ():
                connection.execute(statement, values)
            if mine and adopted:
                adopt(self.folder / run_id, lease)
        return mine == 1

    def finish(self, run_id: str, lease: str, status: Ending, error: str = "") -> bool:
        """Ends the run. False when it is no longer this worker's, and is left as it is."""
        with self.writing() as connection:
            ended = connection.execute(
                """UPDATE runs SET status = ?1, error = ?2, ended = ?3, heartbeat = ?3, pause = '', paused_since = NULL
                   WHERE id = ?4 AND ?5 IN (worker, claim) AND status = 'running'""",
                (status, public(error), time.time(), run_id, lease),
            ).rowcount
            if ended:
                self._catch_up(connection, run_id)
        return ended == 1

    def put_back(self, run_id: str, lease: str, error: str = "", lost: bool = False) -> bool:
        """Gives a run back to the queue, at its old place, to go on after its last epoch. False: no longer its run.

        `lost`: its worker failed under it; after MAX_LOST of those the run has failed, with the error.
        """
        with self.writing() as connection:
            row = connection.execute(
                f"""UPDATE runs SET lost = lost + ?3, {_PUT_BACK.format("'failed'")}, error = ?4
                    WHERE id = ?1 AND ?2 IN (worker, claim) AND status = 'running' RETURNING status""",
                (run_id, lease, int(lost), public(error), time.time()),
            ).fetchone()
            if row is not None:
                self._catch_up(connection, run_id)
                if row["status"] == "queued":
                    connection.execute(FORGET_BATCHES, (run_id,))
        return row is not None

    def recover(self, older_than_seconds: float, now: float | None = None, dead: Collection[str] = ()) -> list[Run]:
        """Takes the runs from workers that have been silent for too long, or are among the dead.

        Such a run waits again, to go on after its last epoch, unless that has happened MAX_LOST times without an epoch
        between; then it has failed: it may be what they die of. It is stopped where a stop had been asked for.
        """
        now = time.time() if now is None else now
        with self.writing() as connection:
            rows = connection.execute(
                f"""UPDATE runs SET lost = lost + 1, {_PUT_BACK.format("'failed'")},
                        error = CASE WHEN lost + ?3 < {MAX_LOST} THEN '' ELSE '{TOO_MANY}' END
                            || CASE WHEN worker IN (SELECT value FROM json_each(?2)) THEN 'its worker died'
                                ELSE 'its worker gave no sign of life for '
                                    || CAST(abs(?5 - heartbeat) AS INTEGER) || ' s' END
                    WHERE status = 'running'
                        AND (abs(?5 - heartbeat) > ?1 OR worker IN (SELECT value FROM json_each(?2)))  -- `silent_for`
                    RETURNING *""",
                (older_than_seconds, json.dumps(list(dead)), 1, None, now),
            ).fetchall()
            for row in rows:
                self._catch_up(connection, row["id"])
                if row["status"] == "queued":
                    connection.execute(FORGET_BATCHES, (row["id"],))
        return self.sound(rows)

    def _catch_up(self, connection: sqlite3.Connection, run_id: str) -> None:
        """At the end of a claim: end the adoption that a kill, or a full disk, has cut short, and record its epoch."""
        folder = self.folder / run_id
        with suppress(OSError):  # then the next claim does that epoch again
            settle(folder)
        with suppress(CheckpointError):
            history = read_card(folder / "last.json").history
            (known,) = connection.execute("SELECT count(*) FROM epochs WHERE run = ?", (run_id,)).fetchone()
            if len(history) == known + 1:
                connection.execute(_INSERT_EPOCH, (run_id, *astuple(history[-1])))

    # --- what is asked of a run, and what its worker answers

    def control(self, run_id: str) -> Control:
        """What the run's worker is asked to do; to stop, when the run is not there any more."""
        rows = self.rows("SELECT stop_requested, pause, rate_factor FROM runs WHERE id = ?", (run_id,))
        return Control(bool(rows[0][0]), *rows[0][1:]) if rows else Control(stop=True)

    def hold(self, run_id: str, lease: str, asked: Pause) -> bool:
        """Says that the run is held, from now until it may continue. A heartbeat too; False: no longer its run.

        `asked` is the pause that the worker was asked for. Where something else has been asked since, that stands.
        """
        held = "pause = 'now', paused_since = coalesce(paused_since, ?) WHERE id = ? AND pause IN (?, 'now')"
        return self._write(run_id, lease, (f"UPDATE runs SET {held}", (time.time(), run_id, asked)))

    def release(self, run_id: str, lease: str) -> bool:
        """Says that the run goes on. It is a heartbeat too; False: nothing was written."""
        return self._write(run_id, lease, ("UPDATE runs SET paused_since = NULL WHERE id = ?", (run_id,)))

    def set_rate_changes(self, run_id: str, lease: str, changes: Sequence[RateChange]) -> bool:
        """Keeps where the rate was changed. It is a heartbeat too; False: nothing was written."""
        pairs = json.dumps([astuple(change) for change in changes])
        return self._write(run_id, lease, ("UPDATE runs SET rate_changes = ? WHERE id = ?", (pairs, run_id)))

    def others_wait(self, run_id: str) -> bool:
        """Whether another job waits for the worker that this run keeps busy."""
        waiting = self.rows(
            """SELECT 1 FROM runs AS mine JOIN runs AS other ON other.status = 'queued'
                   AND (other.device = mine.device OR 'auto' IN (other.device, mine.device))
                   AND (other.seed_group != mine.seed_group OR mine.seed_group = '')
               WHERE mine.id = ? LIMIT 1""",
            (run_id,),
        )
        return bool(waiting)

    # --- slots

    def take_slot(
        self, device: str, worker: str, pid: int, stale_after: float, now: float | None = None, slot: int = 0
    ) -> bool:
        """Gives the worker a slot of the device: False when another has shown life there in the last seconds."""
        now = time.time() if now is None else now
        with self.writing() as connection:
            row = connection.execute(
                """INSERT INTO workers (device, slot, worker, pid, host, started, heartbeat)
                       VALUES (?1, ?7, ?2, ?3, ?4, ?5, ?5)
                   ON CONFLICT (device, slot) DO UPDATE SET worker = ?2, pid = ?3, host = ?4, started = ?5,
                       heartbeat = ?5, run = ''
                   WHERE worker = ?2 OR abs(?5 - heartbeat) > ?6 RETURNING device""",  # `silent_for`, in SQL
                (device, worker, pid, socket.gethostname(), now, stale_after, slot),
            ).fetchone()
        return row is not None

    def slot_heartbeat(self, device: str, worker: str, run_id: str = "", slot: int = 0) -> bool:
        """Says that the worker is alive, and busy with which run. False when the slot is another's: it should leave."""
        beat = "UPDATE workers SET heartbeat = ?, run = ? WHERE device = ? AND slot = ? AND worker = ?"
        return self.change(beat, (time.time(), run_id, device, slot, worker)) == 1

    def leave_slot(self, device: str, worker: str, slot: int = 0) -> None:
        """Frees the slot, if it is this worker's."""
        self.change("DELETE FROM workers WHERE device = ? AND slot = ? AND worker = ?", (device, slot, worker))

    def slot(self, device: str, slot: int = 0) -> Slot | None:
        """One of the device's slots, whether or not its worker is alive: see `silent_for`."""
        return next((each for each in self.slots() if (each.device, each.slot) == (device, slot)), None)

    def slots(self) -> list[Slot]:
        """All slots that are taken, whether or not their workers are alive."""
        rows = self.rows(f"SELECT {', '.join(each.name for each in fields(Slot))} FROM workers ORDER BY device, slot")
        return [Slot(**row) for row in rows if is_slot(row)]  # a damaged one is taken by the next worker


def silent_for(heartbeat: float, now: float) -> float:
    """Seconds since a heartbeat. One from the future counts too: else a clock set back would keep the dead alive."""
    return abs(now - heartbeat)


def _queue(connection: sqlite3.Connection, device_kinds: Collection[str]) -> tuple[Queue, list[tuple[int, str]]]:
    """The queue, and the damaged rows in it."""
    rows = connection.execute(
        f"SELECT * FROM runs WHERE status = 'queued' AND {_OF_KINDS} ORDER BY place", _kinds(device_kinds)
    ).fetchall()
    running = connection.execute("SELECT * FROM runs WHERE status = 'running' ORDER BY place").fetchall()
    (waiting, wrong), (under_way, also_wrong) = parted(rows), parted(running)
    owners = json.dumps(sorted({run.owner_key for run in waiting}))
    served = connection.execute(
        """SELECT value, (SELECT max(claimed) FROM runs WHERE owner_key = value) AS last FROM json_each(?)
           WHERE last IS NOT NULL""",
        (owners,),
    ).fetchall()
    last = {row["value"]: row["last"] for row in served}
    return Queue(tuple(waiting), tuple(under_way), last, is_set(connection, "queue_paused")), [*wrong, *also_wrong]


def _waiting(run: Run) -> Waiting:
    return Waiting(run.id, run.owner_key, run.place, run.urgent, job=run.job)


def is_set(connection: sqlite3.Connection, name: ClassSetting) -> bool:
    row = connection.execute("SELECT value FROM class WHERE name = ?", (name,)).fetchone()
    return row is not None and bool(row["value"])


def _kinds(device_kinds: Collection[str]) -> dict[str, str]:
    return {"kinds": json.dumps(list(device_kinds))}


TOO_MANY = (
    f"{MAX_LOST} workers were lost with this run, one after the other, before an epoch was done: it may need more "
    "memory than there is; the last time "
)
_OF_KINDS = "(:kinds = '[]' OR device IN (SELECT value FROM json_each(:kinds)))"

# A run goes back to the queue, held if it was to be held; one that was to stop, or has lost too many workers, ends.
_ENDS = f"(stop_requested OR lost + ?3 >= {MAX_LOST})"
_PUT_BACK = f"""status = CASE WHEN stop_requested THEN 'stopped' WHEN {_ENDS} THEN {{0}} ELSE 'queued' END,
        ended = CASE WHEN {_ENDS} THEN ?5 END, heartbeat = CASE WHEN {_ENDS} THEN heartbeat END,
        pause = CASE WHEN {_ENDS} THEN '' ELSE pause END, paused_since = NULL"""

# The iterations after the last whole epoch: they will be done again.
FORGET_BATCHES = """DELETE FROM batches
    WHERE run = ?1 AND epoch > (SELECT coalesce(max(epoch), -1) FROM epochs WHERE run = ?1)"""


_INSERT_EPOCH, _INSERT_BATCH = (
    f"INSERT OR REPLACE INTO {table} (run, {', '.join(names)}) VALUES (?{', ?' * len(names)})"
    for table, names in (("epochs", EPOCH_NAMES), ("batches", BATCH_NAMES))
)
