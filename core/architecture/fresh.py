"""New ops, and blocks of several, whose fields suit the place that they are put at."""

from __future__ import annotations

from dataclasses import replace

from core.architecture.fit import fit
from core.architecture.place import Place, op_at, ops_at, place_of
from core.architecture.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Concatenate,
    Conv,
    Dropout,
    Dropout2d,
    GroupNorm,
    Linear,
    MaxPool,
    Op,
    ReLU,
    Repeat,
    Residual,
    Shape,
    SqueezeExcite,
)

CLASSES = 10
FIRST_CHANNELS = 8  # of a convolution on the image
# Blocks that are added as one: what each is called, and the kinds of its ops where their fields suit the place.
BLOCKS = (
    "Conv, BatchNorm, ReLU",
    "Conv, BatchNorm, ReLU, Dropout",
    "Residual block",
    "Residual block, half the size",
    "Squeeze-excite block",
    "Depthwise separable",
    "Blurred pool",
)


def shape_at(architecture: Architecture, at: int | Place) -> Shape:
    """The shape that comes to an op at a place; where the network does not fit, the last that does."""
    first, *inner = place_of(at)
    walked = fit(replace(architecture, ops=architecture.ops[:first])).trace if first else None
    shape: Shape = walked.output if walked else architecture.input
    if not inner:
        return shape
    image = (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)
    body = ops_at(architecture, (first, inner[0]))
    return shape_at(replace(architecture, ops=body, input=image), tuple(inner[1:]))


def fresh(architecture: Architecture, at: int | Place, kind: type[Op]) -> Op:
    """A new op of that kind with fields that suit its place: as many channels as come in, a group norm that divides.

    In a body a convolution keeps the size of the map; in a shortcut it gives what the body gives. After a Flatten, or
    where the network does not fit, the fields have usual values.
    """
    place = place_of(at)
    shape = shape_at(architecture, place)
    channels, size = (shape[0], shape[1]) if len(shape) == 3 else (shape[0], 1)
    width = channels if channels > 1 else FIRST_CHANNELS
    suited: tuple[Op, ...] = (
        _convolution(architecture, place, width, size),
        Linear(CLASSES if len(place) == 1 else channels),
        MaxPool(2),
        AvgPool(size if 1 < size < 8 else 2),
        Dropout(0.05),
        Dropout2d(0.05),
        GroupNorm(max(groups for groups in (4, 3, 2, 1) if channels % groups == 0)),
        SqueezeExcite(max(1, channels // 4)),
        Residual(_keeping(shape)),
        Concatenate(_keeping((width, *shape[1:]))),
        Repeat(_keeping(shape)),
    )
    # Every other op has a default for each of its fields.
    return next((op for op in suited if type(op) is kind), None) or kind()  # type: ignore[call-arg]


def block(architecture: Architecture, at: int | Place, name: str) -> tuple[Op, ...]:
    """The ops of a ready block, one of BLOCKS, with fields that suit its place."""
    place = place_of(at)
    shape = shape_at(architecture, place)
    channels = shape[0]
    width = channels if channels > 1 else FIRST_CHANNELS
    conv = fresh(architecture, place, Conv)
    match name:
        case "Residual block":
            return (Residual(_two(channels, channels, 1)),)
        case "Residual block, half the size":
            projection = (Conv(2 * width, 1, stride=2, bias=False), BatchNorm())
            return Residual(_two(2 * width, 2 * width, 2), projection), ReLU()
        case "Squeeze-excite block":
            return (Residual((*_two(channels, channels, 1), SqueezeExcite(max(1, channels // 4)))),)
        case "Depthwise separable":
            return (
                Conv(channels, 3, padding=1, groups=channels, bias=False),
                BatchNorm(),
                ReLU(),
                Conv(width, 1, bias=False),
                BatchNorm(),
                ReLU(),
            )
        case "Blurred pool":
            return blurred_pool()
        case "Conv, BatchNorm, ReLU, Dropout":
            return conv, BatchNorm(), ReLU(), Dropout(0.05)
        case _:
            return conv, BatchNorm(), ReLU()


def blurred_pool() -> tuple[Op, ...]:
    """A max pool whose maps are blurred before every other value is taken. Zhang 2019, arXiv:1904.11486.

    The two averages are the binomial window 1 2 1 along each axis, with a stride of 2 and a padding of 1.
    """
    return MaxPool(2, stride=1), AvgPool(2, stride=1, padding=1), AvgPool(2)


def _two(inner: int, outer: int, stride: int) -> tuple[Op, ...]:
    """The body of a residual block: two convolutions with their norms."""
    return (
        Conv(inner, 3, stride=stride, padding=1, bias=False),
        BatchNorm(),
        ReLU(),
        Conv(outer, 3, padding=1, bias=False),
        BatchNorm(),
    )


def _keeping(shape: Shape) -> tuple[Op, ...]:
    """A body that gives the shape it takes."""
    if len(shape) != 3:
        return Linear(shape[0]), ReLU()
    return Conv(shape[0], 3, padding=1, bias=False), BatchNorm(), ReLU()


def _convolution(architecture: Architecture, place: Place, width: int, size: int) -> Conv:
    if len(place) == 1:
        return Conv(width, min(3, size), bias=False)
    holder = op_at(architecture, place[:-2])
    if place[-2] == 1 and isinstance(holder, Residual):  # what its body gives, which is added to it
        given = shape_at(architecture, (*place[:-2], 0, len(holder.body)))
        taken = shape_at(architecture, place)
        if len(given) == len(taken) == 3 and 0 < given[1] <= taken[1]:
            return Conv(given[0], 1, stride=-(-taken[1] // given[1]), bias=False)
    return Conv(width, 3, padding=1, bias=False)
