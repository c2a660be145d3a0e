"""The person's nickname, kept for the session and in the URL, ?me=."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.errors import RunError
from lab.runs.rows import MAX_NICKNAME, plain_words
from lab.ui import url

NAME = "me"  # in the URL and in the session
FIELD = "nickname_field"


def nickname() -> str:
    """The nickname, or "" where none was given. One in the URL that is too long counts as not given."""
    if given := st.query_params.get(NAME, ""):
        with suppress(RunError):
            st.session_state[NAME] = plain_words(given, "the nickname", MAX_NICKNAME)
    return str(st.session_state.get(NAME, ""))


def nickname_field() -> str:
    """The field for it, filled with what is known; returns the nickname."""
    st.session_state[FIELD] = nickname()
    st.text_input(
        "Your nickname", key=FIELD, max_chars=MAX_NICKNAME, on_change=_keep, placeholder="none",
        help="Shown beside your runs on the challenge board. The lab also keeps what this browser works on, no more.",
    )  # fmt: skip
    return nickname()


def _keep() -> None:
    st.session_state[NAME] = plain_words(st.session_state[FIELD], "the nickname", MAX_NICKNAME)
    url.put(NAME, st.session_state[NAME])
