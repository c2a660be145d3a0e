"""A run's figures, and the findings that the rules make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.architecture.spec import Architecture, Op
from core.challenge import CHALLENGE, Challenge
from core.training.history import EpochRecord, stopped_early
from core.training.recipe import Recipe
from core.words import plural

FindingKind = Literal[
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
Page = Literal["learning rate", "train", "design", "step", "mistakes", "compare"]  # where to follow the advice
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


@dataclass(frozen=True)
class DeadUnits:
    """Units of one layer whose output was 0 for every image."""

    layer: str
    dead: int
    units: int
    images: int


@dataclass(frozen=True)
class Other:
    """Other runs to compare with: the test accuracy after the last epoch, one for each seed."""

    name: str
    accuracies: tuple[float, ...]
    epochs: int = 0  # how long they were trained; 0: not known


@dataclass(frozen=True)
class RunFigures:
    """A run's figures, and what else is known about the run."""

    history: tuple[EpochRecord, ...]
    recipe: Recipe
    test_images: int = 10_000
    first_losses: tuple[float, ...] = ()  # of batches in the first epoch, in order; all or some
    failure: str = ""  # the error message of a run that failed
    has_dropout: bool = False
    dead: tuple[DeadUnits, ...] = ()
    other: Other | None = None
    architecture: Architecture | None = None
    train_images: int = 60_000  # before any are held out
    challenge: Challenge = CHALLENGE

    @property
    def epochs_left(self) -> int:
        """How many of the planned epochs are not done yet; none of a run that stopped early."""
        return 0 if self.stopped_early else max(0, self.recipe.epochs - len(self.history))

    @property
    def stopped_early(self) -> bool:
        """Whether the run ended before its last epoch because its recipe says so."""
        return len(self.history) < self.recipe.epochs and stopped_early(self.recipe.early_stopping, self.history)

    @property
    def validation_images(self) -> int:
        """How many training images are held out: the same share of each data set."""
        return self.recipe.held_out(self.train_images)

    @property
    def augments(self) -> bool:
        """Whether the training images are changed at random."""
        return self.recipe.augmentation.changes

    @property
    def hard(self) -> str:
        """What makes training harder than testing, in words: dropout, augmentation or both; "" for neither."""
        return " and ".join(
            word for word, is_on in (("dropout", self.has_dropout), ("augmentation", self.augments)) if is_on
        )

    def has(self, kind: type[Op]) -> bool:
        """Whether the network has such an op; False for an unknown network."""
        return self.architecture is not None and any(isinstance(op, kind) for op in self.architecture.ops)


@dataclass(frozen=True)
class Finding:
    """One thing that the figures show."""

    kind: FindingKind
    words: str
    evidence: str  # the numbers behind it
    advice: str = ""  # what to try; empty: nothing to do
    page: Page | None = None
    advises: tuple[Advises, ...] = ()  # the advice in a form that the program can compare


def train_longer(run: RunFigures) -> str:
    """Advice to train for more epochs: those that are left, or else up to those of the challenge."""
    most = run.challenge.epochs
    if left := run.epochs_left:
        return f"Let it go on: {plural(left, 'epoch')} of its {run.recipe.epochs} {'is' if left == 1 else 'are'} left."
    if run.stopped_early:
        return f"A longer patience: it stopped early, after {len(run.history)} of {plural(run.recipe.epochs, 'epoch')}."
    if len(run.history) < most:
        return f"More epochs: the challenge allows {most}. A schedule that falls to zero is stretched over them."
    return f"More epochs would help, but the challenge allows {most} at most."


def held_out(history: Sequence[EpochRecord]) -> tuple[list[float], str]:
    """The losses on images that were not trained on, and their name: "validation" where there is any, else "test"."""
    validation = [record.validation_loss for record in history if record.validation_loss is not None]
    if len(validation) == len(history):
        return validation, "validation"
    return [record.test_loss for record in history], "test"


def contradict(one: Advises, other: Advises) -> bool:
    """Whether one piece of advice is the opposite of the other."""
    return OPPOSITE.get(one) == other or OPPOSITE.get(other) == one


def without_contradictions(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in order, without those whose advice is the opposite of an earlier one's.

    A comparison with other runs stays, without its advice.
    """
    left: list[Finding] = []
    for finding in findings:
        said = {advised for each in left for advised in each.advises}
        if not any(contradict(one, other) for one in finding.advises for other in said):
            left.append(finding)
        elif finding.kind in ("better", "worse", "within noise"):
            left.append(replace(finding, advice="", advises=()))
    return tuple(left)
