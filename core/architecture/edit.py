"""Edits of an architecture, each a function to a new one; and a history of them to go back and forth in.

An edit need not leave a network that fits: half-way through a change none does. `fit` says how far it does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from core.architecture.fit import fit
from core.architecture.spec import (
    MAX_OPS,
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
    Shape,
    one_line,
)
from core.errors import SpecError
from core.record import Json, check, read

MAX_UNDO = 100


@dataclass(frozen=True)
class History:
    """The design at hand, the ones before it, and those that were undone. At most MAX_UNDO are kept."""

    present: Architecture
    past: tuple[Architecture, ...] = ()  # oldest first
    future: tuple[Architecture, ...] = ()  # the one that was undone last comes first


def record(history: History, architecture: Architecture) -> History:
    """The history after an edit: what had been undone is forgotten. An edit that changes nothing leaves no trace."""
    if architecture == history.present:
        return history
    return History(architecture, (*history.past, history.present)[-MAX_UNDO:])


def undo(history: History) -> History:
    """One step back; the same history where there is none."""
    if not history.past:
        return history
    *past, present = history.past
    return History(present, tuple(past), (history.present, *history.future))


def redo(history: History) -> History:
    """One step forth again; the same history where nothing was undone."""
    if not history.future:
        return history
    present, *future = history.future
    return History(present, (*history.past, history.present), tuple(future))


def insert(architecture: Architecture, index: int, *added: Op) -> Architecture:
    """With ops put in before op `index`, or at the end. Raises SpecError for a place or values out of range."""
    ops = architecture.ops
    if not 0 <= index <= len(ops):
        raise SpecError(f"an op can stand at places 0 to {len(ops)}, not at {index}")
    if len(ops) + len(added) > MAX_OPS:
        raise SpecError(f"the network would have {len(ops) + len(added)} ops, at most {MAX_OPS} are allowed")
    for number, op in enumerate(added):
        _checked(op, index + number)
    return replace(architecture, ops=(*ops[:index], *added, *ops[index:]))


def fresh(architecture: Architecture, index: int, kind: type[Op]) -> Op:
    """A new op of that kind with fields that suit the place before op `index`: as wide as what it is given there.

    Where the network does not fit so far, or the place is behind a Flatten, they are what is usual.
    """
    walked = fit(replace(architecture, ops=architecture.ops[:index])).trace if index else None
    shape: Shape = walked.output if walked else architecture.input
    channels, size = (shape[0], shape[1]) if len(shape) == 3 else (1, 1)
    kernel = size if 1 < size < 8 else 2
    new: tuple[Op, ...] = (
        Conv(channels if channels > 1 else 8, min(3, size), bias=False), BatchNorm(), ReLU(), Dropout(0.05), MaxPool(2),
        AvgPool(kernel), GlobalAvgPool(), Flatten(), Linear(10), LogSoftmax(),
    )  # fmt: skip
    return next(op for op in new if isinstance(op, kind))


def remove(architecture: Architecture, index: int) -> Architecture:
    """Without op `index`. Raises SpecError where there is none."""
    _op(architecture, index)
    return replace(architecture, ops=(*architecture.ops[:index], *architecture.ops[index + 1 :]))


def move(architecture: Architecture, index: int, to: int) -> Architecture:
    """With op `index` taken out and put in again so that it is op `to`. Raises SpecError for a place out of range."""
    op = _op(architecture, index)
    _op(architecture, to)
    return insert(remove(architecture, index), to, op)


def duplicate(architecture: Architecture, index: int) -> Architecture:
    """With a copy of op `index` right after it. Raises SpecError where there is none, or no room for another."""
    return insert(architecture, index + 1, _op(architecture, index))


def put(architecture: Architecture, index: int, op: Op) -> Architecture:
    """With another op in the place of op `index`. Raises SpecError for a place or values out of range."""
    _op(architecture, index)
    return replace(architecture, ops=(*architecture.ops[:index], _checked(op, index), *architecture.ops[index + 1 :]))


def with_field(architecture: Architecture, index: int, name: str, value: bool | int | float) -> Architecture:
    """With one field of op `index` changed. Raises SpecError for a field it lacks, or a value out of range.

    A pool whose stride is its kernel's size, as is torch's default, keeps it so when the kernel changes.
    """
    op = _op(architecture, index)
    values: dict[str, Json] = {field.name: getattr(op, field.name) for field in fields(op)}
    if isinstance(op, MaxPool | AvgPool) and name == "kernel_size" and op.stride == op.kernel_size:
        values["stride"] = value
    changed: Op = read(type(op), {**values, name: value}, f"op {index} {type(op).__name__}", SpecError)
    return put(architecture, index, changed)


def renamed(architecture: Architecture, name: str) -> Architecture:
    """Under another name, on one line, with single blanks. Raises SpecError unless 1 to 100 characters are left."""
    name = one_line(name)
    if not 1 <= len(name) <= 100:
        raise SpecError(f"name: expected 1 to 100 characters, got {len(name)}")
    return replace(architecture, name=name)


def _op(architecture: Architecture, index: int) -> Op:
    if not 0 <= index < len(architecture.ops):
        raise SpecError(f"there is no op {index}; the network has {len(architecture.ops)}")
    return architecture.ops[index]


def _checked(op: Op, index: int) -> Op:
    return check(op, f"op {index} {type(op).__name__}", SpecError)
