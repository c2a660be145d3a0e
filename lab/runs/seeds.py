"""A group of seeds, trained as its device does it best: side by side in processes on a CPU, in streams on a GPU.

A small network leaves much of a machine idle when it trains alone. Several processes on one GPU only take turns, so
there the seeds share one process. What a seed comes to does not depend on the seeds beside it.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

import torch

from core.errors import LabError, NodeLostError, RunError
from core.training.history import RateChange
from core.training.loop import EpochEnd, Event
from core.training.memory import out_of_memory
from core.training.range_test import RangePoint
from lab.runs.executor import Executor, Source
from lab.runs.full_disk import DiskError, of_the_disk
from lab.runs.machine import cores, most_side_by_side
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.runs.training_job import Failed, Here, Idle, TrainingJob, data_for, run_training

IDLE_SECONDS = 0.5  # after which a run that says nothing may be asked to stop
LEAVING_SECONDS = 5.0  # that a process is given to end by itself, when it is no longer wanted
SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that torch's threads hold

log = logging.getLogger("lab.runs.seeds")


def train_group(store: RunStore, worker: str, leaving: threading.Event, device: torch.device, first: Run) -> None:
    """Train the group of which this worker has claimed the first run: all its seeds that wait, and those that come."""
    most = store.set_side_by_side(first.seed_group, most_side_by_side(device.type))  # may fail, on a full disk
    started = time.monotonic()

    def lane(run: Run | None) -> None:
        with source_beside(device, most, leaving) as source:
            executor = Executor(store, worker, leaving, source, started)
            while run is not None:
                executor.execute(run)
                run = None if leaving.is_set() else _next(store, first, worker)

    with ThreadPoolExecutor(most, thread_name_prefix="seed") as lanes:
        running = [lanes.submit(lane, first)]
        for _ in range(most - 1):
            if run := _next(store, first, worker):
                running.append(lanes.submit(lane, run))
    for each in running:
        each.result()


def _next(store: RunStore, first: Run, worker: str) -> Run | None:
    try:
        return store.claim_seed(first.seed_group, worker, first.device_name)
    except RunError as error:  # the disk may be full just now: the queue gives the seed to a worker later
        log.warning("no next seed: %s", error)
        return None


@contextmanager
def source_beside(device: torch.device, side_by_side: int, leaving: threading.Event) -> Iterator[Source]:
    """Where one of so many seeds at a time trains."""
    if side_by_side == 1:
        yield Here(device, leaving)
    elif device.type == "cpu":
        with closing(Child(max(1, cores() // side_by_side))) as child:
            yield child
    else:
        if device.type == "cuda":  # what this thread asks of the GPU runs beside what the others ask, not behind it
            stream = torch.cuda.Stream(device)
            stream.wait_stream(torch.cuda.default_stream(device))  # which brings the data
            torch.cuda.set_stream(stream)
        yield Here(device, leaving)


# ------------------------------------------------------------------------------------------- in a process of its own


@dataclass(frozen=True)
class Task:
    """What a child process is to train."""

    job: TrainingJob
    dataset: str
    changes: tuple[RateChange, ...]


Message = Event | Failed | None  # None: the run is over


class Child:
    """Training in a process of its own, which keeps the data from run to run: guards the process and the pipe to it.

    After each event the child waits for an answer: the rate changes, or None to stop. So a run that is held, or given
    another rate, behaves as in this process. The child writes the files; an event comes back without its tensors.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads  # of torch, the same for each run: sums depend on it in the last bits
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def events(self, run: Run, job: TrainingJob, changes: Sequence[RateChange]) -> Generator[Event | Idle, None, None]:
        """The run's events. Raises NodeLostError when the process dies."""
        try:
            connection = self._connect()
            connection.send(Task(job, run.dataset, tuple(changes)))
            over = False
            try:
                while True:
                    if not connection.poll(IDLE_SECONDS):
                        yield Idle()
                        continue
                    said: Message = connection.recv()
                    over = said is None or isinstance(said, Failed)
                    if isinstance(said, Failed):
                        raise DiskError(said.error) if said.of_the_disk else RunError(said.error)
                    if said is None:
                        return
                    yield said
                    connection.send(tuple(changes))
            finally:
                if not over:  # closed before its end
                    connection.send(None)
                    while not (said is None or isinstance(said := connection.recv(), Failed)):
                        pass
        except (EOFError, OSError):
            raise NodeLostError(f"its process {self._death()}") from None

    def points(self, run: Run) -> Generator[RangePoint | Idle, None, None]:
        """A range test has one seed only."""
        raise RunError(f"run {run.id}: a range test trains with one seed")

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection, other_end = SPAWN.Pipe()
            self._process = SPAWN.Process(target=_serve, args=(other_end, self.threads), daemon=True)
            with _no_interrupts():
                self._process.start()
            other_end.close()
        return self._connection

    def _death(self) -> str:
        """How the process ended; the next run gets a fresh one."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return "was never there"
        process.join()
        status = process.exitcode
        if status is None or status >= 0:
            return f"ended with status {status}"
        names = {each.value: each.name for each in signal.Signals}
        return f"was killed by {names.get(-status, f'signal {-status}')}"

    def close(self) -> None:
        """End the process, which leaves by itself when its connection is closed."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join(LEAVING_SECONDS)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()


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


def _serve(connection: Connection, threads: int) -> None:
    """The child: train every task that comes, until the connection is closed."""
    torch.set_num_threads(threads)
    with suppress(EOFError, OSError):
        while True:
            connection.send(_train(connection, connection.recv()))


def _train(connection: Connection, task: Task) -> Failed | None:
    """Train one task, telling its events and waiting for the answer to each."""
    changes = list(task.changes)
    try:
        for event in run_training(task.job, data_for(task.dataset, task.job.recipe, torch.device("cpu")), changes):
            light = replace(event, weights={}, state={}) if isinstance(event, EpochEnd) else event
            connection.send(light)
            answer: tuple[RateChange, ...] | None = connection.recv()
            if answer is None:
                break
            changes[:] = answer
    except LabError as error:
        return Failed(str(error), of_the_disk(error))
    except (EOFError, ConnectionError):  # nobody listens any more
        raise
    except Exception as error:
        if words := out_of_memory(error, task.job.recipe.batch_size):
            return Failed(words)
        log.exception("seed %s failed", task.job.recipe.seed)
        return Failed(f"{type(error).__name__}: {error}")
    return None
