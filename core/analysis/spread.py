"""A figure over several runs: mean and standard deviation, with their number."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A figure over several runs."""

    n: int
    mean: float | None  # None of no run
    sd: float | None  # the sample's, over n - 1; None of fewer than two runs


def spread(values: Sequence[float]) -> Spread:
    """Mean and deviation of one figure of several runs."""
    return Spread(
        n=len(values),
        mean=statistics.fmean(values) if values else None,
        sd=statistics.stdev(values) if len(values) > 1 else None,
    )
