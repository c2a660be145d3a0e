"""When a waiting run will start, and how long a run takes: from what the runs before it took on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.architecture.spec import architecture_from_json
from core.architecture.trace import classifier
from core.training.recipe import RangeTest, Recipe
from lab.runs import supervisor
from lab.runs.bounds import iterations_per_epoch
from lab.runs.fair_queue import Turn, UnderWay, Waiting, turns
from lab.runs.parsed import recipe_of
from lab.runs.store import Pace, Run, RunStore
from lab.settings import settings

LATEST = 50  # runs whose pace counts


@dataclass(frozen=True)
class Expected:
    """A waiting run's turn, and what its start depends on."""

    turn: Turn
    measured: bool  # whether there is any run that the times could be taken from
    paused: bool  # the teacher holds the queue: until then nothing starts


def expected(store: RunStore) -> dict[str, Expected]:
    """What is expected of every run that waits, by its id."""
    queue = store.queue()
    if not queue.waiting:
        return {}
    paces, done = store.paces(LATEST), store.iterations_done([run.id for run in (*queue.waiting, *queue.running)])
    kinds = {supervisor.device_of(store, run.device) for run in queue.waiting}
    found: dict[str, Expected] = {}
    for kind in kinds:  # a queue each: a run on the GPU keeps nobody waiting for the processor
        waiting = [
            Waiting(run.id, run.owner_key, run.place, run.urgent, seconds_left(run, done.get(run.id, 0), paces))
            for run in queue.waiting
            if supervisor.device_of(store, run.device) == kind
        ]
        under_way = [
            UnderWay(run.owner_key, seconds_left(run, done.get(run.id, 0), paces))
            for run in queue.running
            if run.claimed is not None and supervisor.device_of(store, run.device) == kind
        ]
        settled = settings()
        order = turns(
            waiting, under_way, queue.served, settled.runs_a_person, supervisor.seats_of(store, kind), now=time.time()
        )
        found |= {turn.id: Expected(turn, bool(paces), queue.paused) for turn in order}
    return found


def seconds_left(run: Run, done: int, paces: Sequence[Pace]) -> float:
    """What the run will take after `done` iterations, if it trains as fast as those before it; 0 if there are none."""
    recipe = recipe_of(run.recipe)
    if run.kind == "range_test":
        batches = (recipe.range_test or RangeTest()).iterations
    else:
        batches = recipe.epochs * iterations_per_epoch(run.dataset, recipe)
    return max(0, batches - done) * seconds_per_batch(run.architecture, recipe, paces)


def seconds_per_batch(architecture: str, recipe: Recipe, paces: Sequence[Pace]) -> float:
    """By the run whose batches cost most nearly as much, scaled to this one's; 0.0 where there is none."""
    if not paces:
        return 0.0
    cost = _cost(architecture, recipe)
    measured = [(_cost(pace.architecture, recipe_of(pace.recipe)), pace) for pace in paces]
    near, pace = min(measured, key=lambda each: abs(math.log(each[0] / cost)))
    return pace.seconds / iterations_per_epoch(pace.dataset, recipe_of(pace.recipe)) * cost / near


def _cost(architecture: str, recipe: Recipe) -> float:
    """Multiplications of a batch."""
    return max(1, _macs(architecture)) * recipe.batch_size


@lru_cache(maxsize=512)
def _macs(architecture: str) -> int:
    return classifier(architecture_from_json(architecture)).macs
