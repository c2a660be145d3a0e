"""Executing a run: what it says goes into the store as it comes, and what is asked of it there is done.

Where its events come from is a `Source`: this process, a process of its own, or a node of a cluster.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from json import dumps
from typing import Protocol, TypeVar

from core.errors import LabError, NodeLostError, RunError
from core.training.history import RateChange
from core.training.loop import EpochEnd, Event, Points, RateFound
from core.training.memory import out_of_memory
from core.training.range_test import RangePoint, summarise
from lab.runs.adoption import discard, staging
from lab.runs.bounds import iterations_per_epoch
from lab.runs.full_disk import is_full, is_read_only, of_the_disk
from lab.runs.rows import BatchRow, Control, Pause, Run
from lab.runs.store import RunStore
from lab.runs.training_job import Idle, TrainingJob, epochs_done, factor_of
from lab.settings import settings

POLL_SECONDS = 0.1  # between two looks at an empty queue, or at a run that is held
RETRIES = 5  # of a write to a store that is locked, or on a full disk, for longer than its own patience
RETRY_SECONDS = 1.0  # between them
HELD_SECONDS = 1800.0  # that a run is held at most, for as long as a class may talk about it
HELD_BEFORE_OTHERS_SECONDS = 60.0  # and where other runs wait for the device
TOLD_SECONDS = 0.2  # between two writes of a range test's points

Said = TypeVar("Said")
Stream = Generator[Said, None, None]  # what a run says, from here or from a node; closed, the run ends there

log = logging.getLogger("lab.runs.executor")


class Source(Protocol):
    """Where a run trains."""

    def events(self, run: Run, job: TrainingJob, changes: Sequence[RateChange]) -> Stream[Event | Idle]:
        """The events of a training run. Raises LabError, NodeLostError among them: then it can go on elsewhere."""

    def points(self, run: Run) -> Stream[RangePoint | Idle]:
        """The points of a range test. Raises as `events`."""


class Executor:
    """Executes one run at a time, of those that its `id` has claimed from the store, until `leaving` is set."""

    def __init__(
        self, store: RunStore, worker: str, leaving: threading.Event, source: Source, started: float | None = None
    ) -> None:
        """`started`: when the job began of which the runs are seeds, on the monotonic clock: its minutes are theirs."""
        self.store = store
        self.id = worker
        self.leaving = leaving
        self.source = source
        self.started = started
        self.gave_way = ""  # why the run was given up, where it was held, or trained, for too long
        self.trained_until = math.inf  # on the monotonic clock, when the run's minutes are over

    def execute(self, run: Run) -> None:
        """Do the run and write how it ended; whatever goes wrong ends the run, not this process. Raises nothing."""
        log.info("run %s: %s, %s", run.id, run.kind, run.name)
        self.gave_way = ""
        began = time.monotonic() if self.started is None else self.started
        self.trained_until = began + 60 * settings().most_minutes if run.bounded else math.inf
        try:
            stopped = self._range_test(run) if run.kind == "range_test" else self._train(run)
            self._retry(lambda: self._end(run, stopped))
        except NodeLostError as error:
            log.warning("run %s: %s", run.id, error)
            why = str(error)
            self._part(run, lambda: self.store.put_back(run.id, run.claim, why, lost=True))
        except Exception as error:  # the process goes on with the next run; a traceback is in its log
            if of_the_disk(error):  # which costs the run nothing: it goes on later
                log.warning("run %s: %s", run.id, error)
                self._part(run, lambda: self.store.put_back(run.id, run.claim))
                self.leaving.wait(RETRY_SECONDS)
            elif words := str(error) if isinstance(error, LabError) else out_of_memory(error, run.recipe.batch_size):
                log.info("run %s failed: %s", run.id, words)
                self._fail(run, words)
            else:
                log.exception("run %s failed", run.id)
                self._fail(run, f"{type(error).__name__}: {error}")
        finally:
            discard(staging(self.store.folder / run.id, run.claim))

    def _end(self, run: Run, stopped: bool) -> bool:
        """Write how the run ended; one that ends because this worker has to leave waits for the next worker."""
        if not stopped:
            return self.store.finish(run.id, run.claim, "finished")
        if self.gave_way or self.store.stop_requested(run.id):
            return self.store.finish(run.id, run.claim, "stopped", self.gave_way)
        return self.store.put_back(run.id, run.claim)

    def _fail(self, run: Run, error: str) -> None:
        self._part(run, lambda: self.store.finish(run.id, run.claim, "failed", error=error))

    def _part(self, run: Run, write: Callable[[], bool]) -> None:
        """Write how the run ended; where even that fails, it is found later as one without a worker."""
        try:
            self._retry(write)
        except LabError as error:
            log.error("how run %s ended could not be written: %s", run.id, error)

    def _train(self, run: Run) -> bool:
        """Train, writing figures as they come; returns whether it was stopped."""
        recipe, folder = run.recipe, self.store.folder / run.id
        job = TrainingJob(
            run.name, run.slug, run.architecture, recipe, folder, snapshots=run.snapshots, claim=run.claim
        )
        done = epochs_done(folder)
        if not self.store.rewind(run.id, run.claim, len(done)):
            return True
        for record in done:  # one may have been saved by a worker that was killed before it wrote it to the store
            self.store.add_epoch(run.id, run.claim, record)
        batches = iterations_per_epoch(run.dataset, recipe)
        changes = [change for change in run.rate_changes if change.iteration < len(done) * batches]
        if tuple(changes) != run.rate_changes:  # those of the iterations that are done again never came into force
            self._retry(lambda: self.store.set_rate_changes(run.id, run.claim, changes))
        self._change_rate(run, changes, len(done) * batches, self.store.control(run.id).rate_factor)
        with closing(self.source.events(run, job, changes)) as events:
            for event in events:
                if isinstance(event, Idle):
                    if self._should_stop(run):
                        return True
                    continue
                mine = self._retry(partial(write_event, self.store, run, event))
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
        self._retry(lambda: self.store.hold(run.id, run.claim, asked))
        while (control := self.store.control(run.id)).pause == "now" and not control.stop:
            self.leaving.wait(POLL_SECONDS)
            others, held = self.store.others_wait(run.id), time.monotonic() - since
            if held > (HELD_BEFORE_OTHERS_SECONDS if others else HELD_SECONDS):
                self.gave_way = f"Held for {held:.0f} s{' while others waited' if others else ''}; it can go on later"
            if self.gave_way or self.leaving.is_set():
                return control
        self._retry(lambda: self.store.release(run.id, run.claim))
        self.trained_until += time.monotonic() - since
        return control

    def _change_rate(self, run: Run, changes: list[RateChange], iteration: int, factor: float) -> None:
        """Let the rates from this iteration on be multiplied by the factor, and note where that began."""
        if factor == factor_of(changes):
            return
        changes.append(RateChange(iteration, factor))
        self._retry(lambda: self.store.set_rate_changes(run.id, run.claim, changes))

    def _range_test(self, run: Run) -> bool:
        """The range test, a batch row for each point, and its result; returns whether it was stopped."""
        settings = run.range_test
        points: list[RangePoint] = []
        rows: list[BatchRow] = []
        told = 0.0
        with closing(self.source.points(run)) as coming:
            for point in coming:
                if isinstance(point, Idle):
                    if self._should_stop(run):
                        return True
                    continue
                rows.append(BatchRow(len(points), 0, point.smoothed, 0.0, point.learning_rate, 0.0))
                points.append(point)
                if time.monotonic() - told > TOLD_SECONDS:
                    mine = self._retry(partial(self.store.add_batches, run.id, run.claim, rows))
                    if not mine or self._should_stop(run):
                        return True
                    rows, told = [], time.monotonic()
        result = dumps(asdict(summarise(points, settings)))
        self._retry(lambda: self.store.add_batches(run.id, run.claim, rows))
        return not self._retry(lambda: self.store.set_result(run.id, run.claim, result))

    def _retry(self, write: Callable[[], bool]) -> bool:
        return retry(write, self.leaving.wait, lambda: not self.leaving.is_set())

    def _should_stop(self, run: Run) -> bool:
        return self.leaving.is_set() or self.store.stop_requested(run.id)


def _next_iteration(event: Event, batches: int) -> int:
    """The iteration that comes after an event; `batches` is their number in an epoch."""
    match event:
        case RateFound():
            return 0
        case Points():
            return event.iteration + len(event.losses)
        case EpochEnd():
            return (event.record.epoch + 1) * batches


def retry(
    write: Callable[[], bool],
    pause: Callable[[float], object] = time.sleep,
    may_wait: Callable[[], bool] = lambda: False,
) -> bool:
    """Do a write to the store, again where the store cannot be written just now. Raises RunError in the end.

    While the disk is full or read-only that is after as long as the caller may wait.
    """
    tries, said = 0, ""
    while True:
        try:
            return write()
        except RunError as error:
            tries += not ((is_full(error) or is_read_only(error)) and may_wait())
            if tries > RETRIES:
                raise
            if str(error) != said:
                said = str(error)
                log.warning("once more: %s", error)
            pause(RETRY_SECONDS)


def write_event(store: RunStore, run: Run, event: Event) -> bool:
    """An event's figures to the store; False when the run is no longer that of its worker."""
    match event:
        case RateFound():
            result = {"chosen": event.learning_rate, "from": event.reason, **asdict(event.result)}
            return store.set_result(run.id, run.claim, dumps(result))
        case Points():
            return store.add_batches(run.id, run.claim, batch_rows(event))
        case EpochEnd():
            return store.add_epoch(run.id, run.claim, event.record)


def batch_rows(points: Points) -> list[BatchRow]:
    """The event's iterations as rows of the store."""
    figures = zip(points.losses, points.accuracies, points.learning_rates, strict=True)
    return [
        BatchRow(points.iteration + n, points.epoch, loss, accuracy, rate, points.images_per_second)
        for n, (loss, accuracy, rate) in enumerate(figures)
    ]
