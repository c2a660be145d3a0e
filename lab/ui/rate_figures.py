"""The figures of the learning-rate page: the range test with its suggestions, and all schedules over the epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.training.range_test import EDGE, Suggestion
from core.training.recipe import RangeTest, Recipe, Schedule, rate_at
from core.words import rate_words
from lab.ui.axes import view_buttons
from lab.ui.colours import CLAIM, PASS, TEST, TRAIN, VALIDATION
from lab.ui.figures import laid_out

COLOURS = {
    "valley": PASS,
    "steepest": TEST,
    "minimum/10": VALIDATION,
    "divergence/10": "#CC79A7",
    "minimum": CLAIM,
}
UNTAUGHT = 2.4  # a little more than the loss of a network that has learnt nothing: ln 10 for ten classes


def range_curve(
    rates: Sequence[float],
    smoothed: Sequence[float],
    losses: Sequence[float],
    suggestions: Sequence[Suggestion],
    settings: RangeTest,
    height: int = 320,
) -> go.Figure:
    """Loss against rate: smoothed, and faint the batches' own where they are known; suggestions; the range's edges.

    The axis is the whole range from the first point on, so that nothing moves while the curve grows.
    """
    figure = go.Figure()
    if losses:
        figure.add_scatter(
            x=rates, y=np.array(losses, np.float32), mode="lines", line={"color": TRAIN, "width": 1}, opacity=0.35,
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    figure.add_scatter(
        x=rates, y=np.array(smoothed, np.float32), mode="lines", line={"color": TRAIN, "width": 2.5},
        hovertemplate="rate %{x:.4g}: loss %{y:.4g}<extra></extra>", showlegend=False,
    )  # fmt: skip
    start, end = math.log10(settings.start), math.log10(settings.end)
    margin = EDGE * (end - start)
    for low, high in ((start, start + margin), (end - margin, end)):
        figure.add_vrect(x0=10**low, x1=10**high, fillcolor=CLAIM, opacity=0.12, line_width=0)
    for each, dash in zip(suggestions, ("solid", "dash", "dot", "dashdot", "longdash"), strict=False):
        colour = COLOURS.get(each.name, CLAIM)
        line = {"color": colour, "dash": dash, "width": 2.5}
        figure.add_vline(x=each.learning_rate, line=line, opacity=1 if each.trusted else 0.5)
        on_curve = [smoothed[rates.index(each.learning_rate)] if each.learning_rate in rates else None]
        figure.add_scatter(
            x=[each.learning_rate], y=on_curve, mode="lines+markers", line=line, marker={"color": colour, "size": 9},
            name=f"{each.name} {rate_words(each.learning_rate)}{'' if each.trusted else ', in doubt'}",
            showlegend=True, hoverinfo="skip",
        )  # fmt: skip
    dtick: float | str = 1 if end - start > 2.5 else "D2"  # of less than three decades, the 2 and the 5 as well
    figure.update_xaxes(type="log", title="learning rate", range=[start, end], dtick=dtick, exponentformat="power")
    whole, close = _ceiling([*smoothed, *losses]), _ceiling(smoothed)
    figure.update_yaxes(title="loss, smoothed", range=[0, whole])
    if whole > close:
        views = {"All": whole, "Smoothed curve": close}
        figure.update_layout(view_buttons({name: {"yaxis.range": [0, top]} for name, top in views.items()}))
    return laid_out(figure, height)


def _ceiling(losses: Sequence[float]) -> float:
    """The axis' end above all of them: a few round values, so that it seldom moves while the curve grows."""
    most = max((loss for loss in losses if math.isfinite(loss)), default=0.0)
    if most <= UNTAUGHT:
        return 1.05 * UNTAUGHT
    power = 10.0 ** math.floor(math.log10(most))
    return 1.05 * next(factor * power for factor in (1, 2, 5, 10) if factor * power >= most)


def schedules(recipe: Recipe, kinds: Mapping[str, Schedule], batches: int, chosen: str, height: int = 300) -> go.Figure:
    """The rate over the epochs by each schedule, with the recipe's rate and epochs; the chosen one stands out."""
    figure = go.Figure()
    last = recipe.epochs * batches - 1
    points = np.linspace(0, last, min(300, last + 1)).astype(int)
    for name, colour in zip(kinds, (TRAIN, TEST, VALIDATION, PASS, "#CC79A7", "#56B4E9", "#F0E442"), strict=False):
        own = Recipe(epochs=recipe.epochs, learning_rate=recipe.learning_rate, schedule=kinds[name])
        figure.add_scatter(
            x=points / batches, y=np.array([rate_at(own, int(point), batches) for point in points]), mode="lines",
            name=name, line={"color": colour, "width": 3.5 if name == chosen else 1.5},
            opacity=1 if name == chosen else 0.55, hovertemplate="epoch %{x:.2f}: %{y:.4g}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="epochs", range=[0, recipe.epochs])
    figure.update_yaxes(title="learning rate", range=[0, 1.05 * recipe.learning_rate])
    return laid_out(figure, height)
