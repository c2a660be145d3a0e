"""The learning rate through a run: schedules as data, with torch's names and defaults, and what they come to.

Schedules are pure functions of the progress of the run; the plateau and early stopping are functions of the figures so
far. No torch: pages draw a schedule with the same functions that the training loop calls.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from core.record import Length, Range
from core.training.optimizers import Momentum, Rate, Share

Epochs = Annotated[int, Range(1, 1000)]

# ---------------------------------------------------------------------------------------------------- one rate an epoch


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""


@dataclass(frozen=True)
class StepLR:
    """The rate is multiplied by gamma every step_size epochs."""

    step_size: Epochs
    gamma: Share = 0.1


@dataclass(frozen=True)
class MultiStepLR:
    """The rate is multiplied by gamma after each of these epochs."""

    milestones: Annotated[tuple[Epochs, ...], Length(1, 50)]
    gamma: Share = 0.1


@dataclass(frozen=True)
class ExponentialLR:
    """The rate is multiplied by gamma after every epoch."""

    gamma: Share


@dataclass(frozen=True)
class LinearLR:
    """The rate's factor goes from start_factor to end_factor in total_iters epochs, and stays there."""

    start_factor: Annotated[float, Range(1e-9, 1)] = 1 / 3
    end_factor: Share = 1.0
    total_iters: Epochs = 5


@dataclass(frozen=True)
class ReduceLROnPlateau:
    """The rate is multiplied by `factor` when the watched figure has not improved for more than `patience` epochs.

    Mode "min" watches the loss, mode "max" the accuracy. An improvement is, in threshold mode "rel", a loss below
    (1 - threshold) times the best so far, or an accuracy above (1 + threshold) times it; in "abs", one that is better
    by more than the threshold. After a fall, `cooldown` epochs are not counted. All by torch's rule.
    """

    factor: Share = 0.1
    patience: Annotated[int, Range(0, 1000)] = 2
    threshold: Share = 0.01
    min_lr: Rate = 0.0001
    monitor: Literal["validation", "test"] = "validation"
    mode: Literal["min", "max"] = "min"
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Annotated[int, Range(0, 1000)] = 0


# ----------------------------------------------------------------------------------------------- one rate an iteration


@dataclass(frozen=True)
class OneCycle:
    """Up to max_lr and down to near zero (Smith & Topin 2018, arXiv:1708.07120), on cosines or straight lines.

    With three phases the way down is as long as the way up, and then the rate goes from the first one to the last.
    With `cycle_momentum` the momentum, or Adam's beta1, falls from max_momentum to base_momentum and comes back.
    """

    warm_up: Annotated[float, Range(0.01, 0.99)] = 0.3  # share of the run on the way up
    start_divisor: Annotated[float, Range(1, 1e6)] = 25.0  # the first rate is max_lr / start_divisor
    end_divisor: Annotated[float, Range(1, 1e9)] = 1e4  # the last rate is the first one / end_divisor
    anneal_strategy: Literal["cos", "linear"] = "cos"
    three_phase: bool = False
    cycle_momentum: bool = False  # torch's default is True
    base_momentum: Momentum = 0.85
    max_momentum: Momentum = 0.95


@dataclass(frozen=True)
class Cosine:
    """From the full rate to eta_min along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, no restarts)."""

    T_max: Annotated[int, Range(0, 1000)] = 0  # epochs until eta_min, then up again; 0: the whole run
    eta_min: Rate = 0.0


@dataclass(frozen=True)
class CosineAnnealingWarmRestarts:
    """Half a cosine again and again (Loshchilov & Hutter 2017): T_0 epochs, then each time T_mult times as many."""

    T_0: Epochs
    T_mult: Annotated[int, Range(1, 100)] = 1
    eta_min: Rate = 0.0


@dataclass(frozen=True)
class CyclicLR:
    """From base_lr up to the learning rate and down again, on straight lines (Smith 2017, arXiv:1506.01186).

    Mode "triangular2" halves the height after each cycle, "exp_range" multiplies it by gamma in each iteration.
    """

    base_lr: Rate
    step_size_up: Annotated[int, Range(1, 1_000_000)] = 2000  # iterations
    step_size_down: Annotated[int, Range(0, 1_000_000)] = 0  # 0: as many as up
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: Share = 1.0
    cycle_momentum: bool = True
    base_momentum: Momentum = 0.8
    max_momentum: Momentum = 0.9


@dataclass(frozen=True)
class LinearToZero:
    """From the full rate to zero along a straight line."""


Schedule = (
    Constant
    | StepLR
    | MultiStepLR
    | ExponentialLR
    | LinearLR
    | ReduceLROnPlateau
    | OneCycle
    | Cosine
    | CosineAnnealingWarmRestarts
    | CyclicLR
    | LinearToZero
)


# ------------------------------------------------------------------------------------------------------------ the rate


def rate_factor(schedule: Schedule, progress: float, epoch: float, rate: float = 1.0, iteration: int = 0) -> float:
    """The factor of the learning rate `rate` at `progress`: 0 at the first iteration of the run, 1 at the last.

    `epoch` counts from 0, with the part that is done; `iteration` counts through the whole run. For a plateau the
    factor is 1, because it depends on the figures so far: see `plateau_rate`.
    """
    match schedule:
        case StepLR(step_size, gamma):
            return float(gamma ** (int(epoch) // step_size))
        case MultiStepLR(milestones, gamma):
            return float(gamma ** bisect_right(sorted(milestones), int(epoch)))
        case ExponentialLR(gamma):
            return float(gamma ** int(epoch))
        case LinearLR(start, end, total):
            return start + (end - start) * min(int(epoch), total) / total
        case OneCycle():
            first = 1 / schedule.start_divisor
            return _through_phases(schedule, progress, (first, 1, first, first / schedule.end_divisor))
        case Cosine(T_max, eta_min):
            return _cosine_between(1, eta_min / rate, epoch / T_max if T_max else progress)
        case CosineAnnealingWarmRestarts(T_0, T_mult, eta_min):
            return _cosine_between(1, eta_min / rate, _since_restart(epoch, T_0, T_mult))
        case CyclicLR():
            base = schedule.base_lr / rate
            return base + (1 - base) * _height(schedule, iteration)
        case LinearToZero():
            return 1 - progress
        case _:
            return 1.0


def momentum_of(schedule: Schedule, progress: float, iteration: int) -> float | None:
    """The momentum at a moment of the run, as for `rate_factor`; None where it stays as the optimizer has it."""
    if not isinstance(schedule, OneCycle | CyclicLR) or not schedule.cycle_momentum:
        return None
    least, most = schedule.base_momentum, schedule.max_momentum
    if isinstance(schedule, OneCycle):
        return _through_phases(schedule, progress, (most, least, most, most))
    return most - (most - least) * _height(schedule, iteration)


def _through_phases(schedule: OneCycle, progress: float, values: tuple[float, float, float, float]) -> float:
    """The value on the way from the first to the second, in three phases back to the third, and to the last."""
    up, between = schedule.warm_up, _cosine_between if schedule.anneal_strategy == "cos" else _line_between
    if progress < up:
        return between(values[0], values[1], progress / up)
    if not schedule.three_phase:
        return between(values[1], values[3], (progress - up) / (1 - up))
    if progress <= 2 * up:
        return between(values[1], values[2], progress / up - 1)
    return between(values[2], values[3], (progress - 2 * up) / (1 - 2 * up))


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _line_between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _since_restart(epoch: float, first: int, factor: int) -> float:
    """The share of the current period that is done, where the first one is so many epochs."""
    length = first
    while epoch >= length:
        epoch -= length
        length *= factor
    return epoch / length


def _height(schedule: CyclicLR, iteration: int) -> float:
    """Where a cyclic rate is between its least, 0, and its largest, 1."""
    up, down = schedule.step_size_up, schedule.step_size_down or schedule.step_size_up
    cycle, within = divmod(iteration, up + down)
    height = within / up if within <= up else 1 - (within - up) / down
    match schedule.mode:
        case "triangular2":
            return math.ldexp(height, -cycle)
        case "exp_range":
            return float(height * schedule.gamma**iteration)
        case _:
            return height


# ------------------------------------------------------------------------------------------- by the figures of the run


def plateau_rate(schedule: ReduceLROnPlateau, rate: float, figures: Sequence[float]) -> float:
    """The rate after epochs with these watched losses or accuracies, from the first rate `rate`, by torch's rule."""
    better = _improves(schedule.mode, schedule.threshold, schedule.threshold_mode)
    best, waited, cooling = math.inf if schedule.mode == "min" else -math.inf, 0, 0
    for figure in figures:
        if better(figure, best):
            best, waited = figure, 0
        else:
            waited += 1
        if cooling > 0:
            cooling, waited = cooling - 1, 0
        if waited > schedule.patience:
            lower = max(rate * schedule.factor, schedule.min_lr)
            if rate - lower > 1e-8:
                rate = lower
            waited, cooling = 0, schedule.cooldown
    return rate


def _improves(mode: str, threshold: float, threshold_mode: str) -> Callable[[float, float], bool]:
    """Whether a figure is better than the best one so far."""
    sign = 1 if mode == "max" else -1

    def better(figure: float, best: float) -> bool:
        least = best * (1 + sign * threshold) if threshold_mode == "rel" else best + sign * threshold
        return sign * figure > sign * least

    return better


@dataclass(frozen=True)
class EarlyStopping:
    """The run ends when the figure on the held-out images has not improved for `patience` epochs, as in Keras.

    An improvement is one by more than min_delta. Without held-out images the test images decide, as in some
    write-ups: then the test accuracy looks too good.
    """

    patience: Epochs = 3
    monitor: Literal["loss", "accuracy"] = "loss"
    min_delta: Share = 0.0


def stops(early: EarlyStopping, figures: Sequence[float]) -> bool:
    """Whether the run ends after epochs with these losses or accuracies."""
    better = _improves("min" if early.monitor == "loss" else "max", early.min_delta, "abs")
    best, best_at = figures[0] if figures else 0.0, 0
    for epoch, figure in enumerate(figures):
        if better(figure, best):
            best, best_at = figure, epoch
    return len(figures) - 1 - best_at >= early.patience
