"""Digits enlarged, in rows, and one of them at a time."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from core.analysis.mistakes import mistakes
from core.data.disputed import SOURCE, SOURCE_WORDS, Disputed, disputed
from core.data.mnist import Pixels, Split, SplitName
from core.training.predictions import Predictions
from lab.studies.shelf import Shelved
from lab.ui import follow, url
from lab.ui.formats import percent
from lab.ui.links import link
from lab.ui.readings import readings, readings_told
from lab.ui.ten_bars import ten_bars

PER_PAGE = 24
WORST = "worst"  # in the URL: the mistake with the largest loss
MARK = ":material/balance:"  # of an image whose label people dispute
Indices = NDArray[np.int64]  # (N,) of images of a split
Look = Callable[[Indices], None]  # shows the image that ?image= asks for, among these, if it does


@dataclass(frozen=True)
class InView:
    """The split that a page shows, and where it comes from."""

    digits: Split
    dataset: str
    name: SplitName

    def doubt(self, index: int) -> Disputed | None:
        """What is known of an image whose label people dispute."""
        return disputed(self.dataset, self.name, index)


def enlarged(digit: Pixels, zoom: int = 8) -> Pixels:
    """A digit (28, 28) with each pixel `zoom` wide: shown at half that size it is sharp on every screen."""
    return np.kron(digit, np.ones((zoom, zoom), np.uint8))


@st.fragment
def images(view: InView, indices: Indices, words: Callable[[int], str], key: str, look: Look) -> None:
    """Images, paged, each a button that opens it, with `words` under it; those with a disputed label carry a mark.

    A fragment: a click draws no more of the page than these and the close look, which `look` shows at ?image=.
    """
    pages = max(1, -(-len(indices) // PER_PAGE))
    shown_page = st.pagination(pages, key=key) if pages > 1 else 1
    shown = indices[PER_PAGE * (shown_page - 1) : PER_PAGE * shown_page]
    grid = st.grid(6, min_column_width=112, gap=("small", "xsmall"), key="gallery")  # 6 or 3: both divide a page
    for index in map(int, shown):
        doubt = view.doubt(index)
        picture = f"![Image {index}:]({_address(view.digits.images[index])})"
        grid.button(
            f"{picture} :small[{words(index)}{f' {MARK}' if doubt else ''}]", key=f"open-{index}", type="tertiary",
            on_click=look_at, args=(index,), width="stretch",
            help=f"The label is disputed: {doubt.words}." if doubt else None,
        )  # fmt: skip
    look(indices)


def _address(digit: Pixels) -> str:
    """A digit (28, 28) as the address of a PNG that holds itself, for a button's label: page.css enlarges it."""
    file = io.BytesIO()
    Image.fromarray(digit).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def look_at(index: int) -> None:
    """Put an image into the URL: the next run opens it."""
    url.put("image", str(index))
    follow.tell()


def _look_away() -> None:
    url.drop("image")
    follow.tell()


def worst_mistake(reference: str) -> dict[str, str]:
    """The values of the Mistakes page's URL that open a checkpoint's worst mistake, for a link to it."""
    return {"checkpoint": reference, "order": "largest loss", "image": WORST}


def close_look(
    view: InView, predictions: Predictions, compared: Sequence[str] | None, others: Sequence[Shelved], indices: Indices
) -> None:
    """The image that ?image= asks for, if it does, enlarged over the page.

    `compared` are the checkpoints that may be asked about it; none for an image that is not of the test split.
    `others`: the networks whose readings are told. `indices`: the gallery, with the neighbours it has there.
    """
    if _asked_for(predictions) is not None:
        _close_look(view, predictions, compared, others, indices)


def _asked_for(predictions: Predictions) -> int | None:
    """By its number, or the worst mistake, which the URL then names by its number."""
    if url.given("image") == WORST:
        wrong = mistakes(predictions, "largest loss")
        url.put("image", str(wrong[0]) if len(wrong) else "")
    return url.number("image", len(predictions.labels), None)


@st.dialog("One image, ten probabilities", width="medium", on_dismiss=_look_away)
def _close_look(
    view: InView, predictions: Predictions, compared: Sequence[str] | None, others: Sequence[Shelved], indices: Indices
) -> None:
    index = url.number("image", len(view.digits), None)
    if index is None:
        return
    true, predicted = int(view.digits.labels[index]), int(predictions.predicted[index])
    values = predictions.probabilities[index]
    drawn, bars = st.columns([1, 2], gap="medium")
    drawn.image(
        enlarged(view.digits.images[index], 16), width=224, output_format="PNG", alt=f"Image {index}, a {true}."
    )
    drawn.caption(f"Image {index:,} of {view.dataset}'s {view.name} split")
    bars.markdown(
        f"A **{true}**, read as **{predicted}** with {percent(float(values[predicted]))}"
        + (f"; the {true} got {percent(float(values[true]))}." if predicted != true else ", which is right.")
    )
    with bars:
        ten_bars(values, true)
        st.caption("Green: the true digit." + (" Red: what the network answered." if predicted != true else ""))
    if doubt := view.doubt(index):
        st.warning(f"The label is disputed: {doubt.words} ([{SOURCE_WORDS}]({SOURCE})).", icon=MARK)
    _ways_from(index, indices, compared)
    if others:
        st.markdown(readings_told(readings(others, view.dataset, view.name, index), true))


def _ways_from(index: int, indices: Indices, compared: Sequence[str] | None) -> None:
    """To the neighbours in the gallery, to the network's inside, and to the drawing pad."""
    place = int(np.flatnonzero(indices == index)[0]) if index in indices else -1
    before, after, onward = st.columns([1, 1, 2])
    for column, label, to, shortcut in ((before, "Previous", place - 1, "Left"), (after, "Next", place + 1, "Right")):
        there = place >= 0 and 0 <= to < len(indices)
        column.button(
            label, on_click=look_at, args=(int(indices[to]) if there else index,), disabled=not there,
            shortcut=shortcut, width="stretch",
        )  # fmt: skip
    if compared:
        looked = {"checkpoint": compared[0], "image": str(index)}
        link("use/inside", "Look inside at this digit", looked, icon="biotech", at=onward)
        given = {"checkpoint": compared, "source": "Test digit", "digit": str(index), "alter": "true"}
        link("use/draw", "Shift, turn or thicken it", given, icon="transform", at=onward)
