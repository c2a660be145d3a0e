"""The steps of forward as they are called, each with its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from core.architecture.activations import PReLU
from core.architecture.sizes import output_of, window_of
from core.architecture.spec import (
    Activation,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LogSoftmax,
    Op,
    Softmax,
    op_words,
)
from core.errors import SpecError
from core.reading.values import BATCH, Module, Node, NotUnderstood, Shape, Tensor, TooMuch
from core.record import check

MAX_NODES = 1_500
MAX_COMPLAINTS = 50
NO_NUMBERS = "the lab's ops do not scale or shift by a number"


@dataclass(eq=False)
class Graph:
    """One call of forward: the steps so far, and where the next one stands."""

    nodes: list[Node] = field(default_factory=list)
    line: int = 0  # that is being read
    module: Module | None = None  # that is being called
    notes: list[tuple[int, str]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)  # the modules that were called, by id
    complaints: list[tuple[int, str, str]] = field(default_factory=list)  # line, message, what to write instead

    def note(self, message: str) -> None:
        if (self.line, message) not in self.notes:
            self.notes.append((self.line, message))

    def complain(self, message: str, instead: str = "") -> None:
        if len(self.complaints) >= MAX_COMPLAINTS:
            raise TooMuch("there is too much that is not understood")
        if (self.line, message, instead) not in self.complaints:
            self.complaints.append((self.line, message, instead))

    def start(self, shape: Shape) -> Tensor:
        return self.step("input", (), shape)

    def step(
        self, kind: str, inputs: tuple[Tensor, ...], shape: Shape | None, op: Op | None = None, amount: int = 0
    ) -> Tensor:
        if len(self.nodes) >= MAX_NODES:
            raise TooMuch(f"forward makes more than {MAX_NODES:,} steps")
        sources = tuple(each.node for each in inputs)
        node = Node(kind, sources, shape, self.line, op, self.module, len(self.nodes), amount)
        self.nodes.append(node)
        return Tensor(node)

    def apply(self, op: Op, values: Tensor) -> Tensor:
        """One op of the lab. Raises NotUnderstood where it does not fit what comes in."""
        check(op, op_words(op), SpecError)
        shape = values.shape
        if shape is None:
            return self.step("op", (values,), None, op)
        if isinstance(op, LogSoftmax | Softmax) and len(shape) == 4 and shape[2:] == (1, 1):
            values = self.reshape(values, shape[:2])  # the same numbers, and the lab's softmax is of a vector
            shape = shape[:2]
        if isinstance(op, Activation | Dropout) and not isinstance(op, PReLU):
            return self.step("op", (values,), shape, op)  # value by value: the shape does not matter
        inner = self.of_one_image(shape)
        window = window_of(op, inner, inner[1] if len(inner) == 3 else 1)
        return self.step("op", (values,), (shape[0], *output_of(op, inner, window, op_words(op))), op)

    def of_one_image(self, shape: Shape) -> Shape:
        """The shape as the lab has it. Raises NotUnderstood for one that the lab has no ops for."""
        if shape[0] != BATCH:
            raise NotUnderstood(f"the batch does not come first in {shape_words(shape)}", KEEP_BATCH)
        if len(shape) == 2 or (len(shape) == 4 and shape[2] == shape[3]):
            return shape[1:]
        raise NotUnderstood(
            f"a layer takes {shape_words(shape)}; the lab has square maps and vectors",
            "give the layer a map of channels x height x width, or a vector",
        )

    def reshape(self, values: Tensor, shape: Shape, own: bool = False) -> Tensor:
        """Another shape of the same numbers in the same order; `own`: as a step of the module that is being called."""
        before, self.module = self.module, self.module if own else None
        try:
            return self._reshaped(values, shape)
        finally:
            self.module = before

    def _reshaped(self, values: Tensor, shape: Shape) -> Tensor:
        if values.shape is None:
            return self.step("reshape", (values,), shape)
        if prod(shape) != prod(values.shape):
            raise NotUnderstood(
                f"{shape_words(values.shape)} holds {prod(values.shape[1:]):,} values of each image, "
                f"{shape_words(shape)} holds {prod(shape[1:]):,}",
                "correct the size, or write torch.flatten(x, 1)",
            )
        if self.module is not None:
            return self.step("reshape", (values,), shape)
        while values.node.kind == "reshape" and values.node.module is None:
            values = Tensor(values.node.inputs[0])
        if values.shape == shape:
            return values
        return self.step("reshape", (values,), shape)

    def flatten(self, values: Tensor, start: int = 1, end: int = -1, own: bool = False) -> Tensor:
        shape = values.shape
        if shape is None:
            return self.step("op", (values,), None, Flatten())
        start, end = start % len(shape), end % len(shape)
        if start == 0:
            raise NotUnderstood("it flattens the batch too", "write torch.flatten(x, 1)")
        return self.reshape(values, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]), own)

    def pool_all(self, values: Tensor, axes: tuple[int, ...], keep: bool, largest: bool = False) -> Tensor:
        """The mean, or the largest value, over axes of the map."""
        op: Op = GlobalMaxPool() if largest else GlobalAvgPool()
        shape, kind = values.shape, f"{'max' if largest else 'mean'} over one axis"
        if shape is None:
            return self.step("op", (values,), None, op)
        axes = tuple(sorted(axis % len(shape) for axis in axes))
        before = values.node.inputs[0] if values.node.inputs else None
        if axes == (2, 3) and len(shape) == 4:
            pooled = self.apply(op, values)
            return pooled if keep else self.reshape(pooled, shape[:2])
        merged = len(shape) == 3 and before is not None and before.shape is not None and len(before.shape) == 4
        if axes == (2,) and merged and before is not None and values.node.kind in ("reshape", kind):
            pooled = self.apply(op, Tensor(before))
            return self.reshape(pooled, (*shape[:2], 1) if keep else shape[:2])
        if len(axes) == 1 and axes[0] in (2, 3) and len(shape) == 4:
            if keep and values.node.kind == kind and {axes[0], values.node.amount} == {2, 3} and before is not None:
                return self.apply(op, Tensor(before))
            rest = tuple(size for axis, size in enumerate(shape) if axis != axes[0])
            kept = tuple(1 if axis == axes[0] else size for axis, size in enumerate(shape))
            return self.step(kind, (values,), kept if keep else rest, amount=axes[0])
        raise NotUnderstood(
            f"a {'maximum' if largest else 'mean'} over axes {', '.join(map(str, axes))} of {shape_words(shape)}",
            "write nn.AdaptiveMaxPool2d(1)" if largest else "write nn.AdaptiveAvgPool2d(1)",
        )

    def add(self, first: Tensor, second: Tensor) -> Tensor:
        if first.shape and second.shape and first.shape != second.shape:
            raise NotUnderstood(
                f"{shape_words(first.shape)} and {shape_words(second.shape)} are added; only equal shapes can be",
                "change one side's channels or stride so that both have the same shape",
            )
        return self.step("add", (first, second), first.shape or second.shape)

    def concatenate(self, parts: list[Tensor], axis: int) -> Tensor:
        if len(parts) == 1:
            return parts[0]
        shapes = [each.shape for each in parts]
        known = [shape for shape in shapes if shape is not None]
        if not parts or len(known) < len(parts):
            return self.step("cat", tuple(parts), None)
        first = known[0]
        if any(len(each) != len(first) for each in known) or axis % len(first) != 1:
            raise NotUnderstood("the lab joins channels only", "write torch.cat([a, b], 1)")
        if any(each[2:] != first[2:] for each in known):
            raise NotUnderstood(
                f"{' and '.join(map(shape_words, known))} are joined; only maps of one size can be",
                "pad the convolutions so that the maps keep their size",
            )
        return self.step("cat", tuple(parts), (first[0], sum(each[1] for each in known), *first[2:]))

    def multiply(self, first: Tensor, second: Tensor) -> Tensor:
        if first.shape and second.shape and len(first.shape) == len(second.shape):
            shape: Shape | None = tuple(map(max, zip(first.shape, second.shape, strict=True)))
        else:
            shape = first.shape or second.shape
        return self.step("mul", (first, second), shape)


KEEP_BATCH = "keep the batch as the first axis"


def shape_words(shape: Shape) -> str:
    """torch's shape with N for the batch: (N, 8, 26, 26)."""
    return f"({', '.join('N' if size == BATCH else f'{size:,}' for size in shape)}{',' if len(shape) == 1 else ''})"
