"""The vote's bars."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from lab.ui.colours import PASS, TEST, TRAIN
from lab.ui.figures import laid_out


def votes(counts: Sequence[int], label: int | None, answer: int | None, height: int = 260) -> go.Figure:
    """Ten bars, one for each digit's votes; once revealed, the label green and the network's answer red."""
    colours = [PASS if digit == label else TEST if digit == answer else TRAIN for digit in range(10)]
    figure = go.Figure(
        go.Bar(
            x=list(range(10)), y=list(counts), marker_color=colours, text=[str(count or "") for count in counts],
            textposition="outside", cliponaxis=False, hovertemplate="%{x}: %{y} votes<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="digit", tickmode="linear", dtick=1, range=[-0.6, 9.6], fixedrange=True)
    figure.update_yaxes(title="votes", range=[0, 1.15 * max(5, *counts)], tickformat="d", nticks=5, fixedrange=True)
    return laid_out(figure, height).update_layout(showlegend=False, margin={"t": 12})
