"""Figures that only lessons have: data in, Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.recipe import Recipe, ReduceLROnPlateau, rate_at
from lab.figures import CLAIM, PASS, TEST, TRAIN, VALIDATION, laid_out

LINES = (TRAIN, TEST, PASS, VALIDATION)  # of several recipes in one figure


def train_and_test(train: Sequence[float], test: Sequence[float], least: float, height: int = 300) -> go.Figure:
    """Accuracy on both sets by epoch, the gap between them filled; `least` is the axis' lower end, a fraction."""
    epochs = list(range(1, len(train) + 1))
    figure = go.Figure()
    for name, values, colour, symbol in (("train", train, TRAIN, "circle"), ("test", test, TEST, "square")):
        figure.add_scatter(
            x=epochs, y=[100 * each for each in values], mode="lines+markers", name=name,
            line={"color": colour, "width": 2.5}, marker={"symbol": symbol, "size": 7},
            fill="tonexty" if name == "test" else None, fillcolor="rgba(128,128,128,0.18)",
            hovertemplate=f"after %{{x}} epochs: %{{y:.2f}}%<extra>{name}</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="epochs", range=[0.8, len(epochs) + 0.2], dtick=2)
    figure.update_yaxes(title="accuracy, %", range=[100 * least, 100.05])
    return laid_out(figure, height)


def rates(recipes: Sequence[tuple[str, Recipe]], batches: int, height: int = 320) -> go.Figure:
    """The learning rate over the epochs of several recipes, on a logarithmic axis."""
    figure = go.Figure()
    for (name, recipe), colour in zip(recipes, LINES, strict=False):
        iterations = range(0, recipe.epochs * batches, max(1, batches // 8))
        plateau = isinstance(recipe.schedule, ReduceLROnPlateau)
        figure.add_scatter(
            x=[each / batches for each in iterations],
            y=[max(rate_at(recipe, each, batches), 1e-5) for each in iterations],
            mode="lines", name=name, line={"color": CLAIM if plateau else colour, "width": 2.5},
            hovertemplate=f"epoch %{{x:.2f}}: %{{y:.3g}}<extra>{name}</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="epochs", range=[0, max(recipe.epochs for _, recipe in recipes)], dtick=1)
    figure.update_yaxes(title="learning rate", type="log", exponentformat="power", dtick=1)
    return laid_out(figure, height)
