"""The teacher's side of the page: the passphrase, the switches for all, and the buttons of each run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from core.errors import LabError
from core.words import plural, rounded
from lab.classroom import actions as class_acts
from lab.classroom.class_lock import MAX_CHARACTERS, WINDOW_SECONDS
from lab.runs import actions
from lab.runs.person import Person
from lab.runs.rows import Run
from lab.settings import settings
from lab.ui import class_tables
from lab.ui.caches import challenge, class_lock, expectations, leading, ranking, store, the_queue
from lab.ui.challenge_form import challenge_form
from lab.ui.follow import JOIN
from lab.ui.owner import me
from lab.ui.words import show_error

REFUSED = "class_refused"  # in the session: why the last act was refused; `show_refusal` shows it
QUEUE = "pages/experiment/queue.py"


def attempt(act: Callable[[Person], object]) -> None:
    """Act in the name of this browser's person, in a callback; a refusal is kept, so that the page can show it."""
    try:
        act(me())
        for kept in (expectations, the_queue, challenge, ranking):
            kept.clear()  # everybody sees the result at once
    except LabError as error:
        st.session_state[REFUSED] = error


def show_refusal() -> None:
    """Show once why the last act was refused."""
    if refused := st.session_state.pop(REFUSED, None):
        show_error(refused)


# ------------------------------------------------------------------------------------------------- on every page


def sidebar() -> None:
    """A badge, and the switch to lead the class; for the teacher only."""
    if not me().teacher:
        return
    st.badge("You are the teacher", icon=":material/school:", color="green")
    lead_switch("lead_here")
    st.page_link(QUEUE, label="The queue and the class", icon=":material/groups:")


def lead_switch(key: str) -> None:
    """Lead the class, or stop."""
    st.session_state[key] = leading().leads(me())

    def turn() -> None:
        attempt(leading().begin if st.session_state[key] else leading().end)

    st.toggle(
        "Lead the class",
        key=key,
        on_change=turn,
        help="Students who follow see the page that you are on, and its scene, step or run, until they stop following.",
    )


# --------------------------------------------------------------------------------------------- on the queue's page


def panel() -> None:
    """The way in for the teacher, and, once in, what the teacher decides for all."""
    if me().teacher:
        _desk()
        return
    with st.expander("I am the teacher", icon=":material/key:", key="teacher_way_in"):
        if settings().class_passphrase:
            _unlock_form()
        else:
            st.markdown(
                "This lab has no passphrase yet, so nobody is the teacher, and anybody can stop runs that were started "
                "without a browser. To set one, use this command on the server and start the app again:"
            )
            st.code("python -m lab passphrase", language="sh")
    show_refusal()


def _unlock_form() -> None:
    with st.form("unlock", border=False, clear_on_submit=True):
        st.text_input(
            "Passphrase", type="password", key="passphrase", max_chars=MAX_CHARACTERS, autocomplete="current-password"
        )
        st.form_submit_button("Unlock", icon=":material/lock_open:", width="stretch", on_click=_unlock)
    st.caption("This browser is then the teacher's for 12 hours, or until you leave.")


def _unlock() -> None:
    attempt(lambda person: class_lock().unlock(person.key, st.session_state.passphrase, st.context.ip_address or ""))


def _desk() -> None:
    with st.container(border=True, key="teacher_desk"):
        st.badge("You are the teacher", icon=":material/school:", color="green")
        if wrong := class_lock().wrong():
            st.caption(
                f"{plural(wrong, 'wrong passphrase')} within the last {rounded(WINDOW_SECONDS / 60, 0)} minutes."
            )
        lead_switch("lead_class")
        _switch("Hold the queue", "queue_paused", class_acts.hold_queue, "No new run starts; training runs continue.")
        _switch(
            "Lift the limits",
            "bounds_lifted",
            class_acts.lift_bounds,
            "Runs submitted from now on may be of any size. Yours always can.",
        )
        challenge_form(attempt)
        if st.button("Stop all", icon=":material/stop_circle:", width="stretch", disabled=not the_queue().unfinished):
            _confirm_stop_all()
        class_tables.downloads()
        st.button("Leave", icon=":material/logout:", width="stretch", on_click=_leave, help="Be a student again.")
        show_refusal()


def invitation() -> None:
    """How to follow, for the projector: while the teacher leads, and only in the teacher's own window."""
    if not leading().leads(me()):
        return
    with st.container(border=True, key="invitation", gap="small"):
        st.code(join_address(), language=None, wrap_lines=True)
        st.caption(
            "Students who open this address follow you from page to page and from scene to scene, until they stop. "
            "They do not follow you to this page."
        )


def _switch(label: str, name: str, act: Callable[..., None], help_text: str) -> None:
    key = f"class_{name}"
    st.session_state[key] = the_queue().paused if name == "queue_paused" else the_queue().lifted

    def turn() -> None:
        attempt(lambda person: act(store(), st.session_state[key], person))

    st.toggle(label, key=key, on_change=turn, help=help_text)


def _leave() -> None:
    def lock(person: Person) -> None:
        if leading().leads(person):
            leading().end(person)
        class_lock().lock(person.key)

    attempt(lock)


def join_address() -> str:
    """The first page's address, with the parameter that makes a browser follow the teacher."""
    address = (st.context.url or "").split("?")[0]
    return f"{address.removesuffix('/').removesuffix('/queue').removesuffix('/teach')}/?{JOIN}=1"


@st.dialog("Stop all runs")
def _confirm_stop_all() -> None:
    now = the_queue()
    st.markdown(
        f"**{len(now.under_way)} training** and **{len(now.waiting)} waiting**. Those that are training keep their "
        "epochs, and their owners can resume them."
    )
    if st.button("Stop them all", type="primary", icon=":material/stop_circle:", key="stop_all"):
        attempt(lambda person: class_acts.stop_all(store(), person))
        st.rerun()


def buttons(run: Run, waiting: bool, first: bool = False) -> None:
    """What the teacher can do with a run; the permission is checked again when it is done."""
    if waiting:
        st.button(
            "First", key=f"first-{run.id}", icon=":material/vertical_align_top:", type="tertiary", disabled=first,
            on_click=attempt, args=(partial(class_acts.put_first, store(), run.job),), help="Starts before all others.",
        )  # fmt: skip
        st.button(
            "Last", key=f"last-{run.id}", icon=":material/vertical_align_bottom:", type="tertiary",
            on_click=attempt, args=(partial(class_acts.put_last, store(), run.job),),
            help="Starts after its owner's other runs, and after those of people whose last turn is as long ago.",
        )  # fmt: skip
    stop_button(run)


def stop_button(run: Run) -> None:
    """The owner's and the teacher's."""
    st.button(
        "Stopping" if run.stop_requested else "Stop", key=f"stop-{run.id}", icon=":material/stop:", type="tertiary",
        on_click=attempt, args=(partial(actions.stop, store(), run.job),), disabled=run.stop_requested,
    )  # fmt: skip
