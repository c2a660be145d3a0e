"""The feature maps: what each layer makes of the digit, as a sheet of tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.architecture.sizes import shape_words
from core.architecture.spec import (
    Activation,
    AvgPool,
    Composite,
    Conv,
    GlobalAvgPool,
    GlobalMaxPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Norm,
    Op,
    Softmax,
    SqueezeExcite,
    op_words,
)
from core.architecture.trace import Layer, Trace
from core.data.mnist import Pixels
from core.words import rounded
from lab.ui.predictions import one_thread, opened
from lab.ui.words import escaped
from lab.use.inside import figures as inside_figures
from lab.use.inside.snapshots import Weights

if TYPE_CHECKING:  # torch takes two seconds to import
    from torch import nn

    from core.analysis.inside import Maps

KINDS: dict[str, tuple[type[Op], ...]] = {
    "Convolution": (Conv,),
    "Norm": get_args(Norm),
    "Activation": get_args(Activation),
    "Pool": (MaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool),
    "Block": (*get_args(Composite), SqueezeExcite),
    "Output": (Linear, LogSoftmax, Softmax),
}
TILE_SHOWN = 66  # pixels of a map on the screen


def inside_of(chosen: Weights, digit: Pixels) -> tuple[nn.Sequential, Maps, NDArray[np.float64]]:
    """The network, what each op is given and puts out, and its ten probabilities. Raises CheckpointError."""
    from core.analysis.inside import feature_maps, probabilities_of
    from core.checkpoints.checkpoint import normalisation_of

    network, card = opened(chosen.stem, chosen.sha256)
    with one_thread():
        maps = feature_maps(network, card.architecture, digit, normalisation_of(card))
    return network, maps, probabilities_of(card.architecture, maps)


def maps_view(walked: Trace, maps: Maps) -> None:
    """A sheet of tiles for each op, in order."""
    there = [name for name, kinds in KINDS.items() if any(isinstance(layer.op, kinds) for layer in walked.every_layer)]
    kinds = st.pills(
        "After", there, selection_mode="multi", default=[name for name in there if name != "Norm"], key="after",
        label_visibility="collapsed",
    )  # fmt: skip
    wanted = tuple(kind for name in kinds for kind in KINDS[name])
    scale, words = st.columns([1, 5], vertical_alignment="center")
    scale.image(inside_figures.legend(), width="stretch", output_format="PNG", alt="Blue, black, orange.")
    words.caption(
        "Blue: below zero, black: zero, orange: above; each layer on its own scale, which goes as far as its largest "
        "value. Dropout and flatten change nothing here. Left to right: channels 0, 1, 2, ..."
    )
    for layer in walked.every_layer:
        if isinstance(layer.op, wanted):
            values = maps.outputs[layer.name]
            told, shown = st.columns([1, 3.6], vertical_alignment="center")
            with told:
                _layer_words(layer, np.exp(values) if isinstance(layer.op, LogSoftmax) else values)
            with shown:
                _maps(layer, np.exp(values) if isinstance(layer.op, LogSoftmax) else values)


def _layer_words(layer: Layer, values: NDArray[np.float32]) -> None:
    st.markdown(
        f"**{layer.name}** :small[{escaped(op_words(layer.op))}]  \n:small[{shape_words(layer.output)}, field "
        f"{layer.field.size}]  \n:small[:gray[{signed(values.min())} to {signed(values.max())}"
        f"{', as probabilities' if isinstance(layer.op, LogSoftmax) else ''}]]"
    )


def signed(value: float) -> str:
    return rounded(value + 0.0 if abs(value) >= 0.005 else 0.0, 2).replace("-", "−")


def _maps(layer: Layer, values: NDArray[np.float32]) -> None:
    tiles = values if values.ndim == 3 else values[:, None, None]
    shown = tiles[: inside_figures.MAX_TILES]
    per_row = inside_figures.in_rows(len(shown))
    most = inside_figures.strongest(values)
    st.image(
        inside_figures.sheet(shown, per_row, most),
        width=per_row * TILE_SHOWN,
        output_format="PNG",
        alt=f"The {len(shown)} maps of {layer.name}, {signed(values.min())} to {signed(values.max())}.",
    )
    if len(shown) < len(tiles):
        st.caption(f"The first {len(shown)} of {len(tiles):,} channels.")
