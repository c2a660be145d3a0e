"""What the Look inside page asks: which checkpoint, after which epoch, which digit, which layer and which unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.architecture.spec import Conv
from core.architecture.trace import Layer, Trace
from core.data.drawn_digit import FAINTEST_PEAK, Grey, prepare
from core.data.mnist import Pixels
from lab.studies.shelf import Shelved
from lab.ui import images, url
from lab.ui.caches import split
from lab.ui.canvas import canvas
from lab.ui.explorer import unit_inputs, units_of
from lab.ui.formats import percent
from lab.use.inside.snapshots import Weights

PAD, STROKE = 196, 14  # seven pixels of the canvas for each of the digit's 28
DIGIT = 140  # pixels of the digit in the narrow column


@dataclass(frozen=True)
class Subject:
    """The digit that is looked at."""

    digit: Pixels  # (28, 28)
    true: int | None  # None for a drawing
    words: str


def epoch_picker(shelved: Shelved, kept: Sequence[Weights]) -> Weights:
    """The checkpoint itself, or where its run kept every epoch, the weights after ?epochs=N of them."""
    own = Weights(str(shelved.stem), shelved.card)
    if not kept:
        return own
    by_count = {each.card.epoch + 1: each for each in kept}
    chosen = url.one_of("epochs", by_count, max(by_count))
    if len(by_count) > 1:
        st.select_slider("After so many epochs", list(by_count), **url.bound("epochs", chosen))
    return by_count[chosen] if url.given("epochs") in map(str, by_count) else own


def subject_picker(dataset: str) -> Subject | None:
    """A test digit by its number in the URL, or one's own drawing; None while there is no drawing."""
    source = url.switch("Digit", ["Test digit", "Drawing"], "from", width="stretch")
    return _drawing() if source == "Drawing" else _test_digit(dataset)


def _test_digit(dataset: str) -> Subject:
    digits = split(dataset, "test")
    index = url.number("image", len(digits), 0)
    number, another = st.columns([3, 1], vertical_alignment="bottom")
    words = f"Of the {len(digits):,} test digits"
    number.number_input(words, 0, len(digits) - 1, step=1, **url.bound("image", index))
    another.button("", on_click=_another, args=(len(digits),), icon=":material/casino:", help="Another at random")
    true = int(digits.labels[index])
    return Subject(digits.images[index], true, f"{dataset} test digit {index:,}, a **{true}**")


def _another(size: int) -> None:
    st.query_params.image = str(np.random.default_rng().integers(size))


def _drawing() -> Subject | None:
    """What is drawn here, or else on the Draw page."""
    canvas("inside_pad", PAD, STROKE)
    for name, words in (("inside_pad_picture", "Your drawing"), ("pad_picture", "Your drawing from the page Draw")):
        picture: Grey | None = st.session_state.get(name)
        if picture is not None and int(picture.max()) >= FAINTEST_PEAK:
            return Subject(prepare(picture).digit, None, f"{words}, prepared as MNIST was")
    return None


def show_subject(subject: Subject, probabilities: NDArray[np.float64]) -> None:
    """The digit, and what the network reads in it."""
    st.image(images.enlarged(subject.digit, 10), width=DIGIT, output_format="PNG", alt=subject.words.replace("*", ""))
    best = int(probabilities.argmax())
    verdict = "" if subject.true is None else ", right" if best == subject.true else ", **wrong**"
    st.markdown(f"{subject.words}. Read as **{best}** with {percent(float(probabilities[best]))}{verdict}.")


def layer_picker(walked: Trace) -> Layer | None:
    """Choose a convolution, ?layer=NAME in the URL; None for a network without one."""
    there = {layer.name: layer for layer in walked.every_layer if isinstance(layer.op, Conv)}
    if not there:
        st.info("This network has no convolution.")
        return None
    layer = url.one_of("layer", there, next(iter(there)))
    st.selectbox("Convolution", list(there), **url.bound("layer", layer, clears=("channel", "unit")))
    return there[layer]


def unit_picker(layer: Layer, values: NDArray[np.float32]) -> tuple[int, int, int]:
    """Channel, row and column, ?channel=N&unit=ROW,COLUMN in the URL; by default where the layer answers most."""
    channel = url.number("channel", layer.output[0], int(values.max((1, 2)).argmax()))
    row, column = np.unravel_index(int(values[channel].argmax()), values[channel].shape)
    place = url.unit("unit", units_of(layer), (int(row), int(column)))
    st.number_input(
        "Output channel", 0, max(1, layer.output[0] - 1), step=1, disabled=layer.output[0] == 1,
        help=f"0 to {layer.output[0] - 1}.",
        **url.bound("channel", channel),
    )  # fmt: skip
    unit_inputs(place, units_of(layer), lambda row, column: url.put("unit", f"{row},{column}"))
    return channel, *place
