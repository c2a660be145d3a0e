"""Simple variations of an architecture: wider or narrower, another dropout, with or without batch norm."""

from __future__ import annotations

from dataclasses import replace
from math import lcm

from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Linear, Op, ReLU
from core.words import plural


def vary(
    architecture: Architecture, width: float = 1.0, dropout: float | None = None, batch_norm: bool | None = None
) -> Architecture:
    """The architecture with its channels times `width`, and with that dropout and batch norm; None changes nothing.

    The last layer keeps its ten outputs. In a network without dropout, dropout is added after each activation (without
    activations after each batch norm, else after each convolution but the last). Batch norm is added after each
    convolution but the last.
    """
    ops = architecture.ops
    if width != 1.0:
        ops = _widened(ops, width)
    if batch_norm is not None and batch_norm != has(architecture, BatchNorm):
        ops = _after(ops, Conv, BatchNorm(), not_last=True) if batch_norm else _without(ops, BatchNorm)
    if dropout == 0:
        ops = _without(ops, Dropout)
    elif dropout is not None and has(architecture, Dropout):
        ops = tuple(Dropout(dropout) if isinstance(op, Dropout) else op for op in ops)
    elif dropout is not None:
        kind = next((kind for kind in (ReLU, BatchNorm) if any(isinstance(op, kind) for op in ops)), Conv)
        ops = _after(ops, kind, Dropout(dropout), not_last=kind is Conv)
    return architecture if ops == architecture.ops else replace(architecture, ops=ops)


def has(architecture: Architecture, kind: type[Op]) -> bool:
    """Whether the architecture has an op of that kind."""
    return any(isinstance(op, kind) for op in architecture.ops)


def dropout_of(architecture: Architecture) -> float:
    """The probability of the first dropout; 0 without dropout."""
    return next((op.p for op in architecture.ops if isinstance(op, Dropout)), 0.0)


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
    return next((op for op in architecture.ops if isinstance(op, Conv)), None)


def _widened(ops: tuple[Op, ...], width: float) -> tuple[Op, ...]:
    last = max((i for i, op in enumerate(ops) if isinstance(op, Conv | Linear)), default=-1)
    widened: list[Op] = []
    for index, op in enumerate(ops):
        if isinstance(op, Conv) and index != last:
            following = next((later.groups for later in ops[index + 1 :] if isinstance(later, Conv)), 1)
            unit = lcm(op.groups, following)  # what the channels must be a multiple of
            widened.append(replace(op, out_channels=unit * max(1, round(op.out_channels * width / unit))))
        elif isinstance(op, Linear) and index != last:
            widened.append(replace(op, out_features=max(1, round(op.out_features * width))))
        else:
            widened.append(op)
    return tuple(widened)


def _without(ops: tuple[Op, ...], kind: type[Op]) -> tuple[Op, ...]:
    return tuple(op for op in ops if not isinstance(op, kind))


def _after(ops: tuple[Op, ...], kind: type[Op], added: Op, not_last: bool = False) -> tuple[Op, ...]:
    places = [index for index, op in enumerate(ops) if isinstance(op, kind)]
    places = places[:-1] if not_last else places
    return tuple(each for index, op in enumerate(ops) for each in ((op, added) if index in places else (op,)))
