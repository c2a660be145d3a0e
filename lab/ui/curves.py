"""Loss, accuracy and learning rate against epochs, in Plotly's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

import numpy as np
import plotly.graph_objects as go

from core.analysis.study import SeedRun, epoch_means
from core.challenge import CHALLENGE, first_reached, held_from
from core.training.history import EpochRecord
from core.training.recipe import Recipe, ReduceLROnPlateau, rate_at
from core.words import target_words as with_all_digits
from lab.runs.rows import BatchRow
from lab.ui.axes import Part, accuracy_at, accuracy_axis, decades, epochs_axis, zoom
from lab.ui.colours import CLAIM, PASS, TEST, TRAIN, VALIDATION
from lab.ui.figures import Plain, at_once


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
        places,
        [None if mean is None else round(accuracy_at(mean), 4) for mean in means],
        [None if mean is None else round(mean, 2) for mean in means],
        "train, so far",
        "epoch %{x:.2f}: %{customdata:.2f}%<extra>train, this epoch so far</extra>",
    )
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
    runs: Sequence[SeedRun], claimed: Sequence[float] = (), target: float = CHALLENGE.accuracy, height: int = 320
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
        "x": 0, "xref": "paper", "y": accuracy_at(100 * target), "text": f"target {with_all_digits(target)}",
        "showarrow": False, "xanchor": "left", "yanchor": "bottom", "font": {"color": PASS, "size": 14},
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


def _watched(recipe: Recipe) -> str:
    on_accuracy = isinstance(recipe.schedule, ReduceLROnPlateau) and recipe.schedule.mode == "max"
    return "accuracy" if on_accuracy else "loss"


def schedule(recipe: Recipe, batches: int, height: int = 260) -> Plain:
    """The learning rate over the run, as the loop will set it; a plateau's falls cannot be known before."""
    points = np.linspace(0, recipe.epochs * batches - 1, min(600, recipe.epochs * batches)).astype(int).tolist()
    line: Part = {
        "type": "scatter", "x": [round(point / batches, 4) for point in points],
        "y": _shortened(rate_at(recipe, point, batches) for point in points), "mode": "lines",
        "line": {"color": TRAIN, "width": 2.5}, "hovertemplate": "epoch %{x:.2f}: %{y:.4g}<extra></extra>",
    }  # fmt: skip
    words: Part = {
        "text": f"falls by the factor whenever the {_watched(recipe)} has stopped improving", "x": 0.5,
        "xref": "paper", "y": 0.5, "yref": "paper", "showarrow": False, "font": {"color": CLAIM},
    }  # fmt: skip
    return at_once(
        [line],
        {
            "showlegend": False,
            "annotations": [words] if isinstance(recipe.schedule, ReduceLROnPlateau) else [],
            "xaxis": {"title": {"text": "epochs"}, "range": [0, recipe.epochs]},
            "yaxis": {"title": {"text": "learning rate"}, "rangemode": "tozero"},
        },
        height,
    )
