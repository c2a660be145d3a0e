"""The learning-rate range test: its rates, what it suggests for curves drawn by hand and at random, and what not."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core.training.network import build
from core.training.range_test import (
    BEGINS_TOO_HIGH,
    DIVERGED,
    ENDS_TOO_LOW,
    SKIP_FIRST,
    SMOOTHING,
    RangePoint,
    RangeTestResult,
    Suggestion,
    longest_fall,
    range_test,
    rate_of,
    recommended,
    summarise,
)
from core.training.recipe import SGD, RangeTest, Recipe
from tests.tiny import PLAIN, TINY, tiny_data

pytestmark = pytest.mark.own_data

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


def fastais_valley(rates: list[float], losses: list[float]) -> float:
    """The rule of fastai's `valley` (callback/schedule.py), from its description: a triangle of comparisons."""
    longest = [1] * len(losses)
    top, start = 0, 0
    for point in range(1, len(losses)):
        longest[point] += max((longest[k] for k in range(point) if losses[k] > losses[point]), default=0)
        if longest[point] > longest[top]:
            top, start = point, point - longest[point]
    third = (top - start) / 3
    return rates[max(0, start + int(third) + int(third / 2))]  # before the first rate Python would count from the end


def test_the_valley_is_half_way_down_the_longest_fall() -> None:
    losses = [3.0] * 40 + [3 - 0.05 * n for n in range(1, 31)] + [1.5] * 30
    assert curve(losses).suggestion("valley") == pytest.approx(rate_of(SETTINGS, 39 + 30 // 2), rel=0.1)


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


# ------------------------------------------------------------------------------------------------ laws of any curve

SKIPPED = math.ceil(SKIP_FIRST * SETTINGS.iterations)
noise = st.lists(st.floats(-0.05, 0.05), min_size=40, max_size=100)
wild = st.one_of(
    st.lists(st.floats(0.01, 10), min_size=20, max_size=100),
    st.builds(
        lambda at, shares: [loss * (1 + share) for loss, share in zip(falling(at), shares, strict=False)],
        st.floats(0.0003, 0.1),
        noise,
    ),
)


def averaged(losses: list[float]) -> RangeTestResult:
    """The result for the losses of the batches, smoothed as the test smooths them; it ends where it diverges."""
    points: list[RangePoint] = []
    average = 0.0
    for n, loss in enumerate(losses):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        points.append(RangePoint(rate_of(SETTINGS, n), loss, average / (1 - SMOOTHING ** (n + 1))))
        if points[-1].smoothed > DIVERGED * min(point.smoothed for point in points):
            break
    return summarise(points, SETTINGS)


def named(result: RangeTestResult, name: str) -> Suggestion:
    return next(each for each in result.suggestions if each.name == name)


@given(wild, st.booleans())
def test_the_minimum_is_the_lowest_drawn_point_that_is_used_or_says_that_there_is_a_lower_one(
    losses: list[float], smooth: bool
) -> None:
    result = averaged(losses) if smooth else curve(losses)
    if not result.suggestions:
        assert result.reason
        return
    lowest = min(result.points[SKIPPED:], key=lambda point: point.smoothed)
    minimum = named(result, "minimum")
    assert minimum.learning_rate == lowest.learning_rate
    assert named(result, "minimum/10").learning_rate == pytest.approx(lowest.learning_rate / 10)
    if min(point.smoothed for point in result.points) < lowest.smoothed:
        assert minimum.doubt


@pytest.mark.slow
@given(wild, st.booleans())
@example([1.0] * SKIPPED + [1.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5] + [1.0] * 8, False)  # a fall of the first two points
def test_the_valley_is_fastais_and_lies_within_the_longest_fall(losses: list[float], smooth: bool) -> None:
    result = averaged(losses) if smooth else curve(losses)
    if not result.suggestions:
        return
    used = result.points[SKIPPED:]
    drawn = [point.smoothed for point in used]
    start, valley, end = longest_fall(np.array(drawn))
    assert start <= valley <= end
    assert drawn[start] >= drawn[end]
    assert named(result, "valley").learning_rate == used[valley].learning_rate
    assert used[valley].learning_rate == fastais_valley([point.learning_rate for point in used], drawn)


@given(wild)
def test_what_is_recommended_is_trusted_and_whatever_is_not_says_why(losses: list[float]) -> None:
    result = curve(losses)
    best = recommended(result.suggestions)
    assert best is None or best.trusted
    assert all(each.trusted or each.at_edge or each.doubt for each in result.suggestions)
    if best is None:
        assert not any(each.trusted for each in result.suggestions if each.name != "minimum")


@given(st.floats(0.5, 3), st.floats(0, 0.05), st.floats(0, 0.1), st.integers(0, 2**32 - 1))
def test_a_curve_without_a_fall_suggests_nothing_and_says_why(
    level: float, rise: float, noise: float, seed: int
) -> None:
    by_chance = np.random.default_rng(seed).normal(0, noise, SETTINGS.iterations)
    result = averaged([level + rise * n + chance for n, chance in enumerate(by_chance)])
    assert result.suggestions == ()
    assert "fell" in result.reason


@given(
    st.floats(0.0005, 0.05), st.floats(1, 3), st.floats(1.5, 3), st.integers(6, 93), st.floats(1, 8), st.booleans(),
    st.sampled_from([0.0, 0.01]), st.integers(0, 2**32 - 1), st.booleans(),
)  # fmt: skip
def test_a_lone_spike_does_not_move_the_steepest_fall_unless_it_is_in_doubt(
    at: float, width: float, height: float, place: int, spike: float, up: bool, noise: float, seed: int, smooth: bool
) -> None:
    by_chance = np.random.default_rng(seed).normal(0, noise, SETTINGS.iterations)
    logs = [math.log(rate_of(SETTINGS, n) / at) for n in range(SETTINGS.iterations)]
    losses = [0.4 + height / (1 + math.exp(width * x)) + chance for x, chance in zip(logs, by_chance, strict=True)]
    spiked = list(losses)
    spiked[place] = losses[place] + spike if up else max(0.0 if smooth else 0.35 * losses[place], losses[place] - spike)
    assume(abs(spiked[place] - losses[place]) > 0.5)
    draw = averaged if smooth else curve
    before, after = draw(losses), draw(spiked)
    assume(before.suggestions and after.suggestions and not after.diverged)
    steepest = named(after, "steepest")
    if steepest.trusted:
        moved = abs(math.log(steepest.learning_rate / named(before, "steepest").learning_rate))
        assert moved <= 4.5 * math.log(rate_of(SETTINGS, 1) / rate_of(SETTINGS, 0)), "more than four points"


@pytest.mark.parametrize("place", [30, 45, 60, 75])
def test_a_spike_in_the_middle_of_the_drawn_curve_is_in_doubt(place: int) -> None:
    losses = falling(0.01)
    losses[place] += 3
    steepest = named(curve(losses), "steepest")
    assert steepest.doubt or steepest.learning_rate == pytest.approx(0.01, rel=0.2)


def test_a_curve_that_falls_from_the_first_rate_says_that_the_range_begins_too_high() -> None:
    result = curve([0.3 + 2 * math.exp(-0.06 * n) for n in range(100)])
    assert named(result, "valley").doubt == named(result, "steepest").doubt == BEGINS_TOO_HIGH
    assert recommended(result.suggestions) is None


def test_a_curve_that_falls_to_its_end_says_that_the_minimum_is_not_known() -> None:
    result = curve(falling(0.3))
    assert named(result, "minimum").doubt == named(result, "minimum/10").doubt == ENDS_TOO_LOW
    assert named(result, "minimum").learning_rate == SETTINGS.end


def test_the_valley_of_a_clear_fall_is_recommended() -> None:
    result = curve(falling(0.01))
    best = recommended(result.suggestions)
    assert best is not None
    assert (best.name, best.trusted) == ("valley", True)


def test_the_suggestions_of_an_old_run_can_be_read() -> None:
    old = {"name": "valley", "learning_rate": 0.01, "why": "two thirds down the longest fall", "at_edge": False}
    assert Suggestion(**old).trusted  # type: ignore[arg-type]
