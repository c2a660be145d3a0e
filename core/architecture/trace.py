"""One pass over an architecture: the shape, parameters, multiply-adds and receptive field after each op.

Every page that shows a number about a network reads it here. No torch: the tests compare these numbers with the
network that torch builds, and with its gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from core.architecture.receptive_field import ReceptiveField, Window, through
from core.architecture.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
    Shape,
    op_words,
)
from core.errors import SpecError
from core.words import plural

CLASSES = 10
MAX_NETWORK_PARAMETERS = 20_000_000  # that the lab builds: three times the largest network of the ladder
MAX_ACTIVATIONS = 4_000_000  # values of one image over all maps; the largest of the catalogue holds 0.55 million
MAX_JUMP = 2**31  # pixels between neighbouring units: far larger than any image, and still exact as a float
BYTES_PER_VALUE = 4  # float32


@dataclass(frozen=True)
class Layer:
    """One op in its network: its input, its output and its cost."""

    index: int
    op: Op
    name: str  # such as conv3 or maxpool1; each kind of op is counted from 1
    input: Shape
    output: Shape
    parameters: int
    buffers: int  # stored values that are not trained: the running mean and variance of batch norm
    arithmetic: str  # of the parameters: `8 x 1 x 3 x 3 = 72`; empty for an op without any
    macs: int  # multiply-adds for one image, of convolutions and linear layers
    window: Window
    before: ReceptiveField
    field: ReceptiveField


@dataclass(frozen=True)
class Trace:
    """The layers of an architecture, in order, and their totals."""

    architecture: Architecture
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def buffers(self) -> int:
        return sum(layer.buffers for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def pool_reads(self) -> int:
        """How many values all pools read for one image: their cost, as they have no MACs."""
        pools = [
            (layer.op.kernel_size, layer.output) for layer in self.layers if isinstance(layer.op, MaxPool | AvgPool)
        ]
        return sum(prod(output) * k * k for k, output in pools)

    @property
    def field(self) -> ReceptiveField:
        return self.layers[-1].field

    @property
    def output(self) -> Shape:
        return self.layers[-1].output

    @property
    def input_bytes(self) -> int:
        return BYTES_PER_VALUE * prod(self.architecture.input)

    @property
    def activation_bytes(self) -> int:
        """Memory of all outputs for one image in float32, which training keeps for the backward pass."""
        return BYTES_PER_VALUE * sum(prod(layer.output) for layer in self.layers)

    @property
    def parameter_bytes(self) -> int:
        return BYTES_PER_VALUE * (self.parameters + self.buffers)


@lru_cache(maxsize=512)
def trace(architecture: Architecture) -> Trace:
    """The trace of an architecture. Raises SpecError for the first op that does not fit, with its name and numbers."""
    _, height, width = architecture.input
    if height != width:
        raise SpecError(f"input: the image must be square, got {height} x {width}")
    if not architecture.ops:
        raise SpecError("ops: the network is empty; it needs at least one op")
    layers: list[Layer] = []
    shape: Shape = architecture.input
    field = ReceptiveField()
    flattened = 1  # width of the map before Flatten: a linear layer sees all of it
    counts: dict[str, int] = {}
    for index, op in enumerate(architecture.ops):
        place = f"op {index} {op_words(op)}"
        kind = type(op).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        if isinstance(op, Flatten) and len(shape) == 3:
            flattened = shape[1]
        window = _window(op, shape, flattened)
        output = _output(op, shape, window, place)
        parameters, arithmetic = _parameters(op, shape)
        if (jump := field.jump * window.stride) > MAX_JUMP:
            raise SpecError(f"{place}: the strides up to here multiply to {jump:,}, at most {MAX_JUMP:,} are allowed")
        after = through(field, window)
        layers.append(
            Layer(
                index=index,
                op=op,
                name=f"{kind}{counts[kind]}",
                input=shape,
                output=output,
                parameters=parameters,
                buffers=2 * shape[0] if isinstance(op, BatchNorm) else 0,
                arithmetic=arithmetic,
                macs=_macs(op, shape, output),
                window=window,
                before=field,
                field=after,
            )
        )
        shape, field = output, after
        if isinstance(op, Linear):
            flattened = 1
    walked = Trace(architecture, tuple(layers))
    _within_bounds(walked)
    return walked


def classifier(architecture: Architecture) -> Trace:
    """The trace of a network that ends in ten outputs. Raises SpecError for one that does not."""
    walked = trace(architecture)
    if walked.output != (CLASSES,):
        last = walked.layers[-1]
        hint = "; put Flatten at the end" if walked.output == (CLASSES, 1, 1) else ""
        raise SpecError(
            f"op {last.index} {op_words(last.op)}: the network ends in {shape_words(walked.output)}, "
            f"not in {CLASSES} outputs{hint}"
        )
    return walked


def shape_words(shape: Shape) -> str:
    """A shape in words: `8 x 26 x 26`, or `10 values` for a vector."""
    return " x ".join(f"{size:,}" for size in shape) if len(shape) == 3 else plural(shape[0], "value")


def _within_bounds(walked: Trace) -> None:
    if walked.parameters > MAX_NETWORK_PARAMETERS:
        largest = max(walked.layers, key=lambda layer: layer.parameters)
        raise SpecError(
            f"the network has {walked.parameters:,} parameters, at most {MAX_NETWORK_PARAMETERS:,} are allowed; "
            f"op {largest.index} {op_words(largest.op)} alone has {largest.parameters:,}"
        )
    activations = sum(prod(layer.output) for layer in walked.layers)
    if activations > MAX_ACTIVATIONS:
        raise SpecError(
            f"the feature maps of one image hold {activations:,} values, at most {MAX_ACTIVATIONS:,} are allowed"
        )


def _window(op: Op, shape: Shape, flattened: int) -> Window:
    """The op's window. For a global pool it is the whole input map; for a linear layer the map before Flatten."""
    match op:
        case Conv(kernel_size=k, stride=s, padding=p, dilation=d) | MaxPool(k, s, p, d):
            return Window(k, s, p, d)
        case AvgPool(k, s, p):
            return Window(k, s, p)
        case GlobalAvgPool() if len(shape) == 3:
            return Window(shape[1], shape[1])
        case Linear():
            return Window(flattened, flattened)
        case _:
            return Window()


def _output(op: Op, shape: Shape, window: Window, place: str) -> Shape:
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
    if isinstance(op, ReLU | Dropout | LogSoftmax):
        if isinstance(op, LogSoftmax) and len(shape) == 3:
            raise SpecError(f"{place}: the input is a map of {shape_words(shape)}, not a vector; put Flatten before it")
        return shape
    if len(shape) != 3:
        raise SpecError(
            f"{place}: needs a map of channels x height x width, got {shape_words(shape)}; it stands after Flatten"
        )
    channels, size, _ = shape
    if isinstance(op, BatchNorm):
        return shape
    if isinstance(op, GlobalAvgPool):
        return (channels, 1, 1)
    if isinstance(op, Conv):
        _check_groups(op, channels, place)
        channels = op.out_channels
    elif op.padding > op.kernel_size // 2:
        raise SpecError(
            f"{place}: padding {op.padding} is more than half the kernel, {op.kernel_size // 2}; "
            "some windows would lie wholly outside the map"
        )
    out = (size + 2 * window.padding - window.reach - 1) // window.stride + 1
    if size + 2 * window.padding < window.reach + 1:
        padded = f" ({size + 2 * window.padding} with padding)" if window.padding else ""
        raise SpecError(f"{place}: the window is {window.reach + 1} wide, the map is only {size} wide{padded}")
    return (channels, out, out)


def _check_groups(op: Conv, channels: int, place: str) -> None:
    for number, which in ((channels, "input"), (op.out_channels, "output")):
        if number % op.groups:
            raise SpecError(f"{place}: groups {op.groups} does not divide the {number} {which} channels")


def _parameters(op: Op, shape: Shape) -> tuple[int, str]:
    """The number of trained values, and how it comes about."""
    match op:
        case Conv(out_channels=out, kernel_size=k, groups=groups, bias=bias):
            weights = out * (shape[0] // groups) * k * k
            factors = f"{out} x {shape[0] // groups} x {k} x {k}"
            return _with_bias(weights, factors, out if bias else 0)
        case Linear(out_features=out, bias=bias):
            return _with_bias(out * prod(shape), f"{out} x {prod(shape)}", out if bias else 0)
        case BatchNorm():
            return 2 * shape[0], f"2 x {shape[0]} = {2 * shape[0]:,}"
        case _:
            return 0, ""


def _with_bias(weights: int, factors: str, bias: int) -> tuple[int, str]:
    total = weights + bias
    return total, f"{factors}{f' + {bias}' if bias else ''} = {total:,}"


def _macs(op: Op, shape: Shape, output: Shape) -> int:
    """Multiply-adds for one image. Biases, batch norm, pools and activations are not counted, as usual."""
    match op:
        case Conv(kernel_size=k, groups=groups):
            return prod(output) * (shape[0] // groups) * k * k
        case Linear():
            return prod(shape) * output[0]
        case _:
            return 0
