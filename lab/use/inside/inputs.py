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
from core.errors import DataError, LabError
from lab.studies.shelf import Shelved
from lab.ui import checkpoints, images
from lab.ui.caches import split
from lab.ui.canvas import canvas
from lab.ui.explorer import units_of
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import show_error
from lab.use.inside.snapshots import Weights

PAD, STROKE = 196, 14  # seven pixels of the canvas for each of the digit's 28
DIGIT = 140  # pixels of the digit in the narrow column


@dataclass(frozen=True)
class Subject:
    """The digit that is looked at."""

    digit: Pixels  # (28, 28)
    true: int | None  # None for a drawing
    words: str


def checkpoint_picker(shelf: Sequence[Shelved]) -> Shelved:
    """Choose a checkpoint, ?checkpoint=REFERENCE in the URL; the digit stays. One that is not there is said."""
    chosen = shelf[0]
    if wanted := st.query_params.get("checkpoint", ""):
        try:
            chosen = checkpoints.on_shelf(wanted, shelf)
        except LabError as error:
            show_error(error)
    there = {shelved.reference: shelved for shelved in shelf}
    st.session_state.inside_checkpoint = chosen.reference

    def choose() -> None:
        st.query_params.checkpoint = st.session_state.inside_checkpoint
        forget("epochs", "layer", "channel", "unit")

    st.selectbox(
        "Checkpoint", list(there), key="inside_checkpoint", on_change=choose,
        format_func=lambda reference: checkpoints.short(there[reference]) if reference in there else reference,
    )  # fmt: skip
    list_checkpoints()
    return chosen


def forget(*names: str) -> None:
    """Take these out of the URL."""
    for name in names:
        st.query_params.pop(name, None)


def epoch_picker(shelved: Shelved, kept: Sequence[Weights]) -> Weights:
    """The checkpoint itself, or where its run kept every epoch, the weights after ?epochs=N of them."""
    own = Weights(str(shelved.stem), shelved.card)
    if not kept:
        return own
    by_count = {each.card.epoch + 1: each for each in kept}
    wanted = st.query_params.get("epochs", "")
    chosen = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 0
    if wanted and chosen not in by_count:
        show_error(DataError(f"epochs={wanted[:20]} in the address: the run kept {min(by_count)} to {max(by_count)}"))
    st.session_state.inside_epochs = chosen if chosen in by_count else max(by_count)

    def choose() -> None:
        st.query_params.epochs = str(st.session_state.inside_epochs)

    if len(by_count) > 1:
        st.select_slider("After so many epochs", list(by_count), key="inside_epochs", on_change=choose)
    return by_count.get(chosen, own)


def subject_picker(dataset: str) -> Subject | None:
    """A test digit by its number in the URL, or one's own drawing; None while there is no drawing."""
    source = st.segmented_control(
        "Digit", ["Test digit", "Drawing"], default="Test digit", required=True, key="from", bind="query-params",
        label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    return _drawing() if source == "Drawing" else _test_digit(dataset)


def _test_digit(dataset: str) -> Subject:
    digits = split(dataset, "test")
    index = number_in_url("image", len(digits), 0)
    st.session_state.inside_image = index

    def choose() -> None:
        st.query_params.image = str(st.session_state.inside_image)

    number, another = st.columns([3, 1], vertical_alignment="bottom")
    number.number_input(
        f"Of the {len(digits):,} test digits", 0, len(digits) - 1, step=1, key="inside_image", on_change=choose
    )
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


def number_in_url(name: str, count: int, default: int) -> int:
    """?NAME=N from 0 to count - 1; what is none is said, and the default stands in."""
    wanted = st.query_params.get(name, "")
    if not wanted:
        return default
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and int(wanted) < count:
        return int(wanted)
    show_error(DataError(f"{name}={wanted[:20]} in the address: there is none; they are 0 to {count - 1:,}"))
    return default


def show_subject(subject: Subject, probabilities: NDArray[np.float64]) -> None:
    """The digit, and what the network reads in it."""
    st.image(images.enlarged(subject.digit, 10), width=DIGIT, output_format="PNG", alt=subject.words.replace("*", ""))
    best = int(probabilities.argmax())
    verdict = "" if subject.true is None else ", right" if best == subject.true else ", **wrong**"
    st.markdown(f"{subject.words}. Read as **{best}** with {images.percent(float(probabilities[best]))}{verdict}.")


def convolutions(walked: Trace) -> dict[str, Layer]:
    """The convolutions, by name."""
    return {layer.name: layer for layer in walked.layers if isinstance(layer.op, Conv)}


def layer_picker(walked: Trace) -> Layer | None:
    """Choose a convolution, ?layer=NAME in the URL; None for a network without one."""
    there = convolutions(walked)
    if not there:
        st.info("This network has no convolution.")
        return None
    wanted = st.query_params.get("layer", "")
    if wanted and wanted not in there:
        show_error(DataError(f"layer={wanted[:40]} in the address: there is no such convolution; {', '.join(there)}"))
    st.session_state.inside_layer = wanted if wanted in there else next(iter(there))

    def choose() -> None:
        st.query_params.layer = st.session_state.inside_layer
        forget("channel", "unit")

    st.selectbox("Convolution", list(there), key="inside_layer", on_change=choose)
    return there[st.session_state.inside_layer]


def unit_picker(layer: Layer, values: NDArray[np.float32]) -> tuple[int, int, int]:
    """Channel, row and column, ?channel=N&unit=ROW,COLUMN in the URL; by default where the layer answers most."""
    channel = number_in_url("channel", layer.output[0], int(values.max((1, 2)).argmax()))
    best = np.unravel_index(int(values[channel].argmax()), values[channel].shape)
    row, column = _unit_in_url(units_of(layer), (int(best[0]), int(best[1])))
    st.session_state.inside_channel, st.session_state.inside_row, st.session_state.inside_column = channel, row, column

    def choose(names: tuple[str, ...]) -> None:
        values = [str(st.session_state[f"inside_{name}"]) for name in names]
        st.query_params["unit" if len(names) > 1 else names[0]] = ",".join(values)

    st.number_input(
        "Output channel", 0, max(1, layer.output[0] - 1), step=1, key="inside_channel", on_change=choose,
        args=(("channel",),), disabled=layer.output[0] == 1,
    )  # fmt: skip
    last = units_of(layer) - 1
    for where, name in zip(st.columns(2), ("row", "column"), strict=True):
        where.number_input(
            name.capitalize(), 0, max(last, 1), step=1, key=f"inside_{name}", on_change=choose,
            args=(("row", "column"),), disabled=last == 0,
        )  # fmt: skip
    return channel, row, column


def _unit_in_url(units: int, default: tuple[int, int]) -> tuple[int, int]:
    wanted = st.query_params.get("unit", "")
    parts = wanted.split(",")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        row, column = map(int, parts)
        if max(row, column) < units:
            return row, column
    if wanted:
        show_error(DataError(f"unit={wanted[:20]} in the address: row and column are 0 to {units - 1}"))
    return default
