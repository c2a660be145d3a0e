"""A trial image that `__init__` sends through layers to learn a size: `self.features(torch.zeros(1, 1, 28, 28))`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from core.reading.graph import Graph
from core.reading.values import BATCH, Dotted, Module, NotUnderstood, Shape, Tensor, Unknown, Value, Weight

MAKERS = tuple(f"torch.{name}" for name in ("zeros", "ones", "randn", "rand", "empty", "full", "tensor"))
AS_IT_IS = ("to", "cuda", "cpu", "float", "detach", "clone", "contiguous", "requires_grad_", "double", "half")


def trials(given: tuple[Value, ...]) -> list[Weight]:
    """The trial images among arguments."""
    return [each for each in given if isinstance(each, Weight) and each.shape and not each.trained]


def takes_trials(function: Value) -> bool:
    """Whether it makes a map of a trial image: a module, or a function of torch."""
    if isinstance(function, Dotted):
        return function.name.startswith("torch.") and function.last not in ("Parameter", "tensor")
    return isinstance(function, Module)


def sent_through(graph: Graph, given: tuple[Value, ...], run: Callable[[tuple[Value, ...]], Value]) -> Value:
    """What `run` gives for a trial image: its shape. `graph` is for this trial alone."""
    batch = next((each.shape[0] for each in trials(given) if each.shape), 1)
    inside = tuple(
        graph.start((BATCH, *each.shape[1:])) if isinstance(each, Weight) and each.shape else each for each in given
    )
    result = run(inside)
    if isinstance(result, tuple | list):
        return tuple(_outside(each, batch) for each in result)
    return _outside(result, batch)


def _outside(value: Value, batch: int) -> Value:
    if not isinstance(value, Tensor):
        return value
    if value.shape is None:
        return Unknown("the size that a trial image comes to", value.node.line)
    return Weight((batch, *value.shape[1:]), value.node.line)


def method_of(owner: Weight, name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """A method of a tensor whose shape is all that is known of it."""
    shape = owner.shape
    if shape is None or name in AS_IT_IS:
        return owner
    numbers = [each for each in given if isinstance(each, int)]
    match name:
        case "size":
            axis = given[0] if given else keywords.get("dim")
            return shape[axis] if isinstance(axis, int) else shape
        case "numel" | "nelement":
            return prod(shape)
        case "dim":
            return len(shape)
        case "view" | "reshape" if given:
            sizes = given[0] if isinstance(given[0], tuple | list) else given
            return Weight(_filled(shape, sizes), owner.line)
        case "flatten":
            start = numbers[0] if numbers else keywords.get("start_dim", 0)
            start = start if isinstance(start, int) else 0
            return Weight((*shape[:start], prod(shape[start:])), owner.line)
        case "unsqueeze" if numbers:
            at = numbers[0] % (len(shape) + 1)
            return Weight((*shape[:at], 1, *shape[at:]), owner.line)
        case _:
            return owner


def _filled(shape: Shape, sizes: tuple[Value, ...] | list[Value]) -> Shape:
    numbers = [each for each in sizes if isinstance(each, int)]
    others = prod(each for each in numbers if each != -1)
    if len(numbers) < len(sizes) or others <= 0 or numbers.count(-1) > 1:
        raise NotUnderstood("a shape that is not known")
    return tuple(prod(shape) // others if each == -1 else each for each in numbers)


def size_of_numbers(value: Value) -> Shape | None:
    """The shape that torch.zeros and the like are given; None if it is not known."""
    if isinstance(value, Weight):
        return value.shape
    if isinstance(value, list | tuple):
        sizes = tuple(each for each in value if isinstance(each, int))
        return sizes if len(sizes) == len(value) else None
    return (value,) if isinstance(value, int) else None
