"""What a run is held against, and what its figures say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.analysis.diagnosis import diagnose
from core.analysis.diagnosis.finding import Finding, Other, RunFigures
from core.architecture.spec import Architecture, Dropout, Dropout2d, every_op
from core.challenge import CHALLENGE, Challenge, target_of
from core.data.mnist import EMBEDDED, EMBEDDED_TRAIN, IMAGES, test_images
from core.errors import LabError
from core.ladder.catalogue import label, mark
from core.ladder.model import Step
from core.training.history import PLAIN_SAMPLE, EpochRecord
from lab.runs.rows import BatchRow, Run
from lab.studies import own_ladder
from lab.studies.results import study_of
from lab.studies.shelf import shipped


@dataclass(frozen=True)
class Reference:
    """What a run is held against: the step before its own, or, of a changed network, the step it was made from."""

    step: Step
    accuracies: tuple[float, ...]  # test, after the last epoch; of a study, a seed each
    epochs: int
    from_claim: bool  # no measured run: the write-up's best epoch is used

    @property
    def name(self) -> str:
        """As sentences have it."""
        return f"{mark(self.step)}{', as claimed' if self.from_claim else ''}"


def reference_of(slug: str, architecture: Architecture) -> Reference | None:
    """The reference of a run of that step's network, as it is or changed; None where there is none."""
    try:
        own = own_ladder.by_slug(slug)
    except LabError:  # of no step, or of one that is no longer there
        return None
    step = own_ladder.before(own) if architecture.ops == own.architecture.ops else own
    if step is None:
        return None
    study = study_of(step.slug)
    if study and study.runs:
        runs = study.runs
        return Reference(step, tuple(run.last for run in runs), len(runs[0].test_accuracies), from_claim=False)
    cards = [each.card for each in shipped() if each.card.slug == step.slug]
    if cards:
        return Reference(step, (cards[0].test_accuracies[-1],), len(cards[0].history), from_claim=False)
    if step.claim is None:
        return None
    return Reference(step, (step.claim.best_test_accuracy,), step.recipe.epochs, from_claim=True)


def train_images(dataset: str) -> int:
    """How many images that data set has for training, before any are held out."""
    return EMBEDDED_TRAIN if dataset == EMBEDDED else IMAGES["train"]


def findings_of(
    run: Run, epochs: Sequence[EpochRecord], batches: Sequence[BatchRow], challenge: Challenge = CHALLENGE
) -> tuple[Finding, ...]:
    """The run's diagnosis, from what the store has of it. Raises LabError for a recipe or network that is none."""
    architecture, target = run.architecture, target_of(run.recipe.target_accuracy, run.dataset, challenge)
    reference = reference_of(run.slug, architecture) if run.dataset == "MNIST" else None
    return diagnose(
        RunFigures(
            history=tuple(epochs),
            recipe=replace(run.recipe, target_accuracy=target),
            test_images=test_images(run.dataset),
            first_losses=tuple(row.loss for row in batches if row.epoch == 0),
            failure=run.error if run.status == "failed" else "",
            has_dropout=any(isinstance(op, Dropout | Dropout2d) and op.p > 0 for op in every_op(architecture.ops)),
            other=Other(reference.name, reference.accuracies, reference.epochs) if reference else None,
            architecture=architecture,
            train_images=train_images(run.dataset),
            challenge=challenge,
        )
    )


def held_against(reference: Reference | None) -> str:
    """The reference as a question names it: `C2 · Skeleton`; "" where there is none."""
    return label(reference.step) if reference else ""


def how_measured(last: EpochRecord) -> str:
    """How training accuracy differs from the others; at a run's end, the figures that compare like with like."""
    words = (
        "Train accuracy is measured while the weights change, with dropout and augmentation on; the others after it."
    )
    if last.plain_train_accuracy is None:
        return words
    return (
        f"{words} Without dropout and augmentation, training images give **{last.plain_train_accuracy:.2%}** "
        f"({PLAIN_SAMPLE:,} of them at most), the test images {last.test_accuracy:.2%}."
    )
