"""A share of successes, and how sure it is."""

from __future__ import annotations

import math

ERRORS_OF_NOISE = 2.0  # standard errors within which a difference may be chance: 95%


def standard_error(share: float, trials: int) -> float:
    """The standard error of a binomial share, measured on so many trials."""
    return math.sqrt(share * (1 - share) / trials)


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The confidence interval of the true share, as fractions; (0, 1) without trials.

    Wilson 1927, doi:10.1080/01621459.1927.10502953: also correct for few trials and for shares near 0 and 1.
    """
    if not trials:
        return 0.0, 1.0
    from scipy.stats import binomtest  # here, as importing it takes a second

    interval = binomtest(successes, trials).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)
