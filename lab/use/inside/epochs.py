"""One layer after each epoch of its run, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.architecture.trace import Layer
from core.words import plural
from lab.studies.shelf import Shelved
from lab.ui import url
from lab.ui.formats import percent
from lab.ui.predictions import through_epochs
from lab.ui.tables import data_table
from lab.use.inside import figures as inside_figures
from lab.use.inside.inputs import Subject
from lab.use.inside.maps import TILE_SHOWN
from lab.use.inside.snapshots import Weights

MAX_EPOCHS = 12  # side by side


def epochs_view(shelved: Shelved, kept: Sequence[Weights], subject: Subject, layer: Layer) -> None:
    """One layer's maps or filters after each epoch of the run, side by side, with what the network then read."""
    if len(kept) < 2:
        whose = (
            "A shipped checkpoint has only its last weights."
            if shelved.shipped
            else "This run kept only its last weights."
        )
        st.info(
            f"{whose} Train a network with *Keep the weights of every epoch* switched on, and its epochs appear here.",
            icon=":material/movie:",
        )
        return
    places = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MAX_EPOCHS)).round().astype(int))
    shown = [kept[place] for place in places]
    pairs = tuple((each.stem, each.sha256) for each in shown)
    maps, kernels, probabilities = through_epochs(pairs, subject.digit.tobytes(), layer.name)
    what = url.switch("What", ["Maps", "Filters"], "inside-film", bind=None)
    film = maps if what == "Maps" else kernels  # (epochs, channels, height, width)
    st.image(
        inside_figures.sheet(film.transpose(1, 0, 2, 3).reshape(-1, *film.shape[2:]), len(shown), tile=96),
        width=len(shown) * TILE_SHOWN,
        output_format="PNG",
        alt=f"{what} of {layer.name} after {', '.join(str(each.card.epoch + 1) for each in shown)} epochs.",
    )
    counts = ", ".join(str(each.card.epoch + 1) for each in shown)
    first = ", of the first input channel" if what == "Filters" else ""
    st.caption(
        f"{what} of **{layer.name}**{first}: a row is an output channel, the columns stand for {counts} epochs; one "
        "scale for all."
    )
    true = subject.true
    rows = [
        {
            "after": plural(each.card.epoch + 1, "epoch"),
            "test accuracy": f"{each.card.record.test_accuracy:.2%}",
            "reads": str(int(p.argmax())),
            "with": percent(float(p.max())),
            **({} if true is None else {f"the {true} gets": percent(float(p[true]))}),
        }
        for each, p in zip(shown, probabilities, strict=True)
    ]
    data_table(rows, "What it read after each epoch.")
