"""Findings about the learning rate: too high, too low, or so that nothing is learned."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from itertools import pairwise

from core.analysis.diagnosis.finding import Finding, RunFigures, held_out, train_longer
from core.architecture.spec import BatchNorm
from core.words import factor_words, loss_words, plural

NO_NUMBER = re.compile(r"loss is (nan|-?inf|\S+ \(more than)")  # in the error message of the training loop
GUESSING = 0.2  # accuracy: twice that of guessing one digit of ten
FLAT = 0.03  # if accuracy rises by less over three or more epochs, the run learns nothing
WELL_ABOVE_GUESSING = 0.5  # a constant accuracy below this means that the network tells only a few classes apart
EARLY_RISE = 1.3  # times the first loss, in the first epoch: median of three batches; with rates that fit at most 1.02
LATE_RISE = 0.6  # of the held-out loss in one epoch; in measured runs at most 0.52, but for one spike of 0.79
STAYS = 3  # epochs that a single rise must last; a shorter one is a spike
STRAIGHT = 0.6  # share of a straight line's fall in the last third; from 5 epochs on, measured runs have at most 0.37
STRAIGHT_EPOCHS = 5  # the loss must fall in each: of pure noise, one series in 120 does
CAUGHT_UP = 3.0  # spans of the average after which its first weights count for less than 5%


def diverged(run: RunFigures) -> Finding | None:
    """The loss is no longer a number, or so large that training stopped."""
    if not NO_NUMBER.search(run.failure):
        return None
    steadier = "" if run.has(BatchNorm) else " Batch norm allows a larger one."
    return Finding(
        "diverged",
        "It diverged: the loss grew beyond all bounds.",
        f"The run ended so: {run.failure}.",
        f"Take a smaller learning rate: a range test says where the loss still falls.{steadier}",
        "learning rate",
        ("lower rate",),
    )


def rate_too_high(run: RunFigures, held_out_counts: bool = True) -> Finding | None:
    """The loss rises in the first epoch, or the held-out loss jumps later: twice, or once for good. One spike is fine.

    `held_out_counts`: False where the held-out loss says little, because the averaged weights lag behind.
    """
    evidence = _early_rise(run.first_losses) or (_late_rise(run) if held_out_counts else "")
    if not evidence:
        return None
    return Finding(
        "rate too high",
        "The learning rate is too high: the steps overshoot, and the loss jumps.",
        evidence,
        "A third of the rate, or the one that a range test suggests.",
        "learning rate",
        ("lower rate",),
    )


def _early_rise(losses: Sequence[float]) -> str:
    """How far the loss rose above its first value in the first epoch; medians of three batches, so no single spike."""
    if len(losses) < 4 or not losses[0] > 0:
        return ""
    peak = max(statistics.median(losses[start : start + 3]) for start in range(len(losses) - 2)) / losses[0]
    if not peak > EARLY_RISE:
        return ""
    return f"In the first epoch the loss rose to {factor_words(peak)} what it began with ({EARLY_RISE} times counts)."


def _late_rise(run: RunFigures) -> str:
    losses, name = held_out(run.history)
    rises = [
        epoch
        for epoch, (before, after) in enumerate(pairwise(losses), 1)
        if before > 0 and after / before - 1 >= LATE_RISE
    ]
    if not rises:
        return ""
    epoch = max(rises, key=lambda each: losses[each] / losses[each - 1])
    before, after = losses[epoch - 1], losses[epoch]
    stayed = losses[epoch : epoch + STAYS]
    if len(rises) < 2 and (len(stayed) < STAYS or min(stayed) < (1 + LATE_RISE) * before):
        return ""
    by = f"by {after / before - 1:.0%}" if after < 10 * before else f"to {factor_words(after / before)} the one before"
    often = f" {len(rises)} times it rose by {LATE_RISE:.0%} or more." if len(rises) > 1 else " It stayed up."
    return (
        f"The {name} loss rose from {loss_words(before)} to {loss_words(after)} in epoch {epoch + 1}, {by} "
        f"({LATE_RISE:.0%} counts).{often}"
    )


def rate_too_low(run: RunFigures) -> Finding | None:
    """The train loss still falls as steeply at the end as at the start."""
    # Without the last epochs on images as they are: their losses are lower because their images are easier.
    changes = [run.recipe.augmentation_in(record.epoch) for record in run.history]
    history = run.history[: changes.count(changes[0])]
    losses = [record.train_loss for record in history]
    share = straightness(losses)
    falls = all(after < before for before, after in pairwise(losses))
    if len(losses) < STRAIGHT_EPOCHS or share < STRAIGHT or not falls:
        return None
    if run.history[-1].train_accuracy >= run.recipe.target_accuracy:
        return None
    first, last = history[0], history[-1]
    longer = train_longer(run)
    return Finding(
        "rate too low",
        "The learning rate is too low, or the run too short: at its end the loss still falls as fast as before.",
        f"The train loss went from {loss_words(first.train_loss)} to {loss_words(last.train_loss)}; in the last third "
        f"it fell {share:.2f} times as fast as over the whole run ({STRAIGHT} counts; where a curve has flattened, it "
        "is below 0.4).",
        f"Three to ten times the rate, or the one that a range test suggests. Or: {longer[0].lower()}{longer[1:]}",
        "learning rate",
        ("higher rate", "more epochs"),
    )


def straightness(losses: Sequence[float]) -> float:
    """How steep the last third of the curve is, compared with the straight line from its first point to its last.

    1 for a line; near 0 for a curve that has flattened. 0 for fewer than three losses, or a fall below 1%.
    """
    if len(losses) < 3 or not losses[0] > losses[-1] * 1.01:
        return 0.0
    steps = len(losses) - 1
    third = max(1, len(losses) // 3)
    return (losses[-1 - third] - losses[-1]) / (losses[0] - losses[-1]) / (third / steps)


def learns_nothing(run: RunFigures) -> Finding | None:
    """Accuracy is near guessing at the end, or low and no better than after the first epoch."""
    accuracies = [max(record.train_accuracy, record.held_out_accuracy) for record in run.history]
    stands_still = len(accuracies) >= 3 and max(accuracies) < min(accuracies[0] + FLAT, WELL_ABOVE_GUESSING)
    if accuracies[-1] >= GUESSING and not stands_still:
        return None
    risen = f", and was {accuracies[0]:.1%} after the first" if accuracies[-1] >= GUESSING else ""
    return Finding(
        "learns nothing",
        "It has learned almost nothing.",
        f"Accuracy is {accuracies[-1]:.1%} after {plural(len(accuracies), 'epoch')}{risen}; guessing gets 10%.",
        "The rate may be far too low or far too high: a range test tells which. If its curve is flat, look at the "
        "network: what is missing between the layers?",
        "learning rate",
    )


def average_lags(run: RunFigures) -> Finding | None:
    """The test uses averaged weights, and the first weights still count for much in that average."""
    recipe, last = run.recipe, run.history[-1]
    if not recipe.ema_decay or last.held_out_accuracy >= last.train_accuracy:
        return None
    batches = math.ceil((run.train_images - run.validation_images) / recipe.batch_size)
    done = len(run.history) * batches
    span = 1 / (1 - recipe.ema_decay_at(done))
    if done >= CAUGHT_UP * span:
        return None
    return Finding(
        "average lags",
        "The averaged weights have not caught up: the test accuracy says little yet.",
        f"The average spans about {span:,.0f} iterations, and {done:,} have been made. On held-out images the averaged "
        f"weights reach {last.held_out_accuracy:.2%}; the weights themselves {last.train_accuracy:.2%} in training.",
        f"{train_longer(run)} Or a shorter average, or one that warms up.",
        "train",
        ("more epochs",),
    )
