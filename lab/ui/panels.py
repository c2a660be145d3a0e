"""Parameters against accuracy on two panels: small networks on a linear axis, large ones on a logarithmic one.

The ladder and the challenge board are drawn on them; on one axis the large networks would squeeze the small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.analysis.study import Summary
from core.challenge import Challenge
from lab.ui.axes import Part, View, accuracy_at
from lab.ui.colours import CLAIM, FRONT, PASS
from lab.ui.figures import laid_out
from lab.ui.labels import Box, Screen, Shift

Stair = list[tuple[float, float]]  # parameters, and accuracy in per cent

COLUMNS, PARTED = (0.84, 0.16), 0.025  # the panels' widths, and the gap between them, as shares
NEAR = 16.0  # pixels from a mark to its name, up to which no line needs to lead there


@dataclass(frozen=True)
class Plot:
    """The ends of the axes of two panels that share their accuracies."""

    small: tuple[float, float]  # parameters
    large: tuple[float, float]
    view: View

    def share(self, parameters: float, percent: float) -> tuple[float, float]:
        """Where a mark stands, as shares of the whole width and of the height."""
        low, high = self.view.range
        first = COLUMNS[0] * (1 - PARTED)
        if parameters > self.small[1]:
            start, end = np.log10(self.large)
            x = first + PARTED + (1 - first - PARTED) * float((np.log10(parameters) - start) / (end - start))
        else:
            x = first * (parameters - self.small[0]) / (self.small[1] - self.small[0])
        return x, (accuracy_at(percent) - low) / (high - low)

    def pixels(self, parameters: float, percent: float, screen: Screen) -> tuple[float, float]:
        """The same on a plot of that size."""
        x, y = self.share(parameters, percent)
        return x * screen[0], y * screen[1]


def two_panels(plot: Plot, height: int, title: str) -> go.Figure:
    """The empty figure with its axes."""
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=list(COLUMNS), horizontal_spacing=PARTED)
    figure.update_xaxes(title="parameters", range=plot.small, tickformat=",", row=1, col=1)
    figure.update_xaxes(type="log", range=[np.log10(each) for each in plot.large], tickangle=0, row=1, col=2)
    figure.update_yaxes(**plot.view.axis(height - 80.0))
    figure.update_yaxes(title=title, row=1, col=1)
    figure.update_xaxes(tickfont_size=14, title_font_size=15).update_yaxes(tickfont_size=14, title_font_size=15)
    return laid_out(figure, height).update_layout(legend_font_size=14, xaxis2_tickfont_size=11)


def panel(parameters: float, plot: Plot) -> Part:
    """The axes of the panel on which so many parameters lie."""
    return {"xref": "x2", "yref": "y2"} if parameters > plot.small[1] else {"xref": "x", "yref": "y"}


def corner(plot: Plot, challenge: Challenge) -> list[Part]:
    """The challenge's corner, on as many of the panels as its budget reaches."""
    most = challenge.parameters
    first = _corner(("x", "y"), (plot.small[0], min(most, plot.small[1])), plot, challenge)
    if most <= plot.large[0]:
        return [first]
    return [first, _corner(("x2", "y2"), (plot.large[0], min(most, plot.large[1])), plot, challenge)]


def _corner(axes: tuple[str, str], across: tuple[float, float], plot: Plot, challenge: Challenge) -> Part:
    return {
        "type": "rect", "xref": axes[0], "yref": axes[1], "x0": across[0], "x1": across[1],
        "y0": accuracy_at(100 * challenge.accuracy), "y1": plot.view.range[1], "fillcolor": PASS, "opacity": 0.12,
        "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def corner_words(words: str, away: int) -> Part:
    """What the challenge asks for, so many pixels from the corner's edge."""
    return {
        "xref": "x domain", "yref": "y domain", "x": 0, "y": 1, "xanchor": "left", "yanchor": "top", "xshift": away,
        "text": words, "align": "left", "font": {"color": PASS, "size": 14}, "showarrow": False,
    }  # fmt: skip


def name_at(parameters: float, percent: float, text: str, font: Part, plot: Plot, led: Part) -> Part:
    """The name of a mark, `led` there as `led_to` says."""
    axes = panel(parameters, plot)
    x = np.log10(parameters) if axes["xref"] == "x2" else parameters
    return {**axes, "x": x, "y": accuracy_at(percent), "text": text, "font": font, **led}


def stairs(corners: Sequence[tuple[float, float]], plot: Plot) -> list[Stair]:
    """A front's corners, by rising parameters, on each of the two panels, up to the panel's right edge.

    What the first panel reaches continues into the second.
    """
    left = [corner for corner in corners if corner[0] <= plot.small[1]]
    right = [corner for corner in corners if corner[0] > plot.small[1]]
    if left:
        right.insert(0, (plot.large[0], left[-1][1]))
        left.append((plot.small[1], left[-1][1]))
    if right:
        right.append((plot.large[1], right[-1][1]))
    return [left, right]


def front_line(figure: go.Figure, panels: Sequence[Stair], name: str) -> None:
    """The best accuracy for so many parameters: a stair on each panel."""
    for column, stair in enumerate(panels, 1):
        if stair:
            figure.add_scatter(
                x=[x for x, _ in stair], y=[accuracy_at(y) for _, y in stair], mode="lines", legendgroup="front",
                name=name, line={"color": FRONT, "width": 2, "shape": "hv"}, hoverinfo="skip", legendrank=3000,
                showlegend=column == 1 or not panels[0], row=1, col=column,
            )  # fmt: skip


def front_boxes(panels: Sequence[Stair], plot: Plot, screen: Screen) -> list[Box]:
    """Where the stairs lie on a plot of that size."""
    taken: list[Box] = []
    for stair in panels:
        for (x0, y0), (x1, y1) in pairwise(plot.pixels(*each, screen) for each in stair):
            taken += [(x0, x1, y0 - 2, y0 + 2), (x1 - 2, x1 + 2, min(y0, y1), max(y0, y1))]
    return taken


def deviation_bars(some: Sequence[Summary], at: Callable[[Summary], float] = lambda each: each.mean) -> Part:
    """Error bars of one deviation on an accuracy axis, on which more is not as long as less; None for a single run."""
    up, down = list[float | None](), list[float | None]()
    for each in some:
        middle, sd = 100 * at(each), 100 * (each.sd or 0.0)
        up.append(None if each.sd is None else accuracy_at(min(100.0, middle + sd)) - accuracy_at(middle))
        down.append(None if each.sd is None else accuracy_at(middle) - accuracy_at(max(0.0, middle - sd)))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down}


def led_to(shift: Shift, wide: float, high: float, colour: str = CLAIM) -> Part:
    """An annotation's place, so far from its mark; with a line to it where it does not stand at its side."""
    x, y = shift
    if np.hypot(max(0.0, abs(x) - wide / 2), max(0.0, abs(y) - high / 2)) <= NEAR:
        return {"showarrow": False, "xshift": x, "yshift": y}
    return {
        "showarrow": True, "ax": x, "ay": -y, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": colour, "standoff": 5,
        "borderpad": 0,
    }  # fmt: skip
