"""One value of a feature map: where it lies, what it sees, and how it is computed, number by number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from core.architecture.receptive_field import ReceptiveField
from core.architecture.seen_pixels import seen_pixels
from core.architecture.trace import Layer, Trace
from core.checkpoints.card import Card
from core.data.mnist import Pixels
from core.words import rounded
from lab.ui.explorer import Place, field_explorer, png_address, stage_of
from lab.ui.live_plot import live_plot
from lab.ui.tables import data_table
from lab.use.inside import figures as inside_figures
from lab.use.inside.maps import signed

if TYPE_CHECKING:  # torch takes two seconds to import
    from torch import nn

    from core.analysis.inside import Maps, PixelArithmetic


def pixel_view(walked: Trace, digit: Pixels, maps: Maps, found: PixelArithmetic, card: Card) -> None:
    """Where the value lies, what it sees, and how it is computed, number by number."""
    layer = found.layer
    stage = replace(
        stage_of(layer, seen_pixels(walked)[layer.name]),
        says=f"channel {found.channel}, value {signed(found.network_value)}",
        image=png_address(inside_figures.coloured(maps.outputs[layer.name][found.channel])),
    )

    def arrived(place: Place) -> None:
        st.query_params.channel = str(found.channel)
        st.query_params.unit = f"{place.row},{place.column}"

    field_explorer([stage], digit, Place(0, found.row, found.column), arrived, "inside-pixel")
    _arithmetic_view(found, card)


def _arithmetic_view(found: PixelArithmetic, card: Card) -> None:
    """Patch times kernel for one input channel, and the sum over all of them."""
    order = np.argsort(-np.abs(found.sums))
    grids, sums = st.columns([3, 1.25], gap="medium")
    with sums:
        which = int(order[0])
        if len(order) > 1:
            which = st.selectbox(
                "Input channel, the largest contribution first",
                [int(each) for each in order],
                format_func=lambda each: f"{found.inputs[each]}, adds {signed(float(found.sums[each]))}",
                key=f"inside-input-{found.layer.name}-{found.channel}",
            )
        rows = [(f"channel {each}", value) for each, value in zip(found.inputs, found.sums, strict=True)]
        rows += [("bias", found.bias), ("together", found.value)]
        data_table(
            pd.DataFrame(rows, columns=["", "adds"]),
            "What each input channel and the bias add.",
            {"adds": st.column_config.NumberColumn(format="%.5f")},
            most=6,
        )
    with grids:
        live_plot(
            inside_figures.arithmetic(found, which),
            key="inside-arithmetic",
            height=250,
            alt=f"Patch times kernel of input channel {found.inputs[which]}; the products add up to "
            f"{rounded(found.sums[which], 4)}.",
        )
        many = f"all {len(found.inputs)} input channels" if len(found.inputs) > 1 else "the one input channel"
        total = float(found.sums.sum())
        st.markdown(
            f"Patch × kernel, added up over {many}, plus bias: {rounded(total, 5)} + {rounded(found.bias, 5)} = "
            f"**{rounded(found.value, 5)}**. "
            f"The network itself puts out **{rounded(found.network_value, 5)}**; they differ by "
            f"{rounded(abs(found.value - found.network_value), 7)}."
        )
        if found.padded.any():
            st.caption("pad: the window lies in the padding there, which counts as 0.")
        elif found.layer.before == ReceptiveField():
            black, white = ((grey - card.normalisation_mean) / card.normalisation_sd for grey in (0, 1))
            st.caption(
                f"The patch is grey less the mean, divided by the deviation: black is {signed(black)}, white "
                f"{signed(white)}."
            )


def worked_out(network: nn.Sequential, maps: Maps, layer: Layer, unit: tuple[int, int, int]) -> PixelArithmetic:
    """The arithmetic of one value: channel, row and column. Raises SpecError."""
    from core.analysis.inside import pixel_arithmetic

    return pixel_arithmetic(network, layer, maps, *unit)
