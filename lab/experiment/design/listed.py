"""The rows of the op list: the ops with their numbers, where they stand, and the most serious advice on each."""

from __future__ import annotations

from dataclasses import replace

from core.advice.advice import Advice
from core.architecture.place import BODIES, Place, op_at, place_of
from core.architecture.sizes import shape_words
from core.architecture.spec import Dropout, Dropout2d, Op, Repeat, Residual, bodies
from core.words import significant
from lab.experiment.design.op_list import INPUT, Row, gap_before, gaps_after, inside_words, places_in
from lab.experiment.design.state import Opened
from lab.ui import tables


def listed(now: Opened, said: tuple[Advice, ...]) -> list[Row]:
    """The rows from the input's to that of the last op."""
    most_serious: dict[Place, Advice] = {}
    for each in said:  # the most serious comes first
        for op in each.ops:
            most_serious.setdefault(place_of(op), each)
    return [_row(now, place, most_serious.get(place)) for place in places_in(now.architecture)]


def _row(now: Opened, place: Place, about: Advice | None) -> Row:
    design = now.architecture
    inside = tuple(BODIES[body] for body in place[1::2])
    gaps = gap_before(place), gaps_after(design, place)
    if place == INPUT:
        return Row(place, "input", inside, "", *gaps, output=shape_words(design.input), field="1")
    if place[-1] < 0:
        return Row(place, start_words(op_at(design, place[:-2]), place[-2]), inside, inside_words(place), *gaps)
    layer = now.layer(place)
    row = Row(place, brief(op_at(design, place)), inside, inside_words(place), *gaps)
    if about:
        row = replace(row, level=about.level, words=about.words)
    if layer is None:
        return row
    return replace(
        row,
        output=shape_words(layer.output),
        parameters=f"{layer.parameters:,}" if layer.parameters else "",
        share=layer.parameters / max(1, now.walked.parameters),
        arithmetic=layer.arithmetic,
        macs=f"{layer.macs:,}" if layer.macs else "",
        field=f"{layer.field.size}{'+' if layer.uses_whole_map else ''}",
        field_words=tables.WHOLE_MAP if layer.uses_whole_map else "",
    )


def start_words(op: Op, body: int) -> str:
    """What the row says that stands before the ops of a body."""
    ops = bodies(op)[body]
    if isinstance(op, Repeat):
        return f"{op.times} times, with the same weights:"
    if not ops:
        return f"{BODIES[body]}: {'the input itself' if body else 'empty'}"
    return f"{BODIES[body]}, {'added' if isinstance(op, Residual) else 'beside it'}:" if body else "body:"


def brief(op: Op) -> str:
    """The op in as few letters as keep it clear: `Conv(8, 3, bias=False)`; the ops of a body have rows of their own."""
    if bodies(op):
        return f"Repeat({op.times} times)" if isinstance(op, Repeat) else type(op).__name__
    if isinstance(op, Dropout | Dropout2d):
        return f"{type(op).__name__}({significant(op.p, 6)})"
    return tables.brief(op)
