"""What the teacher decides for the class: which run is first, what is stopped, whether the queue moves, and its limits.

The pages call these; each checks for itself that the person is the teacher, whatever a page has shown.
"""

from __future__ import annotations

from contextlib import suppress

from core.challenge import Challenge, checked
from core.errors import ChangedError, RunError
from core.words import plural
from lab.runs.challenge import PLACE, challenge_now, keep_challenge
from lab.runs.person import Person, check_teacher
from lab.runs.rows import Run
from lab.runs.store import RunStore


def put_first(store: RunStore, job: str, by: Person) -> list[Run]:
    """Let a waiting run or group start before all others. Raises ClassError, and RunError for what does not wait."""
    check_teacher(by, "put a run first")
    return [store.put_first(run.id) for run in reversed(_waiting(store, job))]  # the last one comes to be the first


def put_last(store: RunStore, job: str, by: Person) -> list[Run]:
    """Let it be the last of its owner's, and of those served as long ago. Raises as `put_first` does."""
    check_teacher(by, "put a run last")
    return [store.put_last(run.id) for run in _waiting(store, job)]


def _waiting(store: RunStore, job: str) -> list[Run]:
    members = store.job(job)
    if waiting := [run for run in members if run.status == "queued"]:
        return waiting
    raise RunError(f"run {members[0].id} waits no more: it is {members[0].status}")


def stop_all(store: RunStore, by: Person) -> int:
    """Stop all runs that wait or train; returns how many. Raises ClassError."""
    check_teacher(by, "stop all runs")
    queue = store.queue()
    runs = (*queue.waiting, *queue.running)
    for run in runs:
        with suppress(RunError):  # one that was deleted meanwhile
            store.request_stop(run.id)
    return len(runs)


def hold_queue(store: RunStore, on: bool, by: Person) -> None:
    """Let no run start, or let them start again; runs that are training continue. Raises ClassError."""
    check_teacher(by, "hold the queue")
    store.set_class("queue_paused", on)


def lift_bounds(store: RunStore, on: bool, by: Person) -> None:
    """Let runs that are submitted from now on be of any size, or limit them again. Raises ClassError."""
    check_teacher(by, "lift the limits")
    store.set_class("bounds_lifted", on)


def set_challenge(store: RunStore, chosen: Challenge | None, by: Person, seen: Challenge | None = None) -> None:
    """Hold the class's runs against another challenge; None: the lab's own. `seen`: the one it is to replace, if known.

    Raises ClassError, SettingsError, and ChangedError where another one has been set meanwhile.
    """
    check_teacher(by, "set the challenge")
    wanted = checked(chosen, PLACE) if chosen else None
    if seen and (now := challenge_now(store)) not in (seen, wanted):
        raise ChangedError(
            f"the challenge was changed meanwhile, in another tab or by another teacher: {in_words(now)}. Yours is "
            "still in the form: set it again to replace that one"
        )
    keep_challenge(store, wanted)


def in_words(challenge: Challenge) -> str:
    """The challenge in one line."""
    most = f"at most {plural(challenge.epochs, 'epoch')} and {challenge.parameters:,} parameters"
    return f"{challenge.target} on {challenge.dataset} in {challenge.each_of()}, {most}"
