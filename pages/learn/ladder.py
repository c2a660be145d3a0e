"""Ladder: every step of the three lineages, in order."""

import streamlit as st

from core.ladder.common import COMMON_ERRATA
from lab.learn.ladder import ladder_points, ladder_rows
from lab.learn.step import errata_table
from lab.studies import own_ladder
from lab.studies.results import error_of_images, measured_studies
from lab.ui import frame, ladder_figure
from lab.ui.caches import challenge
from lab.ui.colours import ink
from lab.ui.links import link
from lab.ui.live_plot import still_plot
from lab.ui.unreadable import list_steps, list_studies

frame.heading(
    "The ladder",
    "Three teams climbed towards one goal, and the lab after them: **99.4% on MNIST's test digits, held in the last "
    "epochs, in at most 15 epochs and 8,000 parameters**. Each step changes something: see what it cost and gave.",
)

asked = challenge()
measured = measured_studies(asked)
points = ladder_points(own_ladder.ladder(), measured)
picked = still_plot(
    ladder_figure.ladder(points, ink(), challenge=asked), "ladder-picture", on_select="rerun", selection_mode="points",
    alt="Parameters against test accuracy: claims hollow, our means filled with bars of one standard deviation, the "
    "challenge's corner and the Pareto front of our means. The tables below have the same figures.",
)  # fmt: skip
st.caption(
    "Hollow: the write-up's claim, its best epoch on the test set of one run. Filled: the mean of our runs' last "
    "epochs; its bar is one standard deviation over the seeds. Without a bar it is a single run: n differs, hover says "
    "it. Line: the best mean so far from left to right (Pareto front). Every mark has its true place: where many are "
    "close together, a line leads from a name to its mark. The accuracy axis is stretched towards 100%. Click a mark "
    "to open its step."
)
if slug := next((mark_of["customdata"][0] for mark_of in picked.selection.points if mark_of.get("customdata")), None):
    st.session_state.pop("ladder-picture", None)
    st.switch_page("pages/learn/step.py", query_params={"step": slug})

last = "its last epoch" if asked.held_epochs == 1 else f"all of its last {asked.held_epochs} epochs"
st.caption(
    f"A run **held** {asked.target} when {last} reached it. A claim is consistent with "
    f"our runs when one more of them could have its best epoch there. {error_of_images()}"
)
for lineage in own_ladder.lineages():
    st.header(lineage.title, anchor=False)
    st.caption(lineage.about)
    ladder_rows([step for step in own_ladder.ladder() if step.lineage == lineage.key], measured)

list_studies()
list_steps()
errata_table("What holds for all of them", COMMON_ERRATA)
link("learn/step", "Look at a step")
