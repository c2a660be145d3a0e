"""Figures of the receptive-field page: the effective field beside the theoretical one, claimed tables beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from core.architecture.receptive_field import extent
from core.ladder.field_claims import ClaimedRow
from lab.ui.colours import CLAIM, FRONT, TEST, TRAIN
from lab.ui.figures import laid_out

if TYPE_CHECKING:  # it needs torch, which takes two seconds to import
    from core.analysis.effective_field import EffectiveField

GLOW = ((0.0, "#000000"), (0.55, "#D55E00"), (1.0, "#FFF3DC"))  # none to most, as dark at its foot as MNIST's ground
HALF = "#FFFFFF"


def effect_map(found: EffectiveField, height: int = 300) -> go.Figure:
    """How much each pixel moves the unit, the theoretical field (solid) and the square of half its side (dashed)."""
    size = found.effect.shape[0]
    most = float(found.effect.max()) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=(found.effect / most).round(4), colorscale=GLOW, zmin=0, zmax=1, showscale=False,
            hovertemplate="row %{y}, column %{x}: %{z:.1%} of the strongest<extra></extra>",
        )
    )  # fmt: skip
    first, last = extent(found.field, found.unit)
    for side, colour, dash in ((found.field.size, FRONT, "solid"), (found.field.size / 2, HALF, "dash")):
        low, high = found.centre - side / 2, found.centre + side / 2
        figure.add_shape(
            type="rect", x0=low, x1=high, y0=low, y1=high, line={"color": colour, "width": 2.5, "dash": dash}
        )
    margin = min(float(size), max(1.0, -first + 1, last - size + 2))
    bounds = [-0.5 - margin, size - 0.5 + margin]
    figure.update_xaxes(range=bounds, visible=False, constrain="domain", fixedrange=True)
    figure.update_yaxes(range=bounds[::-1], visible=False, scaleanchor="x", constrain="domain", fixedrange=True)
    return laid_out(figure, height).update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, showlegend=False)


def effect_profile(untrained: EffectiveField, trained: EffectiveField | None, height: int = 300) -> go.Figure:
    """The effect of each column, the Gaussian of the same width, and the theoretical field with its middle half."""
    figure = go.Figure()
    shown = trained or untrained
    columns = list(range(len(shown.profile)))
    for side, opacity in ((shown.field.size, 0.10), (shown.field.size / 2, 0.16)):
        figure.add_vrect(
            x0=shown.centre - side / 2, x1=shown.centre + side / 2, fillcolor=FRONT, opacity=opacity, line_width=0,
            layer="below",
        )  # fmt: skip
    pairs = [("untrained", untrained, CLAIM, "dot"), ("trained", trained, TRAIN, "solid")]
    for name, found, colour, dash in pairs:
        if found is not None:
            figure.add_scatter(
                x=columns, y=(100 * found.profile).round(4), mode="lines+markers", name=name, marker_size=5,
                line={"color": colour, "width": 2.5, "dash": dash},
                hovertemplate=f"column %{{x}}: %{{y:.2f}}%<extra>{name}</extra>",
            )  # fmt: skip
    figure.add_scatter(
        x=columns, y=(100 * shown.gaussian).round(4), mode="lines", name="Gaussian of that width",
        line={"color": TEST, "width": 2, "dash": "dash", "shape": "spline"},
        hovertemplate="column %{x}: %{y:.2f}%<extra>Gaussian</extra>",
    )  # fmt: skip
    figure.update_xaxes(title="pixel", range=[-0.5, len(columns) - 0.5], dtick=7, fixedrange=True)
    figure.update_yaxes(title="share of the effect, %", rangemode="tozero", fixedrange=True)
    return laid_out(figure, height).update_layout(margin={"t": 48, "r": 8})


def claimed_fields(rows: Sequence[ClaimedRow], jumps: bool, height: int = 300) -> go.Figure:
    """The field after each layer, or its jump, as the write-up has it (hollow) and as it is (filled)."""
    names = [row.layer.name for row in rows]
    right = [row.layer.field.jump if jumps else row.layer.field.size for row in rows]
    said = [row.claim and (row.claim.jump if jumps else row.claim.size) for row in rows]
    figure = go.Figure()
    figure.add_scatter(
        x=names, y=right, mode="lines+markers", name="right", line={"color": TRAIN, "width": 2.5}, marker_size=9,
        hovertemplate="%{x}: %{y}<extra>right</extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=names, y=said, mode="lines+markers", name="the write-up, where it is wrong", connectgaps=True,
        line={"color": CLAIM, "width": 1.5, "dash": "dot"},
        marker={"size": 12, "symbol": "circle-open", "line": {"width": 2}},
        hovertemplate="%{x}: %{y}<extra>the write-up</extra>",
    )  # fmt: skip
    figure.update_xaxes(title=None, categoryorder="array", categoryarray=names)
    figure.update_yaxes(title="jump, pixels" if jumps else "field, pixels", rangemode="tozero")
    return laid_out(figure, height)
