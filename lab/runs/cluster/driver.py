"""The driver: does for the cluster what a worker does for one device. It claims queued runs for as long as the nodes
have room, trains each on one of them, and alone writes the store and the files.

A process of its own, as a worker is, and for the same reasons; `actions` starts it by `python -m lab.runs.cluster`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch

from core.training.history import RateChange
from core.training.loop import Event
from core.training.range_test import RangePoint
from lab.runs.cluster.connection import Cluster
from lab.runs.executor import POLL_SECONDS, Executor
from lab.runs.machine import Machine, write_machine, write_side_by_side
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.runs.supervisor import CLUSTER
from lab.runs.training_job import Idle, TrainingJob
from lab.runs.worker import Holder

KINDS = ("auto", "cpu", "cuda", "mps")  # the devices that a queued run may ask for; there is no mps on a cluster


class Driver(Holder):
    """One process for one cluster: guards a thread for each run."""

    def __init__(self, store: RunStore, cluster: Cluster) -> None:
        super().__init__(store, CLUSTER)
        self.cluster = cluster
        self._attending: dict[str, threading.Thread] = {}  # by run

    def work(self, idle_seconds: float) -> None:
        """Take the slot and serve the queue; return at once when another driver is there. Raises ClusterError."""
        with self.on_its_slot() as free:
            if not free:
                return
            try:
                self.cluster.check_room()
                write_machine(describe(self.cluster), self.store.folder)
                self._serve(idle_seconds)
            finally:
                self.leaving.set()
                for thread in list(self._attending.values()):
                    thread.join()

    def _serve(self, idle_seconds: float) -> None:
        idle_since, told = time.monotonic(), 0
        while not self.leaving.is_set() and time.monotonic() - idle_since < idle_seconds:
            if self._attending:
                idle_since = time.monotonic()
            room = self.cluster.room()
            if room != told:  # a node came, or was lost: by this the pages say when a waiting run starts
                write_side_by_side(self.store.folder, CLUSTER, max(1, room))
                told = room
            if len(self._attending) < room:
                if run := self.next_run(KINDS, f"Ray: {self.cluster.kind}", spread=True):
                    self._attend(run)
            else:
                self.leaving.wait(POLL_SECONDS)

    def _attend(self, run: Run) -> None:
        executor = Executor(self.store, self.id, self.leaving, OnCluster(self.cluster))

        def execute() -> None:
            try:
                executor.execute(run)
            finally:
                del self._attending[run.id]
                self.busy_with = next(iter([*self._attending]), "")  # a copy: another may begin meanwhile

        thread = threading.Thread(target=execute, name=f"run {run.id}")
        self._attending[run.id] = thread
        self.busy_with = run.id
        thread.start()


def describe(cluster: Cluster) -> Machine:
    """The cluster as the pages name what trains."""
    kinds = ("cuda", "cpu") if cluster.kind == "cuda" else ("cpu",)
    return Machine(kinds, (cluster.describe(),) * len(kinds), str(torch.__version__), max(1, int(cluster.cpus)))


@dataclass(frozen=True)
class OnCluster:
    """Training on a node of the cluster. Where that is lost, the run goes on elsewhere."""

    cluster: Cluster

    def events(self, run: Run, job: TrainingJob, changes: Sequence[RateChange]) -> Generator[Event | Idle, None, None]:
        """The run's events; its files are written here as they come."""
        return self.cluster.run_training(job, run.dataset, run.device, changes)

    def points(self, run: Run) -> Generator[RangePoint | Idle, None, None]:
        """A range test's points."""
        with closing(
            self.cluster.range_test_points(run.architecture, run.recipe, run.range_test, run.dataset, run.device)
        ) as coming:
            for each in coming:
                if isinstance(each, Idle):
                    yield each
                else:
                    yield from each
