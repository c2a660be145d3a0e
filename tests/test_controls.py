"""A run that is steered while it is under way: its rate, holding it, an epoch at a time, snapshots of its weights."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from core.architecture.json_form import architecture_to_json
from core.architecture.spec import Architecture, Conv, Flatten, Linear
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.checkpoints.card import card_from_dict, card_to_dict
from core.data.mnist import EMBEDDED, load
from core.errors import CheckpointError, RunError
from core.training.history import RateChange
from core.training.loop import EpochEnd, Event, Points, train
from core.training.network import build
from core.training.recipe import SGD, OneCycle, Recipe, ReduceLROnPlateau, StepLR, rate_at, recipe_to_json
from core.training.resident import resident
from lab.runs import actions, executor
from lab.runs.person import MACHINE
from lab.runs.rows import NewRun, Run
from lab.runs.store import RunStore
from lab.runs.training_job import SNAPSHOTS, TrainingJob, data_for, run_training
from lab.runs.worker import Worker
from tests.patience import patient, quiet, wait
from tests.tiny import TINY, same, tiny_data, trained

RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=0.125, schedule=OneCycle(), optimizer=SGD(0.9))
BATCHES = -(-1437 // 32)  # in an epoch of the embedded digits


def rates_of(events: list[Event]) -> list[float]:
    return [rate for event in events if isinstance(event, Points) for rate in event.learning_rates]


# --------------------------------------------------------------------------------------------------- in the loop itself


def test_half_the_rate_from_the_start_is_a_recipe_with_half_the_rate_bit_for_bit() -> None:
    data = tiny_data()
    network = build(TINY, RECIPE.seed)
    list(train(network, data, RECIPE, rate_factor=lambda: 0.5))  # a power of two rounds nothing
    assert same(network.state_dict(), trained(replace(RECIPE, learning_rate=0.0625), data)[0])


def test_a_factor_of_one_changes_not_a_bit() -> None:
    data = tiny_data()
    network = build(TINY, RECIPE.seed)
    list(train(network, data, RECIPE, rate_factor=lambda: 1.0))
    assert same(network.state_dict(), trained(RECIPE, data)[0])


@pytest.mark.parametrize("schedule", [OneCycle(), StepLR(step_size=1, gamma=0.5)])
def test_a_changed_rate_holds_from_the_next_iteration_on_and_keeps_the_schedules_shape(
    schedule: OneCycle | StepLR,
) -> None:
    data, recipe = tiny_data(), replace(RECIPE, schedule=schedule)
    batches, factors, events = -(-150 // 32), [1.0], list[Event]()
    for event in train(build(TINY, 1), data, recipe, rate_factor=lambda: factors[-1]):
        events.append(event)
        if isinstance(event, EpochEnd) and event.record.epoch == 0:
            factors.append(0.1)
    plain = [rate_at(recipe, iteration, batches) for iteration in range(3 * batches)]
    expected = [rate if n < batches else 0.1 * rate for n, rate in enumerate(plain)]
    assert rates_of(events) == pytest.approx(expected, rel=1e-12)


def test_the_rate_that_a_plateau_has_lowered_is_multiplied_too() -> None:
    never_better = ReduceLROnPlateau(factor=0.5, patience=0, threshold=1, min_lr=0, monitor="test")
    recipe = replace(RECIPE, schedule=never_better, learning_rate=1.0)
    events = list(train(build(TINY, 1), tiny_data(), recipe, rate_factor=lambda: 0.01))
    by_epoch = [event.record.learning_rate for event in events if isinstance(event, EpochEnd)]
    assert by_epoch == pytest.approx([0.01, 0.005, 0.0025])


def test_an_epochs_seconds_do_not_count_how_long_the_run_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held = 0.0  # seconds
    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() + held)
    monkeypatch.setattr("core.training.loop.time", clock)
    events = train(build(TINY, 1), tiny_data(), replace(RECIPE, epochs=1))
    seconds = 0.0
    for number, event in enumerate(events):
        if number == 0:
            held = 1e6
        if isinstance(event, EpochEnd):
            seconds = event.record.seconds
    assert 0 < seconds < 1e6


# ------------------------------------------------------------------------------------------------------------- the card


def test_a_card_tells_where_the_rate_was_changed(tmp_path: Path) -> None:
    data, changes = resident(load(EMBEDDED), RECIPE, torch.device("cpu")), list[RateChange]()
    order = TrainingJob("tiny", "", TINY, replace(RECIPE, epochs=2), tmp_path)
    for event in run_training(order, data, changes):
        if isinstance(event, EpochEnd) and not changes:
            assert "rate_changes" not in json.loads((tmp_path / "last.json").read_text())
            changes.append(RateChange(BATCHES, 0.25))
    card = checkpoint.load(tmp_path / "last")[1]
    assert card.rate_changes == (RateChange(BATCHES, 0.25),)
    assert card_from_dict(card_to_dict(card), "here") == card
    assert card.record.learning_rate == pytest.approx(0.25 * rate_at(order.recipe, 2 * BATCHES - 1, BATCHES))
    for nonsense in (3, [3], [{"iteration": -1, "factor": 1.0}], [{"iteration": 1, "factor": 0}]):
        with pytest.raises(CheckpointError, match="here"):
            card_from_dict({**card_to_dict(card), "rate_changes": nonsense}, "here")  # type: ignore[dict-item]


# ----------------------------------------------------------------------------------------------------- through a worker


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    return RunStore(home)


@pytest.fixture
def working(store: RunStore) -> Iterator[Worker]:
    """A worker in a thread of this process, until the test ends."""
    own = Worker(store, "cpu")
    thread = threading.Thread(target=own.work, args=(patient(90),))
    thread.start()
    yield own
    own.leaving.set()
    thread.join(patient(90))


def queued(store: RunStore, recipe: Recipe = RECIPE, device: str = "cpu", snapshots: bool = False) -> Run:
    return store.submit(
        NewRun(
            kind="train",
            name="tiny",
            architecture_json=architecture_to_json(TINY),
            recipe_json=recipe_to_json(recipe),
            dataset=EMBEDDED,
            device=device,
            parameters=classifier(TINY).parameters,
            seed=recipe.seed,
            epochs=recipe.epochs,
            snapshots=snapshots,
        )
    )[0]


def held_after(store: RunStore, run: Run, epochs: int) -> None:
    wait(
        lambda: store.get(run.id).paused_since and len(store.epochs(run.id)) == epochs,
        f"it was held after {epochs} epochs",
    )


def test_a_run_is_stepped_through_an_epoch_at_a_time_and_ends_as_if_never_held(
    store: RunStore, working: Worker, tmp_path: Path
) -> None:
    run = queued(store)
    store.set_pause(run.id, "epoch")
    held_after(store, run, 1)
    before = store.batches(run.id)
    quiet(0.5)
    assert (store.get(run.id).status, store.batches(run.id)) == ("running", before)
    store.set_pause(run.id, "epoch")
    held_after(store, run, 2)
    store.set_pause(run.id, "")
    wait(lambda: store.get(run.id).status == "finished", "it was finished")
    assert store.get(run.id).paused_since is None
    for _ in run_training(TrainingJob("tiny", "", TINY, RECIPE, tmp_path), data_for(EMBEDDED, RECIPE, working.device)):
        pass
    weights = [checkpoint.load(folder / "last")[0].state_dict() for folder in (tmp_path, store.folder / run.id)]
    assert same(*weights)


def test_a_run_is_held_at_once_and_its_rate_changed_meanwhile(store: RunStore, working: Worker) -> None:
    run = queued(store, replace(RECIPE, epochs=4, schedule=StepLR(step_size=2, gamma=0.5)))
    store.set_pause(run.id, "now")
    wait(lambda: store.get(run.id).paused_since, "it was held")
    done = store.batches(run.id)[-1].iteration + 1
    store.set_rate_factor(run.id, 0.1)
    store.set_pause(run.id, "epoch")
    wait(lambda: store.get(run.id).paused_since and store.epochs(run.id), "it was held after an epoch")
    store.set_rate_factor(run.id, 2.0)
    store.set_pause(run.id, "")
    wait(lambda: store.get(run.id).status == "finished", "it was finished")
    assert store.get(run.id).rate_changes == (RateChange(done, 0.1), RateChange(BATCHES, 2.0))
    rates = [row.learning_rate for row in store.batches(run.id, at_most=10_000)]
    first, second, third = done, BATCHES - done, BATCHES
    expected = first * [0.125] + second * [0.0125] + third * [0.25] + 2 * BATCHES * [0.125]
    assert rates == pytest.approx(expected)
    assert [record.learning_rate for record in store.epochs(run.id)] == pytest.approx([0.0125, 0.25, 0.125, 0.125])


def test_a_held_run_is_stopped_at_once_and_resumed_keeps_its_rate(store: RunStore, working: Worker) -> None:
    run = queued(store, replace(RECIPE, schedule=StepLR(step_size=5)))
    store.set_rate_factor(run.id, 0.5)
    store.set_pause(run.id, "epoch")
    held_after(store, run, 1)
    store.request_stop(run.id)
    wait(lambda: store.get(run.id).status == "stopped", "it was stopped")
    assert store.get(run.id).error == ""
    store.resume(run.id)
    wait(lambda: store.get(run.id).status == "finished", "it was finished")
    assert [record.learning_rate for record in store.epochs(run.id)] == [0.0625] * 3
    assert checkpoint.load(store.folder / run.id / "last")[1].rate_changes == (RateChange(0, 0.5),)


@pytest.mark.slow
def test_a_held_run_makes_room_when_others_have_waited_long_enough(
    store: RunStore, working: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "HELD_BEFORE_OTHERS_SECONDS", 0.5)
    run = queued(store)
    store.set_pause(run.id, "epoch")
    held_after(store, run, 1)
    quiet(0.8)
    assert store.get(run.id).status == "running", "nobody waits"
    other = queued(store)
    wait(lambda: store.get(other.id).status == "finished", "the other was finished")
    given_up = store.get(run.id)
    assert (given_up.status, given_up.pause) == ("stopped", "")
    assert "while others waited; it can go on later" in given_up.error
    store.resume(run.id)
    wait(lambda: store.get(run.id).status == "finished", "it was finished later")
    assert [record.epoch for record in store.epochs(run.id)] == [0, 1, 2]


def test_a_worker_that_is_told_to_leave_gives_back_the_run_that_it_holds(store: RunStore, working: Worker) -> None:
    run = queued(store)
    store.set_pause(run.id, "now")
    wait(lambda: store.get(run.id).paused_since, "it was held")
    working.leaving.set()
    wait(lambda: store.get(run.id).status == "queued", "it was given back")
    assert store.get(run.id).pause == "now", "the next worker holds it too"


def test_a_rate_that_is_asked_for_after_the_last_iteration_never_came_into_force(
    store: RunStore, working: Worker
) -> None:
    run = queued(store, replace(RECIPE, epochs=1, batch_size=2_000))  # all images in one batch: one iteration
    store.set_pause(run.id, "now")
    wait(lambda: store.get(run.id).paused_since, "it was held")
    store.set_rate_factor(run.id, 0.5)
    store.set_pause(run.id, "")
    wait(lambda: store.get(run.id).status == "finished", "it was finished")
    assert store.get(run.id).rate_changes == ()
    assert checkpoint.load(store.folder / run.id / "last")[1].rate_changes == ()


def test_an_epochs_card_tells_of_no_change_that_came_after_it(tmp_path: Path) -> None:
    data, changes = tiny_data(), list[RateChange]()
    batches = -(-150 // 32)
    for event in run_training(TrainingJob("tiny", "", TINY, replace(RECIPE, epochs=2), tmp_path), data, changes):
        if isinstance(event, Points) and event.iteration + len(event.losses) == batches:
            changes.append(RateChange(batches, 0.5))  # asked for between the epoch's last iteration and its end
        if isinstance(event, EpochEnd):
            told = checkpoint.load(tmp_path / "last")[1].rate_changes
            assert told == (() if event.record.epoch == 0 else (RateChange(batches, 0.5),))


def test_a_change_in_an_epoch_that_was_lost_is_forgotten_when_the_run_goes_on(store: RunStore) -> None:
    run = queued(store, replace(RECIPE, epochs=1))
    store.claim(["cpu"], "killed")
    store.set_rate_factor(run.id, 0.5)
    store.set_rate_changes(run.id, "killed", [RateChange(7, 0.5)])
    store.finish(run.id, "killed", "interrupted")  # before its first epoch had ended
    store.resume(run.id)
    store.set_rate_factor(run.id, 1.0)
    own = Worker(store, "cpu")
    claimed = store.claim(["cpu"], own.id)
    assert claimed is not None
    own.executor.execute(claimed)
    ended = store.get(run.id)
    assert (ended.status, ended.rate_changes) == ("finished", ())


# ------------------------------------------------------------------------------------------------------------ snapshots


def test_the_weights_of_every_epoch_are_kept_where_that_is_asked_for(store: RunStore, working: Worker) -> None:
    run, without = queued(store, snapshots=True), queued(store)
    wait(lambda: store.get(without.id).status == "finished", "both were finished")
    folder = store.folder / run.id / SNAPSHOTS
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"epoch-00{epoch}.{ending}" for epoch in range(3) for ending in ("json", "safetensors")]
    kept = [checkpoint.load(folder / f"epoch-00{epoch}") for epoch in range(3)]
    assert [card.record for _, card in kept] == store.epochs(run.id)
    assert same(kept[2][0].state_dict(), checkpoint.load(store.folder / run.id / "last")[0].state_dict())
    assert not any(same(a.state_dict(), b.state_dict()) for (a, _), (b, _) in itertools.pairwise(kept))
    assert not (store.folder / without.id / SNAPSHOTS).exists()


def test_the_weights_of_every_epoch_of_a_large_network_are_not_kept(store: RunStore) -> None:
    large = Architecture("large", (Conv(15, 3), Flatten(), Linear(10)))
    assert classifier(large).parameters == 15 * 10 + 10 * (15 * 26 * 26 + 1)
    with pytest.raises(RunError, match="below 100,000 parameters, 'large' has 101,560"):
        actions.submit(store, large, RECIPE, dataset=EMBEDDED, snapshots=True, by=MACHINE)
    assert store.runs() == []
