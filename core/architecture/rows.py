"""The ops of an architecture as a flat list of rows, each op followed by those of its bodies: for lists and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from core.architecture.fit import fit
from core.architecture.place import BODIES, Place, path_of
from core.architecture.spec import Architecture, Op, bodies
from core.architecture.trace import Layer


@dataclass(frozen=True)
class Row:
    """An op and its place. Its layer is that of the first time it runs; None if the network does not fit up to there.

    Inside an op that does not fit, the layers of a body that fits have their numbers, but not the names of their place.
    """

    place: Place
    op: Op
    layer: Layer | None

    @property
    def depth(self) -> int:
        """0 for an op of the network itself, 1 in its bodies."""
        return len(self.place) // 2

    @property
    def path(self) -> str:
        """torch's name of its module: `3.body.1`."""
        return path_of(self.place)

    @property
    def body(self) -> str:
        """What it stands in: `body` or `shortcut`; empty for the network itself."""
        return BODIES[self.place[-2]] if self.depth else ""


@lru_cache(maxsize=256)
def rows(architecture: Architecture) -> tuple[Row, ...]:
    """The rows from top to bottom. In an op that does not fit, the ops are traced as if they stood in its place."""
    found = fit(architecture)
    layers = found.trace.layers if found.trace else ()
    listed: list[Row] = []
    for index, op in enumerate(architecture.ops):
        if index < len(layers):
            listed += _fitting((index,), layers[index])
        elif index == found.broken and bodies(op):
            listed += [Row((index,), op, None), *_inside_broken(architecture, index)]
        else:
            listed += _bare((index,), op)
    return tuple(listed)


def _fitting(place: Place, layer: Layer) -> list[Row]:
    inner = [
        row
        for number, branch in enumerate(layer.branches[: len(bodies(layer.op))])  # of Repeat, the first time
        for each in branch
        for row in _fitting((*place, number, each.index), each)
    ]
    return [Row(place, layer.op, layer), *inner]


def _bare(place: Place, op: Op) -> list[Row]:
    inner = [
        row
        for number, body in enumerate(bodies(op))
        for index, each in enumerate(body)
        for row in _bare((*place, number, index), each)
    ]
    return [Row(place, op, None), *inner]


def _inside_broken(architecture: Architecture, index: int) -> list[Row]:
    """The rows in the bodies of an op that does not fit: each body walked as if its ops stood in the op's place."""
    listed = []
    for number, body in enumerate(bodies(architecture.ops[index])):
        instead = rows(replace(architecture, ops=(*architecture.ops[:index], *body)))
        listed += [
            Row((index, number, first - index, *rest), row.op, row.layer)
            for row in instead
            for first, *rest in [row.place]
            if first >= index
        ]
    return listed
