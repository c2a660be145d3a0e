"""The challenge board: who holds the accuracy with at most so many parameters in at most so many epochs."""

import streamlit as st

from core.words import plural
from lab.experiment.board import view as board_view
from lab.ui import frame, presentation
from lab.ui.caches import challenge
from lab.ui.links import link
from lab.ui.unreadable import list_runs, list_studies
from lab.ui.words import errors_shown

asked = challenge()
row = frame.heading(
    "The challenge board",
    f"Hold **{asked.target}** on {asked.dataset}'s test {asked.noun} in the {asked.last_epochs}, with at most "
    f"**{asked.parameters:,} parameters**, in at most **{plural(asked.epochs, 'epoch')}**: every finished run is "
    "listed here.",
    presents=True,
)
narrow, wide = presentation.columns(row, 1, 4, "Filter and legend")
with errors_shown():
    with narrow:
        nickname, tag = board_view.filters()
        with_ladder = st.toggle(
            "The ladder behind", True, key="ladder", bind="query-params", help="The measured steps, pale."
        )
        board_view.explanation()
        list_runs()
        if with_ladder:
            list_studies()
    with wide:
        board_view.board(nickname, tag, with_ladder)
if not presentation.presenting():
    link("experiment/train", "Train a network of your own")
