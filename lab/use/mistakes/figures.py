"""Figures of the Mistakes page and of the class game: confidence against accuracy, and votes."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from core.analysis.calibration import Calibration
from core.analysis.proportion import wilson
from lab.ui.colours import CLAIM, TEST, TRAIN
from lab.ui.figures import laid_out


def reliability(found: Calibration, height: int = 440) -> go.Figure:
    """Accuracy against confidence, bin by bin with its 95% interval, the diagonal, and below how many answers each is.

    The axes reach down to the lowest that is shown, so that bins near 100% can be told apart.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06)
    confidence = [100 * each.confidence for each in found.bins]
    accuracy = [100 * each.accuracy for each in found.bins]
    spans = [wilson(each.right, each.count) for each in found.bins]
    low = max(0.0, min([*confidence, *accuracy]))
    low = 0.0 if low < 50 else low - 0.08 * (100 - low) - 0.2
    figure.add_scatter(
        x=[low, 100], y=[low, 100], mode="lines", line={"color": CLAIM, "dash": "dash", "width": 1.5},
        name="as sure as it is right", hoverinfo="skip", row=1, col=1,
    )  # fmt: skip
    for x, y in zip(confidence, accuracy, strict=True):
        figure.add_shape(type="line", x0=x, x1=x, y0=x, y1=y, line={"color": TEST, "width": 3}, row=1, col=1)
    figure.add_scatter(
        x=confidence, y=accuracy, mode="markers", name="accuracy, with its 95% interval",
        marker={"color": TRAIN, "size": 9},
        error_y={
            "type": "data", "symmetric": False, "color": TRAIN, "thickness": 1, "width": 3,
            "array": [100 * high - y for (_, high), y in zip(spans, accuracy, strict=True)],
            "arrayminus": [y - 100 * least for (least, _), y in zip(spans, accuracy, strict=True)],
        },
        customdata=[[f"{each.count:,}", 100 * each.gap] for each in found.bins],
        hovertemplate="%{customdata[0]} answers, %{x:.1f}% sure, %{y:.1f}% right<br>gap %{customdata[1]:+.2f} points"
        "<extra></extra>",
        row=1, col=1,
    )  # fmt: skip
    figure.add_bar(
        x=confidence, y=[each.count for each in found.bins], marker_color=CLAIM, showlegend=False,
        width=max(0.6, (100 - low) / 40) if low == 0 else (100 - low) / 60,
        hovertemplate="%{y:,} answers<extra></extra>", row=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(range=[low, 100 + (100 - low) * 0.02])
    figure.update_xaxes(title="confidence, mean of the bin, %", row=2, col=1)
    figure.update_yaxes(title="accuracy, %", range=[low, 100 + (100 - low) * 0.04], row=1, col=1)
    most = math.log10(max(each.count for each in found.bins))  # a logarithmic axis has its range in powers of ten
    figure.update_yaxes(title="answers", type="log", dtick=1, tickformat=",d", range=[-0.3, most + 0.2], row=2, col=1)
    return laid_out(figure, height)


def confusion(counts: NDArray[np.int64], ink: str, height: int = 500) -> go.Figure:
    """The confusion matrix (10, 10), row the true class; coloured by mistakes alone, for the diagonal would drown them.

    A click on a heatmap selects nothing in plotly.js, so each cell with mistakes carries an invisible marker whose
    customdata is (true, predicted). `ink` is the colour of the counts, for Plotly's own suits one theme only.
    """
    wrong = counts.astype(np.float64)
    np.fill_diagonal(wrong, np.nan)
    figure = go.Figure(
        go.Heatmap(
            z=wrong, colorscale=[[0, "rgba(213,94,0,0)"], [1, "rgba(213,94,0,0.75)"]], zmin=0,
            zmax=max(1.0, float(np.nanmax(wrong))), showscale=False, hoverinfo="skip", xgap=2, ygap=2,
        )
    )  # fmt: skip
    for digit in range(10):
        figure.add_shape(
            type="rect", x0=digit - 0.48, x1=digit + 0.48, y0=digit - 0.48, y1=digit + 0.48, line_width=0,
            fillcolor=CLAIM, opacity=0.18, layer="below",
        )  # fmt: skip
    for row, column in np.argwhere(counts):
        font = {"size": 12, "color": CLAIM} if row == column else {"size": 15, "color": ink}
        figure.add_annotation(x=column, y=row, text=f"{counts[row, column]:,}", showarrow=False, font=font)
    cells = [(row, column) for row in range(10) for column in range(10) if row != column and counts[row, column]]
    figure.add_scatter(
        x=[column for _, column in cells], y=[row for row, _ in cells], mode="markers", customdata=cells,
        text=[f"{counts[cell]:,}" for cell in cells],
        marker={"symbol": "square", "size": 40, "opacity": 0}, showlegend=False,
        selected={"marker": {"opacity": 0}}, unselected={"marker": {"opacity": 0}},
        hovertemplate="%{text} × %{customdata[0]} read as %{customdata[1]}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(
        title="read as", tickmode="linear", dtick=1, range=[-0.5, 9.5], constrain="domain", showgrid=False,
        zeroline=False, side="top",
    )  # fmt: skip
    figure.update_yaxes(
        title="true digit", tickmode="linear", dtick=1, range=[9.5, -0.5], scaleanchor="x", constrain="domain",
        showgrid=False, zeroline=False,
    )  # fmt: skip
    return laid_out(figure, height)
