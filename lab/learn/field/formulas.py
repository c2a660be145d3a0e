"""The formulas of size, jump and start, with the numbers of each layer filled in."""

from __future__ import annotations

import streamlit as st

from core.architecture.trace import Layer
from core.ladder.field_claims import width_arithmetic
from core.words import significant
from lab.learn.field.network import Viewed
from lab.ui.explorer import Place, units_of
from lab.ui.tables import data_table, field_arithmetic, on_the_image


def formulas(network: Viewed, place: Place) -> None:
    """The recurrences, and every one of them filled in, layer by layer."""
    st.latex(
        r"r_{out} = r_{in} + (k-1)\,d\,j_{in} \qquad j_{out} = j_{in}\,s \qquad "
        r"start_{out} = start_{in} + \left(\tfrac{(k-1)\,d}{2} - p\right) j_{in}"
    )
    widths = {"layer": 105, "field r": 150, "jump j": 65, "start": 190, "map": 245, "on the image": 90}
    data_table(
        [_formula_row(layer, network.side) for layer in network.layers],
        "Field, jump, start and width of each layer with the numbers filled in.",
        {name: st.column_config.TextColumn(width=width) for name, width in widths.items()},
    )
    st.caption(
        "k kernel size, s stride, p padding, d dilation; in: after the layer before. The jump is the effective stride: "
        "input pixels between neighbouring units. The start is the centre of the first unit's field. Norms, "
        "activations and dropout look at single units and move nothing. On the image: of the middle unit's columns, "
        "those that are not padding."
    )
    if any(layer.branches for layer in network.layers):
        st.caption(
            "An op with a body is one row: its window holds those of all its paths, and its map is as wide as its body "
            "makes it. Its ops have rows of their own on the Design page."
        )
    if whole := [layer.name for layer in network.walked.layers if layer.uses_whole_map]:
        st.caption(
            f"No window shows this: through the mean that {whole[0]} takes, all that follows sees the whole map."
        )
    if place.stage:
        st.markdown(f"**{network.stages[place.stage].name}**, step by step")
        st.latex(field_arithmetic(network.layers[place.stage - 1]))


def _formula_row(layer: Layer, side: int) -> dict[str, str]:
    window, before, after = layer.window, layer.before, layer.field
    k, s, p, d = window.kernel_size, window.stride, window.padding, window.dilation
    return {
        "layer": layer.name,
        "field r": f"{before.size} + ({k} − 1)·{d}·{before.jump} = {after.size}",
        "jump j": f"{before.jump}·{s} = {after.jump}",
        "start": f"{significant(before.start, 6)} + (({k} − 1)·{d}/2 − {p})·{before.jump} = "
        f"{significant(after.start, 6)}",
        "map": f"{units_of(layer)}, as its body gives" if layer.branches else width_arithmetic(layer),
        "on the image": on_the_image(layer, side),
    }
