"""Architectures at random, valid by an arithmetic of their own: `trace` has no say in what it is tested with."""

from __future__ import annotations

from hypothesis import strategies as st

from core.architecture.activations import ELU, GELU, LeakyReLU, PReLU, ReLU6, SiLU, Tanh
from core.architecture.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Concatenate,
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
    Op,
    ReLU,
    Repeat,
    Residual,
    Softmax,
    SqueezeExcite,
)

MAX_INNER = 2  # bodies within bodies
small = st.integers(1, 3)
activations = st.sampled_from(
    [ReLU(), ReLU(), LeakyReLU(0.1), PReLU(), ReLU6(), ELU(0.5), GELU(approximate="tanh"), SiLU(), Tanh()]
)


@st.composite
def architectures(draw: st.DrawFn, flat: bool = False) -> Architecture:
    """A network of up to six map ops that ends in ten outputs, on images of 5 to 16 pixels.

    `flat`: without bodies, and of the ops that the lab had before it had bodies.
    """
    channels, side = draw(small), draw(st.integers(5, 16))
    shape = (channels, side, side)
    ops: list[Op] = []
    for _ in range(draw(st.integers(0, 6))):
        kinds = ["conv", "conv", "conv", "max", "average", "norm", "relu", "dropout"]
        kind = draw(st.sampled_from(kinds if flat else [*kinds, "same", "body", "body"]))
        if kind == "body":
            op, channels, side = draw(blocks(channels, side))
            ops.append(op)
            continue
        if kind == "conv":
            op = draw(convolutions(channels))
        elif kind in ("max", "average"):
            op = draw(pools(kind))
        elif kind == "same":
            op = draw(same_shape(channels, side))
        else:
            dropout = Dropout(draw(st.sampled_from([0.0, 0.05, 0.5])))
            op = {"norm": BatchNorm(), "relu": ReLU(), "dropout": dropout}[kind]
        if isinstance(op, Conv | MaxPool | AvgPool):
            window = getattr(op, "dilation", 1) * (op.kernel_size - 1) + 1
            room = side + 2 * op.padding - window
            if room < 0:
                continue
            side = room // op.stride + 1
        if isinstance(op, Conv):
            channels = op.out_channels
        ops.append(op)
    ways = endings(side) if flat else [*endings(side), *new_endings()]
    return Architecture("at random", (*ops, *draw(st.sampled_from(ways))), shape)


@st.composite
def same_shape(draw: st.DrawFn, channels: int, side: int) -> Op:
    """An op that works on a map and changes no shape."""
    groups = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    norms = [GhostBatchNorm(2), BatchNorm(eps=1e-3, momentum=0.2, affine=False)]
    norms += [LayerNorm()] if side > 1 or channels > 1 else []  # one value alone has no variance
    norms += [GroupNorm(groups)] if side > 1 or groups < channels else []
    norms += [InstanceNorm(affine=True)] if side > 1 else []
    others = st.sampled_from([*norms, Dropout2d(0.25), SqueezeExcite(groups), PReLU(channels)])
    return draw(activations | others)


@st.composite
def blocks(draw: st.DrawFn, channels: int, side: int, inner: int = 0) -> tuple[Op, int, int]:
    """An op with a body, and the channels and the side of the map that it gives."""
    kind = draw(st.sampled_from(["residual", "strided", "concatenate", "repeat"]))
    if kind == "strided":  # the 1 x 1 convolution's map is as large as the padded 3 x 3 one's
        out = draw(small)
        body = (Conv(out, 3, stride=2, padding=1, bias=False), draw(same_shape(out, (side + 1) // 2)))
        return Residual(body, (Conv(out, 1, stride=2),)), out, (side + 1) // 2
    body, out = draw(keeping(channels, side, inner))
    if kind == "repeat":
        back = (Conv(channels, 1),) if out != channels else ()
        return Repeat((*body, *back), draw(st.integers(1, 3))), channels, side
    if kind == "concatenate":
        shortcut, beside = draw(st.just(((), channels)) | keeping(channels, side, inner))
        return Concatenate(body, shortcut), out + beside, side
    return Residual(body, (Conv(out, 1),) if out != channels else ()), out, side


@st.composite
def keeping(draw: st.DrawFn, channels: int, side: int, inner: int) -> tuple[tuple[Op, ...], int]:
    """One to three ops that keep the size of the map, and the channels that they give."""
    ops: list[Op] = []
    for _ in range(draw(small)):
        kind = draw(st.sampled_from(["conv", "pool", "same", "body"] if inner < MAX_INNER else ["conv", "same"]))
        if kind == "body":
            op, given, smaller = draw(blocks(channels, side, inner + 1))
            if smaller != side:
                continue
            channels = given
        elif kind == "conv":
            k, d = draw(st.sampled_from([1, 3])), draw(st.integers(1, 2))
            op = Conv(draw(small), k, padding=d * (k // 2), dilation=d, bias=draw(st.booleans()))
            channels = op.out_channels
        elif kind == "pool":
            op = draw(st.sampled_from([MaxPool(3, 1, 1), AvgPool(3, 1, 1)]))
        else:
            op = draw(same_shape(channels, side))
        ops.append(op)
    return (tuple(ops), channels) if ops else ((ReLU(),), channels)


def new_endings() -> list[tuple[Op, ...]]:
    """Ways from a map to ten outputs that networks of other people have."""
    return [
        (GlobalMaxPool(), Flatten(), BatchNorm(), Linear(10)),
        (GlobalAvgPool(), Flatten(), Residual((Linear(6), ReLU()), (Linear(6),)), Linear(10), Softmax()),
        (Flatten(), Linear(4), LayerNorm(), Concatenate((Linear(3),)), Linear(10)),
    ]


@st.composite
def convolutions(draw: st.DrawFn, channels: int) -> Conv:
    groups = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    return Conv(
        out_channels=groups * draw(small),
        kernel_size=draw(st.integers(1, 4)),
        stride=draw(st.integers(1, 2)),
        padding=draw(st.integers(0, 2)),
        dilation=draw(st.integers(1, 2)),
        groups=groups,
        bias=draw(st.booleans()),
    )


@st.composite
def pools(draw: st.DrawFn, kind: str) -> MaxPool | AvgPool:
    k, s = draw(small), draw(st.integers(0, 3))
    p = draw(st.integers(0, k // 2))
    return AvgPool(k, s, p) if kind == "average" else MaxPool(k, s, p, dilation=draw(st.integers(1, 2)))


def endings(side: int) -> list[tuple[Op, ...]]:
    """Ways from a map to ten outputs."""
    return [
        (GlobalAvgPool(), Linear(10)),
        (GlobalAvgPool(), Flatten(), Linear(10), LogSoftmax()),
        (Conv(10, 1), GlobalAvgPool(), Flatten()),
        (Conv(10, side, bias=False), Flatten(), LogSoftmax()),
        (Flatten(), Linear(10, bias=False)),
        (Flatten(), Linear(7), ReLU(), Dropout(0.1), Linear(10)),
    ]
