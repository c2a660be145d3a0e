"""What all figures share, and small ones that several pages show."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.architecture.receptive_field import ReceptiveField, extent
from core.data.mnist import Pixels
from lab.ui.axes import Part
from lab.ui.colours import CLAIM, PASS, TEST, TRAIN, VALIDATION
from lab.ui.formats import percent

Plain = dict[str, Any]  # a figure in Plotly's own words, data and layout, for `live_plot`

# What all figures share: margins, the legend above, a transparent ground.
SHARED: Part = {
    "showlegend": True,
    "margin": {"l": 60, "r": 16, "t": 34, "b": 46},
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
    "hovermode": "closest",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "uirevision": "keep",
}


def field_on_digit(digit: Pixels, field: ReceptiveField, unit: int, map_size: int, height: int = 330) -> go.Figure:
    """The square that one unit of a map sees, on a real digit (28, 28), and its right neighbour's, dashed."""
    size = digit.shape[0]
    neighbour = unit + 1 if unit + 1 < map_size else unit - 1
    seen = [end for each in ({unit, neighbour} if map_size > 1 else {unit}) for end in extent(field, each)]
    margin = max(1.5, min(2.0 * size, max(-min(seen), max(seen) - (size - 1)) + 1))
    figure = go.Figure(
        go.Heatmap(
            z=digit, colorscale="gray", showscale=False, zmin=0, zmax=255,
            hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    if map_size > 1:
        _square(figure, field, neighbour, unit, VALIDATION, "dash")
    _square(figure, field, unit, unit, TEST, "solid")
    bounds = [-0.5 - margin, size - 0.5 + margin]
    figure.update_xaxes(range=bounds, visible=False, constrain="domain")
    figure.update_yaxes(range=bounds[::-1], visible=False, scaleanchor="x", constrain="domain")
    figure = laid_out(figure, height)
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, showlegend=False)


def _square(figure: go.Figure, field: ReceptiveField, column: int, row: int, colour: str, dash: str) -> None:
    x0, x1 = extent(field, column)
    y0, y1 = extent(field, row)
    solid = dash == "solid"
    figure.add_shape(
        type="rect", x0=x0 - 0.5, x1=x1 + 0.5, y0=y0 - 0.5, y1=y1 + 0.5,
        line={"color": colour, "width": 3 if solid else 2, "dash": dash},
        fillcolor="rgba(213,94,0,0.18)" if solid else "rgba(0,0,0,0)",
    )  # fmt: skip


def probabilities(values: NDArray[np.float32], true: int | None = None, height: int = 260) -> go.Figure:
    """Ten bars, the likeliest filled dark, the true class in green where it is known."""
    best = int(values.argmax())
    colours = [PASS if digit == true else (TEST if digit == best else CLAIM) for digit in range(10)]
    if true is None:
        colours = [TRAIN if digit == best else CLAIM for digit in range(10)]
    figure = go.Figure(
        go.Bar(
            x=list(range(10)), y=[100 * float(value) for value in values], marker_color=colours,
            text=[percent(float(value)) if value >= 0.005 else "" for value in values], textposition="outside",
            constraintext="none", textangle=0,
            cliponaxis=False, hovertemplate="%{x}: %{y:.2f}%<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="digit", tickmode="linear", dtick=1, fixedrange=True)
    figure.update_yaxes(title="probability, %", range=[0, 112], tickvals=[0, 50, 100], fixedrange=True)
    return laid_out(figure, height).update_layout(showlegend=False, margin={"t": 8}, modebar={"remove": ["toimage"]})


def laid_out(figure: go.Figure, height: int) -> go.Figure:
    """The figure in this height, with what all figures share."""
    return figure.update_layout(height=height, **SHARED)


def at_once(traces: list[Part], layout: Part, height: int) -> Plain:
    """A figure in Plotly's own words, laid out like all.

    A go.Figure checks every value, for some 8 ms, which tells where thirty sessions draw two such figures each second.
    """
    return {"data": traces, "layout": {**SHARED, "height": height, **layout}}
