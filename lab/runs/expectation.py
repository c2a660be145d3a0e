"""When a waiting run will start, and how long a run takes: from what the runs before it took on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.errors import LabError
from core.training.recipe import Recipe
from lab.runs import supervisor
from lab.runs.bounds import iterations_per_epoch
from lab.runs.fair_queue import Turn, UnderWay, Waiting, turns
from lab.runs.rows import Run, Speed
from lab.runs.store import RunStore
from lab.runs.troubles import in_the_way
from lab.settings import settings

LATEST = 50  # runs whose pace counts


@dataclass(frozen=True)
class Expected:
    """A waiting run's turn, and what its start depends on."""

    turn: Turn
    measured: bool  # whether there is any run that the times could be taken from
    paused: bool  # the teacher holds the queue: until then nothing starts
    in_the_way: str = ""  # a sentence, where no worker can be had


def expected(store: RunStore) -> dict[str, Expected]:
    """What is expected of every run that waits, by its id."""
    queue = store.queue()
    if not queue.waiting:
        return {}
    everyone = (*queue.waiting, *queue.running)
    speeds, done = store.speeds(LATEST), store.iterations_done([run.id for run in everyone])
    kinds = {device: supervisor.device_of(store, device) for device in {run.device for run in everyone}}
    there = {device: on(kind, speeds) for device, kind in kinds.items()}
    left = {run.id: seconds_left(run, done.get(run.id, 0), there[run.device]) for run in everyone}
    found: dict[str, Expected] = {}
    blocked: dict[str, str] = {}
    for kind in {kinds[run.device] for run in queue.waiting}:
        # A queue each: a run on the GPU keeps nobody waiting for the processor. The seeds of a group are one job.
        jobs = jobs_of(run for run in everyone if kinds[run.device] == kind)
        under_way, waiting = [], []
        for job, runs in jobs.items():
            seconds = sum(left[run.id] for run in runs)
            if job in queue.jobs:
                under_way.append(UnderWay(runs[0].owner_key, seconds))
            else:
                urgent = any(run.urgent for run in runs)
                place = min(run.place for run in runs)
                waiting.append(Waiting(job, runs[0].owner_key, place, urgent, seconds))
        slots, most = supervisor.slots_of(store, kind), settings().runs_a_person
        by_job = {turn.id: turn for turn in turns(waiting, under_way, queue.served, most, slots, now=time.time())}
        for run in queue.waiting:
            if run.job in jobs:  # a seed of a job that is running needs no turn
                turn = by_job.get(run.job, Turn(run.job, 0, 0.0))
                asked = supervisor.CLUSTER if settings().ray_address else run.device
                if asked not in blocked:
                    blocked[asked] = in_the_way(store, asked)
                found[run.id] = Expected(turn, bool(there[run.device]), queue.paused, blocked[asked])
    return found


def on(kind: str, speeds: Sequence[Speed]) -> list[Speed]:
    """Those that were measured on that kind of device: a processor says nothing of a GPU."""
    return [speed for speed in speeds if kind == "auto" or speed.kind in ("", kind)]


def jobs_of(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs by their job, in the order given: the seeds of a group together."""
    jobs: dict[str, list[Run]] = {}
    for run in runs:
        jobs.setdefault(run.job, []).append(run)
    return jobs


def iterations_of(run: Run) -> int:
    """How many iterations a run is, as planned; 0 where its recipe cannot be read, which its worker will say."""
    try:
        if run.kind == "range_test":
            return run.range_test.iterations
        return run.recipe.epochs * iterations_per_epoch(run.dataset, run.recipe)
    except LabError:
        return 0


def seconds_left(run: Run, done: int, speeds: Sequence[Speed]) -> float:
    """What the run will take after `done` iterations, if it trains as fast as those before it; 0 if there are none."""
    if not speeds:
        return 0.0
    try:
        return max(0, iterations_of(run) - done) * seconds_per_batch(run.architecture, run.recipe, speeds)
    except LabError:  # its network or recipe cannot be read
        return 0.0


def seconds_per_batch(architecture: Architecture, recipe: Recipe, speeds: Sequence[Speed]) -> float:
    """By the run whose batches cost most nearly as much, scaled to this one's; 0.0 where there is none."""
    if not speeds:
        return 0.0
    cost = _cost(architecture, recipe)
    measured = [(_cost(speed.architecture, speed.recipe), speed) for speed in speeds]
    near, speed = min(measured, key=lambda each: abs(math.log(each[0] / cost)))
    return speed.seconds / iterations_per_epoch(speed.dataset, speed.recipe) * cost / near


def _cost(architecture: Architecture, recipe: Recipe) -> float:
    """Multiplications of a batch."""
    return max(1, _macs(architecture)) * recipe.batch_size


@lru_cache(maxsize=512)
def _macs(architecture: Architecture) -> int:
    return classifier(architecture).macs
