"""The challenge board: who holds 99.4% with at most 8,000 parameters in at most 15 epochs."""

import streamlit as st

from core.challenge import MAX_EPOCHS, MAX_PARAMETERS, TARGET_ACCURACY
from lab.experiment.board import view as board_view
from lab.ui import frame, presentation
from lab.ui.links import link
from lab.ui.unreadable import list_studies
from lab.ui.words import errors_shown

row = frame.heading(
    "The challenge board",
    f"Hold **{TARGET_ACCURACY:.1%}** on MNIST's test digits in the last three epochs, with at most "
    f"**{MAX_PARAMETERS:,} parameters**, in at most **{MAX_EPOCHS} epochs**: every finished run is listed here.",
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
        if with_ladder:
            list_studies()
    with wide:
        board_view.board(nickname, tag, with_ladder)
if not presentation.presenting():
    link("experiment/train", "Train a network of your own")
