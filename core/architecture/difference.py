"""Two architectures compared op by op: what was added, removed or changed, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from core.architecture.fit import fit
from core.architecture.spec import Architecture, Op
from core.architecture.trace import Layer

ChangeKind = Literal["same", "changed", "added", "removed"]


@dataclass(frozen=True)
class PlacedOp:
    """An op and its index in one of the two; without a layer if the network does not fit up to there."""

    index: int
    op: Op
    layer: Layer | None


@dataclass(frozen=True)
class Change:
    """One row: the op before and the op after. An op that is the same may still have another cost."""

    before: PlacedOp | None
    after: PlacedOp | None

    @property
    def kind(self) -> ChangeKind:
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "same" if self.before.op == self.after.op else "changed"

    @property
    def parameters(self) -> int | None:
        """After minus before; None if the network does not fit up to the op."""
        return self._added(lambda layer: layer.parameters)

    @property
    def macs(self) -> int | None:
        """The same for the multiply-adds of one image."""
        return self._added(lambda layer: layer.macs)

    def _added(self, cost: Callable[[Layer], int]) -> int | None:
        sides = [side for side in (self.before, self.after) if side]
        if any(side.layer is None for side in sides):
            return None
        return sum((1 if side is self.after else -1) * cost(side.layer) for side in sides if side.layer)

    @property
    def field(self) -> int | None:
        """How many more input pixels a unit sees after the op than before the change; None unless both sides fit."""
        if not (self.before and self.after and self.before.layer and self.after.layer):
            return None
        return self.after.layer.field.size - self.before.layer.field.size


def difference(before: Architecture, after: Architecture) -> tuple[Change, ...]:
    """The rows from top to bottom. Equal ops are matched in order; between them, ops of the same kind are paired."""
    old, new = _places(before), _places(after)
    rows: list[Change] = []
    matcher = SequenceMatcher(None, before.ops, after.ops, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            rows += [Change(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
        else:
            rows += _paired(old[i1:i2], new[j1:j2])
    return tuple(rows)


def _paired(old: list[PlacedOp], new: list[PlacedOp]) -> list[Change]:
    """The rows of a part without equal ops, paired in order by the kind of op."""
    rows: list[Change] = []
    kinds = SequenceMatcher(None, [type(each.op) for each in old], [type(each.op) for each in new], autojunk=False)
    for tag, i1, i2, j1, j2 in kinds.get_opcodes():
        if tag == "equal":
            rows += [Change(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
        else:
            rows += [*(Change(each, None) for each in old[i1:i2]), *(Change(None, each) for each in new[j1:j2])]
    return rows


def _places(architecture: Architecture) -> list[PlacedOp]:
    walked = fit(architecture).trace
    layers = walked.layers if walked else ()
    return [
        PlacedOp(index, op, layers[index] if index < len(layers) else None) for index, op in enumerate(architecture.ops)
    ]
