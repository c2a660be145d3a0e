"""Predict, train, explain: the short form before a run, and prediction beside outcome after it."""

from __future__ import annotations

from typing import get_args

import pandas as pd
import streamlit as st

from core.analysis.diagnosis.finding import Finding
from core.analysis.prediction import Against, Fit, Prediction, answers, prediction_from_json
from core.data.mnist import test_images
from core.errors import LabError
from core.record import Range, outside
from core.training.history import EpochRecord
from core.words import plural
from lab.runs.rows import Run
from lab.studies.reference import held_against, reference_of
from lab.ui.formats import VERDICTS
from lab.ui.number_field import number_field
from lab.ui.words import escaped, show_error

FIRST_GUESS = 99.0  # what the field begins with, in %: no network of the ladder's own, and near all of them


def prediction_form(other: str, key: str) -> Prediction | None:
    """The form, folded away until it is wanted; None where nothing is predicted. `other`: what it is held against."""
    with st.expander("Predict first", icon=":material/psychology:"):
        committed = st.toggle(
            "I commit to a prediction",
            key=f"{key}-commit",
            persist_state="session",
            help="It is kept with the run and shown beside what the run comes to.",
        )
        accuracy = number_field(
            "Test accuracy after the last epoch, %", Range(0, 100), FIRST_GUESS, step=0.1, format="%.2f",
            key=f"{key}-predicted-accuracy", persist_state="session", disabled=not committed,
        )  # fmt: skip
        fit = st.segmented_control(
            "It", get_args(Fit), key=f"{key}-predicted-fit", persist_state="session", disabled=not committed
        )
        against = None
        if other:
            against = st.segmented_control(
                f"Beside {other}", get_args(Against), key=f"{key}-predicted-against", persist_state="session",
                disabled=not committed,
            )  # fmt: skip
    if not committed or outside(accuracy, Range(0, 100)):
        return None
    return Prediction(round(accuracy / 100, 6), fit, against)


def _predicted(run: Run) -> Prediction | None:
    """What was predicted of the run; None where nothing was, or nothing that can be read, which is then said."""
    try:
        return prediction_from_json(run.prediction) if run.prediction else None
    except LabError as error:
        show_error(error)
        return None


def said_before(run: Run) -> None:
    """What was predicted, while the run is not finished."""
    prediction = _predicted(run)
    if prediction is None:
        return
    parts = [f"{prediction.accuracy:.2%}", prediction.fit or "", prediction.against or ""]
    who = f" by {escaped(run.owner)}" if run.owner else ""
    st.caption(f":material/psychology: Predicted{who}: {', '.join(part for part in parts if part)}.")


def prediction_and_outcome(run: Run, epochs: list[EpochRecord], findings: tuple[Finding, ...]) -> None:
    """The table of what was said and what came; nothing for a run of which nothing was said."""
    prediction = _predicted(run) if epochs else None
    if prediction is None:
        return
    other = held_against(reference_of(run.slug, run.architecture))
    kinds = [finding.kind for finding in findings]
    rows = answers(prediction, epochs[-1].test_accuracy, test_images(run.dataset), kinds, other)
    st.header("What was predicted, and what came", anchor=False)
    if run.status != "finished":
        st.caption(
            f"The run ended {run.status}, after {len(epochs)} of {plural(run.epochs, 'epoch')}; it is judged so."
        )
    told = [
        {"question": row.question, "predicted": row.predicted, "came": row.came, "": VERDICTS[row.right]}
        for row in rows
    ]
    alt = "Each prediction, what came, and whether it was right."
    st.dataframe(pd.DataFrame(told), hide_index=True, key=f"predicted-{run.id}", alt=alt)
