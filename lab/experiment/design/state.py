"""The current design: in the URL (?design=CODE), with what it started from (?from=SLUG), and its edits.

The session keeps its history and which op is selected. Edits are callbacks: they run before the page does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from core.advice.advice import advice
from core.architecture.edit import (
    History,
    duplicate,
    fresh,
    insert,
    move,
    record,
    redo,
    remove,
    renamed,
    undo,
    with_field,
)
from core.architecture.fit import Fit, fit
from core.architecture.json_form import architecture_from_json
from core.architecture.link import from_code, to_code
from core.architecture.spec import OPS, Architecture, Op, ReLU
from core.architecture.trace import Layer, Trace, trace
from core.errors import LabError
from lab.classroom.designs import delete_design, save_design
from lab.experiment.design.op_list import INPUT, Asked
from lab.experiment.design.start import SAVED, Start, start_in_url, start_named
from lab.ui import url
from lab.ui.owner import me
from lab.ui.step import DESIGN, FROM
from lab.ui.words import escaped, show_error

HISTORY, SELECTED, PROBLEM = "design-history", "design-selected", "design-problem"  # the session's keys


@dataclass(frozen=True)
class Opened:
    """The design at this run of the page."""

    start: Start
    history: History
    selected: int  # index of an op, or INPUT

    @property
    def architecture(self) -> Architecture:
        return self.history.present

    @property
    def fit(self) -> Fit:
        return fit(self.architecture)

    @property
    def walked(self) -> Trace:
        """The network as far as it fits; where no op fits, one that only passes the image on.

        Where its own image is not possible, because it is not square, one of MNIST's.
        """
        alone = replace(self.architecture, ops=(ReLU(),))
        return self.fit.trace or fit(alone).trace or trace(replace(alone, input=(1, 28, 28)))

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.fit.trace.layers if self.fit.trace else ()

    @property
    def trains(self) -> bool:
        return not any(each.level == "error" for each in advice(self.architecture))


def opened() -> Opened:
    """The design in the URL, or else the session's; a wrong URL is reported."""
    start = start_in_url()
    history: History | None = st.session_state.get(HISTORY)
    present = start.architecture
    if url.given(DESIGN):
        present = url.read(DESIGN, from_code, present)
    elif history and FROM not in st.query_params:  # back from another page: the design is still there
        present = history.present
    history = arrived(history, present)
    st.session_state[HISTORY] = history
    last = len(history.present.ops) - 1
    selected = min(max(INPUT, st.session_state.get(SELECTED, 0)), last)
    st.session_state[SELECTED] = selected
    if problem := st.session_state.pop(PROBLEM, None):
        show_error(problem)
    return Opened(start, history, selected)


def arrived(history: History | None, present: Architecture) -> History:
    """The history with the design that the URL shows: the browser's Back and Forward are undo and redo."""
    if history is None:
        return History(present)
    if history.past and history.past[-1] == present:
        return undo(history)
    return redo(history) if history.future and history.future[0] == present else record(history, present)


# ------------------------------------------------------------------------------------------------- edits, as callbacks


def _keep(history: History, selected: int) -> None:
    st.session_state[HISTORY], st.session_state[SELECTED] = history, selected
    st.query_params[DESIGN] = to_code(history.present)


def attempt(change: Callable[[Architecture], Architecture], selected: int) -> None:
    """Edit the design and select an op of the new one; an impossible edit is reported on the next page."""
    history: History = st.session_state[HISTORY]
    try:
        changed = change(history.present)
        start = start_named(st.query_params[FROM]) if FROM in st.query_params else start_in_url()
    except LabError as error:
        st.session_state[PROBLEM] = error
        return
    if changed.name == start.architecture.name and changed.ops != start.architecture.ops:
        changed = replace(changed, name=f"{changed.name[:80]}, changed")  # a run of it must not pass for the step's
    _keep(record(history, changed), selected)


def go(walk: Callable[[History], History]) -> None:
    history = walk(st.session_state[HISTORY])
    _keep(history, min(st.session_state[SELECTED], len(history.present.ops) - 1))


def choose_op() -> None:
    st.session_state[SELECTED] = st.session_state["op-select"]


def set_field(index: int, name: str, key: str) -> None:
    attempt(lambda design: with_field(design, index, name, st.session_state[key]), index)


def add(after: int, *kinds: type[Op]) -> None:
    """Put ops behind op `after`, each with fields that fit there."""

    def added(design: Architecture) -> Architecture:
        for number, kind in enumerate(kinds, 1):
            design = insert(design, after + number, fresh(design, after + number, kind))
        return design

    attempt(added, after + len(kinds) if len(kinds) == 1 else after + 1)


def act_on(asked: Asked) -> None:
    """Do what the list was asked to."""
    at = asked.op
    if asked.act == "select":
        st.session_state[SELECTED] = at
    elif asked.act == "move":
        attempt(lambda design: move(design, at, asked.to), asked.to)
    elif asked.act == "remove":
        attempt(lambda design: remove(design, at), at)
    elif asked.act == "duplicate":
        attempt(lambda design: duplicate(design, at), at + 1)
    else:
        add(at, OPS[asked.kind])


def begin() -> None:
    """Start from what was picked; the design before it is one undo away."""
    key = st.session_state["design-start"]
    try:
        start = start_named(key)
    except LabError as error:
        st.session_state[PROBLEM] = error
        return
    st.query_params[FROM] = key
    st.query_params.pop(DESIGN, None)
    st.session_state[HISTORY] = record(st.session_state[HISTORY], start.architecture)
    st.session_state[SELECTED] = min(0, len(start.architecture.ops) - 1)


def rename() -> None:
    attempt(lambda design: renamed(design, st.session_state["design-name"]), st.session_state[SELECTED])


def save() -> None:
    try:
        name = save_design(st.session_state[HISTORY].present, me())
        st.toast(f"Saved as {escaped(name)}", icon=":material/save:")
    except LabError as error:
        st.session_state[PROBLEM] = error


def forget(name: str) -> None:
    try:
        delete_design(name, me())
    except LabError as error:
        st.session_state[PROBLEM] = error
        return
    if st.query_params.get(FROM) == SAVED + name:
        del st.query_params[FROM]
        st.query_params[DESIGN] = to_code(st.session_state[HISTORY].present)


def upload() -> None:
    file = st.session_state["design-upload"]
    if file is not None:
        text = file.getvalue()[:1_000_000].decode("utf-8", errors="replace")
        attempt(lambda _: architecture_from_json(text), 0)
