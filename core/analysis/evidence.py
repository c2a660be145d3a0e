"""Is one network better than another, or was it luck? What the runs can tell, and what they cannot. No torch.

Only this module decides whether two things differ. Tests are two-sided, and the words follow the 95% interval of the
difference, which comes from the same t as the p-value. The p-values of several questions at once are adjusted for all
of them (`holm`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.analysis.study import SeedRun, Summary
from core.challenge import DIGITS

Test = Literal["paired", "unpaired", "one run against several", "single runs"]
Told = Literal["better", "worse", "cannot be told"]
OfClaim = Literal[
    "consistent with our runs", "above what our runs reach", "below what our runs reach", "cannot be told"
]

LEVEL = 0.05  # the accepted error, both sides together
POWER = 0.8  # the chance to find a real difference, from which the number of seeds follows
MAX_SEEDS = 100_000  # where the search for a number of seeds ends


@dataclass(frozen=True)
class Evidence:
    """What two groups of runs show about the test accuracy of the last epoch, second minus first; fractions."""

    test: Test
    first: int  # how many runs of the first there are
    second: int
    pairs: int  # seeds that both have; 0 unless the test is paired
    difference: float  # of the means of the runs in the test
    deviation: float | None  # of the difference between two runs; None for one run each
    interval: tuple[float, float] | None  # 95%, of the difference; None without a spread
    p: float | None  # two-sided: the chance of a difference at least this large, either way, if there were none

    @property
    def told(self) -> Told:
        """Whether the second is better than the first; only an interval without 0 can tell."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "cannot be told"
        return "better" if self.difference > 0 else "worse"


def evidence(first: Sequence[SeedRun], second: Sequence[SeedRun]) -> Evidence:
    """The best test for these runs. Raises ValueError if a group is empty.

    With two or more seeds in both groups: Student's paired t on these seeds. Else Welch's t for two groups (Biometrika
    1947, doi:10.1093/biomet/34.1-2.28). For one run against several: whether it could be one more of them.
    """
    if not first or not second:
        raise ValueError(f"there are {len(first)} runs of the first and {len(second)} of the second")
    one, other = ({run.seed: run.last for run in runs} for runs in (first, second))
    if len(shared := sorted(one.keys() & other.keys())) > 1:
        differences = [round(other[seed] - one[seed], DIGITS) for seed in shared]  # else equal ones differ by 1e-16
        return _paired(differences, len(first), len(second))
    return of_accuracies([run.last for run in first], [run.last for run in second])


def of_accuracies(one: Sequence[float], other: Sequence[float]) -> Evidence:
    """The same for accuracies without known or shared seeds."""
    if len(one) > 1 and len(other) > 1:
        return _unpaired(one, other)
    if len(one) > 1 or len(other) > 1:
        return _one_against_several(one, other)
    return Evidence("single runs", 1, 1, 0, other[0] - one[0], None, None, None)


def _paired(differences: Sequence[float], first: int, second: int) -> Evidence:
    n, difference, deviation = len(differences), statistics.mean(differences), statistics.stdev(differences)
    if max(differences) == min(differences):  # no spread: t would be 0 / 0, or infinite for any n
        return Evidence("paired", first, second, n, difference, 0.0, None, None if difference else 1.0)
    return _by_t("paired", first, second, n, difference, deviation, deviation / math.sqrt(n), n - 1)


def _unpaired(one: Sequence[float], other: Sequence[float]) -> Evidence:
    difference = statistics.mean(other) - statistics.mean(one)
    shares = [statistics.variance(group) / len(group) for group in (one, other)]  # of the squared error
    deviation = math.sqrt(statistics.variance(one) + statistics.variance(other))
    if sum(shares) == 0:
        return Evidence("unpaired", len(one), len(other), 0, difference, 0.0, None, None)
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(group) - 1) for share, group in zip(shares, (one, other), strict=True)
    )
    error = math.sqrt(sum(shares))
    return _by_t("unpaired", len(one), len(other), 0, difference, deviation, error, freedom)


def _one_against_several(one: Sequence[float], other: Sequence[float]) -> Evidence:
    several = one if len(one) > 1 else other
    difference = statistics.mean(other) - statistics.mean(one)
    spread = statistics.stdev(several)
    if max(several) == min(several):
        return Evidence("one run against several", len(one), len(other), 0, difference, 0.0, None, None)
    error = spread * math.sqrt(1 + 1 / len(several))
    deviation = spread * math.sqrt(2)  # as if runs like the single one had the same spread
    name: Test = "one run against several"
    return _by_t(name, len(one), len(other), 0, difference, deviation, error, len(several) - 1)


def _by_t(
    test: Test, first: int, second: int, pairs: int, difference: float, deviation: float, error: float, freedom: float
) -> Evidence:
    reach = _quantile(1 - LEVEL / 2, freedom) * error
    interval = (difference - reach, difference + reach)
    return Evidence(test, first, second, pairs, difference, deviation, interval, _outside(difference / error, freedom))


def interval_over_seeds(mean: float, sd: float, n: int) -> tuple[float, float]:
    """The 95% interval of the mean of n runs with different seeds and that deviation, by Student's t."""
    reach = _quantile(1 - LEVEL / 2, n - 1) * sd / math.sqrt(n)
    return mean - reach, mean + reach


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """The p-values of several questions asked at once, each adjusted for all of them, in the order given.

    Holm 1979, Scandinavian Journal of Statistics 6: the chance of one or more wrong differences stays
    below the level. Questions without a p-value do not count.
    """
    ranked = sorted((p, number) for number, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, number) in enumerate(ranked):
        least = max(least, min(1.0, p * (len(ranked) - rank)))
        adjusted[number] = least
    return adjusted


# ------------------------------------------------------------------------------------------------------------ in words


def in_points(difference: float) -> str:
    """A difference of two accuracies in percentage points: +0.06, −0.12; 0.00 without a sign."""
    text = f"{100 * difference:+.2f}".replace("-", "−")
    return text if float(text[1:]) else text[1:]


def interval_in_points(interval: tuple[float, float] | None) -> str:
    """`−0.01 to +0.21` percentage points; an end near 0 as `+0.003`, because its sign matters. A dash for None."""
    return "—" if interval is None else " to ".join(map(_end_in_points, interval))


def interval_in_percent(interval: tuple[float, float]) -> str:
    """`99.25% to 99.67%`, of an accuracy: it ends at 100%."""
    return f"{interval[0]:.2%} to {min(interval[1], 1):.2%}"


def _end_in_points(end: float) -> str:
    words, points = in_points(end), 100 * end
    return f"{points:+.1g}".replace("-", "−") if words == "0.00" and abs(points) > 5e-5 else words


def p_in_words(p: float) -> str:
    """A p-value: 0.060, or < 0.001, or > 0.999."""
    return "< 0.001" if p < 0.001 else "> 0.999" if p > 0.999 else f"{p:.3f}"


def p_stated(p: float) -> str:
    """p = 0.060, or p < 0.001."""
    words = p_in_words(p)
    return f"p {words}" if words[0] in "<>" else f"p = {words}"


# ----------------------------------------------------------------------------------------------------- how many seeds


def seeds_needed(found: Evidence) -> int | None:
    """How many seeds of each would show a difference of this size with the chance POWER; None without a spread."""
    if not found.deviation or not found.difference:
        return None
    return seeds_for(found.difference / found.deviation, paired=found.test == "paired")


def seeds_for(effect: float, level: float = LEVEL / 2, paired: bool = True) -> int:
    """The smallest n with which Student's t finds a difference of `effect` deviations, with the chance POWER.

    `level` is the error on one side. By the noncentral t distribution, because n is small and the normal distribution
    would give too few. Unpaired, n is the size of each group, with twice the degrees of freedom.
    """
    most = 2
    while most < MAX_SEEDS and _power(effect, most, level, paired) < POWER:
        most *= 2
    least = max(2, most // 2)
    while least < most:  # the power rises with n
        middle = (least + most) // 2
        least, most = (middle + 1, most) if _power(effect, middle, level, paired) < POWER else (least, middle)
    return most


def _power(effect: float, n: int, level: float, paired: bool) -> float:
    from scipy.special import nctdtr

    freedom = (1 if paired else 2) * (n - 1)
    return 1 - float(nctdtr(freedom, abs(effect) * math.sqrt(n), _quantile(1 - level, freedom)))


def least_exact_p(pairs: int) -> float:
    """The smallest two-sided p-value of a test on n pairs that assumes nothing about the distribution.

    Two of the 2**n equally likely outcomes have all signs equal.
    """
    return 2.0 ** (1 - pairs)


# ----------------------------------------------------------------------------------------------------------- a claim


@dataclass(frozen=True)
class ClaimVerdict:
    """What our runs show about a claim: the best epoch of someone else's run."""

    words: OfClaim
    interval: tuple[float, float] | None  # 95 of 100 further runs of ours would have their best epoch in it
    p: float | None  # two-sided: the chance that one more run of ours has a best epoch at least so far from the mean


def judge_claim(claim: float, measured: Summary) -> ClaimVerdict:
    """Could the claim be the best epoch of one more run of ours? By its prediction interval.

    mean +- t * sd * sqrt(1 + 1 / n): a true claim about the same recipe is outside it one time in twenty.
    """
    if not measured.best_sd:
        return ClaimVerdict("cannot be told", None, None)
    error, freedom = measured.best_sd * math.sqrt(1 + 1 / measured.n), measured.n - 1
    reach = _quantile(1 - LEVEL / 2, freedom) * error
    low, high = measured.best_mean - reach, measured.best_mean + reach
    p = _outside((claim - measured.best_mean) / error, freedom)
    words: OfClaim = "consistent with our runs"
    if round(claim, DIGITS) > round(high, DIGITS):
        words = "above what our runs reach"
    elif round(claim, DIGITS) < round(low, DIGITS):
        words = "below what our runs reach"
    return ClaimVerdict(words, (low, high), p)


# --------------------------------------------------------------------------------------------------------- Student's t


def _outside(t: float, freedom: float) -> float:
    """The chance of a t at least so far from 0, on either side."""
    from scipy.special import stdtr  # here, as importing it takes a while; all of scipy.stats takes five times as long

    return 2 * float(stdtr(freedom, -abs(t)))


def _quantile(share: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))
