"""What runs on a node of the cluster: an actor that trains one run and says what happens, and writes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from core.architecture.spec import Architecture
from core.data.mnist import Dataset
from core.errors import LabError
from core.training.loop import EpochEnd, Event, State
from core.training.memory import out_of_memory
from core.training.network import build
from core.training.range_test import RangePoint, range_test_points
from core.training.recipe import RangeTest, Recipe
from core.training.resident import choose_device, resident
from lab.runs.training_job import Failed, Surroundings, events, surroundings

SECONDS_BETWEEN_POINTS = 0.2  # of a range test: what has come until then is said at once


@dataclass(frozen=True)
class Work:
    """What a node is to do."""

    architecture: Architecture
    recipe: Recipe
    device: str  # "cuda" or "cpu"
    threads: int  # of torch on a CPU: sums depend on it in the last bits, so it must not depend on the node


@dataclass(frozen=True)
class RangePoints:
    """Consecutive points of a range test."""

    points: tuple[RangePoint, ...]


Message = Surroundings | Event | RangePoints | Failed


class Trainer:
    """The actor: guards the answers that it gets while it trains. To stop it, kill it: nothing is lost.

    After each message it waits for `go_on`. So a run is held by not telling it anything, and a new rate is in force
    from the next iteration on, just as where the run trains in the process that asks.
    """

    def __init__(self) -> None:
        self._may_go_on = threading.Semaphore(0)
        self._rate_factor = 1.0

    def go_on(self, rate_factor: float) -> None:
        """Let it say the next thing; the schedule's rates are multiplied by the factor from now on."""
        self._rate_factor = rate_factor
        self._may_go_on.release()

    def train(self, work: Work, dataset: Dataset, state: State | None) -> Iterator[Message]:
        """The surroundings, and then the events of a run; after each it waits for `go_on`."""
        try:
            torch.set_num_threads(work.threads)
            data = resident(dataset, work.recipe, choose_device(work.device))
            yield surroundings(data, work.architecture, work.recipe)
            self._may_go_on.acquire()
            for event in events(work.architecture, work.recipe, data, state, lambda: self._rate_factor):
                yield portable(event)
                self._may_go_on.acquire()
        except Exception as error:
            yield _failed(error, work)

    def test_range(self, work: Work, dataset: Dataset, settings: RangeTest) -> Iterator[Message]:
        """The surroundings, and then the points of a range test; after each message it waits for `go_on`."""
        try:
            torch.set_num_threads(work.threads)
            data = resident(dataset, work.recipe, choose_device(work.device))
            yield surroundings(data, work.architecture, work.recipe)
            self._may_go_on.acquire()
            network = build(work.architecture, work.recipe.seed).to(data.device)
            points, said = list[RangePoint](), time.monotonic()
            for point in range_test_points(network, data, work.recipe, settings):
                points.append(point)
                if time.monotonic() - said > SECONDS_BETWEEN_POINTS:
                    yield RangePoints(tuple(points))
                    self._may_go_on.acquire()
                    points, said = [], time.monotonic()
            yield RangePoints(tuple(points))
        except Exception as error:
            yield _failed(error, work)


def _failed(error: Exception, work: Work) -> Failed:
    """Why the run cannot go on anywhere; an error after which it may do better elsewhere is raised again."""
    words = str(error) if isinstance(error, LabError) else out_of_memory(error, work.recipe.batch_size)
    if not words:
        raise error
    return Failed(words)


def portable(event: Event) -> Event:
    """The event with its tensors on the CPU: the other machine may have no other device."""
    if not isinstance(event, EpochEnd):
        return event
    return EpochEnd(event.record, _on_cpu(event.weights), cast(State, _on_cpu(event.state)))


def _on_cpu(tree: Any) -> Any:  # Any: tensors, numbers, and lists and dicts of them
    if isinstance(tree, Tensor):
        return tree.detach().cpu()
    if isinstance(tree, dict):
        return {key: _on_cpu(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_on_cpu(value) for value in tree)
    return tree
