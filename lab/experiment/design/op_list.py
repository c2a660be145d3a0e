"""The ops of a design as a list that is worked on where it stands: by mouse, by dragging, and by the keyboard alone.

st.dataframe would lose its selection with every edit, and thirty rows of buttons their focus. This is one component:
it keeps focus and scroll position while its rows change, moves the selection without waiting for the server, and hands
over what is asked for as one small message, which `asked_for` checks before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import streamlit as st

from core.record import Json
from lab.ui.component import component

Act = Literal["select", "move", "remove", "duplicate", "add"]
ACTS: tuple[Act, ...] = get_args(Act)
INPUT = -1  # the row above the first op: what is added after it comes first

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
    """One op as the list shows it; the numbers are empty where the network does not fit up to here."""

    op: str
    output: str
    parameters: str
    share: float  # of the network's parameters, 0 to 1
    arithmetic: str  # how the parameters are counted
    macs: str
    field: str
    level: str  # the most serious advice on it: error, warning, hint, or none
    words: str  # that advice


@dataclass(frozen=True)
class Asked:
    """What the list was asked to do. `op` is an index, or INPUT; `to` a place for a move; `kind` an op to add."""

    act: Act
    op: int
    to: int = 0
    kind: str = ""


def asked_for(message: Json, code: str, count: int) -> Asked | None:
    """The message of the browser, if it is one, is about this design of `count` ops, and names ops that it has."""
    if not isinstance(message, dict) or message.get("code") != code:
        return None  # it was sent before an edit that is already done: its numbers mean other ops now
    act, op, to, kind = (message.get(name) for name in ("act", "op", "to", "kind"))
    known = next((each for each in ACTS if each == act), None)
    least = 0 if known in ("move", "remove", "duplicate") else INPUT
    if known is None or not isinstance(op, int) or isinstance(op, bool) or not least <= op < count:
        return None
    if known == "move":
        return Asked(known, op, to) if isinstance(to, int) and 0 <= to < count else None
    if known == "add":
        return Asked(known, op, kind=kind) if isinstance(kind, str) and kind in LETTERS.values() else None
    return Asked(known, op)


_component = component(__file__)


def op_list(rows: list[Row], selected: int, code: str, on_asked: Callable[[Asked], None]) -> None:
    """Show the rows, the first of them the input's; `on_asked` is called before the next run with what was asked for.

    `code` names the design: a message about another is dropped.
    """

    def heard() -> None:
        message = st.session_state["op-list"].get("asked")
        if asked := asked_for(message, code, len(rows) - 1):
            on_asked(asked)

    _component(
        key="op-list",
        data={
            "rows": [asdict(row) for row in rows],
            "selected": selected,
            "code": code,
            "letters": LETTERS,
        },
        on_asked_change=heard,
    )
