"""An architecture as data: a tuple of ops, each a frozen dataclass whose fields and defaults are torch's.

`trace` finds the input channels of each op, so an op does not repeat what the op before it says, and two ops cannot
disagree. A skip connection, a concatenation and shared weights are one op with a body of ops. The JSON form is
`{"name": ..., "input": [1, 28, 28], "ops": [{"op": "Conv", "out_channels": 8, ...}, ...]}`; fields that hold their
default may be left out and are left out when written. torch's own spellings are read too: see `torch_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, get_args

from core.architecture.activations import (
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from core.architecture.torch_names import in_our_words
from core.errors import SpecError
from core.record import By, Json, Range, read_tagged, short, write
from core.words import plural

MAX_OPS = 256  # with those in bodies
MAX_DEPTH = 8  # bodies within bodies
MAX_CHANNELS = 4096  # the widest layer of the ladder has 1,024
MAX_EXTENT = 512  # pixels along one axis, of an input or of a kernel

Channels = Annotated[int, Range(1, MAX_CHANNELS)]
Extent = Annotated[int, Range(1, MAX_EXTENT)]
Padding = Annotated[int, Range(0, MAX_EXTENT)]
PoolStride = Annotated[int, Range(0, MAX_EXTENT)]  # 0 means the size of the kernel, and is replaced by it
Probability = Annotated[float, Range(0, 0.99)]  # at 1 a dropout would silence its layer
Epsilon = Annotated[float, Range(1e-12, 1)]  # added to a variance
Momentum = Annotated[float, Range(0, 1)]  # the share of the new batch in a running mean: torch's meaning

# --------------------------------------------------------------------------------------------- layers with weights


@dataclass(frozen=True)
class Conv:
    """2-d convolution with a square kernel."""

    out_channels: Channels
    kernel_size: Extent
    stride: Extent = 1
    padding: Padding = 0
    dilation: Extent = 1
    groups: Channels = 1
    bias: bool = True


@dataclass(frozen=True)
class Linear:
    """A fully connected layer on a vector; a (C, 1, 1) map counts as one."""

    out_features: Channels
    bias: bool = True


@dataclass(frozen=True)
class SqueezeExcite:
    """Each channel times a number from 0 to 1 that two small layers compute from all channels' means.

    Hu, Shen & Sun 2018, arXiv:1709.01507. As torchvision's SqueezeExcitation: 1 x 1 convolution, ReLU, 1 x 1
    convolution, sigmoid.
    """

    squeeze_channels: Channels


# --------------------------------------------------------------------------------------------------- normalisation


@dataclass(frozen=True)
class BatchNorm:
    """Each channel to mean 0 and variance 1 over the batch and the map, then a learned scale and shift."""

    eps: Epsilon = 1e-5
    momentum: Momentum = 0.1
    affine: bool = True


@dataclass(frozen=True)
class GhostBatchNorm:
    """Batch norm over each of `num_splits` parts of the batch by itself. Hoffer et al. 2017, arXiv:1705.08741."""

    num_splits: Annotated[int, Range(1, 64)] = 2
    eps: Epsilon = 1e-5
    momentum: Momentum = 0.1


@dataclass(frozen=True)
class GroupNorm:
    """Groups of channels of one image to mean 0 and variance 1. Wu & He 2018, arXiv:1803.08494.

    With one group it is what many networks call layer norm.
    """

    num_groups: Channels
    eps: Epsilon = 1e-5
    affine: bool = True


@dataclass(frozen=True)
class LayerNorm:
    """All values of one image to mean 0 and variance 1, then a scale and a shift for each value: torch's, over C, H, W.

    Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """

    eps: Epsilon = 1e-5
    elementwise_affine: bool = True


@dataclass(frozen=True)
class InstanceNorm:
    """Each channel of one image to mean 0 and variance 1. Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022."""

    eps: Epsilon = 1e-5
    affine: bool = False


# ----------------------------------------------------------------------------------------------------- activations


@dataclass(frozen=True)
class ReLU:
    """max(0, x)."""


# --------------------------------------------------------------------------------------------------------- dropout


@dataclass(frozen=True)
class Dropout:
    """Sets each value to zero with probability p while training, and scales the others by 1 / (1 - p)."""

    p: Probability = 0.5


@dataclass(frozen=True)
class Dropout2d:
    """Sets a whole channel to zero with probability p while training. Tompson et al. 2015, arXiv:1411.4280."""

    p: Probability = 0.5


# ----------------------------------------------------------------------------------------------- pools and the end


@dataclass(frozen=True)
class MaxPool:
    """The largest value under each window."""

    kernel_size: Extent
    stride: PoolStride = 0
    padding: Padding = 0
    dilation: Extent = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", self.stride or self.kernel_size)


@dataclass(frozen=True)
class AvgPool:
    """The mean of the values under each window; padding counts as zeros."""

    kernel_size: Extent
    stride: PoolStride = 0
    padding: Padding = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", self.stride or self.kernel_size)


@dataclass(frozen=True)
class GlobalAvgPool:
    """The mean of each channel's whole map: (C, H, W) becomes (C, 1, 1)."""


@dataclass(frozen=True)
class GlobalMaxPool:
    """The largest value of each channel's whole map: (C, H, W) becomes (C, 1, 1)."""


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) becomes (C * H * W,)."""


@dataclass(frozen=True)
class LogSoftmax:
    """Logits to log-probabilities over the classes."""


@dataclass(frozen=True)
class Softmax:
    """Logits to probabilities over the classes. torch's cross-entropy expects logits: it takes the softmax itself."""


# ------------------------------------------------------------------------------------------------- ops with a body


def read_ops(data: Json) -> tuple[Op, ...]:
    """The ops that a JSON list describes. Raises SpecError, naming the op and the field."""
    if not isinstance(data, list):
        raise SpecError(f"expected a list of ops, got {short(data)}")
    if len(data) > MAX_OPS:
        raise SpecError(f"{len(data):,} ops, at most {MAX_OPS} are allowed")
    ops = []
    for index, op in enumerate(data):
        ours = in_our_words(op, f"op {index}")
        ops += [read_tagged(OPS, ours, f"op {index}", SpecError, tag="op")] if ours is not None else []
    return tuple(ops)


def write_ops(ops: tuple[Op, ...]) -> list[Json]:
    """The inverse of `read_ops`."""
    return [write(op, "op") for op in ops]


Body = Annotated[tuple["Op", ...], By(read_ops, write_ops)]


@dataclass(frozen=True)
class Residual:
    """body(x) + shortcut(x); without a shortcut, body(x) + x. He, Zhang, Ren & Sun 2016, arXiv:1512.03385."""

    body: Body
    shortcut: Body = ()  # often one 1 x 1 convolution, where the body changes the channels or the size


@dataclass(frozen=True)
class Concatenate:
    """The channels of shortcut(x) and then those of body(x); without a shortcut, x and then body(x).

    Huang, Liu, van der Maaten & Weinberger 2017, arXiv:1608.06993. An empty body gives x itself.
    """

    body: Body
    shortcut: Body = ()


@dataclass(frozen=True)
class Repeat:
    """The body `times` times, one after the other, with the same weights. Each time has norms of its own."""

    body: Body
    times: Annotated[int, Range(1, 64)] = 2


Norm = BatchNorm | GhostBatchNorm | GroupNorm | LayerNorm | InstanceNorm
Activation = (
    ReLU
    | LeakyReLU
    | PReLU
    | ReLU6
    | ELU
    | SELU
    | GELU
    | SiLU
    | Mish
    | Hardswish
    | Hardsigmoid
    | Softplus
    | Tanh
    | Sigmoid
)
Composite = Residual | Concatenate | Repeat
Op = (
    Conv
    | Norm
    | Activation
    | Dropout
    | Dropout2d
    | MaxPool
    | AvgPool
    | GlobalAvgPool
    | GlobalMaxPool
    | Flatten
    | Linear
    | LogSoftmax
    | Softmax
    | SqueezeExcite
    | Composite
)
Shape = tuple[int, ...]  # one image's, without the batch: (channels, height, width) or (features,)

OPS: dict[str, type[Op]] = {kind.__name__: kind for kind in get_args(Op)}


def bodies(op: Op) -> tuple[tuple[Op, ...], ...]:
    """The op's bodies: body and shortcut, or the one body; none for an op without."""
    match op:
        case Residual(body, shortcut) | Concatenate(body, shortcut):
            return body, shortcut
        case Repeat(body):
            return (body,)
        case _:
            return ()


def with_bodies(op: Op, changed: tuple[tuple[Op, ...], ...]) -> Op:
    """The op with other bodies, in the order of `bodies`."""
    names = ("body", "shortcut")[: len(changed)]
    return replace(op, **dict(zip(names, changed, strict=True))) if changed else op  # type: ignore[arg-type]


def every_op(ops: tuple[Op, ...]) -> Iterator[Op]:
    """All ops in order, each followed by those in its bodies."""
    for op in ops:
        yield op
        for body in bodies(op):
            yield from every_op(body)


def map_ops(ops: tuple[Op, ...], change: Callable[[Op], Op]) -> tuple[Op, ...]:
    """Each op, also in bodies, replaced by `change` of it; the bodies first."""
    return tuple(change(with_bodies(op, tuple(map_ops(body, change) for body in bodies(op)))) for op in ops)


@dataclass(frozen=True)
class Architecture:
    """A network: its name, its ops in the order they run, and the shape of one input image."""

    name: str
    ops: tuple[Op, ...]
    input: tuple[int, int, int] = (1, 28, 28)  # channels, height, width


# The field that is written without its name.
FIRST = {
    "Conv": "out_channels",
    "Linear": "out_features",
    "Dropout": "p",
    "Dropout2d": "p",
    "GroupNorm": "num_groups",
    "SqueezeExcite": "squeeze_channels",
    "LeakyReLU": "negative_slope",
    "PReLU": "num_parameters",
    "ELU": "alpha",
}


@lru_cache(maxsize=4096)
def op_words(op: Op) -> str:
    """The op as one writes it in code, without default values: `Conv(8, kernel_size=3)`; `Residual(3 ops)`."""
    if bodies(op):
        return f"{type(op).__name__}({', '.join(_body_words(op))})"
    first = FIRST.get(type(op).__name__)
    arguments = [str(value) if key == first else f"{key}={value}" for key, value in write(op).items()]
    return f"{type(op).__name__}({', '.join(arguments)})" if arguments else type(op).__name__


def _body_words(op: Op) -> Iterator[str]:
    body, *rest = bodies(op)
    yield plural(sum(1 for _ in every_op(body)), "op")
    if rest and rest[0]:
        yield f"shortcut={plural(sum(1 for _ in every_op(rest[0])), 'op')}"
    if isinstance(op, Repeat):
        yield f"times={op.times}"
