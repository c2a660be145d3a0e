"""The runs there have been, newest first, those of many seeds in one row; a click opens one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import LabError
from core.history import EpochRecord
from lab.resources import store
from lab.runs import Run, spread
from lab.words import show_error


def run_table(limit: int = 50) -> None:
    """A table of runs; choosing a row puts its run into the URL, of many seeds the lowest's."""
    try:
        entries = store().entries(limit)
        last = store().last_epochs([run.id for runs in entries for run in runs])
    except LabError as error:
        show_error(error)
        return
    st.subheader("Runs")
    if not entries:
        st.caption("None yet. Start one: it stays here, with its figures and its checkpoint.")
        return
    frame = pd.DataFrame([_row(runs, last) for runs in entries])
    if frame["deviation"].isna().all():
        frame = frame.drop(columns="deviation")
    version = st.session_state.setdefault("run_table_version", 0)
    chosen = st.dataframe(
        frame, hide_index=True, on_select="rerun", selection_mode="single-row", key=f"runs-{version}",
        column_config={
            "started": st.column_config.DatetimeColumn(format="distance", width=130),
            "test": st.column_config.NumberColumn("test, last, %", format="%.2f", help="Of many seeds, the mean."),
            "deviation": st.column_config.NumberColumn("±", format="%.2f", help="Standard deviation over the seeds."),
            "parameters": st.column_config.NumberColumn(format="localized"),
        },
        alt="Runs, newest first.",
    )  # fmt: skip
    if chosen.selection.rows:
        st.session_state.run_table_version += 1  # a fresh table, so that the same row can be chosen again
        run = entries[chosen.selection.rows[0]][0]
        st.query_params.from_dict({"run": run.id})  # the page takes the step from it
        st.rerun()


def _row(runs: list[Run], last: dict[str, EpochRecord]) -> dict[str, object]:
    """The cells of one run, or of the runs of one group: of these, mean and deviation of those that have finished."""
    run, many = runs[0], len(runs) > 1
    finished = [each for each in runs if each.status == "finished"]
    test = spread([100 * last[each.id].test_accuracy for each in (finished if many else runs) if each.id in last])
    done = sum(last[each.id].epoch + 1 for each in runs if each.id in last)
    planned = f"{len(runs)} × {run.epochs}" if many else f"{run.epochs}"
    return {
        "started": pd.to_datetime(run.created, unit="s"),
        "what": "range test" if run.kind == "range_test" else f"{len(runs)} seeds" if many else "training",
        "network": run.name,
        "data": run.dataset,
        "status": f"{len(finished)} of {len(runs)} finished" if many else run.status,
        "epochs": f"{done} of {planned}" if run.kind == "train" else "",
        "test": test.mean,
        "deviation": test.sd,
        "parameters": run.parameters,
    }
