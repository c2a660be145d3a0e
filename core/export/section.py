"""What a training script is made of: sections of code, each with a title and a few words."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from core.architecture.spec import Architecture
from core.checkpoints.card import Card
from core.training.recipe import Recipe

LONGEST = 95  # characters of a call on one line


@dataclass(frozen=True)
class Subject:
    """What the script trains. A card is that of a checkpoint with this network and recipe."""

    architecture: Architecture
    recipe: Recipe
    card: Card | None = None
    stem: str = ""  # of the names of the files that the script writes

    @property
    def file_stem(self) -> str:
        return self.stem or file_stem(self.architecture.name)

    @property
    def title(self) -> str:
        """The network's name, of characters that mean nothing in code, Markdown or HTML."""
        return " ".join(re.sub(r"[^\w .,+()-]", " ", self.architecture.name).split()) or "A network"

    @property
    def run(self) -> Card | None:
        """The card, if it is of a run: weights that were trained elsewhere have a card without a history."""
        return self.card if self.card and self.card.history else None

    @property
    def augments(self) -> bool:
        return self.recipe.augmentation.changes and self.recipe.plain_epochs < self.recipe.epochs

    @property
    def figure(self) -> str:
        """The images that a plateau or early stopping looks at."""
        return "validation" if self.recipe.validation_size else "test"


@dataclass(frozen=True)
class Section:
    """One step of the script: a cell of the notebook."""

    title: str
    words: str  # for a reader who sees it for the first time
    code: str


def file_stem(name: str) -> str:
    """A network's name as a file's: letters and digits, the rest as single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:60] or "network"


def literal(value: object) -> str:
    """The value as code, texts in double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def call(name: str, function: Callable[..., object], *first: str, **values: object) -> str:
    """The code of a call: the first arguments as they are, then the values that differ from the function's defaults."""
    parameters = inspect.signature(function).parameters
    given = [*first, *(f"{key}={literal(value)}" for key, value in values.items() if parameters[key].default != value)]
    line = f"{name}({', '.join(given)})"
    return line if len(line) <= LONGEST else f"{name}(\n    {', '.join(given)},\n)"
