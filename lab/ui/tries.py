"""The other networks that were tried on the held-out images for a step of our own: how it was chosen, and a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.analysis.choices import Attempt, apart_words, attempts, beside, choice_words, goal_words, layout_words, tried
from core.analysis.study import SeedRun
from core.architecture.trace import classifier
from core.ladder.model import Step
from core.training.recipe_difference import ABSENT, recipe_differences
from core.words import loss_words
from lab.ui.words import errors_shown


def how_it_was_chosen(step: Step, runs: Sequence[SeedRun]) -> None:
    """Of a step of our own: its target, its try on the held-out images, and what was tried beside it."""
    if step.claim:
        return
    if reached := goal_words(step, runs):
        st.markdown(f"**Target.** {step.target} Measured: {reached}.")
    with errors_shown():
        log = attempts()
        st.markdown(f"**How it was chosen.** {choice_words(step, log)}")
        if step.test_had_a_say:
            st.warning(f"The test digits influenced the choice: {step.test_had_a_say}", icon=":material/visibility:")
        if rows := beside(step, log, classifier(step.architecture).parameters):
            _table(step, log, rows)


def _table(step: Step, log: Sequence[Attempt], rows: Sequence[Attempt]) -> None:
    with st.expander(f"What else was tried ({len(rows)})", icon=":material/science:"):
        st.table(pd.DataFrame([_row(step, each, tried(step, log)) for each in rows]).set_index("network"))
        st.caption(
            "On the 5,000 images held out, after the last epoch; of two seeds the means. Sorted by loss. "
            f"{apart_words(log)} Networks: channels, with | for a pool."
        )


def _row(step: Step, attempt: Attempt, own: Attempt | None) -> dict[str, str]:
    differences = recipe_differences(step.measured_recipe, attempt.recipe)
    told = "; ".join(f"{each.field} {each.after}" for each in differences if each.after != ABSENT)
    return {
        "network": layout_words(attempt.architecture),
        "parameters": f"{attempt.parameters:,}",
        "recipe": "this step" if attempt == own else told or "this step's",
        "seeds": f"{len(attempt.tries)}",
        "accuracy": f"{attempt.accuracy:.2%}",
        "loss": loss_words(attempt.loss),
    }
