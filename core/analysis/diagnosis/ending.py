"""Findings about the end of a run: still improving, unsteady, on target, better or worse than other runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.analysis.diagnosis.finding import Advises, Finding, FindingKind, Page, RunFigures, held_out, train_longer
from core.analysis.diagnosis.fitting import FIRST_EPOCHS
from core.analysis.evidence import in_points, interval_in_points, of_accuracies, p_stated
from core.analysis.proportion import ERRORS_OF_NOISE, standard_error
from core.architecture.spec import BatchNorm
from core.training.recipe import (
    Constant,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LinearLR,
    LinearToZero,
    OneCycle,
)
from core.words import loss_words, plural, target_words

# Deviation of the held-out loss from its trend, relative. Of the measured runs whose rate stayed high, three in four
# have more (median 0.08); of those whose rate had fallen before the window, one in thirty (median 0.02, at most 0.09).
UNSTEADY = 0.06
WINDOW = 6  # epochs that a trend is fitted to
T_OF_WINDOW = 3.747  # one-sided 1% point of Student's t with WINDOW - 2 = 4 degrees of freedom: noise is no trend
WORTH_IT = 0.05  # relative fall of the held-out loss that is worth more epochs
SHORT_FALL = 0.3  # the same for a run shorter than the window, from its first epoch on; each epoch must fall
STAY_HIGH = (Constant, LinearLR, CyclicLR, CosineAnnealingWarmRestarts)  # schedules that promise no fall at the end
DEAD = 0.05  # least share of dead units in a layer that is reported; one of eight channels is 0.125


def unsteady(run: RunFigures) -> Finding | None:
    """The held-out loss still goes up and down at the end, and the rate has hardly fallen."""
    history = run.history
    if len(history) < 1.5 * WINDOW:  # or its steep beginning would be in the window
        return None
    rates = [record.learning_rate for record in history]
    losses, name = held_out(history[-WINDOW:])
    scatter = trend(losses).scatter / max(statistics.fmean(losses), 1e-12)
    if scatter < UNSTEADY or rates[-1] < max(rates) / 2:
        return None
    accuracies = [record.held_out_accuracy for record in history[-WINDOW:]]
    falling = [kind.__name__ for kind in (LinearToZero, OneCycle, Cosine) if not isinstance(run.recipe.schedule, kind)]
    advice = f"A schedule that lets the rate fall: {', '.join(falling[:-1])} or {falling[-1]}."
    if run.epochs_left and not isinstance(run.recipe.schedule, STAY_HIGH):
        advice = f"Let it go on: its schedule has {plural(run.epochs_left, 'epoch')} left to let the rate fall."
    return Finding(
        "unsteady",
        "Its last epochs are unsteady: with so large a rate the weights never come to rest.",
        f"Over the last {WINDOW} epochs the {name} loss scatters by {scatter:.0%} around its trend "
        f"({UNSTEADY:.0%} counts), and {name} accuracy lies between {min(accuracies):.2%} and {max(accuracies):.2%}. "
        f"The rate is still {rates[-1]:.3g}.",
        advice,
        "learning rate",
        ("lower rate",),
    )


def still_improving(run: RunFigures) -> Finding | None:
    """The held-out loss still falls, by more than noise explains."""
    losses, name = held_out(run.history)
    if len(losses) < 3 or losses[0] <= 0:
        return None
    if len(losses) < WINDOW:
        fall = 1 - losses[-1] / losses[-2] if losses[-2] > 0 else 0.0
        falls = all(after < before for before, after in pairwise(losses))
        if not falls or fall < WORTH_IT or losses[-1] > (1 - SHORT_FALL) * losses[0]:
            return None
        evidence = (
            f"The {name} loss fell in every epoch, in the last by {fall:.0%}, from {loss_words(losses[-2])} to "
            f"{loss_words(losses[-1])}."
        )
    else:
        window = losses[-WINDOW:]
        line = trend(window)
        half = line.slope * (WINDOW - 1) / 2
        fall = -2 * half / max(statistics.fmean(window) - half, 1e-12)  # of where the line begins
        if fall < WORTH_IT or line.t > -T_OF_WINDOW:
            return None
        evidence = (
            f"Over the last {WINDOW} epochs the {name} loss fell by {fall:.0%} along its trend "
            f"(t = {line.t:.1f}; below {-T_OF_WINDOW:.1f} counts)."
        )
    return Finding(
        "still improving",
        "It is still improving." if run.epochs_left else "It was still improving when it ended.",
        evidence,
        train_longer(run),
        "train",
        ("more epochs",),
    )


def too_short(run: RunFigures) -> Finding | None:
    """Fewer epochs than the other rules need."""
    done = len(run.history)
    if done >= FIRST_EPOCHS:
        return None
    return Finding(
        "too short",
        "It is too short to say much: under- and overfitting show from the third epoch on.",
        f"It has {plural(done, 'epoch')}.",
        train_longer(run) if run.epochs_left else "Train at least five epochs.",
        "train",
        ("more epochs",),
    )


@dataclass(frozen=True)
class Trend:
    """A straight line through a series, by least squares."""

    slope: float  # per epoch
    scatter: float  # standard deviation around the line, over n - 2
    t: float  # of the slope; 0 without scatter


def trend(values: Sequence[float]) -> Trend:
    """The line through at least three values at equal distances."""
    places = range(len(values))
    slope, start = statistics.linear_regression(places, values)
    squares = math.fsum((value - start - slope * place) ** 2 for place, value in zip(places, values, strict=True))
    scatter = math.sqrt(squares / (len(values) - 2))
    middle = (len(values) - 1) / 2
    width = math.sqrt(math.fsum((place - middle) ** 2 for place in places))
    return Trend(slope, scatter, slope * width / scatter if scatter else 0.0)


def against_target(run: RunFigures) -> Finding:
    """Whether the last epoch meets the target, and by how many images."""
    last, target = run.history[-1].test_accuracy, run.recipe.target_accuracy
    images = round(abs(last - target) * run.test_images)
    error = standard_error(target, run.test_images)
    chance = (
        f"With {run.test_images:,} test images the standard error is {100 * error:.2f} points, "
        f"{plural(round(error * run.test_images), 'image')}."
    )
    if last >= target:
        held = next((n for n, r in enumerate(reversed(run.history)) if r.test_accuracy < target), len(run.history))
        return Finding(
            "target met",
            f"It ends at {last:.2%}, on target.",
            f"{plural(images, 'image')} above {target_words(target)}, held for {plural(held, 'epoch')}. {chance}",
            "Look at what it still gets wrong.",
            "mistakes",
        )
    within = last > target - ERRORS_OF_NOISE * error
    near = " That is within noise: another seed may meet it." if within else ""
    return Finding(
        "target missed",
        f"It ends at {last:.2%}, {plural(images, 'image')} short of {target_words(target)}.{near}",
        chance,
        "Look at what it gets wrong.",
        "mistakes",
    )


def dead_units(run: RunFigures) -> Finding | None:
    """Layers with many units whose output is 0 for every image."""
    dead = [layer for layer in run.dead if layer.units and layer.dead / layer.units >= DEAD]
    if not dead:
        return None
    listed = ", ".join(f"{layer.dead} of {layer.units} in {layer.layer}" for layer in dead)
    normalised = "" if run.has(BatchNorm) else "batch norm before the ReLU, "
    return Finding(
        "dead units",
        "Some of its units are dead: they cost parameters and say nothing.",
        f"They answered 0 to all of {dead[0].images:,} test images: {listed}.",
        f"A smaller learning rate, {normalised}or fewer channels there.",
        "design",
        ("lower rate",),
    )


def against_other(run: RunFigures) -> Finding | None:
    """The last test accuracy compared with other runs, and whether the difference may be chance (`evidence`)."""
    other = run.other
    if other is None or not other.accuracies:
        return None
    mine, theirs = run.history[-1].test_accuracy, statistics.fmean(other.accuracies)
    found = of_accuracies(other.accuracies, [mine])
    kind: FindingKind = "within noise" if found.told == "cannot be told" else found.told
    words = {
        "within noise": f"Whether it differs from {other.name} cannot be told.",
        "better": f"It is better than {other.name}, by more than chance explains.",
        "worse": f"It is worse than {other.name}, by more than chance explains.",
    }[kind]
    page: Page = "compare"
    advice = "More seeds of both would tell; so do the images that only one of them gets right."
    advises: tuple[Advises, ...] = ()
    epochs = len(run.history)
    if found.difference < 0 and epochs < other.epochs:
        kind, words = "worse", f"It is worse than {other.name}, in {epochs} of its {other.epochs} epochs."
        page, advice, advises = "train", "Train it as long; then compare them.", ("more epochs",)
    reach = "one run each has no spread to judge by"
    if found.interval and found.p is not None:
        reach = f"95% interval {interval_in_points(found.interval)}, {p_stated(found.p)}"
    return Finding(
        kind,
        words,
        f"{mine:.2%} against {theirs:.2%} (n {len(other.accuracies)}): {in_points(found.difference)} points; {reach}. "
        f"Other test images would move each figure by about "
        f"±{100 * standard_error(mine, run.test_images):.2f} points.",
        advice,
        page,
        advises,
    )
