"""What a step of the ladder says: its network, recipe, claim, errors and source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.architecture.spec import Architecture
from core.training.recipe import Precision, Recipe


@dataclass(frozen=True)
class Claim:
    """What a write-up says about its one run. Accuracies are fractions, epochs count from 0."""

    best_train_accuracy: float | None
    best_test_accuracy: float
    best_test_epoch: int | None  # None where the write-up does not say
    train_log: tuple[float, ...] = ()  # accuracy after each epoch
    test_log: tuple[float, ...] = ()
    note: str = ""  # where the claim and the log disagree, and what is assumed


@dataclass(frozen=True)
class Erratum:
    """Something a write-up says, and what is right, with the reason."""

    said: str
    right: str


@dataclass(frozen=True)
class FieldClaim:
    """One row of a write-up's own receptive-field table; None where it says nothing, or nothing wrong."""

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
    change: str = ""  # what is new since the step before
    target: str = ""
    result: str = ""
    analysis: str = ""
    confounded: str = ""  # why the comparison with the step before is not a fair one
    errata: tuple[Erratum, ...] = ()
    field_claims: tuple[FieldClaim, ...] = ()
    recipe_known: bool = True  # False: part of the recipe is a stand-in, and the claim's note says which
    goal: float | None = None  # of a step of our own: the accuracy that it set out to hold
    test_had_a_say: str = ""  # of a step of our own: what of it was chosen by figures on the test digits
    measured_precision: Precision = "fp32"  # what the study computes in, where float32 would take a CPU too long
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
    """A network and recipe that no write-up has, for the one difference between it and a step."""

    name: str  # its study's
    of: str  # the slug of the step that it differs from
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
    """Two studies that differ in what the question names. The names are those of steps or of variants."""

    step: str  # the slug of the step whose page shows it
    question: str
    before: str
    after: str
