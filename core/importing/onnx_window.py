"""Convolutions and pools of an ONNX graph: their windows are square in the lab, and padded alike on all sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core.architecture import activations, spec
from core.architecture.spec import Op
from core.importing.onnx_link import Array, Constant, Flow, add, as_map, refuse

NOT_NEGATIVE = (spec.ReLU, activations.ReLU6, activations.Sigmoid, activations.Hardsigmoid, spec.Softmax)


def convolution(flow: Flow, weight: Array, bias: Array | None, attributes: Mapping[str, object], place: str) -> Flow:
    """A Conv node."""
    flow = as_map(flow, place)
    if weight.ndim != 4:
        refuse(place, f"its weight has {weight.ndim} axes; the lab has convolutions of 2 dimensions, with 4")
    kernel = square(list(weight.shape[2:]), "kernel", place)
    stride, dilation = (square(numbers(attributes, name, [1, 1]), name, place) for name in ("strides", "dilations"))
    groups = int(str(attributes.get("group", 1)))
    padding = flow.pad + _padding(flow, kernel, stride, dilation, attributes, place)
    if weight.shape[1] * groups != flow.link.shape[0]:
        refuse(place, f"it takes {weight.shape[1] * groups} channels, and {flow.link.shape[0]} come in")
    op = spec.Conv(weight.shape[0], kernel, stride, padding, dilation, groups, bias is not None)
    weights = {"weight": weight} | ({"bias": bias.ravel()} if bias is not None else {})
    return add(replace(flow, pad=0), op, place, weights)


def pool(flow: Flow, kind: str, attributes: Mapping[str, object], place: str) -> Flow:
    """A MaxPool or AveragePool node."""
    flow = as_map(flow, place)
    kernel = square(numbers(attributes, "kernel_shape", []), "kernel", place)
    stride, dilation = (square(numbers(attributes, name, [1, 1]), name, place) for name in ("strides", "dilations"))
    own = _padding(flow, kernel, stride, dilation, attributes, place)
    padding = own + flow.pad
    size = flow.link.shape[1] + 2 * padding - dilation * (kernel - 1) - 1
    if attributes.get("ceil_mode") and size % stride:
        refuse(
            place,
            f"ceil_mode is 1, and the windows do not end with the map of {flow.link.shape[1]}; the lab rounds down",
        )
    if kind == "MaxPool":
        if flow.pad and not isinstance(flow.link.op, NOT_NEGATIVE):
            refuse(place, "zeros are put around the map before it; the lab's MaxPool counts no padding")
        op: Op = spec.MaxPool(kernel, stride, padding, dilation)
    else:
        if own and not attributes.get("count_include_pad"):
            refuse(place, "count_include_pad is 0; the lab's AvgPool counts its padding as zeros")
        if dilation != 1:
            refuse(place, f"its dilation is {dilation}; the lab's AvgPool has none")
        op = spec.AvgPool(kernel, stride, padding)
    return add(replace(flow, pad=0), op, place)


def whole_map(flow: Flow, kind: str, axes: Constant | None, keep: bool, place: str) -> Flow:
    """The mean or the largest value of each channel's whole map: a global pool, or a reduction over its places."""
    op: Op = spec.GlobalMaxPool() if "Max" in kind else spec.GlobalAvgPool()
    if kind.startswith("Global"):
        return add(as_map(flow, place), op, place)
    chosen = tuple(sorted(int(each) % flow.index.ndim for each in axes.ravel())) if axes is not None else ()
    shape = flow.link.shape
    moved = np.moveaxis(flow.index, chosen, tuple(range(-len(chosen), 0))) if chosen else flow.index
    groups = np.sort(moved.reshape(shape[0], -1), 1) if len(shape) == 3 and moved.size % shape[0] == 0 else moved
    if len(shape) != 3 or not np.array_equal(groups, np.arange(moved.size).reshape(shape[0], -1)):
        refuse(place, "the lab can take the mean of each channel's whole map, and this is another")
    pooled = add(Flow(flow.link, np.arange(moved.size).reshape(1, *shape)), op, place)
    kept = tuple(1 if k in chosen else size for k, size in enumerate(flow.index.shape))
    return replace(pooled, index=pooled.index.reshape(kept if keep else (1, shape[0])))


def numbers(attributes: Mapping[str, object], name: str, default: Sequence[int]) -> list[int]:
    found = attributes.get(name)
    return [int(each) for each in (found if isinstance(found, Sequence) and not isinstance(found, str) else default)]


def square(pair: Sequence[int], what: str, place: str) -> int:
    """The number that both axes have. Raises ImportingError for two that differ."""
    if len(pair) != 2 or pair[0] != pair[1]:
        refuse(place, f"its {what} is {' x '.join(map(str, pair)) or 'missing'}; the lab's windows are square")
    return pair[0]


def symmetric(pads: Sequence[int], place: str) -> int:
    """The padding that all four sides have: top, left, bottom, right."""
    if len(set(pads)) != 1 or pads[0] < 0:
        refuse(
            place, f"it pads top, left, bottom and right by {', '.join(map(str, pads))}; the lab pads all sides alike"
        )
    return pads[0]


def _padding(flow: Flow, kernel: int, stride: int, dilation: int, attributes: Mapping[str, object], place: str) -> int:
    automatic = attributes.get("auto_pad", "NOTSET")
    if automatic == "VALID":
        return 0
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        size = flow.link.shape[1]
        total = max(0, (int(np.ceil(size / stride)) - 1) * stride + dilation * (kernel - 1) + 1 - size)
        half, rest = divmod(total, 2)
        ends = [half, half + rest] if automatic == "SAME_UPPER" else [half + rest, half]
        return symmetric([ends[0], ends[0], ends[1], ends[1]], place)
    return symmetric(numbers(attributes, "pads", [0, 0, 0, 0]), place)
