"""A full disk costs no run: what trains and what waits goes on by itself once there is room again."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core.errors import RunError
from lab.runs import full_disk, supervisor
from lab.runs.database import Database
from lab.runs.expectation import expected
from lab.runs.full_disk import NOT_SAVED, SENTENCE, is_full, of_the_disk
from lab.runs.store import RunStore
from lab.runs.troubles import in_the_way
from lab.runs.turn_words import turn_in_words
from lab.runs.worker import Worker
from tests.test_worker import PATIENCE, RECIPE, queued, wait

pytestmark = pytest.mark.own_data


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    return RunStore(home)


class Quota:
    """No page more in any connection's store while it is on, or no writing: SQLite's own SQLITE_FULL or _READONLY."""

    way = "max_page_count = 1"  # which SQLite makes the number that there are

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on, self.met, notes = False, 0, (full_disk.note_full, full_disk.note_read_only)
        connect = Database._connect

        def limited(database: Database, create: bool = False) -> sqlite3.Connection:
            connection = connect(database, create)
            if self.on:
                connection.execute(f"PRAGMA {self.way}")
            return connection

        monkeypatch.setattr(Database, "_connect", limited)
        for note in notes:
            monkeypatch.setattr(full_disk, note.__name__, partial(self._noted, note))

    def _noted(self, note: Callable[[Path], None], folder: Path) -> None:
        self.met += 1
        note(folder)


@pytest.fixture
def quota(monkeypatch: pytest.MonkeyPatch) -> Quota:
    return Quota(monkeypatch)


@pytest.mark.parametrize(
    ("way", "told", "why"),
    [(Quota.way, NOT_SAVED, SENTENCE), ("query_only = 1", full_disk.NOT_WRITTEN, full_disk.READ_ONLY)],
)
def test_a_full_or_read_only_store_is_told_from_what_is_wrong_with_a_run(
    store: RunStore, quota: Quota, way: str, told: str, why: str
) -> None:
    quota.on, quota.way = True, way
    with pytest.raises(RunError, match=told) as full:
        store.keep("ada", "work", lambda _: "x" * 1_000_000)
    assert (is_full(full.value), full_disk.is_read_only(full.value)) == (why == SENTENCE, why == full_disk.READ_ONLY)
    assert of_the_disk(full.value)
    assert str(store.folder) not in str(full.value)
    assert in_the_way(store, "auto") == why
    assert full_disk.could_not_write_lately(store.folder), "nobody is taken for dead who could not say a word"
    quota.on = False
    store.keep("ada", "work", lambda _: "short")
    assert in_the_way(store, "auto") == ""
    with pytest.raises(RunError) as missing:
        store.get("none")
    assert not of_the_disk(missing.value)


@pytest.mark.slow
def test_runs_that_wait_and_the_one_that_trains_outlast_a_full_store(
    store: RunStore, quota: Quota, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runs.executor.RETRY_SECONDS", 0.1)
    runs = [queued(store, replace(RECIPE, epochs=1 if number else 5)) for number in range(2)]
    worker = Worker(store, "cpu")
    thread = threading.Thread(target=worker.work, args=(2.0,))
    thread.start()
    wait(lambda: store.get(runs[0].id).status == "running", "it trained")
    quota.on = True
    wait(lambda: quota.met > 10, "the disk was full, and was so again when writing was tried again")
    assert in_the_way(store, "auto") == SENTENCE
    assert [store.get(run.id).status for run in runs] == ["running", "queued"]
    quota.way, quota.met = "query_only = 1", 0  # it then is read-only, and stays so for longer than writes are retried
    wait(lambda: quota.met > 10, "the disk was read-only, again and again")
    assert in_the_way(store, "auto") == full_disk.READ_ONLY
    assert [store.get(run.id).status for run in runs] == ["running", "queued"]
    quota.way = Quota.way
    wait(lambda: in_the_way(store, "auto") == SENTENCE, "it was full again")
    assert SENTENCE in turn_in_words(expected(store)[runs[1].id])
    quota.on = False
    wait(lambda: all(not store.get(run.id).unfinished for run in runs), "all had ended")
    thread.join(PATIENCE)
    assert [(run.status, run.error, run.lost) for run in map(store.get, [r.id for r in runs])] == [
        ("finished", "", 0)
    ] * 2


def test_a_checkpoint_for_which_there_is_no_room_puts_its_run_back_and_costs_it_nothing(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runs.executor.RETRY_SECONDS", 0.01)
    run, fsync, failures = queued(store), os.fsync, [3]

    def no_room(descriptor: int) -> None:
        if failures[0]:
            failures[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", no_room)
    Worker(store, "cpu").work(0.5)
    ended = store.get(run.id)
    assert (ended.status, ended.error, ended.lost) == ("finished", "", 0)
    assert failures == [0]


class Dead:
    """A worker process that has ended at once."""

    started = 0

    def __init__(self, command: list[str], **options: object) -> None:
        type(self).started += 1
        self.pid, self.returncode = 1, self.status

    status = 1

    def poll(self) -> int:
        return self.status


def test_workers_that_die_fail_no_run_and_after_three_the_waiting_runs_say_why(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, however slowly they die; each is waited for longer than the one before."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(supervisor.subprocess, "Popen", Dead)
    Dead.started, run = 0, queued(store, device="auto")
    said = f"RuntimeError: CUDA error: no kernel image is available\n  at {store.folder}/worker and /usr/lib/a/b.so\n"
    (store.folder / "worker-auto.log").write_text(f"Traceback\n{said.replace(chr(10), ' ')}\n", encoding="utf-8")
    words = []
    for _ in range(200):
        supervisor.watch(store, run)
        words.append(in_the_way(store, "auto"))
        clock[0] += 1.5
    assert Dead.started < 20, "with pauses between them"
    assert store.get(run.id).status == "queued"
    assert words[0] == ""
    assert words[-1].startswith("No worker stays alive: ")
    assert "no kernel image is available at worker and …" in words[-1]
    assert str(store.folder) not in words[-1]
    assert "\n" not in words[-1]
    assert words[-1] in turn_in_words(expected(store)[run.id])


def test_a_worker_that_a_full_disk_ended_counts_as_no_death(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(supervisor.subprocess, "Popen", Dead)
    monkeypatch.setattr(Dead, "status", full_disk.STATUS)
    run = queued(store, device="auto")
    for _ in range(20):
        supervisor.watch(store, run)
        clock[0] += 1.5
    assert in_the_way(store, "auto") == SENTENCE
    clock[0] += full_disk.LATELY_SECONDS
    assert in_the_way(store, "auto") == ""
    assert store.get(run.id).status == "queued"


def test_a_worker_that_hangs_before_it_begins_is_ended_and_counted(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, killed = [1000.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    class Hanging(Dead):
        status = -9

        def poll(self) -> int | None:  # type: ignore[override]
            return None

        def kill(self) -> None:
            killed.append(1)

        def wait(self) -> int:
            return -9

    monkeypatch.setattr(supervisor.subprocess, "Popen", Hanging)
    run = queued(store, device="auto")
    for _ in range(500):
        supervisor.watch(store, run)
        clock[0] += 1.5
    assert 3 <= len(killed) <= 7
    assert "it did not begin within 150 s" in in_the_way(store, "auto")
    assert store.get(run.id).status == "queued"


def test_the_supervisor_outlives_whatever_is_raised(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TENDING_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.002)
    leaving, calls = threading.Event(), []

    def breaks(store: RunStore) -> None:
        calls.append(1)
        if len(calls) > 8:
            leaving.set()
        raise (RecursionError, ZeroDivisionError, MemoryError)[len(calls) % 3]("by chance")

    monkeypatch.setattr(supervisor, "reap_dead_workers", breaks)
    supervisor.supervise(store, leaving)
    assert len(calls) > 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_runs_wait_for_room_on_a_disk_that_is_really_full_and_then_all_finish(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    monkeypatch.setenv("LAB_HOME", str(small_disk))
    monkeypatch.setenv("LAB_WORKER_IDLE", "60")
    monkeypatch.setenv("LAB_SIDE_BY_SIDE", "1")
    store = RunStore(small_disk)
    started: list[subprocess.Popen[bytes]] = []
    launch = supervisor._start
    monkeypatch.setattr(supervisor, "_start", lambda *where: started.append(launch(*where)) or started[-1])
    runs = [queued(store, replace(RECIPE, epochs=6 if number == 0 else 1), device="auto") for number in range(4)]
    leaving = threading.Event()
    tending = threading.Thread(target=supervisor.supervise, args=(store, leaving))
    tending.start()

    def statuses() -> set[str]:
        return {store.get(run.id).status for run in runs}

    try:
        wait(lambda: store.epochs(runs[0].id), "an epoch was done")
        with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        wait(lambda: in_the_way(store, "auto") == SENTENCE, "the disk was full")
        started[0].kill()  # the worker dies too
        notes = []
        note = full_disk.note_full
        monkeypatch.setattr(full_disk, "note_full", lambda folder: notes.append(note(folder)))
        wait(lambda: len(notes) > 3, "the supervisor had tried to give its run to another")
        assert statuses() <= {"queued", "running"}
        assert in_the_way(store, "auto") == SENTENCE
        (small_disk / "ballast").unlink()
        wait(lambda: statuses() == {"finished"}, "all had finished")
        assert {store.get(run.id).error for run in runs} == {""}
    finally:
        leaving.set()
        tending.join()
        supervisor.end_workers(store)
        for process in started:
            process.wait(PATIENCE)
        store.close()
