"""The names of a recipe's fields, where several pages fill them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from core.training import recipe as recipes
from core.training.recipe import Optimizer, Schedule

OPTIMIZERS: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in get_args(Optimizer)}
SCHEDULES: dict[str, type[Schedule]] = {kind.__name__: kind for kind in get_args(Schedule)}
USUAL_SCHEDULES = ("Constant", "StepLR", "ReduceLROnPlateau", "OneCycle", "Cosine", "LinearToZero")  # to compare
BEGINNINGS: dict[type, object] = {  # of those that need a figure, or can be followed only with one
    recipes.StepLR: recipes.StepLR(step_size=5),
    recipes.MultiStepLR: recipes.MultiStepLR((6, 12)),
    recipes.ExponentialLR: recipes.ExponentialLR(0.8),
    recipes.CosineAnnealingWarmRestarts: recipes.CosineAnnealingWarmRestarts(5),
    recipes.CyclicLR: recipes.CyclicLR(0.001, step_size_up=1000),
    recipes.ReduceLROnPlateau: recipes.ReduceLROnPlateau(monitor="test"),
}


def rate_key(key: str) -> str:
    """The session's key of the learning rate, for a suggestion to be applied to."""
    return f"{key}-rate"


@dataclass(frozen=True)
class Taken:
    """A rate that another page has put into the form, and what it has changed, for the form to say so."""

    rate: float
    words: str
    told: bool = False  # in passing, once


def taken_key(key: str) -> str:
    """The session's key of what was put into the form."""
    return f"{key}-taken"


def plain(kind: type) -> object:
    """A record of that kind to begin with: it must be one that can be followed without held-out images, too."""
    return BEGINNINGS[kind] if kind in BEGINNINGS else kind()
