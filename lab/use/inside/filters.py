"""The kernels of a convolution, and the filters that never answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.architecture.trace import Layer
from core.words import plural, rounded, share_words
from lab.ui.live_plot import live_plot
from lab.ui.predictions import activity_of
from lab.ui.tables import data_table
from lab.use.inside import figures as inside_figures
from lab.use.inside.maps import signed
from lab.use.inside.snapshots import Weights

if TYPE_CHECKING:  # torch takes two seconds to import
    from torch import nn

MAX_KERNELS = 32  # of a layer, rows and columns of the sheet of filters


def filters_view(layer: Layer, kernels: NDArray[np.float32]) -> None:
    """The kernels of a convolution: a row for each output channel, a column for each input channel."""
    out, into, size, _ = kernels.shape
    shown = kernels[:MAX_KERNELS, :MAX_KERNELS]
    st.markdown(
        f"**{layer.name}**: {out} x {plural(into, 'kernel')} of {size} x {size}, {signed(kernels.min())} to "
        f"{signed(kernels.max())}. A row is an output channel, a column an input channel; blue is below zero, orange "
        f"above."
    )
    if into == 1:
        per_row = inside_figures.in_rows(len(shown))
        picture, width = inside_figures.sheet(shown[:, 0], per_row), per_row * 76
    else:
        picture, width = inside_figures.filter_sheet(shown), min(760, shown.shape[1] * max(18, 14 * size))
    st.image(picture, width=width, output_format="PNG", alt=f"The kernels of {layer.name}.")
    if shown.shape != kernels.shape:
        st.caption(f"The first {shown.shape[0]} of {out:,} by {shown.shape[1]} of {into:,}.")
    strengths = np.abs(kernels).sum((1, 2, 3))
    st.caption(
        f"The strongest output channel, by the sum of its absolute weights: {int(strengths.argmax())} with "
        f"{rounded(strengths.max(), 2)}; the weakest: {int(strengths.argmin())} with {rounded(strengths.min(), 2)}."
    )


def dead_view(chosen: Weights, dataset: str) -> None:
    """Which channels of each ReLU are never active, and how rarely the others are."""
    found = activity_of(chosen.stem, chosen.sha256, dataset)
    if not found:
        st.info(
            "This network has no ReLU, so none of its filters can be dead, as a ReLU's are that is 0 for every digit."
        )
        return
    dead = sum(len(each.dead) for each in found)
    channels, images = sum(len(each.answers) for each in found), found[0].images
    st.markdown(
        f"**{dead} of {plural(channels, 'filter')} {'is' if dead == 1 else 'are'} dead**: 0 after the ReLU at every "
        f"place of all of the first {images:,} test digits of {dataset} (n {images:,}). A dead filter costs parameters "
        f"and contributes nothing. Its gradient is 0 too, so it does not recover by itself."
    )
    live_plot(
        inside_figures.answering(found),
        key="inside-dead",
        height=320,
        alt="For each ReLU, the share of digits on which each channel is active. The table has the figures.",
    )
    rows = [
        {
            "after": each.layer.name,
            "channels": len(each.answers),
            "dead": ", ".join(map(str, each.dead)) or "none",
            "active on under 1% of the digits": int((each.answers < 0.01).sum()),
            "the rarest is active on": share_words(each.answers.min(), 1),
            "values that are 0": share_words(each.zeros),
        }
        for each in found
    ]
    data_table(rows, "Dead filters of each ReLU.")


def kernels_of(network: nn.Sequential, layer: Layer) -> NDArray[np.float32]:
    """The layer's kernels, (out, in / groups, k, k). Raises SpecError."""
    from core.analysis.inside import filters_of

    return filters_of(network, layer)
