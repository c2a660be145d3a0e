"""Where the lessons get their numbers: the networks of the ladder, walked, and the recorded runs."""

from __future__ import annotations

from typing import Literal

from core import catalogue, mnist
from core.catalogue import Step
from core.spec import Op
from core.study import Summary
from core.trace import Layer, Trace, classifier
from lab.studies import study_of, summarised

IMAGES = mnist.IMAGES["test"]


def step(slug: str) -> Step:
    return catalogue.by_slug(slug)


def walked(slug: str) -> Trace:
    return classifier(step(slug).architecture)


def layer(slug: str, name: str) -> Layer:
    """A layer by its name in the tables, such as conv2."""
    return next(each for each in walked(slug).layers if each.name == name)


def first(slug: str, kind: type[Op]) -> Layer:
    """The first layer of a kind."""
    return next(each for each in walked(slug).layers if isinstance(each.op, kind))


def measured(slug: str) -> Summary | None:
    """The figures of our own runs; None where there are none."""
    study = study_of(slug)
    return summarised(study.runs) if study else None


def accuracy(slug: str) -> float:
    """The mean of our runs' last epochs; where there are none, the last epoch of the write-up's log."""
    found = measured(slug)
    if found:
        return found.mean
    return log(slug, "test")[-1] if log(slug, "test") else 0.0


def log(slug: str, split: Literal["train", "test"]) -> tuple[float, ...]:
    """Accuracy by epoch as the write-up logged it; nothing where it did not."""
    claim = step(slug).claim
    if claim is None:
        return ()
    return claim.train_log if split == "train" else claim.test_log


def whose(slug: str) -> str:
    """Where `accuracy` has its figure from, in words."""
    found = measured(slug)
    return f"our runs, n {found.n}" if found else "the write-up's log"


def percent(share: float) -> str:
    return f"{share:.2%}"
