"""The current design: in the URL (?design=CODE), with what it started from (?from=SLUG), and its edits.

The session keeps its history and which op is selected. Edits are callbacks: they run before the page does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import streamlit as st

from core.advice.advice import advice
from core.architecture.edit import (
    GROUPS,
    Direction,
    History,
    duplicate,
    group,
    insert,
    move,
    next_gap,
    record,
    redo,
    remove,
    renamed,
    taken,
    undo,
    ungroup,
    with_field,
    without,
)
from core.architecture.fit import Fit, fit
from core.architecture.fresh import BLOCKS, block, fresh
from core.architecture.json_form import architecture_from_json
from core.architecture.link import from_code, to_code
from core.architecture.place import Place, after, op_at, ops_at
from core.architecture.rows import rows
from core.architecture.spec import OPS, Architecture, ReLU, bodies
from core.architecture.trace import Layer, Trace, trace
from core.errors import LabError
from lab.experiment.design.op_list import Asked, places_in
from lab.experiment.design.start import Start, start_in_url, start_named
from lab.ui import url
from lab.ui.caches import challenge
from lab.ui.step import DESIGN, FROM
from lab.ui.words import escaped, show_error

HISTORY, SELECTED, PROBLEM = "design-history", "design-selected", "design-problem"  # the session's keys


@dataclass(frozen=True)
class Opened:
    """The design at this run of the page."""

    start: Start
    history: History
    selected: Place  # of an op, INPUT, or the start of a body
    last: Place  # of the last op that is selected; mostly the same

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

    def layer(self, place: Place) -> Layer | None:
        """The layer of an op; None if the network does not fit up to there."""
        return next((row.layer for row in rows(self.architecture) if row.place == place), None)

    @property
    def trains(self) -> bool:
        return not any(each.level == "error" for each in advice(self.architecture, challenge()))


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
    selected, last = selection_in(history.present, *st.session_state.get(SELECTED, ((0,), (0,))))
    st.session_state[SELECTED] = selected, last
    if problem := st.session_state.pop(PROBLEM, None):
        show_error(problem)
    return Opened(start, history, selected, last)


def selection_in(architecture: Architecture, first: Place, last: Place) -> tuple[Place, Place]:
    """The selection, or the nearest to it that the design has: after an undo its ops may be gone."""
    places = frozenset(places_in(architecture))
    if first in places and last in places and first[:-1] == last[:-1]:
        return first, last
    while first not in places:
        if len(first) > 1 and (*first[:-1], -1) not in places:
            first = first[:-2]
        else:
            first = (*first[:-1], min(first[-1], len(ops_at(architecture, first[:-1]))) - 1)
    return first, first


def arrived(history: History | None, present: Architecture) -> History:
    """The history with the design that the URL shows: the browser's Back and Forward are undo and redo."""
    if history is None:
        return History(present)
    if history.past and history.past[-1] == present:
        return undo(history)
    return redo(history) if history.future and history.future[0] == present else record(history, present)


# ------------------------------------------------------------------------------------------------- edits, as callbacks


def _keep(history: History, first: Place, last: Place) -> None:
    st.session_state[HISTORY], st.session_state[SELECTED] = history, (first, last)
    st.query_params[DESIGN] = to_code(history.present)


def attempt(change: Callable[[Architecture], Architecture], first: Place, last: Place | None = None) -> None:
    """Edit the design and select ops of the new one; an impossible edit is reported on the next page."""
    history: History = st.session_state[HISTORY]
    with reporting():
        changed = change(history.present)
        start = start_named(st.query_params[FROM]) if FROM in st.query_params else start_in_url()
        if changed.name == start.architecture.name and changed.ops != start.architecture.ops:
            changed = replace(changed, name=f"{changed.name[:80]}, changed")  # a run of it must not pass for the step's
        _keep(record(history, changed), first, first if last is None else last)


def take(label: str, remedy: Architecture) -> None:
    """Apply the remedy of an advice, and say what has changed."""
    before: Architecture = st.session_state[HISTORY].present
    attempt(lambda _: remedy, *st.session_state[SELECTED])
    was, now = (found.parameters if (found := fit(each).trace) else 0 for each in (before, remedy))
    counts = f"{was:,} → {now:,}" if was != now else f"{now:,}, as before"
    st.toast(f"**{escaped(label)}**: done. Parameters {counts}.", icon=":material/check:")


@contextmanager
def reporting() -> Iterator[None]:
    """What is impossible inside the block is said on the next page."""
    try:
        yield
    except LabError as error:
        st.session_state[PROBLEM] = error


def adopt(design: Architecture) -> None:
    """Go on with another network; the design before it is one undo away."""
    _keep(record(st.session_state[HISTORY], design), (0,), (0,))


def go(walk: Callable[[History], History]) -> None:
    _keep(walk(st.session_state[HISTORY]), *st.session_state[SELECTED])


def choose_op() -> None:
    st.session_state[SELECTED] = (st.session_state["op-select"],) * 2


def set_field(place: Place, name: str, key: str) -> None:
    """Take what a field says; one that has just come into the page says nothing yet."""
    if st.session_state[key] is None:
        return
    attempt(lambda design: with_field(design, place, name, st.session_state[key]), place)


def add(behind: Place, name: str) -> None:
    """Put an op of that kind, or a ready block, behind a place, with fields that fit there, and select it."""
    with reporting():
        design: Architecture = st.session_state[HISTORY].present
        to = after(behind)
        added = block(design, to, name) if name in BLOCKS else (fresh(design, to, OPS[name]),)
        attempt(lambda design: insert(design, to, *added), to, (*to[:-1], to[-1] + len(added) - 1))


def act_on(asked: Asked) -> None:
    """Do what the list was asked to."""
    with reporting():
        _act_on(asked)


def _act_on(asked: Asked) -> None:
    design: Architecture = st.session_state[HISTORY].present
    first, last = asked.op, asked.last
    match asked.act:
        case "select":
            st.session_state[SELECTED] = first, last
        case "move":
            _move(first, last, asked.to)
        case "up" | "down" | "in" | "out" as direction:
            if gap := next_gap(design, first, last, direction):
                _move(first, last, gap)
        case "remove":
            attempt(lambda design: remove(design, first, last), first)
        case "duplicate":
            copies = (*last[:-1], 2 * last[-1] - first[-1] + 1)
            attempt(lambda design: duplicate(design, first, last), after(last), copies)
        case "group":
            attempt(lambda design: group(design, first, last, GROUPS[asked.kind]), first)
        case "ungroup":
            freed = sum(map(len, bodies(op_at(design, first))))
            attempt(lambda design: ungroup(design, first), first, (*first[:-1], first[-1] + max(1, freed) - 1))
        case "add":
            add(last, asked.kind)


def can_go(now: Opened, direction: Direction) -> bool:
    """Whether the selected ops can be moved up, down, into a block or out of one."""
    return now.selected[-1] >= 0 and next_gap(now.architecture, now.selected, now.last, direction) is not None


def _move(first: Place, last: Place, gap: Place) -> None:
    count = len(taken(st.session_state[HISTORY].present, first, last))
    to = without(gap, first, last)
    attempt(lambda design: move(design, first, to, last), to, (*to[:-1], to[-1] + count - 1))


def begin() -> None:
    """Start from what was picked; the design before it is one undo away."""
    key = st.session_state["design-start"]
    with reporting():
        start = start_named(key)
        st.query_params[FROM] = key
        st.query_params.pop(DESIGN, None)
        st.session_state[HISTORY] = record(st.session_state[HISTORY], start.architecture)
        st.session_state[SELECTED] = (0,), (0,)


def rename() -> None:
    attempt(lambda design: renamed(design, st.session_state["design-name"]), *st.session_state[SELECTED])


def upload() -> None:
    file = st.session_state["design-upload"]
    if file is not None:
        text = file.getvalue()[:1_000_000].decode("utf-8", errors="replace")
        attempt(lambda _: architecture_from_json(text), (0,))
