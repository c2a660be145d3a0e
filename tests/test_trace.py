"""The numbers of a network against the network that torch builds, and its receptive field against a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from core.architecture.receptive_field import extent, pixels_inside
from core.architecture.spec import (
    Activation,
    Architecture,
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Softmax,
)
from core.architecture.trace import classifier, trace
from core.errors import SpecError
from core.training.modules import Concatenate, GhostBatchNorm, PerRound, Repeat, Residual, SqueezeExcite
from core.training.network import build
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data
ACTIVATIONS = frozenset(each.__name__ for each in get_args(Activation))

# ------------------------------------------------------------------------------------------------------- against torch


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_shapes_parameters_and_macs_are_those_of_the_network_that_torch_builds(architecture: Architecture) -> None:
    walked = classifier(architecture)
    network = build(architecture).eval()
    values = torch.zeros(1, *architecture.input)
    for layer, module in zip(walked.layers, network, strict=True):
        assert (1, *layer.input) == tuple(values.shape)
        macs = flops(module, values) / 2  # torch counts the multiplication and the addition
        values = module(values)
        assert (1, *layer.output) == tuple(values.shape)
        assert layer.macs == macs
        assert layer.parameters == sum(each.numel() for each in module.parameters())
        assert layer.buffers == sum(each.numel() for each in module.buffers() if each.is_floating_point())
    assert walked.parameters == sum(each.numel() for each in network.parameters() if each.requires_grad)
    assert walked.activation_bytes == 4 * sum(layer_values(network, architecture))


def flops(module: nn.Module, values: Tensor) -> int:
    if not any(isinstance(each, nn.Conv2d | nn.Linear) for each in module.modules()):
        return 0
    with FlopCounterMode(display=False) as counter:
        module(values)
    return counter.get_total_flops()


def layer_values(network: nn.Sequential, architecture: Architecture) -> list[int]:
    """How many values each op's module puts out for one image, counted by hooks; also in bodies, each time."""
    counted: list[int] = []
    hooks = [
        module.register_forward_hook(lambda module, given, output: counted.append(output.numel()))
        for module in op_modules(network)
    ]
    network(torch.zeros(1, *architecture.input))
    for hook in hooks:
        hook.remove()
    return counted


def op_modules(ops: nn.Sequential) -> Iterator[nn.Module]:
    """The module of each op, followed by those in its bodies."""
    for module in ops:
        yield module
        if isinstance(module, Residual | Concatenate | Repeat):
            for body in module.children():
                assert isinstance(body, nn.Sequential)
                yield from op_modules(body)


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_each_layer_of_a_body_has_torchs_path_and_the_shape_that_its_module_gives(architecture: Architecture) -> None:
    network = build(architecture).eval()
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for path, module in network.named_modules():
        module.register_forward_hook(
            lambda _, given, output, path=path: shapes.setdefault(path, []).append(tuple(output.shape))
        )
    network(torch.zeros(1, *architecture.input))
    for layer in trace(architecture).every_layer:
        assert (1, *layer.output) in shapes[layer.path]


@given(architectures())
def test_the_arithmetic_shown_comes_to_the_parameters(architecture: Architecture) -> None:
    for layer in trace(architecture).every_layer:
        if layer.arithmetic:
            formula, *totals = layer.arithmetic.replace(",", "").split(" = ")
            assert [eval(formula.replace("x", "*")), *map(int, totals)] == [layer.parameters] * (1 + len(totals))
        else:  # of a body that runs again, only the norms count
            assert layer.branches or layer.parameters == 0


# -------------------------------------------------------------------------------------------------- against a gradient


def of_ones(architecture: Architecture) -> nn.Sequential:
    """The built network with every weight one, and a sum in place of each maximum, which would hide the others.

    Without what would add the mean of the whole map to a field, and without activations, which are flat far from 0.
    """
    network = build(architecture).double().eval()
    replace_modules(network)
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network


def replace_modules(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            setattr(module, name, Sum(child.kernel_size, child.stride, child.padding, child.dilation))
        elif isinstance(child, nn.AdaptiveMaxPool2d):
            setattr(module, name, nn.AdaptiveAvgPool2d(1))
        elif (
            isinstance(
                child, PerRound | SqueezeExcite | GhostBatchNorm | nn.GroupNorm | nn.LayerNorm | nn.InstanceNorm2d
            )
            or type(child).__name__ in ACTIVATIONS
        ):
            setattr(module, name, nn.Identity())
        else:
            replace_modules(child)


class Sum(nn.Module):
    """The sum under each window, by a convolution of each channel with ones."""

    def __init__(self, *window: object) -> None:
        super().__init__()
        self.k, self.s, self.p, self.d = (int(size) for size in window)  # type: ignore[call-overload]

    def forward(self, values: Tensor) -> Tensor:
        channels = values.shape[1]
        ones = torch.ones(channels, 1, self.k, self.k, dtype=values.dtype)
        return nn.functional.conv2d(values, ones, None, self.s, self.p, self.d, channels)


def gradient(network: nn.Sequential, architecture: Architecture, index: int, unit: int) -> Tensor:
    """(H, W): what each pixel does to the unit at (unit, unit) of op number `index`, all channels together."""
    images = torch.ones(1, *architecture.input, dtype=torch.float64, requires_grad=True)
    output = network[: index + 1](images)
    value = output[0, :, unit, unit].sum() if output.ndim == 4 else output[0, 0]
    (found,) = torch.autograd.grad(value, images)
    return found[0].sum(0)


@settings(max_examples=40, deadline=None)
@given(architectures(), st.data())
def test_the_receptive_field_is_where_the_gradient_is(architecture: Architecture, data: st.DataObject) -> None:
    network, side = of_ones(architecture), architecture.input[1]
    for layer in trace(architecture).layers:
        if isinstance(layer.op, LogSoftmax | Softmax):
            break  # equal logits: its gradient is zero everywhere
        units = layer.output[1] if len(layer.output) == 3 else 1
        unit = data.draw(st.integers(0, units - 1))
        found = gradient(network, architecture, layer.index, unit)
        rows, columns = found.sum(1), found.sum(0)
        torch.testing.assert_close(rows, columns)
        seen = rows.nonzero().flatten().tolist()
        first, last = extent(layer.field, unit)
        assert all(first <= pixel <= last for pixel in seen)
        if first >= 0 and last <= side - 1:  # nothing of it lies in the padding
            assert (first, last) == (seen[0], seen[-1])
            assert last - first + 1 == layer.field.size == pixels_inside(layer.field, unit, side)
            centre = (rows * torch.arange(side)).sum() / rows.sum()
            assert centre.item() == pytest.approx(layer.field.start + unit * layer.field.jump)


@settings(max_examples=30, deadline=None)
@given(architectures())
def test_an_undilated_field_reaches_exactly_to_the_images_edge(architecture: Architecture) -> None:
    dense = [op for op in architecture.ops if getattr(op, "dilation", 1) == 1 and getattr(op, "stride", 1) == 1]
    kept = tuple(op for op in dense if isinstance(op, Conv | MaxPool | AvgPool) and op.padding < op.kernel_size)
    ops = tuple(Conv(2, op.kernel_size, padding=op.padding) for op in kept if op.kernel_size <= 3)
    if not ops:
        return
    architecture = Architecture("dense", ops, (1, 20, 20))
    network = of_ones(architecture)
    field = trace(architecture).field
    for unit in range(trace(architecture).output[1]):
        seen = gradient(network, architecture, len(ops) - 1, unit).sum(1).nonzero().flatten().tolist()
        first, last = extent(field, unit)
        assert (seen[0], seen[-1]) == (max(first, 0), min(last, 19))
        assert len(seen) == pixels_inside(field, unit, 20)


# ------------------------------------------------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("ops", "size", "jump", "start"),
    [
        ((Conv(8, 3),), 3, 1, 1.0),
        ((Conv(8, 3, padding=1),), 3, 1, 0.0),
        ((Conv(8, 3), Conv(8, 3)), 5, 1, 2.0),
        ((MaxPool(2),), 2, 2, 0.5),
        ((Conv(8, 3), MaxPool(2), Conv(8, 3)), 8, 2, 3.5),
        ((Conv(8, 3, dilation=2),), 5, 1, 2.0),
        ((Conv(8, 7, stride=2, padding=3), MaxPool(3, 2, 1)), 11, 4, 0.0),  # a ResNet's first two
        ((GlobalAvgPool(),), 28, 28, 13.5),
        ((Conv(8, 3, padding=1), GlobalAvgPool()), 30, 28, 13.5),
        ((Conv(8, 3), Flatten(), Linear(10)), 28, 26, 13.5),
    ],
)
def test_fields_worked_by_hand(ops: tuple[Conv, ...], size: int, jump: int, start: float) -> None:
    field = trace(Architecture("by hand", ops)).field
    assert (field.size, field.jump, field.start) == (size, jump, start)


def test_a_layers_parameters_and_macs_worked_by_hand() -> None:
    (layer,) = trace(Architecture("one", (Conv(8, 3),))).layers
    assert (layer.parameters, layer.macs, layer.output) == (8 * 9 + 8, 8 * 9 * 26 * 26, (8, 26, 26))


def test_strides_beyond_any_image_are_refused_in_a_sentence() -> None:
    """512 to the 113th is no float: the field's start could not be computed."""
    with pytest.raises(SpecError, match=r"op 3 MaxPool\(kernel_size=1, stride=512\): the strides .* 68,719,476,736"):
        trace(Architecture("strides", (MaxPool(1, 512),) * 200))
