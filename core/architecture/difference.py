"""Two architectures side by side, op by op: what was added, removed or changed, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from core.architecture.fit import fit
from core.architecture.spec import Architecture, Op
from core.architecture.trace import Layer

ChangeKind = Literal["same", "changed", "added", "removed"]


@dataclass(frozen=True)
class PlacedOp:
    """An op where it stands in one of the two; without a layer where the network does not fit so far."""

    index: int
    op: Op
    layer: Layer | None


@dataclass(frozen=True)
class Change:
    """One row: what stood before, and what stands now. An op that stayed may cost another number than it did."""

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
        """After less before; None where a side that has the op does not fit so far."""
        sides = [
            _known(side, side.layer.parameters if side and side.layer else 0) for side in (self.before, self.after)
        ]
        return None if sides[0] is None or sides[1] is None else sides[1] - sides[0]

    @property
    def macs(self) -> int | None:
        """As `parameters`, of the multiply-adds for one image."""
        sides = [_known(side, side.layer.macs if side and side.layer else 0) for side in (self.before, self.after)]
        return None if sides[0] is None or sides[1] is None else sides[1] - sides[0]

    @property
    def field(self) -> int | None:
        """How many input pixels more a unit sees after the op than it did; None unless it stands in both and fits."""
        if not (self.before and self.after and self.before.layer and self.after.layer):
            return None
        return self.after.layer.field.size - self.before.layer.field.size


def difference(before: Architecture, after: Architecture) -> tuple[Change, ...]:
    """The rows from top to bottom. Equal ops are matched in order; of what lies between, ops of one kind are paired."""
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
    """The rows of a stretch in which no op is equal: matched in order by the kind of op."""
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


def _known(side: PlacedOp | None, value: int) -> int | None:
    return None if side is not None and side.layer is None else value
