"""The challenge that all three lineages set, and when a run meets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TARGET_ACCURACY = 0.994
MAX_PARAMETERS = 8_000
MAX_EPOCHS = 15
LAST = 3  # epochs, the last of a run, in each of which the target must be held
DIGITS = 6  # to which accuracies are rounded before they are compared: sums of fractions are off by 1e-16


def first_reached(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> int | None:
    """The first epoch, counted from 0, whose accuracy is at least the target."""
    return next((epoch for epoch, accuracy in enumerate(accuracies) if accuracy >= target), None)


def held_from(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> int | None:
    """The first epoch from which every later one, to the last, is at least the target."""
    below = [epoch for epoch, accuracy in enumerate(accuracies) if accuracy < target]
    start = below[-1] + 1 if below else 0
    return start if start < len(accuracies) else None


def holds(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> bool:
    """Whether one run's last three epochs all reach the target. A run of fewer epochs holds nothing yet."""
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
        """How many of the runs meet the challenge: it is a run that meets it, not a mean."""
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
    """What the challenge asks, answered for n runs of at most `epochs` epochs, `holding` of which hold the target."""
    return Conditions(parameters <= MAX_PARAMETERS, epochs <= MAX_EPOCHS, holding, n)
