"""The ladder's points and its rows."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.analysis.study import Summary
from core.architecture.trace import classifier
from core.ladder.catalogue import label, mark
from core.ladder.model import Step
from lab.studies.results import in_words, judged, outdated_mark, study_of
from lab.ui import ladder_figure
from lab.ui.tables import outdated_captions


def ladder_points(steps: Sequence[Step], measured: dict[str, Summary]) -> list[ladder_figure.LadderPoint]:
    """The steps as the picture of the ladder wants them."""
    return [
        ladder_figure.LadderPoint(
            slug=step.slug,
            label=mark(step),
            title=label(step),
            lineage=step.lineage,
            parameters=classifier(step.architecture).parameters,
            claimed=step.claim.best_test_accuracy if step.claim else None,
            measured=measured.get(step.slug),
            verdict=f"{judged(step, measured.get(step.slug))}{outdated_mark(study_of(step.slug))}",
        )
        for step in steps
    ]


def ladder_rows(steps: list[Step], measured: dict[str, Summary]) -> None:
    """A row for each step: its name opens it, then what it costs, what was claimed and measured, and what changed."""
    widths = [3.0, 1.0, 0.5, 0.85, 1.8, 1.0, 1.8, 2.8]
    titles = (
        "step", "parameters", "field", "claimed", "ours, last epoch", "best epoch, chosen on the test set", "verdict",
        "what changed",
    )  # fmt: skip
    with st.container(border=True, key=f"ladder-{steps[0].lineage}"):
        heads = st.container(key=f"heads-{steps[0].lineage}")
        for column, title in zip(heads.columns(widths, gap="small", vertical_alignment="bottom"), titles, strict=True):
            column.caption(title)
        for step in steps:
            walked = classifier(step.architecture)
            ours = measured.get(step.slug)
            name, *figures_of = st.columns(widths, gap="small", vertical_alignment="center")
            name.page_link("pages/learn/step.py", label=label(step), query_params={"step": step.slug})
            texts = (
                f"{walked.parameters:,}",
                str(walked.field.size),
                f"{step.claim.best_test_accuracy:.2%}" if step.claim else "—",
                f"{_bold_mean(ours)}  \n:small[:gray[{ours.holding} of {ours.n} held {ours.challenge.target}]]"
                if ours
                else "—",
                f":small[:gray[{ours.best_mean:.2%}]]" if ours else "—",
                f"{judged(step, ours)}{outdated_mark(study_of(step.slug))}" if ours else ":gray[not measured]",
                f":small[{step.change or 'The start.'}]",
            )
            for column, title, text in zip(figures_of, titles[1:], texts, strict=True):
                column.markdown(f"*{title}* {text}")  # the title is seen on a phone only: see page.css
        outdated_captions([step.slug for step in steps])


def _bold_mean(measured: Summary) -> str:
    mean, *deviation = in_words(measured).split(" ", 1)
    return " ".join([f"**{mean}**", *deviation]).replace("(n ", "(n\N{NO-BREAK SPACE}")
