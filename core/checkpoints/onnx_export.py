"""A network as an ONNX file: one node for each op, under the names of `core.architecture.trace`.

Written with the builders of the onnx package. One of torch's two exporters is deprecated; the other takes seconds,
merges batch norm into the convolutions, and writes the paths of the machine's source files into the file.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper
from torch import nn

from core.architecture import spec
from core.architecture.trace import Layer, trace

OPSET = 17  # of 2022: old enough for readers in a browser, and it has all the ops
IR_VERSION = 8  # the file format of that time

Attributes = dict[str, int | float | list[int]]


def to_onnx(network: nn.Sequential, architecture: spec.Architecture) -> bytes:
    """The network of that architecture as it predicts, for batches (N, C, H, W) of float32 of any N.

    `network` is one that `core.training.network.build` made. Its dropout is in the file, but has no effect.
    """
    walked = trace(architecture)
    weights: list[TensorProto] = []
    nodes: list[NodeProto] = []
    flowing = "image"
    for layer, module in zip(walked.layers, network, strict=True):
        own = {
            name: value.detach().float().cpu().contiguous().numpy()
            for name, value in module.state_dict().items()
            if value.is_floating_point()
        }
        weights += [numpy_helper.from_array(value, f"{layer.name}.{name}") for name, value in own.items()]
        for node in _nodes(layer, flowing, own):
            nodes.append(node)
            flowing = node.output[0]
    nodes[-1].output[0] = "output"
    inner = [
        helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["N", *layer.output])
        for node, layer in _last_of_each(nodes, walked.layers)
        if node.output[0] != "output"
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *architecture.input])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", *walked.output])],
        weights,
        value_info=inner,
    )
    model = helper.make_model(
        graph,
        producer_name="architecture-lab",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    return _bytes(model)


def _bytes(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


def _last_of_each(nodes: list[NodeProto], layers: tuple[Layer, ...]) -> Iterator[tuple[NodeProto, Layer]]:
    """The node that gives each layer's output; it has the layer's name."""
    named = {node.name: node for node in nodes}
    return ((named[layer.name], layer) for layer in layers)


def _nodes(layer: Layer, flowing: str, own: dict[str, NDArray[np.float32]]) -> Iterator[NodeProto]:
    """The nodes of one op on the values called `flowing`; the last has the layer's name, which its output has too."""
    weights = [f"{layer.name}.{name}" for name in ("weight", "bias") if name in own]
    if isinstance(layer.op, spec.Linear) and len(layer.input) == 3:
        yield helper.make_node("Flatten", [flowing], [f"{layer.name}.flat"], f"{layer.name}.flat", axis=1)
        flowing = f"{layer.name}.flat"
    kind, inputs, attributes = _operator(layer.op, weights)
    inputs += [f"{layer.name}.{name}" for name in ("running_mean", "running_var") if name in own]
    node = helper.make_node(kind, [flowing, *inputs], [layer.name], layer.name)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    yield node


def _operator(op: spec.Op, weights: list[str]) -> tuple[str, list[str], Attributes]:
    """ONNX's name for the op, what it takes besides the values, and its attributes."""
    match op:
        case spec.Conv(_, k, stride, padding, dilation, groups):
            window = _window(k, stride, padding) | {"dilations": [dilation] * 2, "group": groups}
            return "Conv", weights, window
        case spec.BatchNorm():
            return "BatchNormalization", weights, {"epsilon": 1e-5}  # torch's default
        case spec.ReLU():
            return "Relu", [], {}
        case spec.Dropout():
            return "Dropout", [], {}  # without a ratio and a training mode its output is its input
        case spec.MaxPool(k, stride, padding, dilation):
            return "MaxPool", [], _window(k, stride, padding) | {"dilations": [dilation] * 2}
        case spec.AvgPool(k, stride, padding):
            return "AveragePool", [], _window(k, stride, padding) | {"count_include_pad": 1}
        case spec.GlobalAvgPool():
            return "GlobalAveragePool", [], {}
        case spec.Flatten():
            return "Flatten", [], {"axis": 1}
        case spec.Linear():
            return "Gemm", weights, {"transB": 1}
        case spec.LogSoftmax():
            return "LogSoftmax", [], {"axis": 1}


def _window(k: int, stride: int, padding: int) -> Attributes:
    return {"kernel_shape": [k, k], "strides": [stride, stride], "pads": [padding] * 4}
