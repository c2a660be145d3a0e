"""The arithmetic of one op: its window, the shape it gives, its parameters and its multiply-adds."""

from __future__ import annotations

from math import prod

from core.architecture.activations import PReLU
from core.architecture.receptive_field import Window
from core.architecture.spec import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    Flatten,
    GhostBatchNorm,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Linear,
    LogSoftmax,
    MaxPool,
    Norm,
    Op,
    Shape,
    Softmax,
    SqueezeExcite,
)
from core.errors import SpecError
from core.words import plural


def shape_words(shape: Shape) -> str:
    """A shape in words: `8 x 26 x 26`, or `10 values` for a vector."""
    return " x ".join(f"{size:,}" for size in shape) if len(shape) == 3 else plural(shape[0], "value")


def window_of(op: Op, shape: Shape, flattened: int) -> Window:
    """The op's window. For a global pool it is the whole input map; for a linear layer the map before Flatten."""
    match op:
        case Conv(kernel_size=k, stride=s, padding=p, dilation=d) | MaxPool(k, s, p, d):
            return Window(k, s, p, d)
        case AvgPool(k, s, p):
            return Window(k, s, p)
        case GlobalAvgPool() | GlobalMaxPool() if len(shape) == 3:
            return Window(shape[1], shape[1])
        case Linear():
            return Window(flattened, flattened)
        case _:
            return Window()


def output_of(op: Op, shape: Shape, window: Window, place: str) -> Shape:
    """The shape of the op's output. Raises SpecError if the op does not fit."""
    if isinstance(op, Linear):
        if len(shape) == 3 and shape[1:] != (1, 1):
            raise SpecError(
                f"{place}: the input is a map of {shape_words(shape)}, not a vector; put Flatten "
                f"({plural(prod(shape), 'value')}) or GlobalAvgPool ({plural(shape[0], 'value')}) before it"
            )
        return (op.out_features,)
    if isinstance(op, Flatten):
        return (prod(shape),)
    if isinstance(op, LogSoftmax | Softmax) and len(shape) == 3:
        raise SpecError(f"{place}: the input is a map of {shape_words(shape)}, not a vector; put Flatten before it")
    if isinstance(op, Norm | Activation | Dropout | LogSoftmax | Softmax):
        _check_channels(op, shape, place)
        return shape
    if len(shape) != 3:
        raise SpecError(
            f"{place}: needs a map of channels x height x width, got {shape_words(shape)}; it stands after Flatten"
        )
    channels, size, _ = shape
    if isinstance(op, Dropout2d | SqueezeExcite):
        return shape
    if isinstance(op, GlobalAvgPool | GlobalMaxPool):
        return (channels, 1, 1)
    if isinstance(op, Conv):
        _check_groups(op, channels, place)
        channels = op.out_channels
    elif isinstance(op, MaxPool | AvgPool) and op.padding > op.kernel_size // 2:
        raise SpecError(
            f"{place}: padding {op.padding} is more than half the kernel, {op.kernel_size // 2}; "
            "some windows would lie wholly outside the map"
        )
    out = (size + 2 * window.padding - window.reach - 1) // window.stride + 1
    if size + 2 * window.padding < window.reach + 1:
        padded = f" ({size + 2 * window.padding} with padding)" if window.padding else ""
        raise SpecError(f"{place}: the window is {window.reach + 1} wide, the map is only {size} wide{padded}")
    return (channels, out, out)


def _check_channels(op: Op, shape: Shape, place: str) -> None:
    """Raises SpecError for a norm or an activation whose numbers do not fit the channels."""
    if isinstance(op, GroupNorm) and shape[0] % op.num_groups:
        raise SpecError(f"{place}: num_groups {op.num_groups} does not divide the {shape[0]} channels")
    if isinstance(op, PReLU) and op.num_parameters not in (1, shape[0]):
        raise SpecError(f"{place}: num_parameters {op.num_parameters} is neither 1 nor the {shape[0]} channels")
    if isinstance(op, InstanceNorm) and (len(shape) != 3 or prod(shape[1:]) == 1):
        raise SpecError(
            f"{place}: each channel has one value in {shape_words(shape)}, and one value has no variance; "
            "it needs a map of at least 2 x 2"
        )
    if isinstance(op, GroupNorm) and prod(shape) == op.num_groups:
        raise SpecError(
            f"{place}: each of the {op.num_groups} groups has one value in {shape_words(shape)}, and one value has no "
            "variance; take fewer groups, or a larger map"
        )


def _check_groups(op: Conv, channels: int, place: str) -> None:
    for number, which in ((channels, "input"), (op.out_channels, "output")):
        if number % op.groups:
            raise SpecError(f"{place}: groups {op.groups} does not divide the {number} {which} channels")


def parameters_of(op: Op, shape: Shape) -> tuple[int, str]:
    """The number of trained values, and how it comes about."""
    match op:
        case Conv(out_channels=out, kernel_size=k, groups=groups, bias=bias):
            weights = out * (shape[0] // groups) * k * k
            factors = f"{out} x {shape[0] // groups} x {k} x {k}"
            return _with_bias(weights, factors, out if bias else 0)
        case Linear(out_features=out, bias=bias):
            return _with_bias(out * prod(shape), f"{out} x {prod(shape)}", out if bias else 0)
        case BatchNorm(affine=True) | GroupNorm(affine=True) | InstanceNorm(affine=True) | GhostBatchNorm():
            return 2 * shape[0], f"2 x {shape[0]} = {2 * shape[0]:,}"
        case LayerNorm(elementwise_affine=True):
            factors = " x ".join(map(str, shape))
            return 2 * prod(shape), f"2 x {factors} = {2 * prod(shape):,}"
        case PReLU(count):
            return count, str(count)
        case SqueezeExcite(squeeze):
            channels, total = shape[0], 2 * shape[0] * squeeze + squeeze + shape[0]
            return total, f"{channels} x {squeeze} + {squeeze} + {squeeze} x {channels} + {channels} = {total:,}"
        case _:
            return 0, ""


def buffers_of(op: Op, shape: Shape) -> int:
    return 2 * shape[0] if isinstance(op, BatchNorm | GhostBatchNorm) else 0


def _with_bias(weights: int, factors: str, bias: int) -> tuple[int, str]:
    total = weights + bias
    return total, f"{factors}{f' + {bias}' if bias else ''} = {total:,}"


def macs_of(op: Op, shape: Shape, output: Shape) -> int:
    """Multiply-adds for one image. Biases, batch norm, pools and activations are not counted, as usual."""
    match op:
        case Conv(kernel_size=k, groups=groups):
            return prod(output) * (shape[0] // groups) * k * k
        case Linear():
            return prod(shape) * output[0]
        case SqueezeExcite(squeeze):
            return 2 * shape[0] * squeeze
        case _:
            return 0
