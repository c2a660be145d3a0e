"""The learning-rate range test: its rates, what it suggests for curves drawn by hand, and what it says otherwise."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from core.network import build
from core.range_test import RangePoint, RangeTestResult, range_test, rate_of, summarise
from core.recipe import SGD, RangeTest, Recipe
from tests.tiny import PLAIN, TINY, tiny_data

SETTINGS = RangeTest(start=1e-4, end=1.0, iterations=100)


def curve(losses: list[float], settings: RangeTest = SETTINGS) -> RangeTestResult:
    return summarise([RangePoint(rate_of(settings, n), loss, loss) for n, loss in enumerate(losses)], settings)


def falling(at: float, settings: RangeTest = SETTINGS) -> list[float]:
    """A loss that falls as a logistic curve of the rate's logarithm, fastest at `at`, and rises past 30 times that."""
    losses = []
    for n in range(settings.iterations):
        x = math.log(rate_of(settings, n) / at)
        losses.append(0.3 + 2 / (1 + math.exp(2 * x)) + 0.02 * math.exp(2 * max(0.0, x - 3.4)))
    return losses


def test_the_rates_rise_by_the_same_factor_from_start_to_end() -> None:
    rates = [rate_of(SETTINGS, n) for n in range(100)]
    assert (rates[0], rates[-1]) == (1e-4, pytest.approx(1.0))
    assert [after / before for before, after in itertools.pairwise(rates)] == pytest.approx([1e4 ** (1 / 99)] * 99)


@pytest.mark.parametrize("at", [0.003, 0.01])
def test_the_steepest_fall_and_a_tenth_of_the_minimum_are_found(at: float) -> None:
    result = curve(falling(at))
    losses = falling(at)
    assert result.reason == ""
    assert result.suggestion("steepest") == pytest.approx(at, rel=0.1)
    assert result.suggestion("minimum/10") == pytest.approx(rate_of(SETTINGS, losses.index(min(losses))) / 10)
    valley = result.suggestion("valley")
    assert valley is not None
    assert at / 5 < valley < 30 * at


def test_the_valley_is_two_thirds_down_the_longest_fall() -> None:
    losses = [3.0] * 40 + [3 - 0.05 * n for n in range(1, 31)] + [1.5] * 30
    assert curve(losses).suggestion("valley") == pytest.approx(rate_of(SETTINGS, 39 + 30 * 2 // 3), rel=0.1)


def test_a_suggestion_at_the_end_of_the_range_says_so() -> None:
    early = curve([3 - 0.02 * n for n in range(100)])
    edges = {each.name: each.at_edge for each in early.suggestions}
    assert not edges["valley"]
    late = curve(falling(0.00003))
    assert next(each for each in late.suggestions if each.name == "minimum/10").at_edge


def test_a_flat_curve_suggests_nothing_and_says_why() -> None:
    result = curve([2.3] * 100)
    assert result.suggestions == ()
    assert not result.diverged
    assert "5%" in result.reason
    assert result.suggestion("valley") is None


def test_running_out_of_iterations_is_never_called_diverged() -> None:
    result = curve(falling(0.5))
    assert not result.diverged
    assert "diverged" not in result.reason
    assert "diverged" not in curve([2.3] * 100).reason


def test_a_curve_that_ends_early_diverged() -> None:
    result = curve(falling(0.003)[:60])
    assert result.diverged
    assert result.suggestion("steepest") == pytest.approx(0.003, rel=0.1)


@pytest.mark.parametrize("points", range(0, 15))
def test_too_few_points_suggest_nothing_and_the_numbers_are_said(points: int) -> None:
    result = curve([3.0, *(2.0,) * points][:points])
    assert result.suggestions == ()
    assert "the loss diverged with" in result.reason
    assert "at least 10 are needed" in result.reason


def test_it_runs_on_a_copy_in_training_and_gives_a_point_for_each_iteration() -> None:
    network = build(PLAIN, 1)
    settings = RangeTest(start=1e-5, end=0.1, iterations=40)
    result = range_test(network, tiny_data(), Recipe(batch_size=30), settings)
    assert [point.learning_rate for point in result.points] == pytest.approx([rate_of(settings, n) for n in range(40)])
    assert not result.diverged


def test_the_smoothed_loss_is_the_corrected_exponential_average_of_the_losses() -> None:
    result = range_test(build(TINY, 1), tiny_data(), Recipe(batch_size=30), RangeTest(1e-5, 0.1, 30))
    losses = [point.loss for point in result.points]
    for n, point in enumerate(result.points):
        weights = [0.9 ** (n - k) for k in range(n + 1)]
        average = sum(w * loss for w, loss in zip(weights, losses, strict=False)) / sum(weights)
        assert point.smoothed == pytest.approx(average)


def test_the_losses_are_those_of_a_loop_by_hand() -> None:
    data, settings = tiny_data(), RangeTest(1e-3, 1.0, 20)
    network = build(PLAIN, 1)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(1)).split(30)
    losses = []
    for n in range(20):
        optimizer.param_groups[0]["lr"] = 1e-3 * 1000 ** (n / 19)
        images = (data.train.images[order[n % 5], None] / 255 - 0.1307) / 0.3081
        loss = torch.nn.functional.cross_entropy(network(images), data.train.labels[order[n % 5]])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    recipe = Recipe(batch_size=30, seed=1, optimizer=SGD(momentum=0))
    points = range_test(build(PLAIN, 1), data, recipe, settings).points
    assert [point.loss for point in points] == pytest.approx(losses, rel=1e-4)


def test_a_range_that_goes_too_high_ends_with_the_divergence() -> None:
    recipe = Recipe(batch_size=30, optimizer=SGD(momentum=0.99))
    result = range_test(build(PLAIN, 1), tiny_data(), recipe, RangeTest(1e-4, 100, 200))
    assert result.diverged
    assert len(result.points) < 200
    assert all(math.isfinite(point.loss) for point in result.points)


def test_the_same_seed_gives_the_same_curve() -> None:
    settings = RangeTest(iterations=25)
    first, second = (range_test(build(TINY, 1), tiny_data(), Recipe(batch_size=30), settings) for _ in range(2))
    assert first == second
