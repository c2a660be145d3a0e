"""Changes of a design that would let weights fit, worked out from the weights' own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.architecture.activations import PReLU
from core.architecture.difference import difference
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Conv,
    GhostBatchNorm,
    GroupNorm,
    InstanceNorm,
    Linear,
    Op,
    bodies,
    op_words,
    with_bodies,
)
from core.architecture.trace import trace
from core.errors import LabError
from core.importing.match import Match, match
from core.importing.tensors import Tensors
from core.importing.unit import Unit, our_units, their_units
from core.training.network import build

GROUPS = (1, 2, 4, 8)  # of a group norm: the weights do not say how many


@dataclass(frozen=True)
class Offer:
    """A changed design that the weights fit, and its changes in words."""

    architecture: Architecture
    changes: tuple[str, ...]
    match: Match


def offers(tensors: Tensors, architecture: Architecture) -> tuple[Offer, ...]:
    """The designs that differ in fields only and that the weights fit; none where the modules are not as many."""
    ours, theirs = our_units(build(architecture)), their_units(tensors.named)
    pairs = dict[str, Unit]()
    for kind in ("layer", "norm", "prelu"):
        a, b = ([unit for unit in side if unit.kind == kind] for side in (theirs, ours))
        if len(a) != len(b):
            return ()
        for given, here in zip(a, b, strict=True):
            pairs.setdefault(here.op_path, given)
    found = list[Offer]()
    for norm in _norms(pairs):
        changed = replace(architecture, ops=_changed(architecture.ops, "", pairs, norm))
        try:
            fitting = match(tensors, changed)
        except LabError:
            continue
        if fitting.complete and changed.ops != architecture.ops:
            changed = replace(changed, name=f"{architecture.name[:80]}, changed")
            found.append(Offer(changed, _words(architecture, changed), fitting))
    return tuple({each.architecture.ops: each for each in found}.values())


def _norms(pairs: Mapping[str, Unit]) -> list[Op | None]:
    """What a norm without running figures may be."""
    bare = [unit for unit in pairs.values() if unit.kind == "norm" and "running_mean" not in unit.parts]
    if not bare:
        return [None]
    return [*(GroupNorm(groups) for groups in GROUPS), InstanceNorm(affine=True)]


def _changed(ops: tuple[Op, ...], path: str, pairs: Mapping[str, Unit], norm: Op | None) -> tuple[Op, ...]:
    found = []
    for index, op in enumerate(ops):
        here = f"{path}{index}"
        names = ("body", "shortcut")
        inner = tuple(
            _changed(body, f"{here}.{name}.", pairs, norm) for name, body in zip(names, bodies(op), strict=False)
        )
        op = with_bodies(op, inner) if inner else op
        found.append(_fitted(op, pairs[here], norm) if here in pairs else op)
    return tuple(found)


def _fitted(op: Op, unit: Unit, norm: Op | None) -> Op:
    """The op with the sizes of the weights that stand in its place."""
    weight, bias = unit.parts.get("weight"), "bias" in unit.parts
    match op:
        case Conv() if weight is not None:
            kernel = weight.shape[2] if weight.dim() == 4 else 1
            same = op.padding == op.dilation * (op.kernel_size - 1) // 2
            padding = op.dilation * (kernel - 1) // 2 if same and kernel != op.kernel_size else op.padding
            return replace(op, out_channels=weight.shape[0], kernel_size=kernel, padding=padding, bias=bias)
        case Linear() if weight is not None:
            return replace(op, out_features=weight.shape[0], bias=bias)
        case PReLU() if weight is not None:
            return replace(op, num_parameters=weight.numel())
        case BatchNorm() | GhostBatchNorm() if "running_mean" not in unit.parts:
            return norm or op
        case BatchNorm():
            return replace(op, affine=weight is not None)
        case GroupNorm() | InstanceNorm() if "running_mean" in unit.parts:
            return BatchNorm(affine=weight is not None)
        case GroupNorm() | InstanceNorm():
            return replace(op, affine=weight is not None)
        case _:
            return op


def _words(before: Architecture, after: Architecture) -> tuple[str, ...]:
    rows = [row for row in difference(before, after) if row.kind == "changed" and row.before and row.after]
    told = [
        f"op {row.before.path}: {op_words(row.before.op)} becomes {op_words(row.after.op)}"
        for row in rows
        if row.before and row.after
    ]
    return tuple(told) or (f"{len(trace(after).layers)} ops, with changes in bodies",)
