"""Figures that only lessons have: data in, Plotly figure out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.data.mnist import Pixels
from core.training.recipe import Recipe, ReduceLROnPlateau, rate_at
from lab.ui.axes import View, accuracy_at
from lab.ui.colours import CLAIM, PASS, TEST, TRAIN, VALIDATION
from lab.ui.figures import laid_out
from lab.ui.words import plotted

LINES = (TRAIN, TEST, PASS, VALIDATION)  # of several recipes in one figure


def train_and_test(train: Sequence[float], test: Sequence[float], least: float, height: int = 300) -> go.Figure:
    """Accuracy on both sets by epoch, the gap between them filled; `least` is the lowest that is shown, a fraction."""
    epochs = list(range(1, len(train) + 1))
    figure = go.Figure()
    for name, values, colour, symbol in (("train", train, TRAIN, "circle"), ("test", test, TEST, "square")):
        percents = [100 * each for each in values]
        figure.add_scatter(
            x=epochs, y=[accuracy_at(each) for each in percents], mode="lines+markers", name=name, customdata=percents,
            line={"color": colour, "width": 2.5}, marker={"symbol": symbol, "size": 7},
            fill="tonexty" if name == "test" else None, fillcolor="rgba(128,128,128,0.18)",
            hovertemplate=f"epoch %{{x}}: %{{customdata:.2f}}%<extra>{name}</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="epochs", range=[0.8, len(epochs) + 0.2], dtick=2, tick0=1)
    figure.update_yaxes(title="accuracy, % (stretched)", **View("", 100 * least).axis(height - 100.0))
    return laid_out(figure, height)


MOST_HEIGHT = 230  # pixels: presented, it is in view below the words and the question at 1280 x 720


def spread(counts: Sequence[tuple[str, int]], right: str | None) -> go.Figure:
    """How many gave which answer, a bar each from above; the right one's is green where it may be told."""
    names = [plotted(name) for name, _ in counts]
    figure = go.Figure(
        go.Bar(
            x=[count for _, count in counts],
            y=list(range(len(counts))),
            orientation="h",
            cliponaxis=False,
            marker_color=[PASS if name == right else TRAIN for name, _ in counts],
            text=[str(count or "") for _, count in counts],
            textposition="outside",
            customdata=names,
            hovertemplate="%{customdata}: %{x}<extra></extra>",
        )
    )
    most = max(5, *(count for _, count in counts))
    figure.update_xaxes(title="people", range=[0, 1.1 * most], tickformat="d", nticks=5, fixedrange=True)
    figure.update_yaxes(
        tickvals=list(range(len(counts))), ticktext=names, autorange="reversed", automargin=True, fixedrange=True
    )
    figure = laid_out(figure, min(70 + 30 * len(counts), MOST_HEIGHT))
    return figure.update_layout(showlegend=False, margin={"l": 20, "t": 8})


def norm_maps(maps: NDArray[np.float32], together: NDArray[np.bool_], zoom: int = 3, gap: int = 4) -> Pixels:
    """Maps (N, C, H, W) as one picture (rows, columns, 3): a row for each image, a column for each channel.

    Maps whose values are averaged together, (N, C), are orange, the others grey. All on one scale.
    """
    shown = ((maps - maps.min()) / max(float(np.ptp(maps)), 1e-9))[..., None]
    tint = np.where(together[:, :, None, None, None], (255, 150, 40), (120, 120, 120))
    tiles = (shown * tint).astype(np.uint8).repeat(zoom, 2).repeat(zoom, 3)
    edged = np.pad(tiles, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    return np.asarray(np.concatenate([np.concatenate([*row], 1) for row in edged], 0)[:-gap, :-gap], np.uint8)


def gradients(depths: Sequence[int], of: Mapping[str, Sequence[Sequence[float]]], height: int = 340) -> go.Figure:
    """By depth, the gradient of each seed and their geometric mean, for each name; on a logarithmic axis."""
    figure = go.Figure()
    for (name, found), colour in zip(of.items(), (TEST, TRAIN), strict=True):
        means = [statistics.geometric_mean(seeds) for seeds in found]
        figure.add_scatter(
            x=depths,
            y=means,
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 2.5},
            hovertemplate=f"%{{x}} layers: %{{y:.2g}}<extra>{name}, mean of {len(found[0])}</extra>",
        )
        points = [(depth, value) for depth, seeds in zip(depths, found, strict=True) for value in seeds]
        figure.add_scatter(
            x=[depth for depth, _ in points],
            y=[value for _, value in points],
            mode="markers",
            showlegend=False,
            marker={"color": colour, "size": 5, "opacity": 0.5},
            hoverinfo="skip",
        )
    figure.update_xaxes(
        title="convolutions between", type="log", tickvals=list(depths), ticktext=list(map(str, depths))
    )
    figure.update_yaxes(title="gradient of the first layer", type="log", exponentformat="power")
    return laid_out(figure, height)


def rates(
    recipes: Sequence[tuple[str, Recipe]], batches: int, logarithmic: bool = False, height: int = 300
) -> go.Figure:
    """The learning rate over the epochs of several recipes. A rate of 0 has no place on a logarithmic axis."""
    figure = go.Figure()
    for (name, recipe), colour in zip(recipes, LINES, strict=False):
        iterations = [  # with each epoch's first and last: a step is drawn where it is, and the end at the end
            epoch * batches + within
            for epoch in range(recipe.epochs)
            for within in sorted({*range(0, batches, max(1, batches // 8)), batches - 1})
        ]
        plateau = isinstance(recipe.schedule, ReduceLROnPlateau)
        figure.add_scatter(
            x=[each / batches for each in iterations],
            y=[rate_at(recipe, each, batches) or (None if logarithmic else 0.0) for each in iterations],
            mode="lines",
            name=name,
            line={"color": CLAIM if plateau else colour, "width": 2.5},
            hovertemplate=f"epoch %{{x:.2f}}: %{{y:.3g}}<extra>{name}</extra>",
        )
    figure.update_xaxes(title="epochs", range=[0, max(recipe.epochs for _, recipe in recipes)], dtick=1)
    if logarithmic:
        marks = [1e-4, 1e-3, 1e-2, 1e-1, 1]
        figure.update_yaxes(title="learning rate", type="log", tickvals=marks, ticktext=[f"{mark:g}" for mark in marks])
    else:
        figure.update_yaxes(title="learning rate", rangemode="tozero")
    return laid_out(figure, height)
