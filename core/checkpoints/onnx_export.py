"""A network as an ONNX file: the output of each op has the name that `core.architecture.trace` gives it.

Written with the builders of the onnx package. One of torch's two exporters is deprecated; the other takes seconds,
merges batch norm into the convolutions, and writes the paths of the machine's source files into the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper
from torch import nn

from core.architecture import activations, spec
from core.architecture.spec import Shape
from core.architecture.trace import Layer, trace
from core.training.modules import PerRound

OPSET = 17  # of 2022: old enough for readers in a browser, and it has all the ops but GELU and Mish
IR_VERSION = 8  # the file format of that time

Values = NDArray[np.float32]
Attribute = int | float | list[int]

# Ops that ONNX has under another name, with the same numbers.
SAME = {
    "ReLU": "Relu", "ELU": "Elu", "SELU": "Selu", "Hardswish": "HardSwish", "Softplus": "Softplus", "Tanh": "Tanh",
    "Sigmoid": "Sigmoid", "Dropout": "Dropout", "Dropout2d": "Dropout", "GlobalAvgPool": "GlobalAveragePool",
    "GlobalMaxPool": "GlobalMaxPool",
}  # fmt: skip


def to_onnx(network: nn.Sequential, architecture: spec.Architecture) -> bytes:
    """The network of that architecture as it predicts, for batches (N, C, H, W) of float32 of any N.

    `network` is one that `core.training.network.build` made. Its dropout is in the file, but has no effect.
    """
    walked = trace(architecture)
    graph = _Graph()
    graph.sequence(walked.layers, network, "image")
    graph.nodes[-1].output[0] = "output"
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [_info("image", architecture.input)],
            [_info("output", walked.output)],
            [numpy_helper.from_array(values, name) for name, values in graph.weights.items()],
            value_info=[each for each in graph.shapes if each.name in {node.output[0] for node in graph.nodes}],
        ),
        producer_name="architecture-lab",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    return _bytes(model)


def _bytes(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


def _info(name: str, shape: Shape) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])


def _values(module: nn.Module) -> dict[str, Values]:
    """The module's weights and buffers, float32, by torch's names."""
    return {
        name: value.detach().float().cpu().contiguous().numpy()
        for name, value in module.state_dict().items()
        if value.is_floating_point()
    }


@dataclass
class _Graph:
    """A graph that grows node by node. A method that adds ops returns the name of what comes out."""

    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, Values | NDArray[np.int64]] = field(default_factory=dict)
    shapes: list[ValueInfoProto] = field(default_factory=list)
    rounds: tuple[int, ...] = ()  # how often each repeat around the op has run, the innermost first: it chooses a norm

    def node(self, kind: str, inputs: Sequence[str], name: str, **attributes: Attribute) -> str:
        node = helper.make_node(kind, list(inputs), [name], name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return name

    def weight(self, name: str, values: Values | NDArray[np.int64]) -> str:
        self.weights[name] = values
        return name

    def number(self, value: float) -> str:
        return self.weight(f"number {value:g}", np.array(value, np.float32))

    def sequence(self, layers: tuple[Layer, ...], modules: nn.Module, flowing: str) -> str:
        """Ops that stand together."""
        for layer, module in zip(layers, modules.children(), strict=True):
            for number in self.rounds:
                module = module.norms[number] if isinstance(module, PerRound) else module
            flowing = self.op(layer, module, flowing)
            self.shapes.append(_info(flowing, layer.output))
        return flowing

    def op(self, layer: Layer, module: nn.Module, flowing: str) -> str:
        """One op; the last of its nodes has the layer's name."""
        name, op, own = layer.name, layer.op, _values(module)
        match op:
            case spec.Conv(_, k, stride, padding, dilation, groups):
                window = _window(k, stride, padding) | {"dilations": [dilation] * 2, "group": groups}
                return self.node("Conv", [flowing, *self.own(layer, own)], name, **window)
            case spec.BatchNorm(eps=eps) | spec.GhostBatchNorm(eps=eps):
                filled = {"weight": np.ones_like(own["running_var"]), "bias": np.zeros_like(own["running_var"]), **own}
                return self.node("BatchNormalization", [flowing, *self.own(layer, filled)], name, epsilon=eps)
            case spec.MaxPool(k, stride, padding, dilation):
                return self.node("MaxPool", [flowing], name, **_window(k, stride, padding), dilations=[dilation] * 2)
            case spec.AvgPool(k, stride, padding):
                return self.node("AveragePool", [flowing], name, **_window(k, stride, padding), count_include_pad=1)
            case spec.Flatten():
                return self.node("Flatten", [flowing], name, axis=1)
            case spec.Linear():
                if len(layer.input) == 3:
                    flowing = self.node("Flatten", [flowing], f"{name}.flat", axis=1)
                return self.node("Gemm", [flowing, *self.own(layer, own)], name, transB=1)
            case spec.LogSoftmax() | spec.Softmax():
                return self.node(type(op).__name__, [flowing], name, axis=1)
            case spec.GroupNorm() | spec.InstanceNorm() | spec.LayerNorm():
                return self.image_norm(layer, own, flowing)
            case spec.SqueezeExcite():
                return self.squeeze_excite(layer, own, flowing)
            case spec.Residual() | spec.Concatenate():
                parts = zip(layer.branches, module.children(), strict=True)
                body, shortcut = (self.sequence(branch, inner, flowing) for branch, inner in parts)
                if isinstance(op, spec.Residual):
                    return self.node("Add", [body, shortcut], name)
                return self.node("Concat", [shortcut, body], name, axis=1)
            case spec.Repeat():
                return self.repeat(layer, module, flowing)
            case _:
                return self.activation(layer, own, flowing)

    def own(self, layer: Layer, values: dict[str, Values]) -> list[str]:
        """The op's weights in ONNX's order, which is torch's."""
        order = [name for name in ("weight", "bias", "running_mean", "running_var") if name in values]
        return [self.weight(f"{layer.name}.{name}", values[name]) for name in order]

    def activation(self, layer: Layer, own: dict[str, Values], flowing: str) -> str:
        name = layer.name
        match layer.op:
            case activations.LeakyReLU(slope):
                return self.node("LeakyRelu", [flowing], name, alpha=slope)
            case activations.ELU(alpha):
                return self.node("Elu", [flowing], name, alpha=alpha)
            case activations.PReLU():
                slopes = own["weight"].reshape(-1, *(1,) * (len(layer.input) - 1))
                return self.node("PRelu", [flowing, self.weight(f"{name}.weight", slopes)], name)
            case activations.ReLU6():
                return self.node("Clip", [flowing, self.number(0), self.number(6)], name)
            case activations.Hardsigmoid():
                return self.node("HardSigmoid", [flowing], name, alpha=1 / 6, beta=0.5)
            case activations.SiLU():
                return self.node("Mul", [flowing, self.node("Sigmoid", [flowing], f"{name}.gate")], name)
            case activations.Mish():
                gate = self.node("Softplus", [flowing], f"{name}.softplus")
                return self.node("Mul", [flowing, self.node("Tanh", [gate], f"{name}.gate")], name)
            case activations.GELU(approximate):
                return self.gelu(flowing, name, approximate)
            case op:
                return self.node(SAME[type(op).__name__], [flowing], name)

    def gelu(self, flowing: str, name: str, approximate: str) -> str:
        """x / 2 * (1 + erf(x / sqrt(2))), or torch's approximation of it with tanh."""
        half = self.node("Mul", [flowing, self.number(0.5)], f"{name}.half")
        if approximate == "none":
            scaled = self.node("Mul", [flowing, self.number(math.sqrt(0.5))], f"{name}.scaled")
            gate = self.node("Erf", [scaled], f"{name}.erf")
        else:
            cube = self.node("Pow", [flowing, self.number(3)], f"{name}.cube")
            small = self.node("Mul", [cube, self.number(0.044715)], f"{name}.small")
            both = self.node("Add", [flowing, small], f"{name}.sum")
            scaled = self.node("Mul", [both, self.number(math.sqrt(2 / math.pi))], f"{name}.scaled")
            gate = self.node("Tanh", [scaled], f"{name}.tanh")
        return self.node("Mul", [half, self.node("Add", [gate, self.number(1)], f"{name}.gate")], name)

    def image_norm(self, layer: Layer, own: dict[str, Values], flowing: str) -> str:
        """A norm of groups of channels of one image: the groups as the channels of an instance norm, then the scale."""
        op, name, channels = layer.op, layer.name, layer.input[0]
        assert isinstance(op, spec.GroupNorm | spec.InstanceNorm | spec.LayerNorm)
        groups = op.num_groups if isinstance(op, spec.GroupNorm) else 1
        groups = channels if isinstance(op, spec.InstanceNorm) else groups
        grouped = self.weight(f"{name}.groups", np.array([0, groups, -1], np.int64))
        ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
        scales = [self.weight(f"{name}.ones", ones), self.weight(f"{name}.zeros", zeros)]
        rows = self.node("Reshape", [flowing, grouped], f"{name}.rows")
        normed = self.node("InstanceNormalization", [rows, *scales], f"{name}.normed", epsilon=op.eps)
        back = self.weight(f"{name}.shape", np.array([-1, *layer.input], np.int64))
        if "weight" not in own:
            return self.node("Reshape", [normed, back], name)
        maps = self.node("Reshape", [normed, back], f"{name}.maps")
        wide = (-1,) if isinstance(op, spec.LayerNorm) else (channels, *(1,) * (len(layer.input) - 1))
        scale, shift = (own[each].reshape(layer.input if wide == (-1,) else wide) for each in ("weight", "bias"))
        scaled = self.node("Mul", [maps, self.weight(f"{name}.weight", scale)], f"{name}.scaled")
        return self.node("Add", [scaled, self.weight(f"{name}.bias", shift)], name)

    def squeeze_excite(self, layer: Layer, own: dict[str, Values], flowing: str) -> str:
        name = layer.name
        weights = {key: self.weight(f"{name}.{key}", values) for key, values in own.items()}
        mean = self.node("GlobalAveragePool", [flowing], f"{name}.mean")
        squeezed = self.node("Conv", [mean, weights["fc1.weight"], weights["fc1.bias"]], f"{name}.fc1")
        active = self.node("Relu", [squeezed], f"{name}.relu")
        excited = self.node("Conv", [active, weights["fc2.weight"], weights["fc2.bias"]], f"{name}.fc2")
        return self.node("Mul", [flowing, self.node("Sigmoid", [excited], f"{name}.gate")], name)

    def repeat(self, layer: Layer, module: nn.Module, flowing: str) -> str:
        """The body written out as often as it runs. Its weights are in the file once for each time."""
        outer = self.rounds
        for number, layers in enumerate(layer.branches):
            self.rounds = (number, *outer)
            flowing = self.sequence(layers, module.get_submodule("body"), flowing)
        self.rounds = outer
        return self.node("Identity", [flowing], layer.name)


def _window(k: int, stride: int, padding: int) -> dict[str, Attribute]:
    return {"kernel_shape": [k, k], "strides": [stride, stride], "pads": [padding] * 4}
