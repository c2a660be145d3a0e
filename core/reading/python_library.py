"""What networks use of Python's own library: dicts with an order, partial, chain, dataclasses and namespaces."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from math import prod

from core.reading import command_line, python_values
from core.reading.enums import AUTO
from core.reading.module_methods import copied
from core.reading.python_values import items
from core.reading.values import Class, Dotted, Module, NotUnderstood, Partial, Value

NAMESPACES = (
    "SimpleNamespace",
    "Namespace",
    "EasyDict",
    "edict",
    "AttrDict",
    "DotDict",
    "Munch",
    "Box",
    "ConfigDict",
    "DictConfig",
    "create",
)
_OTHERS = (
    "OrderedDict partial field deepcopy copy chain from_iterable namedtuple ArgumentParser auto loads asdict replace "
    "getenv environ.get"
)
LIBRARY = {*NAMESPACES, *_OTHERS.split()}
OF_FIELDS = ("_asdict", "_replace", "get")  # methods of a named tuple, or of a dict's class
Call = Callable[[Value, tuple[Value, ...], dict[str, Value], int], Value]


def call_library(
    call: Call, function: Dotted, given: tuple[Value, ...], keywords: dict[str, Value], line: int
) -> Value:
    """What a function or class of Python's library gives. Raises NotUnderstood for one that is not known."""
    name, last = function.name, function.last
    if last == "OrderedDict":
        return python_values.function("dict", given, keywords)
    if last == "partial" and given:
        return Partial(given[0], given[1:], keywords)
    if last == "field":  # of a dataclass
        made = keywords.get("default_factory")
        return call(made, (), {}, line) if made is not None else keywords.get("default")
    if last in ("deepcopy", "copy") and given:
        return copied(given[0])
    if name.startswith("itertools."):
        return _iterated(last, given, keywords)
    if last in NAMESPACES:
        start = given[0] if given and isinstance(given[0], dict) else {}
        return _namespace(start | keywords, line, deep=last not in ("SimpleNamespace", "Namespace"))
    if last == command_line.PARSER:
        return command_line.parser(line)
    if last == "auto":  # each one by itself, until its Enum numbers it
        return Module(AUTO.name, line)
    if last == "loads" and given and isinstance(given[0], str):
        return _from_json(given[0], keywords, call, line)
    if last in ("asdict", "replace") and given and isinstance(given[0], Module):
        return of_fields(given[0], f"_{last}", (), keywords)
    if last == "getenv" or name.endswith("environ.get"):
        return given[1] if len(given) > 1 else keywords.get("default")
    if last == "namedtuple" and len(given) > 1:
        fields = given[1].replace(",", " ").split() if isinstance(given[1], str) else items(given[1])
        late = items(keywords["defaults"]) if keywords.get("defaults") else []
        defaults = dict(zip(map(str, fields[len(fields) - len(late) :]), late, strict=False))
        return Class(str(given[0]), line, (), {"<fields>": list(map(str, fields)), "<tuple>": True} | defaults)
    raise NotUnderstood(f"the lab does not know {name}", "leave it out")


def _iterated(name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """A function of itertools, as a list. Raises NotUnderstood for one that has no end, or is not known."""
    match name, given:
        case "chain", parts:
            return [each for part in parts for each in items(part)]
        case "from_iterable", (parts,):
            return [each for part in items(parts) for each in items(part)]
        case "pairwise", (values,):
            return list(itertools.pairwise(items(values)))
        case "repeat", (value, int(times)) if times <= python_values.MAX_ITEMS:
            return [value] * times
        case "islice", (values, *ends):
            return items(values)[slice(*(each for each in ends if each is None or isinstance(each, int)))]
        case "product", parts if prod(len(items(each)) for each in parts) <= python_values.MAX_ITEMS and not keywords:
            return list(itertools.product(*map(items, parts)))
        case "accumulate", (values,) if python_values.is_plain(values):
            return list(itertools.accumulate(each for each in items(values) if isinstance(each, int | float)))
    raise NotUnderstood(f"the lab does not follow itertools.{name} here", "write the list itself")


def of_fields(owner: Module, name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """A method of a named tuple, dataclass or dict of the code's own: its fields as a dict, a copy, one of them."""
    names = owner.cls.fields() if owner.cls else []
    known: dict[Value, Value] = {each: owner.cls.find(each) for each in names if owner.cls and owner.cls.find(each)}
    fields = known | owner.attributes
    if name == "_replace":
        values = {str(key): value for key, value in (fields | keywords).items()}
        items_of: dict[str, Value] = {"<items>": [values[each] for each in names]} if "<items>" in owner.fields else {}
        return Module(owner.kind, owner.line, items_of, owner.cls, attributes=values)
    return fields if name == "_asdict" else python_values.method(fields, name, given, keywords)


def _namespace(values: dict[Value, Value], line: int, deep: bool) -> Module:
    """An object with these attributes; `deep`: dicts within become such objects too."""
    inner = {
        str(key): _namespace(value, line, deep) if deep and isinstance(value, dict) else value
        for key, value in values.items()
    }
    return Module("object", line, attributes=inner)


def _from_json(text: str, keywords: dict[str, Value], call: Call, line: int) -> Value:
    """json.loads of a text that the code states, with an `object_hook` or without."""
    try:
        found: Value = json.loads(text) if len(text) <= python_values.MAX_TEXT else None
    except RecursionError:
        raise NotUnderstood("a text of JSON that nests too deep") from None
    hook = keywords.get("object_hook")
    return call(hook, (found,), {}, line) if hook is not None and isinstance(found, dict) else found
