"""Runs of a store as a class leaves them: with figures made up, and checkpoints where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.architecture.json_form import architecture_to_json
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.checkpoints.card import Card
from core.data.mnist import EMBEDDED
from core.training.history import EpochRecord
from core.training.network import build
from core.training.recipe import Recipe, recipe_to_json
from lab.runs.rows import Ending, NewRun, Run
from lab.runs.store import RunStore
from lab.settings import lab_home
from tests.tiny import TINY


def history(*accuracies: float) -> list[EpochRecord]:
    """Epochs with those test accuracies."""
    return [
        EpochRecord(epoch, 0.5 / (epoch + 1), 0.9, None, None, 0.4 / (epoch + 1), accuracy, 0.01, 2.0)
        for epoch, accuracy in enumerate(accuracies)
    ]


def begun(store: RunStore, new: NewRun, worker: str = "w", device_name: str = "", seed_group: str = "") -> Run:
    """A run that this worker has just claimed, whoever's turn it is."""
    (run,) = store.submit(new, seed_group=seed_group)
    with store.writing() as connection:
        connection.execute(
            """UPDATE runs SET status = 'running', worker = ?, device_name = ?, started = created, claimed = created,
                   heartbeat = created WHERE id = ?""",
            (worker, device_name, run.id),
        )
    return store.get(run.id)


def made_run(
    store: RunStore,
    accuracies: Sequence[float],
    *,
    name: str = "tiny",
    owner: str = "",
    seed: int = 1,
    group: str = "",
    dataset: str = "MNIST",
    architecture: Architecture = TINY,
    recipe: Recipe | None = None,
    status: Ending | None = "finished",
    tags: Sequence[str] = (),
) -> Run:
    """A training run with those test accuracies by epoch; still running where `status` is None."""
    recipe = replace(recipe or Recipe(epochs=len(accuracies)), seed=seed)
    run = begun(
        store,
        NewRun(
            kind="train",
            name=name,
            architecture_json=architecture_to_json(architecture),
            recipe_json=recipe_to_json(recipe),
            dataset=dataset,
            device="cpu",
            parameters=classifier(architecture).parameters,
            seed=seed,
            epochs=recipe.epochs,
            owner=owner,
        ),
        seed_group=group,
        worker="w",
        device_name="cpu",
    )
    for record in history(*accuracies):
        store.add_epoch(run.id, "w", record)
    if tags:
        store.set_tags(run.id, tags)
    if status:
        store.finish(run.id, "w", status)
    return store.get(run.id)


def save_weights(run: Run, accuracies: Sequence[float], weights_seed: int) -> Path:
    """A checkpoint of an untrained TINY as the run's last; returns its stem."""
    card = Card(
        name=run.name, slug="", architecture=TINY, recipe=Recipe(epochs=len(accuracies), seed=run.seed),
        dataset=EMBEDDED, choice="last", epoch=len(accuracies) - 1, history=tuple(history(*accuracies)),
        parameters=classifier(TINY).parameters, normalisation_mean=0.1307, normalisation_sd=0.3081, train_images=1437,
        validation_images=0, test_images=360, device="cpu", versions={"python": "3.11.0", "torch": "2.13.0"},
        seconds=1.0, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    folder = lab_home() / run.id
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(folder, "last", build(TINY, seed=weights_seed).state_dict(), card)
    return folder / "last"
