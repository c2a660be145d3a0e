"""How large a run may be on this server: told before it is started, and checked again when it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.architecture.trace import Trace
from core.data.mnist import EMBEDDED, EMBEDDED_TRAIN, IMAGES
from core.errors import RunError
from core.training.recipe import RangeTest, Recipe
from lab.settings import Settings


@dataclass(frozen=True)
class Bound:
    """One figure of a run, and the most that it may be."""

    what: str
    figure: int
    most: int

    @property
    def kept(self) -> bool:
        return self.figure <= self.most


def iterations_per_epoch(dataset: str, recipe: Recipe) -> int:
    """Batches in an epoch of the data set's training images."""
    images = EMBEDDED_TRAIN if dataset == EMBEDDED else IMAGES["train"]
    return -(-(images - recipe.held_out(images)) // recipe.batch_size)


def batch_megabytes(walked: Trace, recipe: Recipe) -> int:
    """Memory of a batch's maps and of their gradients, in 10^6 bytes: what training holds beside the weights."""
    return math.ceil(2 * walked.activation_bytes * recipe.batch_size / 1e6)


def bounds_of(
    walked: Trace, recipe: Recipe, dataset: str, settings: Settings, range_test: bool = False, seeds: int = 1
) -> tuple[Bound, ...]:
    """The figures of a run that are bounded; of a range test, not those of the epochs that it does not train.

    Iterations are those of all seeds together.
    """
    epochs = 0 if range_test else recipe.epochs
    testing = (recipe.range_test or RangeTest()).iterations if range_test or recipe.range_test else 0
    iterations = epochs * iterations_per_epoch(dataset, recipe) + testing
    return (
        Bound("parameters", walked.parameters, settings.most_parameters),
        Bound("MACs for an image", walked.macs, settings.most_macs),
        Bound("values that its pools read", walked.pool_reads, settings.most_macs),
        Bound("MB for a batch", batch_megabytes(walked, recipe), settings.most_megabytes),
        Bound("epochs", epochs, settings.most_epochs),
        Bound("iterations", seeds * iterations, settings.most_iterations),
    )


def check_bounds(
    walked: Trace, recipe: Recipe, dataset: str, settings: Settings, range_test: bool = False, seeds: int = 1
) -> None:
    """Raises RunError for the first figure that is beyond its bound, naming both."""
    for bound in bounds_of(walked, recipe, dataset, settings, range_test, seeds):
        if not bound.kept:
            raise RunError(
                f"{bound.what}: {bound.figure:,} is more than the {bound.most:,} that a run may have on this server; "
                "the teacher can lift the bounds"
            )
