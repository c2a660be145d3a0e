"""The buttons by which runs leave the lab: as a report, as figures for a spreadsheet, as checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import streamlit as st

from core.errors import CheckpointError
from lab.compare_figures import Shown, lettered
from lab.entries import checkpoint_of, of_runs
from lab.report import figures_csv, report_html, report_name
from lab.resources import store
from lab.run_panel import zipped
from lab.runs import Run
from lab.shelf import find


def downloads(shown: Sequence[Shown]) -> None:
    """The report of all that is shown, its figures, and, for one alone, its checkpoint."""
    _report(shown, "Report (HTML)")
    st.download_button(
        "Figures (CSV)", partial(figures_csv, shown), "figures.csv", "text/csv", icon=":material/download:",
        on_click="ignore", width="stretch", help="A row for each epoch of each seed.",
    )  # fmt: skip
    panel = st.expander("Checkpoints", icon=":material/download:", key="checkpoints", on_change="rerun")
    if not panel.open:
        return
    with panel:
        for each in shown:
            try:
                stem = find(checkpoint_of(each.entry)).stem
            except CheckpointError:
                st.caption(f"{each.letter}: its weights are not here.")
                continue
            st.download_button(
                f"{each.letter}, last epoch", partial(zipped, stem), f"{stem.parent.name}-{stem.name}.zip",
                "application/zip", on_click="ignore", width="stretch", key=f"checkpoint-{each.entry.key}",
                help="The weights and their card.",
            )  # fmt: skip


def report_button(run: Run) -> None:
    """The report of one run, for its panel."""
    _report(lettered([of_runs(store(), [run], run.id)]), "Report")


def _report(shown: Sequence[Shown], label: str) -> None:
    st.download_button(
        label, lambda: report_html(shown, datetime.now().astimezone()), report_name(shown), "text/html",
        icon=":material/description:", on_click="ignore", width="stretch", key="report",
        help="One page with figures, tables, network, recipe and code; it opens anywhere, without a network.",
    )  # fmt: skip
