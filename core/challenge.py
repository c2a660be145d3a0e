"""The challenge: what it asks for, and when a run meets it. The default is the three lineages'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from core.errors import SettingsError
from core.record import Json, Range, check, read
from core.words import plural, target_words

DIGITS = 6  # of accuracies, rounded before a comparison: sums of fractions are off by 1e-16
NUMBERS = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

Data = Literal["MNIST", "FashionMNIST", "KMNIST", "embedded digits"]  # `core.data.mnist.DATASETS`


Accuracy = Annotated[float, Range(0.1, 1)]  # a fraction
HeldEpochs = Annotated[int, Range(1, 100)]
Epochs = Annotated[int, Range(1, 1000)]
Parameters = Annotated[int, Range(100, 20_000_000)]


@dataclass(frozen=True)
class Challenge:
    """What a run has to reach. The defaults are what the three lineages of the ladder ask for."""

    dataset: Data = "MNIST"
    accuracy: Accuracy = 0.994  # of the test images
    held_epochs: HeldEpochs = 3  # the last epochs of a run, each of which reaches it
    epochs: Epochs = 15  # at most
    parameters: Parameters = 8_000  # at most

    @property
    def target(self) -> str:
        """The accuracy as sentences have it: `99.4%`."""
        return target_words(self.accuracy)

    @property
    def noun(self) -> str:
        """What the images show: digits, or for other data sets than MNIST's just images."""
        return "digits" if self.dataset in ("MNIST", "embedded digits") else "images"

    @property
    def last_epochs(self) -> str:
        """`last three epochs`, `last epoch`."""
        if self.held_epochs == 1:
            return "last epoch"
        few = self.held_epochs < len(NUMBERS)
        return f"last {NUMBERS[self.held_epochs] if few else self.held_epochs} epochs"

    def each_of(self, whose: str = "the") -> str:
        """`each of the last three epochs`, `the last epoch`."""
        return f"{'each of ' if self.held_epochs > 1 else ''}{whose} {self.last_epochs}"

    def all_of(self, whose: str) -> str:
        """`all of their last three epochs`, `their last epoch`."""
        return f"{'all of ' if self.held_epochs > 1 else ''}{whose} {self.last_epochs}"

    def lowest_of(self, whose: str = "the") -> str:
        """`the lowest of its last three epochs`, `its last epoch`."""
        return f"{'the lowest of ' if self.held_epochs > 1 else ''}{whose} {self.last_epochs}"

    @property
    def few_parameters(self) -> int:
        """Half the budget: a network with fewer leaves more than it uses."""
        return self.parameters // 2


CHALLENGE = Challenge()  # of the three lineages


def challenge_from_dict(data: Json, place: str) -> Challenge:
    """The challenge that a JSON object describes. Raises SettingsError, naming the field and its range."""
    return checked(read(Challenge, data, place, SettingsError), place)


def checked(challenge: Challenge, place: str) -> Challenge:
    """The challenge itself, if it can be met. Raises SettingsError, naming the field and its range."""
    check(challenge, place, SettingsError)
    if challenge.held_epochs > challenge.epochs:
        raise SettingsError(
            f"{place}: held_epochs: {plural(challenge.held_epochs, 'epoch')} cannot be held in a run of at most "
            f"{plural(challenge.epochs, 'epoch')}; it is 1 to {challenge.epochs}"
        )
    return challenge


def target_of(asked: float, dataset: str, challenge: Challenge) -> float:
    """The target of a run: the challenge's accuracy, unless its recipe asks for another than the default."""
    own = asked != CHALLENGE.accuracy or dataset != challenge.dataset
    return asked if own else challenge.accuracy


def first_reached(accuracies: Sequence[float], target: float = CHALLENGE.accuracy) -> int | None:
    """The first epoch, counted from 0, with at least the target accuracy."""
    return next((epoch for epoch, accuracy in enumerate(accuracies) if accuracy >= target), None)


def held_from(accuracies: Sequence[float], target: float = CHALLENGE.accuracy) -> int | None:
    """The first epoch from which all epochs to the end have at least the target accuracy."""
    below = [epoch for epoch, accuracy in enumerate(accuracies) if accuracy < target]
    start = below[-1] + 1 if below else 0
    return start if start < len(accuracies) else None


def holds(accuracies: Sequence[float], challenge: Challenge = CHALLENGE) -> bool:
    """Whether each of a run's last epochs reaches the challenge's accuracy. False for a run of fewer epochs."""
    last = accuracies[-challenge.held_epochs :]
    reached = all(round(accuracy, DIGITS) >= challenge.accuracy for accuracy in last)
    return len(last) == challenge.held_epochs and reached


@dataclass(frozen=True)
class Conditions:
    """The challenge's three conditions, for n runs of one network and recipe that differ in their seed."""

    small: bool  # at most so many parameters
    short: bool  # at most so many epochs
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


def conditions(parameters: int, epochs: int, holding: int, n: int, challenge: Challenge = CHALLENGE) -> Conditions:
    """The conditions for n runs of at most `epochs` epochs, of which `holding` hold the target."""
    return Conditions(parameters <= challenge.parameters, epochs <= challenge.epochs, holding, n)
