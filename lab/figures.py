"""Data in, Plotly figure out. Colours from Okabe and Ito, the same for the same thing on every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from core.challenge import MAX_PARAMETERS, TARGET_ACCURACY, first_reached, held_from
from core.history import EpochRecord
from core.mnist import Pixels
from core.receptive_field import ReceptiveField, extent
from core.recipe import Recipe, ReduceLROnPlateau, rate_at
from lab.runs import BatchRow

TRAIN, VALIDATION, TEST, PASS = "#0072B2", "#E69F00", "#D55E00", "#009E73"
CLAIM = "#8A929B"  # grey, readable on white and on black
LINEAGE = {"a": "#0072B2", "b": "#D55E00", "c": "#CC79A7", "own": "#009E73"}


@dataclass(frozen=True)
class LadderPoint:
    """One mark on the picture of the ladder."""

    slug: str
    label: str  # such as A2
    title: str
    lineage: str
    parameters: int
    claimed: float  # accuracies as fractions
    measured: float | None


LADDER_FLOOR = 0.989  # what lies below, one figure of 97.9%, is drawn on it with its number: it would drown the rest
LADDER_TOP = 0.9968


def ladder(points: Sequence[LadderPoint], height: int = 430) -> go.Figure:
    """Parameters against test accuracy: claims hollow, ours filled, and the challenge's corner.

    Two panels share the accuracy: the small networks on a linear axis, where the challenge is decided, and the large
    ones, which would squeeze them into a tenth of the width.
    """
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=[0.8, 0.2], horizontal_spacing=0.02)
    figure.add_shape(
        type="rect", x0=4_500, x1=MAX_PARAMETERS, y0=100 * TARGET_ACCURACY, y1=100 * LADDER_TOP,
        fillcolor=PASS, opacity=0.12, line_width=0, layer="below", row=1, col=1,
    )  # fmt: skip
    figure.add_annotation(
        x=4_560, y=100 * LADDER_TOP, text="the challenge: at most 8,000 parameters, at least 99.4%", showarrow=False,
        xanchor="left", yanchor="top", font={"color": PASS, "size": 14}, row=1, col=1,
    )  # fmt: skip
    for column in (1, 2):
        within = [point for point in points if (point.parameters > 20_000) == (column == 2)]
        for point in within:
            if point.measured is not None:
                figure.add_shape(
                    type="line", x0=point.parameters, x1=point.parameters, line={"color": CLAIM, "width": 1},
                    y0=_shown(point.measured), y1=_shown(point.claimed), layer="below", row=1, col=column,
                )  # fmt: skip
        _marks(figure, within, [point.claimed for point in within], column, hollow=True)
        done = [point for point in within if point.measured is not None]
        _marks(figure, done, [point.measured or 0.0 for point in done], column, hollow=False)
    figure.update_xaxes(title="parameters", range=[4_500, 11_600], tickformat=",", dtick=1_000, row=1, col=1)
    figure.update_xaxes(
        type="log", range=[np.log10(2.4e5), np.log10(1.4e7)], tickvals=[5e5, 6e6], ticktext=["500,000", "6 M"],
        row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(range=[100 * LADDER_FLOOR - 0.05, 100 * LADDER_TOP], tickformat=".1f", dtick=0.1)
    figure.update_yaxes(title="test accuracy, %", row=1, col=1)
    return _laid_out(figure, height)


def _shown(accuracy: float) -> float:
    return 100 * max(accuracy, LADDER_FLOOR)


def _marks(
    figure: go.Figure, points: Sequence[LadderPoint], accuracies: list[float], column: int, hollow: bool
) -> None:
    name = "claimed: best epoch of one run" if hollow else "measured here: last epoch"
    low = [accuracy < LADDER_FLOOR for accuracy in accuracies]
    below = [f" ↓ {a:.1%}" if is_low else "" for a, is_low in zip(accuracies, low, strict=True)]
    figure.add_scatter(
        x=[point.parameters for point in points],
        y=[_shown(accuracy) for accuracy in accuracies],
        mode="markers+text",
        text=[f"{point.label}{note}" if hollow else "" for point, note in zip(points, below, strict=True)],
        textposition=[_beside(point, points) for point in points] if hollow else "bottom center",
        textfont={"size": 14},
        name=name,
        legendgroup=name,
        showlegend=column == 1,
        customdata=[
            [point.slug, point.title, f"{point.parameters:,}", f"{accuracy:.2%}"]
            for point, accuracy in zip(points, accuracies, strict=True)
        ],
        hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]} parameters<br>%{customdata[3]} "
        f"{name}<extra></extra>",
        marker={
            "size": 13,
            "symbol": [("triangle-down" if is_low else "circle") + ("-open" if hollow else "") for is_low in low],
            "color": CLAIM if hollow else [LINEAGE.get(point.lineage, CLAIM) for point in points],
            "line": {"width": 2},
        },
        row=1,
        col=column,
    )


def _beside(point: LadderPoint, points: Sequence[LadderPoint]) -> str:
    """Where a mark's word stands: away from the neighbour that would run into it."""
    near = [
        other.parameters - point.parameters
        for other in points
        if other is not point
        and abs(other.parameters - point.parameters) < 320
        and abs(other.claimed - point.claimed) < 0.0004
    ]
    if not near:
        return "middle right"
    if all(distance >= 0 for distance in near):
        return "middle left"
    return "top center" if any(distance > 0 for distance in near) else "middle right"


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
    figure = _laid_out(figure, height)
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
) -> go.Figure:
    """Loss against epochs: each batch faint, each epoch's train, validation and test."""
    figure = go.Figure()
    if batches:
        figure.add_scatter(
            x=[(row.iteration + 1) / per_epoch for row in batches],
            y=np.array([row.loss for row in batches], np.float32),
            mode="lines",
            name="each batch",
            line={"color": "rgba(0,114,178,0.35)", "width": 1},
            hovertemplate="epoch %{x:.2f}: %{y:.4f}<extra>batch</extra>",
        )
    losses = [(record.train_loss, record.validation_loss, record.test_loss) for record in epochs]
    _epoch_lines(figure, epochs, losses, "%{y:.4f}")
    done = (batches[-1].iteration + 1) / per_epoch if batches else 0
    figure.update_xaxes(title="epochs", range=[0, 1.02 * min(planned, max(1, int(done) + 1))])  # grows
    figure.update_yaxes(title="loss", type="log")
    return _laid_out(figure, height)


def accuracy_curves(
    epochs: Sequence[EpochRecord],
    planned: int,
    target: float,
    claimed: Sequence[float] = (),
    height: int = 320,
) -> go.Figure:
    """Accuracy against epochs, with the target, where it was first reached and from where it was held."""
    figure = go.Figure()
    if claimed:
        figure.add_scatter(
            x=np.arange(1, len(claimed) + 1), y=[100 * each for each in claimed], mode="lines", name="write-up, test",
            line={"color": CLAIM, "dash": "dot", "width": 2}, hovertemplate="%{y:.2f}%<extra>write-up, test</extra>",
        )  # fmt: skip
    percent = [
        (100 * r.train_accuracy, r.validation_accuracy and 100 * r.validation_accuracy, 100 * r.test_accuracy)
        for r in epochs
    ]
    _epoch_lines(figure, epochs, percent, "%{y:.2f}%")
    figure.add_hline(y=100 * target, line={"color": PASS, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=0, xref="paper", y=100 * target, text=f"target {target:.1%}", showarrow=False, xanchor="left",
        yanchor="top", font={"color": PASS},
    )  # fmt: skip
    _target_marks(figure, epochs, target)
    # From the second epoch on, the test's least sets the floor: a first epoch at 90% would drown the rest.
    lows = [record.test_accuracy for record in (epochs[1:] or epochs)] + list(claimed[2:planned])
    if len(epochs) == 1:
        lows.append(epochs[0].train_accuracy)
    floor = min([0.985, *lows])
    figure.update_xaxes(title="epochs", range=[0, max(1, planned) + 0.2])
    figure.update_yaxes(title="accuracy, %", range=[100 * floor - max(0.2, 5 * (1 - floor)), 100.02])
    return _laid_out(figure, height)


def _target_marks(figure: go.Figure, epochs: Sequence[EpochRecord], target: float) -> None:
    accuracies = [record.test_accuracy for record in epochs]
    marks = (("first reached", first_reached(accuracies, target)), ("held from", held_from(accuracies, target)))
    for row, (text, index) in enumerate(marks):
        if index is None:
            continue
        late = index > 0.7 * max(1, len(epochs) - 1)  # there the words stand to the left, within the plot
        figure.add_annotation(
            x=epochs[index].epoch + 1, y=100 * accuracies[index], text=f"{text} epoch {epochs[index].epoch + 1}",
            ay=40 + 26 * row, ax=0, xanchor="right" if late else "center",
            arrowcolor=PASS, font={"color": PASS}, arrowwidth=1.5,
        )  # fmt: skip


def _epoch_lines(
    figure: go.Figure,
    epochs: Sequence[EpochRecord],
    values: Sequence[tuple[float, float | None, float]],
    shown: str,
) -> None:
    """Lines for train, validation and test; no line for a validation that was not held out."""
    names = (("train", TRAIN, "circle"), ("validation", VALIDATION, "diamond"), ("test", TEST, "square"))
    for number, (name, colour, symbol) in enumerate(names):
        if not epochs or values[0][number] is None:
            continue
        figure.add_scatter(
            x=[record.epoch + 1 for record in epochs],
            y=[row[number] for row in values],
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 2.5},
            marker={"symbol": symbol, "size": 7},
            hovertemplate=f"after %{{x}} epochs: {shown}<extra>{name}</extra>",
        )


def schedule(recipe: Recipe, batches: int, height: int = 260) -> go.Figure:
    """The learning rate over the run, as the loop will set it; a plateau's falls cannot be known before."""
    points = np.linspace(0, recipe.epochs * batches - 1, min(600, recipe.epochs * batches)).astype(int)
    rates = [rate_at(recipe, int(point), batches) for point in points]
    figure = go.Figure(
        go.Scatter(
            x=points / batches, y=np.array(rates), mode="lines", line={"color": TRAIN, "width": 2.5},
            hovertemplate="epoch %{x:.2f}: %{y:.4g}<extra></extra>",
        )
    )  # fmt: skip
    if isinstance(recipe.schedule, ReduceLROnPlateau):
        figure.add_annotation(
            text="falls by the factor whenever the loss has stopped improving", x=0.5, xref="paper", y=0.5,
            yref="paper", showarrow=False, font={"color": CLAIM},
        )  # fmt: skip
    figure.update_xaxes(title="epochs", range=[0, recipe.epochs])
    figure.update_yaxes(title="learning rate", rangemode="tozero")
    return _laid_out(figure, height).update_layout(showlegend=False)


def range_test(
    rates: Sequence[float], losses: Sequence[float], marks: dict[str, float], height: int = 320
) -> go.Figure:
    """Smoothed loss against learning rate, and the suggestions."""
    figure = go.Figure(
        go.Scatter(
            x=rates, y=np.array(losses, np.float32), mode="lines", line={"color": TRAIN, "width": 2.5}, name="loss",
            hovertemplate="rate %{x:.3g}: loss %{y:.3f}<extra></extra>",
        )
    )  # fmt: skip
    for (name, rate), colour in zip(marks.items(), (PASS, TEST, VALIDATION), strict=False):
        figure.add_vline(x=rate, line={"color": colour, "dash": "dash", "width": 2})
        figure.add_scatter(
            x=[None], y=[None], mode="lines", name=f"{name}: {rate:.3g}", line={"color": colour, "dash": "dash"}
        )
    figure.update_xaxes(type="log", title="learning rate", dtick=1, exponentformat="power")
    figure.update_yaxes(title="smoothed loss")
    return _laid_out(figure, height)


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
    return _laid_out(figure, height).update_layout(showlegend=False, margin={"t": 8}, modebar={"remove": ["toimage"]})


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
    return _laid_out(figure, height)


def _laid_out(figure: go.Figure, height: int) -> go.Figure:
    """Margins, legend above, transparent ground: what all figures share."""
    return figure.update_layout(
        height=height,
        showlegend=True,
        margin={"l": 60, "r": 16, "t": 34, "b": 46},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="keep",
    )
