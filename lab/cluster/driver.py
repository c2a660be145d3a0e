"""The driver: does for the cluster what a worker does for one device. It claims queued runs for as long as the nodes
have room, trains each on one of them, and alone writes the store and the files.

A process of its own, as a worker is, and for the same reasons; `lab.jobs` starts it, `python -m lab.cluster`.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import threading
import time
from contextlib import closing
from dataclasses import asdict
from functools import partial
from json import dumps

import torch

from core.errors import LabError, NodeLostError
from core.range_test import RangePoint, summarise
from core.recipe import RangeTest, recipe_from_json
from core.spec import architecture_from_json
from core.training import EpochEnd
from lab.bounds import iterations_per_epoch
from lab.cluster.connection import Cluster
from lab.jobs import CLUSTER, STALE_SECONDS, tend
from lab.machine import Machine, write_machine
from lab.runs import BatchRow, Run, RunStore
from lab.settings import settings
from lab.training_run import Order, Silence, epochs_done
from lab.worker import HEARTBEAT_SECONDS, POLL_SECONDS, Worker, _next_iteration, write_event

KINDS = ("auto", "cpu", "cuda", "mps")  # the devices that a queued run may ask for; there is no mps on a cluster

log = logging.getLogger("lab.cluster")


class Driver:
    """One process for one cluster: guards its seat, and the threads that each see to a run."""

    def __init__(self, store: RunStore, cluster: Cluster) -> None:
        self.store = store
        self.cluster = cluster
        self.id = secrets.token_hex(8)
        self.leaving = threading.Event()
        self._attending: dict[str, threading.Thread] = {}  # by run
        self._over = threading.Event()  # no run is left

    def work(self, idle_seconds: float) -> None:
        """Take the seat and serve the queue; return at once when another driver sits there. Raises ClusterError."""
        tend(self.store)
        if not self.store.take_seat(CLUSTER, self.id, os.getpid(), STALE_SECONDS):
            log.info("the cluster has its driver already")
            return
        pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        pulse.start()
        try:
            self.cluster.check_room()
            write_machine(describe(self.cluster), self.store.folder)
            self._serve(idle_seconds)
        finally:
            self.leaving.set()
            for thread in list(self._attending.values()):
                thread.join()
            self._over.set()
            pulse.join()
            self.store.leave_seat(CLUSTER, self.id)

    def _serve(self, idle_seconds: float) -> None:
        idle_since = time.monotonic()
        while not self.leaving.is_set() and time.monotonic() - idle_since < idle_seconds:
            tend(self.store)
            if self._attending:
                idle_since = time.monotonic()
            if len(self._attending) < self.cluster.room():
                run = self.store.claim(KINDS, self.id, f"Ray: {self.cluster.kind}", settings().runs_a_person)
                if run is not None:
                    self._attend(run)
                    continue
            self.leaving.wait(POLL_SECONDS)

    def _attend(self, run: Run) -> None:
        attendant = Attendant(self.store, self.cluster, self.id, self.leaving)

        def carry_out() -> None:
            try:
                attendant.attend(run)
            finally:
                del self._attending[run.id]

        thread = threading.Thread(target=carry_out, name=f"run {run.id}")
        self._attending[run.id] = thread
        thread.start()

    def _beat(self) -> None:
        """Say every second that this driver and its runs live; leave when the seat was given to another."""
        while not self._over.wait(HEARTBEAT_SECONDS):
            try:
                mine = self.store.seat_heartbeat(CLUSTER, self.id, next(iter(self._attending), ""))
                self.store.heartbeats(self.id)
            except LabError as error:
                log.warning("no heartbeat: %s", error)
                continue
            if not mine:
                log.warning("the seat was given to another driver")
                self.leaving.set()


def describe(cluster: Cluster) -> Machine:
    """The cluster as the pages name what trains."""
    kinds = ("cuda", "cpu") if cluster.kind == "cuda" else ("cpu",)
    return Machine(kinds, (cluster.describe(),) * len(kinds), str(torch.__version__), max(1, int(cluster.cpus)))


class Attendant(Worker):
    """Sees to one run on the cluster: a worker whose events come from a node."""

    def __init__(self, store: RunStore, cluster: Cluster, worker: str, leaving: threading.Event) -> None:
        self.store = store
        self.cluster = cluster
        self.id = worker
        self.leaving = leaving
        self.gave_way = ""
        self.trained_until = math.inf

    def attend(self, run: Run) -> None:
        """Do the run and write how it ended, or, where its node was lost, give it back to go on elsewhere."""
        log.info("run %s: %s, %s", run.id, run.kind, run.name)
        if run.bounded:
            self.trained_until = time.monotonic() + 60 * settings().most_minutes
        try:
            stopped = self._range_test(run) if run.kind == "range_test" else self._train(run)
            self._insist(lambda: self._end(run, stopped))
        except NodeLostError as error:
            log.warning("run %s: %s", run.id, error)
            self._give_back(run, str(error))
        except LabError as error:
            log.info("run %s failed: %s", run.id, error)
            self._fail(run, str(error))
        except Exception as error:  # the driver goes on with the other runs; the traceback is in its log
            log.exception("run %s failed", run.id)
            self._fail(run, f"{type(error).__name__}: {error}")

    def _train(self, run: Run) -> bool:
        """As a worker's, of events that come from a node."""
        recipe, folder = recipe_from_json(run.recipe), self.store.folder / run.id
        architecture = architecture_from_json(run.architecture)
        order = Order(run.name, run.slug, architecture, recipe, folder, snapshots=run.snapshots)
        done = epochs_done(folder)
        self.store.rewind(run.id, self.id, len(done))
        for record in done:
            self.store.add_epoch(run.id, self.id, record)
        batches = iterations_per_epoch(run.dataset, recipe)
        changes = [change for change in run.rate_changes if change.iteration < len(done) * batches]
        if tuple(changes) != run.rate_changes:
            self._insist(lambda: self.store.set_rate_changes(run.id, self.id, changes))
        self._change_rate(run, changes, len(done) * batches, self.store.control(run.id).rate_factor)
        with closing(self.cluster.carry_out(order, run.dataset, run.device, changes)) as events:
            for event in events:
                if isinstance(event, Silence):
                    if self._should_stop(run):
                        return True
                    continue
                mine = self._insist(partial(write_event, self.store, run, event))
                if isinstance(event, EpochEnd) and event.record.epoch == recipe.epochs - 1:
                    break  # done: a stop that comes now comes too late
                control = self._heed(run, event)
                if not mine or control.stop:
                    return True
                if (following := _next_iteration(event, batches)) < recipe.epochs * batches:
                    self._change_rate(run, changes, following, control.rate_factor)
        return False

    def _range_test(self, run: Run) -> bool:
        """As a worker's, of points that come from a node."""
        recipe, architecture = recipe_from_json(run.recipe), architecture_from_json(run.architecture)
        settings = recipe.range_test or RangeTest()
        points: list[RangePoint] = []
        with closing(self.cluster.range_test_points(architecture, recipe, settings, run.dataset, run.device)) as coming:
            for each in coming:
                if isinstance(each, Silence):
                    if self._should_stop(run):
                        return True
                    continue
                rows = [
                    BatchRow(number, 0, point.smoothed, 0.0, point.learning_rate, 0.0)
                    for number, point in enumerate(each, start=len(points))
                ]
                points += each
                if not self._insist(partial(self.store.add_batches, run.id, self.id, rows)) or self._should_stop(run):
                    return True
        result = dumps(asdict(summarise(points, settings)))
        return not self._insist(lambda: self.store.set_result(run.id, self.id, result))
