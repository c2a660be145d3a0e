"""Choosing a step, and turning its knobs."""

from __future__ import annotations

import math

import streamlit as st

from core.architecture.link import from_code, to_code
from core.architecture.spec import Architecture, BatchNorm
from core.architecture.vary import changes, dropout_of, has, vary
from core.errors import LabError, SpecError
from core.ladder.catalogue import label
from core.ladder.model import Step
from core.ladder.ours import OURS
from core.ladder.relatives import EXTRAS
from core.training.recipe import Recipe, recipe_from_json
from lab.classroom.designs import owner_of, saved_design, saved_names
from lab.classroom.leading import KNOBS
from lab.studies import own_ladder
from lab.ui import url
from lab.ui.owner import me
from lab.ui.words import show_error

FIRST_STEP = "a2"  # what a newcomer meets: the first network within the challenge's budget
FROM, DESIGN = "from", "design"  # a design's code and what it started from, in the URL
RECIPE = "recipe"  # one that was brought, in the URL of Train
SAVED = "saved:"  # before a saved design's name, in a list and in ?from=
PICKER, PROBLEM = "step_picker", "step_problem"  # the session's keys
WIDTHS, DROPOUTS = (0.25, 2.0), (0.0, 0.5)


def step_picker(design: Step | None = None) -> Step:
    """Choose a step; the choice is ?step=SLUG in the URL, so that it can be shared.

    A design stands before them, and one's own saved designs; those of others stand behind. A saved one that is chosen
    is ?design=CODE in the URL, so that the link is the same network when it has been saved anew.
    """
    steps = {step.slug: step for step in (*([design] if design else []), *own_ladder.ladder(), *EXTRAS)}
    slug = design.slug if design else next(slug for slug in steps if slug.startswith(FIRST_STEP))
    slug = url.read("step", lambda wanted: own_ladder.by_slug(wanted).slug, slug)
    titles = {key: label(step) for key, step in steps.items()}
    saved = {SAVED + name: f"Saved · {name}" for name in saved_names() if not design or name != design.title}
    mine = {key: title for key, title in saved.items() if owner_of(key.removeprefix(SAVED)) == me().key}
    own = {"": titles.pop("")} if design else {}
    titles = {**own, **mine, **titles, **saved}
    st.session_state[PICKER] = slug
    st.selectbox("Step", list(titles), format_func=lambda key: titles.get(key, key), key=PICKER, on_change=_choose)
    if problem := st.session_state.pop(PROBLEM, None):
        show_error(problem)
    return steps[slug]


def _choose() -> None:
    """Put the chosen step or saved design into the URL, and end what was about the one before."""
    chosen = st.session_state[PICKER]
    url.drop("run", *KNOBS)
    if not chosen.startswith(SAVED):
        url.put("step", chosen)
        return
    try:
        url.put(DESIGN, to_code(saved_design(chosen.removeprefix(SAVED))))
    except LabError as error:  # deleted meanwhile, or damaged
        st.session_state[PROBLEM] = error
        return
    url.put(FROM, chosen)
    url.drop("step")


def varied(step: Step) -> Architecture:
    """The step's architecture as the knobs in the URL change it; a value that is no number counts as not given."""
    norm = st.query_params.get("bn")
    return vary(
        step.architecture,
        width=_number("width", 1.0, *WIDTHS) or 1.0,
        dropout=_number("dropout", None, *DROPOUTS),
        batch_norm={"0": False, "1": True}.get(norm or ""),
    )


def _number(name: str, default: float | None, least: float, most: float) -> float | None:
    try:
        value = float(st.query_params[name])
    except (KeyError, ValueError):
        return default
    return min(max(value, least), most) if math.isfinite(value) else default


def knobs(step: Step) -> None:
    """Width, dropout and batch norm; what differs from the step is kept in the URL."""
    now = varied(step)
    width = url.bound("width", _number("width", 1.0, *WIDTHS), "{:g}".format, 1.0)
    dropout = url.bound("dropout", dropout_of(now), "{:g}".format, dropout_of(step.architecture))
    norm = url.bound("bn", has(now, BatchNorm), lambda on: str(int(on)), has(step.architecture, BatchNorm))
    help_text = "Multiplies the channels of every layer but the last."
    st.slider("Width multiplier", *WIDTHS, step=0.05, help=help_text, **width)
    help_text = "The probability with which a value is set to zero while training."
    st.slider("Dropout", *DROPOUTS, step=0.001, format="%.3f", help=help_text, **dropout)
    st.toggle("Batch norm", help="After each convolution but the last.", **norm)
    what_changed(step)


def what_changed(step: Step) -> None:
    """What the knobs in the URL have made of the step, and the way back; nothing where they left it as it was."""
    if told := changes(step.architecture, varied(step)):
        st.caption("Changed: " + "; ".join(told) + ".")
        st.button("Back to the step as it was", on_click=url.drop, args=KNOBS, icon=":material/undo:", width="stretch")


def link_parameters(step: Step) -> dict[str, str]:
    """The URL parameters that carry this step or design and its knobs to another page."""
    names = KNOBS if step.slug else (DESIGN, FROM, *KNOBS)
    return {
        **({"step": step.slug} if step.slug else {}),
        **{name: st.query_params[name] for name in names if name in st.query_params},
    }


def design_to_train() -> Step | None:
    """The design in the URL as a step to train, with the recipe of the step it started from; None without one."""
    architecture = url.read(DESIGN, from_code, None)
    if architecture is None:
        return None
    return Step(slug="", title=architecture.name, architecture=architecture, recipe=recipe_to_train(), source="")


def brought_recipe() -> Recipe | None:
    """What ?recipe= says; None without one. One that cannot be read is reported on the page."""
    return url.read(RECIPE, recipe_from_json, None)


def recipe_to_train() -> Recipe:
    """The recipe of the step in the URL; for a design that started from none, of the first of the lab's own steps."""
    try:
        return own_ladder.by_slug(st.query_params.get(FROM, "")).recipe
    except SpecError:
        return OURS[0].recipe
