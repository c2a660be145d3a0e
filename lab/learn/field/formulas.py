"""The formulas of size, jump and start, with the numbers of each layer filled in."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.architecture.receptive_field import pixels_inside
from core.architecture.trace import Layer
from core.ladder.field_claims import width_arithmetic
from lab.learn.field.network import Viewed
from lab.ui.explorer import Place, units_of
from lab.ui.tables import field_arithmetic


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
