"""Choosing a step, and turning its knobs."""

from __future__ import annotations

import math

import streamlit as st

from core.architecture.link import from_code
from core.architecture.spec import Architecture, BatchNorm
from core.architecture.vary import changes, dropout_of, has, vary
from core.errors import SpecError
from core.ladder.catalogue import label
from core.ladder.model import Step
from core.ladder.ours import OURS
from core.ladder.relatives import EXTRAS
from core.training.recipe import Recipe
from lab.studies import own_ladder
from lab.ui import url

FIRST_STEP = "a2"  # what a newcomer meets: the first network within the challenge's budget
KNOBS = ("width", "dropout", "bn")  # their names in the URL
WIDTHS, DROPOUTS = (0.25, 2.0), (0.0, 0.5)


def step_picker(design: Step | None = None) -> Step:
    """Choose a step; the choice is ?step=SLUG in the URL, so that it can be shared. A design stands before them."""
    steps = {step.slug: step for step in (*([design] if design else []), *own_ladder.ladder(), *EXTRAS)}
    slug = design.slug if design else next(slug for slug in steps if slug.startswith(FIRST_STEP))
    slug = url.read("step", lambda wanted: own_ladder.by_slug(wanted).slug, slug)
    choice = url.bound("step", slug, clears=("run", *KNOBS))
    st.selectbox("Step", list(steps), format_func=lambda each: label(steps[each]), **choice)
    return steps[slug]


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
    """The URL parameters that carry this step and its knobs to another page."""
    return {"step": step.slug, **{name: st.query_params[name] for name in KNOBS if name in st.query_params}}


FROM, DESIGN = "from", "design"  # their names in the URL


def design_to_train() -> Step | None:
    """The design in the URL as a step to train, with the recipe of the step it started from; None without one."""
    architecture = url.read(DESIGN, from_code, None)
    if architecture is None:
        return None
    return Step(slug="", title=architecture.name, architecture=architecture, recipe=recipe_to_train(), source="")


def recipe_to_train() -> Recipe:
    """The recipe of the step in the URL; for a design that started from none, of the first of the lab's own steps."""
    try:
        return own_ladder.by_slug(st.query_params.get(FROM, "")).recipe
    except SpecError:
        return OURS[0].recipe
