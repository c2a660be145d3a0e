"""Edits of an architecture: each is a function that returns a new one. And a history of edits, for undo and redo.

An op is named by its place, see `core.architecture.place`; a number alone is the place of an op of the network itself.
After an edit the network may not fit: in the middle of a change this is normal. `fit` says how far it fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from core.architecture.place import Place, after, op_at, ops_at, place_of, place_words, with_ops_at
from core.architecture.spec import (
    MAX_DEPTH,
    MAX_OPS,
    Architecture,
    Composite,
    Concatenate,
    Op,
    Repeat,
    Residual,
    bodies,
    every_op,
)
from core.errors import SpecError
from core.outside import plain
from core.record import check, read, write

Direction = Literal["up", "down", "in", "out"]
GROUPS: dict[str, type[Composite]] = {each.__name__: each for each in (Residual, Concatenate, Repeat)}

MAX_UNDO = 100


@dataclass(frozen=True)
class History:
    """The current design, the earlier ones (at most MAX_UNDO), and those that were undone."""

    present: Architecture
    past: tuple[Architecture, ...] = ()  # oldest first
    future: tuple[Architecture, ...] = ()  # the last undone one first


def record(history: History, architecture: Architecture) -> History:
    """The history after an edit: undone designs are forgotten. An edit that changes nothing is not recorded."""
    if architecture == history.present:
        return history
    return History(architecture, (*history.past, history.present)[-MAX_UNDO:])


def undo(history: History) -> History:
    """One step back, if there is one."""
    if not history.past:
        return history
    *past, present = history.past
    return History(present, tuple(past), (history.present, *history.future))


def redo(history: History) -> History:
    """One undone step forward, if there is one."""
    if not history.future:
        return history
    present, *future = history.future
    return History(present, (*history.past, history.present), tuple(future))


def insert(architecture: Architecture, at: int | Place, *added: Op) -> Architecture:
    """The architecture with ops added before the op at a place, or at the end of its body.

    Raises SpecError for a place that there is not, for values out of range, and for too many ops.
    """
    place = place_of(at)
    ops = ops_at(architecture, place[:-1])
    if not 0 <= place[-1] <= len(ops):
        raise SpecError(f"an op can stand at places 0 to {len(ops)}, not at {place[-1]}")
    for number, op in enumerate(added, place[-1]):
        _checked(op, (*place[:-1], number))
    return _bounded(with_ops_at(architecture, place[:-1], (*ops[: place[-1]], *added, *ops[place[-1] :])))


def remove(architecture: Architecture, first: int | Place, last: int | Place | None = None) -> Architecture:
    """The architecture without the ops from `first` to `last`, or the one. Raises SpecError if there is none."""
    within, start, end = _range(architecture, first, last)
    ops = ops_at(architecture, within)
    return with_ops_at(architecture, within, (*ops[:start], *ops[end + 1 :]))


def move(
    architecture: Architecture, first: int | Place, to: int | Place, last: int | Place | None = None
) -> Architecture:
    """The architecture with the ops from `first` to `last`, or the one, moved so that the first of them is at `to`.

    `to` is the place that it has afterwards. Raises SpecError for a place that there is not.
    """
    moved = taken(architecture, first, last)
    return insert(remove(architecture, first, last), to, *moved)


def duplicate(architecture: Architecture, first: int | Place, last: int | Place | None = None) -> Architecture:
    """The architecture with a copy of these ops after them. Raises SpecError if there are none, or too many."""
    within, _, end = _range(architecture, first, last)
    return insert(architecture, (*within, end + 1), *taken(architecture, first, last))


def put(architecture: Architecture, at: int | Place, op: Op) -> Architecture:
    """The architecture with another op at a place. Raises SpecError for a place or values out of range."""
    place = place_of(at)
    op_at(architecture, place)
    ops = list(ops_at(architecture, place[:-1]))
    ops[place[-1]] = _checked(op, place)
    return _bounded(with_ops_at(architecture, place[:-1], tuple(ops)))


def with_ops(architecture: Architecture, changed: Mapping[int, Op]) -> Architecture:
    """The architecture with other ops at those indices. Raises SpecError for an index or values out of range."""
    ops = list(architecture.ops)
    for index, op in changed.items():
        op_at(architecture, (index,))
        ops[index] = _checked(op, (index,))
    return _bounded(replace(architecture, ops=tuple(ops)))


def with_field(architecture: Architecture, at: int | Place, name: str, value: bool | int | float | str) -> Architecture:
    """The architecture with one field of an op changed. Raises SpecError for an unknown field or a bad value.

    If the stride of a pool is the size of its kernel, torch's default, it follows when the kernel changes: `write`
    leaves it out.
    """
    place = place_of(at)
    op = op_at(architecture, place)
    where = f"{place_words(place)} {type(op).__name__}"
    return put(architecture, place, read(type(op), {**write(op), name: value}, where, SpecError))


def renamed(architecture: Architecture, name: str) -> Architecture:
    """The architecture with another name, on one line. Raises SpecError unless it has 1 to 100 characters."""
    name = plain(name)
    if not 1 <= len(name) <= 100:
        raise SpecError(f"name: expected 1 to 100 characters, got {len(name)}")
    return replace(architecture, name=name)


# --------------------------------------------------------------------------------------------------------- with bodies


def group(
    architecture: Architecture, first: int | Place, last: int | Place, kind: type[Residual | Concatenate | Repeat]
) -> Architecture:
    """The architecture with the ops from `first` to `last` as the body of a new op, which is then at `first`."""
    body = taken(architecture, first, last)
    return insert(remove(architecture, first, last), first, kind(body))


def ungroup(architecture: Architecture, at: int | Place) -> Architecture:
    """The architecture with the ops of a body in place of the op that they were the body of; then its shortcut's."""
    place = place_of(at)
    op = op_at(architecture, place)
    if not bodies(op):
        raise SpecError(f"{place_words(place)} {type(op).__name__} has no body")
    return insert(remove(architecture, place), place, *(each for body in bodies(op) for each in body))


def taken(architecture: Architecture, first: int | Place, last: int | Place | None = None) -> tuple[Op, ...]:
    """The ops from `first` to `last`, which stand together. Raises SpecError unless they do."""
    within, start, end = _range(architecture, first, last)
    return ops_at(architecture, within)[start : end + 1]


def without(gap: Place, first: Place, last: Place) -> Place:
    """The place of a gap once the ops from `first` to `last` are gone. Raises SpecError for a gap inside of them."""
    level, start, end = len(first) - 1, first[-1], last[-1]
    if gap[:level] != first[:-1] or gap[level] <= start:
        inside = gap[:level] == first[:-1] and gap[level] == start and len(gap) > level + 1
        if not inside:
            return gap
    elif gap[level] > end:
        return (*gap[:level], gap[level] - (end - start + 1), *gap[level + 1 :])
    elif len(gap) == level + 1:
        return first
    raise SpecError(f"{place_words(first)} cannot be moved into its own body")


def next_gap(architecture: Architecture, first: Place, last: Place, direction: Direction) -> Place | None:
    """The gap that the ops from `first` to `last` come to with one step; None where there is none.

    Up and down go on from the body to the shortcut, and out of it; in is into the block above them, or else below.
    """
    together = ops_at(architecture, first[:-1])
    start, end, parent = first[-1], last[-1], first[:-2]
    body = first[-2] if parent else 0
    match direction:
        case "up" if start > 0:
            return (*first[:-1], start - 1)
        case "up" if parent:
            return (*parent, body - 1, len(ops_at(architecture, (*parent, body - 1)))) if body else parent
        case "down" if end + 1 < len(together):
            return (*first[:-1], end + 2)
        case "down" if parent:
            several = body + 1 < len(bodies(op_at(architecture, parent)))
            return (*parent, body + 1, 0) if several else after(parent)
        case "out" if parent:
            return after(parent)
        case "in" if start > 0 and bodies(together[start - 1]):
            return (*first[:-1], start - 1, 0, len(bodies(together[start - 1])[0]))
        case "in" if end + 1 < len(together) and bodies(together[end + 1]):
            return (*first[:-1], end + 1, 0, 0)
    return None


def span(one: Place, other: Place) -> tuple[Place, Place]:
    """The first and the last of the ops that stand together and hold both places; a place before an op counts as it."""
    level = 0
    while one[: level + 2] == other[: level + 2] and min(len(one), len(other)) > level + 2:
        level += 2
    ends = sorted((max(0, one[level]), max(0, other[level])))
    return (*one[:level], ends[0]), (*one[:level], ends[1])


def _range(architecture: Architecture, first: int | Place, last: int | Place | None) -> tuple[Place, int, int]:
    """What the ops stand in, and the numbers of the first and the last of them."""
    start = place_of(first)
    end = start if last is None else place_of(last)
    op_at(architecture, start)
    op_at(architecture, end)
    if start[:-1] != end[:-1] or start[-1] > end[-1]:
        raise SpecError(f"{place_words(start)} and {place_words(end)} do not stand together in this order")
    return start[:-1], start[-1], end[-1]


def _checked(op: Op, place: Place) -> Op:
    return check(op, f"{place_words(place)} {type(op).__name__}", SpecError)


def _bounded(architecture: Architecture) -> Architecture:
    """The architecture itself, if it has no more ops and bodies than can be read again. Raises SpecError."""
    if (count := sum(1 for _ in every_op(architecture.ops))) > MAX_OPS:
        raise SpecError(f"the network would have {count} ops, at most {MAX_OPS} are allowed")
    if _depth(architecture.ops) > MAX_DEPTH:
        raise SpecError(f"bodies within bodies would go more than {MAX_DEPTH} deep")
    return architecture


def _depth(ops: tuple[Op, ...]) -> int:
    return max((1 + max(map(_depth, bodies(op))) for op in ops if bodies(op)), default=0)
