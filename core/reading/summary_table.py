"""A table that torchsummary or torchinfo printed, compared line by line with a design."""

from __future__ import annotations

from dataclasses import dataclass

from core.architecture.trace import Trace
from core.errors import SpecError


@dataclass(frozen=True)
class TableRow:
    """One line of the table."""

    line: int  # of the pasted text, from 1
    name: str  # as printed: Conv2d-1
    kind: str  # torch's class: Conv2d
    output: tuple[int, ...]  # without the batch
    parameters: int  # 0 where the table prints none


@dataclass(frozen=True)
class OurRow:
    """One op of the design, as torch's table would have it."""

    path: str  # as `Layer.path`
    kind: str
    output: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Compared:
    """One line of the comparison; theirs or ours is None where the other has a line more."""

    theirs: TableRow | None
    ours: OurRow | None
    same: bool  # kind, shape and parameters
    difference: str  # what differs, in words; empty where nothing does


@dataclass(frozen=True)
class TableComparison:
    """The table beside the design."""

    rows: tuple[Compared, ...]
    their_total: int | None  # as the table prints it; None if it prints none
    our_total: int

    @property
    def same(self) -> bool:
        return all(row.same for row in self.rows) and self.their_total in (None, self.our_total)


def read_table(text: str) -> tuple[TableRow, ...]:
    """The rows of a pasted table. Raises SpecError where there is no row in it."""
    raise SpecError("tables are not read yet")


def compare_table(text: str, design: Trace) -> TableComparison:
    """The table line by line beside the design. Raises SpecError where there is no row in it."""
    raise SpecError("tables are not read yet")
