"""The teacher's form for the challenge of the class."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import streamlit as st

from core.challenge import Challenge, Data
from core.errors import ChangedError
from core.record import Range, range_of
from lab.classroom.actions import set_challenge
from lab.runs.challenge import challenge_now
from lab.runs.person import Person
from lab.settings import settings
from lab.ui.caches import challenge, store
from lab.ui.number_field import number_field

Attempt = Callable[[Callable[[Person], object]], None]
SEEN, CHANGED = "challenge_seen", "challenge_changed"  # in the session: what the form was filled with; a refusal
KEYS = ("dataset", "accuracy", "held_epochs", "epochs", "parameters")
WHOLE = {
    "held_epochs": ("Held epochs", "A run holds the accuracy when each of its last so many epochs reaches it."),
    "epochs": ("Epochs, at most", "Of a run."),
    "parameters": ("Parameters, at most", "Of a network."),
}


def challenge_form(attempt: Attempt) -> None:
    """What the class's runs are held against. `attempt` acts in the name of this browser's person."""
    now = challenge()
    seen = st.session_state.setdefault(SEEN, now)
    if seen != now and _key("epochs") in st.session_state and _typed() in (seen, now):  # else its own words stay in it
        _show(now)
    with st.expander("The challenge", icon=":material/flag:", key="teacher_challenge"):
        with st.form("challenge", border=False):
            choices = get_args(Data)
            st.selectbox("Data set", choices, choices.index(now.dataset), key=_key("dataset"))
            bounds = range_of(Challenge, "accuracy")
            number_field(
                "Test accuracy, %",
                Range(100 * bounds.least, 100 * bounds.most),
                round(100 * now.accuracy, 4),
                step=0.1,
                format="%.6g",
                key=_key("accuracy"),
            )
            for name, (label, why) in WHOLE.items():
                bounds = range_of(Challenge, name)
                value = getattr(now, name)
                number_field(label, bounds, value, key=_key(name), help=why)
            st.form_submit_button(
                "Set the challenge", icon=":material/flag:", width="stretch", on_click=_set, args=(attempt,)
            )
        if st.session_state.get(CHANGED):
            st.button(
                "Show the one that holds",
                key="challenge_theirs",
                icon=":material/refresh:",
                width="stretch",
                on_click=_show,
                args=(now,),
            )
        if now != settings().challenge:
            st.button(
                "Back to the lab's own",
                key="challenge_back",
                icon=":material/undo:",
                width="stretch",
                on_click=_back,
                args=(attempt,),
            )
        st.caption("The figures at the head of a page, the advice, the board and the challenge's lesson follow it.")


def _key(name: str) -> str:
    return f"challenge_{name}"


def _typed() -> Challenge:
    dataset, percent, *whole = (st.session_state[_key(name)] for name in KEYS)
    return Challenge(dataset, round(percent / 100, 6), *whole)


def _show(shown: Challenge) -> None:
    """Fill the form with what holds."""
    st.session_state[SEEN] = shown
    st.session_state.pop(CHANGED, None)
    for name in KEYS:
        st.session_state.pop(_key(name), None)


def _set(attempt: Attempt) -> None:
    attempt(lambda person: _keep(person, _typed()))


def _back(attempt: Attempt) -> None:
    attempt(lambda person: _keep(person, None))
    if not st.session_state.get(CHANGED):
        _show(challenge_now(store()))


def _keep(person: Person, chosen: Challenge | None) -> None:
    try:
        set_challenge(store(), chosen, person, st.session_state[SEEN])
    except ChangedError:
        challenge.clear()
        st.session_state[SEEN], st.session_state[CHANGED] = challenge_now(store()), True
        raise
    st.session_state[SEEN] = chosen or challenge_now(store())
    st.session_state.pop(CHANGED, None)
