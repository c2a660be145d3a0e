"""Python's own operators, functions and methods, on values that stay small whatever the code says."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable
from itertools import chain, islice, repeat

from core.reading.values import Class, Dotted, Function, Module, NotUnderstood, Tensor, TooMuch, Unknown, Value

MAX_ITEMS = 10_000  # of a list
MAX_TEXT = 20_000  # characters
MAX_BITS = 2_048  # of a whole number
SCALARS = (int, float, str, bool, type(None))
FAILURES = (ArithmeticError, TypeError, ValueError, LookupError, AttributeError)  # of an operation on small values

BINARY: dict[type[ast.operator], Callable[..., Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
UNARY: dict[type[ast.unaryop], Callable[..., Value]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
COMPARISONS: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def is_plain(value: Value) -> bool:
    """Whether it is a constant, or a list or tuple of constants: what Python may compare, add and print."""
    if isinstance(value, dict):
        return is_plain(list(value.items()))
    if isinstance(value, list | tuple | range | set):
        return len(value) <= MAX_ITEMS and all(isinstance(each, SCALARS) for each in _flat(value))
    return isinstance(value, SCALARS) or value is Ellipsis


def _flat(value: Iterable[Value]) -> Iterable[Value]:
    """The elements, those of tuples within too; one level, so that it ends soon."""
    for each in value:
        yield from each if isinstance(each, tuple | list) and len(each) <= 16 else (each,)


def bounded(value: Value) -> Value:
    """The value itself. Raises TooMuch for one that grows beyond what a network needs."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise TooMuch("a number has too many digits")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise TooMuch("a text is too long")
    if isinstance(value, list | tuple | dict | set) and len(value) > MAX_ITEMS:
        raise TooMuch("a list is too long")
    return value


class Numbers(list[Value]):
    """An array of numpy: operators work on each of its numbers."""


def binary(kind: type[ast.operator], left: Value, right: Value) -> Value:
    """An operator on plain values. Raises what Python raises, or TooMuch."""
    if isinstance(left, Numbers) or isinstance(right, Numbers):
        pairs = zip(*(each if isinstance(each, Numbers) else repeat(each) for each in (left, right)), strict=False)
        return Numbers(binary(kind, one, other) for one, other in pairs)
    if kind is ast.Add and isinstance(left, list | tuple) and type(left) is type(right):
        return bounded(left + right)  # type: ignore[operator]
    if kind is ast.Mult:
        for many, count in ((left, right), (right, left)):
            if isinstance(many, list | tuple | str) and isinstance(count, int):
                if len(many) * max(count, 0) > MAX_ITEMS:
                    raise TooMuch("a list is too long")
                return many * count
    if kind is ast.Mod and isinstance(left, str):
        return formatted(left, right)
    if not (isinstance(left, SCALARS) and isinstance(right, SCALARS)):
        if kind is ast.BitOr and isinstance(left, dict) and isinstance(right, dict):
            return bounded(left | right)
        raise NotUnderstood("an operation on these values")
    if kind in (ast.Pow, ast.LShift) and isinstance(right, int | float) and abs(right) > MAX_BITS:
        raise TooMuch("a number has too many digits")
    if kind is ast.Pow and isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > MAX_BITS:
        raise TooMuch("a number has too many digits")
    return bounded(BINARY[kind](left, right))


def compared(kind: type[ast.cmpop], left: Value, right: Value) -> bool | None:
    """A comparison; None where the lab cannot know."""
    if kind in (ast.Is, ast.IsNot):
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return None
        return _same(left, right) is (kind is ast.Is)
    if kind in (ast.In, ast.NotIn) and isinstance(right, list | tuple | dict | set) and not is_plain(right):
        if isinstance(left, str) and isinstance(right, dict):
            return COMPARISONS[kind](left, right)
        found = any(_same(left, each) for each in right)
        return None if any(isinstance(each, Unknown) for each in right) else found is (kind is ast.In)
    if is_plain(left) and is_plain(right):
        return COMPARISONS[kind](left, right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if kind in (ast.Eq, ast.NotEq):
        same = left is right or (type(left) is type(right) and not isinstance(left, list | dict) and left == right)
        return same is (kind is ast.Eq)
    return None


def _same(left: Value, right: Value) -> bool:
    """Whether two names stand for one thing; each mention of nn.ReLU, and each text, is read anew."""
    return left is right or (isinstance(left, Dotted | str) and left == right)


_SIMPLE = "lower upper strip lstrip rstrip startswith endswith split title capitalize isdigit find"
SIMPLE = _SIMPLE.split()  # methods of a text that give nothing longer
_WIDE = re.compile(r"\d{3,}")


def formatted(text: str, values: Value) -> str:
    """`text % values`, without widths that fill the memory."""
    if _WIDE.search(text) or "*" in text or not is_plain(values) or isinstance(values, dict):
        raise NotUnderstood("a text that is put together")
    return str(bounded(text % values))


def shown(value: Value, spec: str) -> str:
    """A value in an f-string."""
    if not isinstance(value, SCALARS) or _WIDE.search(spec):
        raise NotUnderstood("a text that is put together")
    return format(value, spec)


def items(value: Value) -> list[Value]:
    """The elements that a loop goes over. Raises NotUnderstood for a value without any."""
    if isinstance(value, Module):
        if isinstance(inner := value.fields.get("<items>"), list):  # of a named tuple
            return list(inner)
        return list(value.children if value.kind == "ModuleDict" else value.children.values())
    if isinstance(value, Class) and isinstance(members := value.names.get("<members>"), list):
        return list(members)
    if isinstance(value, range | list | tuple | dict | set | str):
        if len(value) > MAX_ITEMS:
            raise TooMuch("a loop is too long")
        return list(value)
    raise NotUnderstood(value.why if isinstance(value, Unknown) else "a loop over something that is not a list")


def function(name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """One of Python's own functions. Raises what Python raises, or NotUnderstood."""
    if name in ("enumerate", "zip", "reversed", "list", "tuple", "sorted", "sum", "max", "min", "any", "all", "set"):
        return _on_lists(name, given, keywords)
    if name == "range":
        return range(*(whole(each) for each in given))
    if name == "len":
        return len(items(given[0]))
    if name in ("int", "float", "str", "bool", "abs", "round"):
        (first, *rest) = given or (0,)
        if not isinstance(first, SCALARS):
            raise NotUnderstood(f"{name}() of this value")
        if isinstance(first, str) and len(first) > 40 and name != "str":
            raise NotUnderstood("a number of so many digits")
        return bounded(_NUMBERS[name](first, *rest))
    if name == "dict":
        start = dict(given[0]) if given and isinstance(given[0], dict) else dict(_pairs(given[0])) if given else {}
        return bounded(start | keywords)
    if name == "divmod":
        return divmod(whole(given[0]), whole(given[1]))
    if name == "slice":
        return slice(*given)
    raise NotUnderstood(f"{name}()")


_NUMBERS: dict[str, Callable[..., Value]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "abs": abs,
    "round": round,
}


def _pairs(value: Value) -> list[tuple[Value, Value]]:
    pairs = [tuple(items(each)) for each in items(value)]
    if any(len(each) != 2 or not isinstance(each[0], SCALARS) for each in pairs):
        raise NotUnderstood("a list of pairs of names and values is needed")
    return [(each[0], each[1]) for each in pairs]


def _on_lists(name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    if name == "enumerate":
        start = whole(keywords.get("start", given[1] if len(given) > 1 else 0))
        return list(enumerate(items(given[0]), start))
    if name == "zip":
        return list(zip(*(items(each) for each in given), strict=False))
    several = name in ("max", "min") and len(given) > 1
    values = list(given) if several else items(given[0]) if given else []
    if name == "list":
        return values
    if name == "tuple":
        return tuple(values)
    if name == "reversed":
        return values[::-1]
    if name == "sum" and isinstance(first := keywords.get("start", (*given, 0)[1]), list | tuple):
        joined = [*first, *(inner for each in values for inner in items(each))]
        return bounded(joined if isinstance(first, list) else tuple(joined))
    if not is_plain(values) or keywords.keys() - {"reverse", "default", "start"}:
        raise NotUnderstood(f"{name}() of these values")
    if name == "set":
        return set(values)
    if name == "sorted":
        return sorted(values, reverse=bool(keywords.get("reverse")))  # type: ignore[type-var]
    functions: dict[str, Callable[..., Value]] = {"sum": sum, "max": max, "min": min, "any": any, "all": all}
    if name == "sum" and not all(isinstance(each, int | float) for each in values):
        raise NotUnderstood("a sum of these values")
    return bounded(functions[name](values))


def method(owner: Value, name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """A method of a list, dict, tuple or text. Raises what Python raises, or NotUnderstood."""
    if (name == "item" and isinstance(owner, int | float)) or (name == "tolist" and isinstance(owner, list)):
        return list(owner) if isinstance(owner, list) else owner
    if isinstance(owner, list):
        return _of_list(owner, name, given)
    if isinstance(owner, dict):
        return _of_dict(owner, name, given, keywords)
    if isinstance(owner, str):
        return _of_text(owner, name, given, keywords)
    if isinstance(owner, tuple) and name == "numel":
        return math.prod(each for each in owner if isinstance(each, int))
    if isinstance(owner, tuple | list) and name in ("index", "count") and is_plain(owner) and is_plain(given):
        return getattr(owner, name)(*given)
    raise NotUnderstood(f".{name}()")


def _of_list(owner: list[Value], name: str, given: tuple[Value, ...]) -> Value:
    match name:
        case "append" | "add":
            owner.append(given[0])
        case "extend":
            owner.extend(items(given[0]))
        case "insert":
            owner.insert(whole(given[0]), given[1])
        case "pop":
            return owner.pop(*(whole(each) for each in given))
        case "copy":
            return list(owner)
        case "reverse":
            owner.reverse()
        case "clear":
            owner.clear()
        case "index" | "count" if is_plain(owner) and is_plain(given):
            return getattr(owner, name)(*given)
        case _:
            raise NotUnderstood(f".{name}() of a list")
    bounded(owner)
    return None


def _of_dict(owner: dict[Value, Value], name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    match name:
        case "get":
            return owner.get(_key(given[0]), given[1] if len(given) > 1 else keywords.get("default"))
        case "items":
            return list(owner.items())
        case "keys":
            return list(owner)
        case "values":
            return list(owner.values())
        case "pop":
            return owner.pop(_key(given[0]), *given[1:])
        case "setdefault":
            return owner.setdefault(_key(given[0]), given[1])
        case "copy":
            return dict(owner)
        case "update":
            owner.update(given[0] if given and isinstance(given[0], dict) else dict(_pairs(given[0])) if given else {})
            owner.update(keywords)
            bounded(owner)
            return None
        case _:
            raise NotUnderstood(f".{name}() of a dict")


def _of_text(owner: str, name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    plain = all(isinstance(each, SCALARS) for each in (*given, *keywords.values()))
    if name == "join":
        texts = [each for each in items(given[0]) if isinstance(each, str)]
        if sum(map(len, texts)) + len(owner) * len(texts) > MAX_TEXT:
            raise TooMuch("a text is too long")
        return owner.join(texts)
    if name == "format" and plain and not _WIDE.search(owner) and "." not in owner and "[" not in owner:
        return bounded(owner.format(*given, **keywords))
    if plain and name in SIMPLE and not keywords:
        return bounded(getattr(owner, name)(*given))
    if plain and name == "replace" and len(owner) * max(1, len(str(given[1]))) < MAX_TEXT:
        return owner.replace(str(given[0]), str(given[1]))
    raise NotUnderstood(f".{name}() of a text")


def item(owner: Value, index: Value) -> Value:
    """`owner[index]`. Raises what Python raises, or NotUnderstood."""
    if isinstance(owner, dict):
        return owner[_key(index)]
    if isinstance(owner, Class) and isinstance(index, str) and "<members>" in owner.names:
        return owner.names[index]
    if isinstance(owner, list | tuple | str | range) and isinstance(index, int | slice):
        return owner[index]
    raise NotUnderstood(owner.why if isinstance(owner, Unknown) else "an element of this value")


def _key(value: Value) -> Value:
    if isinstance(value, tuple) and len(value) <= 8 and all(isinstance(each, SCALARS) for each in value):
        return value
    if not isinstance(value, (*SCALARS, Class, Function, Dotted, Module)):
        raise NotUnderstood("a key of a dict that is not a constant")
    return value


key = _key


def whole(value: Value) -> int:
    if not isinstance(value, int):
        raise NotUnderstood(value.why if isinstance(value, Unknown) else "a whole number is needed")
    return value


def tensors_in(values: Iterable[Value]) -> list[Tensor]:
    """The maps among values, those in lists too."""
    inner = (each if isinstance(each, list | tuple) else (each,) for each in values)
    return [each for each in islice(chain.from_iterable(inner), MAX_ITEMS) if isinstance(each, Tensor)]
