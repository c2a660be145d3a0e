"""A walk through an ONNX graph, node by node, that says each in the lab's ops; what it cannot say is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from onnx import GraphProto, NodeProto

from core.architecture import activations, spec
from core.architecture.spec import Op
from core.importing.onnx_constant import attributes_of, folded
from core.importing.onnx_curve import BINARY, CURVES, GRID, activation, line, unary
from core.importing.onnx_gate import squeeze_excite
from core.importing.onnx_link import (
    Array,
    Constant,
    Flow,
    Numbers,
    Values,
    add,
    as_map,
    as_vector,
    curve_of,
    joined,
    place_of,
    refuse,
)
from core.importing.onnx_norm import affine, scaled_norm
from core.importing.onnx_window import convolution, pool, symmetric, whole_map
from core.outside import cut

Value = Flow | Constant
SHAPED = ("Identity", "Cast", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze")


@dataclass
class Walk:
    """What is known of each tensor of the graph so far."""

    values: Values
    batch: int = 1  # that the graph's constants are made for
    notes: list[str] = field(default_factory=list)
    input_line: tuple[float, float] = (1.0, 0.0)  # factor and shift that the graph begins with
    node: NodeProto = field(default_factory=NodeProto)
    attributes: Mapping[str, object] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)  # how many nodes take each tensor
    used: dict[str, int] = field(default_factory=dict)  # how often each constant is a weight

    @property
    def place(self) -> str:
        return place_of(self.node)

    def through(self, graph: GraphProto) -> None:
        """All nodes, in the graph's order. Raises ImportingError for the first that cannot be said."""
        self.readers = Counter(name for node in graph.node for name in node.input)
        unknown = sorted({node.op_type for node in graph.node if node.op_type not in KNOWN})
        for node in graph.node:
            self.node, self.attributes = node, attributes_of(node)
            if node.domain not in ("", "ai.onnx"):
                refuse(self.place, f"it is of {cut(node.domain, 40)}, an extension of ONNX that the lab does not read")
            given = [self.values.get(name) if name else None for name in node.input]
            if any(name and value is None for name, value in zip(node.input, given, strict=True)):
                refuse(self.place, "its input is not known; the graph is not in order, or damaged")
            if not any(isinstance(each, Flow) for each in given):
                constant = folded(node, [each for each in given if not isinstance(each, Flow)], self.attributes)
                if constant is None:
                    refuse(self.place, "the lab cannot work out this constant")
                self.values[node.output[0]] = constant
                continue
            if node.op_type not in KNOWN:
                more = [each for each in unknown if each != node.op_type]
                others = f", nor for {', '.join(more)}" if more else ""
                refuse(self.place, f"the lab has no op for it{others}")
            self.values[node.output[0]] = self.said(given)

    # ------------------------------------------------------------------------------------------------ one node

    def said(self, given: Sequence[Value | None]) -> Value:
        """What the node gives."""
        self.tell_shared()
        given = [self.values.get(name) if name else None for name in self.node.input]
        kind, first = self.node.op_type, given[0]
        if kind == "Shape":
            assert isinstance(first, Flow)
            return np.array((self.batch, *first.index.shape[1:]), np.int64)
        if kind in BINARY:
            return self.binary(kind, given)
        if kind == "Where":
            return self.chosen(given)
        if kind == "Concat":
            return self.concatenated(given)
        if not isinstance(first, Flow):
            refuse(self.place, "its first input is a constant, which the lab cannot say")
        function = unary(kind, self.attributes)
        if kind == "Clip":
            low, high = (self.scalar(given, k, name) for k, name in ((1, "min"), (2, "max")))
            function = lambda x: np.clip(x, low, high)  # noqa: E731  (one of the functions of the table, with bounds)
        if kind == "Log" and first.curve is None and isinstance(first.link.op, spec.Softmax) and first.link.parent:
            return Flow(add(Flow(first.link.parent, first.index), spec.LogSoftmax(), self.place).link, first.index)
        if function:
            with np.errstate(all="ignore"):
                return first.curved(function(curve_of(first)), function)
        if kind in SHAPED:
            return self.reshaped(kind, first, given)
        return getattr(self, KNOWN[kind])(self.told(0), given)  # type: ignore[no-any-return]

    def tell_shared(self) -> None:
        """Say the activations that more than this node uses: they are ops, not steps of a longer function."""
        for name in self.node.input:
            flow = self.values.get(name)
            if not isinstance(flow, Flow) or flow.curve is None or self.readers.get(name, 0) < 2:
                continue
            if line(flow.curve) or activation(flow.curve):
                self.values[name] = self.resolved(flow)

    def told(self, number: int) -> Flow:
        """An input with its function of single values said as an activation."""
        name = self.node.input[number]
        flow = self.values[name]
        assert isinstance(flow, Flow)
        self.values[name] = found = self.resolved(flow)
        return found

    def resolved(self, flow: Flow) -> Flow:
        if flow.curve is None:
            return flow
        plain = replace(flow, curve=None, steps=None, parts=None)
        if found := line(flow.curve):
            if found == (1.0, 0.0):
                return plain
            if flow.link.parent is None:
                self.input_line = found
                return plain
            size = int(np.prod(flow.link.shape))
            return affine(plain, np.full(size, found[0]), np.full(size, found[1]), self.place)
        op = activation(flow.curve)
        if op is None and flow.steps:  # two activations, one behind the other
            before, function = flow.steps
            with np.errstate(all="ignore"):
                return self.resolved(self.resolved(before).curved(function(GRID)))
        if op is None and flow.parts:  # x + f(x), and no activation: a skip around one
            one, other = map(self.resolved, flow.parts)
            return joined(one, other, self.place, flow.index, concatenated=False)
        if op is None:
            refuse(self.place, "it takes a function of single values that is none of the lab's activations")
        link = add(replace(plain, pad=0), op, self.place).link
        return Flow(link, flow.index, None, flow.pad)

    # ------------------------------------------------------------------------------------------------ two inputs

    def binary(self, kind: str, given: Sequence[Value | None]) -> Value:
        if len(given) != 2:
            refuse(self.place, f"it has {len(given)} inputs; the lab can say two")
        first, second = given
        if isinstance(first, Flow) and isinstance(second, Flow):
            return self.of_two_flows(kind, first, second)
        flow, constant = (first, second) if isinstance(first, Flow) else (second, first)
        assert isinstance(flow, Flow)
        assert isinstance(constant, np.ndarray)
        if constant.size == 1 and not self.is_bias(kind, flow):

            def function(x: Numbers) -> Numbers:
                c = np.full_like(x, float(constant.ravel()[0]))
                return BINARY[kind](x, c) if flow is first else BINARY[kind](c, x)

            with np.errstate(all="ignore"):
                return flow.curved(function(curve_of(flow)), function)
        flow = self.told(0 if isinstance(first, Flow) else 1)
        try:
            spread = np.broadcast_to(constant, flow.index.shape).astype(np.float64)
        except ValueError:
            refuse(self.place, f"a constant of shape {list(constant.shape)} does not fit {list(flow.index.shape[1:])}")
        values = np.empty(flow.index.size)
        values[flow.index.ravel()] = spread.ravel()
        one, zero = np.ones(flow.index.size), np.zeros(flow.index.size)
        match kind:
            case "Add":
                return affine(flow, one, values, self.place)
            case "Sub":
                turned = (one, -values) if isinstance(first, Flow) else (-one, values)
                return affine(flow, *turned, self.place)
            case "Mul":
                return affine(flow, values, zero, self.place)
            case "Div" if isinstance(first, Flow):
                return affine(flow, 1 / values, zero, self.place)
        return refuse(self.place, "with more than one constant the lab cannot say it")

    def chosen(self, given: Sequence[Value | None]) -> Flow:
        """One of two functions of each value, by a third."""
        flows = [each for each in given if isinstance(each, Flow)]
        numbers = [each for each in given if isinstance(each, np.ndarray) and each.size == 1]
        alike = all(each.link is flows[0].link and np.array_equal(each.index, flows[0].index) for each in flows)
        if not alike or len(flows) + len(numbers) != len(given):
            refuse(self.place, "it chooses between values of different places, which the lab cannot say")
        condition, one, other = (curve_of(each) for each in given)
        return flows[0].curved(np.where(condition != 0, one, other))

    def is_bias(self, kind: str, flow: Flow) -> bool:
        """Whether adding one number is the bias of a layer with one channel."""
        op = flow.link.op
        plain = kind == "Add" and flow.curve is None and flow.link.shape[0] == 1
        return plain and isinstance(op, spec.Conv | spec.Linear) and not op.bias

    def of_two_flows(self, kind: str, first: Flow, second: Flow) -> Flow:
        if first.link is second.link and np.array_equal(first.index, second.index):
            x, y = curve_of(first), curve_of(second)
            with np.errstate(all="ignore"):
                parts = (first, second) if kind == "Add" else None
                return first.curved(BINARY[kind](x, y), parts=parts)
        if kind == "Mul" and (found := squeeze_excite(self.told(0), self.told(1), self.place)):
            return found
        if kind != "Add":
            refuse(self.place, "the lab can add two paths or put them side by side, and nothing else")
        first, second = self.told(0), self.told(1)
        if not np.array_equal(first.index, second.index):
            refuse(self.place, "it adds values whose orders differ")
        return joined(first, second, self.place, first.index, concatenated=False)

    def concatenated(self, given: Sequence[Value | None]) -> Flow:
        axis = int(str(self.attributes.get("axis", 1)))
        flows = [self.told(number) for number in range(len(given))] if all(isinstance(v, Flow) for v in given) else []
        if not flows:
            refuse(self.place, "it puts a constant beside what flows, which the lab cannot say")
        whole = flows[0]
        for number, flow in enumerate(flows[1:]):
            index = np.concatenate([whole.index, flow.index + int(np.prod(whole.link.shape))], axis)
            key = f"\0{id(whole.link)} {id(flow.link)} {number}"
            before = self.values.get(key)
            whole = before if isinstance(before, Flow) else joined(whole, flow, self.place, index, concatenated=True)
            self.values[key] = whole
        return whole

    # ------------------------------------------------------------------------------------------------ shapes

    def constant(self, given: Sequence[Value | None], number: int, name: str) -> Constant | None:
        """An input that has to be constant, or the attribute of that name; None without."""
        if number < len(given) and given[number] is not None:
            value = given[number]
            if isinstance(value, Flow):
                refuse(self.place, f"its {name} depends on the image")
            return value
        return np.array(self.attributes[name]) if name in self.attributes else None

    def scalar(self, given: Sequence[Value | None], number: int, name: str) -> float | None:
        found = self.constant(given, number, name)
        return None if found is None or found.size != 1 else float(found.ravel()[0])

    def weight(self, given: Sequence[Value | None], number: int, name: str) -> Array:
        """A weight of the node. Raises ImportingError where it is missing or depends on the image."""
        found = self.constant(given, number, name)
        if found is None:
            refuse(self.place, f"its {name} is missing")
        if number < len(self.node.input):
            key = self.node.input[number]
            self.used[key] = self.used.get(key, 0) + 1
        return found.astype(np.float32)

    def reshaped(self, kind: str, flow: Flow, given: Sequence[Value | None]) -> Flow:
        """The same values in another shape or order; whether that matters, the next op decides."""
        index = flow.index
        try:
            if kind in ("Reshape", "Flatten"):
                index = index.reshape(self.target(kind, index, given))
            elif kind == "Transpose":
                perm = self.attributes.get("perm") or range(index.ndim)[::-1]
                index = index.transpose(perm)  # type: ignore[call-overload]
            elif kind in ("Squeeze", "Unsqueeze"):
                axes = self.constant(given, 1, "axes")
                chosen = tuple(int(each) for each in axes.ravel()) if axes is not None else ()
                index = np.expand_dims(index, chosen) if kind == "Unsqueeze" else np.squeeze(index, chosen or None)
                index = index.reshape(1, *index.shape) if index.ndim == 0 or index.shape[0] != 1 else index
        except (ValueError, TypeError) as error:
            refuse(self.place, f"{' '.join(str(error).split())[:100]}")
        if index.shape[0] != 1:
            refuse(self.place, f"it mixes images: {list(index.shape)} values of one")
        return replace(flow, index=index)

    def target(self, kind: str, index: Constant, given: Sequence[Value | None]) -> list[int]:
        if kind == "Flatten":
            axis = int(str(self.attributes.get("axis", 1)))
            return [1, -1] if axis in (1, 1 - index.ndim) else [int(np.prod(index.shape[:axis])), -1]
        shape = self.constant(given, 1, "shape")
        if shape is None:
            refuse(self.place, "its shape is missing")
        sizes = [int(each) for each in shape.ravel()]
        sizes = [index.shape[k] if each == 0 else each for k, each in enumerate(sizes)]
        if sizes[0] == self.batch or (sizes[0] == -1 and -1 not in sizes[1:]):
            sizes[0] = 1  # one image is walked through
        return sizes

    # ------------------------------------------------------------------------------------------------ kinds of node

    def conv(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        bias = self.weight(given, 2, "bias") if len(given) > 2 and given[2] is not None else None
        return convolution(flow, self.weight(given, 1, "weight"), bias, self.attributes, self.place)

    def pooled(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        return pool(flow, self.node.op_type, self.attributes, self.place)

    def pad(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        if self.attributes.get("mode", "constant") != "constant" or self.scalar(given, 2, "value") not in (None, 0.0):
            refuse(self.place, "it pads with something else than zeros; the lab pads with zeros")
        pads = self.constant(given, 1, "pads")
        sizes = [int(each) for each in pads.ravel()] if pads is not None else []
        axes = self.constant(given, 3, "axes")
        if axes is not None:
            full, count = [0] * 2 * flow.index.ndim, len(axes.ravel())
            for k, axis in enumerate(int(each) % flow.index.ndim for each in axes.ravel()):
                full[axis], full[axis + flow.index.ndim] = sizes[k], sizes[k + count]
            sizes = full
        if not any(sizes):
            return flow
        if flow.index.ndim != 4 or any(sizes[k] for k in (0, 1, 4, 5)):
            refuse(self.place, "it pads something else than the edges of a map")
        return replace(as_map(flow, self.place), pad=flow.pad + symmetric([*sizes[2:4], *sizes[6:8]], self.place))

    def whole_map(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        axes = self.constant(given, 1, "axes")
        return whole_map(flow, self.node.op_type, axes, bool(self.attributes.get("keepdims", 1)), self.place)

    def linear(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        gemm = self.node.op_type == "Gemm"
        weight = self.weight(given, 1, "weight")
        weight = weight if gemm and self.attributes.get("transB") else weight.T
        if gemm and self.attributes.get("transA"):
            refuse(self.place, "transA is 1, which the lab cannot say")
        flow, order = as_vector(flow, self.place)
        if weight.ndim != 2 or weight.shape[1] != order.size:
            refuse(self.place, f"its weight has shape {list(weight.shape)}, and {order.size:,} values come in")
        if not np.array_equal(order, np.arange(order.size)):
            self.notes.append(
                f"The inputs of {self.place} stood with the channels last; they were put in the lab's order."
            )
        ours = np.empty_like(weight)
        ours[:, order] = weight * float(str(self.attributes.get("alpha", 1.0)))
        weights = {"weight": ours}
        if gemm and len(given) > 2 and given[2] is not None:
            bias = self.weight(given, 2, "bias") * float(str(self.attributes.get("beta", 1.0)))
            weights["bias"] = np.broadcast_to(bias.ravel(), (len(ours),)).astype(np.float32)
        op = spec.Linear(len(ours), "bias" in weights)
        return add(flow, op, self.place, weights)

    def norm(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        names = ("weight", "bias", "running_mean", "running_var")
        values = [
            self.weight(given, number, name)
            for number, name in enumerate(names[: len(given) - 1], 1)
            if given[number] is not None
        ]
        return scaled_norm(self.node.op_type, flow, values, self.attributes, self.place)

    def softmax(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        axis = int(str(self.attributes.get("axis", -1 if flow.index.ndim == 2 else 1)))
        vector, order = as_vector(flow, self.place)
        if axis not in (1, 1 - flow.index.ndim, -1) or not np.array_equal(order, np.arange(order.size)):
            refuse(self.place, f"it is over axis {axis}; the lab takes it over the classes")
        op: Op = spec.Softmax() if self.node.op_type == "Softmax" else spec.LogSoftmax()
        return Flow(add(vector, op, self.place).link, flow.index)

    def dropout(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        ratio = self.scalar(given, 1, "ratio")
        if ratio is None or not 0 <= ratio <= 0.99:
            told = "A Dropout node without a probability was left out: it does nothing in a trained network."
            self.notes += [] if told in self.notes else [told]
            return flow
        return add(flow, spec.Dropout(round(ratio, 6)), self.place) if ratio else flow

    def prelu(self, flow: Flow, given: Sequence[Value | None]) -> Flow:
        slope = self.weight(given, 1, "slope")
        count = flow.link.shape[0] if slope.size > 1 else 1
        if slope.size not in (1, count):
            refuse(self.place, f"it has {slope.size} slopes for {count} channels")
        return replace(add(flow, activations.PReLU(count), self.place, {"weight": slope.ravel()}), index=flow.index)


# The method for each kind of node; "" for those that `said` itself says.
KNOWN: dict[str, str] = dict.fromkeys((*SHAPED, *BINARY, *CURVES, "Shape", "Constant", "Concat", "Where"), "") | {
    "Conv": "conv",
    "MaxPool": "pooled",
    "AveragePool": "pooled",
    "Pad": "pad",
    "GlobalAveragePool": "whole_map",
    "GlobalMaxPool": "whole_map",
    "ReduceMean": "whole_map",
    "ReduceMax": "whole_map",
    "Gemm": "linear",
    "MatMul": "linear",
    "BatchNormalization": "norm",
    "InstanceNormalization": "norm",
    "LayerNormalization": "norm",
    "GroupNormalization": "norm",
    "Softmax": "softmax",
    "LogSoftmax": "softmax",
    "Dropout": "dropout",
    "PRelu": "prelu",
}
