"""What the store holds: a run as it is asked for and as it stands, its figures, and the workers that train."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from core import outside
from core.architecture.json_form import architecture_from_json, architecture_to_json
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.errors import LabError, RunError
from core.training.history import EpochRecord, RateChange
from core.training.recipe import RangeTest, Recipe, recipe_from_json, recipe_to_json

Kind = Literal["train", "range_test"]
Status = Literal["queued", "running", "finished", "stopped", "failed", "interrupted"]
Ending = Literal["finished", "stopped", "failed", "interrupted"]
ClassSetting = Literal["queue_paused", "bounds_lifted"]
ClassText = Literal["challenge"]
Pause = Literal["", "now", "epoch"]  # not at all; before the next iteration; at the end of the epoch

UNFINISHED: tuple[Status, ...] = ("queued", "running")
RESUMABLE: tuple[Status, ...] = ("stopped", "failed", "interrupted")
ENDED: tuple[Status, ...] = ("finished", "stopped", "failed", "interrupted")

MAX_NAME, MAX_TAG, MAX_NICKNAME = 60, 30, 30  # characters
MAX_TAGS = 8
RUN_ID = re.compile(r"[0-9a-f]{16}")  # as the store makes it: a file name, a word in a URL
MAX_LOST = 5  # workers that a run may lose without finishing an epoch between: it may be what they die of
MAX_RATE_FACTOR = 1e6  # and its inverse: what a rate may be multiplied by in a running run


# What is in the store was checked before it came there. Pages read the same text each second: it is parsed once.
recipe_of = lru_cache(maxsize=512)(recipe_from_json)
architecture_of = lru_cache(maxsize=512)(architecture_from_json)


class Trained:
    """What has a network and a recipe."""

    architecture_json: str
    recipe_json: str

    @property
    def architecture(self) -> Architecture:
        """The network. Raises SpecError for a damaged row."""
        return architecture_of(self.architecture_json)

    @property
    def recipe(self) -> Recipe:
        """The recipe as it was asked for. Raises RecipeError for a damaged row."""
        return recipe_of(self.recipe_json)


@dataclass(frozen=True)
class Asked(Trained):
    """What is asked for in a run."""

    kind: Kind
    name: str
    architecture_json: str
    recipe_json: str
    dataset: str  # "MNIST", ...
    parameters: int
    seed: int
    epochs: int  # as planned; 0 of a range test
    device: str = "auto"  # or "cpu", "cuda", "mps"
    slug: str = ""  # the step of the ladder, or "" for an own design
    owner: str = ""  # a nickname
    owner_key: str = ""  # of the browser that it came from, a hash; "" where it came from none
    parent: str = ""  # the run that this one retries, or ""
    prediction: str = ""  # what the owner said it would come to, JSON, or ""
    snapshots: bool = False  # whether the weights of every epoch are kept
    bounded: bool = True  # the bound on minutes holds for it
    side_by_side: int = 0  # seeds in training at a time; 0: as many as the device does best


class NewRun(Asked):
    """The record that becomes a run, or, with several seeds, a run for each of them."""

    def with_seed(self, seed: int) -> NewRun:
        """The same with another seed, in its recipe too."""
        return replace(self, seed=seed, recipe_json=recipe_to_json(replace(self.recipe, seed=seed)))


def new_run(architecture: Architecture, recipe: Recipe, dataset: str, kind: Kind = "train") -> NewRun:
    """What asks for a run of this network and recipe. Raises SpecError for a network that is no classifier."""
    return NewRun(
        kind=kind,
        name=architecture.name,
        architecture_json=architecture_to_json(architecture),
        recipe_json=recipe_to_json(recipe),
        dataset=dataset,
        parameters=classifier(architecture).parameters,
        seed=recipe.seed,
        epochs=recipe.epochs if kind == "train" else 0,
    )


@dataclass(frozen=True, kw_only=True)
class Run(Asked):
    """One training run or range test: what was asked for, and how far it got. Moments are seconds since 1970."""

    id: str  # unguessable; fit for a URL, a command line and a file name
    place: int  # the order in the queue
    status: Status
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
    pause: Pause  # as asked for
    paused_since: float | None  # None while it is not held
    rate_factor: float  # by which the schedule's learning rates are multiplied
    rate_changes: tuple[RateChange, ...]  # those that have come into force
    urgent: bool  # the teacher has put it first in the queue
    lost: int  # workers that died, or lost their device, while they had it, since its last epoch
    claimed: float | None  # when a worker last took it from the queue
    claim: str = ""  # the token of that: a new one each time

    @property
    def range_test(self) -> RangeTest:
        """The settings of its range test, the recipe's own or the usual ones."""
        return self.recipe.range_test or RangeTest()

    @property
    def learning_rate_found(self) -> float | None:
        """What the range test before training chose; None where there was none."""
        return self._found.get("chosen")

    @property
    def rate_reason(self) -> str:
        """How that rate was chosen; "" where there was none."""
        return str(self._found.get("from", ""))

    @property
    def _found(self) -> dict[str, Any]:  # Any: a rate, words, and the whole test
        found = json.loads(self.result) if self.kind == "train" and self.result else {}
        return found if isinstance(found, dict) else {}

    @property
    def job(self) -> str:
        """What a URL calls it: its group of seeds, or the single run's id."""
        return self.seed_group or self.id

    @property
    def unfinished(self) -> bool:
        """Whether it waits or trains."""
        return self.status in UNFINISHED


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
class Slot:
    """The worker of one of a device's slots, as far as it has been heard of."""

    device: str
    slot: int  # from 0: a device may have several workers
    worker: str
    pid: int  # for people and for signals; liveness comes from the heartbeat
    host: str
    started: float
    heartbeat: float
    run: str  # the run it is busy with, or ""


@dataclass(frozen=True)
class Speed(Trained):
    """How fast a finished run trained."""

    architecture_json: str
    recipe_json: str
    dataset: str
    seconds: float  # of an epoch, on average
    device_name: str = ""  # such as "cuda: NVIDIA H200"

    @property
    def kind(self) -> str:
        """The kind of its device, as a slot names it; "" where none is kept."""
        return self.device_name.split(":")[0].lower()

    @property
    def is_sound(self) -> bool:
        """Whether the row, and so what is estimated by it, is not damaged."""
        try:
            return bool(self.architecture and self.recipe) and 0 < self.seconds < 1e9
        except (LabError, TypeError, AttributeError):
            return False


@dataclass(frozen=True)
class RunName:
    """What a menu says of a run, and whose it is."""

    id: str
    name: str
    owner: str  # the nickname
    owner_key: str
    seed: int


@dataclass(frozen=True)
class Queue:
    """The queue at one moment, as `lab.runs.fair_queue` wants it."""

    waiting: tuple[Run, ...]  # by place
    running: tuple[Run, ...]
    served: dict[str, float]  # when each owner's last run was taken, of those who wait
    paused: bool  # by the teacher

    @property
    def busy(self) -> dict[str, int]:
        """Running jobs by owner: the runs of a group of seeds are one."""
        return dict(Counter(owner for owner, _ in {(run.owner_key, run.job) for run in self.running}))

    @property
    def jobs(self) -> set[str]:
        """The jobs of which at least one run is running."""
        return {run.job for run in self.running}


# The columns of two tables, which are named as the fields.
EPOCH_NAMES, BATCH_NAMES = (tuple(field.name for field in fields(kind)) for kind in (EpochRecord, BatchRow))
COLUMNS = {field.name: field.name.removesuffix("_json") for field in fields(Run)}
RUN_COLUMNS = frozenset({"number", *COLUMNS.values()})


def run_of(row: sqlite3.Row) -> Run:
    """A row of the table of runs."""
    values = {name: row[column] for name, column in COLUMNS.items()}
    tags = tuple(row["tags"].split(",")) if row["tags"] else ()
    flags = {name: bool(row[name]) for name in ("stop_requested", "snapshots", "urgent", "bounded")}
    changes = tuple(RateChange(*pair) for pair in json.loads(row["rate_changes"] or "[]"))
    return Run(**values | flags | {"tags": tags, "rate_changes": changes})


def epoch_of(row: sqlite3.Row) -> EpochRecord:
    """A row of the table of epochs."""
    record = EpochRecord(**_figures(row, EPOCH_NAMES))
    for measured in ("validation", "plain_train"):
        if row[f"{measured}_accuracy"] is None:  # not measured; else an accuracy is a number even where a loss is none
            record = replace(record, **{f"{measured}_{figure}": None for figure in ("loss", "accuracy")})  # type: ignore[arg-type]
    return record


def batch_of(row: sqlite3.Row) -> BatchRow:
    """A row of the table of batches."""
    return BatchRow(**_figures(row, BATCH_NAMES))


def _figures(row: sqlite3.Row, names: Sequence[str]) -> dict[str, Any]:  # Any: int and float fields
    return {name: math.nan if row[name] is None else row[name] for name in names}


def plain_words(text: str, what: str, most: int) -> str:
    """The plain text, see `core.outside`. Raises RunError when it is longer than `most` characters."""
    return outside.plain_words(text, what, most, RunError)
