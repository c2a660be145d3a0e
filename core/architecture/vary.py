"""Simple variations of an architecture: wider or narrower, another dropout, with or without batch norm.

The ops in bodies are varied as all others. Where channels must agree, as after a concatenation, the varied network may
not fit: `trace` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from math import lcm
from types import UnionType

from core.architecture.activations import PReLU
from core.architecture.fit import fit
from core.architecture.spec import (
    Activation,
    Architecture,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    GroupNorm,
    Linear,
    Norm,
    Op,
    SqueezeExcite,
    bodies,
    every_op,
    map_ops,
    with_bodies,
)
from core.words import plural


def vary(
    architecture: Architecture, width: float = 1.0, dropout: float | None = None, batch_norm: bool | None = None
) -> Architecture:
    """The architecture with its channels times `width`, and with that dropout and batch norm; None changes nothing.

    The last layer keeps its ten outputs. In a network without dropout, dropout is added after each activation (without
    activations after each norm, else after each convolution but the last). Batch norm is added after each convolution
    but the last.
    """
    ops = architecture.ops
    if width != 1.0:
        ops = _widened(architecture, width)
    if batch_norm is not None and batch_norm != has(architecture, BatchNorm):
        ops = _after(ops, Conv, BatchNorm(), not_last=True) if batch_norm else _without(ops, BatchNorm)
    if dropout == 0:
        ops = _without(ops, Dropout | Dropout2d)
    elif dropout is not None and any(isinstance(op, Dropout | Dropout2d) for op in every_op(ops)):
        ops = map_ops(ops, lambda op: replace(op, p=dropout) if isinstance(op, Dropout | Dropout2d) else op)
    elif dropout is not None:
        kind = next((kind for kind in (Activation, Norm) if any(isinstance(op, kind) for op in every_op(ops))), Conv)
        ops = _after(ops, kind, Dropout(dropout), not_last=kind is Conv)
    return architecture if ops == architecture.ops else replace(architecture, ops=ops)


def has(architecture: Architecture, kind: type[Op]) -> bool:
    """Whether the architecture has an op of that kind, also in a body."""
    return any(isinstance(op, kind) for op in every_op(architecture.ops))


def dropout_of(architecture: Architecture) -> float:
    """The probability of the first dropout; 0 without dropout."""
    return next((op.p for op in every_op(architecture.ops) if isinstance(op, Dropout | Dropout2d)), 0.0)


def changes(before: Architecture, after: Architecture) -> list[str]:
    """What `vary` changed, in words."""
    told = []
    first, second = (_first_conv(each) for each in (before, after))
    if first and second and first.out_channels != second.out_channels:
        told.append(f"{plural(second.out_channels, 'channel')} in the first layer, not {first.out_channels}")
    if dropout_of(before) != dropout_of(after):
        told.append(f"dropout {dropout_of(after):g}, not {dropout_of(before):g}")
    if has(before, BatchNorm) != has(after, BatchNorm):
        told.append("with batch norm" if has(after, BatchNorm) else "without batch norm")
    return told


def _first_conv(architecture: Architecture) -> Conv | None:
    return next((op for op in every_op(architecture.ops) if isinstance(op, Conv)), None)


def _widened(architecture: Architecture, width: float) -> tuple[Op, ...]:
    """The ops with their channels times `width`, as multiples of what the groups after them need.

    A depthwise convolution keeps a group for each channel. Where that does not fit, as different groups stand on two
    sides of a skip connection, all channels are multiples of the same number: equal ones stay equal. Where that does
    not fit either, every convolution keeps its number of groups.
    """
    every = list(every_op(architecture.ops))
    weighted = [index for index, op in enumerate(every) if isinstance(op, Conv | Linear)]
    depthwise = {index: before for before, index in pairwise(weighted) if _is_depthwise(every[before], every[index])}
    groups = [op.groups if isinstance(op, Conv) else op.num_groups if isinstance(op, GroupNorm) else 1 for op in every]
    needs = [1 if index in depthwise else each for index, each in enumerate(groups)]
    units = {index: lcm(needs[index], *needs[index + 1 : _until_next(every, index)]) for index in weighted}
    for index in reversed(depthwise):
        units[depthwise[index]] = lcm(units[depthwise[index]], units[index])
    for index, before in depthwise.items():
        units[index] = units[before]
    alike = (dict.fromkeys(weighted, lcm(*needs)), depthwise)
    without = (dict.fromkeys(weighted, lcm(*groups)), ())
    widened = architecture.ops
    for needed, kept in ((units, depthwise), alike, without):
        widened = _scaled(architecture.ops, width, needed, kept)
        if not fit(replace(architecture, ops=widened)).error or fit(architecture).error:
            break
    return widened


def _is_depthwise(before: Op, op: Op) -> bool:
    """Whether a convolution has a group for each channel of the one before it."""
    if not isinstance(op, Conv) or not isinstance(before, Conv):
        return False
    return before.out_channels == op.out_channels == op.groups > 1


def _until_next(ops: list[Op], index: int) -> int:
    """One more than the index of the next convolution."""
    return next((later + 1 for later in range(index + 1, len(ops)) if isinstance(ops[later], Conv)), len(ops))


def _scaled(ops: tuple[Op, ...], width: float, units: dict[int, int], depthwise: Collection[int]) -> tuple[Op, ...]:
    """The ops with other channels. `units`: what the channels of each layer, by its index among all, must divide by."""

    def times(channels: int, unit: int) -> int:
        return unit * max(1, round(channels * width / unit))

    channels: dict[int, int] = {}
    for index, op in enumerate(every_op(ops)):
        match op:
            case Conv(out_channels=out) if index != max(units, default=-1):
                channels[index] = times(out, units[index])
            case Linear(out_features=out) if index != max(units, default=-1):
                channels[index] = times(out, 1)
            case SqueezeExcite(squeeze):
                channels[index] = times(squeeze, 1)
    return with_channels(ops, channels, {index: channels[index] for index in depthwise if index in channels})


def with_channels(
    ops: tuple[Op, ...], channels: Mapping[int, int], groups: Mapping[int, int] | None = None
) -> tuple[Op, ...]:
    """The ops with other output channels, and groups of convolutions, by the layers' indices among all ops.

    A PReLU with a slope for each channel follows the convolution before it.
    """
    indices = iter(range(len(list(every_op(ops)))))

    def inside(ops: tuple[Op, ...]) -> tuple[Op, ...]:
        found: list[Op] = []
        for op in ops:
            index = next(indices)
            inner = with_bodies(op, tuple(inside(body) for body in bodies(op)))
            match inner:
                case Conv(out_channels=out):
                    inner = replace(
                        inner,
                        out_channels=channels.get(index, out),
                        groups=(groups or {}).get(index, inner.groups),
                    )
                case Linear(out):
                    inner = replace(inner, out_features=channels.get(index, out))
                case SqueezeExcite(squeeze):
                    inner = SqueezeExcite(channels.get(index, squeeze))
                case PReLU(count) if count > 1:
                    before = next((each.out_channels for each in reversed(found) if isinstance(each, Conv)), count)
                    inner = replace(inner, num_parameters=before)
            found.append(inner)
        return tuple(found)

    return inside(ops)


def _without(ops: tuple[Op, ...], kind: type[Op] | UnionType) -> tuple[Op, ...]:
    """The ops without those of that kind; an op whose bodies had nothing else goes with them."""
    kept = []
    for op in ops:
        inner = with_bodies(op, tuple(_without(body, kind) for body in bodies(op)))
        emptied = bodies(op) and not bodies(inner)[0] and bodies(op)[0]
        if not isinstance(op, kind) and not emptied:
            kept.append(inner)
    return tuple(kept)


def _after(ops: tuple[Op, ...], kind: type[Op] | UnionType, added: Op, not_last: bool = False) -> tuple[Op, ...]:
    left = sum(isinstance(op, kind) for op in every_op(ops)) - not_last
    counted = iter(range(left))

    def inside(ops: tuple[Op, ...]) -> tuple[Op, ...]:
        found: list[Op] = []
        for op in ops:
            found.append(with_bodies(op, tuple(inside(body) for body in bodies(op))))
            if isinstance(op, kind) and next(counted, None) is not None:
                found.append(added)
        return tuple(found)

    return inside(ops)
