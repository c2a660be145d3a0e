"""What the teacher decides for the class: whose run is first, what is stopped, whether the queue moves, and its bounds.

The pages come here, and each act is refused again for whoever is not the teacher, whatever a page has shown them.
"""

from __future__ import annotations

from contextlib import suppress

from core.errors import ClassError, RunError
from lab.runs.person import Person
from lab.runs.rows import Run
from lab.runs.store import RunStore


def put_first(store: RunStore, run_id: str, by: Person) -> Run:
    """Let a waiting run start before all others. Raises ClassError, and RunError for one that does not wait."""
    _check_teacher(by, "put a run first")
    return _still_waits(store.put_first(run_id))


def put_last(store: RunStore, run_id: str, by: Person) -> Run:
    """Let a waiting run be the last of its owner's, and of those served as long ago. Raises as `put_first` does."""
    _check_teacher(by, "put a run last")
    return _still_waits(store.put_last(run_id))


def stop_all(store: RunStore, by: Person) -> int:
    """Stop all that wait and all that are under way; returns how many. Raises ClassError."""
    _check_teacher(by, "stop all runs")
    queue = store.queue()
    runs = (*queue.waiting, *queue.running)
    for run in runs:
        with suppress(RunError):  # one that was deleted meanwhile
            store.request_stop(run.id)
    return len(runs)


def hold_queue(store: RunStore, on: bool, by: Person) -> None:
    """Let no run start, or let them start again; what is under way goes on. Raises ClassError."""
    _check_teacher(by, "hold the queue")
    store.set_class("queue_paused", on)


def lift_bounds(store: RunStore, on: bool, by: Person) -> None:
    """Let runs that are submitted from now on be of any size, or bound them again. Raises ClassError."""
    _check_teacher(by, "lift the bounds")
    store.set_class("bounds_lifted", on)


def _check_teacher(by: Person, what: str) -> None:
    if not by.teacher:
        raise ClassError(f"only the teacher can {what}; unlock it on the Queue page")


def _still_waits(run: Run) -> Run:
    if run.status != "queued":
        raise RunError(f"run {run.id} waits no more: it is {run.status}")
    return run
