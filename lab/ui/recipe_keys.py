"""The names of a recipe's fields, where several pages fill them."""

from __future__ import annotations

from typing import get_args

from core.training import recipe as recipes
from core.training.recipe import Schedule

SCHEDULES: dict[str, type[Schedule]] = {kind.__name__: kind for kind in get_args(Schedule)}


def rate_key(key: str) -> str:
    """The session's key of the learning rate, for a suggestion to be applied to."""
    return f"{key}-rate"


def plain(kind: type) -> object:
    """A record of that kind to begin with: it must be one that can be followed without held-out images, too."""
    if kind is recipes.StepLR:
        return recipes.StepLR(step_size=5)
    return recipes.ReduceLROnPlateau(monitor="test") if kind is recipes.ReduceLROnPlateau else kind()
