"""Simple variations of an architecture: wider or narrower, another dropout, with or without batch norm.

The ops in bodies are varied as all others. Channels that must agree, as on two sides of a skip connection, stay equal.
"""

from __future__ import annotations

from dataclasses import replace
from types import UnionType

from core.architecture.spec import (
    Activation,
    Architecture,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    Norm,
    Op,
    bodies,
    every_op,
    map_ops,
    with_bodies,
)
from core.architecture.widths import wider
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
        ops = wider(architecture, width).ops
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
