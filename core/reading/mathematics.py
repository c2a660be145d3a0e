"""Functions of math, numpy and operator on numbers."""

from __future__ import annotations

import ast
import math

from core.reading.python_values import MAX_ITEMS, Numbers, binary, bounded, function, items, whole
from core.reading.values import NotUnderstood, Value


def operation(name: str, given: tuple[Value, ...]) -> Value:
    """A function of the module operator: `mul`, `add`."""
    kinds = {"add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "floordiv": ast.FloorDiv, "truediv": ast.Div}
    if name not in kinds or len(given) != 2:
        raise NotUnderstood(f"operator.{name}()")
    return binary(kinds[name], *given)


def mathematics(name: str, given: tuple[Value, ...]) -> Value:
    """A function of math or numpy: `floor`, `prod` and the like."""
    if name == "prod" and given:
        numbers = [each for each in items(given[0]) if isinstance(each, int | float)]
        return bounded(math.prod(numbers[:64]))
    if name in ("array", "asarray") and given and all(isinstance(each, int | float) for each in items(given[0])):
        return Numbers(items(given[0]))
    if name == "linspace" and len(given) == 3:
        return _spaced(*given)
    if name in ("arange", "range"):
        return Numbers(range(*(whole(each) for each in given))) if _small_range(given) else None
    numbers = [each for each in given if isinstance(each, int | float)]
    if name in ("floor", "ceil", "sqrt", "log", "log2", "log10", "exp", "fabs", "pow", "gcd") and len(numbers) == len(
        given
    ):
        return bounded(getattr(math, name)(*numbers))
    if name in ("max", "min", "sum", "abs", "round"):
        return function(name, given, {})
    if name in ("int32", "int64", "int"):
        return function("int", given, {})
    raise NotUnderstood(f"{name}()")


def _spaced(start: Value, end: Value, count: Value) -> Value:
    """So many numbers from one to another, both included."""
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not 0 < whole(count) <= MAX_ITEMS:
        raise NotUnderstood("linspace of these values")
    steps = max(1, whole(count) - 1)
    return Numbers(start + (end - start) * number / steps for number in range(whole(count)))


def _small_range(given: tuple[Value, ...]) -> bool:
    return len(range(*(whole(each) for each in given))) <= MAX_ITEMS
