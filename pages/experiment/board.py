"""The challenge board: who holds the accuracy with at most so many parameters in at most so many epochs."""

import streamlit as st

from core.words import plural
from lab.experiment.board import view as board_view
from lab.ui import frame
from lab.ui.caches import challenge
from lab.ui.links import link
from lab.ui.unreadable import list_studies
from lab.ui.words import errors_shown

asked = challenge()
frame.heading(
    "The challenge board",
    f"Hold **{asked.target}** on {asked.dataset}'s test {asked.noun} in the {asked.last_epochs}, with at most "
    f"**{asked.parameters:,} parameters**, in at most **{plural(asked.epochs, 'epoch')}**: every finished run is "
    "listed here.",
)
narrow, wide = st.columns([1, 4], gap="large")
with errors_shown():
    with narrow:
        nickname, tag = board_view.filters()
        with_ladder = st.toggle(
            "The ladder behind", True, key="ladder", bind="query-params", help="The measured steps, pale."
        )
        board_view.explanation()
        if with_ladder:
            list_studies()
    with wide:
        board_view.board(nickname, tag, with_ladder)
link("experiment/train", "Train a network of your own")
