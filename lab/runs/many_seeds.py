"""Many seeds of one architecture and recipe, side by side: a run each, and one entry in the table, mean and deviation.

On a CPU each seed trains in a process with its share of the cores; on a GPU each in a thread with a stream of its own,
all reading the same data. A small network leaves much of either idle when it trains alone. With LAB_RAY_ADDRESS set,
each trains on a node of the cluster. What a seed comes to does not depend on the seeds beside it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import secrets
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Literal

import torch

from core.architecture.spec import Architecture, architecture_to_json
from core.architecture.trace import classifier
from core.checkpoints.checkpoint import device_name
from core.errors import LabError
from core.training.history import EpochRecord
from core.training.loop import EpochEnd, Event, Points, RateFound
from core.training.recipe import Recipe, recipe_to_json
from lab.runs.carrier import insist, write_event
from lab.runs.order import Order, Silence, carry_out
from lab.runs.store import Ending, Run, RunStore
from lab.runs.worker import HEARTBEAT_SECONDS, data_for
from lab.settings import settings

ON_GPU = 8  # seeds side by side at most
ON_CLUSTER = 256  # and on a cluster, which takes as many as its nodes have room for
LEAVING_SECONDS = 5.0  # that a process is given to end by itself, when it is no longer wanted
SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that torch's threads hold

Place = Literal["processes", "threads", "cluster"]

log = logging.getLogger("lab.runs.many_seeds")


@dataclass(frozen=True)
class Plan:
    """An architecture and recipe to be trained once with each seed."""

    architecture: Architecture
    slug: str  # the step of the ladder, or "" for a design of one's own
    recipe: Recipe  # its own seed does not count
    seeds: tuple[int, ...]
    dataset: str
    device: torch.device
    side_by_side: int  # seeds in training at a time

    @property
    def pool(self) -> Pool:
        """Where its seeds train."""
        return Pool(self.dataset, self.device, self.side_by_side)


@dataclass(frozen=True)
class Ended:
    """The last that is said of a seed."""

    status: Ending
    error: str = ""


Said = RateFound | Points | EpochRecord | Ended
Saying = Generator[tuple[int, Said], None, None]  # of each order, by its number; close it to end them all


@dataclass(frozen=True)
class Pool:
    """Where orders are carried out: the data, the device, and how many of them at a time."""

    dataset: str
    device: torch.device
    side_by_side: int

    @property
    def threads(self) -> int:
        """Of torch, for each process. The same from the first order to the last: sums depend on it in the last bits."""
        on_cpu = place_of(self.device) == "processes"
        return max(1, cores() // self.side_by_side) if on_cpu else torch.get_num_threads()


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def most_side_by_side(device: torch.device) -> int:
    """How many seeds may train on the device at a time."""
    match place_of(device):
        case "processes":
            return cores()
        case "threads":
            return ON_GPU
        case "cluster":
            return ON_CLUSTER


def place_of(device: torch.device) -> Place:
    """Where the seeds of a device train. On a cluster, LAB_RAY_GPUS says on what device."""
    if settings().ray_address:
        return "cluster"
    return "processes" if device.type == "cpu" else "threads"


def on_gpu(device: torch.device) -> bool:
    """Whether seeds train on GPUs: on a cluster LAB_RAY_GPUS says so, whatever this machine has."""
    return settings().ray_gpus > 0 if place_of(device) == "cluster" else device.type == "cuda"


# ----------------------------------------------------------------------------------------------------------- the store


def train_seeds(store: RunStore, plan: Plan, place: Place | None = None) -> Generator[tuple[Run, Said], None, None]:
    """Train each seed as a run of its own, all of one group, and yield what is said of them once it is in the store.

    Close it to interrupt those that have not ended. A seed that fails leaves the others alone. Raises LabError.
    """
    worker = secrets.token_hex(8)
    runs = _submit(store, plan, worker)
    orders = [_order(store, plan, run) for run in runs]
    unended = set(range(len(runs)))
    ending = Ended("interrupted")
    try:
        with (
            _beating(store, worker, {run.id for run in runs}) as lost,
            closing(carry_out_all(plan.pool, orders, lambda n: _should_stop(store, runs[n], lost), place)) as saying,
        ):
            for number, said in saying:
                run = runs[number]
                if not insist(partial(_write, store, run, said)):
                    lost.add(run.id)
                if isinstance(said, Ended):
                    unended.discard(number)
                yield run, said
    except LabError as error:
        ending = Ended("failed", str(error))
        raise
    finally:
        for number in unended:
            with suppress(LabError):  # their silence will end them
                _write(store, runs[number], ending)


def _submit(store: RunStore, plan: Plan, worker: str) -> list[Run]:
    group = secrets.token_hex(8)
    on_cluster = place_of(plan.device) == "cluster"
    return [
        store.submit(
            kind="train",
            slug=plan.slug,
            name=plan.architecture.name,
            architecture=architecture_to_json(plan.architecture),
            recipe=recipe_to_json(replace(plan.recipe, seed=seed)),
            dataset=plan.dataset,
            device="auto" if on_cluster else plan.device.type,
            parameters=classifier(plan.architecture).parameters,
            seed=seed,
            epochs=plan.recipe.epochs,
            seed_group=group,
            worker=worker,
            device_name="Ray" if on_cluster else device_name(plan.device),
        )
        for seed in plan.seeds
    ]


def _order(store: RunStore, plan: Plan, run: Run) -> Order:
    recipe = replace(plan.recipe, seed=run.seed)
    return Order(run.name, run.slug, plan.architecture, recipe, store.folder / run.id)


def _should_stop(store: RunStore, run: Run, lost: set[str]) -> bool:
    return run.id in lost or store.stop_requested(run.id)


def _write(store: RunStore, run: Run, said: Said) -> bool:
    """What was said to the store; False when the run is no longer this worker's."""
    if isinstance(said, Ended):
        return store.finish(run.id, run.worker, said.status, said.error)
    return write_event(store, run, said)


@contextmanager
def _beating(store: RunStore, worker: str, runs: set[str]) -> Iterator[set[str]]:
    """Say every second that the worker's runs are alive; what is yielded fills with those that are its no longer."""
    lost: set[str] = set()
    leaving = threading.Event()

    def beat() -> None:
        while not leaving.wait(HEARTBEAT_SECONDS):
            try:
                lost.update(runs - store.heartbeats(worker))  # with those that have ended, which are not asked about
            except LabError as error:
                log.warning("no heartbeat: %s", error)

    pulse = threading.Thread(target=beat, name="heartbeat", daemon=True)
    pulse.start()
    try:
        yield lost
    finally:
        leaving.set()
        pulse.join()


# -------------------------------------------------------------------------------------------------------- side by side


def carry_out_all(
    pool: Pool, orders: Sequence[Order], should_stop: Callable[[int], bool], place: Place | None = None
) -> Saying:
    """Train all the orders and yield what is said of each, by its number among them. Close it to end them all.

    `should_stop` is asked about a number now and then. An order that fails leaves the others alone.
    """
    ways = {"processes": _in_processes, "threads": _in_threads, "cluster": _on_cluster}
    return ways[place or place_of(pool.device)](pool, orders, should_stop)


def _train(
    order: Order,
    events: Callable[[], Iterator[Event | Silence]],
    tell: Callable[[Said], None],
    should_stop: Callable[[], bool],
) -> Ended:
    """Train one seed, of which these are the events; whatever goes wrong ends it and nothing else."""
    try:
        if should_stop():
            return Ended("stopped")
        for event in events():
            if not isinstance(event, Silence):
                tell(event.record if isinstance(event, EpochEnd) else event)
            if isinstance(event, EpochEnd) and event.record.epoch == order.recipe.epochs - 1:
                break  # done: a stop that comes now comes too late
            if should_stop():
                return Ended("stopped")
    except LabError as error:
        return Ended("failed", str(error))
    except ConnectionError:  # from `tell`: nobody listens
        raise
    except Exception as error:
        log.exception("seed %s failed", order.recipe.seed)
        return Ended("failed", f"{type(error).__name__}: {error}")
    return Ended("finished")


def _in_threads(pool: Pool, orders: Sequence[Order], should_stop: Callable[[int], bool]) -> Saying:
    """Threads that share the data on the device, each order with a stream of its own."""
    for order in orders:  # raises what is wrong with the data here, and loads them once
        data_for(pool.dataset, order.recipe, pool.device)

    def beside_others(order: Order) -> Iterator[Event]:
        _take_stream(pool.device)
        return _carry_out(pool, order)

    return _a_thread_each(pool.side_by_side, orders, beside_others, should_stop)


def _on_cluster(pool: Pool, orders: Sequence[Order], should_stop: Callable[[int], bool]) -> Saying:
    """Each order on a node of the cluster, and where that is lost, on another; the files are written here."""
    from lab.runs.cluster.connection import connected

    with connected(settings()) as cluster:
        cluster.check_room()
        cluster.ship(pool.dataset)  # raises what is wrong with the data here
        events = partial(cluster.carry_out_anywhere, dataset=pool.dataset)
        yield from _a_thread_each(min(pool.side_by_side, cluster.room()), orders, events, should_stop)


def _a_thread_each(
    side_by_side: int,
    orders: Sequence[Order],
    events: Callable[[Order], Iterator[Event | Silence]],
    should_stop: Callable[[int], bool],
) -> Saying:
    saying = queue.SimpleQueue[tuple[int, Said]]()
    leaving = threading.Event()

    def train(number: int, order: Order) -> None:
        def stop() -> bool:
            return leaving.is_set() or should_stop(number)

        saying.put((number, _train(order, lambda: events(order), lambda said: saying.put((number, said)), stop)))

    executor = ThreadPoolExecutor(side_by_side, thread_name_prefix="order")
    try:
        for number, order in enumerate(orders):
            executor.submit(train, number, order)
        running = len(orders)
        while running:
            number, said = saying.get()
            running -= isinstance(said, Ended)
            yield number, said
    finally:
        leaving.set()
        executor.shutdown(cancel_futures=True)


def _take_stream(device: torch.device) -> None:
    """Let what this thread asks of the GPU run beside what the others ask, not behind it."""
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.default_stream(device))  # which brings the data
        torch.cuda.set_stream(stream)


def _in_processes(pool: Pool, orders: Sequence[Order], should_stop: Callable[[int], bool]) -> Saying:
    """Processes that train one order after the other and keep the data; a dead one costs its order, and is replaced.

    concurrent.futures' pool would not do: when one of its processes is killed, it ends them all.
    """
    waiting = deque(enumerate(orders))
    idle: list[_Child] = []
    busy: dict[Connection, _Child] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < pool.side_by_side:
                number, order = waiting.popleft()
                if should_stop(number):
                    yield number, Ended("stopped")
                    continue
                child = idle.pop() if idle else _Child(pool)
                busy[child.connection] = child
                child.give(number, order)
            for connection in wait(list(busy)):
                child = busy[connection]  # type: ignore[index]  # what was given comes back
                said = child.hear()
                if isinstance(said, Ended):
                    del busy[child.connection]
                    if child.alive:
                        idle.append(child)
                elif should_stop(child.number):
                    child.stop()
                yield child.number, said
    finally:
        children = [*idle, *busy.values()]
        for child in children:
            child.connection.close()  # at which it ends, once it has something to say
        deadline = time.monotonic() + LEAVING_SECONDS
        for child in children:
            child.end(deadline - time.monotonic())


class _Child:
    """One process that trains orders: guards it and the connection to it."""

    def __init__(self, pool: Pool) -> None:
        self.connection, other_end = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_serve, args=(other_end, pool), daemon=True)
        with _no_interrupts():
            self.process.start()
        other_end.close()
        self.alive = True
        self.number = -1

    def give(self, number: int, order: Order) -> None:
        """Let it train this."""
        self.number = number
        with suppress(ConnectionError):  # it has died since; `hear` will tell
            self.connection.send(order)

    def stop(self) -> None:
        """Let it leave off what it is training; what comes too late, it passes over."""
        with suppress(ConnectionError):
            self.connection.send(None)

    def hear(self) -> Said:
        """What it says next; of one that has died, how."""
        try:
            said: Said = self.connection.recv()
        except (EOFError, OSError):  # the latter when it died in the middle of a word
            self.alive = False
            self.connection.close()
            self.process.join()
            return Ended("failed", f"its process {_death(self.process.exitcode)}")
        return said

    def end(self, seconds: float) -> None:
        """Wait for it to end, and end it when it has not by then."""
        self.process.join(max(0.0, seconds))
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _death(status: int | None) -> str:
    if status is None or status >= 0:
        return f"ended with status {status}"
    names = {each.value: each.name for each in signal.Signals}
    return f"was killed by {names.get(-status, f'signal {-status}')}"


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """For the start of a process: it inherits that Ctrl-C, which a terminal sends to all, is none of its business."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # else the start of the first process does it, and lets interrupts in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, pool: Pool) -> None:
    """The process: train every order that comes and say what becomes of it, until the connection is closed."""
    torch.set_num_threads(pool.threads)
    with suppress(EOFError, OSError):
        while True:
            order: Order | None = connection.recv()
            if order is not None:  # or it is a stop for the last one, which ended first
                events = partial(_carry_out, pool, order)
                connection.send(_train(order, events, connection.send, connection.poll))


def _carry_out(pool: Pool, order: Order) -> Iterator[Event]:
    return carry_out(order, data_for(pool.dataset, order.recipe, pool.device))
