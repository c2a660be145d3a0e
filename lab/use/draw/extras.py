"""Below the drawing pad: leave a stage of the preparation out, alter the digit, keep it. Each works only while open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

from core.data.drawn_digit import LONGER_SIDE, SIDE, STAGES, Grey, Stages, prepare, without
from lab.studies.shelf import Shelved
from lab.ui.formats import percent
from lab.ui.images import enlarged
from lab.ui.keep_form import keep_form
from lab.ui.names import brief

STAGE_WORDS = {
    "crop": ("Cut out the ink", "the whole picture is kept, however small the digit in it"),
    "scale": (f"Scale to {LONGER_SIDE} pixels", "the digit keeps the size it was drawn in"),
    "grey": ("Soft edges", "each pixel is black or white"),
    "stretch": ("Full brightness", "thin ink stays as dim as averaging left it"),
    "centre": ("Centre of mass", "the middle of its outline is centred instead"),
    "white": ("White on black", "black ink on white, as on paper"),
}
SLIDERS: dict[str, tuple[str, float, float, float, float, str]] = {  # label, least, most, neutral, step, help
    "right": ("Shift right, pixels", -10, 10, 0, 0.5, "Below 0: to the left."),
    "down": ("Shift down, pixels", -10, 10, 0, 0.5, "Below 0: up."),
    "turn": ("Turn, degrees", -180, 180, 0, 5, "Anticlockwise."),
    "size": ("Size, times", 0.4, 1.8, 1, 0.05, "About the middle."),
    "thicker": ("Thicker, pixels", -1.5, 2.5, 0, 0.25, "On each side of a stroke; below 0 thinner."),
    "noise": ("Noise, grey levels", 0, 120, 0, 5, "The standard deviation of what is added to each pixel, of 255."),
}

Reader = Callable[[Shelved, NDArray[np.uint8]], NDArray[np.float32]]  # digits (N, 28, 28) to (N, 10)


@dataclass(frozen=True)
class Extras:
    """The three expanders, and what is asked for in them; a closed one asks for nothing."""

    preparing: ExpanderContainer
    altering: ExpanderContainer
    keeping: ExpanderContainer
    stages: Stages
    alteration: Mapping[str, float]  # by the name of a slider; only of those that change the digit


def extras() -> Extras:
    """The expanders with their controls; what they show is filled in when the networks have been asked."""
    preparing = st.expander(
        "Why prepare it? Leave a stage out", icon=":material/tune:", key="prepare", bind="query-params"
    )
    altering = st.expander(
        "Shift it, turn it, make it thick or noisy", icon=":material/transform:", key="alter", bind="query-params"
    )
    keeping = st.expander("Keep it in our handwriting", icon=":material/bookmark_add:", key="keep", bind="query-params")
    stages = _stages_chosen(preparing) if preparing.open else Stages()
    return Extras(preparing, altering, keeping, stages, _alteration_chosen(altering) if altering.open else {})


def _stages_chosen(expander: ExpanderContainer) -> Stages:
    chosen = expander.pills(
        "Stages that are on", list(STAGES), selection_mode="multi", default=list(STAGES), key="stage",
        bind="query-params", format_func=lambda stage: STAGE_WORDS[stage][0],
    )  # fmt: skip
    return without(*(stage for stage in STAGES if stage not in chosen))


def _alteration_chosen(expander: ExpanderContainer) -> dict[str, float]:
    chosen = {}
    columns = expander.columns(3, gap="medium")
    for place, (name, (label, least, most, neutral, step, words)) in enumerate(SLIDERS.items()):
        value = columns[place % 3].slider(
            label,
            float(least),
            float(most),
            float(neutral),
            float(step),
            format="%g",
            key=name,
            bind="query-params",
            help=words,
        )
        if value != neutral:
            chosen[name] = float(value)
    return chosen


def altered_by(digit: Grey, amounts: Mapping[str, float]) -> Grey:
    """The digit (28, 28) altered by those amounts."""
    if not amounts:
        return digit
    from core.analysis.alteration import Alteration, altered  # here: torch

    return altered(digit, Alteration(**amounts))


def fill_preparing(shown: Extras, picture: Grey | None, networks: Sequence[Shelved], read: Reader) -> None:
    """The drawing with each stage left out by itself, and what each network then reads."""
    if not shown.preparing.open:
        return
    with shown.preparing:
        if picture is None:
            st.caption("Draw a digit or upload a picture: test digits have been prepared already.")
            return
        st.caption(
            "Below, one stage at a time is left out. Above, the networks get the result of the stages that are "
            "switched on."
        )
        digits = np.stack([prepare(picture, without(stage)).digit for stage in STAGES])
        found = [(each, read(each, digits)) for each in networks]
        grid = st.grid(6, min_column_width=96, gap="small", key="left-out")
        for place, stage in enumerate(STAGES):
            told = [
                f"{brief(each)}: **{values[place].argmax()}**, {percent(float(values[place].max()))}"
                for each, values in found
            ]
            with grid.container(gap="xxsmall"):
                st.image(
                    enlarged(digits[place]), width=96, output_format="PNG", alt=f"Without: {STAGE_WORDS[stage][0]}"
                )
                st.markdown(f":small[Without **{STAGE_WORDS[stage][0].lower()}**: {STAGE_WORDS[stage][1]}.]")
                st.markdown("  \n".join(f":small[{words}]" for words in told))


def fill_altering(shown: Extras, digit: Grey | None) -> None:
    """The digit as the sliders have changed it, and the way back."""
    if not shown.altering.open:
        return
    picture, words = shown.altering.columns([1, 3], gap="medium")
    given = np.zeros((SIDE, SIDE), np.uint8) if digit is None else digit
    picture.image(enlarged(given), width=140, output_format="PNG", alt="The digit as the networks are given it.")
    words.caption(
        "This is what the networks get. It is altered after the preparation, which would undo a shift and a "
        "change of size; a test digit is altered without preparation."
    )
    words.button("Back to how it was", on_click=_as_it_was, icon=":material/undo:", disabled=not shown.alteration)


def _as_it_was() -> None:
    for name, (_, _, _, neutral, _, _) in SLIDERS.items():
        st.session_state[name] = float(neutral)


def fill_keeping(shown: Extras, picture: Grey | None) -> None:
    """Ten digits to keep the drawing as."""
    if not shown.keeping.open:
        return
    with shown.keeping:
        if picture is None:
            st.caption("Draw a digit or upload a picture first; test digits are not ours.")
            return
        keep_form(picture)
