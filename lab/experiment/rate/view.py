"""The learning-rate page's parts: what to test, the range test with its suggestions, and the schedules to choose."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from core.architecture.spec import Architecture
from core.errors import LabError
from core.ladder import catalogue
from core.ladder.catalogue import label, mark
from core.ladder.evolution import FINDER_AT_ITS_START
from core.record import outside, range_of
from core.training.range_test import BEGINS_TOO_HIGH, ENDS_TOO_LOW, Suggestion, rate_of
from core.training.recipe import RangeTest, Recipe, Schedule
from core.words import rate_words, share_words
from lab.runs.bounds import iterations_per_epoch
from lab.studies import own_ladder
from lab.ui import rate_figures
from lab.ui.caches import store
from lab.ui.live_plot import still_plot
from lab.ui.number_field import number_field
from lab.ui.range_result import fill_form, link_to, result_of
from lab.ui.recipe_keys import SCHEDULES, USUAL_SCHEDULES, plain
from lab.ui.step import design_to_train, link_parameters, step_picker, varied
from lab.ui.words import escaped

ENDS = ("range-start", "range-end", "range-iterations")  # the session's keys of the inputs
THEIRS = RangeTest(start=0.1, end=2.0, iterations=4500, pick="steepest")  # the sweep of A2's and A3's write-ups
THEIR_PICKS = {"a2-final-7758": (4500, 12), "a3-dilation-5340": (1500, 23)}  # iterations, and the one that was picked
SHORT = 100  # iterations in which theirs is repeated here: the range is what matters


@dataclass(frozen=True)
class Network:
    """What is tested: a network, the recipe that goes with it, and how a link names it."""

    architecture: Architecture
    recipe: Recipe
    slug: str
    link: dict[str, str]


# ----------------------------------------------------------------------------------------------------------- the inputs


def adopt_network(run_id: str) -> None:
    """Where a link names only a run, let the page's network and range be the run's."""
    if not run_id or "step" in st.query_params or "design" in st.query_params:
        return
    with suppress(LabError):
        run = store().get(run_id)
        for name, value in link_to(run).items():
            st.query_params[name] = value
        if settings := run.recipe.range_test:
            take_range(settings)


def network_picker() -> Network:
    """The design in the URL, else the step that is chosen, with its knobs."""
    step = step_picker(design_to_train())
    return Network(varied(step), step.recipe, step.slug, link_parameters(step))


def range_inputs() -> RangeTest:
    """The ends of the range and the number of batches; they may still not check."""
    usual = RangeTest()
    for key, value in zip(ENDS, (usual.start, usual.end, usual.iterations), strict=True):
        st.session_state.setdefault(key, value)
    left, right = st.columns(2)
    start = number_field(
        "From", range_of(RangeTest, "start"), at=left, step=None, format="%.4g", key=ENDS[0], persist_state="session",
        help="So low that the network does not learn yet.",
    )  # fmt: skip
    end = number_field(
        "To", range_of(RangeTest, "end"), at=right, step=None, format="%.4g", key=ENDS[1], persist_state="session",
        help="So high that the loss explodes.",
    )  # fmt: skip
    iterations = number_field(
        "Batches", range_of(RangeTest, "iterations"), step=10, key=ENDS[2], persist_state="session",
        help="One for each rate. More make a smoother curve; a tenth to a whole epoch is plenty.",
    )  # fmt: skip
    return RangeTest(start=float(start), end=float(end), iterations=int(iterations))


def take_range(settings: RangeTest) -> None:
    """Put a range into the inputs."""
    for key, value in zip(ENDS, (settings.start, settings.end, settings.iterations), strict=True):
        st.session_state[key] = value


def wider(settings: RangeTest, suggestions: Sequence[Suggestion]) -> RangeTest | None:
    """The range with room where suggestions are pressed against an end, or the curve is cut off; None where none is."""
    middle = (settings.start * settings.end) ** 0.5
    doubts = {each.doubt for each in suggestions}
    low = BEGINS_TOO_HIGH in doubts or any(each.at_edge and each.learning_rate < middle for each in suggestions)
    high = ENDS_TOO_LOW in doubts or any(each.at_edge and each.learning_rate >= middle for each in suggestions)
    if not (low or high):
        return None
    start = max(1e-9, settings.start / 100) if low else settings.start
    end = min(100.0, settings.end * 10) if high else settings.end
    return replace(settings, start=start, end=end)


# ----------------------------------------------------------------------------------------------------------- its result


def edge_warning(settings: RangeTest, run_id: str) -> None:
    """Where the open test's suggestions lie at an edge, or its curve is cut off: say so, and offer the wider range."""
    try:
        run = store().get(run_id)
        found = wider(run.recipe.range_test or settings, result_of(run).suggestions)
    except LabError:
        return
    if found is None:
        return
    st.warning(
        "A suggestion lies at the edge of the range, or the curve continues beyond it. Then the range decides, not the "
        "network: a wider range may move it."
    )
    st.button(
        f"Widen to {rate_words(found.start)} – {rate_words(found.end)}", icon=":material/open_in_full:",
        width="stretch", on_click=take_range, args=(found,),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- schedules, and the mistake


def schedule_view(network: Network, dataset: str) -> None:
    """Every schedule over the epochs with the chosen rate; one click takes rate and schedule to Train."""
    st.markdown("**How a schedule changes the rate**")
    own, kinds = type(network.recipe.schedule).__name__, kinds_of(network.recipe)
    chosen = st.segmented_control(
        "Schedule", list(kinds), default=own, required=True, key="schedule-shown", label_visibility="collapsed"
    )
    rate, go, _ = st.columns([2, 2, 3], vertical_alignment="bottom")
    bounds = range_of(Recipe, "learning_rate")
    largest = number_field(
        "Largest rate", bounds, float(network.recipe.learning_rate), at=rate, step=None, format="%.4g",
        key=f"largest-{network.slug}",
    )  # fmt: skip
    if outside(largest, bounds):
        return
    if go.button("Use both in Train", icon=":material/arrow_forward:", width="stretch"):
        # now: a callback would have the rate before this one
        fill_form(network.slug, network.link, largest, network.recipe, chosen)
        st.switch_page("pages/experiment/train.py", query_params=network.link)
    recipe = replace(network.recipe, learning_rate=largest)
    drawn = rate_figures.schedules(recipe, kinds, iterations_per_epoch(dataset, recipe), chosen)
    still_plot(drawn, "schedules", "The learning rate over the epochs, by each schedule.")
    st.caption(SAID[chosen])


def kinds_of(recipe: Recipe) -> dict[str, Schedule]:
    """The usual kinds of schedule and the recipe's own: that as it has it, the others as one begins with them."""
    own = type(recipe.schedule)
    return {
        name: recipe.schedule if kind is own else cast(Schedule, plain(kind))
        for name, kind in SCHEDULES.items()
        if name in USUAL_SCHEDULES or kind is own
    }


SAID = {
    "Constant": "Constant: the steps never get smaller, so the last epochs go up and down.",
    "StepLR": "StepLR: falls by a factor every few epochs. C6 and B4 end with it, and their last epochs are calm.",
    "ReduceLROnPlateau": "ReduceLROnPlateau: falls when a loss has stopped improving, so its falls cannot be drawn "
    "before the run. A2 and A3 watch the test loss with it, which flatters the test figure.",
    "OneCycle": "OneCycle: up, then down to near zero (Smith & Topin 2018). Its peak may be near the minimum.",
    "Cosine": "Cosine: falls to zero along half a cosine (Loshchilov & Hutter 2017).",
    "MultiStepLR": "MultiStepLR: falls by a factor after chosen epochs.",
    "ExponentialLR": "ExponentialLR: falls by a factor after every epoch.",
    "LinearLR": "LinearLR: from one factor to another in a few epochs, often a warm-up, and then constant.",
    "CosineAnnealingWarmRestarts": "CosineAnnealingWarmRestarts: half a cosine again and again, each time from the "
    "full rate (Loshchilov & Hutter 2017).",
    "CyclicLR": "CyclicLR: up and down on straight lines, again and again (Smith 2017).",
    "LinearToZero": "LinearToZero: a straight line to zero. The lab's own ladder uses it.",
}


def their_mistake() -> None:
    """What A2's and A3's write-ups did with their range test, with the arithmetic, and a way to repeat it."""
    with st.expander("A suggestion to doubt: the write-ups' own", icon=":material/report:"):
        st.markdown(f"“{FINDER_AT_ITS_START.said}” {FINDER_AT_ITS_START.right}")
        for slug, (iterations, index) in THEIR_PICKS.items():
            step = catalogue.by_slug(slug)
            found = rate_of(replace(THEIRS, iterations=iterations), index)
            ratio, share = f"({rate_words(THEIRS.end)} / {THEIRS.start})", f"{index} / {iterations - 1:,}"
            st.markdown(
                f"- **{mark(step)}**: {THEIRS.start} × {ratio}^({share}) = **{rate_words(found)}**: "
                f"{share_words(index / iterations, 1)} of the way through the range."
            )
        st.button(
            f"Repeat their sweep: {THEIRS.start} to {rate_words(THEIRS.end)}", icon=":material/replay:",
            on_click=take_range, args=(replace(THEIRS, iterations=SHORT),),
            help="Puts their range into the inputs; then start the test.",
        )  # fmt: skip


def before_a_test(network: Network, settings: RangeTest) -> None:
    """What the page shows before a test: what to press, and what will happen."""
    st.info(
        f"Press **Start the range test**: {settings.iterations} batches, one at each rate from "
        f"{rate_words(settings.start)} to {rate_words(settings.end)}, on a copy of the network. The loss "
        "first stays, then falls, then explodes; a good rate lies in the fall.",
        icon=":material/speed:",
    )
    name = label(own_ladder.by_slug(network.slug)) if network.slug else network.architecture.name
    st.caption(f"{escaped(name)}: its recipe uses {rate_words(network.recipe.learning_rate)}.")
