"""The receptive-field page's widgets: which network, which unit, and the views of its field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from core.architecture.link import from_code, to_code
from core.architecture.receptive_field import ReceptiveField, extent, pixels_inside
from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import Architecture, architecture_to_json
from core.architecture.trace import Layer, Trace, trace
from core.data.mnist import Pixels, best_present
from core.errors import SpecError
from core.ladder import catalogue
from core.ladder.catalogue import label
from core.ladder.field_claims import claimed_rows, moves_field, not_carried, width_arithmetic
from core.ladder.model import FieldClaim, Step
from lab.learn.field import figures as field_figures
from lab.runs.affordable import affordable, field_images
from lab.studies.results import run_of, study_of, summarised
from lab.studies.shelf import Shelved
from lab.ui import checkpoints
from lab.ui.caches import sample_digit
from lab.ui.explorer import Place, Stage, field_explorer
from lab.ui.headline import headline, step_headline
from lab.ui.live_plot import live_plot
from lab.ui.predictions import effective_trained, effective_untrained
from lab.ui.step import link_parameters, step_picker, varied, what_changed
from lab.ui.tables import field_arithmetic
from lab.ui.words import escaped, show_error

if TYPE_CHECKING:  # it needs torch, which takes two seconds to import
    from core.analysis.effective_field import EffectiveField
from lab.ui.explorer import stage_of, units_of

VIEWS = ("Grow it", "Formulas", "Effective field", "Wrong tables")
DIGITS = tuple(range(10))
FIRST_DIGIT = 7
SEED = 0  # of a design's first weights, where no recipe names one
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


# ------------------------------------------------------------------------------------------------ the place, in the URL


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


# ------------------------------------------------------------------------------------------------------------ the views


def grow(network: Viewed, place: Place, digit: int) -> None:
    """The explorer."""
    field_explorer(
        network.stages, _fitted(sample_digit(digit), network.side), place, lambda new: keep(network, new), "explorer"
    )


def _fitted(digit: Pixels, side: int) -> Pixels:
    """The digit as a square image of that side."""
    if digit.shape[0] == side:
        return digit
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BOX), np.uint8)


def formulas(network: Viewed, place: Place) -> None:
    """The recurrences, and every one of them filled in, layer by layer."""
    st.latex(
        r"r_{out} = r_{in} + (k-1)\,d\,j_{in} \qquad j_{out} = j_{in}\,s \qquad "
        r"start_{out} = start_{in} + \left(\tfrac{(k-1)\,d}{2} - p\right) j_{in}"
    )
    frame = pd.DataFrame([_formula_row(layer, network.side) for layer in network.layers])
    st.dataframe(
        frame,
        hide_index=True,
        height=38 + 35 * len(frame),
        column_config={
            "layer": st.column_config.TextColumn(width=105),
            "field r": st.column_config.TextColumn(width=150),
            "jump j": st.column_config.TextColumn(width=65),
            "start": st.column_config.TextColumn(width=190),
            "map": st.column_config.TextColumn(width=245),
            "on the image": st.column_config.TextColumn(width=90),
        },
        alt="Field, jump, start and width of each layer with the numbers filled in.",
    )
    st.caption(
        "k kernel size, s stride, p padding, d dilation; in: after the layer before. The jump is the effective stride: "
        "input pixels between neighbouring units. The start is the centre of the first unit's field. Batch norm, ReLU "
        "and dropout look at single units and move nothing. On the image: of the middle unit's columns, those that are "
        "not padding."
    )
    if place.stage:
        st.markdown(f"**{network.stages[place.stage].name}**, step by step")
        st.latex(field_arithmetic(network.layers[place.stage - 1]))


def _formula_row(layer: Layer, side: int) -> dict[str, str]:
    window, before, after = layer.window, layer.before, layer.field
    k, s, p, d = window.kernel_size, window.stride, window.padding, window.dilation
    seen = pixels_inside(after, units_of(layer) // 2, side)
    return {
        "layer": layer.name,
        "field r": f"{before.size} + ({k} − 1)·{d}·{before.jump} = {after.size}",
        "jump j": f"{before.jump}·{s} = {after.jump}",
        "start": f"{before.start:g} + (({k} − 1)·{d}/2 − {p})·{before.jump} = {after.start:g}",
        "map": width_arithmetic(layer),
        "on the image": f"{seen} of {after.size}",
    }


def effective(network: Viewed, place: Place) -> None:
    """Theoretical beside effective field of the layer's middle unit: untrained, and trained where there are weights."""
    if network.walked.architecture.input != MNIST_INPUT:
        st.info("The effect is measured on MNIST's digits, and this network takes other images.")
        return
    if not network.layers:
        st.info("No op of this network moves the field: each unit sees its own pixel.")
        return
    try:
        field_images(affordable(network.walked.architecture))
    except SpecError as error:
        show_error(error)
        return
    layer = network.layers[max(place.stage, 1) - 1]
    trained = trained_weights(network.walked.architecture)
    recipe = trained.card.recipe if trained else network.step.recipe if network.step else None
    seed = recipe.seed if recipe else SEED
    data = best_present()
    before = effective_untrained(network.key, seed, layer.index, data)
    after = effective_trained(str(trained.stem), trained.card.weights_sha256, layer.index, data) if trained else None
    shown = after or before
    field = shown.field.size
    st.markdown(
        f"The theoretical field of **{layer.name}** is {field} x {field} pixels. How much each of them in fact moves "
        f"its middle unit fades from the middle outwards: {_share(before)} of the effect comes from "
        f"the middle half (dashed) untrained"
        + (f", {_share(after)} trained" if after else "")
        + f". Were all its pixels alike, it would be {shown.even_share:.0%}."
    )
    one, other, curve = st.columns([1, 1, 1.35], gap="small")
    for column, title, found, key in ((one, "Untrained", before, "before"), (other, "Trained", after, "after")):
        with column:
            if found is None:
                st.markdown(f"**{title}**")
                st.info("No weights of this network are here yet.")
                continue
            st.markdown(f"**{title}:** {_share(found)} in the half")
            live_plot(
                field_figures.effect_map(found, 270), key=f"effect-{key}", height=270,
                alt=f"{title}: the effect of each pixel on the middle unit of {layer.name}, {_share(found)} of it "
                f"within the square of half the field's side.",
            )  # fmt: skip
    with curve:
        live_plot(
            field_figures.effect_profile(before, after, 300), key="effect-profile", height=300,
            alt=f"The effect of each column; its standard deviation is {shown.deviation:.1f} pixels.",
        )  # fmt: skip
    _effect_table(before, after)
    weights = f"trained: {trained.label}" if trained else "train it to see the other"
    st.caption(
        f"Mean of |d unit / d pixel| over the first {shown.images} test digits of {data} and "
        f"{shown.channels} of the map's channels (Luo et al. 2016, arXiv:1701.04128); untrained: the first weights of "
        f"seed {seed}; {escaped(weights)}. Solid: the theoretical field. Effective size: four standard deviations, "
        "which hold 95% of a Gaussian."
    )


def trained_weights(architecture: Architecture) -> Shelved | None:
    """The first checkpoint at hand of a network with the same ops."""
    same = (each for each in checkpoints.on_hand() if each.card.architecture.ops == architecture.ops)
    return next(same, None)


def _share(found: EffectiveField) -> str:
    return f"{found.inside_half:.0%}" if found.effect.any() else "nothing"


def _effect_table(before: EffectiveField, after: EffectiveField | None) -> None:
    """The figures' text twin."""
    shown = [(name, found) for name, found in (("untrained", before), ("trained", after)) if found is not None]
    rows = [
        {
            "": name,
            "theoretical size": f"{found.field.size} pixels",
            "effective size": f"{4 * found.deviation:.1f} pixels",
            "deviation": f"{found.deviation:.2f} pixels",
            "inside half the side": f"{found.inside_half:.1%}",
            "if spread evenly": f"{found.even_share:.1%}",
        }
        for name, found in shown
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, alt="Theoretical and effective size, and the share in the middle."
    )


def wrong_tables(network: Viewed) -> None:
    """The write-up's own table beside the right one, why each number is wrong, and which was not carried on."""
    step = network.step
    if step is None or not step.field_claims:
        whose = f"{label(step)}'s write-up" if step else "A design of your own"
        st.info(f"{whose} has no wrong table of fields. These have:", icon=":material/fact_check:")
        for each in catalogue.LADDER:
            if each.field_claims:
                st.page_link(
                    "pages/learn/field.py", label=label(each), icon=":material/arrow_forward:",
                    query_params={"step": each.slug, "show": VIEWS[-1]},
                )  # fmt: skip
        return
    walked = trace(step.architecture)
    rows = claimed_rows(walked, step.field_claims)
    jumps = not any(row.claim and row.claim.size is not None for row in rows)
    st.markdown(not_carried(rows))
    st.plotly_chart(
        field_figures.claimed_fields(rows, jumps), key="claimed-fields", config={"displayModeBar": False},
        alt=f"The {'jump' if jumps else 'field'} after each layer: the write-up's beside the right one.",
    )  # fmt: skip
    told = [
        {
            "layer": row.layer.name,
            "the write-up": _claimed_words(row.claim),
            "right": f"field {row.layer.field.size}, jump {row.layer.field.jump}",
            "map": f"{units_of(row.layer)} wide",
            "how the difference came about": row.why,
        }
        for row in rows
    ]
    st.table(pd.DataFrame(told).set_index("layer"))
    if network.walked.architecture != step.architecture:
        st.caption("The table is of the step as it was written up, without your changes.")
    st.page_link(
        "pages/learn/step.py", label="What else its write-up got wrong", icon=":material/arrow_forward:",
        query_params={"step": step.slug, "view": "Result"},
    )  # fmt: skip


def _claimed_words(claim: FieldClaim | None) -> str:
    """What the write-up says where it is wrong; a dash where it says nothing wrong."""
    if claim is None:
        return "—"
    parts = (
        ("field", claim.size), ("jump", claim.jump), ("stride", claim.stride), ("map", claim.width),
        ("kernel", claim.kernel_size),
    )  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in parts if value is not None)


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
