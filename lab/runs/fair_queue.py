"""Whose run is next, and when: one job a person at a time, then round robin over those who wait. Pure functions.

The claim, the positions on the pages and the simulated course all come here, so they cannot disagree.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

NOBODY = ""  # the person of a run that came from no browser; they wait for each other's turn, but not for their end


@dataclass(frozen=True)
class Waiting:
    """A run in the queue."""

    id: str
    person: str  # whose it is, such as Run.owner_key
    place: int  # in the order of submission, unless a teacher has moved it
    urgent: bool = False  # a teacher has put it first: it waits for nobody's turn
    seconds: float = 0.0  # that it is expected to take
    job: str = ""  # the group of seeds that it belongs to, or else its own id


@dataclass(frozen=True)
class UnderWay:
    """A run that keeps a slot busy."""

    person: str
    seconds: float  # until it is expected to end


@dataclass(frozen=True)
class Turn:
    """When a waiting run is expected to start."""

    id: str
    position: int  # how many start before it
    seconds: float  # from now


def next_of(
    waiting: Iterable[Waiting],
    busy: Mapping[str, int],
    served: Mapping[str, float],
    a_person: int,
    jobs: Collection[str] = (),
) -> Waiting | None:
    """The run to start now; None where all who wait have as many running as a person may.

    `busy`: running jobs, by person: a run, or a group of seeds. `served`: when each person's last run was started;
    who is not in it comes first. `jobs`: those that run; a further seed of one of them is not one more job.
    """
    queue = list(waiting)
    if urgent := [run for run in queue if run.urgent]:
        return min(urgent, key=lambda run: run.place)
    free = [run for run in queue if run.person == NOBODY or run.job in jobs or busy.get(run.person, 0) < a_person]
    return min(free, key=lambda run: (served.get(run.person, float("-inf")), run.place), default=None)


def turns(
    waiting: Sequence[Waiting],
    under_way: Sequence[UnderWay],
    served: Mapping[str, float],
    a_person: int,
    slots: int,
    now: float = 0.0,
) -> list[Turn]:
    """In which order the waiting runs start, and when, if each takes as long as expected and nobody else comes.

    `now`: on the clock of `served`.
    """
    left, last = list(waiting), dict(served)
    busy: dict[str, int] = {}
    ends: list[tuple[float, str]] = []  # a heap: when a slot becomes free, and whose run had it
    for each in under_way:
        busy[each.person] = busy.get(each.person, 0) + 1
        heapq.heappush(ends, (max(0.0, each.seconds), each.person))
    order: list[Turn] = []
    clock = 0.0
    while left:
        run = next_of(left, busy, last, a_person) if len(ends) < max(1, slots) else None
        if run is None:  # wait for the next one to end; somebody is busy, else there would have been one
            clock, person = heapq.heappop(ends)
            busy[person] -= 1
            continue
        left.remove(run)
        order.append(Turn(run.id, len(order), clock))
        busy[run.person] = busy.get(run.person, 0) + 1
        last[run.person] = now + clock + 1e-6 * len(order)  # of two started at one moment, the earlier one first
        heapq.heappush(ends, (clock + max(0.0, run.seconds), run.person))
    return order
