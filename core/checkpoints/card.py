"""The card of a checkpoint: what the network is, how it was trained, what it measured, and the hash of its weights.

Cards are JSON and need no torch, so the ladder shows measured figures at once.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

from core.architecture.spec import Architecture, architecture_from_dict, architecture_to_dict
from core.architecture.trace import classifier, spell
from core.challenge import first_reached, held_from
from core.checkpoints.files import read_json, replace_text
from core.errors import CheckpointError, LabError
from core.record import Json, read, short, short_number
from core.training.history import EpochRecord, RateChange
from core.training.recipe import Recipe, recipe_from_dict, recipe_to_dict
from core.words import plural

VERSION = 1
MOST_TEXT = 200  # characters of a name, a device or a hash

Choice = Literal["last", "best on validation", "best, chosen on the test set"]
Stored = Literal["float32", "float16"]


@dataclass(frozen=True)
class Card:
    """Everything known about a checkpoint besides its weights."""

    name: str
    slug: str  # the step of the catalogue, or empty for a design of one's own
    architecture: Architecture
    recipe: Recipe
    dataset: str
    choice: Choice  # which epoch's weights these are, and who chose it
    epoch: int  # counted from 0
    history: tuple[EpochRecord, ...]
    parameters: int
    normalisation_mean: float
    normalisation_sd: float
    train_images: int
    validation_images: int
    test_images: int
    device: str  # such as cpu or cuda: NVIDIA H200
    versions: dict[str, str]  # python, torch
    seconds: float  # of training and evaluation
    created: str  # UTC, ISO 8601
    weights_sha256: str = ""  # filled in when the pair is saved
    stored: Stored = "float32"  # float16: the test figures of its epoch are those of the halved weights
    rate_changes: tuple[RateChange, ...] = ()  # where the rates are not those of the recipe's schedule

    @property
    def record(self) -> EpochRecord:
        """The figures of the epoch whose weights these are."""
        return self.history[self.epoch]

    @property
    def test_accuracies(self) -> list[float]:
        return [record.test_accuracy for record in self.history]

    @property
    def first_reached(self) -> int | None:
        """The first epoch at the recipe's target accuracy, on the test set."""
        return first_reached(self.test_accuracies, self.recipe.target_accuracy)

    @property
    def held_from(self) -> int | None:
        """The first epoch from which the target was held to the end."""
        return held_from(self.test_accuracies, self.recipe.target_accuracy)


NAMES = tuple(field.name for field in fields(Card))


def card_to_dict(card: Card) -> dict[str, Json]:
    """The card's JSON form."""
    plain = {
        name: value
        for name, value in vars(card).items()
        if name not in ("architecture", "recipe", "history", "rate_changes")
    }
    changes = [cast(Json, asdict(change)) for change in card.rate_changes]
    return {
        "version": VERSION,
        **cast(dict[str, Json], plain),
        "architecture": architecture_to_dict(card.architecture),
        "recipe": recipe_to_dict(card.recipe),
        "history": [cast(Json, asdict(record)) for record in card.history],
        **({"rate_changes": changes} if changes else {}),
    }


def card_from_dict(data: Json, place: str) -> Card:
    """The card that a JSON object describes. Raises CheckpointError, its message beginning with `place`."""
    if not isinstance(data, dict) or data.get("version") != VERSION:
        version = data.get("version") if isinstance(data, dict) else None
        raise CheckpointError(f"{place}: the card's version is {short(version)}, this lab reads version {VERSION}")
    if surplus := [name for name in data if name != "version" and name not in NAMES]:
        raise CheckpointError(f"{place}: unknown field {short(surplus[0])}; a card has {', '.join(NAMES)}")
    values: dict[str, Any] = {name: value for name, value in data.items() if name != "version"}
    try:
        values["architecture"] = architecture_from_dict(values["architecture"])
        values["recipe"] = recipe_from_dict(values["recipe"])
        values["history"] = tuple(
            read(EpochRecord, record, f"history[{number}]", CheckpointError)
            for number, record in enumerate(values["history"])
        )
        values["rate_changes"] = tuple(
            read(RateChange, change, f"rate_changes[{number}]", CheckpointError)
            for number, change in enumerate(values.get("rate_changes", ()))
        )
        card = Card(**values)
    except LabError as error:
        raise CheckpointError(f"{place}: {error}") from None
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{place}: the card does not have the fields of a card: {short(str(error))}") from None
    _check_plain(card, place)
    if card.choice not in get_args(Choice):
        raise CheckpointError(f"{place}: choice {short(card.choice)} is none of {', '.join(get_args(Choice))}")
    if card.stored not in get_args(Stored):
        raise CheckpointError(f"{place}: stored {short(card.stored)} is none of {', '.join(get_args(Stored))}")
    if not card.epoch < len(card.history):
        raise CheckpointError(
            f"{place}: epoch {card.epoch} is outside its history of {plural(len(card.history), 'epoch')}"
        )
    _check_network(card, place)
    return card


def _check_network(card: Card, place: str) -> None:
    """Raises CheckpointError for an architecture that reads no digits, or has not the card's count of parameters."""
    if card.architecture.input != (1, 28, 28):
        raise CheckpointError(f"{place}: the network takes {spell(card.architecture.input)}, digits are 1 x 28 x 28")
    try:
        walked = classifier(card.architecture)
    except LabError as error:
        raise CheckpointError(f"{place}: {error}") from None
    if card.parameters != walked.parameters:
        raise CheckpointError(
            f"{place}: the card says {card.parameters:,} parameters, its architecture has {walked.parameters:,}"
        )


def _check_plain(card: Card, place: str) -> None:
    """Raises CheckpointError for a text, number or table of a card that is none."""
    kinds: dict[object, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}
    for field in fields(card):
        value = getattr(card, field.name)
        if isinstance(value, str):
            _check_text(value, f"{place}: {field.name}")
        if field.type in kinds and (isinstance(value, bool) or not isinstance(value, kinds[field.type])):
            raise CheckpointError(f"{place}: {field.name}: expected {field.type}, got {short(value)}")
        if isinstance(value, int | float) and not 0 <= value < 1e30:
            raise CheckpointError(f"{place}: {field.name}: {short_number(value)} is outside 0 to 1e30")
    if not card.normalisation_sd > 0:
        raise CheckpointError(f"{place}: normalisation_sd: {card.normalisation_sd} is not above 0")
    if not isinstance(card.versions, dict) or not all(isinstance(each, str) for each in card.versions.values()):
        raise CheckpointError(f"{place}: versions: expected names and versions, got {short(card.versions)}")
    for each in (*card.versions, *card.versions.values()):
        _check_text(each, f"{place}: versions")


def _check_text(text: str, place: str) -> None:
    """Raises CheckpointError for a text too long for a line, or one that no page can show."""
    if len(text) > MOST_TEXT:
        raise CheckpointError(f"{place}: {len(text):,} characters, at most {MOST_TEXT} are allowed")
    if any("\ud800" <= each <= "\udfff" for each in text):  # half of a pair: JSON can carry it, a page cannot
        raise CheckpointError(f"{place}: {short(text)} is not valid Unicode text")


def read_card(path: Path) -> Card:
    """The card in a file. Raises CheckpointError for one that is missing or no card."""
    return card_from_dict(read_json(path, "there is no such card", "the card cannot be read"), str(path))


def write_card(card: Card, path: Path) -> None:
    """Replace the card in a file. Raises OSError."""
    replace_text(path, json.dumps(card_to_dict(card), indent=1) + "\n")
