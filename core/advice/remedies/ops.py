"""Ops replaced, taken out and listed: what the remedies are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import lcm

from core.architecture.edit import with_ops
from core.architecture.fit import fit
from core.architecture.spec import MAX_CHANNELS, Activation, Architecture, Conv, Dropout, Dropout2d, Linear, Norm, Op
from core.architecture.trace import Trace

UNAFFORDABLE = 10**12  # parameters
Remedy = tuple[str, Architecture]  # the label of a button, and the changed design
Pointwise = Norm | Activation | Dropout | Dropout2d  # ops on single values; they belong to the layer before them


def without(architecture: Architecture, indices: Iterable[int]) -> Architecture:
    """The architecture without those ops."""
    gone = set(indices)
    return replace(architecture, ops=tuple(op for index, op in enumerate(architecture.ops) if index not in gone))


def with_outputs(architecture: Architecture, counts: Mapping[int, int]) -> Architecture:
    """The architecture with other numbers of outputs (channels or features) at those indices.

    Groups must divide the channels, so near a grouped convolution the number is rounded up.
    """
    changed: dict[int, Op] = {}
    for index, count in counts.items():
        op = architecture.ops[index]
        if isinstance(op, Conv):
            unit = lcm(op.groups, _groups_behind(architecture, index))
            changed[index] = replace(op, out_channels=min(MAX_CHANNELS, unit * -(-count // unit)))
        elif isinstance(op, Linear):
            changed[index] = replace(op, out_features=count)
    return with_ops(architecture, changed)


def _groups_behind(architecture: Architecture, index: int) -> int:
    return next((op.groups for op in architecture.ops[index + 1 :] if isinstance(op, Conv)), 1)


def taken_out(walked: Trace, indices: Iterable[int]) -> Iterator[Remedy]:
    """One remedy: those ops taken out."""
    gone = sorted(indices)
    yield f"Take {listed(gone)} out", without(walked.architecture, gone)


def listed(indices: Iterable[int]) -> str:
    """`op 3`, `ops 3 and 7`, `ops 3, 7 and 9`."""
    numbers = [str(index) for index in indices]
    if len(numbers) == 1:
        return f"op {numbers[0]}"
    return f"ops {', '.join(numbers[:-1])} and {numbers[-1]}"


def without_blocks(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """Those ops taken out with the batch norm, ReLU and dropout after each: all of them, or only the last."""
    ops = walked.architecture.ops
    for dropped in ([*indices], indices[-1:]) if len(indices) > 1 else (indices,):
        gone = {after for index in dropped for after in range(index, block_end(ops, index) + 1)}
        label = f"Take {listed(sorted(gone))} out" if len(gone) < 4 else f"Take {len(gone)} ops out"
        yield label, without(walked.architecture, gone)


def block_end(ops: tuple[Op, ...], index: int) -> int:
    """The index of the last norm, activation or dropout that follows op `index`; `index` if none does."""
    while index + 1 < len(ops) and isinstance(ops[index + 1], Pointwise):
        index += 1
    return index


def outputs_of(op: Op) -> int:
    """The op's output channels or features; 0 for an op that does not set them."""
    return op.out_channels if isinstance(op, Conv) else op.out_features if isinstance(op, Linear) else 0


def parameters_of(architecture: Architecture) -> int:
    """The number of parameters; more than any budget for a network that does not fit."""
    found = fit(architecture)
    return found.trace.parameters if found.trace and not found.error else UNAFFORDABLE
