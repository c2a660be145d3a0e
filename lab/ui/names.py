"""What a checkpoint is called on a page: by who trained it and its name, never by its reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.errors import LabError
from core.ladder import catalogue
from lab.studies.shelf import Shelved, piece_of
from lab.ui.caches import store


def named(shelved: Shelved) -> str:
    """`A3 dilation`; of one's own its owner and seed too: `C6 StepLR · Ada · seed 2`; and `best`, where it is that.

    One that was saved by a name has that, too.
    """
    card = shelved.card
    if shelved.shipped:
        return card.name
    if card.imported:
        return " · ".join(part for part in (card.name, card.imported.by) if part)
    which = "" if card.choice == "last" else "best"
    whose = _owner(shelved) if "/" in shelved.reference else shelved.reference
    return " · ".join(part for part in (card.name, whose, f"seed {card.recipe.seed}", which) if part)


def brief(shelved: Shelved) -> str:
    """In few letters: a shipped step's mark, such as A2; else as `named`."""
    try:
        return catalogue.mark(catalogue.by_slug(shelved.card.slug)) if shelved.shipped else named(shelved)
    except LabError:
        return named(shelved)


def apart(first: Shelved, second: Shelved) -> tuple[str, str]:
    """Two networks in as few letters as tell them apart, also where both are called the same."""
    one, two = (brief(each) if each.shipped else each.card.name for each in (first, second))
    if one == two:
        one, two = told_apart((first, second), named)
    return one, two


def told_apart(shelf: Sequence[Shelved], name: Callable[[Shelved], str]) -> list[str]:
    """Their names; of several that are called the same, each with a piece of its reference."""
    said = [name(each) for each in shelf]
    return [
        f"{text} · {piece_of(each.reference)}" if said.count(text) > 1 else text
        for each, text in zip(shelf, said, strict=True)
    ]


def _owner(shelved: Shelved) -> str:
    """The nickname of who trained it; "" where none was given, or its run is gone."""
    try:
        return store().get(shelved.reference.partition("/")[0]).owner
    except LabError:
        return ""
