"""A run from its spec to its checkpoints: where its events come from, and what is kept of them in its folder.

The two are apart because they may be on two machines: `events` needs the data and the device, `save_checkpoints` the
folder.
"""

from __future__ import annotations

import io
import logging
import platform
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import torch

from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.checkpoints.card import Card, Choice
from core.data.mnist import load
from core.errors import CheckpointError, LabError, NodeLostError
from core.files import reason, replace_bytes
from core.training.computing import path_of
from core.training.history import EpochRecord, RateChange
from core.training.loop import EpochEnd, Event, RateFound, State, history_of, train
from core.training.memory import out_of_memory
from core.training.network import build
from core.training.precision import remark
from core.training.range_test import RangePoint, range_test_points
from core.training.recipe import Recipe
from core.training.resident import Normalisation, Resident, resident
from core.training.step import batch_sizes
from lab.runs.adoption import staging
from lab.runs.rows import Run

RESUME = "resume.pt"
SNAPSHOTS = "snapshots"  # the folder, in a run's, of the pairs of all its epochs

log = logging.getLogger("lab.runs.training_job")

_building = threading.Lock()  # initial weights come of torch's own generator, which all threads share


@dataclass(frozen=True)
class TrainingJob:
    """What is to be trained, and where its files go."""

    name: str
    slug: str
    architecture: Architecture
    recipe: Recipe
    folder: Path
    last: str = "last"  # the pair's name for the newest epoch
    best: str = "best"  # and for the best one; empty keeps none
    resumable: bool = True
    snapshots: bool = False  # keeps a pair of every epoch beside them, snapshots/epoch-000 and so on
    claim: str = ""  # whose token is given writes apart, and the store adopts the files with their epoch


@dataclass(frozen=True)
class Surroundings:
    """What a run trains on, as its card tells it."""

    dataset: str
    normalisation: Normalisation
    train_images: int
    validation_images: int
    test_images: int
    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Idle:
    """Nothing has come for a while from a run that is trained elsewhere: a moment to ask whether it is to go on."""


@dataclass(frozen=True)
class Failed:
    """Why a run that is trained elsewhere cannot go on, in a sentence; the last that is said."""

    error: str
    of_the_disk: bool = False  # which is no fault of the run's


Said = TypeVar("Said", bound=Event | Idle)


def surroundings(data: Resident, architecture: Architecture, recipe: Recipe) -> Surroundings:
    """Those of a run in this process; the device's name says too whether the lab's own kernels compute the network."""
    by_kernels = path_of(build(architecture), data.device, recipe.precision == "bf16") == "kernels"
    return Surroundings(
        dataset=data.name,
        normalisation=data.normalisation,
        train_images=len(data.train),
        validation_images=len(data.validation) if data.validation else 0,
        test_images=len(data.test),
        device=checkpoint.device_name(data.device) + ": the lab's kernels" * by_kernels + remark(recipe, data.device),
        versions={"python": platform.python_version(), "torch": str(torch.__version__)},
    )


def run_training(job: TrainingJob, data: Resident, rate_changes: Sequence[RateChange] = ()) -> Iterator[Event]:
    """Train here, saving the last and the best epoch as they come, and yield the events. Raises LabError.

    Where the job's folder holds a resume file, goes on from it. What the caller adds to the rate changes between two
    events is in force from the next iteration on.
    """
    classifier(job.architecture)
    state = load_state(job.folder) if job.resumable else None
    said = events(job.architecture, job.recipe, data, state, lambda: factor_of(rate_changes))
    yield from save_checkpoints(job, surroundings(data, job.architecture, job.recipe), state, said, rate_changes)


def events(
    architecture: Architecture, recipe: Recipe, data: Resident, state: State | None, rate_factor: Callable[[], float]
) -> Iterator[Event]:
    """Train a network of this architecture on the data's device; nothing is written."""
    with _building:
        network = build(architecture, recipe.seed).to(data.device)
    yield from train(network, data, recipe, state, rate_factor)


# ---------------------------------------------------------------------------------------------------- in this process


@dataclass(frozen=True)
class Here:
    """Training in this process."""

    device: torch.device
    leaving: threading.Event

    def events(self, run: Run, job: TrainingJob, changes: Sequence[RateChange]) -> Generator[Event | Idle, None, None]:
        """The run's events; its files are written as they come."""
        with self._device_errors():
            yield from run_training(job, data_for(run.dataset, job.recipe, self.device), changes)

    def points(self, run: Run) -> Generator[RangePoint | Idle, None, None]:
        """A range test's points."""
        with self._device_errors():
            data = data_for(run.dataset, run.recipe, self.device)
            network = build(run.architecture, run.seed).to(data.device)
            yield from range_test_points(network, data, run.recipe, run.range_test)

    @contextmanager
    def _device_errors(self) -> Iterator[None]:
        """An error of CUDA's makes all later calls of its process fail; the run may do better in a fresh one.

        Memory that ran out does neither.
        """
        try:
            yield
        except LabError:
            raise
        except Exception as error:
            if self.device.type == "cpu" or out_of_memory(error):
                raise
            log.exception("the device failed")
            self.leaving.set()
            raise NodeLostError(f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=1)
def load_resident(name: str, split: Recipe, device: torch.device) -> Resident:
    """The data on the device, kept from run to run; `split`: a recipe of which only the data's part is not default."""
    return resident(load(name), split, device)


def data_for(name: str, recipe: Recipe, device: torch.device) -> Resident:
    """The data that the recipe asks for, on the device."""
    with _loading:
        return load_resident(name, recipe.of_the_data, device)


_loading = threading.Lock()  # or each of several seeds would load them


# ------------------------------------------------------------------------------------------------------ what is kept


def save_checkpoints(
    job: TrainingJob,
    around: Surroundings,
    state: State | None,
    said: Iterator[Said],
    rate_changes: Sequence[RateChange] = (),
) -> Iterator[Said]:
    """The events, each once what should last of it is in the job's folder. `state`: what they go on from, if any."""
    recipe, history = job.recipe, list[EpochRecord]()
    if state is not None:
        history = history_of(state)
        recipe = replace(recipe, learning_rate=cast(float, state["learning_rate"]))
    for event in said:
        if isinstance(event, RateFound):
            recipe = replace(recipe, learning_rate=event.learning_rate)
        if isinstance(event, EpochEnd):
            history.append(event.record)
            iterations = len(history) * len(batch_sizes(around.train_images, recipe.batch_size))
            in_force = tuple(change for change in rate_changes if change.iteration < iterations)
            card = replace(_card(job, recipe, around, history), rate_changes=in_force)
            _save(job, card, event)
        yield event


def factor_of(rate_changes: Sequence[RateChange]) -> float:
    """By which the rate is multiplied now."""
    return rate_changes[-1].factor if rate_changes else 1.0


def _save(job: TrainingJob, card: Card, event: EpochEnd) -> None:
    """Write the last epoch's pair, the best one's where this is it, and what resuming needs."""
    history, folder = card.history, staging(job.folder, job.claim)
    checkpoint.save(folder, job.last, event.weights, card)
    if job.snapshots:
        checkpoint.save(folder / SNAPSHOTS, f"epoch-{card.epoch:03}", event.weights, card)
    scores = [_score(record) for record in history]
    if job.best and scores[-1] > max(scores[:-1], default=-1.0):
        chosen: Choice = "best on validation" if card.validation_images else "best, chosen on the test set"
        checkpoint.save(folder, job.best, event.weights, replace(card, choice=chosen))
    if job.resumable:
        _save_state(folder, event.state)


def _score(record: EpochRecord) -> float:
    return record.test_accuracy if record.validation_accuracy is None else record.validation_accuracy


def _card(job: TrainingJob, recipe: Recipe, around: Surroundings, history: list[EpochRecord]) -> Card:
    return Card(
        name=job.name,
        slug=job.slug,
        architecture=job.architecture,
        recipe=recipe,
        dataset=around.dataset,
        choice="last",
        epoch=len(history) - 1,
        history=tuple(history),
        parameters=classifier(job.architecture).parameters,
        normalisation_mean=around.normalisation.mean,
        normalisation_sd=around.normalisation.sd,
        train_images=around.train_images,
        validation_images=around.validation_images,
        test_images=around.test_images,
        device=around.device,
        versions=around.versions,
        seconds=round(sum(record.seconds for record in history), 3),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def epochs_done(folder: Path) -> list[EpochRecord]:
    """The epochs after which the resume file in the folder stands; none where there is none. Raises CheckpointError."""
    state = load_state(folder)
    return history_of(state) if state else []


def load_state(folder: Path) -> State | None:
    """What an earlier, unfinished run left to go on from. Raises CheckpointError for a file that is damaged."""
    path = folder / RESUME
    if not path.is_file():
        return None
    try:
        return cast(State, torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds: unpickling, zip, end of file
        if out_of_memory(error):  # which says nothing of the file
            raise
        raise CheckpointError(
            f"{path}: the run cannot go on from it ({type(error).__name__}); retry it instead"
        ) from None


def _save_state(folder: Path, state: State) -> None:
    path = folder / RESUME
    content = io.BytesIO()
    torch.save(state, content)
    try:
        replace_bytes(path, content.getvalue())
    except OSError as error:
        raise CheckpointError(f"{path}: {content.tell():,} bytes could not be written: {reason(error)}") from error
