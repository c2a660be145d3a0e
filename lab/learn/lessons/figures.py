"""Figures that only lessons have: data in, Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.training.recipe import Recipe, ReduceLROnPlateau, rate_at
from lab.ui.axes import View, accuracy_at
from lab.ui.colours import CLAIM, PASS, TEST, TRAIN, VALIDATION
from lab.ui.figures import laid_out

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
