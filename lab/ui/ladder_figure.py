"""The ladder's picture: parameters against accuracy, every mark in its true place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import plotly.graph_objects as go

from core.analysis.study import Summary, pareto_front
from core.challenge import CHALLENGE, Challenge
from lab.studies.results import in_words
from lab.ui import panels
from lab.ui.axes import View, accuracy_at
from lab.ui.colours import CLAIM, LINEAGE, SYMBOL
from lab.ui.labels import Box, Mark, Screen, name_places


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
LADDER_VIEW = (99.0, 99.7)  # per cent, that are shown at least
# The plot's width, and what of the figure's height is not plot: on windows 390, 768, 1280 and 1600 pixels wide.
LADDER_SCREENS = ((262.0, 177.0), (640.0, 146.0), (1024.0, 115.0), (1344.0, 115.0))
NAME = 15  # the size of a step's name, in pixels


def ladder(points: Sequence[LadderPoint], ink: str, height: int = 520, challenge: Challenge = CHALLENGE) -> go.Figure:
    """Parameters against test accuracy: claims hollow, ours filled with their deviation, the challenge, the front.

    Two panels share the accuracy: the small networks on a linear axis, where the challenge is decided, and the large
    ones, which would squeeze them into a tenth of the width. Every mark has its true place; names move aside. `ink` is
    the colour of the steps' names. The same points give the same figure, drawn once for everybody: do not change it.
    """
    return _drawn_ladder(tuple(points), ink, height, challenge)


@lru_cache(maxsize=8)  # some tenths of a second each; the ladder and a lesson show it, in the inks of two themes
def _drawn_ladder(points: tuple[LadderPoint, ...], ink: str, height: int, challenge: Challenge) -> go.Figure:
    plot = _plot(points)
    figure = panels.two_panels(plot, height, "test accuracy, % (stretched)")
    panels.front_line(figure, _best_means(points, plot), "Pareto front of our means")
    for column in (1, 2):
        within = [point for point in points if (point.parameters > SPLIT) == (column == 2)]
        _claims(figure, within, column)
        _means(figure, within, column)
    asked = f"the challenge: at least {challenge.target}<br>in at most {challenge.parameters:,} parameters"
    words = [panels.corner_words(asked, 6), *_names(points, plot, ink, height)]
    figure.update_layout(shapes=_shapes(points, plot, challenge), annotations=words)  # at once: one by one takes 0.1 s
    figure.update_xaxes(dtick=2_000, row=1, col=1)
    return figure.update_xaxes(tickvals=[5e5, 6e6], ticktext=["0.5M", "6M"], row=1, col=2)


def _plot(points: Sequence[LadderPoint]) -> panels.Plot:
    """As much of the axes as the steps need."""
    small = [point.parameters for point in points if point.parameters <= SPLIT]
    large = [point.parameters for point in points if point.parameters > SPLIT]
    shown = [bound for point in points for bound in _reach(point)]
    return panels.Plot(
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


def _shapes(points: Sequence[LadderPoint], plot: panels.Plot, challenge: Challenge) -> list[dict[str, object]]:
    """The challenge's corner, and a dotted line from each claim to its mean."""
    lines: list[dict[str, object]] = [
        {
            "type": "line", "layer": "below", "line": {"color": CLAIM, "width": 1, "dash": "dot"},
            **panels.panel(point.parameters, plot),
            "x0": point.parameters, "x1": point.parameters,
            "y0": accuracy_at(100 * point.measured.mean), "y1": accuracy_at(100 * point.claimed),
        }
        for point in points
        if point.measured is not None and point.claimed is not None
    ]  # fmt: skip
    return [*panels.corner(plot, challenge), *lines]


def front(points: Sequence[LadderPoint]) -> list[LadderPoint]:
    """The measured steps whose mean no smaller or equally large one reaches, by rising parameters."""
    done = [(point, point.measured.mean) for point in points if point.measured is not None]
    return [done[index][0] for index in pareto_front([(point.parameters, mean) for point, mean in done])]


def _best_means(points: Sequence[LadderPoint], plot: panels.Plot) -> list[list[tuple[float, float]]]:
    """The best mean, in per cent, that so many parameters buy: a stair on each panel."""
    corners = [(float(point.parameters), 100 * point.measured.mean) for point in front(points) if point.measured]
    return panels.stairs(corners, plot)


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
        colour, bars = LINEAGE.get(key, CLAIM), panels.deviation_bars([measured for _, measured in done])
        figure.add_scatter(
            x=[point.parameters for point, _ in done],
            y=[accuracy_at(100 * measured.mean) for _, measured in done],
            error_y=bars | {"color": colour, "thickness": 2, "width": 4},
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


def _names(points: Sequence[LadderPoint], plot: panels.Plot, ink: str, height: int) -> list[dict[str, object]]:
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
        panels.name_at(
            point.parameters, percent, point.label, {"size": NAME, "color": ink}, plot,
            panels.led_to(shift, mark.wide, NAME + 1, LINEAGE.get(point.lineage, CLAIM)),
        )
        for (point, percent), mark, shift in zip(named, marks, places, strict=True)
        if shift is not None
    ]  # fmt: skip


def _marks_on(points: Sequence[LadderPoint], plot: panels.Plot, screen: Screen) -> list[Box]:
    """Marks, their bars, the lines from claims to means, and the front, on a plot of that size."""
    taken = panels.front_boxes(_best_means(points, plot), plot, screen)
    for point in points:
        if point.claimed is not None:
            x, y = plot.pixels(point.parameters, 100 * point.claimed, screen)
            taken.append((x - 8, x + 8, y - 8, y + 8))
            if point.measured:
                _, mean = plot.pixels(point.parameters, 100 * point.measured.mean, screen)
                taken.append((x - 2, x + 2, min(y, mean), max(y, mean)))
        if point.measured:
            low, *_, high = sorted(_reach(replace(point, claimed=None)))
            (x, bottom), (_, top) = (plot.pixels(point.parameters, end, screen) for end in (low, high))
            taken.append((x - 6, x + 6, min(bottom, (top + bottom) / 2 - 6), max(top, (top + bottom) / 2 + 6)))
    return taken
