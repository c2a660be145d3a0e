"""How sure an accuracy is for other seeds and other test images: a bootstrap over both. No torch.

Seeds and images are drawn anew, independently, and what each does to the mean is added. So the variance of the mean is
that of the seeds over n plus that of the images over N. What is peculiar to a seed and an image is in both parts, so
intervals are rather too wide than too narrow; with the cells of a drawn table it would count three times (Owen 2007,
doi:10.1214/07-AOAS122). Of n seeds n - 1 are drawn: with n, their part would be too small by (n - 1) / n (Rao & Wu
1988, doi:10.1080/01621459.1988.10478591).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 4_000
TAILS = (0.025, 0.975)  # 95%
Mistakes = Sequence[Sequence[int]]  # of each run, the indices of the images that it misreads


def interval_of_mean(runs: Mistakes, images: int) -> tuple[float, float]:
    """The 95% interval of the mean accuracy, as fractions. Raises ValueError for fewer than two runs."""
    (errors,) = resampled_means([_matrix(runs, _misread(runs))], images)
    return _interval(1 - errors)


def interval_of_difference(before: Mistakes, after: Mistakes, images: int) -> tuple[float, float]:
    """The 95% interval of the second mean accuracy minus the first. Both read the same images; seeds are not paired.

    Raises ValueError for fewer than two runs of one of them.
    """
    misread = _misread([*before, *after])
    errors = resampled_means([_matrix(runs, misread) for runs in (before, after)], images)
    return _interval(errors[0] - errors[1])


def resampled_means(values: Sequence[NDArray[np.float64]], images: int, draws: int = DRAWS) -> NDArray[np.float64]:
    """(groups, draws): each group's mean over seeds and images drawn anew; the images are the same for all groups.

    `values`: for each group (runs, columns), a column for each image with a value other than 0; `images` counts the
    others too. The same values always give the same draws. Raises ValueError for fewer than two runs.
    """
    if few := [len(group) for group in values if len(group) < 2]:
        raise ValueError(f"{few[0]} run cannot show how much runs differ")
    random, columns = np.random.default_rng(1), values[0].shape[1]
    shares = np.append(np.full(columns, 1 / images), 1 - columns / images)
    drawn = random.multinomial(images, np.clip(shares, 0, 1), draws)[:, :columns] / images
    means = []
    for group in values:
        seeds = random.multinomial(len(group) - 1, np.full(len(group), 1 / len(group)), draws) / (len(group) - 1)
        means.append(seeds @ group.sum(1) / images + drawn @ group.mean(0) - group.mean(0).sum() / images)
    return np.stack(means)


def _misread(runs: Mistakes) -> NDArray[np.int64]:
    """The images that at least one run misreads."""
    return np.unique(np.concatenate([np.asarray(run, np.int64) for run in runs]))


def _matrix(runs: Mistakes, misread: NDArray[np.int64]) -> NDArray[np.float64]:
    """(runs, columns): 1 where the run misreads that image."""
    return np.stack([np.isin(misread, run) for run in runs]).astype(np.float64)


def _interval(means: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(means, TAILS)
    return float(low), float(high)
