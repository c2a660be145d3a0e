"""When a waiting run's turn comes, in words; and how long a run takes, as one says it rather than as a clock does."""

from __future__ import annotations

from lab.runs.expectation import Expected
from lab.runs.rows import MAX_LOST, Run

STEPS = ((60, 10), (600, 60), (3600, 300), (36_000, 900))  # below so many seconds, to so many: an estimate is no clock
MOMENT = "a moment"


def about(seconds: float) -> str:
    """A duration that is an estimate: `a moment`, `40 s`, `4 min`, `1 h 15 min`, `12 h`."""
    grain = next((grain for below, grain in STEPS if seconds < below), 3600)
    whole = round(seconds / grain) * grain
    if whole < 10:
        return MOMENT
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def turn_in_words(found: Expected | None, own_before: int = 0) -> str:
    """When a waiting run is expected to start. `own_before`: runs of the same person that go before it."""
    if found is None:  # submitted within this second
        return "looking for its turn"
    place = place_in_words(found.turn.position)
    if found.paused:
        return f"{place}; the teacher holds the queue"
    if found.in_the_way:
        return f"{place}. {found.in_the_way}"
    if not found.measured:
        return f"{place}; how long runs take here is known once the first has finished"
    if (wait := about(found.turn.seconds)) == MOMENT:
        return f"{place}, starts in {MOMENT}"
    why = f", after your other run{'s' if own_before > 1 else ''}" if own_before else ""
    return f"{place}, starts in about {wait}{why}"


def place_in_words(position: int) -> str:
    """How many runs start before one: `next in line`, `1 run before it`."""
    if position == 0:
        return "next in line"
    return f"{position} run{'' if position == 1 else 's'} before it"


def lost_in_words(run: Run, epochs: int) -> str:
    """What is said of a waiting run whose worker has died; "" of any other. `epochs`: those that are done."""
    if run.status != "queued" or not run.lost:
        return ""
    kept = f", its {epochs} epoch{'' if epochs == 1 else 's'} not" if epochs else ""
    on = f"it goes on from epoch {epochs + 1}" if epochs else "it begins anew"
    last = " Should that happen once more, it ends as failed." if run.lost == MAX_LOST - 1 else ""
    return f"Its worker was lost{kept}: {on} in a moment.{last}"
