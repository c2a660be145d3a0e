"""The ladder's picture: parameters against accuracy, every mark in its true place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.analysis.study import Summary, pareto_front
from core.challenge import MAX_PARAMETERS, TARGET_ACCURACY
from lab.studies.results import in_words
from lab.ui.axes import Part, View, accuracy_at
from lab.ui.colours import CLAIM, FRONT, LINEAGE, PASS, SYMBOL
from lab.ui.figures import laid_out
from lab.ui.labels import Box, Mark, Screen, Shift, name_places


@dataclass(frozen=True)
class LadderPoint:
    """One step on the picture of the ladder."""

    slug: str
    label: str  # such as A2
    title: str
    lineage: str
    parameters: int
    claimed: float | None  # accuracies as fractions
    measured: Summary | None
    verdict: str


SPLIT = 11_900.0  # parameters; larger networks stand on a panel of their own, or the others would share a tenth of it
SMALL = (1_600.0, SPLIT)  # on the linear panel, where the challenge is decided; as far as the steps need
LARGE = (2.4e5, 1.4e7)  # on the logarithmic one
COLUMNS, PARTED = (0.84, 0.16), 0.025  # the panels' widths, and what parts them, as shares
LADDER_VIEW = (99.0, 99.7)  # per cent, that are shown at least
# The plot's width, and what of the figure's height is not plot: on windows 390, 768, 1280 and 1600 pixels wide.
LADDER_SCREENS = ((262.0, 177.0), (640.0, 146.0), (1024.0, 115.0), (1344.0, 115.0))
NAME = 15  # the size of a step's name, in pixels
NEAR = 16.0  # pixels from a mark to its name, up to which no line needs to lead there


def ladder(points: Sequence[LadderPoint], ink: str, height: int = 520) -> go.Figure:
    """Parameters against test accuracy: claims hollow, ours filled with their deviation, the challenge, the front.

    Two panels share the accuracy: the small networks on a linear axis, where the challenge is decided, and the large
    ones, which would squeeze them into a tenth of the width. Every mark has its true place; names move aside. `ink` is
    the colour of the steps' names. The same points give the same figure, drawn once for everybody: do not change it.
    """
    return _drawn_ladder(tuple(points), ink, height)


@lru_cache(maxsize=8)  # some tenths of a second each; the ladder and a lesson show it, in the inks of two themes
def _drawn_ladder(points: tuple[LadderPoint, ...], ink: str, height: int) -> go.Figure:
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=list(COLUMNS), horizontal_spacing=PARTED)
    plot = _plot(points)
    _front_line(figure, points, plot)
    for column in (1, 2):
        within = [point for point in points if (point.parameters > SPLIT) == (column == 2)]
        _claims(figure, within, column)
        _means(figure, within, column)
    words = [_challenge_words(plot), *_names(points, plot, ink, height)]
    figure.update_layout(shapes=_shapes(points, plot), annotations=words)  # at once: one by one takes 0.1 s
    figure.update_xaxes(title="parameters", range=plot.small, tickformat=",", dtick=2_000, row=1, col=1)
    figure.update_xaxes(
        type="log", range=[np.log10(each) for each in plot.large], tickvals=[5e5, 6e6], ticktext=["0.5M", "6M"],
        tickangle=0, row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(**plot.view.axis(height - 80.0))
    figure.update_yaxes(title="test accuracy, % (stretched)", row=1, col=1)
    figure.update_xaxes(tickfont_size=14, title_font_size=15).update_yaxes(tickfont_size=14, title_font_size=15)
    return laid_out(figure, height).update_layout(legend_font_size=14, xaxis2_tickfont_size=11)


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


def _plot(points: Sequence[LadderPoint]) -> Plot:
    """As much of the axes as the steps need."""
    small = [point.parameters for point in points if point.parameters <= SPLIT]
    large = [point.parameters for point in points if point.parameters > SPLIT]
    shown = [bound for point in points for bound in _reach(point)]
    return Plot(
        (min([SMALL[0], *(0.5 * each for each in small)]), SPLIT),
        (min([LARGE[0], *(0.7 * each for each in large)]), max([LARGE[1], *(1.5 * each for each in large)])),
        View("", min([LADDER_VIEW[0], *shown]), max([LADDER_VIEW[1], *shown])),
    )


def _reach(point: LadderPoint) -> list[float]:
    """All that is drawn of a step, in per cent: its claim, its mean, and that with a deviation less and more."""
    found = [] if point.claimed is None else [100 * point.claimed]
    if point.measured:
        mean, sd = 100 * point.measured.mean, 100 * (point.measured.sd or 0.0)
        found += [max(0.0, mean - sd), mean, min(100.0, mean + sd)]
    return found


def _shapes(points: Sequence[LadderPoint], plot: Plot) -> list[dict[str, object]]:
    """The challenge's corner, and a dotted line from each claim to its mean."""
    corner: dict[str, object] = {
        "type": "rect", "xref": "x", "yref": "y", "x0": plot.small[0], "x1": MAX_PARAMETERS,
        "y0": accuracy_at(100 * TARGET_ACCURACY), "y1": plot.view.range[1], "fillcolor": PASS, "opacity": 0.12,
        "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    lines: list[dict[str, object]] = [
        {
            "type": "line", "layer": "below", "line": {"color": CLAIM, "width": 1, "dash": "dot"}, **_panel(point),
            "x0": point.parameters, "x1": point.parameters,
            "y0": accuracy_at(100 * point.measured.mean), "y1": accuracy_at(100 * point.claimed),
        }
        for point in points
        if point.measured is not None and point.claimed is not None
    ]  # fmt: skip
    return [corner, *lines]


def _challenge_words(plot: Plot) -> dict[str, object]:
    return {
        "xref": "x domain", "yref": "y domain", "x": 0.01, "y": 1, "showarrow": False, "align": "left",
        "text": f"the challenge: at least {TARGET_ACCURACY:.1%}<br>in at most {MAX_PARAMETERS:,} parameters",
        "xanchor": "left", "yanchor": "top", "font": {"color": PASS, "size": 14},
    }  # fmt: skip


def _panel(point: LadderPoint) -> dict[str, object]:
    """The axes of the panel that the point stands on."""
    return {"xref": "x2", "yref": "y2"} if point.parameters > SPLIT else {"xref": "x", "yref": "y"}


def front(points: Sequence[LadderPoint]) -> list[LadderPoint]:
    """The measured steps whose mean no smaller or equally large one reaches, by rising parameters."""
    done = [(point, point.measured.mean) for point in points if point.measured is not None]
    return [done[index][0] for index in pareto_front([(point.parameters, mean) for point, mean in done])]


def stairs(
    corners: Sequence[tuple[float, float]], small: tuple[float, float], large: tuple[float, float]
) -> list[list[tuple[float, float]]]:
    """A front's corners, by rising parameters, on each of two panels, on to the panel's right edge.

    `small` and `large`: the panels' ends, in parameters; what the first reaches goes on into the second.
    """
    left = [corner for corner in corners if corner[0] <= small[1]]
    right = [corner for corner in corners if corner[0] > small[1]]
    if left:
        right.insert(0, (large[0], left[-1][1]))
        left.append((small[1], left[-1][1]))
    if right:
        right.append((large[1], right[-1][1]))
    return [left, right]


def _best_means(points: Sequence[LadderPoint], plot: Plot) -> list[list[tuple[float, float]]]:
    """The best mean, in per cent, that so many parameters buy: a stair on each panel."""
    corners = [(float(point.parameters), 100 * point.measured.mean) for point in front(points) if point.measured]
    return stairs(corners, plot.small, plot.large)


def _front_line(figure: go.Figure, points: Sequence[LadderPoint], plot: Plot) -> None:
    panels = _best_means(points, plot)
    for column, stair in enumerate(panels, 1):
        if stair:
            figure.add_scatter(
                x=[x for x, _ in stair], y=[accuracy_at(mean) for _, mean in stair], mode="lines", legendgroup="front",
                name="Pareto front of our means", line={"color": FRONT, "width": 2, "shape": "hv"}, hoverinfo="skip",
                legendrank=3000, showlegend=column == 1 or not panels[0], row=1, col=column,
            )  # fmt: skip


HOVER = (
    "<b>%{customdata[1]}</b><br>%{customdata[2]} parameters<br>claimed: %{customdata[3]}<br>"
    "ours, last epoch: %{customdata[4]}<br>held: %{customdata[5]}<br>best epoch, chosen on the test set: "
    "%{customdata[6]}<br>%{customdata[7]}<extra></extra>"
)


def _told(point: LadderPoint) -> list[str]:
    """What a mark's hover says; the slug, which a click needs, comes first."""
    measured = point.measured
    return [
        point.slug,
        point.title,
        f"{point.parameters:,}",
        "nothing" if point.claimed is None else f"{point.claimed:.2%}",
        in_words(measured) if measured else "not measured",
        f"{measured.held:.2%}" if measured else "—",
        f"{measured.best_mean:.2%}" if measured else "—",
        point.verdict if measured else "",
    ]


def _claims(figure: go.Figure, points: Sequence[LadderPoint], column: int) -> None:
    claimed = [(point, point.claimed) for point in points if point.claimed is not None]
    figure.add_scatter(
        x=[point.parameters for point, _ in claimed],
        y=[accuracy_at(100 * accuracy) for _, accuracy in claimed],
        mode="markers",
        name="claimed: best epoch of one run",
        legendgroup="claimed",
        legendrank=1000,
        showlegend=column == 1,
        customdata=[_told(point) for point, _ in claimed],
        hovertemplate=HOVER,
        marker={
            "size": 15,
            "symbol": [f"{SYMBOL.get(point.lineage, 'circle')}-open" for point, _ in claimed],
            "color": CLAIM,
            "line": {"width": 2},
        },
        row=1,
        col=column,
    )


def _means(figure: go.Figure, points: Sequence[LadderPoint], column: int) -> None:
    """A trace for each lineage: error bars of a trace have one colour."""
    for key in sorted({point.lineage for point in points if point.measured}):
        done = [(point, point.measured) for point in points if point.measured and point.lineage == key]
        colour = LINEAGE.get(key, CLAIM)
        figure.add_scatter(
            x=[point.parameters for point, _ in done],
            y=[accuracy_at(100 * measured.mean) for _, measured in done],
            error_y=deviation_bars([measured for _, measured in done]) | {"color": colour, "thickness": 2, "width": 4},
            mode="markers",
            name="ours: mean of the last epochs ± deviation",
            legendgroup="ours",
            legendrank=2000,
            showlegend=not any(trace.legendgroup == "ours" for trace in figure.data),
            customdata=[_told(point) for point, _ in done],
            hovertemplate=HOVER,
            marker={"size": 10, "symbol": SYMBOL.get(key, "circle"), "color": colour},
            row=1,
            col=column,
        )


def deviation_bars(some: Sequence[Summary], at: Callable[[Summary], float] = lambda each: each.mean) -> Part:
    """Error bars of one deviation on an accuracy axis, on which more is not as long as less; None for a single run."""
    up, down = list[float | None](), list[float | None]()
    for each in some:
        middle, sd = 100 * at(each), 100 * (each.sd or 0.0)
        up.append(None if each.sd is None else accuracy_at(min(100.0, middle + sd)) - accuracy_at(middle))
        down.append(None if each.sd is None else accuracy_at(middle) - accuracy_at(max(0.0, middle - sd)))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down}


def _names(points: Sequence[LadderPoint], plot: Plot, ink: str, height: int) -> list[dict[str, object]]:
    """Each step's short name, on a line to its mean, or to its claim where it is not measured."""
    named: list[tuple[LadderPoint, float]] = []
    for point in points:
        accuracy = point.measured.mean if point.measured else point.claimed
        if accuracy is not None:
            named.append((point, 100 * accuracy))
    marks = [Mark(*plot.share(point.parameters, percent), 0.65 * NAME * len(point.label)) for point, percent in named]
    screens = [(wide, height - rest) for wide, rest in LADDER_SCREENS]
    places = name_places(
        marks, NAME + 1, screens, lambda screen: _marks_on(points, plot, screen),
        lambda screen: [(0.0, 195.0, screen[1] - 44, screen[1])],  # the challenge's words
    )  # fmt: skip
    return [
        {
            **_panel(point), "x": np.log10(point.parameters) if point.parameters > SPLIT else point.parameters,
            "y": accuracy_at(percent), "text": point.label, "font": {"size": NAME, "color": ink},
            **led_to(shift, mark.wide, NAME + 1, LINEAGE.get(point.lineage, CLAIM)),
        }
        for (point, percent), mark, shift in zip(named, marks, places, strict=True)
        if shift is not None
    ]  # fmt: skip


def led_to(shift: Shift, wide: float, high: float, colour: str = CLAIM) -> Part:
    """An annotation's place, so far from its mark; with a line to it where it does not stand at its side."""
    x, y = shift
    if np.hypot(max(0.0, abs(x) - wide / 2), max(0.0, abs(y) - high / 2)) <= NEAR:
        return {"showarrow": False, "xshift": x, "yshift": y}
    return {
        "showarrow": True, "ax": x, "ay": -y, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": colour, "standoff": 5,
        "borderpad": 0,
    }  # fmt: skip


def _marks_on(points: Sequence[LadderPoint], plot: Plot, screen: Screen) -> list[Box]:
    """Marks, their bars, the lines from claims to means, and the front, on a plot of that size."""

    def pixels(parameters: float, percent: float) -> tuple[float, float]:
        x, y = plot.share(parameters, percent)
        return x * screen[0], y * screen[1]

    taken: list[Box] = []
    for stair in _best_means(points, plot):
        for (x0, y0), (x1, y1) in pairwise(pixels(*corner) for corner in stair):
            taken += [(x0, x1, y0 - 2, y0 + 2), (x1 - 2, x1 + 2, min(y0, y1), max(y0, y1))]
    for point in points:
        if point.claimed is not None:
            x, y = pixels(point.parameters, 100 * point.claimed)
            taken.append((x - 8, x + 8, y - 8, y + 8))
            if point.measured:
                _, mean = pixels(point.parameters, 100 * point.measured.mean)
                taken.append((x - 2, x + 2, min(y, mean), max(y, mean)))
        if point.measured:
            low, *_, high = sorted(_reach(replace(point, claimed=None)))
            (x, bottom), (_, top) = pixels(point.parameters, low), pixels(point.parameters, high)
            taken.append((x - 6, x + 6, min(bottom, (top + bottom) / 2 - 6), max(top, (top + bottom) / 2 + 6)))
    return taken
