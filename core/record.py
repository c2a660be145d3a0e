"""Frozen dataclasses to JSON and back: the types state the ranges, defaults are left out, errors name the place.

A field is one of
- `Annotated[int, Range(1, 512)]` or of float, a `bool`, a `Literal`;
- a `str` of at most MAX_TEXT characters, or `Annotated[str, Length(1, 100)]`, and a `dict` of such; made plain, see
  `core.outside`;
- a dataclass, or a union of dataclasses, which a tag tells apart; any of these may be `| None`;
- `tuple[X, ...]` or `tuple[X, Y]` of such fields, a list in JSON; `Annotated[tuple[X, ...], Length(1, 9)]` bounds it;
- `Annotated[X, By(read, write)]`: X has its own JSON form.
The same ranges serve the reader of JSON, the widgets, and the check of values from code.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from core.errors import LabError
from core.outside import plain, visible

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
MAX_TEXT = 200  # characters of a text without a Length of its own
T = TypeVar("T")

TAG = "name"  # the key that tells the members of a union apart, unless the caller says otherwise


@dataclass(frozen=True)
class Range:
    """The values a number may have, both ends included."""

    least: float
    most: float


@dataclass(frozen=True)
class Length:
    """How many characters a text may have, or elements a tuple; both ends included."""

    least: int
    most: int


@dataclass(frozen=True)
class By:
    """The functions that read and write the JSON form of a field; `read` raises LabError."""

    read: Callable[[Json], object]
    write: Callable[[Any], Json]


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
        written[field.name] = _plain(_hints(type(record))[field.name], getattr(record, field.name))
    return written


def _plain(hint: Any, value: Any) -> Json:
    """The JSON form of a field's value."""
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, By):
            return extra.write(value)
    if is_dataclass(value):
        return write(value, TAG if _members(hint) else "")
    if isinstance(value, tuple):
        return [_plain(inner, each) for inner, each in zip(_elements(hint, len(value)), value, strict=True)]
    return cast(Json, value)


def _elements(hint: Any, count: int) -> list[Any]:
    """The type of each element of a tuple that has `count` of them."""
    kinds = get_args(get_args(hint)[0] if get_origin(hint) is Annotated else hint)
    return [kinds[0]] * count if kinds[-1] is ... else list(kinds)


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
    values = {n: read_value(hints[n], data[n], f"{place}: {n}", error) for n in known if n in data}
    return kind(**values)


def read_tagged(kinds: Mapping[str, type[T]], data: Json, place: str, error: type[LabError], tag: str = TAG) -> T:
    """One of several kinds of record, distinguished by the class name under `tag`."""
    if not isinstance(data, dict):
        raise error(f'{place}: expected an object such as {{"{tag}": "{next(iter(kinds))}"}}, got {short(data)}')
    name = data.get(tag)
    if not isinstance(name, str) or name not in kinds:
        raise error(f"{place}: unknown {tag} {short(name)}; there are {', '.join(kinds)}")
    return read(kinds[name], data, f"{place} {name}", error, tag)


def check(record: T, place: str, error: type[LabError]) -> T:
    """The record itself, if every value has its type and is in its range: for records from code or a widget."""
    for name, hint in _hints(cast(type, type(record))).items():
        value = getattr(record, name)
        if is_dataclass(value):
            check(value, f"{place}: {name}", error)
        elif isinstance(value, tuple) and all(map(is_dataclass, value)):
            for number, each in enumerate(value):
                check(each, f"{place}: {name}: {number} {type(each).__name__}", error)
        elif name in {field.name for field in fields(cast(Any, record))}:
            read_value(hint, value, f"{place}: {name}", error)
    return record


def read_value(hint: Any, value: Json, where: str, error: type[LabError]) -> object:
    """The value of one field, checked against its type. Raises `error`, its message beginning with `where`."""
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        if value is None:
            return None
        hint = Union[tuple(each for each in get_args(hint) if each is not type(None))]  # noqa: UP007  (its members are known only now)
    if kinds := _members(hint):
        return read_tagged(kinds, value, where, error)
    if isinstance(hint, type) and is_dataclass(hint):
        return read(hint, value, where, error)
    if get_origin(hint) is Literal:
        for choice in get_args(hint):
            if type(value) is type(choice) and value == choice:  # False is no 0, and 5000.0 no 5000
                return choice
        raise error(f"{where}: {short(value)} is none of {', '.join(map(str, get_args(hint)))}")
    if hint is bool:
        if not isinstance(value, bool):
            raise error(f"{where}: expected true or false, got {short(value)}")
        return value
    if hint is str:
        return _text(value, Length(0, MAX_TEXT), where, error)
    if get_origin(hint) is tuple:
        return _tuple(hint, value, None, where, error)
    if get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise error(f"{where}: expected names and texts, got {short(value)}")
        names, values = get_args(hint)
        return {
            read_value(names, name, where, error): read_value(values, each, f"{where}: {short(name)}", error)
            for name, each in value.items()
        }
    if get_origin(hint) is Annotated:
        kind, extra = get_args(hint)
        if isinstance(extra, By):
            try:
                return extra.read(value)
            except LabError as failure:
                raise error(f"{where}: {failure}") from None
        if isinstance(extra, Length):
            if kind is str:
                return _text(value, extra, where, error)
            return _tuple(kind, value, extra, where, error)
        return _number(kind, extra, value, where, error)
    raise TypeError(f"{where}: no reader for {hint}")


def _number(kind: type, bounds: Range, value: Json, where: str, error: type[LabError]) -> int | float:
    whole = kind is int
    if whole and isinstance(value, float) and value.is_integer():
        value = int(value)  # 30.0, as many programs write it
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise error(f"{where}: expected a {'whole ' if whole else ''}number, got {short(value)}")
    if told := outside(value, bounds):
        raise error(f"{where}: {told}")
    return value if whole else float(value)


def outside(value: float, bounds: Range) -> str:
    """`2,000 is outside 1 to 1,000`; "" for a number within the bounds."""
    if bounds.least <= value <= bounds.most:  # not a number is in no range
        return ""
    return f"{short_number(value)} is outside {bounds.least:,} to {bounds.most:,}"


def _text(value: Json, length: Length, where: str, error: type[LabError]) -> str:
    if not isinstance(value, str):
        raise error(f"{where}: expected a text, got {short(value)}")
    if any("\ud800" <= each <= "\udfff" for each in value):  # half of a pair: JSON can carry it, a page cannot
        raise error(f"{where}: {short(value)} is not valid Unicode text")
    words = plain(value)
    if len(words) > length.most:
        raise error(f"{where}: {len(words):,} characters, at most {length.most:,} are allowed")
    if len(words) < length.least:
        raise error(f"{where}: {len(words):,} characters, at least {length.least:,} are needed")
    return words


def _tuple(hint: Any, value: Json, length: Length | None, where: str, error: type[LabError]) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):  # a tuple comes from code
        raise error(f"{where}: expected a list, got {short(value)}")
    if length and not length.least <= len(value) <= length.most:
        raise error(f"{where}: {len(value):,} elements, outside {length.least:,} to {length.most:,}")
    hints = _elements(hint, len(value))
    if len(hints) != len(value):
        raise error(f"{where}: expected a list of {len(hints)}, got {short(value)}")
    return tuple(
        read_value(inner, each, f"{where}[{number}]", error)
        for number, (inner, each) in enumerate(zip(hints, value, strict=True))
    )


def parse(text: str, what: str, error: type[LabError]) -> Json:
    """The JSON in a text. Raises `error`: "`what` is not JSON", and why."""
    try:
        data: Json = json.loads(text)
    except json.JSONDecodeError as failure:
        raise error(f"{what} is not JSON: {failure}") from None
    except (ValueError, RecursionError) as failure:
        raise error(f"{what} is not JSON that the lab reads: {too_much(failure)}") from None
    return data


def too_much(failure: ValueError | RecursionError) -> str:
    """What Python's reader of JSON cannot take of a text that may be JSON, in words."""
    if isinstance(failure, RecursionError):
        return "it is nested too deep"
    return "it holds a number of very many digits" if "digits" in str(failure) else str(failure)


def to_json(data: Json) -> str:
    """One line of JSON without blanks."""
    return json.dumps(data, separators=(",", ":"))


def _members(hint: Any) -> dict[str, type]:
    """The dataclasses of a union of several; empty for anything else."""
    if get_origin(hint) not in (Union, types.UnionType):
        return {}
    members = [member for member in get_args(hint) if is_dataclass(member)]
    return {member.__name__: member for member in members if isinstance(member, type)} if len(members) > 1 else {}


def short_number(value: float) -> str:
    """A number with commas between thousands; for one with very many digits, only how many digits."""
    return (
        f"{value:,}" if abs(value) < 1e30 or isinstance(value, float) else f"a number of {len(str(abs(value)))} digits"
    )


def short(value: object) -> str:
    """A value as it was given, cut to fit into a sentence."""
    try:
        text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    except RecursionError:
        text = "something nested too deep to show"
    text = visible(text)
    return text if len(text) <= 60 else text[:57] + "..."
