"""Architectures at random, valid by an arithmetic of their own: `trace` has no say in what it is tested with."""

from __future__ import annotations

from hypothesis import strategies as st

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
)

small = st.integers(1, 3)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """A network of up to six map ops that ends in ten outputs, on images of 5 to 16 pixels."""
    channels, side = draw(small), draw(st.integers(5, 16))
    shape = (channels, side, side)
    ops: list[Op] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["conv", "conv", "conv", "max", "average", "norm", "relu", "dropout"]))
        if kind == "conv":
            op: Op = draw(convolutions(channels))
        elif kind in ("max", "average"):
            op = draw(pools(kind))
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
    return Architecture("at random", (*ops, *draw(st.sampled_from(endings(side)))), shape)


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
