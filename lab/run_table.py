"""The runs there have been, newest first; a click opens one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import LabError
from lab.resources import store
from lab.words import show_error


def run_table(limit: int = 50) -> None:
    """A table of runs; choosing a row puts the run into the URL."""
    try:
        runs = store().runs(limit=limit)
        last = store().last_epochs([run.id for run in runs])
    except LabError as error:
        show_error(error)
        return
    st.subheader("Runs")
    if not runs:
        st.caption("None yet. Start one: it stays here, with its figures and its checkpoint.")
        return
    frame = pd.DataFrame(
        {
            "started": pd.to_datetime([run.created for run in runs], unit="s"),
            "what": ["range test" if run.kind == "range_test" else "training" for run in runs],
            "network": [run.name for run in runs],
            "data": [run.dataset for run in runs],
            "status": [run.status for run in runs],
            "epochs": [
                f"{last[run.id].epoch + 1 if run.id in last else 0} of {run.epochs}" if run.kind == "train" else ""
                for run in runs
            ],
            "test": [100 * last[run.id].test_accuracy if run.id in last else None for run in runs],
            "parameters": [run.parameters for run in runs],
        }
    )
    version = st.session_state.setdefault("run_table_version", 0)
    chosen = st.dataframe(
        frame, hide_index=True, on_select="rerun", selection_mode="single-row", key=f"runs-{version}",
        column_config={
            "started": st.column_config.DatetimeColumn(format="distance", width=130),
            "test": st.column_config.NumberColumn("test, last, %", format="%.2f"),
            "parameters": st.column_config.NumberColumn(format="localized"),
        },
        alt="Runs, newest first.",
    )  # fmt: skip
    if chosen.selection.rows:
        st.session_state.run_table_version += 1  # a fresh table, so that the same row can be chosen again
        run = runs[chosen.selection.rows[0]]
        st.query_params.from_dict({"run": run.id})  # the page takes the step from it
        st.rerun()
