"""Which layers of a network have to have the same number of channels, so that each width can vary by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import lcm

from core.architecture.activations import PReLU
from core.architecture.fit import fit
from core.architecture.spec import (
    Architecture,
    Concatenate,
    Conv,
    GroupNorm,
    Linear,
    Op,
    Repeat,
    Residual,
    SqueezeExcite,
    bodies,
    every_op,
    map_ops,
    with_bodies,
)

IMAGE = -1  # stands for the image's own channels


@dataclass(frozen=True)
class Width:
    """Layers that have the same number of channels, by their indices among all ops."""

    layers: tuple[int, ...]
    depthwise: tuple[int, ...]  # those of them that have as many groups as channels
    channels: int
    unit: int  # groups in the network need multiples of it

    def times(self, factor: float) -> int:
        """The nearest number of channels to that many times as many; a group has at least one channel."""
        return self.unit * max(1, round(self.channels * factor / self.unit))


@lru_cache(maxsize=64)
def widths_of(architecture: Architecture) -> tuple[Width, ...]:
    """The widths that can vary, from the input on. The last layer's ten outputs cannot."""
    ops = list(every_op(architecture.ops))
    walk = _Walk(ops, [IMAGE, *range(len(ops))])
    ending = walk.through(architecture.ops, (IMAGE,), iter(range(len(ops))))
    fixed = {walk.root(each) for each in (IMAGE, *ending)}
    roots = dict.fromkeys(walk.root(index) for index, op in enumerate(ops) if isinstance(op, Conv | Linear))
    found = []
    for root in roots:
        layers = tuple(
            index for index, op in enumerate(ops) if isinstance(op, Conv | Linear) and walk.root(index) == root
        )
        unit = lcm(*(walk.units.get(layer, 1) for layer in layers))
        width = Width(layers, tuple(set(layers) & walk.depthwise), walk.channels(layers[0]), unit)
        if root not in fixed and width.channels % unit == 0:
            found.append(width)
    others = {width: width.channels + width.unit * (1 + number % 3) for number, width in enumerate(found)}
    # What does not fit as it is says nothing about its widths. Most networks fit with all of them changed at once.
    if fit(architecture).error or not fit(with_widths(architecture, others)).error:
        return tuple(found)
    return tuple(width for width in found if _can_vary(architecture, width))


def _can_vary(architecture: Architecture, width: Width) -> bool:
    """Whether another number of channels fits."""
    other = width.channels - width.unit or width.channels + width.unit
    return not fit(with_widths(architecture, {width: other})).error


def with_widths(architecture: Architecture, channels: Mapping[Width, int]) -> Architecture:
    """The network with other widths."""
    by_layer = {layer: count for width, count in channels.items() for layer in width.layers}
    groups = {layer: count for width, count in channels.items() for layer in width.depthwise}
    return replace(architecture, ops=_with_channels(architecture.ops, by_layer, groups))


def wider(architecture: Architecture, factor: float) -> Architecture:
    """The network with all its widths times `factor`, squeezes included; a width that cannot vary stays."""
    changed = with_widths(architecture, {width: width.times(factor) for width in widths_of(architecture)})
    return replace(changed, ops=map_ops(changed.ops, lambda op: _squeezed(op, factor)))


def _squeezed(op: Op, factor: float) -> Op:
    return SqueezeExcite(max(1, round(op.squeeze_channels * factor))) if isinstance(op, SqueezeExcite) else op


@dataclass
class _Walk:
    """Goes through the ops with the layers that the channels come from; guards which of those belong together."""

    ops: Sequence[Op]  # all of them
    parents: list[int]  # of each layer, after the image's; a root is its own
    units: dict[int, int] = field(default_factory=dict)
    depthwise: set[int] = field(default_factory=set)

    def root(self, layer: int) -> int:
        while (parent := self.parents[layer + 1]) != layer:
            layer = parent
        return layer

    def unite(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self.parents[second + 1] = first

    def channels(self, layer: int) -> int:
        op = self.ops[layer]
        return op.out_channels if isinstance(op, Conv) else op.out_features if isinstance(op, Linear) else 1

    def need(self, layers: Sequence[int], unit: int) -> None:
        for layer in layers:
            self.units[layer] = lcm(self.units.get(layer, 1), unit)

    def through(self, ops: Sequence[Op], coming: tuple[int, ...], indices: Iterator[int]) -> tuple[int, ...]:
        """The layers whose channels leave the ops, in the order of the channels."""
        for op in ops:
            index = next(indices)
            match op:
                case Conv(groups=groups):
                    before = coming
                    coming = (index,)
                    if groups > 1:
                        if len(before) == 1 and self.channels(before[0]) == groups == op.out_channels:
                            self.depthwise.add(index)
                            self.unite(before[0], index)
                        else:
                            self.need((*before, index), groups)
                case Linear():
                    coming = (index,)
                case GroupNorm(num_groups=groups):
                    self.need(coming, groups)
                case Residual(body, shortcut):
                    one = self.through(body, coming, indices)
                    coming = self._same(one, self.through(shortcut, coming, indices))
                case Concatenate(body, shortcut):
                    one = self.through(body, coming, indices)
                    coming = (*self.through(shortcut, coming, indices), *one)
                case Repeat(body):
                    coming = self._same(self.through(body, coming, indices), coming)
        return coming

    def _same(self, one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
        """The channels of two branches that are added, which must be as many."""
        if [*map(self.channels, one)] == [*map(self.channels, other)]:
            for first, second in zip(one, other, strict=True):
                self.unite(first, second)
        else:
            for each in (*one, *other):
                self.unite(IMAGE, each)
        return one


def _with_channels(ops: tuple[Op, ...], channels: Mapping[int, int], groups: Mapping[int, int]) -> tuple[Op, ...]:
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
                        inner, out_channels=channels.get(index, out), groups=groups.get(index, inner.groups)
                    )
                case Linear(out):
                    inner = replace(inner, out_features=channels.get(index, out))
                case PReLU(count) if count > 1:
                    before = next((each.out_channels for each in reversed(found) if isinstance(each, Conv)), count)
                    inner = replace(inner, num_parameters=before)
            found.append(inner)
        return tuple(found)

    return inside(ops)
