"""How far an architecture fits: the layers before the first op that does not fit, and what is wrong with that op."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache

from core.architecture.spec import Architecture
from core.architecture.trace import Trace, trace
from core.errors import SpecError


@dataclass(frozen=True)
class Fit:
    """An architecture, traced as far as it fits."""

    trace: Trace | None  # of the ops before the first one that does not fit; None if there are none
    broken: int | None  # index of the first op that does not fit; None if all do, or if there are no ops
    error: str  # what is wrong; empty where all fit


@lru_cache(maxsize=256)
def fit(architecture: Architecture) -> Fit:
    """Trace the architecture as far as it fits. Never raises: `error` holds the message that `trace` would raise."""
    try:
        return Fit(trace(architecture), None, "")
    except SpecError as failure:
        error = str(failure)
    if not architecture.ops:
        return Fit(None, None, error)
    # The ops after an op that does not fit change nothing about it, so the first one can be found by bisection.
    lengths = range(1, len(architecture.ops))
    fitting = bisect_left(lengths, True, key=lambda count: not _walks(architecture, count))
    walked = trace(_beginning(architecture, fitting)) if fitting else None
    try:
        trace(_beginning(architecture, fitting + 1))
    except SpecError as failure:
        error = str(failure)
    return Fit(walked, fitting, error)


def _walks(architecture: Architecture, count: int) -> bool:
    try:
        trace(_beginning(architecture, count))
    except SpecError:
        return False
    return True


def _beginning(architecture: Architecture, count: int) -> Architecture:
    return replace(architecture, ops=architecture.ops[:count])
