"""How many runs side by side a device trains fastest: `python -m lab bench --side-by-side` measures it for the queue.

A small network leaves much of a machine idle when it trains alone: threads wait for each other, and a GPU for the next
kernel. Each number of runs is tried with processes like the workers', all at the same time, on the same network.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.synchronize import Barrier

import torch

from core.data.mnist import best_present, load
from core.errors import NodeLostError
from core.ladder import catalogue
from core.training.loop import Points, train
from core.training.network import build
from core.training.resident import choose_device, resident
from core.words import plural
from lab.runs.machine import cores

NETWORK = "a2-final-7758"
ON_GPU = (1, 2, 3, 4, 6, 8)
ENOUGH = 0.97  # of the best: fewer runs at once that do nearly as much give each person theirs sooner
LOOK_SECONDS = 0.1  # between two looks at the processes
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Together:
    """What so many runs at a time did together."""

    runs: int
    threads: int  # of torch, each
    images_per_second: float


def candidates(device: torch.device) -> tuple[int, ...]:
    """How many at a time are worth trying: on a processor, numbers that share its cores evenly."""
    if device.type != "cpu":
        return ON_GPU if device.type == "cuda" else (1,)  # see `most_side_by_side`
    return tuple(n for n in range(1, cores() + 1) if cores() % n == 0)


def measure(
    device: str = "auto", seconds: float = 8.0, say: Callable[[str], None] = lambda text: None
) -> list[Together]:
    """Train with each number of runs for so many seconds. Raises DeviceError where the device is not there."""
    on = choose_device(device)
    found = []
    for runs in candidates(on):
        try:
            found.append(_together(on, runs, seconds))
        except NodeLostError as error:  # so many are too many, for example for the memory
            if not found:
                raise
            say(str(error))
            break
        say(f"{runs} at a time: {found[-1].images_per_second:,.0f} images/s")
    return found


def best_of(found: Sequence[Together]) -> Together:
    """The fewest runs at a time that come to nearly the most images a second."""
    most = max(each.images_per_second for each in found)
    return min((each for each in found if each.images_per_second >= ENOUGH * most), key=lambda each: each.runs)


def _together(device: torch.device, runs: int, seconds: float) -> Together:
    threads = max(1, cores() // runs) if device.type == "cpu" else torch.get_num_threads()
    start, speeds = SPAWN.Barrier(runs), SPAWN.SimpleQueue()
    processes = [
        SPAWN.Process(target=_train, args=(device.type, threads, seconds, start, speeds), daemon=True)
        for _ in range(runs)
    ]
    for process in processes:
        process.start()
    try:
        done: list[float] = []
        while len(done) < runs:
            if not speeds.empty():
                done.append(speeds.get())
            elif dead := [process.exitcode for process in processes if process.exitcode]:
                raise NodeLostError(f"one of {plural(runs, 'run')} at a time ended with status {dead[0]}")
            else:
                wait([process.sentinel for process in processes if process.is_alive()], LOOK_SECONDS)
    finally:
        for process in processes:
            process.terminate()  # one that has said its speed has nothing left to do
            process.join()
    return Together(runs, threads, sum(done))


def _train(
    device: str, threads: int, seconds: float, start: Barrier, speeds: multiprocessing.SimpleQueue[float]
) -> None:
    """One process: warm up, wait for the others, train for so long, and say how many images a second that were."""
    torch.set_num_threads(threads)
    step = catalogue.by_slug(NETWORK)
    recipe = replace(step.recipe, epochs=1000, range_test=None)
    on = choose_device(device)
    data = resident(load(best_present()), recipe, on)
    events = train(build(step.architecture, recipe.seed).to(on), data, recipe)
    next(events)
    start.wait()
    images, since = 0, time.perf_counter()
    for event in events:
        images += len(event.losses) * recipe.batch_size if isinstance(event, Points) else 0
        if (elapsed := time.perf_counter() - since) > seconds:
            speeds.put(images / elapsed)
            return
