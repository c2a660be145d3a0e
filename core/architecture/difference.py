"""Two architectures compared op by op, also in bodies: what was added, removed, changed or moved, and its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from core.architecture.rows import Row, rows
from core.architecture.spec import Architecture, Op, bodies, with_bodies
from core.architecture.trace import Layer

ChangeKind = Literal["same", "changed", "moved", "added", "removed"]


@dataclass(frozen=True)
class Change:
    """One row: the op before and the op after. An op that is the same may still have another cost.

    The ops of a body have rows of their own. So an op with a body is the same if only its body changed, and costs only
    what its body's rows do not show: the further times of a repeat.
    """

    before: Row | None
    after: Row | None

    @property
    def kind(self) -> ChangeKind:
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        if without_bodies(self.before.op) != without_bodies(self.after.op):
            return "changed"
        return "same" if self.before.place[1::2] == self.after.place[1::2] else "moved"  # into a body or out of one

    @property
    def parameters(self) -> int | None:
        """After minus before; None if the network does not fit up to the op."""
        return self._added(lambda layer: layer.parameters)

    @property
    def macs(self) -> int | None:
        """The same for the multiply-adds of one image."""
        return self._added(lambda layer: layer.macs)

    def _added(self, cost: Callable[[Layer], int]) -> int | None:
        costs = [
            sign * _own(side.layer, cost) if side.layer else None
            for sign, side in ((-1, self.before), (1, self.after))
            if side
        ]
        return None if None in costs else sum(each for each in costs if each is not None)

    @property
    def field(self) -> int | None:
        """How many more input pixels a unit sees after the op than before the change; None unless both sides fit."""
        if not (self.before and self.after and self.before.layer and self.after.layer):
            return None
        return self.after.layer.field.size - self.before.layer.field.size


def difference(before: Architecture, after: Architecture) -> tuple[Change, ...]:
    """The rows from top to bottom. Equal ops are matched in order; between them, ops of the same kind are paired."""
    old, new = rows(before), rows(after)
    found: list[Change] = []
    ops, others = ([without_bodies(each.op) for each in side] for side in (old, new))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, ops, others, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Change(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
        else:
            found += _paired(old[i1:i2], new[j1:j2])
    return tuple(found)


def without_bodies(op: Op) -> Op:
    """The op alone: what is left of it when the ops in its bodies are rows of their own."""
    return with_bodies(op, ((),) * len(bodies(op)))


def _own(layer: Layer, cost: Callable[[Layer], int]) -> int:
    """The layer's cost without that of the ops in its bodies, each of which has a row for the first time it runs."""
    shown = layer.branches[: len(bodies(layer.op))]
    return cost(layer) - sum(cost(each) for branch in shown for each in branch)


def _paired(old: tuple[Row, ...], new: tuple[Row, ...]) -> list[Change]:
    """The rows of a part without equal ops, paired in order by the kind of op."""
    found: list[Change] = []
    kinds = SequenceMatcher(None, [type(each.op) for each in old], [type(each.op) for each in new], autojunk=False)
    for tag, i1, i2, j1, j2 in kinds.get_opcodes():
        if tag == "equal":
            found += [Change(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
        else:
            found += [*(Change(each, None) for each in old[i1:i2]), *(Change(None, each) for each in new[j1:j2])]
    return found
