"""kornia's blurred pools: the chains of the lab's pools that compute the same (Zhang 2019, arXiv:1904.11486).

Their window is binomial. A binomial window of k is k - 1 averages of 2 x 2, one after the other, and its padding of
(k - 1) // 2 is a padding of 1 in as many of them.
"""

from __future__ import annotations

from core.architecture.spec import AvgPool, MaxPool, Op
from core.reading.graph import Graph
from core.reading.torch_signatures import module_of, square, whole
from core.reading.values import Module, NotUnderstood, Tensor, Value

LAYERS = ("BlurPool2D", "MaxBlurPool2D")
FUNCTIONS = {"blur_pool2d": "BlurPool2D", "max_blur_pool2d": "MaxBlurPool2D"}
LARGEST = 9  # window: each is a chain of as many pools, less one


def layer(kind: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Module:
    """kornia.filters.BlurPool2D or MaxBlurPool2D."""
    return module_of(f"kornia.{kind}", given, keywords, line)


def call(graph: Graph, name: str, given: tuple[Value, ...], keywords: dict[str, Value]) -> Tensor:
    """kornia.filters.blur_pool2d(x, kernel_size, stride) or max_blur_pool2d(x, kernel_size, ...)."""
    rest = dict(keywords)
    values = given[0] if given else rest.pop("input", None)
    if not isinstance(values, Tensor):
        raise NotUnderstood(f"{name} of something that is not one map")
    return apply(graph, layer(FUNCTIONS[name], given[1:], rest, graph.line), values)


def apply(graph: Graph, module: Module, values: Tensor) -> Tensor:
    """What a blurred pool makes of a map. Raises NotUnderstood where no chain of the lab's pools does that.

    `ceil_mode` is of the max pool, whose stride is 1: there it changes nothing.
    """
    get = module.fields.get
    window, stride = square(get("kernel_size"), "kernel_size"), whole(get("stride"), "stride")
    largest = whole(get("max_pool_size", 1), "max_pool_size")
    if not 2 <= window <= LARGEST:
        raise NotUnderstood(f"a blur over {window}: the lab reads windows of 2 to {LARGEST}", "write 3")
    if stride < 1 or largest < 1:
        raise NotUnderstood(f"a stride of {stride} and a max pool over {largest}: both are at least 1", "write 2")
    ops: list[Op] = [MaxPool(largest, stride=1)] if largest > 1 else []
    padded = (window - 1) // 2
    for at in range(window - 1):
        ops.append(AvgPool(2, stride=stride if at == window - 2 else 1, padding=int(at < padded)))
    for op in ops:
        values = graph.apply(op, values)
    return values
