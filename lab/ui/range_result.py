"""What a range test found, and a button that puts a rate into the form on Train."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import streamlit as st

from core.architecture.link import to_code
from core.errors import LabError
from core.training.range_test import SKIP_FIRST, RangePoint, RangeTestResult, Suggestion, recommended
from core.training.recipe import Recipe, recipe_to_json
from core.words import rate_words, share_words
from lab.runs.rows import BatchRow, Run
from lab.studies import own_ladder
from lab.ui import rate_figures
from lab.ui.live_plot import live_plot
from lab.ui.recipe_keys import Taken, rate_key, taken_key
from lab.ui.step import RECIPE, brought_recipe
from lab.ui.words import told


def link_to(run: Run) -> dict[str, str]:
    """The URL parameters that name a run's network: its step where it is one as it is, else the design itself."""
    with suppress(LabError):
        if run.slug and own_ladder.by_slug(run.slug).architecture.ops == run.architecture.ops:
            return {"step": run.slug}
    return as_design(run)


def as_design(run: Run) -> dict[str, str]:
    """The URL parameters that name a run's network as a design, with the step that it was made from."""
    return {"design": to_code(run.architecture)} | ({"from": run.slug} if run.slug else {})


def result_of(run: Run) -> RangeTestResult:
    """What a range test has found, as the worker wrote it; nothing while it runs."""
    found = json.loads(run.result or "{}")
    points = tuple(RangePoint(**each) for each in found.get("points", ()))
    suggestions = tuple(Suggestion(**each) for each in found.get("suggestions", ()))
    return RangeTestResult(points, suggestions, found.get("diverged", False), found.get("reason", ""))


def range_result(run: Run, batches: list[BatchRow]) -> None:
    """The curve, live or whole, and each suggestion with its reason and a button that takes it to Train."""
    result = result_of(run)
    suggestions = result.suggestions
    if run.error:
        st.error(told(run.error))
    points = result.points or [RangePoint(row.learning_rate, row.loss, row.loss) for row in batches]
    live_plot(
        rate_figures.range_curve(
            [point.learning_rate for point in points], [point.smoothed for point in points],
            [point.loss for point in result.points], suggestions, run.range_test,
        ),
        key=f"range-{run.id}", alt="Smoothed loss against learning rate, with the suggested rates.",
    )  # fmt: skip
    best = recommended(suggestions)
    if suggestions and best is None:
        st.markdown(
            ":orange[:material/warning: **None of these can be trusted**; each line says why. Try another range.]"
        )
    for each in suggestions:
        _suggestion(run, each, each == best)
    if result.reason:
        st.warning(f"No suggestion: {told(result.reason)}")
    elif run.status == "finished":
        recipe, ended = run.recipe, f"The loss diverged after {len(points)} of {run.range_test.iterations} batches."
        st.caption(
            f"{ended if result.diverged else 'The batches ran out first; the loss had not diverged.'} "
            f"{type(recipe.optimizer).__name__}, batches of {recipe.batch_size}, seed {recipe.seed}. The suggestions "
            f"are those of the thick line, from {share_words(SKIP_FIRST)} of the batches on. Grey: the edges of "
            "the range."
        )


def _suggestion(run: Run, each: Suggestion, best: bool) -> None:
    """One suggestion with what speaks for and against it; the recommended one has the primary button."""
    say, apply = st.columns([5, 1], vertical_alignment="center")
    told = "At the edge: the range decided this, not the network" if each.at_edge else ""
    against = ". ".join(part[0].upper() + part[1:] for part in (told, each.doubt) if part)
    mark_of = " :green[:material/recommend: Recommended.]" if best else ""
    doubt = f" :orange[:material/warning: {against}.]" if against else ""
    say.markdown(f"**{each.name}: {rate_words(each.learning_rate)}**, {each.why}.{mark_of}{doubt}")
    where = link_to(run)
    if (brought := brought_recipe()) is not None:
        where[RECIPE] = recipe_to_json(replace(brought, learning_rate=float(rate_words(each.learning_rate))))
    if apply.button(
        "Use it", key=f"use-{run.id}-{each.name}", width="stretch", type="primary" if best else "secondary",
        help="Puts this rate into the recipe on Train.", on_click=None if brought else fill_form,
        args=(run.slug, where, each.learning_rate, run.recipe),
    ):  # fmt: skip
        st.switch_page("pages/experiment/train.py", query_params=where)


def fill_form(slug: str, link: dict[str, str], rate: float, written: Recipe, schedule: str = "") -> None:
    """Put the rate, as the form shows it, and the schedule where one is named, into that network's form on Train.

    `written`: the recipe that the form begins with. What has changed is kept for the form to say.
    """
    key = f"recipe-{slug if 'step' in link else ''}"
    before, shown = st.session_state.get(rate_key(key), written.learning_rate), float(rate_words(rate))
    words = f"Learning rate {rate_words(before)} → {rate_words(shown)}"
    st.session_state[rate_key(key)] = shown
    if schedule:
        own = st.session_state.get(f"{key}-schedule", type(written.schedule).__name__)
        words += f", schedule {own} → {schedule}"
        st.session_state[f"{key}-schedule"] = schedule
    st.session_state[taken_key(key)] = Taken(shown, words)
