"""Where the lessons get their numbers: the networks of the ladder, walked, and the recorded runs."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Literal

from core.analysis.study import SeedRun, Summary
from core.architecture.spec import Op
from core.architecture.trace import Layer, Trace, classifier
from core.challenge import CHALLENGE, Challenge
from core.data import mnist
from core.errors import SpecError
from core.ladder import catalogue
from core.ladder.model import Step
from core.words import percent as percent
from lab.studies.results import in_words, study_of, summarised, titles

IMAGES = mnist.IMAGES["test"]
TRAIN_IMAGES = mnist.IMAGES["train"]
Split = Literal["test", "train"]

GROWTH = "(k − 1) · d · jump".replace(" ", "\u00a0")  # of a field; it stays on one line

# Said wherever training accuracy is set beside test accuracy.
MEASURED_APART = (
    "Training accuracy is measured during each epoch, with dropout and augmentation on; test accuracy after it, "
    "without them."
)


def step(slug: str) -> Step:
    return catalogue.by_slug(slug)


def mark(name: str) -> str:
    """A step's short name, such as A2; of a variant, its title."""
    return titles().get(name, name).split(" · ")[0]


def walked(slug: str) -> Trace:
    return classifier(step(slug).architecture)


def layer(slug: str, name: str) -> Layer:
    """A layer by its name in the tables, such as conv2."""
    return next(each for each in walked(slug).layers if each.name == name)


def first(slug: str, kind: type[Op]) -> Layer:
    """The first layer of a kind."""
    return next(each for each in walked(slug).layers if isinstance(each.op, kind))


def runs(name: str) -> tuple[SeedRun, ...]:
    """Our own runs of a step or a variant; none where they cannot be summarised together."""
    study = study_of(name)
    return study.runs if study and measured(name) else ()


def measured(name: str, challenge: Challenge = CHALLENGE) -> Summary | None:
    """The figures of our own runs; None where there are none."""
    study = study_of(name)
    return summarised(study.runs, challenge=challenge) if study else None


def log(slug: str, split: Split) -> tuple[float, ...]:
    """Accuracy by epoch as the write-up logged it; nothing where it did not."""
    try:
        claim = step(slug).claim
    except SpecError:  # a variant: no write-up has it
        return ()
    if claim is None:
        return ()
    return claim.train_log if split == "train" else claim.test_log


def lasts(name: str, split: Split = "test") -> list[float]:
    """The last epoch's accuracy of each of our runs; where there are none, of the write-up's log."""
    ours = [run.last if split == "test" else run.history[-1].train_accuracy for run in runs(name)]
    return ours or list(log(name, split)[-1:])


def accuracy(name: str, split: Split = "test") -> float:
    """The mean of our runs' last epochs; where there are none, the last epoch of the write-up's log; else 0."""
    return statistics.mean(lasts(name, split) or [0.0])


def stated(name: str, split: Split = "test") -> str:
    """That figure with its n: `99.24% ± 0.08 (n 5)`, `99.26% (one run, the write-up's)` or `not measured`."""
    found, values = measured(name), lasts(name, split)
    if found:
        return in_words(
            replace(found, mean=statistics.mean(values), sd=statistics.stdev(values) if len(values) > 1 else None)
        )
    return f"{values[0]:.2%} (one run, the write-up's)" if values else "not measured"


def plain_training(name: str) -> str:
    """The training accuracy of our runs as the test accuracy is measured, in a sentence; "" where it is not known."""
    found, plain = measured(name), [run.history[-1].plain_train_accuracy for run in runs(name)]
    known = [each for each in plain if each is not None]
    if found is None or len(known) < len(plain):
        return ""
    figures = replace(found, mean=statistics.mean(known), sd=statistics.stdev(known) if len(known) > 1 else None)
    return f" Measured without either too, the training accuracy is {in_words(figures)}."
