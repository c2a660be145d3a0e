"""Advice on a design: what to fix and what to consider, in plain words, with a change that helps if there is one.

`faults` finds the faults. A remedy is tried before it is offered. After it, a network that can be trained still can,
is not further over the budget, has less of the fault, and no new fault except those that the fault allows. A network
that does not fit must fit further than before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from core.advice.faults import faults
from core.advice.faults.fault import LEVELS, Fault, Level, Topic, begin
from core.advice.remedies.fit import ways_to_fit, ways_to_ten
from core.advice.remedies.ops import Remedy
from core.architecture.fit import Fit, fit
from core.architecture.sizes import shape_words
from core.architecture.spec import Architecture, Op, Shape
from core.architecture.trace import CLASSES, Trace, classifier
from core.challenge import CHALLENGE, Challenge
from core.errors import SpecError

MAX_REMEDIES = 40  # tried for one fault, at most: each is traced and searched for faults


@dataclass(frozen=True)
class Advice:
    """One thing to fix or to consider."""

    topic: Topic
    level: Level
    ops: tuple[int, ...]  # the ops that it is about; empty: the whole network
    words: str
    remedy: Architecture | None = None
    remedy_label: str = ""  # the label of the button that applies the remedy


@dataclass(frozen=True)
class Recommended:
    """The remedy to take first, of several."""

    advice: Advice
    left: int  # things to fix or to consider after it
    fits: bool  # whether the network fits after it


@lru_cache(maxsize=128)
def advice(architecture: Architecture, challenge: Challenge = CHALLENGE) -> tuple[Advice, ...]:
    """All advice, the most serious first; a network that could meet the challenge gets none.

    For a network that does not fit, the advice is about the part that fits.
    """
    found = fit(architecture)
    said: list[Advice] = []
    walked = found.trace
    if found.error:
        said.append(_does_not_fit(architecture, found, challenge))
    elif walked and walked.output != (CLASSES,):
        said.append(_outputs(walked, challenge))
    if walked:
        rest = architecture.ops[len(walked.layers) :]
        found_here = faults(walked.architecture, challenge)
        said += [_advised(fault, walked, rest, challenge) for fault in found_here if not rest or fault.ops]
    return tuple(sorted(said, key=lambda each: LEVELS.index(each.level)))


@lru_cache(maxsize=128)
def recommended(architecture: Architecture, challenge: Challenge = CHALLENGE) -> Recommended | None:
    """Of two or more remedies the one that leaves the least to fix: fewest errors, then warnings, then hints.

    Among equals it is the first. None where there is no choice.
    """
    offered = [each for each in advice(architecture, challenge) if each.remedy is not None]
    if len(offered) < 2:
        return None
    best = min(offered, key=lambda each: _left(each.remedy, challenge))
    (unfit, *counts) = _left(best.remedy, challenge)
    return Recommended(best, sum(counts), not unfit)


def _left(changed: Architecture | None, challenge: Challenge) -> tuple[int, ...]:
    """How many ops do not fit, or outputs are wrong; then how many faults there are of each level."""
    if changed is None:
        return ()
    found = fit(changed)
    unfit = _ops_left(changed) + (found.trace is None or found.trace.output != (CLASSES,))
    levels = [each.level for each in faults(found.trace.architecture, challenge)] if found.trace else []
    return unfit, *(levels.count(level) for level in LEVELS)


def _does_not_fit(architecture: Architecture, found: Fit, challenge: Challenge) -> Advice:
    """The first op that does not fit."""
    if found.broken is None:
        return Advice("fit", "error", (), "The design has no op yet. Add the first: a convolution, say.")
    index = found.broken
    shape: Shape = found.trace.output if found.trace else architecture.input
    left = len(architecture.ops) - index

    def further(changed: Architecture) -> bool:
        return _ops_left(changed) < left and _affordable(changed, architecture, challenge)

    remedy, label = _first(ways_to_fit(architecture, index, shape), further)
    return Advice("fit", "error", (index,), f"{begin(found.error)}.", remedy, label)


def _outputs(walked: Trace, challenge: Challenge) -> Advice:
    """Ten digits need ten outputs."""

    def ends_in_ten(changed: Architecture) -> bool:
        return _trained(changed) is not None and _affordable(changed, walked.architecture, challenge)

    ends = shape_words(walked.output)
    words = f"The network ends in {ends}; to be trained it needs {CLASSES} outputs, one for each digit."
    remedy, label = _first(ways_to_ten(walked), ends_in_ten)
    return Advice("outputs", "error", (walked.layers[-1].index,), words, remedy, label)


def _first(remedies: Iterable[Remedy], helps: Callable[[Architecture], bool]) -> tuple[Architecture | None, str]:
    """The first remedy that helps, and its label; None and "" if none does."""
    with suppress(SpecError):  # more ops than a network may have
        for label, changed in remedies:
            if helps(changed):
                return changed, label
    return None, ""


def _ops_left(architecture: Architecture) -> int:
    """How many ops there are from the first one that does not fit."""
    found = fit(architecture)
    return len(architecture.ops) - found.broken if found.broken is not None else 0


def _trained(architecture: Architecture) -> Trace | None:
    """The trace of a network that fits and ends in ten outputs; else None."""
    try:
        return classifier(architecture)
    except SpecError:
        return None


def _affordable(after: Architecture, before: Architecture, challenge: Challenge) -> bool:
    """Whether it is within the budget, or not further over it than before."""
    used, used_before = (found.parameters if (found := fit(each).trace) else 0 for each in (after, before))
    return used <= max(challenge.parameters, used_before)


# ------------------------------------------------------------------------------------------------- faults and remedies


def _advised(fault: Fault, walked: Trace, rest: tuple[Op, ...], challenge: Challenge) -> Advice:
    """The fault as advice, with the best remedy. One without new faults is better than one with faults it may bring.

    Among equals it is the first one that is enough, else the one with the largest effect. `rest`: the ops after the
    traced ones, of a design that does not fit.
    """
    found: dict[bool, tuple[float, Architecture, str]] = {}  # key: whether it brings a fault
    least = _measured(fault, walked, challenge)
    with suppress(SpecError):  # more ops than a network may have
        for name, changed in islice(fault.remedies(), MAX_REMEDIES):
            after = _after_remedy(walked, changed, rest, challenge)
            if after is None:
                continue
            brought, reached = _new_topics(walked, after, challenge), _measured(fault, after, challenge)
            dirty = bool(brought - {"left over"})
            so_far = found[dirty][0] if dirty in found else least
            if so_far >= fault.enough or reached <= so_far or not brought <= {*fault.brings}:
                continue
            found[dirty] = (reached, replace(changed, ops=changed.ops + rest), name + fault.told(walked, after))
            if reached >= fault.enough and not dirty:
                break
    if not found:
        return Advice(fault.topic, fault.level, fault.ops, fault.words)
    _, remedy, label = found[min(found)]
    return Advice(fault.topic, fault.level, fault.ops, fault.words, remedy, label)


def _measured(fault: Fault, walked: Trace, challenge: Challenge) -> float:
    """What a remedy must increase: the fault's own measure, or minus the number of ops with this fault."""
    if fault.measure:
        return fault.measure(walked)
    return -sum(len(each.ops) or 1 for each in faults(walked.architecture, challenge) if each.topic == fault.topic)


def _after_remedy(walked: Trace, changed: Architecture, rest: tuple[Op, ...], challenge: Challenge) -> Trace | None:
    """The trace of the changed design if it fits as far as before and is not too expensive; else None."""
    found = fit(changed)
    after = found.trace
    if after is None or found.error or not _affordable(changed, walked.architecture, challenge):
        return None
    if rest and _ops_left(replace(changed, ops=changed.ops + rest)) > len(rest):
        return None
    return None if walked.output == (CLASSES,) and after.output != (CLASSES,) else after


def _new_topics(before: Trace, after: Trace, challenge: Challenge) -> set[Topic]:
    """The topics of faults that are new, or more serious than before."""
    was, now = _levels(before, challenge), _levels(after, challenge)
    return {topic for topic, level in now.items() if level < was.get(topic, len(LEVELS))}


def _levels(walked: Trace, challenge: Challenge) -> dict[Topic, int]:
    """Each topic of the network's faults, with its most serious level as an index into LEVELS."""
    found: dict[Topic, int] = {}
    for each in faults(walked.architecture, challenge):
        found.setdefault(each.topic, LEVELS.index(each.level))  # the most serious comes first
    return found
