"""Ladder: every step of the three lineages, in order."""

import pandas as pd
import streamlit as st

from core import catalogue
from core.trace import classifier
from lab import figures
from lab.shelf import shipped
from lab.widgets import label, mark, millions

st.title("The ladder")
st.markdown(
    "Three people climbed towards the same goal: **99.4% on MNIST's test digits, held in the last epochs, in at most 15 "
    "epochs and 8,000 parameters**. Each step changes something; see what it cost and what it gave."
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
    figures.ladder(points), key="ladder", on_select="rerun", selection_mode="points", config={"displaylogo": False},
    alt="Parameters against test accuracy; the table below has the same figures.",
)  # fmt: skip
st.caption(
    "Hollow: the write-up's claim, its best epoch on the test set of one run. Filled: the last epoch of one run here. "
    "Click a mark, or a row, to open the step."
)
if picked.selection.points:
    slug = picked.selection.points[0]["customdata"][0]
    st.session_state.pop("ladder", None)
    st.switch_page("pages/learn/step.py", query_params={"step": slug})

for lineage in catalogue.LINEAGES:
    st.subheader(lineage.title)
    st.caption(lineage.about)
    steps = [step for step in catalogue.STEPS if step.lineage == lineage.key]
    walks = [classifier(step.architecture) for step in steps]
    table = pd.DataFrame(
        {
            "step": [label(step) for step in steps],
            "parameters": [walked.parameters for walked in walks],
            "field": [walked.field.size for walked in walks],
            "MACs": [millions(walked.macs) for walked in walks],
            "claimed": [100 * step.claim.best_test_accuracy for step in steps],
            "measured": [
                100 * measured[step.slug].record.test_accuracy if step.slug in measured else None for step in steps
            ],
            "what changed": [step.change or "the start" for step in steps],
        }
    )
    chosen = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="single-row", key=f"steps-{lineage.key}",
        column_config={
            "step": st.column_config.TextColumn(width="medium"),
            "parameters": st.column_config.NumberColumn(format="localized", width="small"),
            "field": st.column_config.NumberColumn(width="small"),
            "MACs": st.column_config.TextColumn(width="small"),
            "claimed": st.column_config.NumberColumn("claimed, %", format="%.2f", width="small"),
            "measured": st.column_config.NumberColumn("measured, %", format="%.2f", width="small"),
            "what changed": st.column_config.TextColumn(width="large"),
        },
        alt=f"The steps of {lineage.title}.",
    )  # fmt: skip
    if chosen.selection.rows:
        st.switch_page("pages/learn/step.py", query_params={"step": steps[chosen.selection.rows[0]].slug})
