"""How far an architecture fits: the layers before the first op that does not, and what is wrong with that one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from core.architecture.spec import Architecture
from core.architecture.trace import Trace, trace
from core.errors import SpecError


@dataclass(frozen=True)
class Fit:
    """An architecture as far as it can be walked."""

    trace: Trace | None  # of the ops before the first that does not fit; None where there is not one
    broken: int | None  # index of the first op that does not fit; None where all do, or where there is none at all
    error: str  # what is wrong; empty where all fit


@lru_cache(maxsize=256)
def fit(architecture: Architecture) -> Fit:
    """Walk the architecture as far as it goes. Never raises: what `trace` would raise is told in `error`."""
    try:
        return Fit(trace(architecture), None, "")
    except SpecError as failure:
        error = str(failure)
    if not architecture.ops:
        return Fit(None, None, error)
    # An op that does not fit stays so whatever comes after it, so the longest beginning that fits can be bisected for.
    fitting, broken = 0, len(architecture.ops)
    while broken - fitting > 1:
        middle = (fitting + broken) // 2
        if _walks(architecture, middle):
            fitting = middle
        else:
            broken = middle
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
