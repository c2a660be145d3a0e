"""The differences between two recipes, field by field. No torch."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

from core.training.recipe import Recipe
from core.training.recipe_words import field_words, value_words

ABSENT = "—"  # a field that only the other recipe has, such as the momentum of SGD beside Adam


@dataclass(frozen=True)
class FieldDifference:
    """One field in which two recipes differ, with both values in words."""

    field: str  # in words, such as `augmentation, rotation, strength`
    before: str
    after: str


def recipe_differences(before: Recipe, after: Recipe, with_seed: bool = False) -> tuple[FieldDifference, ...]:
    """The fields in which the second recipe differs from the first, in the order of the recipe.

    If the optimizer or the schedule is of another kind, its name comes first and then its fields. The seed counts only
    `with_seed`: without it, runs that differ only in the seed have the same recipe.
    """
    first, second = ({name: (value, field) for name, value, field in _values(each)} for each in (before, after))
    names = [
        name
        for name in _merged(list(first), list(second))
        if first.get(name) != second.get(name) and (with_seed or name != "seed")
    ]
    return tuple(FieldDifference(name, *_apart(first.get(name), second.get(name))) for name in names)


def recipe_fields(recipe: Recipe) -> list[tuple[str, str]]:
    """Every field of a recipe and its value, both in words; the fields of a part come after its name."""
    return [(name, value_words(value, field)) for name, value, field in _values(recipe)]


def _values(record: object, within: str = "") -> list[tuple[str, object, str]]:
    """Each field's name in words, its value, and its name in code; the value of a part is the name of its class."""
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"{record!r} is no dataclass instance")
    found: list[tuple[str, object, str]] = []
    for field in fields(record):
        value, name = getattr(record, field.name), within + field_words(field.name)
        if is_dataclass(value):
            found += [(name, type(value).__name__, ""), *_values(value, f"{name}, ")]
        else:
            found.append((name, value, field.name))
    return found


def _apart(one: tuple[object, str] | None, other: tuple[object, str] | None) -> tuple[str, str]:
    """Two values in words, with all digits if they would look the same otherwise."""
    words = [ABSENT if each is None else value_words(*each) for each in (one, other)]
    if one and other and words[0] == words[1]:
        words = [str(value) for value, _ in (one, other)]
    return words[0], words[1]


def _merged(first: list[str], second: list[str]) -> list[str]:
    """The names of both lists; a name that only the second has comes after the name before it there."""
    names = list(first)
    for place, name in enumerate(second):
        if name not in names:
            names.insert(names.index(second[place - 1]) + 1 if place else 0, name)
    return names
