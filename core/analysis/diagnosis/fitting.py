"""Findings about fitting: the network overfits, or it underfits."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from core.analysis.diagnosis.finding import Advises, Finding, RunFigures, held_out
from core.analysis.proportion import ERRORS_OF_NOISE, standard_error
from core.architecture.spec import ReLU
from core.architecture.trace import trace
from core.words import loss_words, target_words

FIRST_EPOCHS = 3  # before the third epoch, figures say nothing about under- and overfitting
# Train above held-out accuracy: almost all the 0.006 that the target leaves. Without dropout and augmentation, the
# shipped weights of A1 have 0.0092 and B1's 0.0071; all others but C1's, which were not measured, at most 0.0046.
GAP = 0.005
# Times the least held-out loss, three epochs averaged, for each of the last three epochs.
RISEN = 1.15  # measured runs: at most 1.12
STILL_FALLS = 0.9  # of the train loss since then: below it, the network goes on learning the training images


@dataclass(frozen=True)
class Fitted:
    """How well the network fits the training images, to compare with held-out images."""

    accuracy: float  # in the last epoch
    gap: float  # train less held-out accuracy
    how: str  # how both accuracies were measured: a sentence


def fitted(run: RunFigures) -> Fitted:
    """From the figures without dropout and augmentation where there are any, else from those during training."""
    history, last = run.history, run.history[-1]
    if last.plain_train_accuracy is not None:
        return Fitted(
            last.plain_train_accuracy,
            last.plain_train_accuracy - last.held_out_accuracy,
            "Both are measured without dropout and augmentation.",
        )
    gap = statistics.fmean(record.train_accuracy - record.held_out_accuracy for record in history[-3:])
    made_hard = f", with {run.hard} on" if run.hard else ""
    how = f"Train accuracy is measured while the weights change{made_hard}; the other one after each epoch, without."
    return Fitted(last.train_accuracy, gap, how)


def overfits(run: RunFigures) -> Finding | None:
    """The held-out loss rises while the train loss falls, or train accuracy stands far above the held-out one."""
    history = run.history
    if len(history) < FIRST_EPOCHS:
        return None
    losses, name = held_out(history)
    train, held = fitted(run), history[-1].held_out_accuracy
    if held >= train.accuracy:
        return None
    turn = turning_point(losses)
    rises = turn is not None and history[-1].train_loss < STILL_FALLS * history[turn].train_loss
    counts = max(GAP, ERRORS_OF_NOISE * standard_error(held, held_out_images(run)))
    if train.gap < counts and not rises:
        return None
    if turn is not None and rises:
        since, least = turn, losses[turn]
        evidence = (
            f"The {name} loss rose from {loss_words(least)} in epoch {turn + 1} to {loss_words(losses[-1])}, the train "
            f"loss fell from {loss_words(history[turn].train_loss)} to {loss_words(history[-1].train_loss)}."
        )
    else:
        accuracies = [record.held_out_accuracy for record in history]
        since = apart_since([record.train_accuracy for record in history], accuracies)
        over = "" if history[-1].plain_train_accuracy is not None else " over the last three epochs"
        evidence = (
            f"Train accuracy is {100 * train.gap:.2f} points above {name} accuracy{over} ({train.accuracy:.2%} and "
            f"{held:.2%} in the last; {100 * counts:.1f} points count). {train.how}"
        )
    harder = [f"{'stronger ' if has else ''}{what}" for what, has in _regularisers(run)]
    worse = " More epochs make it worse." if rises else ""
    return Finding(
        "overfits",
        f"It overfits from epoch {max(since + 1, FIRST_EPOCHS)} on: it learns the training images by heart.",
        evidence,
        f"{harder[0].capitalize()}, {harder[1]} or fewer parameters.{worse}",
        "train",
        ("more regularisation", "less capacity", "fewer epochs"),
    )


def _regularisers(run: RunFigures) -> tuple[tuple[str, bool], tuple[str, bool]]:
    """Augmentation and dropout, and whether the run has each; first the one that it does not have."""
    augmentation, dropout = ("augmentation", run.augments), ("dropout", run.has_dropout)
    return (dropout, augmentation) if run.augments and not run.has_dropout else (augmentation, dropout)


def held_out_images(run: RunFigures) -> int:
    """How many images the held-out accuracy is measured on."""
    validated = run.history[-1].validation_accuracy is not None
    return run.validation_images or run.test_images if validated else run.test_images


def turning_point(losses: Sequence[float]) -> int | None:
    """The epoch of the least loss, if each of the last three losses is well above it; else None.

    The least loss is an average over three epochs.
    """
    if len(losses) < 5:
        return None
    means = [statistics.fmean(losses[centre - 1 : centre + 2]) for centre in range(1, len(losses) - 1)]
    least = min(range(len(means)), key=means.__getitem__)
    if not min(losses[-3:]) > RISEN * means[least]:
        return None
    return min(range(least, least + 3), key=losses.__getitem__)


def apart_since(train: Sequence[float], held_out: Sequence[float]) -> int:
    """The first epoch from which train accuracy stays above the other by at least half a GAP."""
    near = [epoch for epoch, (one, other) in enumerate(zip(train, held_out, strict=True)) if one - other < GAP / 2]
    return min(near[-1] + 1 if near else 0, len(train) - 1)


def underfits(run: RunFigures) -> Finding | None:
    """Below the target on both sets, with no gap between them: the network cannot fit even the training images."""
    history, target = run.history, run.recipe.target_accuracy
    last, train = history[-1], fitted(run)
    best = train.accuracy
    if last.plain_train_accuracy is None:
        best = max(record.train_accuracy for record in history[-3:])
    short = target - last.test_accuracy
    is_short = short > ERRORS_OF_NOISE * standard_error(target, run.test_images)
    if len(history) < FIRST_EPOCHS or best >= target or not is_short or train.gap >= GAP:
        return None
    over = "" if last.plain_train_accuracy is not None else " over the last three epochs"
    advice, advises = _what_lets_it_fit(run)
    return Finding(
        "underfits",
        "It underfits: it does not even reach the target on the images it is trained on.",
        f"Train {train.accuracy:.2%} and test {last.test_accuracy:.2%} are both below {target_words(target)}; "
        f"train is {100 * abs(train.gap):.2f} points {'above' if train.gap > 0 else 'below'} {held_out(history)[1]}"
        f"{over}. {train.how}",
        advice,
        "design",
        advises,
    )


def _what_lets_it_fit(run: RunFigures) -> tuple[str, tuple[Advises, ...]]:
    """Advice: less dropout and augmentation, and more capacity, as far as the challenge's budget allows."""
    wider = "more channels, one more layer"
    if run.architecture is not None:
        most = run.challenge.parameters
        left = most - trace(run.architecture).parameters
        wider += f" ({left:,} of {most:,} parameters are left)" if left > 0 else ""
        if left <= 0:
            wider = "the same parameters spent elsewhere"
    if not run.has(ReLU):
        wider = f"an activation after each convolution, {wider}"
    if run.hard:
        return f"Less {run.hard}; or more capacity: {wider}.", ("less regularisation", "more capacity")
    return f"More capacity: {wider}.", ("more capacity",)
