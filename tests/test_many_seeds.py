"""Many seeds side by side, in real processes and in threads: each ends as it would alone, and so does what fails."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

from core.architecture.spec import Architecture, architecture_to_json
from core.checkpoints import checkpoint
from core.data.mnist import EMBEDDED, load
from core.training.history import EpochRecord
from core.training.loop import Points
from core.training.recipe import SGD, Augmentation, Jitter, OneCycle, RangeTest, Recipe, recipe_from_json
from core.training.resident import resident
from lab.runs.many_seeds import ON_GPU, Ended, Place, Plan, cores, most_side_by_side, place_of, train_seeds
from lab.runs.order import Order, carry_out, epochs_done
from lab.runs.store import Ending, Run, RunStore
from lab.studies.shelf import own
from tests.tiny import PLAIN, TINY, same

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 90.0  # seconds; the machine may be busy with other things
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
    monkeypatch.setattr("lab.runs.many_seeds.cores", lambda: 2)  # one thread for each of two: sums depend on how many
    return RunStore(home)


def plan(seeds: tuple[int, ...], recipe: Recipe = RECIPE, architecture: Architecture = TINY, beside: int = 2) -> Plan:
    return Plan(architecture, "", recipe, seeds, EMBEDDED, CPU, beside)


def alone(recipe: Recipe, folder: Path) -> tuple[dict[str, Tensor], list[EpochRecord]]:
    """The weights and epochs of a run in this process, which has one thread too."""
    order = Order("tiny", "", TINY, recipe, folder)
    for _ in carry_out(order, resident(load(EMBEDDED), recipe, CPU)):
        pass
    network, card = checkpoint.load(folder / "last")
    return network.state_dict(), list(card.history)


def timeless(records: list[EpochRecord]) -> list[EpochRecord]:
    return [replace(record, seconds=0) for record in records]


def endings(store: RunStore, run: Run) -> dict[int, Ending]:
    return {each.seed: each.status for each in store.seed_group(run.seed_group)}  # type: ignore[misc]  # all have ended


# ------------------------------------------------------------------------------------------------------------- results


@pytest.mark.parametrize("place", [pytest.param("processes", marks=pytest.mark.slow), "threads"])
def test_each_of_many_seeds_is_a_run_bit_for_bit_as_alone(place: Place, store: RunStore, tmp_path: Path) -> None:
    recipe = replace(RECIPE, range_test=RangeTest(iterations=40))
    assert plan((4, 7, 9)).pool.threads == torch.get_num_threads() == 1
    said = list(train_seeds(store, plan((4, 7, 9), recipe), place))
    group = store.seed_group(said[0][0].seed_group)
    assert [run.seed for run in group] == [4, 7, 9]
    assert {run.id for run, _ in said} == {run.id for run in group}
    for run in group:
        assert (run.status, run.error, run.epochs) == ("finished", "", 3)
        assert recipe_from_json(run.recipe) == replace(recipe, seed=run.seed)
        heard = [word for speaker, word in said if speaker.id == run.id]
        assert heard[-1] == Ended("finished")
        assert [word for word in heard if isinstance(word, EpochRecord)] == store.epochs(run.id)
        iterations = [batch.iteration for batch in store.batches(run.id)]
        assert iterations == list(range(3 * -(-1317 // 64)))
        assert iterations[-1] + 1 == next(word.iterations for word in heard if isinstance(word, Points))
        network, card = checkpoint.load(store.folder / run.id / "last")
        assert card.recipe.learning_rate == json.loads(run.result)["chosen"]
        weights, records = alone(replace(recipe, seed=run.seed), tmp_path / run.id)
        assert same(network.state_dict(), weights)
        assert timeless(store.epochs(run.id)) == timeless(records)
    assert {f"{run.id}/{which}" for run in group for which in ("last", "best")} == {each.reference for each in own()}


def test_a_seed_is_the_same_beside_any_others(store: RunStore) -> None:
    def weights(seeds: tuple[int, ...]) -> dict[str, Tensor]:
        (run,) = {run for run, _ in train_seeds(store, plan(seeds), "threads") if run.seed == 3}
        return checkpoint.load(store.folder / run.id / "last")[0].state_dict()

    beside_one, last_of_five = weights((3, 5)), weights((0, 1, 2, 8, 3))
    assert same(beside_one, last_of_five)


def test_a_cpu_gets_a_process_for_each_core_and_a_gpu_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, place, most in (("cpu", "processes", cores()), ("cuda", "threads", ON_GPU), ("mps", "threads", ON_GPU)):
        device = torch.device(kind)
        assert (place_of(device), most_side_by_side(device)) == (place, most)
    monkeypatch.setattr("lab.runs.many_seeds.cores", lambda: 16)
    assert [plan((0,), beside=n).pool.threads for n in (1, 3, 16)] == [16, 5, 1]


# ------------------------------------------------------------------------------------------------ failures and stopping


@pytest.mark.slow
def test_a_killed_process_costs_its_seed_and_no_other(store: RunStore) -> None:
    killed = False
    for _, said in train_seeds(store, plan((0, 1, 2), replace(RECIPE, epochs=12))):
        if isinstance(said, EpochRecord) and not killed:
            multiprocessing.active_children()[0].kill()
            killed = True
    runs = store.runs()
    assert sorted(run.status for run in runs) == ["failed", "finished", "finished"]
    assert {run.error for run in runs} == {"", "its process was killed by SIGKILL"}
    assert all(len(store.epochs(run.id)) == 12 for run in runs if run.status == "finished")
    assert multiprocessing.active_children() == []


def test_a_stopped_seed_makes_room_and_closing_interrupts_the_rest(store: RunStore) -> None:
    heard = []
    with closing(train_seeds(store, plan((0, 1, 2, 3), ENDLESS))) as saying:
        for run, said in saying:
            heard.append((run.seed, said))
            seeds = {each.seed: each for each in store.seed_group(run.seed_group)}
            if isinstance(said, EpochRecord) and run.seed == 0:
                store.request_stop(seeds[0].id)
                store.request_stop(seeds[2].id)  # which waits
            if isinstance(said, EpochRecord) and run.seed == 3:
                break
    assert endings(store, run) == {0: "stopped", 1: "interrupted", 2: "stopped", 3: "interrupted"}
    assert [said for seed, said in heard if seed == 2] == [Ended("stopped")]
    assert store.epochs(seeds[2].id) == []
    assert multiprocessing.active_children() == []
    done = epochs_done(store.folder / seeds[3].id)
    assert len(done) >= len(store.epochs(seeds[3].id)) >= 1, "it can go on"
    assert store.resume(seeds[3].id).status == "queued"


def test_threads_stop_too(store: RunStore) -> None:
    with closing(train_seeds(store, plan((0, 1, 2, 3), ENDLESS), "threads")) as saying:
        for run, said in saying:
            if isinstance(said, EpochRecord) and run.seed == 0:
                store.request_stop(run.id)
            if isinstance(said, EpochRecord) and run.seed == 2:
                break
    assert endings(store, run) == {0: "stopped", 1: "interrupted", 2: "interrupted", 3: "interrupted"}


def test_a_seed_that_fails_leaves_the_others_alone(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands where the first one's folder should."""
    names = itertools.count()
    monkeypatch.setattr("secrets.token_hex", lambda _: f"{next(names):016x}")
    (store.folder / f"{2:016x}").write_text("in the way")  # 0 and 1 name the worker and the group
    said = list(train_seeds(store, plan((0, 1)), "threads"))
    assert endings(store, said[0][0]) == {0: "failed", 1: "finished"}


def test_a_run_that_was_taken_away_is_let_go(store: RunStore) -> None:
    """As after a laptop's sleep, in which the app took its runs for dead."""
    for _, said in train_seeds(store, plan((0, 1), ENDLESS), "threads"):
        if isinstance(said, EpochRecord):
            store.recover(0, now=time.time() + 60)
    assert [run.status for run in store.runs()] == ["interrupted", "interrupted"]


def test_a_loss_that_is_no_number_is_its_seeds_error(store: RunStore) -> None:
    recipe = Recipe(epochs=60, learning_rate=100, optimizer=SGD(0.99))
    said = list(train_seeds(store, plan((0, 1), recipe, PLAIN), "threads"))
    ends = [word for _, word in said if isinstance(word, Ended)]
    assert [end.status for end in ends] == ["failed", "failed"]
    assert all("learning rate 100" in run.error for run in store.seed_group(said[0][0].seed_group))


def test_data_that_are_not_there_fail_every_run(store: RunStore) -> None:
    with pytest.raises(ValueError, match="KMNIST is not there"):
        list(train_seeds(store, replace(plan((0, 1)), dataset="KMNIST"), "threads"))
    assert {run.status for run in store.runs()} == {"failed"}
    assert all("KMNIST is not there" in run.error for run in store.runs())


def test_runs_are_alive_for_as_long_as_nothing_is_said(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.runs.many_seeds.HEARTBEAT_SECONDS", 0.05)
    with closing(train_seeds(store, plan((0, 1, 2), ENDLESS), "threads")) as saying:
        run, _ = next(saying)
        before = [each.heartbeat or 0.0 for each in store.seed_group(run.seed_group)]
        time.sleep(0.5)  # and nobody takes what is said
        after = [each.heartbeat or 0.0 for each in store.seed_group(run.seed_group)]
    assert all(late > early for early, late in zip(before, after, strict=True))


@pytest.mark.slow
def test_ctrl_c_ends_the_processes_and_interrupts_the_runs(store: RunStore, tmp_path: Path) -> None:
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
        deadline = time.monotonic() + PATIENCE
        while not any(store.epochs(run.id) for run in store.runs()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""  # and at its end, so that no process of theirs is left that could write to it
    assert err == "interrupted\n"
    assert [run.status for run in store.runs()] == ["interrupted"] * 3


# --------------------------------------------------------------------------------------------------------- the table


def test_a_group_is_one_row_with_mean_and_deviation_and_single_runs_look_as_before(store: RunStore) -> None:
    table = AppTest.from_string("from lab.experiment.train.run_table import run_table\nrun_table()")

    def submit(seed: int, group: str, accuracies: list[float], status: Ending | None = "finished") -> None:
        run = store.submit(
            kind="train", name="tiny", architecture="{}", recipe="{}", dataset=EMBEDDED, device="cpu", parameters=434,
            seed=seed, epochs=2, seed_group=group, worker="w",
        )  # fmt: skip
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
    assert list(frame["epochs"]) == ["7 of 4 × 2", "1 of 2", "2 of 2"]
    assert list(frame["test"]) == pytest.approx([93, 40, 60])
    assert frame["deviation"][0] == pytest.approx(3)
    assert frame["deviation"][1:].isna().all()
    assert not table.exception
