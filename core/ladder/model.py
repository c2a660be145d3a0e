"""A step of the ladder as data: its network, recipe, claim, errata and source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from core.architecture.spec import Architecture
from core.record import Length
from core.training.recipe import Precision, Recipe


@dataclass(frozen=True)
class Claim:
    """What a write-up says about its run. Accuracies are fractions, epochs count from 0."""

    best_train_accuracy: float | None
    best_test_accuracy: float
    best_test_epoch: int | None  # None if the write-up does not say it
    train_log: tuple[float, ...] = ()  # accuracy after each epoch
    test_log: tuple[float, ...] = ()
    note: str = ""  # where the claim and the log disagree, and what the lab assumes


@dataclass(frozen=True)
class Erratum:
    """Something wrong in a write-up, and what is right, with the reason."""

    said: str
    right: str


@dataclass(frozen=True)
class FieldClaim:
    """One row of a write-up's receptive-field table; None for a value that is missing or correct."""

    layer: str  # the layer's name in `core.architecture.trace`, such as maxpool1
    size: int | None = None
    jump: int | None = None
    kernel_size: int | None = None
    stride: int | None = None
    width: int | None = None  # of the map that comes out


@dataclass(frozen=True)
class Lineage:
    """A series of networks by the same authors."""

    key: str
    title: str
    about: str
    source: str
    errata: tuple[Erratum, ...] = ()  # those about the whole series


@dataclass(frozen=True)
class Link:
    """Where more can be read."""

    label: Annotated[str, Length(1, 100)]
    address: Annotated[str, Length(1, 500)]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rung of the ladder."""

    slug: str  # ends in the parameter count
    title: str
    architecture: Architecture
    recipe: Recipe
    lineage: str = ""  # a Lineage's key; `in_order` sets it
    order: int = 0  # within the lineage, from 1; `in_order` sets it
    claim: Claim | None = None  # of a write-up; a step of our own is measured, and claims nothing
    source: str = "the lab"  # of a write-up's step: repository, commit, path
    change: str = ""  # since the step before
    target: str = ""
    result: str = ""
    analysis: str = ""
    confounded: str = ""  # why the comparison with the step before is not fair
    errata: tuple[Erratum, ...] = ()
    field_claims: tuple[FieldClaim, ...] = ()
    recipe_known: bool = True  # False: part of the recipe is assumed, and the claim's note says which
    goal: float | None = None  # of a step of our own: the accuracy to hold
    test_had_a_say: str = ""  # of a step of our own: what was chosen with the test images
    links: tuple[Link, ...] = ()
    measured_precision: Precision = "fp32"  # of the study, where float32 would take too long on a CPU
    measured_with_warm_up: bool = True  # False: the study is older than the warm-up of averaged weights

    @property
    def measured_recipe(self) -> Recipe:
        """The recipe as the study trains it."""
        warm_up = self.recipe.ema_warm_up and self.measured_with_warm_up
        return replace(self.recipe, precision=self.measured_precision, ema_warm_up=warm_up)


def in_order(lineage: Lineage, *steps: Step) -> tuple[Step, ...]:
    """The steps of a lineage, each with the lineage's key and its number."""
    return tuple(replace(step, lineage=lineage.key, order=number) for number, step in enumerate(steps, 1))


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A network and recipe of no write-up, with a single difference from a step."""

    name: str  # its study's
    of: str  # the slug of that step
    title: str
    architecture: Architecture
    recipe: Recipe
    measured_with_warm_up: bool = True  # as of a step

    @property
    def measured_recipe(self) -> Recipe:
        """The recipe as the study trains it."""
        return replace(self.recipe, ema_warm_up=self.recipe.ema_warm_up and self.measured_with_warm_up)


@dataclass(frozen=True)
class CleanComparison:
    """Two studies that differ only in what the question names. Both names are of steps or variants."""

    step: str  # the slug of the step whose page shows it
    question: str
    before: str
    after: str
