"""Frozen dataclasses to JSON and back: ranges stand in the type, defaults are left out, errors name the place.

A field is `Annotated[int, Range(1, 512)]`, a `Literal`, a `bool`, a dataclass, an optional dataclass, or a union of
dataclasses told apart by a tag. The same ranges serve the reader of JSON, the widgets and the check of what came from
either.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from core.errors import LabError

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")

TAG = "name"  # the key that tells the members of a union apart, unless the caller says otherwise


@dataclass(frozen=True)
class Range:
    """The values a number may have, both ends included."""

    least: float
    most: float


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:  # Any: typing's own forms have no common type
    return get_type_hints(kind, include_extras=True)


def range_of(kind: type, field: str) -> Range:
    """The range of a numeric field of a dataclass, for a widget's bounds."""
    return cast(Range, _hints(kind)[field].__metadata__[0])


def write(record: object, tag: str = "") -> dict[str, Json]:
    """The record as JSON, without the fields that hold their default; with its class's name under `tag`, if given."""
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"{record!r} is no dataclass instance")
    written: dict[str, Json] = {tag: type(record).__name__} if tag else {}
    for field in fields(record):
        default = field.default if field.default is not MISSING else None
        if field.default_factory is not MISSING:
            default = field.default_factory()
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if optional and replace(record, **{field.name: default}) == record:
            continue
        value = getattr(record, field.name)
        if is_dataclass(value):
            written[field.name] = write(value, TAG if _members(_hints(type(record))[field.name]) else "")
        else:
            written[field.name] = value
    return written


def read(kind: type[T], data: Json, place: str, error: type[LabError], tag: str = "") -> T:
    """The record that a JSON object describes. Raises `error`, its message beginning with `place`."""
    if not isinstance(data, dict):
        raise error(f"{place}: expected an object with fields, got {short(data)}")
    known = {field.name: field for field in fields(cast(Any, kind))}
    if surplus := [key for key in data if key not in known and key != tag]:
        takes = ", ".join(known) or "no fields"
        raise error(f"{place}: unknown field {short(surplus[0])}; {kind.__name__} takes {takes}")
    required = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in required if name not in data]:
        raise error(f"{place}: {missing[0]} is missing")
    hints = _hints(cast(type, kind))
    values = {n: _value(hints[n], data[n], f"{place}: {n}", error) for n in known if n in data}
    return kind(**values)


def read_tagged(kinds: Mapping[str, type[T]], data: Json, place: str, error: type[LabError], tag: str = TAG) -> T:
    """One of several kinds of record, told apart by the class name under `tag`."""
    if not isinstance(data, dict):
        raise error(f'{place}: expected an object such as {{"{tag}": "{next(iter(kinds))}"}}, got {short(data)}')
    name = data.get(tag)
    if not isinstance(name, str) or name not in kinds:
        raise error(f"{place}: unknown {tag} {short(name)}; there are {', '.join(kinds)}")
    return read(kinds[name], data, f"{place} {name}", error, tag)


def check(record: T, place: str, error: type[LabError]) -> T:
    """The record itself, if every value is of its type and in its range: for records built in code or by a widget."""
    for name, hint in _hints(cast(type, type(record))).items():
        value = getattr(record, name)
        if is_dataclass(value):
            check(value, f"{place}: {name}", error)
        elif name in {field.name for field in fields(cast(Any, record))}:
            _value(hint, value, f"{place}: {name}", error)
    return record


def _value(hint: Any, value: Json, where: str, error: type[LabError]) -> object:
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        if value is None:
            return None
        hint = Union[tuple(each for each in get_args(hint) if each is not type(None))]  # noqa: UP007  (its members are known only now)
    if kinds := _members(hint):
        return read_tagged(kinds, value, where, error)
    if (inner := _only_dataclass(hint)) is not None:
        return read(inner, value, where, error)
    if get_origin(hint) is Literal:
        for choice in get_args(hint):
            if type(value) is type(choice) and value == choice:  # False is no 0, and 5000.0 no 5000
                return choice
        raise error(f"{where}: {short(value)} is none of {', '.join(map(str, get_args(hint)))}")
    if hint is bool:
        if not isinstance(value, bool):
            raise error(f"{where}: expected true or false, got {short(value)}")
        return value
    if get_origin(hint) is Annotated:
        kind, bounds = get_args(hint)
        return _number(kind, bounds, value, where, error)
    raise TypeError(f"{where}: no reader for {hint}")


def _number(kind: type, bounds: Range, value: Json, where: str, error: type[LabError]) -> int | float:
    whole = kind is int
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise error(f"{where}: expected a {'whole ' if whole else ''}number, got {short(value)}")
    if not bounds.least <= value <= bounds.most:  # not a number is in no range
        raise error(f"{where}: {short_number(value)} is outside {bounds.least:,} to {bounds.most:,}")
    return value if whole else float(value)


def _members(hint: Any) -> dict[str, type]:
    """The dataclasses of a union of several; empty for anything else."""
    if get_origin(hint) not in (Union, types.UnionType):
        return {}
    members = [member for member in get_args(hint) if is_dataclass(member)]
    return {member.__name__: member for member in members if isinstance(member, type)} if len(members) > 1 else {}


def _only_dataclass(hint: Any) -> type | None:
    """The dataclass that the hint is, or is the optional form of."""
    for candidate in (hint, *get_args(hint)):
        if isinstance(candidate, type) and is_dataclass(candidate):
            return candidate
    return None


def short_number(value: float) -> str:
    """A number with its thousands apart; of one with very many digits, only how many they are."""
    return (
        f"{value:,}" if abs(value) < 1e30 or isinstance(value, float) else f"a number of {len(str(abs(value)))} digits"
    )


def short(value: object) -> str:
    """A value as it was given, cut to what fits in a sentence."""
    try:
        text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    except RecursionError:
        text = "something nested too deep to show"
    text = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair could not be shown
    return text if len(text) <= 60 else text[:57] + "..."
