"""A worker that has lost its run writes nothing of it, however late it wakes; and no kill leaves half of an epoch."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoints import checkpoint
from core.checkpoints.card import read_card
from core.data.mnist import EMBEDDED, load
from core.errors import RunError
from core.training.loop import EpochEnd
from core.training.resident import resident
from lab.runs import adoption
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.runs.training_job import TrainingJob, epochs_done, run_training
from lab.runs.worker import Worker
from tests.test_worker import PATIENCE, RECIPE, ROOT, queued, undisturbed, wait
from tests.tiny import TINY, same

pytestmark = pytest.mark.own_data

SNAPSHOTS = replace(RECIPE, epochs=4)
# A worker that stops itself, as SIGSTOP from outside would, at the first evaluation of its second epoch.
STOPS_ITSELF = """
import os, signal
from core.training import loop
from lab.runs import worker
evaluate, done = loop.evaluate, []
def stops(*given):
    done.append(1)
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGSTOP)
    return evaluate(*given)
loop.evaluate = stops
worker.main()
"""


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    return RunStore(home)


def left_by(store: RunStore, run: Run) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """The files of the run by their hashes, and its rows."""
    folder = store.folder / run.id
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    with closing(sqlite3.connect(store.file)) as connection:
        rows = [
            row
            for table in ("runs", "epochs", "batches")
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        ]
    return files, rows


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the state of a process from /proc")
def test_a_worker_that_wakes_up_during_an_evaluation_changes_nothing_of_a_run_that_another_has_finished(
    store: RunStore,
) -> None:
    run = queued(store, SNAPSHOTS)
    with closing(sqlite3.connect(store.file)) as connection:
        connection.execute("UPDATE runs SET snapshots = 1")
        connection.commit()
    environment = os.environ | {"LAB_HOME": str(store.folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STOPS_ITSELF, "--device", "cpu", "--idle", "60"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as sleeper:
        try:
            wait(lambda: state_of(sleeper.pid) == "T", "the worker had stopped")
            assert [record.epoch for record in store.epochs(run.id)] == [0]
            store.recover(0, now=time.time() + 1)  # as after 15 s of silence
            (seat,) = store.slots()
            store.leave_slot("cpu", seat.worker)
            Worker(store, "cpu").work(0.5)
            finished = left_by(store, run)
            assert store.get(run.id).status == "finished"
            assert read_card(store.folder / run.id / "last.json").epoch == 3
            sleeper.send_signal(signal.SIGCONT)
            assert sleeper.wait(PATIENCE) == 0, "its slot is gone too: it leaves"
        finally:
            sleeper.kill()
    assert left_by(store, run) == finished
    assert len(finished[0]) == 2 + 2 + 1 + 2 * 4, "and nothing lies about"


def test_a_claim_that_is_over_writes_no_row_and_no_file_though_the_same_worker_has_the_run_again(
    store: RunStore, tmp_path: Path
) -> None:
    run = queued(store)
    old = store.claim(["cpu"], "w")
    store.recover(0, now=time.time() + 1)
    new = store.claim(["cpu"], "w")
    assert old is not None
    assert new is not None
    assert old.claim != new.claim
    folder = store.folder / run.id
    for claim in (old.claim, new.claim):
        job = TrainingJob("tiny", "", TINY, replace(RECIPE, epochs=1), folder, claim=claim)
        *_, end = run_training(job, resident(load(EMBEDDED), RECIPE, torch.device("cpu")))
        assert isinstance(end, EpochEnd)
        assert not (folder / "last.json").exists()
        assert store.add_epoch(run.id, claim, end.record) == (claim == new.claim)
    assert (folder / "last.json").exists()
    assert not store.finish(run.id, old.claim, "failed")
    assert not store.put_back(run.id, old.claim, lost=True)
    assert [path.name for path in folder.glob(".*")] == [f".claim-{old.claim}"]
    assert store.sweep() == 1
    assert list(folder.glob(".*")) == []


class KilledError(BaseException):
    """Stands for SIGKILL: nothing that tidies up may follow it."""


def test_after_a_kill_at_any_point_of_an_adoption_files_and_store_are_of_one_epoch(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill before each rename, and one between the last and the commit; then each run goes on to the same weights."""
    rename, move = Path.rename, Path.replace
    recipe = replace(RECIPE, epochs=3)
    expected = undisturbed(recipe, tmp_path / "here")
    for kill_at in range(7):
        run = queued(store, recipe)
        with monkeypatch.context() as patch:
            done: list[int] = []

            def step(kill_at: int = kill_at, done: list[int] = done) -> None:
                if len(done) == kill_at + 6:  # the first epoch's six renames are left alone
                    raise KilledError
                done.append(1)

            def renamed(self: Path, target: Path, step: object = step) -> Path:
                if self.name.startswith(adoption.CLAIM):
                    step()  # type: ignore[operator]
                return rename(self, target)

            def moved(self: Path, target: Path, step: object = step) -> Path:
                if self.parent.name == adoption.ADOPTED:
                    step()  # type: ignore[operator]
                return move(self, target)

            patch.setattr(Path, "rename", renamed)
            patch.setattr(Path, "replace", moved)
            if kill_at == 6:
                patch.setattr(adoption, "remove_inside", lambda *_: step())
            patch.setattr("lab.runs.executor.discard", lambda path: None)
            with pytest.raises(KilledError):
                Worker(store, "cpu").work(0.5)
        assert [record.epoch for record in store.epochs(run.id)] == [0]
        store.recover(0, now=time.time() + 1)
        folder = store.folder / run.id
        epochs = store.epochs(run.id)
        assert list(read_card(folder / "last.json").history) == epochs == epochs_done(folder), kill_at
        assert len(epochs) == (1 if kill_at == 0 else 2)
        batches = {row.epoch for row in store.batches(run.id, at_most=10_000)}
        assert batches == {record.epoch for record in epochs}
        Worker(store, "cpu").work(0.5)
        assert store.get(run.id).status == "finished"
        assert same(checkpoint.load(folder / "last")[0].state_dict(), expected)
        assert list(folder.glob(".*")) == []


def test_files_that_cannot_be_adopted_leave_the_epoch_unrecorded_and_are_adopted_the_next_time(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(store)
    claimed = store.claim(["cpu"], "w")
    assert claimed is not None
    job = TrainingJob("tiny", "", TINY, replace(RECIPE, epochs=1), store.folder / run.id, claim=claimed.claim)
    *_, end = run_training(job, resident(load(EMBEDDED), RECIPE, torch.device("cpu")))
    assert isinstance(end, EpochEnd)
    move = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if self.name == "last.json":
            raise OSError(28, "No space left on device")
        return move(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(RunError, match="The disk is full"):
            store.add_epoch(run.id, claimed.claim, end.record)
    assert store.epochs(run.id) == []
    assert store.add_epoch(run.id, claimed.claim, end.record)
    assert store.epochs(run.id) == [end.record]
    assert read_card(store.folder / run.id / "last.json").epoch == 0
