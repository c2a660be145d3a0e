"""Data in, Plotly figure out. Colours from Okabe and Ito, the same for the same thing on every page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from core.analysis.study import SeedRun, Summary, epoch_means, pareto_front
from core.architecture.receptive_field import ReceptiveField, extent
from core.data.mnist import Pixels
from core.ladder.challenge import MAX_PARAMETERS, TARGET_ACCURACY, first_reached, held_from
from core.training.history import EpochRecord
from core.training.recipe import Recipe, ReduceLROnPlateau, rate_at
from lab.runs.store import BatchRow
from lab.studies.results import in_words
from lab.ui.axes import Part, View, accuracy_at, accuracy_axis, decades, epochs_axis, zoom
from lab.ui.labels import Box, Mark, Screen, Shift, name_places

TRAIN, VALIDATION, TEST, PASS = "#0072B2", "#E69F00", "#D55E00", "#009E73"
CLAIM = "#8A929B"  # grey, readable on white and on black
FRONT = "#56B4E9"
LINEAGE = {"a": "#0072B2", "b": "#D55E00", "c": "#CC79A7", "d": "#E69F00"}
SYMBOL = {"a": "circle", "b": "square", "c": "diamond", "d": "star"}  # a lineage is told by its form too
Plain = dict[str, Any]  # a figure in Plotly's own words, data and layout, for `live_plot`

# What all figures share: margins, the legend above, a transparent ground.
SHARED: Part = {
    "showlegend": True,
    "margin": {"l": 60, "r": 16, "t": 34, "b": 46},
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
    "hovermode": "closest",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "uirevision": "keep",
}


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
    ones, which would squeeze them into a tenth of the width. Every mark has its true place; names make way. `ink` is
    the colour of the steps' names. The same points give the same figure, drawn once for everybody: show it, and leave
    it as it is.
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


def field_on_digit(digit: Pixels, field: ReceptiveField, unit: int, map_size: int, height: int = 330) -> go.Figure:
    """The square that one unit of a map sees, on a real digit (28, 28), and its right neighbour's, dashed."""
    size = digit.shape[0]
    neighbour = unit + 1 if unit + 1 < map_size else unit - 1
    seen = [end for each in ({unit, neighbour} if map_size > 1 else {unit}) for end in extent(field, each)]
    margin = max(1.5, min(2.0 * size, max(-min(seen), max(seen) - (size - 1)) + 1))
    figure = go.Figure(
        go.Heatmap(
            z=digit, colorscale="gray", showscale=False, zmin=0, zmax=255,
            hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    if map_size > 1:
        _square(figure, field, neighbour, unit, VALIDATION, "dash")
    _square(figure, field, unit, unit, TEST, "solid")
    bounds = [-0.5 - margin, size - 0.5 + margin]
    figure.update_xaxes(range=bounds, visible=False, constrain="domain")
    figure.update_yaxes(range=bounds[::-1], visible=False, scaleanchor="x", constrain="domain")
    figure = laid_out(figure, height)
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, showlegend=False)


def _square(figure: go.Figure, field: ReceptiveField, column: int, row: int, colour: str, dash: str) -> None:
    x0, x1 = extent(field, column)
    y0, y1 = extent(field, row)
    solid = dash == "solid"
    figure.add_shape(
        type="rect", x0=x0 - 0.5, x1=x1 + 0.5, y0=y0 - 0.5, y1=y1 + 0.5,
        line={"color": colour, "width": 3 if solid else 2, "dash": dash},
        fillcolor="rgba(213,94,0,0.18)" if solid else "rgba(0,0,0,0)",
    )  # fmt: skip


def loss_curves(
    epochs: Sequence[EpochRecord], batches: Sequence[BatchRow], planned: int, per_epoch: int, height: int = 320
) -> Plain:
    """Loss against epochs: each batch faint, each epoch's train, validation and test."""
    values = _shortened(row.loss for row in batches)
    rows = [(record.train_loss, record.validation_loss, record.test_loss) for record in epochs]
    scale = decades([*values, *(loss for row in rows for loss in row if loss is not None)])
    each_batch = _faint(
        [(row.iteration + 1) / per_epoch for row in batches], [scale.at(value) for value in values], values,
        "each batch", "epoch %{x:.2f}: %{customdata:.4~g}<extra>batch</extra>",
    )  # fmt: skip
    return at_once(
        [*([each_batch] if batches else []), *_epoch_lines(epochs, rows, scale.at, "%{customdata:.4~g}")],
        {"xaxis": epochs_axis(planned), "yaxis": scale.axis("loss")},
        height,
    )


def accuracy_curves(
    epochs: Sequence[EpochRecord],
    planned: int,
    target: float,
    claimed: Sequence[float] = (),
    height: int = 320,
    batches: Sequence[BatchRow] = (),
    per_epoch: int = 1,
) -> Plain:
    """Accuracy against epochs, with the target, where it was first reached and from where it was held.

    `batches` give the training accuracy before the first epoch has ended, and within each later one. Of `claimed`, the
    write-up's log, the epochs that the run has.
    """
    percent = [
        (100 * r.train_accuracy, None if r.validation_accuracy is None else 100 * r.validation_accuracy,
         100 * r.test_accuracy)
        for r in epochs
    ]  # fmt: skip
    return at_once(
        [
            *_claimed_line(claimed[: max(1, planned)], "write-up, test"),
            *_so_far(batches, per_epoch, len(epochs)),
            *_epoch_lines(epochs, percent, accuracy_at, "%{customdata:.2f}%"),
        ],
        {
            "shapes": [target_line(target)],
            "annotations": [target_words(target), *_target_marks(epochs, target)],
            "xaxis": epochs_axis(planned),
            "yaxis": accuracy_axis(),
            **zoom(),
        },
        height,
    )


def _so_far(batches: Sequence[BatchRow], per_epoch: int, done: int) -> list[Part]:
    """The training accuracy within the first epoch and within the one under way: the mean since the epoch began.

    `done`: how many epochs have ended.
    """
    places, means = list[float](), list[float | None]()
    for epoch in sorted({0, done}):
        hits = [(row.iteration, row.accuracy) for row in batches if row.epoch == epoch]
        if means and hits:  # a gap parts two epochs
            places.append(places[-1])
            means.append(None)
        places += [(iteration + 1) / per_epoch for iteration, _ in hits]
        means += [100 * total / count for count, total in enumerate(accumulate(hit for _, hit in hits), 1)]
    if not places:
        return []
    line = _faint(
        places, [None if mean is None else round(accuracy_at(mean), 4) for mean in means],
        [None if mean is None else round(mean, 2) for mean in means], "train, so far",
        "epoch %{x:.2f}: %{customdata:.2f}%<extra>train, this epoch so far</extra>",
    )  # fmt: skip
    return [line | {"showlegend": not done, "line": {"color": "rgba(86,180,233,0.9)", "width": 2}}]


def _faint(
    x: Iterable[float], y: Sequence[float | None], values: Sequence[float | None], name: str, hover: str
) -> Part:
    """A thin line of what single batches did, behind the epochs' figures; `values` are for the pointer."""
    return {
        "type": "scatter", "x": [round(each, 4) for each in x], "y": y, "customdata": values, "name": name,
        "mode": "lines" if len(y) > 1 else "markers", "line": {"color": "rgba(86,180,233,0.6)", "width": 1},
        "marker": {"color": "rgba(86,180,233,0.6)", "size": 4}, "hovertemplate": hover,
    }  # fmt: skip


def study_curves(
    runs: Sequence[SeedRun], claimed: Sequence[float] = (), target: float = TARGET_ACCURACY, height: int = 320
) -> go.Figure:
    """Test accuracy against epochs: the runs' mean, the band from the least run to the best, the write-up's log."""
    histories = [[100 * record.test_accuracy for record in run.history] for run in runs]
    lows, highs = ([chosen(epoch) for epoch in zip(*histories, strict=True)] for chosen in (min, max))
    epochs = list(range(1, len(lows) + 1))
    traces = _claimed_line(claimed, "write-up's log")
    if len(runs) > 1:
        traces += band(epochs, lows, highs, f"least to best of {len(runs)} seeds")
    if runs:
        name = f"mean of {len(runs)} seeds" if len(runs) > 1 else "one run here"
        means = [100 * mean for mean in epoch_means(runs)]
        mean: Part = {
            "type": "scatter", "x": epochs, "y": [accuracy_at(each) for each in means], "mode": "lines+markers",
            "name": name, "legendrank": 1500, "line": {"color": TEST, "width": 2.5 if len(runs) > 1 else 1.5},
            "marker": {"size": 5}, "customdata": list(zip(means, lows, highs, strict=True)),
            "hovertemplate": "epoch %{x}: %{customdata[0]:.2f}%"
            + (", from %{customdata[1]:.2f}% to %{customdata[2]:.2f}%" if len(runs) > 1 else "")
            + f"<extra>{name}</extra>",
        }  # fmt: skip
        traces.append(mean)
    last = max(len(lows), len(claimed), 1)
    return go.Figure(
        at_once(
            traces,
            {
                "shapes": [target_line(target)],
                "annotations": [target_words(target)],
                "xaxis": epochs_axis(last, 0.8) | {"range": [0.8, last + 0.2]},
                "yaxis": accuracy_axis("test accuracy, % (stretched)", height - 80.0),
                **zoom(height - 80.0),
            },
            height,
        )
    )


def band(epochs: Sequence[float], lows: Sequence[float], highs: Sequence[float], name: str) -> list[Part]:
    """From the least to the greatest accuracy, in per cent, of several runs; of a single epoch it is a bar."""
    if len(epochs) == 1:
        return [
            {
                "type": "scatter", "x": [epochs[0]] * 2, "y": [accuracy_at(lows[0]), accuracy_at(highs[0])],
                "mode": "lines", "line": {"color": "rgba(213,94,0,0.35)", "width": 9}, "name": name,
                "legendrank": 2000, "hoverinfo": "skip",
            }
        ]  # fmt: skip
    return [
        {
            "type": "scatter", "x": epochs, "y": [accuracy_at(each) for each in bound], "mode": "lines",
            "line": {"width": 0}, "hoverinfo": "skip", "showlegend": shown, "name": name, "legendrank": 2000,
            "fill": "tonexty" if shown else None, "fillcolor": "rgba(213,94,0,0.25)",
        }
        for bound, shown in ((lows, False), (highs, True))
    ]  # fmt: skip


def _axis(title: str, **more: object) -> Part:
    return {"title": {"text": title}, **more}


def _shortened(values: Iterable[float]) -> list[float]:
    """To five significant digits: a curve shows no more, and a message is shorter by half."""
    return [float(f"{value:.5g}") for value in values]


def _claimed_line(claimed: Sequence[float], name: str) -> list[Part]:
    """The write-up's log, where there is one."""
    if not claimed:
        return []
    percent = [100 * each for each in claimed]
    return [
        {
            "type": "scatter", "x": list(range(1, len(percent) + 1)), "y": [accuracy_at(each) for each in percent],
            "customdata": percent, "mode": "lines", "name": name, "line": {"color": CLAIM, "dash": "dot", "width": 2},
            "hovertemplate": f"epoch %{{x}}: %{{customdata:.2f}}%<extra>{name}</extra>",
        }
    ]  # fmt: skip


def target_line(target: float) -> Part:
    """The target: a line across a plot with an accuracy axis."""
    return {
        "type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": accuracy_at(100 * target),
        "y1": accuracy_at(100 * target), "line": {"color": PASS, "width": 1, "dash": "dash"},
    }  # fmt: skip


def target_words(target: float) -> Part:
    """The target's words, above its line: there are few curves there, at the left."""
    return {
        "x": 0, "xref": "paper", "y": accuracy_at(100 * target), "text": f"target {target:.1%}", "showarrow": False,
        "xanchor": "left", "yanchor": "bottom", "font": {"color": PASS, "size": 14},
    }  # fmt: skip


def _target_marks(epochs: Sequence[EpochRecord], target: float) -> list[Part]:
    accuracies = [record.test_accuracy for record in epochs]
    marks = (("first reached", first_reached(accuracies, target)), ("held from", held_from(accuracies, target)))
    found: list[Part] = []
    for row, (text, index) in enumerate(marks):
        if index is None:
            continue
        late = index > 0.7 * max(1, len(epochs) - 1)  # there the words stand to the left, within the plot
        found.append(
            {
                "x": epochs[index].epoch + 1, "y": accuracy_at(100 * accuracies[index]),
                "text": f"{text} epoch {epochs[index].epoch + 1}", "ay": 40 + 26 * row, "ax": 0,
                "xanchor": "right" if late else "center", "arrowcolor": PASS, "font": {"color": PASS},
                "arrowwidth": 1.5,
            }
        )  # fmt: skip
    return found


def _epoch_lines(
    epochs: Sequence[EpochRecord],
    rows: Sequence[tuple[float, float | None, float]],
    at: Callable[[float], float],
    shown: str,
) -> list[Part]:
    """Lines for train, validation and test, `at` their places; no line for a validation that was not held out."""
    names = (("train", TRAIN, "circle"), ("validation", VALIDATION, "diamond"), ("test", TEST, "square"))
    lines: list[Part] = []
    for number, (name, colour, symbol) in enumerate(names):
        values = [row[number] for row in rows]
        if not any(value is not None for value in values):
            continue
        lines.append(
            {
                "type": "scatter",
                "x": [record.epoch + 1 for record in epochs],
                "y": [None if value is None else at(value) for value in values],
                "customdata": values,
                "mode": "lines+markers",
                "name": name,
                "line": {"color": colour, "width": 2.5},
                "marker": {"symbol": symbol, "size": 7},
                "hovertemplate": f"epoch %{{x}}: {shown}<extra>{name}</extra>",
            }
        )
    return lines


def schedule(recipe: Recipe, batches: int, height: int = 260) -> Plain:
    """The learning rate over the run, as the loop will set it; a plateau's falls cannot be known before."""
    points = np.linspace(0, recipe.epochs * batches - 1, min(600, recipe.epochs * batches)).astype(int).tolist()
    line: Part = {
        "type": "scatter", "x": [round(point / batches, 4) for point in points],
        "y": _shortened(rate_at(recipe, point, batches) for point in points), "mode": "lines",
        "line": {"color": TRAIN, "width": 2.5}, "hovertemplate": "epoch %{x:.2f}: %{y:.4g}<extra></extra>",
    }  # fmt: skip
    words: Part = {
        "text": "falls by the factor whenever the loss has stopped improving", "x": 0.5, "xref": "paper", "y": 0.5,
        "yref": "paper", "showarrow": False, "font": {"color": CLAIM},
    }  # fmt: skip
    return at_once(
        [line],
        {
            "showlegend": False,
            "annotations": [words] if isinstance(recipe.schedule, ReduceLROnPlateau) else [],
            "xaxis": _axis("epochs", range=[0, recipe.epochs]),
            "yaxis": _axis("learning rate", rangemode="tozero"),
        },
        height,
    )


def probabilities(values: NDArray[np.float32], true: int | None = None, height: int = 260) -> go.Figure:
    """Ten bars, the likeliest filled dark, the true class in green where it is known."""
    best = int(values.argmax())
    colours = [PASS if digit == true else (TEST if digit == best else CLAIM) for digit in range(10)]
    if true is None:
        colours = [TRAIN if digit == best else CLAIM for digit in range(10)]
    figure = go.Figure(
        go.Bar(
            x=list(range(10)), y=[100 * float(value) for value in values], marker_color=colours,
            text=[f"{value:.0%}" if value >= 0.005 else "" for value in values], textposition="outside",
            constraintext="none", textangle=0,
            cliponaxis=False, hovertemplate="%{x}: %{y:.2f}%<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="digit", tickmode="linear", dtick=1, fixedrange=True)
    figure.update_yaxes(title="probability, %", range=[0, 112], tickvals=[0, 50, 100], fixedrange=True)
    return laid_out(figure, height).update_layout(showlegend=False, margin={"t": 8}, modebar={"remove": ["toimage"]})


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


def laid_out(figure: go.Figure, height: int) -> go.Figure:
    """The figure in this height, with what all figures share."""
    return figure.update_layout(height=height, **SHARED)


def at_once(traces: list[Part], layout: Part, height: int) -> Plain:
    """A figure in Plotly's own words, laid out like all.

    A go.Figure checks every value, for some 8 ms, which tells where thirty sessions draw two such figures each second.
    """
    return {"data": traces, "layout": {**SHARED, "height": height, **layout}}
