"""The drawing pad: a canvas, a picture or a test digit on one side, what the networks make of it on the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from core.data.drawn_digit import FAINTEST_PEAK, LONGER_SIDE, SIDE, Grey, Preparation, prepare
from core.data.mnist import best_present
from core.errors import CheckpointError, LabError
from core.words import share_words
from lab.studies.shelf import Shelved
from lab.ui import figures, url, work
from lab.ui.caches import split
from lab.ui.canvas import canvas
from lab.ui.checkpoints import on_shelf, titles
from lab.ui.export_menu import export_menu, of_checkpoint
from lab.ui.formats import percent
from lab.ui.images import enlarged
from lab.ui.live_plot import live_plot
from lab.ui.predictions import probabilities, torch_warming
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import escaped, show_error
from lab.use.draw import photographs
from lab.use.draw.ensemble import vote_told
from lab.use.draw.extras import Extras, altered_by, extras, fill_altering, fill_keeping, fill_preparing

PAD = 280  # pixels of the canvas's side, ten for each of the digit's 28
PENS = {"Usual pen": 20, "Thin": 10, "Thick": 32}  # pixels; 20 are two of the digit's, as a line is in MNIST
MOST = 5  # networks side by side
BARS = 200  # pixels of the charts' height
PREFERRED = ("c6-steplr-7416", "a3-dilation-5340")
FRAME = 96  # the grey around what does not fill its square


@dataclass(frozen=True)
class Offered:
    """The input: a picture that must be prepared, or a digit of the test split, unchanged."""

    picture: Grey | None = None  # (H, W)
    test_digit: Grey | None = None  # (28, 28)
    true: int | None = None
    pictures: tuple[Grey, ...] = ()  # of all digits, where a photograph shows several


@dataclass(frozen=True)
class Given:
    """What the networks are given, and how it was made."""

    digit: Grey  # (28, 28)
    picture: Grey | None = None
    preparation: Preparation | None = None
    true: int | None = None


@st.fragment
def drawing_pad(shelf: Sequence[Shelved]) -> None:
    """The whole pad: a fragment, so that a stroke reruns it and nothing else. The answer stands below on a phone."""
    sides = st.container(horizontal=True, gap="large", key="pad-and-answers")
    pad, read = sides.container(width=PAD, key="pad"), sides.container(width="stretch")
    above, first = read.container(), read.container(key="answers")  # by its keys page.css keeps pad and answers in view
    below = read.container()
    with pad:
        source = url.switch("Source", ["Draw", "Picture", "Camera", "Test digit"], "source")
        try:
            offered = {"Draw": _drawn, "Picture": _uploaded, "Camera": _taken, "Test digit": _test_digit}[source]()
        except LabError as error:
            show_error(error)
            offered = Offered()
    with read:
        chosen = _networks(shelf)
        more = extras()
        export_menu(lambda: [of_checkpoint(each) for each in chosen], width="content")
    with above:
        if len(offered.pictures) > 1:
            photographs.one_by_one(offered.pictures, chosen, probabilities)
    with first:
        given = _given(offered, more)
        answers = [(shelved, _read(shelved, given)) for shelved in chosen]
        lead = 2 if len(answers) < 4 else 1.3  # more room for the first, whose axis is told
        columns = st.columns([lead, *[1] * (len(answers) - 1)], gap="medium" if len(answers) < 4 else "small")
        for column, (shelved, values) in zip(columns, answers, strict=True):
            with column:
                _answer(shelved, values, given)
                _bars(shelved, values, given, small=column is not columns[0])
        if len(answers) > 1:
            st.markdown(vote_told([values for _, values in answers if values is not None]))
    with below:
        if offered.test_digit is None:
            _stages(given)
    try:
        fill_preparing(more, offered.picture, [each for each, values in answers if values is not None], probabilities)
        fill_altering(more, given.digit if given else None)
        fill_keeping(more, offered.picture)
    except LabError as error:
        show_error(error)


def _given(offered: Offered, more: Extras) -> Given | None:
    """The digit prepared and altered as is asked for; None while there is none."""
    try:
        if offered.picture is not None:
            preparation = prepare(offered.picture, more.stages)
            return Given(altered_by(preparation.digit, more.alteration), offered.picture, preparation)
        if offered.test_digit is not None:
            return Given(altered_by(offered.test_digit, more.alteration), true=offered.true)
    except LabError as error:
        show_error(error)
    return None


def _drawn() -> Offered:
    """The drawing on the canvas; a trace that is too faint counts as nothing."""
    pen = url.switch("Pen", list(PENS), "pen")
    canvas("pad", PAD, PENS[pen], shortcut="Ctrl+Delete")
    st.caption("From the keyboard: *Picture* or *Test digit*.")
    picture: Grey | None = st.session_state.get("pad_picture")
    return Offered(None if picture is None or int(picture.max()) < FAINTEST_PEAK else picture)


def _uploaded() -> Offered:
    """A picture from a file: ink on paper or white on black, one digit or several."""
    return _of_photograph(photographs.from_file())


def _taken() -> Offered:
    """A picture from the camera."""
    return _of_photograph(photographs.from_camera())


def _of_photograph(digits: tuple[Grey, ...]) -> Offered:
    return Offered(digits[photographs.which(len(digits))], pictures=digits) if digits else Offered()


def _test_digit() -> Offered:
    """A digit of the test split, by its number in the URL."""
    dataset = best_present()
    digits = split(dataset, "test")
    if not url.given("digit"):
        _another(len(digits))
    index = url.number("digit", len(digits), None)
    st.button("Another at random", on_click=_another, args=(len(digits),), icon=":material/casino:", width=PAD)
    if index is None:
        return Offered()
    true = int(digits.labels[index])
    st.image(enlarged(digits.images[index], 20), width=PAD, output_format="PNG", alt=f"Test digit {index}, a {true}.")
    st.caption(f"Image {index:,} of the {dataset} test split, a **{true}**. The networks get it unchanged.")
    return Offered(test_digit=digits.images[index], true=true)


def _another(size: int) -> None:
    url.put("digit", str(np.random.default_rng().integers(size)))


def _networks(shelf: Sequence[Shelved]) -> list[Shelved]:
    """Choose up to five; they are ?checkpoint=A&checkpoint=B in the URL. Missing ones are reported, once."""
    there = {shelved.reference: shelved for shelved in shelf}
    chosen = []
    for reference in dict.fromkeys(st.query_params.get_all("checkpoint")[:MOST]):
        try:
            chosen.append(on_shelf(reference, shelf))
        except CheckpointError as error:
            show_error(error)
    if not chosen:
        preferred = [there[reference] for reference in PREFERRED if reference in there]
        chosen = (preferred + [shelved for shelved in shelf if shelved not in preferred])[:2]
    st.multiselect(
        "Networks, side by side", list(there), max_selections=MOST, wrap=True, format_func=titles(shelf),
        **url.bound("checkpoint", [shelved.reference for shelved in chosen], write=list),
    )  # fmt: skip
    list_checkpoints()
    if st.query_params.get("checkpoint"):
        work.looks_at(chosen[0].reference)
    return chosen


def make_ready(shelf: Sequence[Shelved]) -> None:
    """Once the page is drawn: import torch and run the chosen networks once, so that no stroke waits for that."""
    torch_warming().join()
    for shelved in shelf:
        if shelved.reference in st.session_state.get("checkpoint_picker", ()):
            with suppress(LabError):  # the pad has said it
                probabilities(shelved, np.zeros((1, SIDE, SIDE), np.uint8))


def _read(shelved: Shelved, given: Given | None) -> NDArray[np.float32] | None:
    """The ten probabilities; None while there is nothing to read, or where the checkpoint cannot be opened."""
    if given is None:
        return None
    try:
        values: NDArray[np.float32] = probabilities(shelved, given.digit[None])[0]
        return values
    except LabError as error:
        show_error(error)
        return None


def _answer(shelved: Shelved, values: NDArray[np.float32] | None, given: Given | None) -> None:
    """The digit read and how sure, or an invitation."""
    name = f"{escaped(shelved.card.name)}, {shelved.card.parameters:,}"
    if values is None or given is None:
        st.metric(name, "—", "draw a digit", delta_color="off", delta_arrow="off")
        return
    best = int(values.argmax())
    if given.true is None:
        st.metric(name, str(best), percent(float(values[best])), delta_color="off", delta_arrow="off")
    else:
        right = best == given.true
        verdict = f"{percent(float(values[best]))}, {'right' if right else f'is a {given.true}'}"
        st.metric(name, str(best), verdict, delta_color="green" if right else "red", delta_arrow="off")


def _bars(shelved: Shelved, values: NDArray[np.float32] | None, given: Given | None, small: bool) -> None:
    """The probabilities as a chart that is updated in place; a small one has no axis of its own."""
    shown = np.zeros(10, np.float32) if values is None else values
    figure = figures.probabilities(shown, given.true if given else None, BARS)
    if small:
        figure.update_layout(margin={"l": 4, "r": 4}, yaxis={"showticklabels": False, "title": None})
    alt = (
        "Nothing to read yet."
        if values is None
        else ", ".join(f"{n}: {share_words(value, 1)}" for n, value in enumerate(values))
    )
    live_plot(figure, key=f"bars-{shelved.reference}", height=BARS, alt=alt)


def _stages(given: Given | None) -> None:
    """The stages of the preparation, pixel by pixel."""
    if given and given.preparation and given.picture is not None:
        ink, scaled = given.preparation.ink, given.preparation.scaled
        stages = [
            (given.picture, f"given, {_size(given.picture)}"),
            (ink, f"its ink, {_size(ink)}"),
            (scaled, f"scaled, {_size(scaled)}"),
            (given.preparation.digit, f"centred, {_size(given.preparation.digit)}"),
        ]
    else:
        black = np.zeros((SIDE, SIDE), np.uint8)
        stages = [(black, words) for words in ("given", "its ink", f"scaled to {LONGER_SIDE}", "centred")]
    grid = st.grid(4, min_column_width=112, gap="small", key="stages")
    for number, (image, words) in enumerate(stages):
        with grid.container(gap="xxsmall"):
            st.image(_in_square(image), width=112, output_format="PNG", alt=words)
            st.caption(f"{number + 1}. {words}")


def _size(image: Grey) -> str:
    return f"{image.shape[1]} × {image.shape[0]}"


def _in_square(image: Grey, side: int = 224) -> Grey:
    """The image in the middle of a grey square, small ones with every pixel to be seen."""
    longer = max(image.shape)
    zoom = side / longer if longer > side else side // longer
    height, width = (max(1, round(length * zoom)) for length in image.shape)
    way = Image.Resampling.BOX if longer > side else Image.Resampling.NEAREST
    square = np.full((side, side), FRAME, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = np.asarray(Image.fromarray(image).resize((width, height), way))
    return square
