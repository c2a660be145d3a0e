"""The runs there have been, newest first, those of many seeds in one row: open one, or tick some and act on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis.spread import spread
from core.data.mnist import EMBEDDED
from core.errors import LabError
from core.training.history import EpochRecord
from lab.experiment.train.run_actions import all_mine, confirm_deletion, edit_form
from lab.runs.rows import Run
from lab.ui.caches import store
from lab.ui.run_rows import compare_button, opened, table_key
from lab.ui.tables import without_empty
from lab.ui.unreadable import list_runs
from lab.ui.words import errors_shown, show_error

TICK = 10.0  # seconds between two looks at the runs' epochs: an open run's panel has them each second
MAY_BE_EMPTY = ("deviation", "nickname", "tags")  # columns that are left out where no run has such a thing


def run_table(limit: int = 50) -> None:
    """A table of runs; a click on a row puts its run, or its group of seeds, into the URL; live while one runs."""
    with errors_shown():
        busy = store().runs(limit=1, statuses=("running", "queued"))
        st.fragment(lambda: _table(limit), run_every=TICK if busy else None)()
        list_runs()


def _table(limit: int) -> None:
    try:
        entries = store().entries(limit)
        last = store().last_epochs([run.id for runs in entries for run in runs])
    except LabError as error:
        show_error(error)
        return
    bar = st.container()
    if not entries:
        bar.header("Runs")
        st.caption("None yet. Start one: it stays here, with its figures and its checkpoint.")
        return
    rows = [_row(runs, last) for runs in entries]
    frame = without_empty(pd.DataFrame(rows), MAY_BE_EMPTY)
    frame["started"] = pd.to_datetime(frame["started"], unit="s")
    state = st.dataframe(
        frame, hide_index=True, on_select="rerun", selection_mode=["multi-row", "single-cell"],
        key=table_key("runs", [runs[0].job for runs in entries]), placeholder="",
        column_config={
            "started": st.column_config.DatetimeColumn(format="distance", width=106),
            "what": st.column_config.TextColumn(width=68),
            "network": st.column_config.TextColumn(width=156),
            "epochs": st.column_config.TextColumn(width=64),
            "nickname": st.column_config.TextColumn(width=70),
            "data": st.column_config.TextColumn(width=76),
            "test": st.column_config.NumberColumn("test, last, %", format="%.2f", width=84, help="Of seeds, the mean."),
            "deviation": st.column_config.NumberColumn("±", format="%.2f", width=50, help="Over the seeds."),
            "parameters": st.column_config.NumberColumn(format="localized", width=82),
        },
        alt="Runs, newest first.",
    )  # fmt: skip
    _act(bar, [entries[row] for row in state.selection.rows])
    opened(state, "runs", lambda row: _open(entries[row]))


def _open(members: list[Run]) -> None:
    st.query_params.from_dict({"run": members[0].job})  # the page takes the step from it
    st.rerun()


def _act(bar: Any, ticked: Sequence[list[Run]]) -> None:  # Any: a container
    """The heading, with what can be done with the ticked rows beside it: always there, so that nothing moves."""
    title, compare, edit, delete = bar.columns([3, 1.2, 1.2, 1], vertical_alignment="bottom")
    title.header("Runs")
    title.caption("Click a row to open its run; tick several to compare them.")
    with compare:
        compare_button([runs[0].job for runs in ticked if runs[0].kind == "train"], "runs")
    mine = all_mine([run for runs in ticked for run in runs])
    why = None if mine else "These are not all yours: only a run's owner, in the same browser, or the teacher can."
    with edit.popover(
        "Name, tags", icon=":material/edit:", disabled=len(ticked) != 1 or not mine, width="stretch", help=why
    ):
        if len(ticked) == 1 and mine:
            edit_form(ticked[0], key=f"edit-{ticked[0][0].id}")
    gone = delete.button(
        "Delete", icon=":material/delete:", disabled=not (ticked and mine), key="delete-runs", width="stretch", help=why
    )
    if gone:
        confirm_deletion(ticked)


def _row(runs: list[Run], last: dict[str, EpochRecord]) -> dict[str, object]:
    """The cells of one run, or of the runs of one group: of these, mean and deviation of those that have finished."""
    run, many = runs[0], len(runs) > 1
    finished = [each for each in runs if each.status == "finished"]
    test = spread([100 * last[each.id].test_accuracy for each in (finished if many else runs) if each.id in last])
    done = sum(last[each.id].epoch + 1 for each in runs if each.id in last)
    return {
        "started": run.created,
        "what": "range test" if run.kind == "range_test" else f"{len(runs)} seeds" if many else "training",
        "network": run.name,
        "nickname": run.owner,
        "data": "embedded" if run.dataset == EMBEDDED else run.dataset,
        "status": f"{len(finished)} of {len(runs)} finished" if many else run.status,
        "epochs": f"{done} of {len(runs) * run.epochs}" if run.kind == "train" else "",
        "test": test.mean,
        "deviation": test.sd,
        "parameters": run.parameters,
        "tags": ", ".join(run.tags),
    }
