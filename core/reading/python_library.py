"""What networks use of Python's own library: dicts with an order, partial, chain, named tuples and namespaces."""

from __future__ import annotations

from collections.abc import Callable

from core.reading import python_values
from core.reading.module_methods import copied
from core.reading.python_values import items
from core.reading.values import Class, Dotted, Module, NotUnderstood, Partial, Value

NAMESPACES = ("SimpleNamespace", "Namespace", "EasyDict", "edict", "AttrDict", "DotDict", "Munch", "Box")
LIBRARY = {*NAMESPACES, "OrderedDict", "partial", "field", "deepcopy", "copy", "chain", "from_iterable", "namedtuple"}
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
    if name in ("itertools.chain", "itertools.chain.from_iterable"):
        return [each for part in (given if last == "chain" else items(given[0])) for each in items(part)]
    if last in NAMESPACES:
        start = given[0] if given and isinstance(given[0], dict) else {}
        return Module("object", line, attributes={str(key): value for key, value in start.items()} | keywords)
    if last == "namedtuple" and len(given) > 1:
        fields = given[1].replace(",", " ").split() if isinstance(given[1], str) else items(given[1])
        late = items(keywords["defaults"]) if keywords.get("defaults") else []
        defaults = dict(zip(map(str, fields[len(fields) - len(late) :]), late, strict=False))
        return Class(str(given[0]), line, (), {"<fields>": list(map(str, fields)), "<tuple>": True} | defaults)
    raise NotUnderstood(f"the lab does not know {name}", "leave it out")
