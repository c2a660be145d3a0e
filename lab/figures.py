"""Data in, Plotly figure out. Colours from Okabe and Ito, the same for the same thing on every page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from core.challenge import MAX_PARAMETERS, TARGET_ACCURACY, first_reached, held_from
from core.history import EpochRecord
from core.mnist import Pixels
from core.receptive_field import ReceptiveField, extent
from core.recipe import Recipe, ReduceLROnPlateau, rate_at
from core.study import SeedRun, Summary, epoch_means, pareto_front
from lab.labels import Box, least_shared, shifts
from lab.runs import BatchRow
from lab.studies import in_words

TRAIN, VALIDATION, TEST, PASS = "#0072B2", "#E69F00", "#D55E00", "#009E73"
CLAIM = "#8A929B"  # grey, readable on white and on black
FRONT = "#56B4E9"
LINEAGE = {"a": "#0072B2", "b": "#D55E00", "c": "#CC79A7", "d": "#E69F00"}
SYMBOL = {"a": "circle", "b": "square", "c": "diamond", "d": "star"}  # a lineage is told by its form too
Part = dict[str, object]  # of a figure, in Plotly's own words: a trace, an axis, a layout
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


LADDER_FLOOR = 0.989  # what lies below, one figure of 97.9%, is drawn on it with its number: it would drown the rest
LADDER_TOP = 0.9968
SMALL = (1_600, 11_900)  # parameters on the linear panel
LARGE = (2.4e5, 1.4e7)
APART = 120  # parameters: nearer marks would hide each other
PIXELS_A_PARAMETER = 0.085  # on a window 1280 pixels wide: where words would run into each other is judged there
PIXELS_A_POINT = 440.0  # in a percentage point of accuracy


def ladder(points: Sequence[LadderPoint], ink: str, height: int = 440) -> go.Figure:
    """Parameters against test accuracy: claims hollow, ours filled with their deviation, the challenge, the front.

    Two panels share the accuracy: the small networks on a linear axis, where the challenge is decided, and the large
    ones, which would squeeze them into a tenth of the width. `ink` is the colour of the steps' names. The same points
    give the same figure, drawn once for everybody: show it, and leave it as it is.
    """
    return _drawn_ladder(tuple(points), ink, height)


@lru_cache(maxsize=8)  # a tenth of a second each; the ladder and a lesson show it, in the inks of two themes
def _drawn_ladder(points: tuple[LadderPoint, ...], ink: str, height: int) -> go.Figure:
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=[0.84, 0.16], horizontal_spacing=0.025)
    places = _side_by_side(points)
    _front_line(figure, points, places)
    for column in (1, 2):
        within = [point for point in points if (point.parameters > SMALL[1]) == (column == 2)]
        _claims(figure, within, places, column)
        _means(figure, within, places, column)
    words = [_challenge_words(), *_words(points, places, ink)]
    figure.update_layout(shapes=_shapes(points, places), annotations=words)  # at once: one by one takes 0.1 s
    figure.update_xaxes(title="parameters", range=SMALL, tickformat=",", dtick=1_000, row=1, col=1)
    figure.update_xaxes(
        type="log", range=[np.log10(each) for each in LARGE], tickvals=[5e5, 6e6], ticktext=["500,000", "6 M"],
        row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(range=[100 * LADDER_FLOOR - 0.05, 100 * LADDER_TOP], tickformat=".1f", dtick=0.1)
    figure.update_yaxes(title="test accuracy, %", row=1, col=1)
    figure.update_xaxes(tickfont_size=14, title_font_size=15).update_yaxes(tickfont_size=14, title_font_size=15)
    return laid_out(figure, height).update_layout(legend_font_size=14)


def _shapes(points: Sequence[LadderPoint], places: dict[str, float]) -> list[dict[str, object]]:
    """The challenge's corner, and a dotted line from each claim to its mean."""
    corner: dict[str, object] = {
        "type": "rect", "xref": "x", "yref": "y", "x0": SMALL[0], "x1": MAX_PARAMETERS, "y0": 100 * TARGET_ACCURACY,
        "y1": 100 * LADDER_TOP, "fillcolor": PASS, "opacity": 0.12, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    lines: list[dict[str, object]] = [
        {
            "type": "line", "layer": "below", "line": {"color": CLAIM, "width": 1, "dash": "dot"}, **_panel(point),
            "x0": places[point.slug], "x1": places[point.slug],
            "y0": _shown(point.measured.mean), "y1": _shown(point.claimed),
        }
        for point in points
        if point.measured is not None and point.claimed is not None
    ]  # fmt: skip
    return [corner, *lines]


def _challenge_words() -> dict[str, object]:
    return {
        "xref": "x", "yref": "y", "x": SMALL[0] + 60, "y": 100 * LADDER_TOP, "showarrow": False, "align": "left",
        "text": f"the challenge: at least {TARGET_ACCURACY:.1%}<br>in at most {MAX_PARAMETERS:,} parameters",
        "xanchor": "left", "yanchor": "top", "font": {"color": PASS, "size": 14},
    }  # fmt: skip


def _panel(point: LadderPoint) -> dict[str, object]:
    """The axes of the panel that the point stands on."""
    return {"xref": "x2", "yref": "y2"} if point.parameters > SMALL[1] else {"xref": "x", "yref": "y"}


def front(points: Sequence[LadderPoint]) -> list[LadderPoint]:
    """The measured steps whose mean no smaller or equally large one reaches, by rising parameters."""
    done = [(point, point.measured.mean) for point in points if point.measured is not None]
    return [done[index][0] for index in pareto_front([(point.parameters, mean) for point, mean in done])]


def _shown(accuracy: float) -> float:
    return 100 * max(accuracy, LADDER_FLOOR)


def _side_by_side(points: Sequence[LadderPoint]) -> dict[str, float]:
    """Where each mark stands on its axis, by slug: at its parameters, or as little beside them as keeps marks apart.

    Of all places at least APART from each other, in the same order, those with the least squared shift: the pool of
    adjacent violators (Ayer et al. 1955, doi:10.1214/aoms/1177728423). None crosses the challenge's border.
    """
    places = {point.slug: float(point.parameters) for point in points}
    crowd = [point for point in points if point.parameters <= SMALL[1] and not _is_low(point)]
    for least, most in ((0, MAX_PARAMETERS), (MAX_PARAMETERS + 1, SMALL[1])):
        part = sorted((p for p in crowd if least <= p.parameters <= most), key=lambda p: (p.parameters, p.label))
        pools: list[list[float]] = []
        for rank, point in enumerate(part):
            pools.append([point.parameters - APART * rank])
            while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
                last = pools.pop()
                pools[-1] += last
        shifted = np.clip([np.mean(pool) for pool in pools for _ in pool], least, most - APART * (len(part) - 1))
        for rank, (point, place) in enumerate(zip(part, shifted, strict=True)):
            places[point.slug] = float(place) + APART * rank
    return places


def _is_low(point: LadderPoint) -> bool:
    """Whether all that there is to draw of it lies below the picture."""
    figures = [point.claimed, point.measured.mean if point.measured else None]
    return all(each is None or each < LADDER_FLOOR for each in figures)


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


def _best_means(points: Sequence[LadderPoint], places: dict[str, float]) -> list[list[tuple[float, float]]]:
    """The best mean that so many parameters buy: a stair on each panel."""
    corners = [(places[point.slug], point.measured.mean) for point in front(points) if point.measured]
    return stairs(corners, SMALL, LARGE)


def _front_line(figure: go.Figure, points: Sequence[LadderPoint], places: dict[str, float]) -> None:
    panels = _best_means(points, places)
    for column, stair in enumerate(panels, 1):
        if stair:
            figure.add_scatter(
                x=[x for x, _ in stair], y=[_shown(mean) for _, mean in stair], mode="lines", legendgroup="front",
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


def _claims(figure: go.Figure, points: Sequence[LadderPoint], places: dict[str, float], column: int) -> None:
    claimed = [(point, point.claimed) for point in points if point.claimed is not None]
    figure.add_scatter(
        x=[places[point.slug] for point, _ in claimed],
        y=[_shown(accuracy) for _, accuracy in claimed],
        mode="markers",
        name="claimed: best epoch of one run",
        legendgroup="claimed",
        legendrank=1000,
        showlegend=column == 1,
        customdata=[_told(point) for point, _ in claimed],
        hovertemplate=HOVER,
        marker={
            "size": 15,
            "symbol": [f"{_symbol(point, accuracy)}-open" for point, accuracy in claimed],
            "color": CLAIM,
            "line": {"width": 2},
        },
        row=1,
        col=column,
    )


def _means(figure: go.Figure, points: Sequence[LadderPoint], places: dict[str, float], column: int) -> None:
    """A trace for each lineage: error bars of a trace have one colour."""
    for key in sorted({point.lineage for point in points if point.measured}):
        done = [(point, point.measured) for point in points if point.measured and point.lineage == key]
        colour = LINEAGE.get(key, CLAIM)
        bars = [100 * m.sd if m.sd is not None and m.mean >= LADDER_FLOOR else None for _, m in done]
        figure.add_scatter(
            x=[places[point.slug] for point, _ in done],
            y=[_shown(measured.mean) for _, measured in done],
            error_y={"type": "data", "array": bars, "color": colour, "thickness": 2, "width": 4},
            mode="markers",
            name="ours: mean of the last epochs ± deviation",
            legendgroup="ours",
            legendrank=2000,
            showlegend=not any(trace.legendgroup == "ours" for trace in figure.data),
            customdata=[_told(point) for point, _ in done],
            hovertemplate=HOVER,
            marker={"size": 10, "symbol": [_symbol(point, measured.mean) for point, measured in done], "color": colour},
            row=1,
            col=column,
        )


def _symbol(point: LadderPoint, accuracy: float) -> str:
    return "triangle-down" if accuracy < LADDER_FLOOR else SYMBOL.get(point.lineage, "circle")


def _words(points: Sequence[LadderPoint], places: dict[str, float], ink: str) -> list[dict[str, object]]:
    """Each step's short name beside its mark, on the side where it runs into the fewest others."""
    named: list[tuple[LadderPoint, str, float, float]] = []
    for point in sorted(points, key=lambda each: places[each.slug]):
        accuracy = point.claimed if point.claimed is not None else point.measured.mean if point.measured else None
        if accuracy is not None:
            text = f"{point.label} ↓ {accuracy:.1%}" if accuracy < LADDER_FLOOR else point.label
            named.append((point, text, *_pixels(places[point.slug], accuracy)))
    boxes = least_shared([(x, y, 9.0 * len(text)) for _, text, x, y in named], _taken(points, places), height=16.0)
    return [
        {
            **_panel(point), "x": np.log10(point.parameters) if point.parameters > SMALL[1] else places[point.slug],
            "y": y / PIXELS_A_POINT, "text": text, "showarrow": False, "font": {"size": 15, "color": ink},
            **shifts(x, y, box),
        }
        for (point, text, x, y), box in zip(named, boxes, strict=True)
    ]  # fmt: skip


def _taken(points: Sequence[LadderPoint], places: dict[str, float]) -> list[Box]:
    """Where no word may stand: on the challenge's words, below the picture, on marks, error bars or the front."""
    left, top = _pixels(SMALL[0], LADDER_TOP)
    _, floor = _pixels(SMALL[0], LADDER_FLOOR)
    taken = [(left, left + 240, top - 44, top + 100), (left, left + 5_000, floor - 100, floor - 12)]
    for stair in _best_means(points, places):
        for (x0, y0), (x1, y1) in pairwise(_pixels(*corner) for corner in stair):
            taken += [(x0, x1, y0 - 3, y0 + 3), (x1 - 3, x1 + 3, y0, y1)]
    for point in points:
        if point.claimed is not None:
            x, y = _pixels(places[point.slug], point.claimed)
            taken.append((x - 8, x + 8, y - 8, y + 8))
        if point.measured:
            x, y = _pixels(places[point.slug], point.measured.mean)
            reach = max(6.0, 100 * (point.measured.sd or 0) * PIXELS_A_POINT)
            taken.append((x - 6, x + 6, y - reach, y + reach))
    return taken


def _pixels(parameters: float, accuracy: float) -> tuple[float, float]:
    """About where a mark stands on the screen, y upwards; the large ones far to the right of the small ones."""
    large = parameters > SMALL[1]
    x = 3_000 + 90 * float(np.log10(parameters)) if large else parameters * PIXELS_A_PARAMETER
    return x, _shown(accuracy) * PIXELS_A_POINT


def field_on_digit(digit: Pixels, field: ReceptiveField, unit: int, map_size: int, height: int = 330) -> go.Figure:
    """The square that one unit of a map sees, on a real digit (28, 28), and its right neighbour's, dashed."""
    size = digit.shape[0]
    first, last = extent(field, unit)
    margin = max(1.5, min(10.0, max(-first, last - (size - 1)) + 1))
    figure = go.Figure(
        go.Heatmap(
            z=digit, colorscale="gray", showscale=False, zmin=0, zmax=255,
            hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    neighbour = unit + 1 if unit + 1 < map_size else unit - 1
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
    """Loss against epochs: each batch faint, each epoch's train, validation and test.

    Over a wide range the axis has 1, 2 and 5 of each decade: all nine would lie on one another.
    """
    values = _shortened(row.loss for row in batches)
    each_batch: Part = {
        "type": "scatter",
        "x": [round((row.iteration + 1) / per_epoch, 4) for row in batches],
        "y": values,
        "mode": "lines",
        "name": "each batch",
        "line": {"color": "rgba(0,114,178,0.35)", "width": 1},
        "hovertemplate": "epoch %{x:.2f}: %{y:.4f}<extra>batch</extra>",
    }
    losses = [(record.train_loss, record.validation_loss, record.test_loss) for record in epochs]
    drawn = [each for each in (*values, *(loss for row in losses for loss in row)) if each]
    wide = bool(drawn) and max(drawn) > 5 * min(drawn)
    done = (batches[-1].iteration + 1) / per_epoch if batches else 0
    shown = [0, 1.02 * min(planned, max(1, int(done) + 1))]  # grows
    return at_once(
        [*([each_batch] if batches else []), *_epoch_lines(epochs, losses, "%{y:.4f}")],
        {
            "xaxis": _axis("epochs", range=shown),
            "yaxis": _axis("loss", type="log", **({"dtick": "D2"} if wide else {})),
        },
        height,
    )


def accuracy_curves(
    epochs: Sequence[EpochRecord],
    planned: int,
    target: float,
    claimed: Sequence[float] = (),
    height: int = 320,
) -> Plain:
    """Accuracy against epochs, with the target, where it was first reached and from where it was held."""
    percent = [
        (100 * r.train_accuracy, r.validation_accuracy and 100 * r.validation_accuracy, 100 * r.test_accuracy)
        for r in epochs
    ]
    # From the second epoch on, the test's least sets the floor: a first epoch at 90% would drown the rest.
    lows = [record.test_accuracy for record in (epochs[1:] or epochs)] + list(claimed[2:planned])
    if len(epochs) == 1:
        lows.append(epochs[0].train_accuracy)
    floor = min([0.985, *lows])
    line, words = _target_line(target, yanchor="top")
    return at_once(
        [*_claimed_line(claimed, "write-up, test"), *_epoch_lines(epochs, percent, "%{y:.2f}%")],
        {
            "shapes": [line],
            "annotations": [words, *_target_marks(epochs, target)],
            "xaxis": _axis("epochs", range=[0, max(1, planned) + 0.2]),
            "yaxis": _axis("accuracy, %", range=[100 * floor - max(0.2, 5 * (1 - floor)), 100.02]),
        },
        height,
    )


def study_curves(
    runs: Sequence[SeedRun], claimed: Sequence[float] = (), target: float = TARGET_ACCURACY, height: int = 280
) -> go.Figure:
    """Test accuracy against epochs: the runs' mean, the band from the least run to the best, the write-up's log."""
    histories = [[100 * record.test_accuracy for record in run.history] for run in runs]
    lows, highs = ([chosen(epoch) for epoch in zip(*histories, strict=True)] for chosen in (min, max))
    epochs = list(range(1, len(lows) + 1))
    traces = _claimed_line(claimed, "write-up's log")
    if len(runs) > 1:
        traces += [
            {
                "type": "scatter", "x": epochs, "y": bound, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip",
                "showlegend": shown, "name": f"least to best of {len(runs)} seeds", "legendrank": 2000,
                "fill": "tonexty" if shown else None, "fillcolor": "rgba(213,94,0,0.25)",
            }
            for bound, shown in ((lows, False), (highs, True))
        ]  # fmt: skip
    if runs:
        name = f"mean of {len(runs)} seeds" if len(runs) > 1 else "one run here"
        mean: Part = {
            "type": "scatter", "x": epochs, "y": [100 * mean for mean in epoch_means(runs)], "mode": "lines",
            "name": name, "legendrank": 1500, "line": {"color": TEST, "width": 2.5 if len(runs) > 1 else 1.5},
            "customdata": list(zip(lows, highs, strict=True)),
            "hovertemplate": "after %{x} epochs: %{y:.2f}%"
            + (", from %{customdata[0]:.2f}% to %{customdata[1]:.2f}%" if len(runs) > 1 else "")
            + f"<extra>{name}</extra>",
        }  # fmt: skip
        traces.append(mean)
    line, words = _target_line(target, yanchor="bottom", size=14)
    # From the third epoch on the least sets the floor: the first ones would drown the rest.
    told = [100 * each for each in claimed]
    floor, top = min([*lows[2:], *told[2:], 99.0]), max([*highs, *told, 100 * target])
    return go.Figure(
        at_once(
            traces,
            {
                "shapes": [line],
                "annotations": [words],
                "xaxis": _axis("epochs", range=[0.8, max(len(lows), len(told), 1) + 0.2], dtick=1),
                "yaxis": _axis("test accuracy, %", range=[floor - 0.05, min(100.02, top + 0.1)]),
            },
            height,
        )
    )


def _axis(title: str, **more: object) -> Part:
    return {"title": {"text": title}, **more}


def _shortened(values: Iterable[float]) -> list[float]:
    """To five significant digits: a curve shows no more, and a message is shorter by half."""
    return [float(f"{value:.5g}") for value in values]


def _claimed_line(claimed: Sequence[float], name: str) -> list[Part]:
    """The write-up's log, where there is one."""
    if not claimed:
        return []
    return [
        {
            "type": "scatter", "x": np.arange(1, len(claimed) + 1), "y": [100 * each for each in claimed],
            "mode": "lines", "name": name, "line": {"color": CLAIM, "dash": "dot", "width": 2},
            "hovertemplate": f"%{{y:.2f}}%<extra>{name}</extra>",
        }
    ]  # fmt: skip


def _target_line(target: float, yanchor: str, size: int | None = None) -> tuple[Part, Part]:
    """The target: a line across the plot, and its words above or below that."""
    line: Part = {
        "type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": 100 * target, "y1": 100 * target,
        "line": {"color": PASS, "width": 1, "dash": "dash"},
    }  # fmt: skip
    words: Part = {
        "x": 0, "xref": "paper", "y": 100 * target, "text": f"target {target:.1%}", "showarrow": False,
        "xanchor": "left", "yanchor": yanchor, "font": {"color": PASS, "size": size},
    }  # fmt: skip
    return line, words


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
                "x": epochs[index].epoch + 1, "y": 100 * accuracies[index],
                "text": f"{text} epoch {epochs[index].epoch + 1}", "ay": 40 + 26 * row, "ax": 0,
                "xanchor": "right" if late else "center", "arrowcolor": PASS, "font": {"color": PASS},
                "arrowwidth": 1.5,
            }
        )  # fmt: skip
    return found


def _epoch_lines(
    epochs: Sequence[EpochRecord], values: Sequence[tuple[float, float | None, float]], shown: str
) -> list[Part]:
    """Lines for train, validation and test; no line for a validation that was not held out."""
    names = (("train", TRAIN, "circle"), ("validation", VALIDATION, "diamond"), ("test", TEST, "square"))
    return [
        {
            "type": "scatter",
            "x": [record.epoch + 1 for record in epochs],
            "y": [row[number] for row in values],
            "mode": "lines+markers",
            "name": name,
            "line": {"color": colour, "width": 2.5},
            "marker": {"symbol": symbol, "size": 7},
            "hovertemplate": f"after %{{x}} epochs: {shown}<extra>{name}</extra>",
        }
        for number, (name, colour, symbol) in enumerate(names)
        if epochs and values[0][number] is not None
    ]


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
