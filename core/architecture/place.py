"""Where an op stands, as a tuple of numbers.

(3,) is op 3 of the network, (3, 0, 1) is op 1 in the first body of op 3, and (3, 1, 0) is op 0 in its shortcut. The ops
that stand together share all numbers but the last: () is the network itself, (3, 0) the first body of op 3.
"""

from __future__ import annotations

from dataclasses import replace

from core.architecture.spec import Architecture, Op, bodies, with_bodies
from core.errors import SpecError
from core.words import plural

Place = tuple[int, ...]
BODIES = ("body", "shortcut")


def place_of(at: int | Place) -> Place:
    """The place; a number alone is that of an op of the network itself."""
    return (at,) if isinstance(at, int) else at


def path_of(place: Place) -> str:
    """The name that torch gives the op's module: `3`, or `3.body.1`."""
    return ".".join(BODIES[number] if index % 2 else str(number) for index, number in enumerate(place))


def place_words(place: Place) -> str:
    """The place in a sentence: `op 3`, or `op 3: body: op 1`."""
    return ": ".join(f"{BODIES[number]}" if index % 2 else f"op {number}" for index, number in enumerate(place))


def ops_at(architecture: Architecture, group: Place) -> tuple[Op, ...]:
    """The ops that stand together: of the network for (), of a body for such as (3, 0). Raises SpecError."""
    ops = architecture.ops
    for at in range(0, len(group), 2):
        number, body = group[at : at + 2]
        found = bodies(_nth(ops, number, group[:at]))
        if not 0 <= body < len(found):
            raise SpecError(
                f"{place_words(group[: at + 1])} has {plural(len(found), 'body', 'bodies')}, no number {body}"
            )
        ops = found[body]
    return ops


def op_at(architecture: Architecture, place: Place) -> Op:
    """The op at a place. Raises SpecError if there is none."""
    return _nth(ops_at(architecture, place[:-1]), place[-1], place[:-1])


def with_ops_at(architecture: Architecture, group: Place, ops: tuple[Op, ...]) -> Architecture:
    """The architecture with other ops in place of those that stand together. Raises SpecError for no such place."""
    if not group:
        return replace(architecture, ops=ops)
    *parent, body = group
    op = op_at(architecture, tuple(parent))
    changed = tuple(ops if number == body else each for number, each in enumerate(bodies(op)))
    outer = ops_at(architecture, tuple(parent[:-1]))
    at = parent[-1]
    return with_ops_at(architecture, tuple(parent[:-1]), (*outer[:at], with_bodies(op, changed), *outer[at + 1 :]))


def after(place: Place) -> Place:
    """The next place in the same body."""
    return (*place[:-1], place[-1] + 1)


def _nth(ops: tuple[Op, ...], number: int, group: Place) -> Op:
    if not 0 <= number < len(ops):
        whose = place_words(group) if group else "the network"
        raise SpecError(f"there is no {place_words((*group, number))}; {whose} has {len(ops)}")
    return ops[number]
