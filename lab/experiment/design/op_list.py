"""The ops of a design as a list that is worked on where it stands: by mouse, by dragging, and by the keyboard alone.

st.dataframe would lose its selection with every edit, and thirty rows of buttons their focus. This is one component:
it keeps focus and scroll position while its rows change, moves the selection without waiting for the server, and hands
over what is asked for as one small message, which `asked_for` checks before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import streamlit as st

from core.architecture.edit import GROUPS, span, without
from core.architecture.link import to_code
from core.architecture.place import BODIES, Place, after, op_at, ops_at, place_words
from core.architecture.spec import MAX_DEPTH, Architecture, Op, bodies
from core.errors import SpecError
from core.record import Json
from lab.ui.component import component

Act = Literal["select", "move", "up", "down", "in", "out", "remove", "duplicate", "add", "group", "ungroup"]
ACTS: tuple[Act, ...] = get_args(Act)
INPUT: Place = (-1,)  # the row above the first op: what is added after it comes first

# What a letter adds behind the selected op. C and R are taken by Streamlit's own shortcuts only outside the list.
LETTERS = {
    "c": "Conv",
    "b": "BatchNorm",
    "r": "ReLU",
    "d": "Dropout",
    "m": "MaxPool",
    "a": "AvgPool",
    "g": "GlobalAvgPool",
    "f": "Flatten",
    "l": "Linear",
    "s": "LogSoftmax",
}


@dataclass(frozen=True)
class Row:
    """An op as the list shows it, or the start of a body; the numbers are empty where the network does not fit."""

    place: Place  # of a start, its last number is -1: what is added after it comes first in the body
    op: str
    inside: tuple[str, ...] = ()  # body or shortcut, for each body around it, the outermost first
    where: str = ""  # the same in words
    before: Place | None = None  # where a drop on its upper half puts the op
    after: tuple[Place, ...] = ()  # on its lower half: in its body, and after the ops whose last row it is
    output: str = ""
    parameters: str = ""
    share: float = 0.0  # of the network's parameters, 0 to 1
    arithmetic: str = ""  # how the parameters are counted
    macs: str = ""
    field: str = ""
    field_words: str = ""
    level: str = ""  # the most serious advice on it: error, warning, hint, or none
    words: str = ""  # that advice

    @property
    def start(self) -> bool:
        return self.place[-1] < 0


@dataclass(frozen=True)
class Asked:
    """What the list was asked to do with the ops from `op` to `last`, or with the start of a body.

    `to` is the gap to move them to, before they are gone from where they are; `kind` an op to add, or a kind of group.
    """

    act: Act
    op: Place
    last: Place
    to: Place = ()
    kind: str = ""


# ----------------------------------------------------------------------------------------------------------- places


def places_in(architecture: Architecture) -> list[Place]:
    """The places of the rows from top to bottom: the input's, the ops', and the start of each body before its ops."""
    return [INPUT, *_places(architecture.ops, ())]


def _places(ops: tuple[Op, ...], within: Place) -> Iterator[Place]:
    for number, op in enumerate(ops):
        yield (*within, number)
        for body, inner in enumerate(bodies(op)):
            yield (*within, number, body, -1)
            yield from _places(inner, (*within, number, body))


def inside_words(place: Place) -> str:
    """What a row stands in: `in the body of op 3`; empty for the network itself."""
    if len(place) == 1:
        return ""
    return f"in the {BODIES[place[-2]]} of {place_words(place[:-2])}"


def gap_before(place: Place) -> Place | None:
    """Where a drop on a row's upper half puts an op; None on the start of a body, whose halves are one."""
    return place if place[-1] >= 0 else None


def gaps_after(architecture: Architecture, place: Place) -> tuple[Place, ...]:
    """Where a drop on a row's lower half puts an op; the innermost first.

    There are several where the row is the last of an op's bodies: in the body, and behind the op.
    """
    if place[-1] >= 0 and bodies(op_at(architecture, place)):
        return ((*place, 0, 0),)
    gaps = [after(place)]
    while len(gap := gaps[-1]) > 1:
        holder = gap[:-2]
        if gap[-1] < len(ops_at(architecture, gap[:-1])) or gap[-2] + 1 < len(bodies(op_at(architecture, holder))):
            break
        gaps.append(after(holder))
    return tuple(gaps)


# ------------------------------------------------------------------------------------------------------- the messages


def asked_for(message: Json, code: str, architecture: Architecture) -> Asked | None:
    """The message of the browser, if it is one, is about this design, and names places that it has."""
    if not isinstance(message, dict) or message.get("code") != code:
        return None  # it was sent before an edit that is already done: its places mean other ops now
    act, kind = (message.get(name) for name in ("act", "kind"))
    known = next((each for each in ACTS if each == act), None)
    places = frozenset(places_in(architecture))
    op = _place(message.get("op"), places)
    last = _place(message["last"], places) if "last" in message else op
    if known is None or op is None or last is None:
        return None
    if known == "select":
        return Asked(known, *((op, last) if op == last else span(op, last)))
    if known == "add":
        return Asked(known, op, last, kind=kind) if isinstance(kind, str) and kind in LETTERS.values() else None
    if op[:-1] != last[:-1] or not 0 <= op[-1] <= last[-1]:
        return None
    if known == "group":
        return Asked(known, op, last, kind=kind) if isinstance(kind, str) and kind in GROUPS else None
    if known == "move":
        to = _place(message.get("to"), frozenset(gap for each in places for gap in gaps_of(architecture, each)))
        return Asked(known, op, last, to) if to and _outside(to, op, last) else None
    return Asked(known, op, last)


def gaps_of(architecture: Architecture, place: Place) -> tuple[Place, ...]:
    before = gap_before(place)
    return (*((before,) if before else ()), *gaps_after(architecture, place))


def _place(given: Json, places: frozenset[Place]) -> Place | None:
    """The place that a list of numbers names, if it is one of these."""
    if not isinstance(given, list) or len(given) > 2 * MAX_DEPTH + 1:
        return None
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in given):
        return None
    place = tuple(number for number in given if isinstance(number, int))
    return place if place in places else None


def _outside(to: Place, op: Place, last: Place) -> bool:
    try:
        return bool(without(to, op, last))
    except SpecError:
        return False


# ------------------------------------------------------------------------------------------------------ the component

_component = component(__file__)
ANSWERS = "op-list-answers"  # how many messages were heard: each has an answer, also one that changed nothing


def op_list(
    listed: list[Row], selected: tuple[Place, Place], architecture: Architecture, on_asked: Callable[[Asked], None]
) -> None:
    """Show the rows, the first of them the input's; `on_asked` is called before the next run with what was asked for.

    A message about another design is dropped.
    """
    code = to_code(architecture)

    def heard() -> None:
        st.session_state[ANSWERS] = st.session_state.get(ANSWERS, 0) + 1
        message = st.session_state["op-list"].get("asked")
        if asked := asked_for(message, code, architecture):
            on_asked(asked)

    _component(
        key="op-list",
        data={
            "rows": [asdict(row) | {"start": row.start} for row in listed],
            "selected": selected,
            "code": code,
            "letters": LETTERS,
            "answers": st.session_state.get(ANSWERS, 0),
        },
        on_asked_change=heard,
    )
