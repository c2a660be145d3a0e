"""Ladder: every step of the three lineages, in order."""

import streamlit as st

from core import catalogue
from core.trace import classifier
from lab import figures, frame
from lab.shelf import shipped
from lab.widgets import errata_table, label, ladder_rows, mark

frame.heading(
    "The ladder",
    "Three teams climbed towards one goal: **99.4% on MNIST's test digits, held in the last epochs, in at most 15 "
    "epochs and 8,000 parameters**. Each step changes something: see what it cost and what it gave.",
)

measured = {shelved.card.slug: shelved.card for shelved in shipped()}
points = [
    figures.LadderPoint(
        slug=step.slug,
        label=mark(step),
        title=label(step),
        lineage=step.lineage,
        parameters=classifier(step.architecture).parameters,
        claimed=step.claim.best_test_accuracy,
        measured=measured[step.slug].record.test_accuracy if step.slug in measured else None,
    )
    for step in catalogue.STEPS
]
picked = st.plotly_chart(
    figures.ladder(points), key="ladder", on_select="rerun", selection_mode="points", config={"displayModeBar": False},
    alt="Parameters against test accuracy; the table below has the same figures.",
)  # fmt: skip
st.caption(
    "Hollow: the write-up's claim, its best epoch on the test set of one run. Filled: the last epoch of one run here. "
    "Click a mark to open its step."
)
if picked.selection.points:
    slug = picked.selection.points[0]["customdata"][0]
    st.session_state.pop("ladder", None)
    st.switch_page("pages/learn/step.py", query_params={"step": slug})

for lineage in catalogue.LINEAGES:
    st.subheader(lineage.title, anchor=False)
    st.caption(lineage.about)
    ladder_rows([step for step in catalogue.STEPS if step.lineage == lineage.key], measured)

errata_table("What holds for all of them", catalogue.COMMON_ERRATA)
st.page_link("pages/learn/step.py", label="Look at a step", icon=":material/arrow_forward:")
