"""The learning-rate range test (Smith 2015, arXiv:1506.01186): the rate rises from batch to batch, and we
measure the loss at each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.training.batches import batches
from core.training.computing import computing
from core.training.dropout import draw_from
from core.training.precision import computed_in
from core.training.recipe import RangeTest, Recipe
from core.training.resident import Resident
from core.training.step import (
    allow_tf32,
    change_gradients,
    check_smallest_batch,
    forward,
    make_optimizer,
    set_rate,
)
from core.words import loss_words, plural

Values = NDArray[np.float64]

SMOOTHING = 0.9  # of the exponential moving average, with Adam's correction for its start
DIVERGED = 4.0  # times the best smoothed loss
SKIP_FIRST = 0.05  # share of the first points without a suggestion: the average is not stable yet
EDGE = 0.1  # share of the range at each end, on a logarithmic axis: a suggestion there depends on the range
LEAST_POINTS = 10  # that a suggestion needs
LEAST_FALL = 0.05  # of the loss, as a share of it
NOISE_OF_FALL = 12.0  # a fall must exceed so many deviations of the smoothed noise: 1 of 20,000 curves of noise did
AFTER = 12  # points in which the loss must not rise again: about the memory of the average
SPIKE = 6.0  # robust deviations between a spike and its neighbours
EARLY_FALL = 0.2  # share of the fall that must not come in the first tenth of the curve
BEGINS_TOO_HIGH = "the loss falls from the first rates on: begin the range lower"
ENDS_TOO_LOW = "the curve ends at its minimum: it has not turned"
PREFERRED = ("valley", "minimum/10", "steepest", "divergence/10")  # the first trusted one is recommended
WHY = {
    "valley": "half-way along the longest fall of the curve, fastai's rule",
    "steepest": "where the curve falls fastest",
    "minimum/10": "a tenth of the minimum: well before the loss turns",
    "divergence/10": "a tenth of the rate at which the loss broke away: it needs no slope, so noise does not move it",
    "minimum": "the rate with the least loss: too high to hold, a peak that a one-cycle schedule may pass through",
}


@dataclass(frozen=True)
class RangePoint:
    """One batch of the test."""

    learning_rate: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class Suggestion:
    """A learning rate that the drawn curve suggests."""

    name: str  # valley, steepest, minimum/10, divergence/10 or minimum
    learning_rate: float
    why: str
    at_edge: bool  # near an end of the tested range, which then decides, and not the network
    doubt: str = ""  # another reason not to trust it, in words

    @property
    def trusted(self) -> bool:
        return not self.at_edge and not self.doubt


@dataclass(frozen=True)
class RangeTestResult:
    """The curve and its suggestions, or the reason why there are none."""

    points: tuple[RangePoint, ...]
    suggestions: tuple[Suggestion, ...]
    diverged: bool  # the loss rose past four times its best; False when the iterations ran out first
    reason: str  # why there is no suggestion; empty if there is one

    def suggestion(self, name: str) -> float | None:
        """The learning rate of the suggestion of that name, if there is one."""
        return next((each.learning_rate for each in self.suggestions if each.name == name), None)


def recommended(suggestions: Sequence[Suggestion]) -> Suggestion | None:
    """The suggestion to take; None if none is trusted."""
    trusted = {each.name: each for each in suggestions if each.trusted}
    return next((trusted[name] for name in PREFERRED if name in trusted), None)


def range_test(network: nn.Module, data: Resident, recipe: Recipe, settings: RangeTest) -> RangeTestResult:
    """Run the whole test. It trains the network: give it a copy."""
    return summarise(list(range_test_points(network, data, recipe, settings)), settings)


def range_test_points(network: nn.Module, data: Resident, recipe: Recipe, settings: RangeTest) -> Iterator[RangePoint]:
    """A point for each batch, until all iterations are done or the loss diverges. Give it a copy of the network."""
    check_smallest_batch(network, data, recipe)
    recipe = computed_in(recipe, data.device)
    compute = computing(network, data.device, recipe.precision == "bf16")
    allow_tf32(recipe)
    generator = torch.Generator(data.device).manual_seed(recipe.seed)
    masks = draw_from(network, generator)
    optimizer = make_optimizer(network, replace(recipe, learning_rate=settings.start))
    network.train()
    average, best = 0.0, math.inf
    order = torch.randperm(len(data.train), generator=generator, device=data.device)
    epochs = (
        batches(data, order, recipe.batch_size, recipe.augmentation, generator) for _ in range(settings.iterations)
    )
    for iteration, (images, labels) in zip(range(settings.iterations), chain.from_iterable(epochs), strict=False):
        rate = rate_of(settings, iteration)
        set_rate(optimizer, rate)
        masks.draw(images)
        _, loss = forward(compute, images, labels, recipe)
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
        change_gradients(network, recipe)
        optimizer.step()


def rate_of(settings: RangeTest, iteration: int) -> float:
    """The rate of one iteration: geometric from start to end."""
    return float(settings.start * (settings.end / settings.start) ** (iteration / (settings.iterations - 1)))


def summarise(points: Sequence[RangePoint], settings: RangeTest) -> RangeTestResult:
    """The suggestions of the smoothed curve, without its first twentieth."""
    ended_early = len(points) < settings.iterations
    best = min((point.smoothed for point in points), default=math.inf)
    diverged = ended_early or (bool(points) and points[-1].smoothed > DIVERGED * best)
    skipped = math.ceil(SKIP_FIRST * settings.iterations)
    usable = points[skipped:]
    reason = _no_suggestion(usable, diverged, settings)
    broke_at = points[-1].learning_rate if diverged and points else None
    suggestions = () if reason else _suggestions(points, skipped, broke_at, settings)
    return RangeTestResult(tuple(points), suggestions, diverged, reason)


def _no_suggestion(usable: Sequence[RangePoint], diverged: bool, settings: RangeTest) -> str:
    """The reason why the curve suggests no rate; empty if it suggests one."""
    if len(usable) < LEAST_POINTS:
        how = "the loss diverged" if diverged else "the iterations ran out"
        return (
            f"{how} with {plural(len(usable), 'usable point')}, at least {LEAST_POINTS} are needed; start lower than "
            f"{settings.start:g}"
        )
    highest, lowest = usable[0].smoothed, min(point.smoothed for point in usable)
    between = (
        f"(from {loss_words(highest)} to {loss_words(lowest)}) between the rates {settings.start:g} and "
        f"{settings.end:g}; is the network already trained, or the range too low?"
    )
    if highest - lowest <= LEAST_FALL * highest:
        return f"the loss fell by no more than {LEAST_FALL:.0%} {between}"
    if highest - lowest <= NOISE_OF_FALL * _noise(usable):
        return f"the loss fell no further than it goes up and down by chance {between}"
    return ""


def _noise(usable: Sequence[RangePoint]) -> float:
    """The standard deviation of the noise of the smoothed loss, from the distance of points to the mean of their
    neighbours.

    Only up to the minimum, or of the first half: later a diverging loss bends more than noise does.
    """
    raw, drawn = (np.array([getattr(point, name) for point in usable]) for name in ("loss", "smoothed"))
    counted = max(int(drawn.argmin()) + 1, len(drawn) // 2)
    averaged = math.sqrt((1 - SMOOTHING) / (1 + SMOOTHING))  # of independent losses' deviation, after the average
    return max(averaged * _wobble(raw[:counted]), _wobble(drawn[:counted]))


def _wobble(values: Values) -> float:
    """The deviation of independent noise around a smooth curve."""
    return _deviation(values[1:-1] - (values[:-2] + values[2:]) / 2) / math.sqrt(1.5)  # 1 + 1/4 + 1/4 of its variance


def _deviation(values: Values) -> float:
    """A standard deviation that a few extreme values do not change: 1.4826 times the median distance to the median."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _suggestions(
    points: Sequence[RangePoint], skipped: int, broke_at: float | None, settings: RangeTest
) -> tuple[Suggestion, ...]:
    """All suggestions. `broke_at`: the rate at which the loss diverged, if it did."""
    raw, drawn, rates = (
        np.array([getattr(point, name) for point in points]) for name in ("loss", "smoothed", "learning_rate")
    )
    losses, rates = drawn[skipped:], rates[skipped:]
    spikes = _averaged(raw - _without_spikes(raw))[skipped:]
    steepest, minimum = _steepest(losses, rates), int(losses.argmin())
    start, valley, end = longest_fall(losses)
    whole = losses[0] - losses.min()
    early = BEGINS_TOO_HIGH if losses[0] - losses[len(losses) // 10] > EARLY_FALL * whole else ""
    slow = "most of the loss fell elsewhere" if losses[start] - losses[end] < whole / 2 else ""
    turn = "the loss was lower at the very start" if drawn.min() < losses[minimum] else ""
    if minimum == len(losses) - 1:
        turn = ENDS_TOO_LOW if broke_at is None else "the loss broke away right after it, without turning first"
    found = [
        ("valley", rates[valley], early or slow),
        ("steepest", rates[steepest], early or _bump(losses, rates, steepest, spikes)),
        ("minimum/10", rates[minimum] / 10, turn),
        *([("divergence/10", broke_at / 10, "")] if broke_at is not None else []),
        ("minimum", rates[minimum], turn),
    ]
    return tuple(
        Suggestion(name, float(rate), WHY[name], at_edge(rate, settings), doubt) for name, rate, doubt in found
    )


def at_edge(rate: float, settings: RangeTest) -> bool:
    """Whether a rate lies in the first or last tenth of the range, or outside it."""
    margin = (settings.end / settings.start) ** EDGE
    return bool(rate < settings.start * margin or rate > settings.end / margin)


def _steepest(losses: Values, rates: Values) -> int:
    """The point where the loss falls fastest over the logarithm of the rate."""
    return int(np.gradient(losses, np.log(rates)).argmin())


def _bump(losses: Values, rates: Values, steepest: int, spikes: Values) -> str:
    """Why not to trust a steepest fall: it is part of a bump, noise, or caused by a single spike.

    A spike may be a point of the smoothed curve, or the loss of one batch: `spikes` is its part in the smoothed curve.
    """
    about = losses[max(0, steepest - 1) : steepest + 2]
    noise = _wobble(losses)
    if len(about) > 2 and about[0] - about[-1] < 3 * math.sqrt(2) * noise:
        return "the curve goes up and down by as much as it falls there"
    if losses[steepest] > losses[: steepest + 1].min() + 3 * noise:
        return "the loss was lower before: there it comes back from a bump"
    if losses[steepest : steepest + AFTER].max() > about[0] + 3 * noise:
        return "the loss comes back right after it"
    for course in (_without_spikes(losses), losses - spikes):
        other = _steepest(course, rates)
        if abs(other - steepest) > 2:
            return f"a single spike decides it; without that the fall is steepest at {rates[other]:.3g}"
    return ""


def _without_spikes(losses: Values) -> Values:
    """The losses; a value far from the median of its two neighbours on each side is replaced by that median."""
    middle = np.median(np.delete(_around(losses), 2, axis=0), axis=0)
    apart = np.abs(losses - middle)
    far = apart > SPIKE * 1.4826 * np.median(apart)
    return np.where(far & (apart == _around(apart).max(axis=0)), middle, losses)  # not the neighbours of a spike


def _around(values: Values) -> Values:
    """(5, N): each value in the middle of its four neighbours."""
    padded = np.pad(values, 2, mode="edge")
    return np.stack([padded[shift : shift + len(values)] for shift in range(5)])


def _averaged(values: Values) -> Values:
    """The exponential moving average of the values, corrected for its start."""
    average, found = 0.0, []
    for number, value in enumerate(values, 1):
        average = SMOOTHING * average + (1 - SMOOTHING) * value
        found.append(average / (1 - SMOOTHING**number))
    return np.array(found)


def longest_fall(losses: Values) -> tuple[int, int, int]:
    """The start of the longest decreasing subsequence of the losses, fastai's `valley` on it, and its end.

    The subsequence may skip points, so that a bump does not end the fall. fastai counts back from its end
    (`start = end - length`), then a third of the length forward, and half a third more.
    """
    length = np.ones(len(losses), int)  # of the longest falling subsequence that ends at each point
    came_from = np.arange(len(losses))
    for point in range(1, len(losses)):
        higher = np.flatnonzero(losses[:point] > losses[point])
        if len(higher):
            came_from[point] = higher[length[higher].argmax()]
            length[point] = 1 + length[came_from[point]]
    end = int(length.argmax())
    third = int(length[end]) / 3
    valley = end - int(length[end]) + int(third) + int(third / 2)
    start = end
    while came_from[start] != start:
        start = int(came_from[start])
    return start, max(start, valley), end
