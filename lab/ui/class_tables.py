"""The class's answers and runs as tables to take away, for the teacher."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import streamlit as st

from core.challenge import CHALLENGE
from core.spreadsheet import Cell, csv_text
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.ui.caches import challenge, class_answers, finished_epochs, store
from lab.ui.owner import me

MOST = 2_000  # runs: more than a class makes in a term
RUN_COLUMNS = (
    "run",
    "nickname",
    "person",
    "network",
    "data",
    "parameters",
    "seed",
    "epochs",
    "of epochs",
    "status",
    "test accuracy, last epoch",
    "least of the held epochs",
    "created",
    "ended",
    "tags",
)


def downloads() -> None:
    """Both tables; each is made when it is asked for, then without a session: who asks is settled here."""
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Answers (CSV)",
            partial(class_answers().table, me()),
            "class-answers.csv",
            "text/csv",
            key="class_answers_csv",
            icon=":material/download:",
            on_click="ignore",
            help="What the class answered together in lessons.",
        )
        st.download_button(
            "Runs (CSV)",
            partial(runs_csv, store(), challenge().held_epochs),
            "class-runs.csv",
            "text/csv",
            key="class_runs_csv",
            icon=":material/download:",
            on_click="ignore",
            help="Every training run of this lab.",
        )


def runs_csv(kept: RunStore, held_epochs: int = CHALLENGE.held_epochs) -> str:
    """Every training run, the newest first, accuracies as fractions; moments in UTC."""
    runs = [run for run in kept.runs(limit=MOST) if run.kind == "train"]
    return csv_text(RUN_COLUMNS, (_run_line(run, kept, held_epochs) for run in runs))


def _run_line(run: Run, kept: RunStore, held_epochs: int) -> tuple[Cell, ...]:
    epochs = finished_epochs(run.id, run.ended) if run.ended else tuple(kept.epochs(run.id))
    tested = [each.test_accuracy for each in epochs]
    held = min(tested[-held_epochs:]) if len(tested) >= held_epochs else None
    return (
        run.id,
        run.owner,
        run.owner_key[:8],
        run.name,
        run.dataset,
        run.parameters,
        run.recipe.seed,
        len(epochs),
        run.recipe.epochs,
        run.status,
        tested[-1] if tested else None,
        held,
        _moment(run.created),
        _moment(run.ended),
        ", ".join(run.tags),
    )


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
