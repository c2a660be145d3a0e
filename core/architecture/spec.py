"""An architecture as data: a flat tuple of ops, each a frozen dataclass whose fields are torch's.

`trace` finds the input channels of each op, so an op does not repeat what the op before it says, and two ops cannot
disagree. The JSON form is `{"name": ..., "input": [1, 28, 28], "ops": [{"op": "Conv", "out_channels": 8, ...}, ...]}`;
fields that hold their default may be left out and are left out when written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, get_args

from core.errors import SpecError
from core.record import Json, Range, parse, read_tagged, short, short_number, to_json, write

MAX_OPS = 256
MAX_CHANNELS = 4096  # the widest layer of the ladder has 1,024
MAX_EXTENT = 512  # pixels along one axis, of an input or of a kernel

Channels = Annotated[int, Range(1, MAX_CHANNELS)]
Extent = Annotated[int, Range(1, MAX_EXTENT)]
Padding = Annotated[int, Range(0, MAX_EXTENT)]
PoolStride = Annotated[int, Range(0, MAX_EXTENT)]  # 0 means the size of the kernel, and is replaced by it
Probability = Annotated[float, Range(0, 0.99)]  # at 1 a dropout would silence its layer


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
class BatchNorm:
    """Batch normalisation over each channel, with a learned scale and shift."""


@dataclass(frozen=True)
class ReLU:
    """max(0, x)."""


@dataclass(frozen=True)
class Dropout:
    """Sets each value to zero with probability p while training, and scales the others by 1 / (1 - p)."""

    p: Probability = 0.5


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
class Flatten:
    """(C, H, W) becomes (C * H * W,)."""


@dataclass(frozen=True)
class Linear:
    """A fully connected layer on a vector; a (C, 1, 1) map counts as one."""

    out_features: Channels
    bias: bool = True


@dataclass(frozen=True)
class LogSoftmax:
    """Logits to log-probabilities over the classes."""


Op = Conv | BatchNorm | ReLU | Dropout | MaxPool | AvgPool | GlobalAvgPool | Flatten | Linear | LogSoftmax
Shape = tuple[int, ...]  # one image's, without the batch: (channels, height, width) or (features,)

OPS: dict[str, type[Op]] = {kind.__name__: kind for kind in get_args(Op)}


@dataclass(frozen=True)
class Architecture:
    """A network: its name, its ops in the order they run, and the shape of one input image."""

    name: str
    ops: tuple[Op, ...]
    input: tuple[int, int, int] = (1, 28, 28)  # channels, height, width


@lru_cache(maxsize=4096)
def op_words(op: Op) -> str:
    """The op as one writes it in code, without default values: `Conv(8, kernel_size=3)`."""
    first = {"Conv": "out_channels", "Linear": "out_features", "Dropout": "p"}.get(type(op).__name__)
    arguments = [str(value) if key == first else f"{key}={value}" for key, value in write(op).items()]
    return f"{type(op).__name__}({', '.join(arguments)})" if arguments else type(op).__name__


def architecture_to_dict(architecture: Architecture) -> dict[str, Json]:
    """The architecture's JSON form."""
    return {
        "name": architecture.name,
        "input": list(architecture.input),
        "ops": [write(op, "op") for op in architecture.ops],
    }


def architecture_from_dict(data: Json) -> Architecture:
    """The architecture that a JSON object describes. Raises SpecError, naming the op and the field."""
    if not isinstance(data, dict):
        raise SpecError(f"an architecture is an object with name, input and ops, got {short(data)}")
    if surplus := [key for key in data if key not in ("name", "input", "ops")]:
        raise SpecError(f"architecture: unknown field {short(surplus[0])}; it has name, input and ops")
    name = data.get("name", "untitled")
    if not isinstance(name, str) or not name.strip() or len(name) > 100:
        raise SpecError(f"name: expected 1 to 100 characters, got {short(name)}")
    if any("\ud800" <= each <= "\udfff" for each in name):  # half of a pair: JSON can carry it, a page cannot
        raise SpecError(f"name: {short(name)} is not valid Unicode text")
    return Architecture(one_line(name), _ops(data.get("ops")), _input(data.get("input", [1, 28, 28])))


def one_line(name: str) -> str:
    """The name with single blanks and no line breaks, which could start a heading or a list on a page."""
    return " ".join(name.split())


def _input(size: Json) -> tuple[int, int, int]:
    if not isinstance(size, list) or len(size) != 3:
        raise SpecError(f"input: expected [channels, height, width], got {short(size)}")
    for axis, value in enumerate(size):
        most = MAX_CHANNELS if axis == 0 else MAX_EXTENT
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpecError(f"input[{axis}]: expected a whole number, got {short(value)}")
        if not 1 <= value <= most:
            raise SpecError(f"input[{axis}]: {short_number(value)} is outside 1 to {most:,}")
    channels, height, width = (value for value in size if isinstance(value, int))
    return channels, height, width


def _ops(ops: Json) -> tuple[Op, ...]:
    if not isinstance(ops, list):
        raise SpecError(f"ops: expected a list of ops, got {short(ops)}")
    if not ops:
        raise SpecError("ops: the network is empty; it needs at least one op")
    if len(ops) > MAX_OPS:
        raise SpecError(f"ops: {len(ops):,} ops, at most {MAX_OPS} are allowed")
    return tuple(read_tagged(OPS, op, f"op {index}", SpecError, tag="op") for index, op in enumerate(ops))


def architecture_to_json(architecture: Architecture) -> str:
    """One line of JSON, the same for equal architectures: a key for caches and URLs."""
    return to_json(architecture_to_dict(architecture))


def architecture_from_json(text: str) -> Architecture:
    """The inverse of `architecture_to_json`; fields with a default may be left out. Raises SpecError."""
    return architecture_from_dict(parse(text, "the architecture", SpecError))
