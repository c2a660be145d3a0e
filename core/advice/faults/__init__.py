"""The faults of a design, from its ops and numbers: one rule for each fault, with the changes that might fix it.

A new fault is a function from `Trace` to a list of `Fault` in the file of its theme, a name in `fault.Topic`, and a
place in `anywhere` or `finished`. No rule is a law: each names its numbers, so that the student can judge.
`advice` chooses among the changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache, partial

from core.advice.faults import cost, ending, learning, sight
from core.advice.faults.fault import LEVELS, Fault, Level, Topic, begin
from core.advice.remedies.ops import listed
from core.architecture.spec import Architecture, Op
from core.architecture.trace import CLASSES, Trace, trace
from core.challenge import CHALLENGE, Challenge

Rule = Callable[[Trace], list[Fault]]


def anywhere(challenge: Challenge) -> tuple[Rule, ...]:
    """The rules for any part of a network."""
    return (
        cost.input_size,
        partial(cost.budget, challenge=challenge),
        sight.early_pool,
        sight.skipped_places,
        learning.activation,
        learning.bottleneck,
        cost.bias,
        learning.groups,
        sight.padding,
        sight.even_kernel,
        sight.large_kernel,
        sight.single_pixels,
        ending.on_the_image,
        ending.softmax,
        ending.no_effect,
        ending.repeated,
        ending.order,
    )


def finished(challenge: Challenge) -> tuple[Rule, ...]:
    """The rules for a network that ends in ten outputs."""
    of_budget = (cost.left_over, cost.concentration, cost.wide_start, sight.context)
    return (
        sight.field,
        sight.convolution,
        partial(learning.depth, challenge=challenge),
        learning.batch_norm,
        learning.high_dropout,
        ending.negative_scores,
        ending.dropped_scores,
        ending.log_softmax,
        *(partial(rule, challenge=challenge) for rule in of_budget),
        sight.left_out_edge,
        sight.holes,
        sight.late_pool,
    )


@lru_cache(maxsize=1024)
def faults(architecture: Architecture, challenge: Challenge = CHALLENGE) -> tuple[Fault, ...]:
    """The faults of a network that fits, the most serious first. Raises SpecError for one that does not fit."""
    walked = trace(architecture)
    rules = anywhere(challenge) + (finished(challenge) if walked.output == (CLASSES,) else ())
    found = _merged(architecture, (fault for rule in rules for fault in rule(walked)))
    return tuple(sorted(found, key=lambda fault: LEVELS.index(fault.level)))


def _merged(architecture: Architecture, found: Iterable[Fault]) -> list[Fault]:
    """One fault for each topic, level and kind of op: the words of the first, which also name the ops of the others."""
    alike: dict[tuple[Topic, Level, type[Op] | None], list[Fault]] = {}
    for fault in found:
        kind = type(architecture.ops[fault.ops[0]]) if fault.ops else None
        alike.setdefault((fault.topic, fault.level, kind), []).append(fault)
    return [_with_others(*each) for each in alike.values()]


def _with_others(first: Fault, *others: Fault) -> Fault:
    indices = sorted({index for fault in others for index in fault.ops} - set(first.ops))
    if not indices:
        return first
    have = (
        "has the same fault, with numbers of its" if len(indices) == 1 else "have the same fault, with numbers of their"
    )
    words = f"{first.words} {begin(listed(indices))} {have} own."
    return replace(first, ops=(*first.ops, *indices), words=words)
