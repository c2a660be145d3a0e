"""The learning-rate range test (Smith 2015, arXiv:1506.01186): rates rising from batch to batch, the loss at each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from core.dropout import draw_from
from core.network import lay_out
from core.recipe import RangeTest, Recipe
from core.resident import Resident

SMOOTHING = 0.9  # of the exponential moving average; corrected for its start, as Adam's are
DIVERGED = 4.0  # times the best smoothed loss
SKIP_FIRST = 0.05  # share of the points that no suggestion is taken from: the average has not settled
SKIP_LAST = 5


@dataclass(frozen=True)
class RangePoint:
    """One batch of the test."""

    learning_rate: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that the curve speaks for."""

    name: str  # valley, steepest, minimum/10, divergence/10 or minimum
    learning_rate: float
    why: str
    at_edge: bool  # near an end of the tested range, where the range and not the network decides


@dataclass(frozen=True)
class RangeTestResult:
    """The curve, what it suggests, and, where it suggests nothing, why."""

    points: tuple[RangePoint, ...]
    suggestions: tuple[Suggestion, ...]
    diverged: bool  # the loss rose past four times its best; False when the iterations ran out first
    reason: str  # why there is no suggestion; empty where there is one

    def suggestion(self, name: str) -> float | None:
        """The learning rate of the suggestion of that name, if there is one."""
        return next((each.learning_rate for each in self.suggestions if each.name == name), None)


def range_test(network: nn.Module, data: Resident, recipe: Recipe, settings: RangeTest) -> RangeTestResult:
    """Run the test to its end. The network is trained by it: give a copy."""
    return summarise(list(range_test_points(network, data, recipe, settings)), settings)


def range_test_points(network: nn.Module, data: Resident, recipe: Recipe, settings: RangeTest) -> Iterator[RangePoint]:
    """A point for each batch, until the iterations are done or the loss has diverged. Give a copy of the network."""
    # here, as it runs this test
    from core.training import allow_tf32, check_smallest_batch, forward, make_optimizer, set_rate, training_batch

    check_smallest_batch(network, data, recipe)
    lay_out(network, data.device)
    allow_tf32(recipe)
    generator = torch.Generator(data.device).manual_seed(recipe.seed)
    draw_from(network, generator)
    optimizer = make_optimizer(network, replace(recipe, learning_rate=settings.start))
    network.train()
    average, best = 0.0, math.inf
    order = torch.randperm(len(data.train), generator=generator, device=data.device)
    batches = order.split(recipe.batch_size)
    for iteration in range(settings.iterations):
        rate = rate_of(settings, iteration)
        set_rate(optimizer, rate)
        images, labels = training_batch(data, batches[iteration % len(batches)], recipe, generator)
        _, loss = forward(network, images, labels, recipe)
        value = loss.item()
        average = SMOOTHING * average + (1 - SMOOTHING) * value
        smoothed = average / (1 - SMOOTHING ** (iteration + 1))
        if not math.isfinite(value):
            return
        yield RangePoint(rate, value, smoothed)
        best = min(best, smoothed)
        if smoothed > DIVERGED * best:
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def rate_of(settings: RangeTest, iteration: int) -> float:
    """The rate of one iteration: geometric from start to end."""
    return float(settings.start * (settings.end / settings.start) ** (iteration / (settings.iterations - 1)))


def summarise(points: Sequence[RangePoint], settings: RangeTest) -> RangeTestResult:
    """What the curve suggests."""
    ended_early = len(points) < settings.iterations
    best = min((point.smoothed for point in points), default=math.inf)
    diverged = ended_early or (bool(points) and points[-1].smoothed > DIVERGED * best)
    usable = points[math.ceil(SKIP_FIRST * settings.iterations) : len(points) - SKIP_LAST]
    reason = _no_suggestion(usable, diverged, settings)
    broke_at = points[-1].learning_rate if diverged and points else None
    suggestions = () if reason else _suggestions(usable, broke_at, settings)
    return RangeTestResult(tuple(points), suggestions, diverged, reason)


def _no_suggestion(usable: Sequence[RangePoint], diverged: bool, settings: RangeTest) -> str:
    """Why the curve suggests no rate; empty if it does."""
    if len(usable) < 10:
        how = "the loss diverged" if diverged else "the iterations ran out"
        return f"{how} with {len(usable)} usable points, at least 10 are needed; start lower than {settings.start:g}"
    highest, lowest = usable[0].smoothed, min(point.smoothed for point in usable)
    if lowest > 0.95 * highest:
        return (
            f"the loss fell by no more than 5% (from {highest:.3g} to {lowest:.3g}) between the rates "
            f"{settings.start:g} and {settings.end:g}; is the network already trained, or the range too low?"
        )
    return ""


def _suggestions(usable: Sequence[RangePoint], broke_at: float | None, settings: RangeTest) -> tuple[Suggestion, ...]:
    """`broke_at`: the rate at which the loss diverged, if it did."""
    rates = np.array([point.learning_rate for point in usable])
    losses = np.array([point.smoothed for point in usable])
    steepest = int(np.gradient(losses, np.log(rates)).argmin())
    minimum = int(losses.argmin())
    valley = _valley(losses)
    found = [
        _suggest("valley", rates[valley], "two thirds down the longest fall of the curve: safe and fast", settings),
        _suggest(
            "steepest",
            rates[steepest],
            "where the loss falls fastest; on a noisy curve a bump can pass for it",
            settings,
        ),
        _suggest(
            "minimum/10", rates[minimum] / 10, "a tenth of the rate with the least loss: well before it turns", settings
        ),
    ]
    if broke_at is not None:
        why = "a tenth of the rate at which the loss broke away: needs no slope, so noise does not move it"
        found.append(_suggest("divergence/10", broke_at / 10, why, settings))
    why = "the rate with the least loss: too high to hold, a peak that a one-cycle schedule may pass through"
    return (*found, _suggest("minimum", rates[minimum], why, settings))


def _suggest(name: str, rate: float, why: str, settings: RangeTest) -> Suggestion:
    margin = (settings.end / settings.start) ** 0.1  # a tenth of the range, on its logarithmic axis
    at_edge = rate < settings.start * margin or rate > settings.end / margin
    return Suggestion(name, float(rate), why, bool(at_edge))


def _valley(losses: np.ndarray) -> int:
    """Two thirds along the longest decreasing subsequence of the losses, as points of the curve; after fastai's valley.

    The subsequence may skip points, so that a bump does not end the fall.
    """
    length = np.ones(len(losses), int)  # of the longest falling subsequence that ends at each point
    for end in range(1, len(losses)):
        higher = length[:end][losses[:end] > losses[end]]
        length[end] = 1 + (higher.max() if len(higher) else 0)
    end = int(length.argmax())
    start = end - int(length[end]) + 1
    return start + (end - start) * 2 // 3
