"""What a run's own figures say about it, in plain words: each finding with its evidence and what to try. No torch.

The thresholds are the lab's own. Each stands with its reason, which is what the measured runs of the ladder show
(`checkpoints/studies`); the tests say what every one of those is diagnosed as.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from core.history import EpochRecord
from core.recipe import Recipe

Kind = Literal[
    "diverged",
    "learns nothing",
    "rate too high",
    "rate too low",
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

GUESSING = 0.2  # train accuracy: twice what guessing one of ten gets
EARLY_RISE = 1.3  # times the first loss, in the first epoch; with rates that fit it was never above 1.02
LATE_RISE = 0.6  # of the held-out loss from one epoch to the next; in the ladder's runs at most 0.52
STRAIGHT = (
    0.6  # share of a straight line's fall in the last third; in the ladder's runs at most 0.35, even over 3 epochs
)
# Train above held-out accuracy: almost all the 0.006 that the target leaves. A1, B1, C1 overfit; else at most 0.0045.
GAP = 0.005
# Times the least held-out loss, three epochs averaged. A1, which overfits, came to 1.18, B1 to 1.14; else at most 1.12.
RISEN = 1.15
STILL_FALLS = 0.9  # of the train loss since then: below it, the network goes on learning the training images
UNSTEADY = 0.06  # deviation of the held-out loss from its trend, relative; with a rate that falls it was at most 0.04
WINDOW = 6  # epochs that a trend is fitted to
T_OF_WINDOW = 2.132  # one-sided 5% point of Student's t with WINDOW - 2 = 4 degrees of freedom
WORTH_IT = 0.05  # relative fall of the held-out loss that is worth more epochs
DEAD = 0.05  # share of a layer's units from which on it is said; one of eight channels is 0.125
ERRORS_OF_NOISE = 2.0  # standard errors within which a difference may be chance: 95%

NO_NUMBER = re.compile(r"loss is (nan|-?inf)")  # how the training loop says so


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


@dataclass(frozen=True)
class Finding:
    """One thing that the figures say."""

    kind: Kind
    words: str
    evidence: str  # the numbers it stands on
    advice: str = ""  # what to try; empty where there is nothing to be done
    page: Page | None = None


def diagnose(subject: Subject) -> tuple[Finding, ...]:
    """All that the run's figures say, the most telling first."""
    if found := diverged(subject):
        return (found,)
    if not subject.history:
        return ()
    about_rate = rate_too_high(subject) or rate_too_low(subject) or learns_nothing(subject)
    found_all = [verdict(subject), about_rate]
    if about_rate is None or about_rate.kind == "rate too high":
        found_all += [overfits(subject)]
    if about_rate is None:  # else it would only be said again in other words
        found_all += [underfits(subject), unsteady(subject), still_improving(subject), too_short(subject)]
    found_all += [dead_units(subject), against_other(subject)]
    return tuple(each for each in found_all if each is not None)


# ---------------------------------------------------------------------------------------------------- the learning rate


def diverged(subject: Subject) -> Finding | None:
    """The loss is no longer a number."""
    if not NO_NUMBER.search(subject.failure):
        return None
    return Finding(
        "diverged",
        "It diverged: the loss grew until it was no longer a number.",
        f"The run ended so: {subject.failure}.",
        "Take a smaller learning rate: a range test says where the loss still falls. Batch norm allows a larger one.",
        "learning rate",
    )


def rate_too_high(subject: Subject) -> Finding | None:
    """The loss rises early on, or jumps from epoch to epoch."""
    peak = _early_peak(subject.first_losses)
    if peak > EARLY_RISE:
        evidence = f"In the first epoch the loss rose to {peak:.2f} times what it began with ({EARLY_RISE} counts)."
    else:
        losses, name = held_out(subject.history)
        rises = [(after / before - 1, epoch) for epoch, (before, after) in enumerate(pairwise(losses), 1) if before > 0]
        rise, epoch = max(rises, default=(0.0, 0))
        if rise < LATE_RISE:
            return None
        evidence = (
            f"The {name} loss rose from {losses[epoch - 1]:.4f} to {losses[epoch]:.4f} in epoch {epoch + 1}, by "
            f"{rise:.0%} ({LATE_RISE:.0%} counts)."
        )
    return Finding(
        "rate too high",
        "The learning rate is too high: the steps overshoot, and the loss jumps.",
        evidence,
        "A third of the rate, or the one that a range test suggests.",
        "learning rate",
    )


def _early_peak(losses: Sequence[float]) -> float:
    """The highest mean of three neighbours, in terms of the first loss."""
    if len(losses) < 4 or not losses[0] > 0:
        return 1.0
    means = (statistics.fmean(losses[start : start + 3]) for start in range(len(losses) - 2))
    return max(means) / losses[0]


def rate_too_low(subject: Subject) -> Finding | None:
    """At the end the train loss still falls as steeply as at the start."""
    losses = [record.train_loss for record in subject.history]
    share = straightness(losses)
    if share < STRAIGHT or any(after >= before for before, after in pairwise(losses)):
        return None
    if subject.history[-1].train_accuracy >= subject.recipe.target_accuracy:
        return None
    first, last = subject.history[0], subject.history[-1]
    return Finding(
        "rate too low",
        "The learning rate is too low, or the run too short: at its end the loss still falls as fast as before.",
        f"The train loss went from {first.train_loss:.3f} to {last.train_loss:.3f}; in the last third it fell "
        f"{share:.2f} times as fast as over the whole run ({STRAIGHT} counts; where a curve has flattened, it is below "
        "0.3).",
        "Three to ten times the rate, or the one that a range test suggests; or more epochs.",
        "learning rate",
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
    """No better than guessing after all its epochs."""
    last = subject.history[-1]
    if last.train_accuracy >= GUESSING:
        return None
    return Finding(
        "learns nothing",
        "It has learnt next to nothing.",
        f"Train accuracy is {last.train_accuracy:.1%} after {_epochs(len(subject.history))}, guessing gets 10%.",
        "The rate may be far too low or far too high: a range test tells which. If its curve is flat, look at the "
        "network: what is missing between the layers?",
        "learning rate",
    )


# ------------------------------------------------------------------------------------------------ fitting, and too well


def overfits(subject: Subject) -> Finding | None:
    """The held-out loss rises while the train loss falls, or train accuracy stands far above the held-out one."""
    history = subject.history
    losses, name = held_out(history)
    accuracies = [_held_out_accuracy(record) for record in history]
    gap = _mean_gap(history)
    turn = turning_point(losses)
    rises = turn is not None and history[-1].train_loss < STILL_FALLS * history[turn].train_loss
    if gap < GAP and not rises:
        return None
    if turn is not None and rises:
        since, least = turn, losses[turn]
        evidence = f"The {name} loss rose from {least:.4f} in epoch {turn + 1} to {losses[-1]:.4f}, the train loss fell"
        evidence += f" from {history[turn].train_loss:.4f} to {history[-1].train_loss:.4f}."
    else:
        since = apart_since([record.train_accuracy for record in history], accuracies)
        evidence = (
            f"Train accuracy is {100 * gap:.2f} points above {name} accuracy over the last three epochs "
            f"({history[-1].train_accuracy:.2%} and {accuracies[-1]:.2%} in the last; {100 * GAP:.1f} points count)."
        )
    return Finding(
        "overfits",
        f"It overfits from epoch {since + 1} on: it learns the training images by heart.",
        evidence,
        "Augmentation, dropout or fewer parameters. More epochs make it worse.",
        "train",
    )


def turning_point(losses: Sequence[float]) -> int | None:
    """The epoch of the least loss, where the last three are well above it; losses are averaged over three epochs."""
    if len(losses) < 5:
        return None
    means = [statistics.fmean(losses[centre - 1 : centre + 2]) for centre in range(1, len(losses) - 1)]
    least = min(range(len(means)), key=means.__getitem__)
    if not means[-1] > RISEN * means[least]:
        return None
    return min(range(least, least + 3), key=losses.__getitem__)


def apart_since(train: Sequence[float], held_out: Sequence[float]) -> int:
    """The first epoch from which on train accuracy stays above the other by half of what counts as a gap."""
    near = [epoch for epoch, (one, other) in enumerate(zip(train, held_out, strict=True)) if one - other < GAP / 2]
    return min(near[-1] + 1 if near else 0, len(train) - 1)


def underfits(subject: Subject) -> Finding | None:
    """Below the target on both sets, with no gap between them: it cannot even fit what it is shown."""
    history, target = subject.history, subject.recipe.target_accuracy
    last = history[-1]
    train = max(record.train_accuracy for record in history[-3:])
    gap = _mean_gap(history)
    short = target - last.test_accuracy
    is_short = short > ERRORS_OF_NOISE * noise(target, subject.test_images)
    if len(history) < 3 or train >= target or not is_short or gap >= GAP:
        return None
    harder = _what_makes_it_hard(subject)
    return Finding(
        "underfits",
        "It underfits: it does not even reach the target on the images it is trained on.",
        f"Train {last.train_accuracy:.2%} and test {last.test_accuracy:.2%} are both below {spelt_target(target)}; "
        f"train is {100 * abs(gap):.2f} points {'above' if gap > 0 else 'below'} {held_out(history)[1]} over the last "
        f"three epochs{f', with {harder}' if harder else ''}.",
        f"{f'Less {harder}; or more' if harder else 'More'} capacity: an activation after each convolution, more "
        "channels, one more layer.",
        "design",
    )


def _what_makes_it_hard(subject: Subject) -> str:
    augmentation = subject.recipe.augmentation
    augments = augmentation.geometric or augmentation.photometric
    return " and ".join(word for word, is_on in (("dropout", subject.has_dropout), ("augmentation", augments)) if is_on)


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
    accuracies = [_held_out_accuracy(record) for record in history[-WINDOW:]]
    return Finding(
        "unsteady",
        "Its last epochs are unsteady: with so large a rate the weights never come to rest.",
        f"Over the last {WINDOW} epochs the {name} loss scatters by {scatter:.0%} around its trend "
        f"({UNSTEADY:.0%} counts), and {name} accuracy lies between {min(accuracies):.2%} and {max(accuracies):.2%}. "
        f"The rate is still {rates[-1]:.3g}.",
        "A schedule that lets the rate fall: LinearToZero, OneCycle or StepLR.",
        "learning rate",
    )


def still_improving(subject: Subject) -> Finding | None:
    """The held-out loss still falls, more than its scatter explains."""
    losses, name = held_out(subject.history)
    if len(losses) < 3:
        return None
    if len(losses) < WINDOW:
        fall = 1 - losses[-1] / losses[-2] if losses[-2] > 0 else 0.0
        if fall < WORTH_IT or losses[-1] > min(losses):
            return None
        evidence = f"The {name} loss fell by {fall:.0%} in the last epoch, from {losses[-2]:.4f} to {losses[-1]:.4f}."
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
        "It was still improving when it ended.",
        evidence,
        "More epochs. A schedule that falls to zero is stretched over all of them.",
        "train",
    )


def too_short(subject: Subject) -> Finding | None:
    """Fewer epochs than the other rules need."""
    done = len(subject.history)
    if done >= 3:
        return None
    return Finding(
        "too short",
        "It is too short to say much: under- and overfitting show from the third epoch on.",
        f"It has {_epochs(done)}.",
        "Train at least five epochs.",
        "train",
    )


def verdict(subject: Subject) -> Finding:
    """Whether the last epoch is at the target, and by how many images."""
    last, target = subject.history[-1].test_accuracy, subject.recipe.target_accuracy
    images = round(abs(last - target) * subject.test_images)
    error = noise(target, subject.test_images)
    chance = (
        f"With {subject.test_images:,} test images the standard error is {100 * error:.2f} points, "
        f"{_count(round(error * subject.test_images))}."
    )
    if last >= target:
        held = next(
            (n for n, r in enumerate(reversed(subject.history)) if r.test_accuracy < target), len(subject.history)
        )
        return Finding(
            "target met",
            f"It ends at {last:.2%}, on target.",
            f"{_count(images)} above {spelt_target(target)}, held for {_epochs(held)}. {chance}",
            "Look at what it still gets wrong.",
            "mistakes",
        )
    within = last > target - ERRORS_OF_NOISE * error
    near = " That is within noise: another seed may meet it." if within else ""
    return Finding(
        "target missed",
        f"It ends at {last:.2%}, {_count(images)} short of {spelt_target(target)}.{near}",
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
    return Finding(
        "dead units",
        "Some of its units are dead: they cost parameters and say nothing.",
        f"They answered 0 to all of {dead[0].images:,} test images: {listed}.",
        "A smaller learning rate, batch norm before the ReLU, or fewer channels there.",
        "design",
    )


def against_other(subject: Subject) -> Finding | None:
    """The last test accuracy beside that of other runs, and whether the difference may be chance."""
    if subject.other is None or not subject.other.accuracies:
        return None
    mine, theirs = subject.history[-1].test_accuracy, statistics.fmean(subject.other.accuracies)
    n, images = len(subject.other.accuracies), subject.test_images
    spread = statistics.stdev(subject.other.accuracies) if n > 1 else 0.0
    error = math.sqrt(noise(mine, images) ** 2 + noise(theirs, images) ** 2 + spread**2 * (1 + 1 / n))
    difference = mine - theirs
    side: Literal["better", "worse"] = "better" if difference > 0 else "worse"
    kind: Kind = "within noise" if abs(difference) <= ERRORS_OF_NOISE * error else side
    words = {
        "within noise": f"It cannot be told from {subject.other.name}: the difference is within noise.",
        "better": f"It is better than {subject.other.name}, by more than chance explains.",
        "worse": f"It is worse than {subject.other.name}, by more than chance explains.",
    }[kind]
    page: Page = "compare"
    advice = "More seeds of both would tell; so do the images that only one of them gets right."
    epochs, whole = len(subject.history), subject.other.epochs
    if kind == "worse" and epochs < whole:
        words = f"It is worse than {subject.other.name}, in {epochs} of its {whole} epochs."
        page, advice = "train", "Train it as long; then compare them."
    deviation = f", deviation over its seeds {100 * spread:.2f}" if n > 1 else ""
    return Finding(
        kind,
        words,
        f"{mine:.2%} against {theirs:.2%} (n {n}): {100 * difference:+.2f} points. The standard error is "
        f"{100 * error:.2f} points ({images:,} images each{deviation}); {ERRORS_OF_NOISE:g} of them count.",
        advice,
        page,
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


def noise(accuracy: float, images: int) -> float:
    """The standard error of an accuracy that was measured on that many images: a binomial share's."""
    return math.sqrt(accuracy * (1 - accuracy) / images)


def held_out(history: Sequence[EpochRecord]) -> tuple[list[float], str]:
    """The losses on the images that were not trained on, and what they are called: validation where there is any."""
    validation = [record.validation_loss for record in history if record.validation_loss is not None]
    if len(validation) == len(history):
        return validation, "validation"
    return [record.test_loss for record in history], "test"


def _held_out_accuracy(record: EpochRecord) -> float:
    return record.test_accuracy if record.validation_accuracy is None else record.validation_accuracy


def _mean_gap(history: Sequence[EpochRecord]) -> float:
    """Train above held-out accuracy, the mean of the last three epochs."""
    return statistics.fmean(record.train_accuracy - _held_out_accuracy(record) for record in history[-3:])


def spelt_target(accuracy: float) -> str:
    """A target as it was set: 99.4%, and 99.45%, not 99.5%."""
    return f"{100 * accuracy:.6g}%"


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


def _count(images: int) -> str:
    return f"{images} image{'' if images == 1 else 's'}"
