"""nn.Module's own methods and its containers, on modules as they are read."""

from __future__ import annotations

import ast
from collections.abc import Callable

from core.reading import python_values
from core.reading.python_values import MAX_ITEMS, items
from core.reading.torch_signatures import CONTAINERS, module_of
from core.reading.values import Class, Module, NotUnderstood, Tensor, TooMuch, Unknown, Value

_ITSELF = "to cuda cpu train eval double float half apply requires_grad_ share_memory type bfloat16 compile"
ITSELF = set(_ITSELF.split())
LISTS = {"children": False, "modules": True, "named_children": False, "named_modules": True}
MAX_COPIES = 500
Given = tuple[Value, ...]
Keywords = dict[str, Value]


def fill(made: Module, given: Given, keywords: Keywords) -> None:
    """What `__init__` of torch's own class does: the arguments of a layer, or the modules of a container."""
    if made.kind not in CONTAINERS:
        made.fields = module_of(made.kind, given, keywords, made.line).fields
        return
    given = given or tuple(keywords.values())
    for name, each in _parts(made.kind, given):
        register(made, name, each)


def _parts(kind: str, given: Given) -> list[tuple[str, Value]]:
    """The names and modules that a container is made from."""
    first = given[0] if given else None
    if len(given) == 1 and isinstance(first, dict):
        return [(str(name), each) for name, each in first.items()]
    if len(given) == 1 and (isinstance(first, list | tuple) or kind != "Sequential"):
        inner = items(first)
        pairs = [(each[0], each[1]) for each in inner if isinstance(each, tuple | list) and len(each) == 2]
        if inner and len(pairs) == len(inner):
            return [(str(name), each) for name, each in pairs]
        if kind == "Sequential":
            raise NotUnderstood("nn.Sequential takes modules, not a list of them", "write nn.Sequential(*layers)")
        return [(str(number), each) for number, each in enumerate(inner)]
    return [(str(number), each) for number, each in enumerate(given)]


def register(owner: Module, name: str, value: Value) -> None:
    """Make a module the child of another, as torch does it."""
    if isinstance(value, Class):
        raise NotUnderstood(f"{value.name} is a class here, not a module", f"write {value.name}()")
    if len(owner.children) > MAX_ITEMS:
        raise TooMuch("a list is too long")
    if isinstance(value, Tensor) and value.shape is not None:  # Keras's Input in a Sequential
        shape = (*value.shape[2:], value.shape[1])
        value = Module("keras.InputLayer", owner.line, {"shape": shape})
    if isinstance(value, Module):
        owner.children[name] = value
    elif value is not None:
        why = value.why if isinstance(value, Unknown) else "something that is not a module"
        line = value.line if isinstance(value, Unknown) and value.line else owner.line
        instead = value.instead if isinstance(value, Unknown) else ""
        owner.children[name] = Module("unknown", line, {"why": why, "instead": instead})


def copied(value: Value, count: list[int] | None = None) -> Value:
    """copy.deepcopy: the same modules with weights of their own."""
    count = [] if count is None else count
    count.append(1)
    if len(count) > MAX_COPIES:
        raise TooMuch("a module of so many parts is copied")
    if isinstance(value, Module):
        children = {name: copied(each, count) for name, each in value.children.items()}
        inner = {name: each for name, each in children.items() if isinstance(each, Module)}
        return Module(value.kind, value.line, dict(value.fields), value.cls, inner, dict(value.attributes))
    return [copied(each, count) for each in value] if isinstance(value, list) else value


def _add_module(owner: Module, given: Given, keywords: Keywords) -> Value:
    name, value = (*given, *keywords.values())[:2]
    register(owner, str(name), value)
    return owner


def _append(owner: Module, given: Given, keywords: Keywords) -> Value:
    register(owner, str(len(owner.children)), given[0])
    return owner


def extend(owner: Module, values: list[Value]) -> None:
    """`nn.ModuleList.extend`, and `+=` of one."""
    for each in values:
        register(owner, str(len(owner.children)), each)


def joined(kind: type[ast.operator], owner: Module, other: Value, line: int) -> Module:
    """`layers + others`, and `layers * 2`: a container of the same modules."""
    own: list[Value] = list(owner.children.values())
    made = Module(owner.kind, line)
    if kind is ast.Mult and isinstance(other, int):
        if other * len(own) > MAX_ITEMS:
            raise TooMuch("a list is too long")
        extend(made, own * other)
    elif kind is ast.Add:
        extend(made, own + items(other))
    else:
        raise NotUnderstood(f"an operation on a nn.{owner.kind}")
    return made


def _extend(owner: Module, given: Given, keywords: Keywords) -> Value:
    extend(owner, items(given[0]))
    return owner


def _insert(owner: Module, given: Given, keywords: Keywords) -> Value:
    inner: list[Value] = list(owner.children.values())
    python_values.method(inner, "insert", given, {})
    owner.children.clear()
    for number, each in enumerate(inner):
        register(owner, str(number), each)
    return owner


def _update(owner: Module, given: Given, keywords: Keywords) -> Value:
    for name, each in _parts("ModuleDict", given):
        register(owner, name, each)
    return None


def _register_parameter(owner: Module, given: Given, keywords: Keywords) -> Value:
    name, value = (*given, *keywords.values())[:2]
    owner.attributes[str(name)] = value
    return None


def _register_buffer(owner: Module, given: Given, keywords: Keywords) -> Value:
    owner.attributes[str(given[0] if given else keywords.get("name"))] = Unknown("a buffer", owner.line)
    return None


def _items(owner: Module, given: Given, keywords: Keywords) -> Value:
    return list(owner.children.items())


def _keys(owner: Module, given: Given, keywords: Keywords) -> Value:
    return list(owner.children)


def _values(owner: Module, given: Given, keywords: Keywords) -> Value:
    return list(owner.children.values())


METHODS: dict[str, Callable[[Module, Given, Keywords], Value]] = {
    "add_module": _add_module,
    "register_module": _add_module,
    "append": _append,
    "add": _append,
    "extend": _extend,
    "insert": _insert,
    "update": _update,
    "register_parameter": _register_parameter,
    "register_buffer": _register_buffer,
    "items": _items,
    "keys": _keys,
    "values": _values,
}
