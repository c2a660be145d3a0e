"""A real worker process on a store of its own: runs end as they should, whoever stops or kills whom."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from core.architecture.json_form import architecture_to_json
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.data.mnist import EMBEDDED, load
from core.errors import ChangedError, ClassError, RunError
from core.ladder import catalogue
from core.training.loop import EpochEnd
from core.training.recipe import SGD, Augmentation, Jitter, OneCycle, RangeTest, Recipe, recipe_to_json
from core.training.resident import resident
from lab.__main__ import main
from lab.runs import actions, seeds, supervisor
from lab.runs.actions import Labels, labels_of, submit
from lab.runs.cluster.node import Trainer, Work
from lab.runs.expectation import expected
from lab.runs.machine import read_machine
from lab.runs.person import MACHINE, Person, may_change
from lab.runs.rows import Kind, NewRun, Run
from lab.runs.store import RunStore
from lab.runs.supervisor import STALE_SECONDS, is_alive, reap_dead_workers
from lab.runs.training_job import RESUME, Failed, Here, TrainingJob, load_resident, load_state, run_training
from lab.runs.worker import Worker
from lab.settings import Settings
from tests.patience import patient
from tests.tiny import PLAIN, TINY, same

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = patient(90)  # seconds
RECIPE = Recipe(
    epochs=3,
    batch_size=64,
    learning_rate=0.05,
    schedule=OneCycle(),
    ema_decay=0.9,
    augmentation=Augmentation(rotation=Jitter(5)),
)
ENDLESS = replace(RECIPE, epochs=1000)
ADA = Person("ada", "Ada")


@dataclass
class Workers:
    """Worker processes on one store."""

    store: RunStore
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, idle: float = 60) -> subprocess.Popen[str]:
        # One thread, as in this process: the weights are compared bit for bit.
        environment = os.environ | {"LAB_HOME": str(self.store.folder), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "lab.runs.worker", "--device", "cpu", "--idle", str(idle)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return process


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    return RunStore(home)


@pytest.fixture
def workers(store: RunStore) -> Iterator[Workers]:
    workers = Workers(store)
    yield workers
    for process in workers.started:
        process.kill()
        process.communicate()


def queued(
    store: RunStore,
    recipe: Recipe = RECIPE,
    kind: Kind = "train",
    device: str = "cpu",
    architecture: Architecture = TINY,
) -> Run:
    """A run in the queue, without a worker being started for it."""
    return store.submit(
        NewRun(
            kind=kind,
            slug="",
            name="tiny",
            architecture_json=architecture_to_json(architecture),
            recipe_json=recipe_to_json(recipe),
            dataset=EMBEDDED,
            device=device,
            parameters=classifier(architecture).parameters,
            seed=recipe.seed,
            epochs=recipe.epochs,
            owner="Ada",
        )
    )[0]


def wait(until: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain until {what}"
        time.sleep(0.02)


def wait_for(store: RunStore, run: Run, *statuses: str) -> Run:
    wait(lambda: store.get(run.id).status in statuses, f"the run was {' or '.join(statuses)}")
    return store.get(run.id)


def undisturbed(recipe: Recipe, folder: Path) -> dict[str, torch.Tensor]:
    """The weights that the same run has in this process, with nobody in its way."""
    order = TrainingJob("tiny", "", TINY, recipe, folder)
    for _ in run_training(order, resident(load(EMBEDDED), recipe, torch.device("cpu"))):
        pass
    return checkpoint.load(folder / "last")[0].state_dict()


# --------------------------------------------------------------------------------------------------------- a whole life


@pytest.mark.slow
def test_a_queued_run_is_trained_to_its_end_and_the_next_ones_after_it(
    store: RunStore, workers: Workers, tmp_path: Path
) -> None:
    """One worker, for the start of a process is what takes the time: a run, a range test, a failure, another run."""
    first = queued(store, replace(RECIPE, validation_size=5000))
    assert first.status == "queued"
    ranged = queued(store, replace(RECIPE, range_test=RangeTest(iterations=40)), kind="range_test")
    broken = queued(store, Recipe(epochs=60, learning_rate=100, optimizer=SGD(0.99)), architecture=PLAIN)
    elsewhere = queued(store, device="cuda")
    found = queued(store, replace(RECIPE, epochs=1, range_test=RangeTest(iterations=40)))
    process = workers.start(idle=1)

    first = wait_for(store, first, "finished", "failed")
    assert (first.status, first.error, first.device_name) == ("finished", "", "cpu")
    epochs, batches = store.epochs(first.id), store.batches(first.id)
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2]
    assert [batch.iteration for batch in batches] == list(range(3 * -(-1317 // 64)))
    network, card = checkpoint.load(store.folder / first.id / "last")
    assert list(card.history) == epochs
    assert card.recipe.validation_size == 5000
    assert checkpoint.load(store.folder / first.id / "best")[1].choice == "best on validation"
    assert same(network.state_dict(), undisturbed(replace(RECIPE, validation_size=5000), tmp_path / "here"))

    ranged = wait_for(store, ranged, "finished", "failed")
    assert ranged.status == "finished"
    result = json.loads(ranged.result)
    assert len(result["points"]) == len(store.batches(ranged.id))
    assert result["suggestions"] or result["reason"]

    broken = wait_for(store, broken, "finished", "failed")
    assert broken.status == "failed"
    assert "learning rate 100" in broken.error
    assert "\n" not in broken.error

    found = wait_for(store, found, "finished", "failed")
    assert json.loads(found.result)["chosen"] == pytest.approx(
        max(batch.learning_rate for batch in store.batches(found.id)), rel=0.2
    )
    assert store.get(elsewhere.id).status == "queued"

    assert process.wait(PATIENCE) == 0  # after its idle second
    assert store.slot("cpu") is None
    machine = read_machine(store.folder)
    assert machine is not None
    assert "cpu" in machine.devices


@pytest.mark.slow
def test_a_run_is_stopped_at_once_and_a_terminated_worker_lets_go_of_its_run_and_its_seat(
    store: RunStore, workers: Workers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped, terminated, waiting = queued(store, ENDLESS), queued(store, ENDLESS), queued(store, ENDLESS)
    first = workers.start()
    wait(lambda: store.epochs(stopped.id), "an epoch was done")
    store.request_stop(waiting.id)
    assert store.get(waiting.id).status == "stopped"
    asked = time.monotonic()
    store.request_stop(stopped.id)
    wait_for(store, stopped, "stopped")
    assert time.monotonic() - asked < patient(5)  # 0.3 s on a machine with nothing else to do
    checkpoint.load(store.folder / stopped.id / "last")

    wait_for(store, terminated, "running")
    Worker(store, "cpu").work(0)  # while the first sits there
    assert store.slot("cpu").pid == first.pid  # type: ignore[union-attr]
    assert is_alive(store, "cpu")

    wait(lambda: store.epochs(terminated.id), "an epoch was done")
    wait(lambda: store.slots()[0].run == terminated.id, "the slot named the run")
    monkeypatch.setenv("LAB_HOME", str(store.folder))
    assert main(["workers"]) == 0
    told = f"cpu 0  process {first.pid} on {socket.gethostname()}  trains run {terminated.id}\n1 worker\n"
    assert capsys.readouterr().out == told
    assert main(["workers", "--stop", "--json"]) == 0  # which sends SIGTERM
    assert [worker["pid"] for worker in json.loads(capsys.readouterr().out)["workers"]] == [first.pid]
    assert first.wait(PATIENCE) == 0
    assert main(["workers", "--stop"]) == 0
    assert capsys.readouterr().out == "0 workers\n"
    again = store.get(terminated.id)
    assert (again.status, again.lost, again.error) == ("queued", 0, ""), "it waits for the next worker"
    assert store.slot("cpu") is None
    assert not is_alive(store, "cpu")


@pytest.mark.slow
def test_a_killed_workers_run_waits_again_and_goes_on_to_the_weights_of_an_undisturbed_one(
    store: RunStore, workers: Workers, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=8)
    run = queued(store, recipe)
    process = workers.start()
    wait(lambda: len(store.epochs(run.id)) >= 2, "two epochs were done")
    process.kill()
    process.wait()
    assert store.get(run.id).status == "running"  # nobody has noticed yet
    assert store.recover(STALE_SECONDS) == []
    state = load_state(store.folder / run.id)
    assert state is not None
    assert 2 <= len(state["history"]) < 8  # type: ignore[arg-type]
    killed = time.monotonic()
    wait(lambda: reap_dead_workers(store) or store.get(run.id).status == "queued", "its process was missed")
    assert time.monotonic() - killed < STALE_SECONDS, "sooner than by its silence"
    again = store.get(run.id)
    assert (again.lost, again.place) == (1, run.place)
    assert again.error == "its worker died"
    assert store.slot("cpu") is None

    workers.start()
    wait_for(store, run, "finished", "failed")
    assert [epoch.epoch for epoch in store.epochs(run.id)] == list(range(8))
    assert [batch.iteration for batch in store.batches(run.id, at_most=10_000)] == list(range(8 * -(-1437 // 64)))
    network, card = checkpoint.load(store.folder / run.id / "last")
    assert [replace(e, seconds=0) for e in card.history] == [replace(e, seconds=0) for e in store.epochs(run.id)]
    assert same(network.state_dict(), undisturbed(recipe, tmp_path / "here"))


# ------------------------------------------------------------------------------------------------ inside one process


@pytest.fixture
def worker(store: RunStore) -> Worker:
    return Worker(store, "cpu")


def test_an_epoch_that_was_saved_but_not_yet_stored_is_not_lost(store: RunStore, worker: Worker) -> None:
    """A worker killed between the two: the resume file is one epoch ahead of the store."""
    run = queued(store)
    store.claim(["cpu"], "dead")
    order = TrainingJob("tiny", "", TINY, RECIPE, store.folder / run.id)
    ends = 0
    for event in run_training(order, resident(load(EMBEDDED), RECIPE, torch.device("cpu"))):
        ends += isinstance(event, EpochEnd)
        if ends == 2:
            break
    store.recover(0, now=time.time() + 1)
    worker.work(0.5)
    assert store.get(run.id).status == "finished"
    assert [epoch.epoch for epoch in store.epochs(run.id)] == [0, 1, 2]


def test_a_damaged_resume_file_fails_its_run_with_a_sentence(store: RunStore, worker: Worker) -> None:
    run = queued(store)
    (store.folder / run.id).mkdir()
    (store.folder / run.id / RESUME).write_bytes(b"PK\x03\x04 cut")
    worker.work(0.5)
    assert store.get(run.id).status == "failed"
    assert f"{RESUME}: the run cannot go on from it" in store.get(run.id).error


def test_data_that_are_not_there_fail_their_run_with_a_sentence(store: RunStore, worker: Worker) -> None:
    run = queued(store)
    with sqlite3.connect(store.file) as connection:
        connection.execute("UPDATE runs SET dataset = 'KMNIST'")
    worker.work(0.5)
    assert store.get(run.id).status == "failed"
    assert "KMNIST is not there" in store.get(run.id).error


def test_a_worker_that_finds_the_seat_taken_leaves_before_it_warms_up(store: RunStore, worker: Worker) -> None:
    load_resident.cache_clear()
    assert store.take_slot("cpu", "another", 1, STALE_SECONDS)
    worker.work(0)
    assert load_resident.cache_info().misses == 0
    store.leave_slot("cpu", "another")
    worker.work(0)
    assert load_resident.cache_info().misses == 1


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_after_an_unforeseen_error_a_worker_leaves_its_accelerator_for_a_fresh_one(
    device: str, store: RunStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*arguments: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("lab.runs.training_job.run_training", breaks)
    worker.executor.source = Here(torch.device(device), worker.leaving)
    monkeypatch.setattr(
        "lab.runs.training_job.data_for", lambda name, recipe, asked: resident(load(name), recipe, torch.device("cpu"))
    )
    run = queued(store)
    store.claim(["cpu"], worker.id)
    worker.executor.execute(store.get(run.id))
    ended = store.get(run.id)
    assert ended.error == "RuntimeError: CUDA error: an illegal memory access was encountered"
    assert (ended.status, ended.lost) == (("failed", 0) if device == "cpu" else ("queued", 1))
    assert worker.leaving.is_set() == (device != "cpu")


CUDA_FULL = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.25 GiB is free."
)
MPS_FULL = (
    "MPS backend out of memory (MPS allocated: 17.63 GB, other allocations: 384.00 KB, max allowed: 18.13 GB). "
    "Tried to allocate 1.00 GB on private pool."
)


@pytest.mark.parametrize(
    ("kind", "place", "device", "error", "said"),
    [
        (
            "train",
            "core.training.loop.forward",
            "cuda",
            torch.OutOfMemoryError(CUDA_FULL),
            "the memory of the GPU is full: 20.00 GiB more were asked for, and 1.25 GiB of its 7.79 GiB were free; ",
        ),
        (
            "train",
            "core.training.loop.evaluate",
            "mps",
            RuntimeError(MPS_FULL),
            "the memory of the GPU is full: 1.00 GB more were asked for, and it has 18.13 GB in all; ",
        ),
        (
            "range_test",
            "core.training.range_test.forward",
            "cuda",
            RuntimeError("CUDA error: out of memory"),
            "the memory of the GPU is full; ",
        ),
        (
            "train",
            "lab.runs.training_job.load_state",
            "cpu",
            MemoryError(),
            "the memory of this machine is full; ",
        ),
        ("train", "core.training.loop.evaluate", "cpu", None, "the memory of this machine is full: 4.00 PiB more were"),
    ],
)
def test_out_of_memory_fails_the_run_at_once_in_a_sentence_and_the_worker_goes_on(
    kind: Kind,
    place: str,
    device: str,
    error: Exception | None,
    said: str,
    store: RunStore,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*arguments: object) -> None:
        if error is None:
            torch.empty(2**50)  # what a processor's memory says itself
        else:
            raise error

    cpu = torch.device("cpu")
    monkeypatch.setattr("lab.runs.training_job.data_for", lambda name, recipe, asked: resident(load(name), recipe, cpu))
    worker.executor.source = Here(torch.device(device), worker.leaving)
    run, after = queued(store, replace(RECIPE, range_test=RangeTest(iterations=20)), kind), queued(store)
    with monkeypatch.context() as once:
        once.setattr(place, full)
        worker.executor.execute(store.claim(["cpu"], worker.id) or run)
    ended = store.get(run.id)
    assert (ended.status, ended.lost) == ("failed", 0), "no second worker is lost by it"
    assert ended.error.startswith(said)
    assert ended.error.endswith("choose a smaller batch size than 64, a smaller network or another device")
    assert not worker.leaving.is_set()
    worker.executor.execute(store.claim(["cpu"], worker.id) or after)
    assert store.get(after.id).status == "finished"


def test_a_seeds_process_a_node_and_the_command_line_say_that_memory_ran_out(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> None:
        torch.empty(2**50)

    monkeypatch.setattr("lab.runs.seeds.run_training", full)
    here, _ = seeds.SPAWN.Pipe()
    job = TrainingJob("tiny", "", TINY, RECIPE, store.folder / "seed")
    failed = seeds._train(here, seeds.Task(job, EMBEDDED, ()))
    said = "the memory of this machine is full: 4.00 PiB more were asked for; choose a smaller batch size"
    assert failed is not None
    assert failed.error.startswith(f"{said} than 64, ")
    monkeypatch.setattr("lab.runs.cluster.node.events", full)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)  # which would last
    trainer = Trainer()
    trainer.go_on(1.0)
    *_, last = trainer.train(Work(TINY, RECIPE, "cpu", 1), load(EMBEDDED), None)
    assert isinstance(last, Failed)
    assert last.error == failed.error, "another node has no more"
    monkeypatch.setattr("core.training.range_test.range_test", full)
    assert main(["range-test", "a2-final-7758", "--data", EMBEDDED, "--device", "cpu"]) == 2
    assert capsys.readouterr().err.startswith(f"python -m lab range-test: {said}, ")


def test_what_the_range_test_found_is_there_before_the_training_ends_and_after_it(
    store: RunStore, worker: Worker
) -> None:
    run = queued(store, replace(ENDLESS, range_test=RangeTest(iterations=40)))
    thread = threading.Thread(target=worker.work, args=(0.5,))
    thread.start()
    wait(lambda: store.epochs(run.id), "an epoch was done")
    found = store.get(run.id)
    store.request_stop(run.id)
    thread.join(PATIENCE)
    assert found.status == "running"
    assert json.loads(found.result)["chosen"] > 0
    assert store.get(run.id).result == found.result


def test_a_run_is_stopped_when_its_minutes_are_over_and_can_go_on(
    store: RunStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runs.executor.settings", lambda: replace(Settings(), most_minutes=0.02))
    run = queued(store, ENDLESS)
    worker.work(0.5)
    ended = store.get(run.id)
    assert (ended.status, ended.error) == ("stopped", "Its 0.02 minutes on this server are over; it can go on later")
    assert store.batches(run.id), "it had trained until then"
    done = len(store.epochs(run.id))
    assert store.resume(run.id).status == "queued"
    monkeypatch.setattr("lab.runs.executor.settings", lambda: Settings())
    worker.leaving.clear()
    thread = threading.Thread(target=worker.work, args=(0.5,))
    thread.start()
    wait(lambda: len(store.epochs(run.id)) > done, "it went on")
    store.request_stop(run.id)
    thread.join(PATIENCE)
    assert store.get(run.id).error == ""


def test_a_server_keeps_to_its_bounds_unless_the_teacher_lifts_them(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ensure_workers", lambda store, device: None)
    strict = Settings(most_parameters=1_000, most_macs=10**6, most_epochs=10, most_iterations=300, most_waiting=2)
    monkeypatch.setattr(actions, "settings", lambda: strict)
    small = catalogue.by_slug("a3-dilation-5340").architecture

    def ask(architecture: Architecture, recipe: Recipe, by: Person = ADA, kind: Kind = "train") -> Run:
        return submit(store, architecture, recipe, dataset=EMBEDDED, by=by, kind=kind)[0]

    with pytest.raises(RunError, match=r"parameters: 5,340 is more than the 1,000 that a run may have on this server"):
        ask(small, RECIPE)
    with pytest.raises(RunError, match="epochs: 11 is more than the 10"):
        ask(TINY, replace(RECIPE, epochs=11))
    with pytest.raises(RunError, match=r"iterations: 450 is more than the 300"):
        ask(TINY, replace(RECIPE, epochs=10, batch_size=32))
    monkeypatch.setattr(actions, "settings", lambda: replace(strict, most_megabytes=1))
    with pytest.raises(RunError, match=r"MB for a batch: \d+ is more than the 1 "):
        ask(TINY, RECIPE)
    monkeypatch.setattr(actions, "settings", lambda: strict)
    assert store.runs() == []
    assert ask(TINY, replace(RECIPE, epochs=11), kind="range_test").bounded, "which trains no epochs"
    assert not ask(small, RECIPE, by=Person("teacher", teacher=True)).bounded
    store.set_class("bounds_lifted", True)
    assert not ask(small, RECIPE).bounded
    with pytest.raises(RunError, match="2 of your runs wait already, and at most 2 may"):
        ask(TINY, RECIPE)
    assert ask(TINY, RECIPE, by=Person("ben", "Ben")).owner == "Ben", "who has none in the queue"


def test_only_its_owner_and_the_teacher_change_a_run(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "ensure_workers", lambda store, device: None)
    (run,) = submit(store, TINY, RECIPE, dataset=EMBEDDED, by=ADA)
    ben, teacher = Person("ben", "Ben"), Person("teacher", "", teacher=True)
    for act in (actions.stop, actions.delete, actions.resume):
        with pytest.raises(ClassError, match=f"run {run.id} is Ada's: only its owner"):
            act(store, run.id, ben)
    with pytest.raises(ClassError):
        actions.describe(store, [run.id], ben, Labels("mine now", "Ben", ()), labels_of(run))
    with pytest.raises(ClassError):
        actions.set_pause(store, run.id, "now", ben)
    with pytest.raises(ClassError):
        actions.scale_rate(store, run.id, 2.0, ben)
    assert store.get(run.id) == run
    asked = Labels("first try", "Ada L.", ("mine",))
    (named,) = actions.describe(store, [run.id], ADA, asked, labels_of(run))
    assert labels_of(named) == asked
    seen_before = labels_of(run)  # by another tab, which is told of its own changes alone
    (tagged,) = actions.describe(store, [run.id], ADA, replace(seen_before, tags=("mine",)), seen_before)
    assert labels_of(tagged) == asked, "what it did not touch stays"
    with pytest.raises(ChangedError, match="the name was changed to 'first try' in another tab; yours, 'second try', "):
        actions.describe(store, [run.id], ADA, replace(seen_before, name="second try"), seen_before)
    assert labels_of(store.get(run.id)) == asked
    assert [each.status for each in actions.stop(store, run.id, teacher)] == ["stopped"]
    assert actions.retry(store, run.id, ben)[0].owner_key == "ben", "anybody may do the same anew, as their own"
    actions.delete(store, run.id, ADA)


def test_what_is_nobodys_is_anybodys_unless_there_is_a_teacher(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(store)
    assert may_change(Person("ben"), run)
    monkeypatch.setattr("lab.runs.person.settings", lambda: Settings(class_passphrase="scrypt:..."))
    assert not may_change(Person("ben"), run)
    assert may_change(Person("ben", teacher=True), run)
    assert may_change(MACHINE, run)


@pytest.mark.slow
def test_a_store_that_is_locked_for_longer_than_its_patience_fails_no_run(home: Path, store: RunStore) -> None:
    hasty = Worker(RunStore(home, patience=0.05), "cpu")
    run = queued(store, replace(RECIPE, epochs=30))
    thread = threading.Thread(target=hasty.work, args=(0.5,))
    thread.start()
    wait(lambda: store.epochs(run.id), "an epoch was done")
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(1.5)
    other.execute("ROLLBACK")
    other.close()
    thread.join(PATIENCE)
    assert (store.get(run.id).status, store.get(run.id).error) == ("finished", "")
    assert [epoch.epoch for epoch in store.epochs(run.id)] == list(range(30))


def test_submitting_checks_everything_again_and_starts_one_worker(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import RecipeError, SpecError

    launched: list[list[str]] = []

    class Launched:
        def __init__(self, command: list[str], **options: object) -> None:
            launched.append(command)

        def poll(self) -> None:
            return None

    monkeypatch.setattr(supervisor.subprocess, "Popen", Launched)
    with pytest.raises(SpecError):
        submit(store, replace(TINY, ops=TINY.ops[:1]), RECIPE, by=MACHINE)
    with pytest.raises(RecipeError):
        submit(store, TINY, replace(RECIPE, batch_size=0), by=MACHINE)
    with pytest.raises(RunError, match="1 x 28 x 28"):
        submit(store, replace(PLAIN, input=(1, 32, 32)), RECIPE, by=MACHINE)
    with pytest.raises(RunError, match="no data set 'CIFAR'"):
        submit(store, TINY, RECIPE, dataset="CIFAR", by=MACHINE)
    assert (launched, store.runs()) == ([], [])
    first, second = (submit(store, TINY, RECIPE, dataset=EMBEDDED, by=ADA)[0] for _ in range(2))
    assert [expected(store)[run.id].turn.position for run in (first, second)] == [0, 1]
    assert len(launched) == 1  # the second finds the first still starting
    assert launched[0][1:5] == ["-m", "lab.runs.worker", "--device", "auto"]
