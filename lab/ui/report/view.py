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
from core.spreadsheet import Cell, csv_text
from core.training.history import EPOCH_COLUMNS, epoch_cells
from lab.runs.rows import Run
from lab.studies.entries import checkpoint_of, of_runs
from lab.studies.shelf import absence, find
from lab.ui import file_names
from lab.ui.caches import store
from lab.ui.comparison_figure import Shown, lettered
from lab.ui.links import link
from lab.ui.report.page import report_html, report_name
from lab.ui.words import escaped


def downloads(shown: Sequence[Shown]) -> None:
    """The report of all that is shown, its figures, and, for one alone, its checkpoint."""
    _report(shown, "Report (HTML)")
    st.download_button(
        "Figures (CSV)", partial(figures_csv, shown),
        file_names.of_entries((each.entry for each in shown), "figures", ".csv"), "text/csv",
        icon=":material/download:", on_click="ignore", width="stretch", help="A row for each epoch of each seed.",
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
                file_names.of_entries([each.entry], "last", ".zip"), "application/zip", on_click="ignore",
                width="stretch", key=f"checkpoint-{each.entry.key}", help="The weights and their card.",
            )  # fmt: skip


def report_button(run: Run) -> None:
    """The report of one run, for its panel, and the way to hold it against others."""
    report, compare, _ = st.columns([1, 1, 2], vertical_alignment="center")
    with report:
        _report(lettered([of_runs(store(), [run], run.id)]), "Report")
    link("experiment/compare", "Compare it", {"runs": run.id}, at=compare)


def _report(shown: Sequence[Shown], label: str) -> None:
    st.download_button(
        label, lambda: report_html(shown, datetime.now().astimezone()), report_name(shown), "text/html",
        icon=":material/description:", on_click="ignore", width="stretch", key="report",
        help="One page with figures, tables, network, recipe and code; it opens anywhere, without a network.",
    )  # fmt: skip


def figures_csv(shown: Sequence[Shown]) -> str:
    """A row for each epoch, counted from 1, of each seed of each entry; safe to open in a spreadsheet."""
    names = ["letter", "key", "name", "nickname", "data", "parameters", "seed", *EPOCH_COLUMNS]
    rows: list[list[Cell]] = []
    for each in shown:
        entry = each.entry
        head: list[Cell] = [each.letter, entry.key, entry.name, entry.owner, entry.dataset, entry.parameters]
        rows += [[*head, run.seed, *epoch_cells(record)] for run in entry.runs for record in run.history]
    return csv_text(names, rows)


def zipped(stem: Path) -> bytes:
    """A checkpoint's pair in one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in (stem.with_suffix(".safetensors"), stem.with_suffix(".json")):
            archive.write(path, path.name)
    return content.getvalue()
