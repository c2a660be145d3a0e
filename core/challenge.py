"""The challenge of all three lineages, and when a run meets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TARGET_ACCURACY = 0.994
MAX_PARAMETERS = 8_000
MAX_EPOCHS = 15
LAST = 3  # the last epochs of a run, in which the target must be held
DIGITS = 6  # of accuracies, rounded before a comparison: sums of fractions are off by 1e-16


def first_reached(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> int | None:
    """The first epoch, counted from 0, with at least the target accuracy."""
    return next((epoch for epoch, accuracy in enumerate(accuracies) if accuracy >= target), None)


def held_from(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> int | None:
    """The first epoch from which all epochs to the end have at least the target accuracy."""
    below = [epoch for epoch, accuracy in enumerate(accuracies) if accuracy < target]
    start = below[-1] + 1 if below else 0
    return start if start < len(accuracies) else None


def holds(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> bool:
    """Whether each of a run's last three epochs reaches the target. False for a run of fewer epochs."""
    last = accuracies[-LAST:]
    return len(last) == LAST and all(round(accuracy, DIGITS) >= target for accuracy in last)


@dataclass(frozen=True)
class Conditions:
    """The challenge's three conditions, for n runs of one network and recipe that differ in their seed."""

    small: bool  # at most MAX_PARAMETERS
    short: bool  # at most MAX_EPOCHS
    holding: int  # runs that hold the target in their last epochs
    n: int

    @property
    def meeting(self) -> int:
        """How many of the runs meet the challenge: a single run can meet it, a mean cannot."""
        return self.holding if self.small and self.short else 0

    @property
    def mostly_held(self) -> bool:
        """Whether more than half of the runs hold the target; of a single run, whether it does."""
        return 2 * self.holding > self.n

    @property
    def mostly_met(self) -> bool:
        """Whether more than half of the runs meet the challenge; of a single run, whether it does."""
        return 2 * self.meeting > self.n

    @property
    def met(self) -> int:
        """How many of the three conditions are met, by more than half of the runs."""
        return self.small + self.short + self.mostly_held


def conditions(parameters: int, epochs: int, holding: int, n: int) -> Conditions:
    """The conditions for n runs of at most `epochs` epochs, of which `holding` hold the target."""
    return Conditions(parameters <= MAX_PARAMETERS, epochs <= MAX_EPOCHS, holding, n)
