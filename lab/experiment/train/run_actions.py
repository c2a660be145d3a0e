"""What can be done with runs that are there: give them a name, a nickname and tags, or delete them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import ChangedError, LabError
from core.words import plural
from lab.runs import actions
from lab.runs.actions import Labels, labels_of
from lab.runs.person import may_change
from lab.runs.rows import MAX_NAME, MAX_NICKNAME, Run
from lab.studies.entries import Entry, label_of
from lab.ui import url
from lab.ui.caches import store
from lab.ui.owner import me
from lab.ui.words import errors_shown, escaped, show_error


def run_actions(entries: Sequence[Entry]) -> None:
    """An expander for the store's own among the entries: one to name and tag, one or all to delete."""
    own = {entry.key: entry for entry in entries if entry.members and all_mine(entry.members)}
    if not own:
        return
    panel = st.expander("Rename, tag, delete", icon=":material/edit:", key="run_actions", on_change="rerun")
    if not panel.open:
        return
    with panel:
        key = next(iter(own))
        if len(own) > 1:
            key = st.selectbox("Which", list(own), key="acted_on", format_func=lambda each: label_of(own[each].members))
        edit_form(own[key].members, key=f"edit-{key}")
        if st.button("Delete it", icon=":material/delete:", width="stretch", key=f"delete-{key}"):
            confirm_deletion([own[key].members])


def all_mine(runs: Sequence[Run]) -> bool:
    """Whether the viewer may change all of these runs."""
    person = me()
    return all(may_change(person, run) for run in runs)


def edit_form(members: Sequence[Run], key: str) -> None:
    """Name, nickname and tags of a run, or of all the runs of a group; an error is said in its place."""
    there = labels_of(members[0])
    seen = seen_in_form(key, there)
    with st.form(key, border=False):
        st.text_input("Name", key=f"{key}-name", max_chars=MAX_NAME)
        st.text_input("Nickname", key=f"{key}-owner", max_chars=MAX_NICKNAME, help="Whose run it is, on the board.")
        st.text_input("Tags", key=f"{key}-tags", help="Words to find it by, with commas between.")
        if not st.form_submit_button("Save", icon=":material/save:", width="stretch"):
            return
    with errors_shown():
        try:
            actions.describe(store(), [member.id for member in members], me(), _typed(key), seen)
        except ChangedError:
            st.session_state[f"{key}-seen"] = there
            st.button("Take theirs", icon=":material/undo:", key=f"{key}-theirs", on_click=_fill, args=(key, there))
            raise
        st.session_state.pop(f"{key}-seen")
        st.rerun()


def seen_in_form(key: str, there: Labels) -> Labels:
    """The labels that the form of that key was filled with; one in which nothing is typed follows the run."""
    seen: Labels | None = st.session_state.get(f"{key}-seen")
    if seen is None or f"{key}-name" not in st.session_state or (seen != there and _typed(key) == seen):
        _fill(key, there)
        return there
    return seen


def _fill(key: str, labels: Labels) -> None:
    st.session_state[f"{key}-seen"] = labels
    for name, text in (("name", labels.name), ("owner", labels.owner), ("tags", ", ".join(labels.tags))):
        st.session_state[f"{key}-{name}"] = text


def _typed(key: str) -> Labels:
    name, owner, tags = (st.session_state[f"{key}-{each}"] for each in ("name", "owner", "tags"))
    return Labels(name, owner, tuple(each.strip() for each in tags.split(",") if each.strip()))


@st.dialog("Delete runs")
def confirm_deletion(chosen: Sequence[Sequence[Run]]) -> None:
    """Ask once more, naming what goes; then delete it with its figures and its checkpoints."""
    runs = [run for members in chosen for run in members]
    st.markdown(f"**{plural(len(runs), 'run')}** with figures and checkpoints, for good:")
    for members in chosen[:8]:
        owner = f" · {members[0].owner}" if members[0].owner else ""
        seeds = f", {len(members)} seeds" if len(members) > 1 else ""
        st.markdown(f"- {escaped(members[0].name + owner + seeds)}")
    if len(chosen) > 8:
        st.markdown(f"- and {len(chosen) - 8} more")
    if not st.button("Delete for good", type="primary", icon=":material/delete_forever:", key="delete_for_good"):
        return
    failed = False
    for run in runs:
        try:
            actions.delete(store(), run.id, me())
        except LabError as error:
            failed = True
            show_error(error)
    forget({name for members in chosen for name in (members[0].seed_group, *(run.id for run in members))})
    if not failed:
        st.rerun()


def forget(gone: set[str]) -> None:
    """Take deleted runs out of the page's URL."""
    if url.given("run") in gone:
        url.drop("run")
    if "runs" in st.query_params:
        st.query_params.runs = ",".join(key for key in url.given("runs").split(",") if key not in gone)
