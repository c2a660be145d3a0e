"""What a reader found in someone's code: networks, where each op stands, and what was not understood."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from core.architecture.spec import Architecture, Op


@dataclass(frozen=True)
class Problem:
    """Something that was not understood, and was left out or read as the message says."""

    line: int  # of `CodeRead.code`, from 1; 0 where it is about no line
    source: str  # what stands there, at most 120 characters
    message: str  # one sentence
    instead: str = ""  # what to write instead, one sentence; empty where the lab cannot say it


@dataclass(frozen=True)
class Note:
    """Something that was read, and is worth telling."""

    line: int
    message: str


@dataclass(frozen=True)
class ReadOp:
    """One op of the architecture and where it came from."""

    path: str  # the same as `Layer.path` of the trace: `3`, or `3.body.0`
    op: Op
    line: int  # where the module is made, or where the function is called
    modules: tuple[str, ...] = ()
    # torch's paths, such as `convblock1.0`; empty for a function such as F.relu. A norm in a Repeat has one for each
    # time, a SqueezeExcite has its two layers.


@dataclass(frozen=True)
class Unused:
    """A module that the class makes and forward never calls: it is not in the architecture."""

    module: str  # torch's path
    kind: str  # torch's class, such as Conv2d
    line: int
    parameters: int | None  # None where the lab cannot count them


@dataclass(frozen=True)
class Network:
    """One class, or one nn.Sequential, that was read as a network."""

    name: str  # of the class or the variable
    line: int
    architecture: Architecture | None  # what could be read; None if nothing could. It may not fit: see `fit`
    ops: tuple[ReadOp, ...] = ()  # in the order of `every_op`: each composite op, then its bodies
    unused: tuple[Unused, ...] = ()
    parameters: int | None = None  # of what forward calls; None where the architecture does not fit
    total: int | None = None  # that torch counts in the whole module, with what is unused; None if not known
    notes: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class CodeRead:
    """All that was read in one text. There is at least one network; the best guess is the first."""

    code: str  # the text that lines count in: of a notebook, its code cells one after the other
    networks: tuple[Network, ...]
    problems: tuple[Problem, ...] = ()  # of the text as a whole, such as a part that is not Python
    cells: tuple[int, ...] = ()  # of a notebook: the first line of each code cell

    def place(self, line: int) -> str:
        """`line 12`, or in a notebook `code cell 3, line 12`."""
        if not self.cells or line < 1:
            return f"line {line}"
        cell = bisect_right(self.cells, line)
        return f"code cell {cell}, line {line - self.cells[cell - 1] + 1}"
