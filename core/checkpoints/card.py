"""The card of a checkpoint: its network, its training, its results, and the hash of its weights.

Cards are JSON and need no torch, so pages show measured figures at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Annotated, Literal

from core.architecture.json_form import architecture_from_dict, architecture_to_dict
from core.architecture.sizes import shape_words
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.challenge import first_reached, held_from
from core.checkpoints.files import checked_version, read_json
from core.errors import CheckpointError, LabError
from core.files import replace_text
from core.record import By, Json, Length, Range, read, write
from core.training.history import Accuracy, EpochRecord, Loss, RateChange, Seconds
from core.training.recipe import Recipe, recipe_from_dict, recipe_to_dict
from core.words import plural

VERSION = 1
DIGITS_INPUT = (1, 28, 28)

Choice = Literal["last", "best on validation", "best, chosen on the test set", "imported"]
Stored = Literal["float32", "float16"]
Count = Annotated[int, Range(0, 10**12)]
Grey = Annotated[float, Range(-1e6, 1e6)]  # of normalisation; grey levels are 0 to 1


@dataclass(frozen=True)
class Imported:
    """Where weights came from that were trained elsewhere, and what was measured of them here.

    How they were trained is not known: the card's history is empty and its recipe says nothing.
    """

    file: Annotated[str, Length(1, 120)]  # its name
    kind: str  # such as "a state_dict of torch" or "ONNX"
    matched: str  # how the weights were given to the ops
    test_loss: Loss
    test_accuracy: Accuracy
    normalisation_from: str = ""  # how the normalisation was chosen
    by: str = ""  # the nickname of who imported it


@dataclass(frozen=True)
class Card:
    """Everything about a checkpoint except its weights."""

    name: str
    slug: str  # of the step; empty for a student's design
    architecture: Annotated[Architecture, By(architecture_from_dict, architecture_to_dict)]
    recipe: Annotated[Recipe, By(recipe_from_dict, recipe_to_dict)]
    dataset: str
    choice: Choice  # how the epoch of these weights was chosen
    epoch: Count  # counted from 0
    history: tuple[EpochRecord, ...]
    parameters: Count
    normalisation_mean: Grey
    normalisation_sd: Grey  # not 0; negative where black and white are exchanged
    train_images: Count
    validation_images: Count
    test_images: Count
    device: str  # such as cpu or cuda: NVIDIA H200; with the precision, where it is not the recipe's
    versions: dict[str, str]  # python, torch
    seconds: Seconds  # of training and evaluation
    created: str  # UTC, ISO 8601
    weights_sha256: str = ""  # set when the checkpoint is saved
    stored: Stored = "float32"  # float16: the test figures of its epoch are those of the weights in float16
    rate_changes: tuple[RateChange, ...] = ()  # changes of the schedule's rates during the run
    imported: Imported | None = None  # of weights that were trained elsewhere

    @property
    def record(self) -> EpochRecord:
        """The figures of the epoch of these weights; of imported ones, those of training are not a number."""
        if self.imported is None:
            return self.history[self.epoch]
        found = self.imported
        return EpochRecord(0, nan, nan, None, None, found.test_loss, found.test_accuracy, 0.0, 0.0)

    @property
    def after(self) -> str:
        """How long the network was trained: `after 15 epochs`; of imported weights it is not known."""
        return "imported" if self.imported else f"after {plural(self.epoch + 1, 'epoch')}"

    @property
    def test_accuracies(self) -> list[float]:
        return [record.test_accuracy for record in self.history]

    @property
    def first_reached(self) -> int | None:
        """The first epoch that reaches the recipe's target accuracy, on the test set."""
        return first_reached(self.test_accuracies, self.recipe.target_accuracy)

    @property
    def held_from(self) -> int | None:
        """The first epoch from which the target is held to the end."""
        return held_from(self.test_accuracies, self.recipe.target_accuracy)


def card_to_dict(card: Card) -> dict[str, Json]:
    """The card's JSON form."""
    return {"version": VERSION, **write(card)}


def card_from_dict(data: Json, place: str) -> Card:
    """The card that a JSON object describes. Raises CheckpointError, its message beginning with `place`."""
    card = read(Card, checked_version(data, VERSION, "the card's", place), place, CheckpointError)
    if card.imported is None and not card.epoch < len(card.history):
        raise CheckpointError(
            f"{place}: epoch {card.epoch} is outside its history of {plural(len(card.history), 'epoch')}"
        )
    if abs(card.normalisation_sd) < 1e-9:
        raise CheckpointError(f"{place}: normalisation_sd: {card.normalisation_sd:g} is too near to 0 to divide by")
    _check_network(card, place)
    return card


def _check_network(card: Card, place: str) -> None:
    """Raises CheckpointError for an architecture that does not fit digits, or has another number of parameters."""
    if card.architecture.input != DIGITS_INPUT:
        raise CheckpointError(
            f"{place}: the network takes {shape_words(card.architecture.input)}, digits are 1 x 28 x 28"
        )
    try:
        walked = classifier(card.architecture)
    except LabError as error:
        raise CheckpointError(f"{place}: {error}") from None
    if card.parameters != walked.parameters:
        raise CheckpointError(
            f"{place}: the card says {card.parameters:,} parameters, its architecture has {walked.parameters:,}"
        )


def read_card(path: Path) -> Card:
    """The card in a file. Raises CheckpointError for a file that is missing or not a card."""
    return card_from_dict(read_json(path, "there is no such card", "the card cannot be read"), str(path))


def write_card(card: Card, path: Path) -> None:
    """Replace the card in a file. Raises OSError."""
    replace_text(path, json.dumps(card_to_dict(card), indent=1) + "\n")
