"""The network that the receptive-field page is about, and the unit of it that is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import streamlit as st
from PIL import Image

from core.architecture.json_form import architecture_to_json
from core.architecture.link import from_code, to_code
from core.architecture.receptive_field import ReceptiveField, extent
from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import Architecture
from core.architecture.trace import Layer, Trace, trace
from core.ladder.field_claims import moves_field
from core.ladder.model import Step
from core.words import significant
from lab.studies.shelf import Shelved
from lab.ui import checkpoints, url
from lab.ui.caches import sample_digit
from lab.ui.explorer import Place, Stage, field_explorer, stage_of, unit_inputs
from lab.ui.links import link
from lab.ui.step import link_parameters, step_picker, varied, what_changed
from lab.ui.words import escaped

DIGITS = tuple(range(10))
FIRST_DIGIT = 7
VIEWS = ("Grow it", "Formulas", "Effective field", "Wrong tables")
MNIST_INPUT = (1, 28, 28)


@dataclass(frozen=True)
class Viewed:
    """The network that the page is about."""

    walked: Trace
    step: Step | None  # None for a student's own design
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
    st.button(
        "To the steps of the ladder", on_click=url.drop, args=("design", "op", "unit"), icon=":material/stairs:",
        width="stretch",
    )  # fmt: skip
    architecture = from_code(code)
    st.markdown(f"**{escaped(architecture.name)}**, a design from the link")
    return viewed(architecture, None)


def viewed(architecture: Architecture, step: Step | None) -> Viewed:
    """The network with what the explorer needs of it. Raises SpecError."""
    walked = trace(architecture)
    layers = tuple(layer for layer in walked.layers if moves_field(layer))
    side = architecture.input[1]
    itself = tuple((pixel, pixel, 1) for pixel in range(side))
    image = Stage("the image", "a pixel sees itself: field 1, jump 1, start 0", 1, 1, 0.0, side, itself)
    reached = seen_pixels(walked)
    return Viewed(walked, step, (image, *(stage_of(layer, reached[layer.name]) for layer in layers)), layers)


def field_of(stage: Stage) -> ReceptiveField:
    return ReceptiveField(stage.size, stage.jump, stage.start)


def place_in_url(network: Viewed) -> Place:
    """The unit that ?op=NAME&unit=ROW,COLUMN asks for; by default the middle one of a middle layer.

    After another step was chosen, an op that this step does not have is no error.
    """
    stages = network.stages
    fresh = st.session_state.get("field_of") not in (None, network.key)
    st.session_state.field_of = network.key
    names = [stage.name for stage in stages]
    name = url.one_of("op", names, names[len(names) // 2], quiet=fresh)
    stage = names.index(name)
    row, column = middle = (stages[stage].units // 2,) * 2
    if url.given("op") == name:
        row, column = url.unit("unit", stages[stage].units, middle, quiet=fresh)
    return Place(stage, row, column)


def grow(network: Viewed, place: Place, digit: int) -> None:
    """The explorer: a real digit, a layer's map, and the square that one unit sees."""
    image, side = sample_digit(digit), network.side
    if image.shape[0] != side:
        image = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX), np.uint8)
    field_explorer(network.stages, image, place, lambda new: keep(network, new), "explorer")


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
    names = [stage.name for stage in stages]
    st.session_state.field_layer = names[place.stage]

    def choose_layer() -> None:
        keep(network, near(network, place, names.index(st.session_state.field_layer)))

    def choose_unit(row: int, column: int) -> None:
        keep(network, Place(place.stage, row, column))

    st.selectbox("Layer", names, key="field_layer", on_change=choose_layer)
    unit_inputs((place.row, place.column), stages[place.stage].units, choose_unit)


def digit_picker() -> int:
    """Which digit lies below the field; ?digit=0 to 9 in the URL."""
    digit: int = url.one_of("digit", DIGITS, FIRST_DIGIT)
    st.selectbox("Digit", DIGITS, **url.bound("digit", digit))
    return digit


def seen_by(network: Viewed, place: Place) -> str:
    """What the unit sees, in a sentence."""
    stage = network.stages[place.stage]
    field = field_of(stage)
    (top, bottom), (left, right) = extent(field, place.row), extent(field, place.column)
    high, wide = stage.seen[place.row][2], stage.seen[place.column][2]
    cut = "" if high == wide == field.size else f" Only {high} x {wide} of them reach it: {_left_out(network, place)}."
    return (
        f"Unit ({place.row}, {place.column}) of **{stage.name}** sees {field.size} x {field.size} pixels: rows "
        f"{significant(top, 6)} "
        f"to {significant(bottom, 6)}, columns {significant(left, 6)} to "
        f"{significant(right, 6)}.{cut}{beyond(network, place)}"
    )


def beyond(network: Viewed, place: Place) -> str:
    """What the square does not show: the ops up to the unit that mix in a mean over the whole map. Empty for none."""
    last = network.layers[place.stage - 1].index if place.stage else -1
    mixing = [layer.name for layer in network.walked.layers[: last + 1] if layer.uses_whole_map]
    return f" It also depends on the whole map a little, through the mean that {mixing[0]} takes." if mixing else ""


def _left_out(network: Viewed, place: Place) -> str:
    """Why some pixels of a field do not reach its unit."""
    layers = every_layer(network.layers[: place.stage])
    reasons = [
        ("padding takes the place of what lies beyond a border", any(layer.window.padding for layer in layers)),
        ("dilation steps over some", any(layer.window.dilation > 1 for layer in layers)),
    ]
    return ", ".join(words for words, holds in reasons if holds) or "its windows step over some"


def every_layer(layers: tuple[Layer, ...]) -> list[Layer]:
    """The layers, each followed by those in its bodies."""
    return [each for layer in layers for each in (layer, *every_layer(tuple(chain.from_iterable(layer.branches))))]


def trained_weights(architecture: Architecture) -> Shelved | None:
    """The first checkpoint that is present of a network with the same ops."""
    same = (each for each in checkpoints.on_hand() if each.card.architecture.ops == architecture.ops)
    return next(same, None)


def way_on(network: Viewed) -> None:
    """To the network's training, or to what its units make of a digit."""
    step = network.step
    onward, inside = st.columns(2)
    if step is None:
        design = {"design": to_code(network.walked.architecture)}
        link("experiment/train", "Train this network", design, at=onward)
        link("experiment/design", "Change this design", design, at=inside)
        return
    link("experiment/train", "Train this network", link_parameters(step), at=onward)
    if trained := trained_weights(network.walked.architecture):
        link("use/inside", "Look at its feature maps", {"checkpoint": trained.reference}, at=inside)
