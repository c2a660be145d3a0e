"""The bootstrap over seeds and images: its variance by closed forms, its coverage by simulation."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from core.analysis.bootstrap import interval_of_difference, interval_of_mean, resampled_means

pytestmark = pytest.mark.own_data
IMAGES = 10_000


def indices(wrong: NDArray[np.bool_]) -> list[list[int]]:
    return [np.flatnonzero(run).tolist() for run in wrong]


@pytest.mark.parametrize("n", [2, 6, 20])
def test_the_variance_is_that_of_the_seeds_over_n_plus_that_of_the_images_over_their_number(n: int) -> None:
    random = np.random.default_rng(3)
    seeds, images = random.normal(size=n), random.normal(scale=10, size=100)
    (means,) = resampled_means([seeds[:, None] + images], 100, draws=40_000)
    assert means.mean() == pytest.approx(seeds.mean() + images.mean(), abs=0.01)
    assert means.var() == pytest.approx(seeds.var(ddof=1) / n + images.var() / 100, rel=0.02)
    wrong = random.random((n, 100)) < random.beta(0.1, 1.5, 100)
    (means,) = resampled_means([wrong.astype(float)], 100, draws=40_000)
    assert means.mean() == pytest.approx(wrong.mean(), rel=0.02)
    assert means.var() == pytest.approx(wrong.mean(1).var(ddof=1) / n + wrong.mean(0).var() / 100, rel=0.02)


def test_images_that_all_read_need_no_column_of_their_own() -> None:
    values = np.array([[1.0, 0, 1], [1, 1, 0]])
    full = np.hstack([values, np.zeros((2, 97))])
    (few,), (all_of_them,) = (resampled_means([each], 100, draws=60_000) for each in (values, full))
    assert few.mean() == pytest.approx(all_of_them.mean(), rel=0.02)
    assert few.var() == pytest.approx(all_of_them.var(), rel=0.03)


def test_runs_that_misread_the_same_images_have_the_binomial_interval() -> None:
    low, high = interval_of_mean([range(60)] * 3, IMAGES)
    fewest, most = binom.ppf([0.025, 0.975], IMAGES, 0.006)
    assert (low, high) == pytest.approx((1 - most / IMAGES, 1 - fewest / IMAGES), abs=1.1e-4)  # an image


def test_the_images_cancel_in_a_difference_where_both_misread_the_same() -> None:
    assert interval_of_difference([range(60)] * 2, [range(60)] * 4, IMAGES) == pytest.approx((0, 0), abs=1e-12)
    low, high = interval_of_difference([range(60)] * 2, [range(45)] * 2, IMAGES)
    only_one = binom.ppf([0.025, 0.975], IMAGES, 0.0015)  # 15 images are misread by one of them
    assert (low, high) == pytest.approx(tuple(only_one / IMAGES), abs=1.1e-4)
    assert interval_of_difference([range(45)] * 2, [range(60)] * 2, IMAGES) == pytest.approx((-high, -low))


def test_networks_without_a_mistake_are_sure_of_nothing_else() -> None:
    assert interval_of_mean([[], []], IMAGES) == (1, 1)


def test_one_run_shows_no_spread() -> None:
    with pytest.raises(ValueError, match="1 run cannot show"):
        interval_of_mean([range(60)], IMAGES)
    with pytest.raises(ValueError, match="1 run cannot show"):
        interval_of_difference([range(60)] * 2, [range(60)], IMAGES)


def test_the_same_runs_give_the_same_interval_at_once() -> None:
    wrong = indices(np.random.default_rng(5).random((20, IMAGES)) < 0.006)
    started = time.process_time()
    assert interval_of_mean(wrong, IMAGES) == interval_of_mean(wrong, IMAGES)
    assert time.process_time() - started < 10


@pytest.mark.slow
def test_it_covers_the_truth_of_new_seeds_and_new_images_19_times_in_20_where_seeds_alone_do_not() -> None:
    random = np.random.default_rng(6)
    n, images, times, truth = 8, 2_000, 100, 0.01
    covered, by_seeds, differences = 0, 0, 0
    for _ in range(times):
        difficulty = random.beta(0.05, 4.95, images)  # with that mean: few images make most of the mistakes
        first, second = (
            random.random((n, images)) < difficulty * random.lognormal(0, 0.05, (n, 1)) * factor for factor in (1, 0.8)
        )
        low, high = interval_of_mean(indices(first), images)
        covered += low <= 1 - truth <= high
        low, high = interval_of_difference(indices(first), indices(second), images)
        differences += low <= 0.2 * truth <= high
        rates = first.mean(1)
        by_seeds += abs(rates.mean() - truth) <= 2.365 * rates.std(ddof=1) / n**0.5  # t with 7 degrees of freedom
    assert covered / times == pytest.approx(0.96, abs=0.04)
    assert differences / times == pytest.approx(0.97, abs=0.03)
    assert by_seeds / times < 0.85
