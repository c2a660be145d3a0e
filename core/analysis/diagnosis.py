"""What a run's own figures say about it, in plain words: each finding with its evidence and what to try. No torch.

The thresholds are the lab's own. Each stands with its reason, which is what the measured runs of the ladder show
(`checkpoints/studies`); the tests say what every one of those is diagnosed as.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from core.analysis.evidence import in_points, interval_in_points, of_accuracies, p_stated
from core.analysis.proportion import standard_error
from core.architecture.spec import Architecture, BatchNorm, Op, ReLU
from core.architecture.trace import trace
from core.challenge import MAX_EPOCHS, MAX_PARAMETERS
from core.training.history import EpochRecord
from core.training.recipe import HELD_OUT_SHARE, Constant, Cosine, LinearToZero, OneCycle, Recipe
from core.words import loss_words, plural

Kind = Literal[
    "diverged",
    "learns nothing",
    "rate too high",
    "rate too low",
    "average lags",
    "overfits",
    "underfits",
    "unsteady",
    "still improving",
    "dead units",
    "too short",
    "target met",
    "target missed",
    "within noise",
    "better",
    "worse",
]
Page = Literal["learning rate", "train", "design", "step", "mistakes", "compare"]  # where to try what is advised
Advises = Literal[
    "more epochs",
    "fewer epochs",
    "higher rate",
    "lower rate",
    "more capacity",
    "less capacity",
    "more regularisation",
    "less regularisation",
]
OPPOSITE: dict[Advises, Advises] = {
    "more epochs": "fewer epochs",
    "higher rate": "lower rate",
    "more capacity": "less capacity",
    "more regularisation": "less regularisation",
}

SHORT = 3  # epochs; earlier ones say nothing of under- and overfitting
GUESSING = 0.2  # accuracy: twice what guessing one of ten gets
FLAT = 0.03  # by which an accuracy must have risen over three epochs or more, or nothing is learnt
WELL_ABOVE_GUESSING = 0.5  # an accuracy that stands still below it is that of a few classes, not of ten
EARLY_RISE = 1.3  # times the first loss, in the first epoch: median of three batches; with rates that fit at most 1.02
LATE_RISE = 0.6  # of the held-out loss from one epoch to the next; in the ladder's runs at most 0.52
STAYS = 3  # epochs in which a single such rise must last, or it is a spike
STRAIGHT = 0.6  # share of a straight line's fall in the last third; from 5 epochs on, measured runs have at most 0.33
STRAIGHT_EPOCHS = 5  # that must fall one and all: of noise, one series in 120 does
# Train above held-out accuracy: almost all the 0.006 that the target leaves. Without dropout and augmentation, the
# shipped weights of A1 have 0.0092 and B1's 0.0071; all others but C1's, which were not measured, at most 0.0046.
GAP = 0.005
# Times the least held-out loss, three epochs averaged, for each of the last three epochs.
RISEN = 1.15  # measured runs: at most 1.12
STILL_FALLS = 0.9  # of the train loss since then: below it, the network goes on learning the training images
# Deviation of the held-out loss from its trend, relative. Of the measured runs whose rate stayed high, three in four
# have more (median 0.07); of those whose rate had fallen before the window, one in thirty (median 0.02, at most 0.09).
UNSTEADY = 0.06
WINDOW = 6  # epochs that a trend is fitted to
T_OF_WINDOW = 3.747  # one-sided 1% point of Student's t with WINDOW - 2 = 4 degrees of freedom: noise is no trend
WORTH_IT = 0.05  # relative fall of the held-out loss that is worth more epochs
SHORT_FALL = 0.3  # the same, of a run shorter than the window, from its first epoch on: one and all must fall
DEAD = 0.05  # share of a layer's units from which on it is said; one of eight channels is 0.125
ERRORS_OF_NOISE = 2.0  # standard errors within which a difference may be chance: 95%
CAUGHT_UP = 3.0  # spans of the average after which its first weights count for less than 5%

NO_NUMBER = re.compile(r"loss is (nan|-?inf|\S+ \(more than)")  # how the training loop says so


@dataclass(frozen=True)
class DeadUnits:
    """Units of one layer that answered 0 to every image they were shown."""

    layer: str
    dead: int
    units: int
    images: int


@dataclass(frozen=True)
class Other:
    """What a run is held against: the last epochs' test accuracies of other runs, a seed each."""

    name: str
    accuracies: tuple[float, ...]
    epochs: int = 0  # that they were trained for; 0: not known


@dataclass(frozen=True)
class Subject:
    """A run, as far as it is known."""

    history: tuple[EpochRecord, ...]
    recipe: Recipe
    test_images: int = 10_000
    first_losses: tuple[float, ...] = ()  # batches of the first epoch, in order, all or some
    failure: str = ""  # the sentence it failed with
    has_dropout: bool = False
    dead: tuple[DeadUnits, ...] = ()
    other: Other | None = None
    architecture: Architecture | None = None
    train_images: int = 60_000  # before any are held out

    @property
    def epochs_left(self) -> int:
        """Of those that the recipe plans."""
        return max(0, self.recipe.epochs - len(self.history))

    @property
    def validation_images(self) -> int:
        """How many of the training images are held out: of any data set the same share as of MNIST."""
        return round(HELD_OUT_SHARE * self.train_images) if self.recipe.validation_size else 0

    @property
    def augments(self) -> bool:
        """Whether the training images are changed at random."""
        return self.recipe.augmentation.geometric or self.recipe.augmentation.photometric

    @property
    def hard(self) -> str:
        """What makes training images harder than test images, in words; "" where nothing does."""
        return " and ".join(
            word for word, is_on in (("dropout", self.has_dropout), ("augmentation", self.augments)) if is_on
        )

    def has(self, kind: type[Op]) -> bool:
        """Whether the network, where it is known, has such an op."""
        return self.architecture is not None and any(isinstance(op, kind) for op in self.architecture.ops)


@dataclass(frozen=True)
class Finding:
    """One thing that the figures say."""

    kind: Kind
    words: str
    evidence: str  # the numbers it stands on
    advice: str = ""  # what to try; empty where there is nothing to be done
    page: Page | None = None
    advises: tuple[Advises, ...] = ()  # the same in a form that can be compared


def diagnose(subject: Subject) -> tuple[Finding, ...]:
    """All that the run's figures say, the most telling first; no two of them advise opposite things."""
    if found := diverged(subject):
        return (found,)
    if not subject.history:
        return ()
    nothing = learns_nothing(subject)
    lags = average_lags(subject)
    about_rate = rate_too_high(subject) or rate_too_low(subject) or nothing
    found_all = [verdict(subject), about_rate, lags]
    if lags is None and (about_rate is None or about_rate.kind == "rate too high"):
        found_all += [overfits(subject)]
    if about_rate is None:  # else it would only be said again in other words
        found_all += [too_short(subject)]
    if about_rate is None and lags is None:
        improving = still_improving(subject)
        had_its_time = improving is None or not (subject.epochs_left or len(subject.history) < WINDOW)
        found_all += [underfits(subject) if had_its_time else None, unsteady(subject), improving]
    found_all += [dead_units(subject), against_other(subject)]
    return without_contradictions([each for each in found_all if each is not None])


def without_contradictions(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in order; one that advises the opposite of an earlier one is left out.

    A comparison with other runs stays, without its advice.
    """
    kept: list[Finding] = []
    for finding in findings:
        said = {advised for each in kept for advised in each.advises}
        if not any(contradict(one, other) for one in finding.advises for other in said):
            kept.append(finding)
        elif finding.kind in ("better", "worse", "within noise"):
            kept.append(replace(finding, advice="", advises=()))
    return tuple(kept)


def contradict(one: Advises, other: Advises) -> bool:
    """Whether the two cannot both be followed."""
    return OPPOSITE.get(one) == other or OPPOSITE.get(other) == one


def _longer(subject: Subject) -> str:
    """How to train on: a run with epochs left has them already, and the challenge allows no more than fifteen."""
    if left := subject.epochs_left:
        return (
            f"Let it go on: {plural(left, 'epoch')} of its {subject.recipe.epochs} {'is' if left == 1 else 'are'} left."
        )
    if len(subject.history) < MAX_EPOCHS:
        return f"More epochs: the challenge allows {MAX_EPOCHS}. A schedule that falls to zero is stretched over them."
    return f"More epochs would help, but the challenge allows {MAX_EPOCHS} at most."


# ---------------------------------------------------------------------------------------------------- the learning rate


def diverged(subject: Subject) -> Finding | None:
    """The loss is no longer a number, or so great that training was ended."""
    if not NO_NUMBER.search(subject.failure):
        return None
    steadier = "" if subject.has(BatchNorm) else " Batch norm allows a larger one."
    return Finding(
        "diverged",
        "It diverged: the loss grew beyond all bounds.",
        f"The run ended so: {subject.failure}.",
        f"Take a smaller learning rate: a range test says where the loss still falls.{steadier}",
        "learning rate",
        ("lower rate",),
    )


def rate_too_high(subject: Subject) -> Finding | None:
    """The loss rises early on, or jumps from epoch to epoch: more than once, or to stay up. One spike says nothing."""
    evidence = _early_rise(subject.first_losses) or _late_rise(subject)
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
    """How far the loss rose above its first value within the first epoch: medians of three, which a spike leaves."""
    if len(losses) < 4 or not losses[0] > 0:
        return ""
    peak = max(statistics.median(losses[start : start + 3]) for start in range(len(losses) - 2)) / losses[0]
    if not peak > EARLY_RISE:
        return ""
    return f"In the first epoch the loss rose to {spelt_factor(peak)} what it began with ({EARLY_RISE} times counts)."


def _late_rise(subject: Subject) -> str:
    losses, name = held_out(subject.history)
    rises = [
        epoch
        for epoch, (before, after) in enumerate(pairwise(losses), 1)
        if before > 0 and after / before - 1 >= LATE_RISE
    ]
    if not rises or average_lags(subject):
        return ""
    epoch = max(rises, key=lambda each: losses[each] / losses[each - 1])
    before, after = losses[epoch - 1], losses[epoch]
    stayed = losses[epoch : epoch + STAYS]
    if len(rises) < 2 and (len(stayed) < STAYS or min(stayed) < (1 + LATE_RISE) * before):
        return ""
    by = f"by {after / before - 1:.0%}" if after < 10 * before else f"to {spelt_factor(after / before)} the one before"
    often = f" {len(rises)} times it rose by {LATE_RISE:.0%} or more." if len(rises) > 1 else " It stayed up."
    return (
        f"The {name} loss rose from {loss_words(before)} to {loss_words(after)} in epoch {epoch + 1}, {by} "
        f"({LATE_RISE:.0%} counts).{often}"
    )


def rate_too_low(subject: Subject) -> Finding | None:
    """At the end the train loss still falls as steeply as at the start."""
    losses = [record.train_loss for record in subject.history]
    share = straightness(losses)
    falls = all(after < before for before, after in pairwise(losses))
    if len(losses) < STRAIGHT_EPOCHS or share < STRAIGHT or not falls:
        return None
    if subject.history[-1].train_accuracy >= subject.recipe.target_accuracy:
        return None
    first, last = subject.history[0], subject.history[-1]
    longer = f"Or: {_longer(subject)[0].lower()}{_longer(subject)[1:]}"
    return Finding(
        "rate too low",
        "The learning rate is too low, or the run too short: at its end the loss still falls as fast as before.",
        f"The train loss went from {loss_words(first.train_loss)} to {loss_words(last.train_loss)}; in the last third "
        f"it fell {share:.2f} times as fast as over the whole run ({STRAIGHT} counts; where a curve has flattened, it "
        "is below 0.35).",
        f"Three to ten times the rate, or the one that a range test suggests. {longer}",
        "learning rate",
        ("higher rate", "more epochs"),
    )


def straightness(losses: Sequence[float]) -> float:
    """How steep the last third of the curve is, in terms of the straight line from its first point to its last.

    1 for a line; near 0 for a curve that has flattened. 0 where fewer than three losses, or a fall below 1%, say
    nothing.
    """
    if len(losses) < 3 or not losses[0] > losses[-1] * 1.01:
        return 0.0
    steps = len(losses) - 1
    third = max(1, len(losses) // 3)
    return (losses[-1 - third] - losses[-1]) / (losses[0] - losses[-1]) / (third / steps)


def learns_nothing(subject: Subject) -> Finding | None:
    """No better than guessing after all its epochs, or no better than after its first, and far from good."""
    accuracies = [max(record.train_accuracy, record.held_out_accuracy) for record in subject.history]
    stands_still = len(accuracies) >= 3 and max(accuracies) < min(accuracies[0] + FLAT, WELL_ABOVE_GUESSING)
    if accuracies[-1] >= GUESSING and not stands_still:
        return None
    risen = f", and was {accuracies[0]:.1%} after the first" if accuracies[-1] >= GUESSING else ""
    return Finding(
        "learns nothing",
        "It has learnt next to nothing.",
        f"Accuracy is {accuracies[-1]:.1%} after {plural(len(accuracies), 'epoch')}{risen}; guessing gets 10%.",
        "The rate may be far too low or far too high: a range test tells which. If its curve is flat, look at the "
        "network: what is missing between the layers?",
        "learning rate",
    )


def average_lags(subject: Subject) -> Finding | None:
    """The averaged weights, which are what is tested, still hold much of the first ones."""
    recipe, last = subject.recipe, subject.history[-1]
    if not recipe.ema_decay or last.held_out_accuracy >= last.train_accuracy:
        return None
    batches = math.ceil((subject.train_images - subject.validation_images) / recipe.batch_size)
    done = len(subject.history) * batches
    span = 1 / (1 - recipe.ema_decay_at(done))
    if done >= CAUGHT_UP * span:
        return None
    return Finding(
        "average lags",
        "The averaged weights have not caught up: the test accuracy says little yet.",
        f"The average spans about {span:,.0f} iterations, and {done:,} have been made. On held-out images the averaged "
        f"weights reach {last.held_out_accuracy:.2%}; the weights themselves {last.train_accuracy:.2%} in training.",
        f"{_longer(subject)} Or a shorter average, or one that warms up.",
        "train",
        ("more epochs",),
    )


# ------------------------------------------------------------------------------------------------ fitting, and too well


@dataclass(frozen=True)
class Fitted:
    """How well the training images are answered, for a comparison with images that were held out."""

    accuracy: float  # in the last epoch
    gap: float  # above held-out accuracy
    how: str  # it was measured, in a sentence


def fitted(subject: Subject) -> Fitted:
    """By the figures without dropout and augmentation where there are any, or else by the running ones."""
    history, last = subject.history, subject.history[-1]
    if last.plain_train_accuracy is not None:
        return Fitted(
            last.plain_train_accuracy,
            last.plain_train_accuracy - last.held_out_accuracy,
            "Both are measured without dropout and augmentation.",
        )
    gap = statistics.fmean(record.train_accuracy - record.held_out_accuracy for record in history[-3:])
    made_hard = f", with {subject.hard} on" if subject.hard else ""
    how = f"Train accuracy is measured while the weights change{made_hard}; the other one after each epoch, without."
    return Fitted(last.train_accuracy, gap, how)


def overfits(subject: Subject) -> Finding | None:
    """The held-out loss rises while the train loss falls, or train accuracy stands far above the held-out one."""
    history = subject.history
    if len(history) < SHORT:
        return None
    losses, name = held_out(history)
    train, held = fitted(subject), history[-1].held_out_accuracy
    if held >= train.accuracy:
        return None
    turn = turning_point(losses)
    rises = turn is not None and history[-1].train_loss < STILL_FALLS * history[turn].train_loss
    counts = max(GAP, ERRORS_OF_NOISE * standard_error(held, held_out_images(subject)))
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
    harder = [f"{'stronger ' if has else ''}{what}" for what, has in _regularisers(subject)]
    worse = " More epochs make it worse." if rises else ""
    return Finding(
        "overfits",
        f"It overfits from epoch {max(since + 1, SHORT)} on: it learns the training images by heart.",
        evidence,
        f"{harder[0].capitalize()}, {harder[1]} or fewer parameters.{worse}",
        "train",
        ("more regularisation", "less capacity", "fewer epochs"),
    )


def _regularisers(subject: Subject) -> tuple[tuple[str, bool], tuple[str, bool]]:
    """What holds a network back, and whether the run has it already; first what it has not."""
    augmentation, dropout = ("augmentation", subject.augments), ("dropout", subject.has_dropout)
    return (dropout, augmentation) if subject.augments and not subject.has_dropout else (augmentation, dropout)


def held_out_images(subject: Subject) -> int:
    """How many images the held-out accuracy is measured on."""
    validated = subject.history[-1].validation_accuracy is not None
    return subject.validation_images or subject.test_images if validated else subject.test_images


def turning_point(losses: Sequence[float]) -> int | None:
    """The epoch of the least loss, where each of the last three is well above it, averaged over three epochs."""
    if len(losses) < 5:
        return None
    means = [statistics.fmean(losses[centre - 1 : centre + 2]) for centre in range(1, len(losses) - 1)]
    least = min(range(len(means)), key=means.__getitem__)
    if not min(losses[-3:]) > RISEN * means[least]:
        return None
    return min(range(least, least + 3), key=losses.__getitem__)


def apart_since(train: Sequence[float], held_out: Sequence[float]) -> int:
    """The first epoch from which on train accuracy stays above the other by half of what counts as a gap."""
    near = [epoch for epoch, (one, other) in enumerate(zip(train, held_out, strict=True)) if one - other < GAP / 2]
    return min(near[-1] + 1 if near else 0, len(train) - 1)


def underfits(subject: Subject) -> Finding | None:
    """Below the target on both sets, with no gap between them: it cannot even fit what it is shown."""
    history, target = subject.history, subject.recipe.target_accuracy
    last, train = history[-1], fitted(subject)
    best = train.accuracy
    if last.plain_train_accuracy is None:
        best = max(record.train_accuracy for record in history[-3:])
    short = target - last.test_accuracy
    is_short = short > ERRORS_OF_NOISE * standard_error(target, subject.test_images)
    if len(history) < SHORT or best >= target or not is_short or train.gap >= GAP:
        return None
    over = "" if last.plain_train_accuracy is not None else " over the last three epochs"
    advice, advises = _what_lets_it_fit(subject)
    return Finding(
        "underfits",
        "It underfits: it does not even reach the target on the images it is trained on.",
        f"Train {train.accuracy:.2%} and test {last.test_accuracy:.2%} are both below {spelt_target(target)}; "
        f"train is {100 * abs(train.gap):.2f} points {'above' if train.gap > 0 else 'below'} {held_out(history)[1]}"
        f"{over}. {train.how}",
        advice,
        "design",
        advises,
    )


def _what_lets_it_fit(subject: Subject) -> tuple[str, tuple[Advises, ...]]:
    """Less of what makes training hard, and more capacity, as far as the challenge leaves room for it."""
    wider = "more channels, one more layer"
    if subject.architecture is not None:
        left = MAX_PARAMETERS - trace(subject.architecture).parameters
        wider += f" ({left:,} of {MAX_PARAMETERS:,} parameters are left)" if left > 0 else ""
        if left <= 0:
            wider = "the same parameters spent elsewhere"
    if not subject.has(ReLU):
        wider = f"an activation after each convolution, {wider}"
    if subject.hard:
        return f"Less {subject.hard}; or more capacity: {wider}.", ("less regularisation", "more capacity")
    return f"More capacity: {wider}.", ("more capacity",)


# --------------------------------------------------------------------------------------------------------- how it ended


def unsteady(subject: Subject) -> Finding | None:
    """The held-out loss goes up and down to the end, and the rate has hardly fallen."""
    history = subject.history
    if len(history) < 1.5 * WINDOW:  # or its steep beginning would be in the window
        return None
    rates = [record.learning_rate for record in history]
    losses, name = held_out(history[-WINDOW:])
    scatter = trend(losses).scatter / max(statistics.fmean(losses), 1e-12)
    if scatter < UNSTEADY or rates[-1] < max(rates) / 2:
        return None
    accuracies = [record.held_out_accuracy for record in history[-WINDOW:]]
    falling = [
        kind.__name__ for kind in (LinearToZero, OneCycle, Cosine) if not isinstance(subject.recipe.schedule, kind)
    ]
    advice = f"A schedule that lets the rate fall: {', '.join(falling[:-1])} or {falling[-1]}."
    if subject.epochs_left and not isinstance(subject.recipe.schedule, Constant):
        advice = f"Let it go on: its schedule has {plural(subject.epochs_left, 'epoch')} left to let the rate fall."
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


def still_improving(subject: Subject) -> Finding | None:
    """The held-out loss still falls, more than noise explains."""
    losses, name = held_out(subject.history)
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
        "It is still improving." if subject.epochs_left else "It was still improving when it ended.",
        evidence,
        _longer(subject),
        "train",
        ("more epochs",),
    )


def too_short(subject: Subject) -> Finding | None:
    """Fewer epochs than the other rules need."""
    done = len(subject.history)
    if done >= SHORT:
        return None
    return Finding(
        "too short",
        "It is too short to say much: under- and overfitting show from the third epoch on.",
        f"It has {plural(done, 'epoch')}.",
        _longer(subject) if subject.epochs_left else "Train at least five epochs.",
        "train",
        ("more epochs",),
    )


def verdict(subject: Subject) -> Finding:
    """Whether the last epoch is at the target, and by how many images."""
    last, target = subject.history[-1].test_accuracy, subject.recipe.target_accuracy
    images = round(abs(last - target) * subject.test_images)
    error = standard_error(target, subject.test_images)
    chance = (
        f"With {subject.test_images:,} test images the standard error is {100 * error:.2f} points, "
        f"{plural(round(error * subject.test_images), 'image')}."
    )
    if last >= target:
        held = next(
            (n for n, r in enumerate(reversed(subject.history)) if r.test_accuracy < target), len(subject.history)
        )
        return Finding(
            "target met",
            f"It ends at {last:.2%}, on target.",
            f"{plural(images, 'image')} above {spelt_target(target)}, held for {plural(held, 'epoch')}. {chance}",
            "Look at what it still gets wrong.",
            "mistakes",
        )
    within = last > target - ERRORS_OF_NOISE * error
    near = " That is within noise: another seed may meet it." if within else ""
    return Finding(
        "target missed",
        f"It ends at {last:.2%}, {plural(images, 'image')} short of {spelt_target(target)}.{near}",
        chance,
        "Look at what it gets wrong.",
        "mistakes",
    )


def dead_units(subject: Subject) -> Finding | None:
    """Units that answer nothing to any image."""
    dead = [layer for layer in subject.dead if layer.units and layer.dead / layer.units >= DEAD]
    if not dead:
        return None
    listed = ", ".join(f"{layer.dead} of {layer.units} in {layer.layer}" for layer in dead)
    normalised = "" if subject.has(BatchNorm) else "batch norm before the ReLU, "
    return Finding(
        "dead units",
        "Some of its units are dead: they cost parameters and say nothing.",
        f"They answered 0 to all of {dead[0].images:,} test images: {listed}.",
        f"A smaller learning rate, {normalised}or fewer channels there.",
        "design",
        ("lower rate",),
    )


def against_other(subject: Subject) -> Finding | None:
    """The last test accuracy beside that of other runs, and whether the difference may be chance (`evidence`)."""
    other = subject.other
    if other is None or not other.accuracies:
        return None
    mine, theirs = subject.history[-1].test_accuracy, statistics.fmean(other.accuracies)
    found = of_accuracies(other.accuracies, [mine])
    kind: Kind = "within noise" if found.told == "cannot be told" else found.told
    words = {
        "within noise": f"Whether it differs from {other.name} cannot be told.",
        "better": f"It is better than {other.name}, by more than chance explains.",
        "worse": f"It is worse than {other.name}, by more than chance explains.",
    }[kind]
    page: Page = "compare"
    advice = "More seeds of both would tell; so do the images that only one of them gets right."
    advises: tuple[Advises, ...] = ()
    epochs = len(subject.history)
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
        f"±{100 * standard_error(mine, subject.test_images):.2f} points.",
        advice,
        page,
        advises,
    )


# -------------------------------------------------------------------------------------------------------------- figures


@dataclass(frozen=True)
class Trend:
    """A straight line through a series, least squares."""

    slope: float  # per epoch
    scatter: float  # standard deviation around the line, over n - 2
    t: float  # of the slope; 0 where nothing scatters


def trend(values: Sequence[float]) -> Trend:
    """The line through at least three values at even distances."""
    places = range(len(values))
    slope, start = statistics.linear_regression(places, values)
    squares = math.fsum((value - start - slope * place) ** 2 for place, value in zip(places, values, strict=True))
    scatter = math.sqrt(squares / (len(values) - 2))
    middle = (len(values) - 1) / 2
    width = math.sqrt(math.fsum((place - middle) ** 2 for place in places))
    return Trend(slope, scatter, slope * width / scatter if scatter else 0.0)


def held_out(history: Sequence[EpochRecord]) -> tuple[list[float], str]:
    """The losses on the images that were not trained on, and what they are called: validation where there is any."""
    validation = [record.validation_loss for record in history if record.validation_loss is not None]
    if len(validation) == len(history):
        return validation, "validation"
    return [record.test_loss for record in history], "test"


def spelt_target(accuracy: float) -> str:
    """A target as it was set: 99.4%, and 99.45%, not 99.5%."""
    return f"{100 * accuracy:.6g}%"


def spelt_factor(factor: float) -> str:
    """How many times something is something else."""
    if factor < 10:
        return f"{factor:.2f} times"
    return f"{factor:,.0f} times" if factor < 1e6 else "more than a million times"
