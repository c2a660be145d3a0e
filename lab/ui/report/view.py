"""The buttons by which runs leave the lab: as a report, as figures for a spreadsheet, as checkpoints."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import streamlit as st

from core.errors import CheckpointError
from lab.runs.rows import Run
from lab.studies.entries import checkpoint_of, of_runs
from lab.studies.shelf import absence, find
from lab.ui.caches import store
from lab.ui.comparison_figure import Shown, lettered
from lab.ui.report.document import figures_csv, report_html, report_name
from lab.ui.words import escaped


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
                shelved = find(checkpoint_of(each.entry))
            except CheckpointError:
                st.caption(escaped(f"{each.letter}: {absence(checkpoint_of(each.entry))}."))
                continue
            st.download_button(
                f"{each.letter}, last epoch", partial(zipped, shelved.stem),
                f"{shelved.reference.replace('/', '-')}.zip", "application/zip", on_click="ignore", width="stretch",
                key=f"checkpoint-{each.entry.key}", help="The weights and their card.",
            )  # fmt: skip


def report_button(run: Run) -> None:
    """The report of one run, for its panel, and the way to hold it against others."""
    report, compare, _ = st.columns([1, 1, 2], vertical_alignment="center")
    with report:
        _report(lettered([of_runs(store(), [run], run.id)]), "Report")
    compare.page_link(
        "pages/experiment/compare.py", label="Compare it", icon=":material/arrow_forward:",
        query_params={"runs": run.id},
    )  # fmt: skip


def _report(shown: Sequence[Shown], label: str) -> None:
    st.download_button(
        label, lambda: report_html(shown, datetime.now().astimezone()), report_name(shown), "text/html",
        icon=":material/description:", on_click="ignore", width="stretch", key="report",
        help="One page with figures, tables, network, recipe and code; it opens anywhere, without a network.",
    )  # fmt: skip


def zipped(stem: Path) -> bytes:
    """A checkpoint's pair in one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in (stem.with_suffix(".safetensors"), stem.with_suffix(".json")):
            archive.write(path, path.name)
    return content.getvalue()
