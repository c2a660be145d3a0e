"""Saving the design and deleting saved ones; what another tab has saved meanwhile is neither replaced nor deleted."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.architecture.edit import record
from core.architecture.link import to_code
from core.architecture.spec import Architecture
from core.errors import ChangedError
from core.words import plural
from lab.classroom.designs import delete_design, held, save_beside, save_design
from lab.experiment.design.state import HISTORY, SELECTED, Opened, begin, reporting
from lab.ui.owner import me
from lab.ui.step import DESIGN, FROM, SAVED
from lab.ui.words import escaped

SEEN = "designs-seen"  # in the session: what each name held when this tab first showed it, or last saved or took it
CHANGED = "design-changed"  # the name whose design could not be replaced


def note_seen(name: str) -> None:
    """Remember what the name holds, unless this tab has seen it before."""
    seen = _seen()
    if name not in seen:
        seen[name] = held(name)


def start_over() -> None:
    """Start from what was picked; a saved design is seen anew."""
    begin()
    if (key := st.session_state["design-start"]).startswith(SAVED):
        _seen()[key.removeprefix(SAVED)] = held(key.removeprefix(SAVED))


def _seen() -> dict[str, Architecture | None]:
    seen: dict[str, Architecture | None] = st.session_state.setdefault(SEEN, {})
    return seen


def save() -> None:
    """Save the design under its name; where that holds another one than this tab has seen, ask first."""
    design: Architecture = st.session_state[HISTORY].present
    st.session_state.pop(CHANGED, None)
    with reporting():
        try:
            name = save_design(design, me(), _seen().get(design.name))
        except ChangedError:
            st.session_state[CHANGED] = design.name
            return
        _saved(name, design)


def _saved(name: str, design: Architecture) -> None:
    _seen()[name] = design
    st.toast(f"Saved as {escaped(name)}", icon=":material/save:")


def forget(name: str) -> None:
    """Delete a saved design; one that has changed since this tab showed it stays the first time."""
    seen = _seen().get(name)
    _seen()[name] = held(name)
    with reporting():
        delete_design(name, me(), seen)
        if st.query_params.get(FROM) == SAVED + name:
            del st.query_params[FROM]
            st.query_params[DESIGN] = to_code(st.session_state[HISTORY].present)


def two_designs(now: Opened) -> None:
    """The question that a save left: two designs want one name, and neither is lost."""
    name = now.architecture.name
    if st.session_state.get(CHANGED) != name or not (theirs := held(name)):
        return
    st.warning(
        f"**{escaped(name)}** has changed since this page showed it: another tab saved a design with "
        f"{plural(len(theirs.ops), 'op')}; yours has {len(now.architecture.ops)} and is not saved yet.",
        icon=":material/difference:",
    )
    row = st.container(horizontal=True, gap="small")
    row.button("Keep mine under another name", key="design-beside", icon=":material/save:", on_click=_keep_beside)
    row.button(
        "Take the saved one", key="design-theirs", icon=":material/download:", on_click=_take_theirs, args=(name,),
        help="Undo brings yours back.",
    )  # fmt: skip


def _keep_beside() -> None:
    with reporting():
        design: Architecture = st.session_state[HISTORY].present
        name = save_beside(design, me())
        named = replace(design, name=name)
        st.session_state[HISTORY] = record(st.session_state[HISTORY], named)
        st.query_params[DESIGN] = to_code(named)
        st.session_state.pop(CHANGED, None)
        _saved(name, named)


def _take_theirs(name: str) -> None:
    with reporting():
        theirs = _seen()[name] = held(name)
        st.session_state.pop(CHANGED, None)
        if theirs:
            st.session_state[HISTORY] = record(st.session_state[HISTORY], theirs)
            st.session_state[SELECTED] = (0,), (0,)
            st.query_params[DESIGN] = to_code(theirs)
