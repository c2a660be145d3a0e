"""Files that cannot be read are listed with the reason, on the pages that show the others."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.words import plural
from lab.studies import own_ladder
from lab.studies.results import unreadable_studies
from lab.studies.shelf import Unreadable, unreadable
from lab.ui.caches import store
from lab.ui.words import escaped, told

MOST = 50  # listed: after a restored backup without weights there may be thousands


def list_checkpoints(found: Sequence[Unreadable] | None = None) -> None:
    """The checkpoints that cannot be opened, of all or of these, behind their number; nothing where all can."""
    _list("checkpoint", unreadable() if found is None else found)


def list_studies() -> None:
    """The studies that cannot be read."""
    _list("study", unreadable_studies(), "studies")


def list_steps() -> None:
    """The files of the class's own ladder that are no steps."""
    if faults := own_ladder.own_ladder().faults:
        with st.expander(f"{plural(len(faults), 'fault')} in the class's own ladder", icon=":material/warning:"):
            st.markdown("\n".join(f"- {told(each)}" for each in faults))


def list_runs() -> None:
    """The runs whose rows in the store are damaged: which, what is wrong, and where each is kept."""
    if found := store().damaged_runs():
        with st.expander(f"{plural(len(found), 'run')} set aside: damaged", icon=":material/warning:"):
            st.markdown("\n".join(f"- {told(each.sentence)}" for each in found[:MOST]))


def list_snapshots(found: Sequence[Unreadable]) -> None:
    """The epochs of a run whose weights cannot be opened."""
    _list("epoch", found)


def _list(noun: str, found: Sequence[Unreadable], nouns: str = "") -> None:
    if not found:
        return
    lines = [f"- **{escaped(each.reference)}**: {told(each.reason)}" for each in found[:MOST]]
    lines += [f"- and {len(found) - MOST:,} more"] if len(found) > MOST else []
    with st.expander(f"{plural(len(found), noun, nouns)} cannot be read", icon=":material/warning:"):
        st.markdown("\n".join(lines))
