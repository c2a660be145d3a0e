"""The seeds of a run: one, another for each run, or several, which are trained as one group."""

from __future__ import annotations

import secrets

import streamlit as st

RANDOM_BELOW = 10_000  # four digits can be read out in class, and thirty people rarely draw the same


def seeds_field(key: str) -> str:
    """The field. Its first value is a random seed, so that the same form started thirty times is thirty runs."""
    number = st.session_state.setdefault(f"{key}-starts", 0)
    drawn = st.session_state.setdefault(f"{key}-drawn-{number}", str(secrets.randbelow(RANDOM_BELOW)))
    return str(st.text_input(
        "Seeds", drawn, key=f"{key}-seeds-{number}", persist_state="session", max_chars=200, icon=":material/casino:",
        help="The seed decides the first weights, the order of the images and every random change of them. "
        "Several, such as `0-4` or `1,7,9`, train the same network and recipe once with each: only then a mean and its "
        "deviation can be told. Give two runs the same seeds to compare them pair by pair.",
    ))  # fmt: skip


def new_seed(key: str) -> None:
    """After a start: draw another seed for the next run, unless the seeds were chosen by hand."""
    number = st.session_state[f"{key}-starts"]
    if st.session_state[f"{key}-seeds-{number}"] == st.session_state[f"{key}-drawn-{number}"]:
        st.session_state[f"{key}-starts"] = number + 1
