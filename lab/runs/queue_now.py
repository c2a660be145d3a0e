"""The queue as everybody sees it: which runs are training and how far, which wait and until when. No Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from core.errors import LabError
from lab.runs import supervisor
from lab.runs.expectation import LATEST, Expected, iterations_of, jobs_of, on, seconds_left
from lab.runs.machine import read_machine
from lab.runs.rows import Run, Speed
from lab.runs.store import RunStore
from lab.settings import settings

LATELY = 5  # runs that have finished last, for a queue in which there is nothing else


@dataclass(frozen=True)
class UnderWay:
    """A job that is being trained: a run, or the unfinished seeds of a group."""

    runs: tuple[Run, ...]
    done: int  # iterations
    total: int
    seconds: float | None  # until it is expected to end; None while that is not known

    @property
    def run(self) -> Run:
        """The one that stands for all."""
        return self.runs[0]

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return min(1.0, self.done / max(1, self.total))


@dataclass(frozen=True)
class InLine:
    """A job that waits."""

    runs: tuple[Run, ...]
    place: int  # from 1, in the order of their starts
    expected: Expected
    takes: float | None  # seconds; None while no run has been measured
    own_before: int  # jobs of the same person that are running or start before it

    @property
    def run(self) -> Run:
        """The one that stands for all."""
        return self.runs[0]

    @property
    def starts(self) -> float | None:
        """Seconds from now; None where that is not known, or nothing starts."""
        return self.expected.turn.seconds if self.expected.measured and not self.expected.paused else None

    @property
    def ends(self) -> float | None:
        """Seconds from now."""
        return None if self.starts is None or self.takes is None else self.starts + self.takes


@dataclass(frozen=True)
class QueueNow:
    """All of it, at one moment."""

    under_way: tuple[UnderWay, ...]
    waiting: tuple[InLine, ...]
    slots: int  # runs at a time on the lab's first device
    device: str  # its name, "" while it is not known
    paused: bool  # the teacher holds the queue
    lifted: bool  # the teacher has lifted the bounds

    @property
    def unfinished(self) -> int:
        return len(self.under_way) + len(self.waiting)

    @property
    def last_start(self) -> float | None:
        """Seconds until the last of those who wait starts; None where that is not known."""
        starts = [each.starts for each in self.waiting if each.starts is not None]
        return max(starts) if starts and len(starts) == len(self.waiting) else None


def queue_now(store: RunStore, found: Mapping[str, Expected]) -> QueueNow:
    """The queue as it stands. `found`: what is expected of those who wait, see `lab.runs.expectation.expected`."""
    queue = store.queue()
    lifted = store.class_setting("bounds_lifted")
    speeds = store.speeds(LATEST) if queue.waiting or queue.running else []
    done = store.iterations_done([run.id for run in (*queue.waiting, *queue.running)])
    jobs = jobs_of((*queue.running, *queue.waiting))
    there = {job: on(supervisor.device_of(store, runs[0].device), speeds) for job, runs in jobs.items()}
    under_way = tuple(_under_way(store, runs, done, there[job]) for job, runs in jobs.items() if job in queue.jobs)
    before = Counter(each.run.owner_key for each in under_way if each.run.owner_key)
    waiting: list[InLine] = []
    # One that came between the two looks, and has no turn yet, is there at the next.
    in_line = [runs for job, runs in jobs.items() if job not in queue.jobs and runs[0].id in found]
    for runs in sorted(in_line, key=lambda runs: (found[runs[0].id].turn.seconds, found[runs[0].id].turn.position)):
        first = runs[0]
        near = there[first.job]
        takes = sum(seconds_left(run, done.get(run.id, 0), near) for run in runs) if near else None
        waiting.append(InLine(tuple(runs), len(waiting) + 1, found[first.id], takes, before[first.owner_key]))
        if first.owner_key:
            before[first.owner_key] += 1
    return QueueNow(under_way, tuple(waiting), supervisor.slots_of(store), _device(store), queue.paused, lifted)


def _under_way(store: RunStore, runs: Sequence[Run], done: Mapping[str, int], speeds: Sequence[Speed]) -> UnderWay:
    """By the speed of runs before it; where there is none, by the first run's own latest iteration."""
    total, so_far = sum(map(iterations_of, runs)), sum(done.get(run.id, 0) for run in runs)
    seconds = sum(seconds_left(run, done.get(run.id, 0), speeds) for run in runs) if speeds else None
    first = runs[0]
    after = done.get(first.id, 0) - 2
    if seconds is None and (latest := store.batches(first.id, after_iteration=after, at_most=1)):
        with suppress(LabError):  # where its recipe cannot be read
            seconds = (total - so_far) * first.recipe.batch_size / max(1.0, latest[-1].images_per_second)
    paused = any(run.paused_since is not None for run in runs)
    return UnderWay(tuple(runs), so_far, total, None if paused else seconds)


def _device(store: RunStore) -> str:
    if settings().ray_address:
        return "the cluster"
    machine = read_machine(store.folder)
    return machine.names[0] if machine else ""
