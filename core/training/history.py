"""What a run measured at the end of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import Annotated

from core.record import Range
from core.spreadsheet import Cell
from core.training.schedules import EarlyStopping, stops

MAX_LOSS = 1e19  # of a run: the square of a larger one does not fit into float32, so the run has diverged

# Wider than what a run can reach now: earlier runs could have every float32, and a rate multiplied by 1e6.
Loss = Annotated[float, Range(0, 3.5e38)]
Accuracy = Annotated[float, Range(0, 1)]
Seconds = Annotated[float, Range(0, 1e9)]

PLAIN_SAMPLE = 10_000  # training images, at most, for the evaluation at the end of a run: as many as test images


@dataclass(frozen=True)
class EpochRecord:
    """One epoch, counted from 0.

    `train_` figures are means over the epoch, while the weights change, with dropout and augmentation on. The others
    are measured after the epoch, without both. For a fair comparison the last epoch of a run also has `plain_train_`
    figures: a sample of the training images, measured like the test images.
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
    def held_out_loss(self) -> float:
        """The loss on images that were not trained on, as for `held_out_accuracy`."""
        return self.test_loss if self.validation_loss is None else self.validation_loss

    @property
    def held_out_accuracy(self) -> float:
        """The accuracy on images that were not trained on: the validation images, or the test images without those."""
        return self.test_accuracy if self.validation_accuracy is None else self.validation_accuracy


def stopped_early(early: EarlyStopping | None, history: Sequence[EpochRecord]) -> bool:
    """Whether a run ends after these epochs because its figure on the held-out images has stopped improving."""
    if early is None:
        return False
    on_accuracy = early.monitor == "accuracy"
    return stops(early, [each.held_out_accuracy if on_accuracy else each.held_out_loss for each in history])


@dataclass(frozen=True)
class RateChange:
    """A change of the learning rate during a run, made by a person."""

    iteration: Annotated[int, Range(0, 10**9)]  # the first with the new rate, counted from 0 through the whole run
    factor: Annotated[float, Range(1e-9, 1e9)]  # of the schedule's rates from there on


EPOCH_COLUMNS = tuple(field.name for field in fields(EpochRecord))


def epoch_cells(record: EpochRecord) -> tuple[Cell, ...]:
    """An epoch's figures in the order of EPOCH_COLUMNS, accuracies as fractions; its number from 1, as pages count."""
    return astuple(replace(record, epoch=record.epoch + 1))
