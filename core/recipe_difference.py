"""What two recipes do differently, field by field. No torch."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

from core.recipe import Recipe

ABSENT = "—"  # of a field that only the other recipe has, such as the momentum of an optimizer without one


@dataclass(frozen=True)
class FieldDifference:
    """One field in which two recipes differ, with both values in words."""

    field: str  # in words, such as `augmentation, rotation, strength`
    before: str
    after: str


def recipe_differences(before: Recipe, after: Recipe, with_seed: bool = False) -> tuple[FieldDifference, ...]:
    """The fields in which the second recipe differs from the first, in the order of the recipe.

    Of an optimizer or schedule that was exchanged for another kind, its name comes first and then its own fields. The
    seed counts only `with_seed`: runs that differ in it alone are the same recipe.
    """
    first, second = dict(recipe_fields(before)), dict(recipe_fields(after))
    return tuple(
        FieldDifference(name, first.get(name, ABSENT), second.get(name, ABSENT))
        for name in _merged(list(first), list(second))
        if first.get(name) != second.get(name) and (with_seed or name != "seed")
    )


def recipe_fields(recipe: Recipe) -> list[tuple[str, str]]:
    """Every field of a recipe in words and its value in words, those of its parts after the part's own name."""
    return _fields(recipe, "")


def _fields(record: object, within: str) -> list[tuple[str, str]]:
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"{record!r} is no dataclass instance")
    found: list[tuple[str, str]] = []
    for field in fields(record):
        value, name = getattr(record, field.name), within + field.name.replace("_", " ")
        if is_dataclass(value):
            found += [(name, type(value).__name__), *_fields(value, f"{name}, ")]
        else:
            found.append((name, _spelled(value)))
    return found


def _spelled(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)


def _merged(first: list[str], second: list[str]) -> list[str]:
    """The names of both lists: each of the second alone stands after the one that it follows there."""
    names = list(first)
    for place, name in enumerate(second):
        if name not in names:
            names.insert(names.index(second[place - 1]) + 1 if place else 0, name)
    return names
