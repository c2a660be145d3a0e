"""A table that torchsummary or torchinfo printed, compared line by line with a design."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.architecture import spec
from core.architecture.sizes import shape_words
from core.architecture.spec import Shape
from core.architecture.trace import Layer, Trace
from core.errors import SpecError
from core.words import plural

MAX_TEXT = 200_000  # characters of a table
MAX_ROWS = 600  # lines of it that are read: both walks are compared pair by pair
ROW = re.compile(r"^[\s│├└─|+`-]*([A-Za-z_]\w*)(?:\s*\(([\w.]+)\))?\s*[:-]\s*(\d+(?:-\d+)?)\s+(?=\[|--)(.*)$")
SHAPE = re.compile(r"\[([-\d,\s]*)\]|--")
TOTAL = re.compile(r"^\s*Total params:\s*([\d,]+)", re.IGNORECASE)
COUNT = re.compile(r"(?:^|\s)(\d[\d,]*)(?=\s|$)")
KINDS: dict[type[spec.Op], str] = {
    spec.Conv: "Conv2d",
    spec.BatchNorm: "BatchNorm2d",
    spec.InstanceNorm: "InstanceNorm2d",
    spec.MaxPool: "MaxPool2d",
    spec.AvgPool: "AvgPool2d",
    spec.GlobalAvgPool: "AdaptiveAvgPool2d",
    spec.GlobalMaxPool: "AdaptiveMaxPool2d",
}
ALIKE = {"AdaptiveAvgPool2d": "AvgPool2d", "AdaptiveMaxPool2d": "MaxPool2d", "BatchNorm1d": "BatchNorm2d"}


@dataclass(frozen=True)
class TableRow:
    """One line of the table."""

    line: int  # of the pasted text, from 1
    name: str  # as printed: Conv2d-1
    kind: str  # torch's class: Conv2d
    output: tuple[int, ...]  # without the batch; empty where the table prints none
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
    """One line of the comparison; theirs or ours is None where the other has a line more.

    An op without parameters that the table lacks counts as the same: a function such as F.relu prints no line.
    """

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
    """The layers in a pasted table, without the modules that only hold others. Raises SpecError if there are none."""
    if len(text) > MAX_TEXT:
        raise SpecError(f"the table has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    found: list[tuple[TableRow, int]] = []
    column = 0
    for number, line in enumerate(text.splitlines(), 1):
        if "Shape" in line and "Layer" in line:
            column = _column(line)
        row = _row(line[:400], number, column)
        if row is not None:
            found.append(row)
    rows = _leaves(found)
    if not rows:
        raise SpecError(
            "there is no line of a torchsummary or torchinfo table in this text, such as "
            "`Conv2d-1  [-1, 8, 26, 26]  72`"
        )
    if len(rows) > MAX_ROWS:
        raise SpecError(f"the table has {len(rows):,} lines, at most {MAX_ROWS} are read")
    return tuple(rows)


def _column(header: str) -> int:
    """Which of the shapes in a line is the output: torchinfo may print the input and the kernel too."""
    places = sorted((header.find(word), word) for word in ("Input Shape", "Output Shape", "Kernel Shape"))
    words = [word for at, word in places if at >= 0]
    return words.index("Output Shape") if "Output Shape" in words else 0


def _row(line: str, number: int, column: int) -> tuple[TableRow, int] | None:
    """A line and how deep it stands: 0 in torchsummary's table, which is flat."""
    match = ROW.match(line)
    if match is None:
        return None
    kind, variable, place, rest = match.groups()
    shapes = list(SHAPE.finditer(rest))
    if not shapes:
        return None
    shape = shapes[min(column, len(shapes) - 1)]
    sizes = [int(each) for each in re.findall(r"-?\d+", shape[1] or "")]
    counts = COUNT.findall(re.sub(r"\[[^\]]*\]", " ", rest))
    parameters = int(counts[0].replace(",", "")) if counts and len(counts[0]) < 20 else 0
    depth, _, index = place.partition("-")
    name = f"{kind}-{place}" if not variable else f"{kind} {variable}"
    return TableRow(number, name, kind, tuple(sizes[1:]), parameters), int(depth) if index else 0


def _leaves(found: list[tuple[TableRow, int]]) -> list[TableRow]:
    """The layers alone: in torchinfo a module that holds others stands above them, in torchsummary below, at 0."""
    known = {*KINDS.values(), *spec.OPS, "BatchNorm1d", "SyncBatchNorm", "Identity"}
    rows = []
    for number, (row, depth) in enumerate(found):
        holds = depth and number + 1 < len(found) and found[number + 1][1] > depth
        if not holds and row.kind != "Identity" and (row.kind in known or row.parameters or depth):
            rows.append(row)
    return rows


def total_of(text: str) -> int | None:
    """The total that the table prints at its end."""
    found = [match for line in text.splitlines() if (match := TOTAL.match(line[:200]))]
    return int(found[0][1].replace(",", "")) if found and len(found[0][1]) < 20 else None


def our_rows(design: Trace) -> tuple[OurRow, ...]:
    """The design's layers as torch's table would have them: in order, without the ops that only hold others."""
    return tuple(
        OurRow(layer.path, _kind(layer), layer.output, layer.parameters)
        for layer in design.every_layer
        if not layer.branches
    )


def _kind(layer: Layer) -> str:
    name = KINDS.get(type(layer.op), type(layer.op).__name__)
    return "BatchNorm1d" if name == "BatchNorm2d" and len(layer.input) == 1 else name


def compare_table(text: str, design: Trace) -> TableComparison:
    """The table line by line beside the design. Raises SpecError where there is no row in it."""
    theirs, ours = read_table(text), our_rows(design)[:MAX_ROWS]
    pairs = _aligned(theirs, ours)
    return TableComparison(tuple(_compared(one, other) for one, other in pairs), total_of(text), design.parameters)


def _same_kind(theirs: TableRow, ours: OurRow) -> bool:
    return ALIKE.get(theirs.kind, theirs.kind) == ALIKE.get(ours.kind, ours.kind)


def _distance(theirs: TableRow, ours: OurRow) -> float:
    """How much two lines differ, to find which belong together."""
    if not _same_kind(theirs, ours):
        return 4.0
    return (theirs.output != ours.output and bool(theirs.output)) + (theirs.parameters != ours.parameters)


def _alone(row: TableRow | OurRow) -> float:
    """What it costs to leave a line without a partner: little for what may be a function in the code."""
    return 1.6 if row.parameters or isinstance(row, TableRow) else 0.4


def _aligned(theirs: tuple[TableRow, ...], ours: tuple[OurRow, ...]) -> list[tuple[TableRow | None, OurRow | None]]:
    """The lines side by side, as similar as they can be in their order. Needleman & Wunsch 1970."""
    best: list[list[float]] = [[0.0] * (len(ours) + 1) for _ in range(len(theirs) + 1)]
    for i in range(len(theirs), -1, -1):
        for j in range(len(ours), -1, -1):
            ways = []
            if i < len(theirs):
                ways.append(best[i + 1][j] + _alone(theirs[i]))
            if j < len(ours):
                ways.append(best[i][j + 1] + _alone(ours[j]))
            if i < len(theirs) and j < len(ours):
                ways.append(best[i + 1][j + 1] + _distance(theirs[i], ours[j]))
            best[i][j] = min(ways, default=0.0)
    pairs: list[tuple[TableRow | None, OurRow | None]] = []
    i = j = 0
    while i < len(theirs) or j < len(ours):
        both = i < len(theirs) and j < len(ours)
        if both and best[i][j] == best[i + 1][j + 1] + _distance(theirs[i], ours[j]):
            pairs.append((theirs[i], ours[j]))
            i, j = i + 1, j + 1
        elif j < len(ours) and best[i][j] == best[i][j + 1] + _alone(ours[j]):
            pairs.append((None, ours[j]))
            j += 1
        else:
            pairs.append((theirs[i], None))
            i += 1
    return pairs


def _compared(theirs: TableRow | None, ours: OurRow | None) -> Compared:
    if theirs is None or ours is None:
        row = theirs or ours
        assert row is not None
        if theirs is None and not row.parameters:
            return Compared(theirs, ours, True, "")
        where = "the table" if ours is None else "the design"
        return Compared(theirs, ours, False, f"only in {where}: {row.kind}, {plural(row.parameters, 'parameter')}")
    words = []
    if not _same_kind(theirs, ours):
        words.append(f"{theirs.kind} there, {ours.kind} here")
    if theirs.output and not _same_shape(theirs.output, ours.output):
        words.append(f"{_shape(theirs.output)} there, {shape_words(ours.output)} here")
    if theirs.parameters != ours.parameters:
        words.append(f"{plural(theirs.parameters, 'parameter')} there, {ours.parameters:,} here")
    return Compared(theirs, ours, not words, "; ".join(words))


def _same_shape(theirs: Shape, ours: Shape) -> bool:
    return theirs == ours or (theirs[1:] in ((), (1, 1)) and ours[1:] in ((), (1, 1)) and theirs[0] == ours[0])


def _shape(shape: Shape) -> str:
    return shape_words(shape) if len(shape) in (1, 3) else " x ".join(f"{size:,}" for size in shape)
