"""Edits of an architecture: each is a function that returns a new one. And a history of edits, for undo and redo.

After an edit the network may not fit: in the middle of a change this is normal. `fit` says how far it fits.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from core.architecture.fit import fit
from core.architecture.json_form import one_line
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
)
from core.errors import SpecError
from core.record import Json, check, read

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


def insert(architecture: Architecture, index: int, *added: Op) -> Architecture:
    """The architecture with ops added before op `index`, or at the end. Raises SpecError for values out of range."""
    ops = architecture.ops
    if not 0 <= index <= len(ops):
        raise SpecError(f"an op can stand at places 0 to {len(ops)}, not at {index}")
    if len(ops) + len(added) > MAX_OPS:
        raise SpecError(f"the network would have {len(ops) + len(added)} ops, at most {MAX_OPS} are allowed")
    for number, op in enumerate(added):
        _checked(op, index + number)
    return replace(architecture, ops=(*ops[:index], *added, *ops[index:]))


def fresh(architecture: Architecture, index: int, kind: type[Op]) -> Op:
    """A new op of that kind with fields that suit its place before op `index`: as many channels as its input.

    After a Flatten, or where the network does not fit, the fields have usual values.
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
    """The architecture without op `index`. Raises SpecError if there is none."""
    _op(architecture, index)
    return replace(architecture, ops=(*architecture.ops[:index], *architecture.ops[index + 1 :]))


def move(architecture: Architecture, index: int, to: int) -> Architecture:
    """The architecture with op `index` moved, so that it is op `to`. Raises SpecError for an index out of range."""
    op = _op(architecture, index)
    _op(architecture, to)
    return insert(remove(architecture, index), to, op)


def duplicate(architecture: Architecture, index: int) -> Architecture:
    """The architecture with a copy of op `index` after it. Raises SpecError if there is none, or too many ops."""
    return insert(architecture, index + 1, _op(architecture, index))


def put(architecture: Architecture, index: int, op: Op) -> Architecture:
    """The architecture with another op at `index`. Raises SpecError for an index or values out of range."""
    _op(architecture, index)
    return replace(architecture, ops=(*architecture.ops[:index], _checked(op, index), *architecture.ops[index + 1 :]))


def with_field(architecture: Architecture, index: int, name: str, value: bool | int | float) -> Architecture:
    """The architecture with one field of op `index` changed. Raises SpecError for an unknown field or a bad value.

    If the stride of a pool is the size of its kernel, torch's default, it follows when the kernel changes.
    """
    op = _op(architecture, index)
    values: dict[str, Json] = {field.name: getattr(op, field.name) for field in fields(op)}
    if isinstance(op, MaxPool | AvgPool) and name == "kernel_size" and op.stride == op.kernel_size:
        values["stride"] = value
    changed: Op = read(type(op), {**values, name: value}, f"op {index} {type(op).__name__}", SpecError)
    return put(architecture, index, changed)


def renamed(architecture: Architecture, name: str) -> Architecture:
    """The architecture with another name, on one line. Raises SpecError unless it has 1 to 100 characters."""
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
