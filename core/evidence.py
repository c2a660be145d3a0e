"""Is one network better than another, or was it luck? What the runs at hand can say, and what they cannot. No torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.study import DIGITS, SeedRun, compare

Test = Literal["paired", "unpaired", "one run against several", "single runs"]

NORMAL_95, NORMAL_80 = 1.645, 0.842  # quantiles: a one-sided 5%, and a chance of 80% to see what is there


@dataclass(frozen=True)
class Evidence:
    """What two groups of runs say about the last epoch's test accuracy, second minus first; fractions."""

    test: Test
    first: int  # how many runs of the first there are
    second: int
    pairs: int  # seeds that both have; 0 unless the test is the paired one
    difference: float  # of the means over the runs that were used
    deviation: float | None  # of one difference between two runs; None where there is no spread to be had
    interval: tuple[float, float] | None  # 95%, of the difference
    p: float | None  # one-sided: the chance of a difference this high or higher if there were none


def evidence(first: Sequence[SeedRun], second: Sequence[SeedRun]) -> Evidence:
    """The best test that the runs allow. Raises ValueError where either has none.

    Seeds that both have are paired (Student's t); without two of these, two groups are compared by Welch's t
    (Biometrika 1947, doi:10.1093/biomet/34.1-2.28); a run against several, by whether it could be one more of them.
    """
    if not first or not second:
        raise ValueError(f"there are {len(first)} runs of the first and {len(second)} of the second")
    one, other = [run.last for run in first], [run.last for run in second]
    if len({run.seed for run in first} & {run.seed for run in second}) > 1:
        return _paired(first, second)
    if len(one) > 1 and len(other) > 1:
        return _unpaired(one, other)
    if len(one) > 1 or len(other) > 1:
        return _one_against_several(one, other)
    return Evidence("single runs", 1, 1, 0, other[0] - one[0], None, None, None)


def _paired(first: Sequence[SeedRun], second: Sequence[SeedRun]) -> Evidence:
    found = compare(first, second)
    one, other = ({run.seed: run.last for run in runs} for runs in (first, second))
    deviation = statistics.stdev(round(other[seed] - one[seed], DIGITS) for seed in one.keys() & other.keys())
    error = deviation / math.sqrt(found.n)
    interval = _interval(found.difference, error, found.n - 1)
    return Evidence("paired", len(first), len(second), found.n, found.difference, deviation, interval, found.p)


def _unpaired(one: Sequence[float], other: Sequence[float]) -> Evidence:
    difference = statistics.mean(other) - statistics.mean(one)
    shares = [statistics.variance(group) / len(group) for group in (one, other)]  # of the squared error
    error = math.sqrt(sum(shares))
    deviation = math.sqrt(statistics.variance(one) + statistics.variance(other))
    if error == 0:
        return Evidence("unpaired", len(one), len(other), 0, difference, 0.0, None, None)
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(group) - 1) for share, group in zip(shares, (one, other), strict=True)
    )
    interval = _interval(difference, error, freedom)
    p = _above(difference / error, freedom)
    return Evidence("unpaired", len(one), len(other), 0, difference, deviation, interval, p)


def _one_against_several(one: Sequence[float], other: Sequence[float]) -> Evidence:
    several = one if len(one) > 1 else other
    difference = statistics.mean(other) - statistics.mean(one)
    spread = statistics.stdev(several)
    if spread == 0:
        return Evidence("one run against several", len(one), len(other), 0, difference, 0.0, None, None)
    error, freedom = spread * math.sqrt(1 + 1 / len(several)), len(several) - 1
    interval, p = _interval(difference, error, freedom), _above(difference / error, freedom)
    deviation = spread * math.sqrt(2)  # as if the lonely run's kind were spread as widely
    return Evidence("one run against several", len(one), len(other), 0, difference, deviation, interval, p)


def seeds_needed(found: Evidence) -> int | None:
    """How many seeds of each would show a difference of this size, four times in five; None without a spread."""
    if not found.deviation or not found.difference:
        return None
    return max(2, math.ceil(((NORMAL_95 + NORMAL_80) * found.deviation / found.difference) ** 2))


def _above(t: float, freedom: float) -> float:
    """The chance of a t this high or higher."""
    from scipy.special import stdtr  # here, as importing it takes a while

    return float(stdtr(freedom, -t))


def _interval(middle: float, error: float, freedom: float) -> tuple[float, float] | None:
    """In 95 of 100 such comparisons the true difference lies in it; None without a spread."""
    from scipy.special import stdtrit

    if error == 0:
        return None
    reach = float(stdtrit(freedom, 0.975)) * error
    return middle - reach, middle + reach
