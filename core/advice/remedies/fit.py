"""Changes that make a design fit, and end in ten outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import gcd

from core.advice.remedies.ops import Remedy, with_outputs
from core.architecture.activations import PReLU
from core.architecture.edit import insert, put, remove
from core.architecture.fit import fit
from core.architecture.spec import (
    Activation,
    Architecture,
    AvgPool,
    Composite,
    Conv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    LogSoftmax,
    MaxPool,
    Norm,
    Op,
    Residual,
    Shape,
    Softmax,
    op_words,
)
from core.architecture.trace import CLASSES, Trace

MAX_FLATTENS = 4  # tried at most, the nearest first: each try walks through the whole design


def ways_to_fit(architecture: Architecture, index: int, shape: Shape) -> Iterator[Remedy]:
    """What might make op `index` fit an input of that shape, the best first."""
    op, ops = architecture.ops[index], architecture.ops
    if len(shape) == 3 and isinstance(op, Linear):
        yield "Put GlobalAvgPool before it", insert(architecture, index, GlobalAvgPool())
    elif len(shape) == 3 and isinstance(op, LogSoftmax | Softmax):
        added: tuple[Op, ...] = (Flatten(),) if shape[1] == 1 else (GlobalAvgPool(), Flatten())
        yield f"Put {' and '.join(map(op_words, added))} before it", insert(architecture, index, *added)
    elif len(shape) != 3:
        for flatten in islice((i for i in range(index - 1, -1, -1) if isinstance(ops[i], Flatten)), MAX_FLATTENS):
            yield f"Take the Flatten at op {flatten} out", remove(architecture, flatten)
    else:
        yield from _smaller(architecture, index, shape)
    yield "Take it out", remove(architecture, index)


def _smaller(architecture: Architecture, index: int, shape: Shape) -> Iterator[Remedy]:
    """Another kernel, padding or number of groups for an op whose input is a map."""
    op, size = architecture.ops[index], shape[1]
    if isinstance(op, Conv):
        groups = gcd(shape[0], op.out_channels, op.groups)
        if groups != op.groups:
            yield f"Set groups to {groups}", put(architecture, index, replace(op, groups=groups))
        same = op.dilation * (op.kernel_size - 1) // 2
        if size >= op.kernel_size:  # only the dilation makes the window too large
            yield f"Set padding to {same}", put(architecture, index, replace(op, padding=same))
        yield (
            f"Set its kernel to {size} x {size}",
            put(architecture, index, replace(op, kernel_size=size, padding=0, dilation=1)),
        )
    elif isinstance(op, GroupNorm):
        groups = gcd(shape[0], op.num_groups)
        yield f"Set num_groups to {groups}", put(architecture, index, replace(op, num_groups=groups))
    elif isinstance(op, PReLU):
        yield "Set num_parameters to 1", put(architecture, index, replace(op, num_parameters=1))
    elif isinstance(op, Residual) and not op.shortcut:
        yield from _shortcut(architecture, index, op, shape)
    elif isinstance(op, MaxPool | AvgPool):
        if op.padding > op.kernel_size // 2:
            half = op.kernel_size // 2
            yield f"Set padding to {half}", put(architecture, index, replace(op, padding=half))
        if size > 1 and op.kernel_size > size:
            yield (
                f"Set its kernel to {size} x {size}",
                put(architecture, index, replace(op, kernel_size=size, stride=0)),
            )


def _shortcut(architecture: Architecture, index: int, op: Residual, shape: Shape) -> Iterator[Remedy]:
    """A 1 x 1 convolution as the shortcut of a residual whose body changes the number of channels, or the size."""
    body = fit(Architecture("body", op.body, (shape[0], shape[1], shape[1]))).trace
    if body is None or len(body.layers) < len(op.body) or len(body.output) != 3:
        return
    padded = tuple(
        replace(each, padding=each.dilation * (each.kernel_size - 1) // 2) if isinstance(each, Conv) else each
        for each in op.body
    )
    yield "Pad the convolutions of its body", put(architecture, index, replace(op, body=padded))
    projection = Conv(body.output[0], 1, stride=max(1, shape[1] // body.output[1]), bias=False)
    words = op_words(projection)
    yield f"Put {words} into its shortcut", put(architecture, index, replace(op, shortcut=(projection,)))
    both = replace(op, body=padded, shortcut=(replace(projection, stride=1),))
    yield f"Pad its body, and put {op_words(projection)} into its shortcut", put(architecture, index, both)


def ways_to_ten(walked: Trace) -> Iterator[Remedy]:
    """What might make the network end in ten outputs."""
    architecture, shape = walked.architecture, walked.output
    ops = architecture.ops
    end = len(ops) - isinstance(ops[-1], LogSoftmax | Softmax)
    last = next((layer for layer in reversed(walked.layers) if isinstance(layer.op, Conv | Linear)), None)
    if last and not any(isinstance(op, Activation | Norm | Composite) for op in ops[last.index + 1 :]):
        yield f"Set op {last.index} to {CLASSES} outputs", with_outputs(architecture, {last.index: CLASSES})
    added: list[Op] = []
    if len(shape) == 3:
        added += [GlobalAvgPool()] if shape[1] > 1 else []
        added += [Flatten()]
        if shape[0] == CLASSES:
            yield f"Add {_and(added)} at the end", insert(architecture, end, *added)
    added += [Linear(CLASSES)]
    yield f"Add {_and(added)} at the end", insert(architecture, end, *added)


def _and(ops: list[Op]) -> str:
    names = [op_words(op) for op in ops]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
