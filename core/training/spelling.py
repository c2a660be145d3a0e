"""Other spellings of a name: squashed, so that `T_max`, `t-max` and `TMax` are one; and two of them in one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.errors import RecipeError
from core.record import Json, short

Fields = dict[str, Json]


def squashed(name: str) -> str:
    """Only its letters and digits, in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def spellings(names: Iterable[str], others: Mapping[str, str]) -> dict[str, str]:
    """The lab's name for each squashed spelling: its own names, and the others, many in one text with blanks between.

    `others` has the lab's name first: {"learning_rate": "lr rate"}.
    """
    table = {squashed(name): name for name in names}
    for name, listed in others.items():
        table |= {squashed(each): name for each in listed.split()}
    return table


def renamed(data: Fields, table: Mapping[str, str], place: str) -> Fields:
    """The object with the lab's names; a name that is in no table stays as it is. Raises RecipeError for two of one."""
    found: Fields = {}
    came_from: dict[str, str] = {}
    for key, value in data.items():
        put(found, table.get(squashed(key), key), value, place, key, came_from)
    return found


def put(
    fields: Fields, name: str, value: Json, place: str, written: str, came_from: dict[str, str] | None = None
) -> None:
    """Set a field that may be set already, to the same value. Raises RecipeError that names both."""
    if name in fields and fields[name] != value:
        earlier = (came_from or {}).get(name, name)
        raise RecipeError(
            f"{place}: {short(written)} is {short(value)} and {short(earlier)} is {short(fields[name])}, "
            f"but both say {name}; keep one"
        )
    fields[name] = value
    if came_from is not None:
        came_from.setdefault(name, written)


def part(value: Json, place: str) -> Json:
    """A part that has a name, as an object: "Adam", {"type": "Adam", ...}, {"Adam": {...}}, "torch.optim.Adam"."""
    if isinstance(value, str):
        return {"name": value.rpartition(".")[2]}
    if not isinstance(value, dict):
        return value
    fields = dict(value)
    if "name" not in fields:
        for key in ("type", "class", "class_name", "kind"):
            if isinstance(fields.get(key), str):
                fields["name"] = fields.pop(key)
                break
        else:
            if len(fields) == 1 and isinstance(inner := next(iter(fields.values())), dict):
                fields = {"name": next(iter(fields)), **inner}
    for key in ("params", "config", "kwargs", "args", "options"):
        if isinstance(inner := fields.get(key), dict):
            del fields[key]
            for name, each in inner.items():
                put(fields, name, each, place, name)
    if isinstance(named := fields.get("name"), str):
        fields["name"] = named.rpartition(".")[2]
    return fields


def is_off(value: Json) -> bool:
    """null or false, but not 0."""
    return value is None or value is False


def number(value: Json) -> float | None:
    """A number that is one; None for anything else, true and false among them."""
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def pair(value: Json) -> tuple[float, float] | None:
    """Two numbers of a list; a single one in a list is both."""
    if not isinstance(value, list) or len(value) not in (1, 2):
        return None
    first, second = number(value[0]), number(value[-1])
    return None if first is None or second is None else (first, second)
