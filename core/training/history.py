"""What a run measured at the end of each epoch."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from typing import Annotated

from core.record import Range
from core.spreadsheet import Cell

MAX_LOSS = 1e19  # of a run: the square of a greater one is no float32 any more, and the run has diverged

# Wider than what a run may come to now: earlier ones were allowed every float32, and a hand-changed rate times 1e6.
Loss = Annotated[float, Range(0, 3.5e38)]
Accuracy = Annotated[float, Range(0, 1)]
Seconds = Annotated[float, Range(0, 1e9)]

PLAIN_SAMPLE = 10_000  # training images at most that a run's end is evaluated on: as many as there are test images


@dataclass(frozen=True)
class EpochRecord:
    """One epoch, counted from 0.

    `train_` figures are running means over the epoch, with dropout and augmentation on, while the weights change; the
    others are measured after it, without either. To compare like with like, the last epoch of a run has `plain_train_`
    figures too: of a sample of the training images, measured as the test images are.
    """

    epoch: Annotated[int, Range(0, 100_000)]
    train_loss: Loss
    train_accuracy: Accuracy
    validation_loss: Loss | None
    validation_accuracy: Accuracy | None
    test_loss: Loss
    test_accuracy: Accuracy
    learning_rate: Annotated[float, Range(0, 1e9)]  # at the epoch's last iteration
    seconds: Seconds  # training and evaluation together
    plain_train_loss: Loss | None = None
    plain_train_accuracy: Accuracy | None = None

    @property
    def held_out_accuracy(self) -> float:
        """On images that were not trained on: those held out, where there are any, or else the test images."""
        return self.test_accuracy if self.validation_accuracy is None else self.validation_accuracy


@dataclass(frozen=True)
class RateChange:
    """Where someone changed the learning rate of a run that was under way."""

    iteration: Annotated[int, Range(0, 10**9)]  # the first with the new rate, counted from 0 through the whole run
    factor: Annotated[float, Range(1e-9, 1e9)]  # from there on, by which the schedule's rates are multiplied


EPOCH_COLUMNS = tuple(field.name for field in fields(EpochRecord))


def epoch_cells(record: EpochRecord) -> tuple[Cell, ...]:
    """An epoch's figures in the order of EPOCH_COLUMNS, accuracies as fractions; its number from 1, as pages count."""
    return astuple(replace(record, epoch=record.epoch + 1))
