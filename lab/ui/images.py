"""Digits enlarged, in rows, and one of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.disputed import SOURCE, SOURCE_WORDS, Disputed, disputed
from core.data.mnist import Pixels, Split, SplitName
from core.training.predictions import Predictions
from lab.ui import figures, url
from lab.ui.links import link
from lab.ui.live_plot import live_plot

PER_PAGE = 24
MARK = ":material/balance:"  # of an image whose label people dispute


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


def images(view: InView, indices: NDArray[np.int64], words: Callable[[int], str], key: str) -> None:
    """Images, paged; `words` stand under each and open it, and those with a disputed label carry their mark."""
    pages = max(1, -(-len(indices) // PER_PAGE))
    shown_page = st.pagination(pages, key=key) if pages > 1 else 1
    shown = indices[PER_PAGE * (shown_page - 1) : PER_PAGE * shown_page]
    grid = st.grid(6, min_column_width=112, gap=("small", "xsmall"), key="gallery")  # 6 or 3: both divide a page
    for index in map(int, shown):
        doubt = view.doubt(index)
        with grid.container(gap="xxsmall", horizontal_alignment="center"):
            alt = f"Image {index}: {words(index)}.{' Its label is disputed.' if doubt else ''}"
            st.image(enlarged(view.digits.images[index]), width=112, output_format="PNG", alt=alt)
            st.button(
                f":small[{words(index)}{f' {MARK}' if doubt else ''}]", key=f"open-{index}", type="tertiary",
                on_click=look_at, args=(index,),
                help=f"The label is disputed: {doubt.words}." if doubt else f"Image {index}: its ten probabilities.",
            )  # fmt: skip


def percent(share: float) -> str:
    """52%; with two digits where the whole number would say all or nothing, and never quite either."""
    if 0.01 <= share <= 0.99:
        return f"{share:.0%}"
    return f"{share:.2%}" if 0.0001 <= share <= 0.9999 else "under 0.01%" if share < 0.5 else "over 99.99%"


def look_at(index: int) -> None:
    """Put an image into the URL: the next run opens it."""
    url.put("image", str(index))


@st.dialog("One image, ten probabilities", width="medium", on_dismiss=partial(url.drop, "image"))
def close_look(
    view: InView, predictions: Predictions, indices: NDArray[np.int64], compared: Sequence[str] | None
) -> None:
    """One image enlarged beside its ten probabilities, with a step to its neighbours in the gallery.

    `compared` are the checkpoints that may be asked about it; none for an image that is not of the test split.
    """
    index = url.number("image", len(view.digits), None)
    if index is None:
        return
    true, predicted = int(view.digits.labels[index]), int(predictions.predicted[index])
    values = predictions.probabilities[index]
    drawn, bars = st.columns([1, 2], gap="medium")
    drawn.image(
        enlarged(view.digits.images[index], 16), width=224, output_format="PNG", alt=f"Image {index}, a {true}."
    )
    drawn.caption(f"Image {index} of the split")
    bars.markdown(
        f"A **{true}**, read as **{predicted}** with {percent(float(values[predicted]))}"
        + (f"; the {true} got {percent(float(values[true]))}." if predicted != true else ", which is right.")
    )
    with bars:
        live_plot(
            figures.probabilities(values, true),
            key="close-look",
            alt=", ".join(f"{digit}: {value:.1%}" for digit, value in enumerate(values)),
        )
        st.caption("Green: the true digit." + (" Red: what the network answered." if predicted != true else ""))
    if doubt := view.doubt(index):
        st.warning(f"The label is disputed: {doubt.words} ([{SOURCE_WORDS}]({SOURCE})).", icon=MARK)
    place = int(np.flatnonzero(indices == index)[0]) if index in indices else -1
    before, after, onward = st.columns([1, 1, 2])
    for column, label, to, shortcut in ((before, "Previous", place - 1, "Left"), (after, "Next", place + 1, "Right")):
        there = place >= 0 and 0 <= to < len(indices)
        column.button(
            label, on_click=look_at, args=(int(indices[to]) if there else index,), disabled=not there,
            shortcut=shortcut, width="stretch",
        )  # fmt: skip
    if compared:
        asked = {"checkpoint": compared, "source": "Test digit", "digit": str(index)}
        link("use/draw", "Ask other networks about it", asked, at=onward)
        looked = {"checkpoint": compared[0], "image": str(index), "show": "What counts"}
        link("use/inside", "Look inside", looked, icon="biotech", at=onward)
