"""The network that the receptive-field page is about, and the unit of it that is chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.architecture.link import from_code, to_code
from core.architecture.receptive_field import ReceptiveField, extent
from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import Architecture, architecture_to_json
from core.architecture.trace import Layer, Trace, trace
from core.errors import SpecError
from core.ladder.field_claims import moves_field
from core.ladder.model import Step
from lab.studies.results import run_of, study_of, summarised
from lab.studies.shelf import Shelved
from lab.ui import checkpoints
from lab.ui.explorer import Place, Stage, stage_of
from lab.ui.headline import headline, step_headline
from lab.ui.step import link_parameters, step_picker, varied, what_changed
from lab.ui.words import escaped, show_error

DIGITS = tuple(range(10))
FIRST_DIGIT = 7
VIEWS = ("Grow it", "Formulas", "Effective field", "Wrong tables")
MNIST_INPUT = (1, 28, 28)


@dataclass(frozen=True)
class Viewed:
    """The network that the page is about."""

    walked: Trace
    step: Step | None  # None for a design of one's own
    stages: tuple[Stage, ...]
    layers: tuple[Layer, ...]  # those of the stages after the first, which is the image itself

    @property
    def side(self) -> int:
        return self.walked.architecture.input[1]

    @property
    def key(self) -> str:
        """The same for the same network."""
        return architecture_to_json(self.walked.architecture)


def network_picker() -> Viewed:
    """The step in the URL as its knobs change it, or the design in the URL. Raises SpecError for no network."""
    code = st.query_params.get("design", "")
    if not code:
        step = step_picker()
        what_changed(step)
        return viewed(varied(step), step)
    st.button("To the steps of the ladder", on_click=_drop_design, icon=":material/stairs:", width="stretch")
    architecture = from_code(code)
    st.markdown(f"**{escaped(architecture.name)}**, a design from the link")
    return viewed(architecture, None)


def _drop_design() -> None:
    for name in ("design", "op", "unit"):
        st.query_params.pop(name, None)


def viewed(architecture: Architecture, step: Step | None) -> Viewed:
    """The network with what the explorer needs of it. Raises SpecError."""
    walked = trace(architecture)
    layers = tuple(layer for layer in walked.layers if moves_field(layer))
    side = architecture.input[1]
    itself = tuple((pixel, pixel, 1) for pixel in range(side))
    image = Stage("the image", "a pixel sees itself: field 1, jump 1, start 0", 1, 1, 0.0, side, itself)
    reached = seen_pixels(walked)
    return Viewed(walked, step, (image, *(stage_of(layer, reached[layer.index]) for layer in layers)), layers)


def field_of(stage: Stage) -> ReceptiveField:
    return ReceptiveField(stage.size, stage.jump, stage.start)


def field_headline(network: Viewed) -> None:
    """The row of figures, with what was measured for a step as it stands."""
    step = network.step
    if step is None or network.walked.architecture != step.architecture:
        headline(network.walked, None, "train it to find out")
        return
    study = study_of(step.slug)
    cards = [each.card for each in checkpoints.on_hand() if each.shipped and each.card.slug == step.slug]
    runs = study.runs if study else tuple(run_of(card) for card in cards)
    step_headline(step, network.walked, summarised(runs))


def place_in_url(network: Viewed) -> Place:
    """The unit that ?op=NAME&unit=ROW,COLUMN asks for; by default the middle one of a middle layer.

    What is not there is said. After another step was chosen, an op that this one lacks is no error.
    """
    stages = network.stages
    fresh = st.session_state.get("field_of") not in (None, network.key)
    st.session_state.field_of = network.key
    names = [stage.name for stage in stages]
    wanted = st.query_params.get("op", "")
    stage = len(names) // 2
    if wanted in names:
        stage = names.index(wanted)
    elif wanted and not fresh:
        there = ", ".join(names)
        show_error(SpecError(f"op={wanted[:40]} in the address: there is no such layer that moves the field; {there}"))
    middle = Place(stage, *[stages[stage].units // 2] * 2)
    unit = st.query_params.get("unit", "") if wanted in names else ""
    if not unit:
        return middle
    parts = unit.split(",")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        row, column = map(int, parts)
        if max(row, column) < stages[stage].units:
            return Place(stage, row, column)
    if not fresh:
        last = stages[stage].units - 1
        show_error(
            SpecError(f"unit={unit[:20]} in the address: row and column of {wanted} are 0 to {last}, such as {last},0")
        )
    return middle


def keep(network: Viewed, place: Place) -> None:
    """Put the place into the URL."""
    st.query_params.op = network.stages[place.stage].name
    st.query_params.unit = f"{place.row},{place.column}"


def near(network: Viewed, place: Place, stage: int) -> Place:
    """The unit of another stage whose field's centre lies nearest to that of the place."""
    old, new = network.stages[place.stage], network.stages[stage]

    def unit(index: int) -> int:
        pixel = old.start + index * old.jump
        return min(max(int(np.floor((pixel - new.start) / new.jump + 0.5)), 0), new.units - 1)

    return Place(stage, unit(place.row), unit(place.column))


def place_inputs(network: Viewed, place: Place) -> None:
    """Choose the layer and the unit by keyboard; beside the explorer, and for the views that have none."""
    stages = network.stages
    st.session_state.field_layer = stages[place.stage].name
    st.session_state.field_row, st.session_state.field_column = place.row, place.column

    def choose_layer() -> None:
        names = [stage.name for stage in stages]
        keep(network, near(network, place, names.index(st.session_state.field_layer)))

    def choose_unit() -> None:
        keep(network, Place(place.stage, st.session_state.field_row, st.session_state.field_column))

    st.selectbox("Layer", [stage.name for stage in stages], key="field_layer", on_change=choose_layer)
    last = stages[place.stage].units - 1
    row, column = st.columns(2)
    for where, words, key in ((row, "Row", "field_row"), (column, "Column", "field_column")):
        where.number_input(words, 0, max(last, 1), step=1, key=key, on_change=choose_unit, disabled=last == 0)


def digit_picker() -> int:
    """Which digit lies beneath; ?digit=0 to 9 in the URL."""
    wanted = st.query_params.get("digit", "")
    chosen = int(wanted) if wanted in map(str, DIGITS) else FIRST_DIGIT
    if wanted and wanted not in map(str, DIGITS):
        show_error(SpecError(f"digit={wanted[:20]} in the address is no digit from 0 to 9"))
    st.session_state.field_digit = chosen

    def choose() -> None:
        st.query_params.digit = str(st.session_state.field_digit)

    st.selectbox("Digit", DIGITS, key="field_digit", on_change=choose)
    return chosen


def seen_by(network: Viewed, place: Place) -> str:
    """What the unit sees, in a sentence."""
    stage = network.stages[place.stage]
    field = field_of(stage)
    (top, bottom), (left, right) = extent(field, place.row), extent(field, place.column)
    high, wide = stage.seen[place.row][2], stage.seen[place.column][2]
    cut = "" if high == wide == field.size else f" Only {high} x {wide} of them reach it: {_left_out(network, place)}."
    return (
        f"Unit ({place.row}, {place.column}) of **{stage.name}** sees {field.size} x {field.size} pixels: rows {top:g} "
        f"to {bottom:g}, columns {left:g} to {right:g}.{cut}"
    )


def _left_out(network: Viewed, place: Place) -> str:
    """Why some pixels of a field do not reach its unit."""
    layers = network.layers[: place.stage]
    reasons = [
        ("padding takes the place of what lies beyond a border", any(layer.window.padding for layer in layers)),
        ("dilation steps over some", any(layer.window.dilation > 1 for layer in layers)),
    ]
    return ", ".join(words for words, holds in reasons if holds) or "its windows step over some"


def trained_weights(architecture: Architecture) -> Shelved | None:
    """The first checkpoint at hand of a network with the same ops."""
    same = (each for each in checkpoints.on_hand() if each.card.architecture.ops == architecture.ops)
    return next(same, None)


def way_on(network: Viewed) -> None:
    """To the network's training, or to what its units make of a digit."""
    step = network.step
    onward, inside = st.columns(2)
    if step is None:
        code = to_code(network.walked.architecture)
        for column, page, label in (
            (onward, "pages/experiment/train.py", "Train this network"),
            (inside, "pages/experiment/design.py", "Change this design"),
        ):
            column.page_link(page, label=label, icon=":material/arrow_forward:", query_params={"design": code})
        return
    onward.page_link(
        "pages/experiment/train.py", label="Train this network", icon=":material/arrow_forward:",
        query_params=link_parameters(step),
    )  # fmt: skip
    if trained := trained_weights(network.walked.architecture):
        inside.page_link(
            "pages/use/inside.py", label="Look at its feature maps", icon=":material/arrow_forward:",
            query_params={"checkpoint": trained.reference},
        )  # fmt: skip
