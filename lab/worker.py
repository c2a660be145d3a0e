"""The worker: claims queued runs for one device and trains them, one after the other, until it has long been idle.

It is a process of its own, so that it stays warm between runs, outlives the app, is not slowed by it, and can be killed
without hurting it. `lab.jobs` starts it with `python -m lab.worker` when there is something to do.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import lru_cache, partial
from json import dumps
from types import FrameType
from typing import TypeVar

import torch

from core.checkpoint import device_name
from core.errors import LabError, RunError
from core.history import EpochRecord, RateChange
from core.mnist import best_present, load
from core.network import build
from core.range_test import RangePoint, range_test_points, summarise
from core.recipe import RangeTest, Recipe, recipe_from_json
from core.resident import Resident, available_devices, choose_device, resident
from core.spec import Architecture, architecture_from_json
from core.training import EpochEnd, Event, Points, RateFound
from lab.bounds import iterations_per_epoch
from lab.jobs import STALE_SECONDS, tend
from lab.machine import Machine, write_machine
from lab.runs import BatchRow, Control, Pause, Run, RunStore, lab_home
from lab.settings import settings
from lab.training_run import Order, Silence, carry_out, epochs_done, factor_of

HEARTBEAT_SECONDS = 1.0
POLL_SECONDS = 0.1  # between two looks at an empty queue
RETRIES = 5  # of a write to a store that is locked, or on a full disk, for longer than its own patience
RETRY_SECONDS = 1.0  # between them
IDLE_SECONDS = 900.0  # of an empty queue, after which the worker ends itself
HELD_SECONDS = 1800.0  # that a run is held at most, for as long as a class may talk about it
HELD_BEFORE_OTHERS_SECONDS = 60.0  # and where other runs wait for the device

Said = TypeVar("Said")
Stream = Generator[Said, None, None]  # what a run says, from here or from a node; closed, the run ends there

log = logging.getLogger("lab.worker")


class Worker:
    """One process on one of a device's seats: guards the seat and the run it is busy with."""

    def __init__(self, store: RunStore, device: str, slot: int = 0) -> None:
        self.store = store
        self.slot = slot
        self.id = secrets.token_hex(8)
        self.device = choose_device(device)
        self.kinds = {self.device.type} | ({"auto"} if choose_device("auto") == self.device else set())
        self.busy_with = ""
        self.gave_way = ""  # why the run was given up, where it was held, or trained, for too long
        self.trained_until = math.inf  # on the monotonic clock, when the run's minutes are over
        self.leaving = threading.Event()

    def work(self, idle_seconds: float) -> None:
        """Take the seat, warm up and serve the device's queue; return at once when another worker sits there."""
        tend(self.store)  # the seat of one that has just died is free at once
        if not self.store.take_seat(self.device.type, self.id, os.getpid(), STALE_SECONDS, slot=self.slot):
            log.info("seat %s of %s has its worker already", self.slot, self.device.type)
            return
        pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        pulse.start()
        try:
            warm_up(self.device)
            self._serve(idle_seconds)
        finally:
            self.leaving.set()
            pulse.join()
            self.store.leave_seat(self.device.type, self.id, self.slot)

    def _serve(self, idle_seconds: float) -> None:
        idle_since = time.monotonic()
        while not self.leaving.is_set() and time.monotonic() - idle_since < idle_seconds:
            tend(self.store)
            run = self.store.claim(self.kinds, self.id, device_name(self.device), settings().runs_a_person)
            if run is None:
                self.leaving.wait(POLL_SECONDS)
                continue
            self.busy_with = run.id
            self._carry_out(run)
            self.busy_with = ""
            idle_since = time.monotonic()

    def _beat(self) -> None:
        """Say every second that this worker lives; leave when the seat was given to another."""
        while not self.leaving.wait(HEARTBEAT_SECONDS):
            try:
                run_id = self.busy_with
                mine = self.store.seat_heartbeat(self.device.type, self.id, run_id, self.slot)
                if run_id:
                    self.store.heartbeat(run_id, self.id)
            except LabError as error:
                log.warning("no heartbeat: %s", error)
                continue
            if not mine:
                log.warning("the seat on %s was given to another worker", self.device.type)
                self.leaving.set()

    def _carry_out(self, run: Run) -> None:
        """Do the run and write how it ended; whatever goes wrong ends the run, not the worker."""
        log.info("run %s: %s, %s", run.id, run.kind, run.name)
        self.gave_way = ""
        self.trained_until = time.monotonic() + 60 * settings().most_minutes if run.bounded else math.inf
        try:
            stopped = self._range_test(run) if run.kind == "range_test" else self._train(run)
            self._insist(lambda: self._end(run, stopped))
        except LabError as error:
            log.info("run %s failed: %s", run.id, error)
            self._fail(run, str(error))
        except Exception as error:  # the worker goes on with the next run; the traceback is in its log
            log.exception("run %s failed", run.id)
            if self.device.type == "cpu":
                self._fail(run, f"{type(error).__name__}: {error}")
                return
            # An error of CUDA's makes all later calls of its process fail; a fresh one may well do better.
            self._give_back(run, f"{type(error).__name__}: {error}")
            self.leaving.set()

    def _end(self, run: Run, stopped: bool) -> bool:
        """Write how the run ended; one that ends because this worker is told to go waits for the next worker."""
        if not stopped:
            return self.store.finish(run.id, self.id, "finished")
        if self.gave_way or self.store.stop_requested(run.id):
            return self.store.finish(run.id, self.id, "stopped", self.gave_way)
        return self.store.put_back(run.id, self.id)

    def _give_back(self, run: Run, error: str) -> None:
        try:
            self._insist(lambda: self.store.put_back(run.id, self.id, error, lost=True))
        except LabError as second:
            log.error("run %s could not be given back: %s", run.id, second)

    def _fail(self, run: Run, error: str) -> None:
        try:
            self._insist(lambda: self.store.finish(run.id, self.id, "failed", error=error))
        except LabError as second:
            log.error("run %s could not be marked failed: %s", run.id, second)

    def _train(self, run: Run) -> bool:
        """Train, writing figures as they come; returns whether it was stopped."""
        recipe = recipe_from_json(run.recipe)
        folder = self.store.folder / run.id
        architecture = architecture_from_json(run.architecture)
        order = Order(run.name, run.slug, architecture, recipe, folder, snapshots=run.snapshots)
        done = epochs_done(folder)
        self.store.rewind(run.id, self.id, len(done))
        for record in done:  # one may have been saved by a worker that was killed before it wrote it to the store
            self.store.add_epoch(run.id, self.id, record)
        batches = iterations_per_epoch(run.dataset, recipe)
        changes = [change for change in run.rate_changes if change.iteration < len(done) * batches]
        if tuple(changes) != run.rate_changes:  # those of the iterations that are done again never came into force
            self._insist(lambda: self.store.set_rate_changes(run.id, self.id, changes))
        self._change_rate(run, changes, len(done) * batches, self.store.control(run.id).rate_factor)
        with closing(self._events(run, order, changes)) as events:
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

    def _heed(self, run: Run, event: Event) -> Control:
        """What is asked of the run, once it has been held for as long as that is asked for."""
        control = self.store.control(run.id)
        if time.monotonic() > self.trained_until:
            self.gave_way = f"Its {settings().most_minutes} minutes on this server are over; it can go on later"
        if control.pause == "now" or (control.pause == "epoch" and isinstance(event, EpochEnd)):
            control = self._hold(run, control.pause)
        return replace(control, stop=control.stop or bool(self.gave_way) or self.leaving.is_set())

    def _hold(self, run: Run, asked: Pause) -> Control:
        """Wait until the run is to go on or to end; give it up where that takes too long."""
        since = time.monotonic()
        self._insist(lambda: self.store.hold(run.id, self.id, asked))
        while (control := self.store.control(run.id)).pause == "now" and not control.stop:
            self.leaving.wait(POLL_SECONDS)
            others, held = self.store.others_wait(run.id), time.monotonic() - since
            if held > (HELD_BEFORE_OTHERS_SECONDS if others else HELD_SECONDS):
                self.gave_way = f"Held for {held:.0f} s{' while others waited' if others else ''}; it can go on later"
            if self.gave_way or self.leaving.is_set():
                return control
        self._insist(lambda: self.store.release(run.id, self.id))
        self.trained_until += time.monotonic() - since
        return control

    def _change_rate(self, run: Run, changes: list[RateChange], iteration: int, factor: float) -> None:
        """Let the rates from this iteration on be multiplied by the factor, and note where that began."""
        if factor == factor_of(changes):
            return
        changes.append(RateChange(iteration, factor))
        self._insist(lambda: self.store.set_rate_changes(run.id, self.id, changes))

    def _range_test(self, run: Run) -> bool:
        """The range test, a batch row for each point, and its result; returns whether it was stopped."""
        recipe, architecture = recipe_from_json(run.recipe), architecture_from_json(run.architecture)
        settings = recipe.range_test or RangeTest()
        points: list[RangePoint] = []
        rows: list[BatchRow] = []
        told = 0.0
        with closing(self._points(run, architecture, recipe, settings)) as coming:
            for point in coming:
                if isinstance(point, Silence):
                    if self._should_stop(run):
                        return True
                    continue
                rows.append(BatchRow(len(points), 0, point.smoothed, 0.0, point.learning_rate, 0.0))
                points.append(point)
                if time.monotonic() - told > 0.2:
                    mine = self._insist(partial(self.store.add_batches, run.id, self.id, rows))
                    if not mine or self._should_stop(run):
                        return True
                    rows, told = [], time.monotonic()
        result = dumps(asdict(summarise(points, settings)))
        self._insist(lambda: self.store.add_batches(run.id, self.id, rows))
        return not self._insist(lambda: self.store.set_result(run.id, self.id, result))

    def _events(self, run: Run, order: Order, changes: Sequence[RateChange]) -> Stream[Event | Silence]:
        """Where the run's events come from; a driver of a cluster has them from elsewhere."""
        yield from carry_out(order, self._load(run.dataset, order.recipe), changes)

    def _points(
        self, run: Run, architecture: Architecture, recipe: Recipe, settings: RangeTest
    ) -> Stream[RangePoint | Silence]:
        """Where a range test's points come from."""
        network = build(architecture, recipe.seed).to(self.device)
        yield from range_test_points(network, self._load(run.dataset, recipe), recipe, settings)

    def _insist(self, write: Callable[[], bool]) -> bool:
        return insist(write, self.leaving.wait)

    def _should_stop(self, run: Run) -> bool:
        return self.leaving.is_set() or self.store.stop_requested(run.id)

    def _load(self, name: str, recipe: Recipe) -> Resident:
        return data_for(name, recipe, self.device)


def _next_iteration(event: Event, batches: int) -> int:
    """The iteration that comes after an event; `batches` is their number in an epoch."""
    match event:
        case RateFound():
            return 0
        case Points():
            return event.iteration + len(event.losses)
        case EpochEnd():
            return (event.record.epoch + 1) * batches


def insist(write: Callable[[], bool], pause: Callable[[float], object] = time.sleep) -> bool:
    """Do a write to the store, again where the store cannot be written just now. Raises RunError in the end."""
    for _ in range(RETRIES):
        try:
            return write()
        except RunError as error:
            log.warning("once more: %s", error)
            pause(RETRY_SECONDS)
    return write()


def write_event(store: RunStore, run: Run, event: Event | EpochRecord) -> bool:
    """An event's figures to the store; False when the run is no longer that of its worker."""
    match event:
        case RateFound():
            result = {"chosen": event.learning_rate, "from": event.reason, **asdict(event.result)}
            return store.set_result(run.id, run.worker, dumps(result))
        case Points():
            return store.add_batches(run.id, run.worker, batch_rows(event))
        case EpochEnd():
            return store.add_epoch(run.id, run.worker, event.record)
        case EpochRecord():
            return store.add_epoch(run.id, run.worker, event)


@lru_cache(maxsize=1)
def load_resident(name: str, split: Recipe, device: torch.device) -> Resident:
    """The data on the device, kept from run to run; `split`: a recipe of which only the data's part is not default."""
    return resident(load(name), split, device)


def data_for(name: str, recipe: Recipe, device: torch.device) -> Resident:
    """The data that the recipe asks for, on the device."""
    return load_resident(
        name, Recipe(validation_size=recipe.validation_size, normalisation=recipe.normalisation), device
    )


def batch_rows(points: Points) -> list[BatchRow]:
    """The event's iterations as rows of the store."""
    figures = zip(points.losses, points.accuracies, points.learning_rates, strict=True)
    return [
        BatchRow(points.iteration + n, points.epoch, loss, accuracy, rate, points.images_per_second)
        for n, (loss, accuracy, rate) in enumerate(figures)
    ]


def describe_machine() -> Machine:
    """The devices here, the fastest first."""
    devices = [choose_device(kind) for kind in available_devices()]
    names = tuple(device_name(device) for device in devices)
    return Machine(tuple(d.type for d in devices), names, str(torch.__version__), torch.get_num_threads())


def warm_up(device: torch.device) -> None:
    """Load the data and run a step, so that the first run's first point comes at once."""
    try:
        load_resident(best_present(), Recipe(), device)
    except LabError as error:
        log.warning("not warmed up: %s", error)  # the run that needs the data will say it to its owner
    layer = torch.nn.Conv2d(1, 8, 3).to(device)
    layer(torch.zeros(8, 1, 28, 28, device=device)).sum().backward()


def main() -> None:
    """The process: `python -m lab.worker [--device auto] [--idle SECONDS]`."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.worker", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument("--slot", type=int, default=0, help="which of the device's seats")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without a run before it ends")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = RunStore(lab_home())
    write_machine(describe_machine(), store.folder)
    worker = Worker(store, arguments.device, arguments.slot)
    if worker.device.type == "cpu" and settings().side_by_side > 1:  # they share the cores
        torch.set_num_threads(max(1, torch.get_num_threads() // settings().side_by_side))

    def leave(signum: int, frame: FrameType | None) -> None:
        worker.leaving.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    worker.work(arguments.idle)


if __name__ == "__main__":
    main()
