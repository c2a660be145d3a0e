"""Groups of seeds, in processes, in threads, one by one: each seed ends as it would alone, and so does a failure."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

from core.architecture.json_form import architecture_to_json
from core.architecture.spec import Architecture
from core.checkpoints import checkpoint
from core.data.mnist import EMBEDDED, load
from core.training.history import EpochRecord
from core.training.recipe import SGD, Augmentation, Jitter, OneCycle, RangeTest, Recipe
from core.training.resident import resident
from lab.runs import actions, seeds
from lab.runs.machine import SEEDS_ON_GPU, cores, most_side_by_side
from lab.runs.person import MACHINE
from lab.runs.rows import Ending, NewRun, Run, new_run
from lab.runs.seeds import source_beside, train_group
from lab.runs.store import RunStore
from lab.runs.training_job import Here, TrainingJob, epochs_done, run_training
from lab.studies.shelf import own
from tests.made_runs import begun
from tests.patience import patient, quiet, wait
from tests.tiny import PLAIN, TINY, same

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = patient(90)  # seconds
CPU = torch.device("cpu")
RECIPE = Recipe(
    epochs=3,
    batch_size=64,
    learning_rate=0.05,
    schedule=OneCycle(),
    ema_decay=0.9,
    augmentation=Augmentation(rotation=Jitter(5)),
    validation_size=5000,
)
ENDLESS = replace(RECIPE, epochs=1000)


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    monkeypatch.setattr("lab.runs.seeds.cores", lambda: 2)  # one thread for each of two: sums depend on how many
    return RunStore(home)


@pytest.fixture
def leaving() -> threading.Event:
    return threading.Event()


@pytest.fixture(params=[pytest.param("processes", marks=pytest.mark.slow), "threads", "one by one"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the seeds train: as on a CPU, as on a GPU, and as on a single core."""
    place = str(request.param)
    monkeypatch.setattr("lab.runs.seeds.most_side_by_side", lambda device: 1 if place == "one by one" else 2)
    if place == "threads":
        monkeypatch.setattr("lab.runs.seeds.Child", _in_this_process)
    return place


def _in_this_process(threads: int) -> Here:
    here = Here(CPU, threading.Event())
    object.__setattr__(here, "close", lambda: None)
    return here


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.runs.seeds.most_side_by_side", lambda device: 2)
    monkeypatch.setattr("lab.runs.seeds.Child", _in_this_process)


def submitted(
    store: RunStore, wanted: tuple[int, ...], recipe: Recipe = RECIPE, architecture: Architecture = TINY
) -> list[Run]:
    return store.submit(replace(new_run(architecture, recipe, EMBEDDED), device="cpu"), wanted)


def train(store: RunStore, leaving: threading.Event) -> None:
    """What a worker does with the next group in the queue."""
    first = store.claim(["cpu"], "w", "cpu")
    assert first is not None
    train_group(store, "w", leaving, CPU, first)


@pytest.fixture
def training(store: RunStore, leaving: threading.Event) -> Iterator[Callable[[], threading.Thread]]:
    """Starts `train` in a thread, which ends with the test."""
    started: list[threading.Thread] = []

    def start() -> threading.Thread:
        started.append(threading.Thread(target=train, args=(store, leaving)))
        started[-1].start()
        return started[-1]

    yield start
    leaving.set()
    for thread in started:
        thread.join()


def alone(recipe: Recipe, folder: Path) -> tuple[dict[str, Tensor], list[EpochRecord]]:
    """The weights and epochs of a run in this process, which has one thread too."""
    job = TrainingJob("tiny", "", TINY, recipe, folder)
    for _ in run_training(job, resident(load(EMBEDDED), recipe, CPU)):
        pass
    network, card = checkpoint.load(folder / "last")
    return network.state_dict(), list(card.history)


def timeless(records: list[EpochRecord]) -> list[EpochRecord]:
    return [replace(record, seconds=0) for record in records]


def endings(store: RunStore, runs: list[Run]) -> dict[int, str]:
    return {run.seed: store.get(run.id).status for run in runs}


# ------------------------------------------------------------------------------------------------------------- results


def test_each_seed_is_a_run_bit_for_bit_as_alone(
    place: str, store: RunStore, tmp_path: Path, leaving: threading.Event
) -> None:
    recipe = replace(RECIPE, range_test=RangeTest(iterations=40))
    submitted(store, (4, 7, 9), recipe)
    train(store, leaving)
    group = store.job(store.runs()[0].job)
    assert [run.seed for run in group] == [4, 7, 9]
    for run in group:
        assert (run.status, run.error, run.epochs) == ("finished", "", 3)
        assert run.recipe == replace(recipe, seed=run.seed)
        assert [batch.iteration for batch in store.batches(run.id)] == list(range(3 * -(-1317 // 64)))
        network, card = checkpoint.load(store.folder / run.id / "last")
        assert card.recipe.learning_rate == run.learning_rate_found == json.loads(run.result)["chosen"]
        weights, records = alone(replace(recipe, seed=run.seed), tmp_path / run.id)
        assert same(network.state_dict(), weights)
        assert timeless(store.epochs(run.id)) == timeless(records) == timeless(list(card.history))
    assert {f"{run.id}/{which}" for run in group for which in ("last", "best")} == {each.reference for each in own()}
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("in_threads")
def test_a_seed_is_the_same_beside_any_others(store: RunStore, leaving: threading.Event) -> None:
    def weights(wanted: tuple[int, ...]) -> dict[str, Tensor]:
        runs = submitted(store, wanted)
        train(store, leaving)
        run = next(run for run in runs if run.seed == 3)
        return checkpoint.load(store.folder / run.id / "last")[0].state_dict()

    assert same(weights((3, 5)), weights((0, 1, 2, 8, 3)))


def test_a_cpu_gets_a_process_for_each_core_and_a_gpu_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [most_side_by_side(device) for device in ("cpu", "cuda", "mps")] == [cores(), SEEDS_ON_GPU, 1]
    monkeypatch.setattr("lab.runs.seeds.cores", lambda: 16)
    for beside, threads in ((2, 8), (3, 5), (16, 1)):
        with source_beside(CPU, beside, threading.Event()) as source:
            assert isinstance(source, seeds.Child)
            assert source.threads == threads
    with source_beside(CPU, 1, threading.Event()) as source:
        assert isinstance(source, Here)


@pytest.mark.usefixtures("in_threads")
def test_seeds_that_are_added_while_a_group_trains_are_trained_too(
    store: RunStore, training: Callable[[], threading.Thread]
) -> None:
    runs = submitted(store, (0, 1))
    thread = training()
    wait(lambda: store.epochs(runs[0].id), "an epoch was done")
    store.extend(runs[0].job, (2, 3))
    thread.join(PATIENCE)
    assert {run.seed: run.status for run in store.job(runs[0].job)} == dict.fromkeys(range(4), "finished")


# ---------------------------------------------------------------------------------------------- holding and the rate


@pytest.mark.slow
def test_a_seed_in_a_process_of_its_own_is_held_and_given_another_rate_as_any_run(
    store: RunStore, training: Callable[[], threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runs.seeds.most_side_by_side", lambda device: 2)
    runs = submitted(store, (0, 1), ENDLESS)
    training()
    wait(lambda: all(store.epochs(run.id) for run in runs), "both trained")
    actions.set_pause(store, runs[0].job, "now", MACHINE)
    wait(lambda: all(run.paused_since is not None for run in store.job(runs[0].job)), "both were held")
    held = [len(store.batches(run.id, at_most=100_000)) for run in runs]
    quiet(0.3)  # in which they would have done many iterations
    assert [len(store.batches(run.id, at_most=100_000)) for run in runs] == held
    actions.scale_rate(store, runs[0].job, 0.5, MACHINE)
    actions.set_pause(store, runs[0].job, "", MACHINE)
    wait(lambda: all(run.rate_changes for run in store.job(runs[0].job)), "the rate was changed")
    wait(lambda: len(store.epochs(runs[0].id)) > 2, "it went on")
    assert {change.factor for run in store.job(runs[0].job) for change in run.rate_changes} == {0.5}


# ------------------------------------------------------------------------------------------------ failures and stopping


@pytest.mark.slow
def test_a_killed_process_costs_its_seed_nothing_but_time(
    store: RunStore, tmp_path: Path, training: Callable[[], threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runs.seeds.most_side_by_side", lambda device: 2)
    recipe = replace(RECIPE, epochs=12)
    runs = submitted(store, (0, 1, 2), recipe)
    thread = training()
    wait(lambda: store.epochs(runs[0].id), "an epoch was done")
    multiprocessing.active_children()[0].kill()
    thread.join(PATIENCE)
    assert endings(store, runs) == dict.fromkeys(range(3), "finished")
    for run in runs:
        weights, _ = alone(replace(recipe, seed=run.seed), tmp_path / run.id)
        assert same(checkpoint.load(store.folder / run.id / "last")[0].state_dict(), weights)
    assert multiprocessing.active_children() == []


def test_a_stopped_seed_makes_room_and_a_leaving_worker_puts_the_rest_back(
    place: str, store: RunStore, leaving: threading.Event, training: Callable[[], threading.Thread]
) -> None:
    runs = submitted(store, (0, 1, 2, 3), ENDLESS)
    thread = training()
    wait(lambda: store.epochs(runs[0].id), "the first trained")
    store.request_stop(runs[2].id)  # which waits
    store.request_stop(runs[0].id)
    if place != "one by one":
        wait(lambda: store.epochs(runs[3].id), "the last had room")
    wait(lambda: store.epochs(runs[1].id), "the second had room, or had begun with the first")
    leaving.set()
    thread.join(PATIENCE)
    assert endings(store, runs) == {0: "stopped", 1: "queued", 2: "stopped", 3: "queued"}
    assert store.epochs(runs[2].id) == []
    assert multiprocessing.active_children() == []
    done = epochs_done(store.folder / runs[1].id)
    assert len(done) >= len(store.epochs(runs[1].id)) >= 1, "it can go on"


@pytest.mark.usefixtures("in_threads")
def test_a_seed_that_fails_leaves_the_others_alone(store: RunStore, leaving: threading.Event) -> None:
    """A file is where the first one's folder should be."""
    runs = submitted(store, (0, 1))
    (store.folder / runs[0].id).write_text("in the way")
    train(store, leaving)
    assert endings(store, runs) == {0: "failed", 1: "finished"}


@pytest.mark.usefixtures("in_threads")
def test_a_run_that_was_taken_away_is_let_go(store: RunStore, training: Callable[[], threading.Thread]) -> None:
    """As after a laptop's sleep, in which the app took its runs for dead."""
    runs = submitted(store, (0, 1), ENDLESS)
    thread = training()
    wait(lambda: all(store.epochs(run.id) for run in runs), "both trained")
    store.set_class("queue_paused", True)  # or they would be claimed again
    store.recover(0, now=time.time() + 60)
    thread.join(PATIENCE)
    assert endings(store, runs) == {0: "queued", 1: "queued"}


@pytest.mark.parametrize("where", [pytest.param("processes", marks=pytest.mark.slow), "one by one"])
def test_a_loss_that_is_no_number_is_its_seeds_error(
    where: str, store: RunStore, leaving: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runs.seeds.most_side_by_side", lambda device: 2 if where == "processes" else 1)
    recipe = Recipe(epochs=60, learning_rate=100, optimizer=SGD(0.99))
    runs = submitted(store, (0, 1), recipe, PLAIN)
    train(store, leaving)
    assert endings(store, runs) == {0: "failed", 1: "failed"}
    assert all("learning rate 100" in store.get(run.id).error for run in runs)


@pytest.mark.slow
def test_ctrl_c_stops_the_runs_and_they_can_go_on(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(architecture_to_json(TINY))
    (tmp_path / "recipe.json").write_text('{"epochs": 1000, "batch_size": 64, "learning_rate": 0.05}')
    command = [sys.executable, "-m", "lab", "train", tmp_path / "mine.json", "--recipe", tmp_path / "recipe.json"]
    process = subprocess.Popen(
        [*command, "--data", EMBEDDED, "--seeds", "0-2", "--side-by-side", "1", "--device", "cpu"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C goes to a whole group, and this test is not to be in it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    try:
        wait(
            lambda: any(store.epochs(run.id) for run in store.runs()) or process.poll() is not None,
            "an epoch was done, or the command had ended",
        )
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert err == "interrupted\n"
    assert [run.status for run in store.runs()] == ["stopped"] * 3
    assert [run.status for run in actions.resume(store, store.runs()[0].job, MACHINE)] == ["queued"] * 3
    actions.stop(store, store.runs()[0].job, MACHINE)


# --------------------------------------------------------------------------------------------------------- the table


def test_a_group_is_one_row_with_mean_and_deviation_and_single_runs_look_as_before(store: RunStore) -> None:
    page = "from lab.experiment.train.run_table import run_table\nrun_table()"
    table = AppTest.from_string(page, default_timeout=patient(30))

    def submit(seed: int, group: str, accuracies: list[float], status: Ending | None = "finished") -> None:
        run = begun(
            store,
            NewRun(
                kind="train",
                name="tiny",
                architecture_json="{}",
                recipe_json="{}",
                dataset=EMBEDDED,
                device="cpu",
                parameters=434,
                seed=seed,
                epochs=2,
            ),
            seed_group=group,
            worker="w",
        )
        for epoch, accuracy in enumerate(accuracies):
            store.add_epoch(run.id, "w", EpochRecord(epoch, 1, 0.5, None, None, 1, accuracy, 0.1, 1))
        if status:
            store.finish(run.id, "w", status)

    submit(1, "", [0.5, 0.6])
    submit(1, "", [0.4], "stopped")
    columns = ["started", "what", "network", "data", "status", "epochs", "test", "parameters"]
    assert list(table.run().dataframe[0].value.columns) == columns
    submit(4, "g", [0.1, 0.90])
    submit(2, "g", [0.1, 0.96])
    submit(7, "g", [0.1, 0.93])
    submit(8, "g", [0.1], status=None)
    frame = table.run().dataframe[0].value
    assert list(frame.columns) == [*columns[:-1], "deviation", "parameters"]
    assert list(frame["what"]) == ["4 seeds", "training", "training"]
    assert list(frame["status"]) == ["3 of 4 finished", "stopped", "finished"]
    assert list(frame["epochs"]) == ["7 of 8", "1 of 2", "2 of 2"]
    assert list(frame["test"]) == pytest.approx([93, 40, 60])
    assert frame["deviation"][0] == pytest.approx(3)
    assert frame["deviation"][1:].isna().all()
    assert not table.exception
