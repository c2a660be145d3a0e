"""The curves of several runs in one figure: a colour for each run, its letter at the right, smoothing on request."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, zip_longest
from statistics import fmean
from zlib import crc32

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.challenge import CHALLENGE
from core.training.history import EpochRecord
from lab.studies.entries import Entry
from lab.ui.axes import CLOSE, WHOLE, Part, accuracy_at, accuracy_axis, decades, epoch_step, epochs_axis, zoom
from lab.ui.colours import PASS, faded
from lab.ui.curves import target_line, target_words
from lab.ui.figures import laid_out
from lab.ui.words import plotted

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito's, less black and yellow
DASHES = ("solid", "dash", "dot", "dashdot")
STROKES = {"solid": "━━━", "dash": "━ ━", "dot": "· · ·", "dashdot": "━ ·"}  # the dashes in a table's words
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LABEL_PIXELS = 17.0  # between two lines' ends, so that their words do not touch
DOTTED = 40  # values of a line, up to which each has its dot: without one, a value between two gaps is not seen


@dataclass(frozen=True)
class Look:
    """How a run's line is drawn, on every page that compares."""

    colour: str
    dash: str

    @property
    def stroke(self) -> str:
        return STROKES[self.dash]


def looks(keys: Sequence[str]) -> dict[str, Look]:
    """A look for each key: the colour that follows from its name, or the next free one where an earlier key has it.

    So a run keeps its colour from view to view. Past the last colour the dashes change.
    """
    found: dict[str, Look] = {}
    for key in dict.fromkeys(keys):
        home = crc32(key.encode()) % len(PALETTE)
        order = [Look(colour, dash) for dash in DASHES for colour in islice(cycle(PALETTE), home, home + len(PALETTE))]
        taken = set(found.values())
        found[key] = next((look for look in order if look not in taken), order[0])
    return found


@dataclass(frozen=True)
class Shown:
    """An entry with its letter and its look on this page."""

    letter: str
    entry: Entry
    look: Look

    @property
    def mark(self) -> str:
        """Letter and name, for a menu or a sentence."""
        return f"{self.letter} · {self.entry.name}"


def lettered(entries: Sequence[Entry]) -> list[Shown]:
    """Letters in the order given, and a look for each."""
    styles = looks([entry.key for entry in entries])
    return [Shown(letter, entry, styles[entry.key]) for letter, entry in zip(LETTERS, entries, strict=False)]


@dataclass(frozen=True)
class Quantity:
    """A figure of an epoch that can be drawn against the epochs."""

    value: Callable[[EpochRecord], float | None]
    unit: str  # of the axis and the hover
    shown: str  # the hover's format
    log: bool = False
    has_target: bool = False  # the challenge asks for so much of it

    @property
    def accuracy(self) -> bool:
        return self.unit.endswith("%")


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


EACH_BATCH = "loss of each batch"
QUANTITIES: dict[str, Quantity] = {
    "test accuracy": Quantity(lambda record: 100 * record.test_accuracy, "test accuracy, %", ".2f", has_target=True),
    "train accuracy": Quantity(lambda record: 100 * record.train_accuracy, "train accuracy, running, %", ".2f"),
    "validation accuracy": Quantity(
        lambda record: _percent(record.validation_accuracy), "validation accuracy, %", ".2f"
    ),
    "test loss": Quantity(lambda record: record.test_loss, "test loss", ".4f", log=True),
    "train loss": Quantity(lambda record: record.train_loss, "train loss, running", ".4f", log=True),
    EACH_BATCH: Quantity(lambda record: None, "loss of each batch", ".4f", log=True),
    "learning rate": Quantity(lambda record: record.learning_rate, "learning rate", ".4g"),
}


@dataclass(frozen=True)
class Line:
    """One run, or the runs of one group, as they are drawn."""

    letter: str
    name: str
    look: Look
    x: tuple[float, ...]  # in epochs
    runs: tuple[tuple[float | None, ...], ...]  # a tuple of values for each seed, as long as it got

    @property
    def mean(self) -> list[float | None]:
        """Over the seeds that have a value there; None where none has."""
        return [
            fmean(there) if (there := [value for value in values if value is not None]) else None
            for values in zip_longest(*self.runs)
        ]

    @property
    def band(self) -> tuple[list[float | None], list[float | None]]:
        """The least and the greatest value over the seeds."""
        rows = [[value for value in values if value is not None] for values in zip_longest(*self.runs)]
        return [min(row, default=None) for row in rows], [max(row, default=None) for row in rows]


def line(letter: str, name: str, look: Look, histories: Sequence[Sequence[EpochRecord]], quantity: Quantity) -> Line:
    """The line of some runs' epochs; what is not a finite number is a gap."""
    runs = tuple(tuple(finite(quantity.value(record)) for record in history) for history in histories)
    longest = max((len(run) for run in runs), default=0)
    return Line(letter, name, look, tuple(float(epoch + 1) for epoch in range(longest)), runs)


def finite(value: float | None) -> float | None:
    """The value, or None for one that is not a finite number."""
    return value if value is not None and math.isfinite(value) else None


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """The moving average in which the past has `weight` and the value itself the rest, without the bias of the start.

    The bias is divided out as Kingma & Ba 2015 do (arXiv:1412.6980). A gap stays a gap and does not count.
    """
    given = pd.Series(values, dtype=float)
    average = given.ewm(alpha=1 - weight, ignore_na=True).mean()
    return [None if missing else value for missing, value in zip(given.isna(), average, strict=True)]


def curves(
    lines: Sequence[Line],
    quantity: Quantity,
    weight: float,
    planned: int,
    height: int = 380,
    most: float = 0.0,
    target: float = CHALLENGE.accuracy,
) -> go.Figure:
    """The lines over each other: means with the band of their seeds; smoothed ones strong, with the raw line pale.

    The axes show all that there is from the first epoch to the last planned one. `most`: of a linear axis, the
    greatest value that may come.
    """
    figure = go.Figure()
    scale = _scale(lines, quantity, most)
    for each in lines:
        _band(figure, each, scale)
        if weight:
            _stroke(figure, each, each.mean, quantity, scale, pale=True)
        _stroke(figure, each, smoothed(each.mean, weight) if weight else each.mean, quantity, scale, pale=False)
    first = min((each.x[0] for each in lines if each.x), default=1.0)  # a batch's line begins before the first epoch
    last = max([float(planned), *(each.x[-1] for each in lines if each.x)])
    figure.update_xaxes(epochs_axis(planned), range=[min(0.8, first), 1.07 * last + 0.2], dtick=epoch_step(last))
    figure.update_yaxes(scale.axis)
    words = [target_words(target)] if quantity.has_target else []
    by_view = [[*words, *_ends(lines, quantity, weight, scale, view, height)] for view in scale.views]
    figure.update_layout(annotations=by_view[0], shapes=[target_line(target)] if quantity.has_target else [])
    if quantity.accuracy:
        figure.update_layout(zoom(height - 60.0, annotations=by_view))
    return laid_out(figure, height).update_layout(showlegend=False, margin={"t": 12, "r": 48})


@dataclass(frozen=True)
class Scale:
    """How a quantity's values are drawn."""

    axis: Part
    at: Callable[[float], float]  # what is drawn for a value
    place: Callable[[float], float]  # where that stands, in the unit of the axis' range
    views: tuple[tuple[float, float], ...]  # the ranges of the axis; the first shows everything


def _scale(lines: Sequence[Line], quantity: Quantity, most: float) -> Scale:
    shown = [value for each in lines for run in each.runs for value in run if value is not None]
    if quantity.accuracy:
        title = f"{quantity.unit} (stretched)"
        return Scale(accuracy_axis(title, 320.0), accuracy_at, accuracy_at, (WHOLE.range, CLOSE.range))
    if quantity.log:
        loss = decades(shown)
        return Scale(loss.axis(quantity.unit, 320.0), loss.at, lambda value: math.log10(loss.at(value)), (loss.range,))
    top = 1.06 * (max([most, *shown]) or 1.0)
    axis: Part = {"title": {"text": quantity.unit}, "range": [-0.02 * top, top]}
    return Scale(axis, float, float, ((-0.02 * top, top),))


def _band(figure: go.Figure, each: Line, scale: Scale) -> None:
    """From the least seed to the best; of a single epoch it is a bar."""
    if len(each.runs) < 2:
        return
    low, high = ([None if value is None else scale.at(value) for value in bound] for bound in each.band)
    if len(each.x) == 1:
        figure.add_scatter(
            x=[each.x[0]] * 2, y=[low[0], high[0]], mode="lines", hoverinfo="skip",
            line={"width": 10, "color": faded(each.look.colour, 0.3)},
        )  # fmt: skip
        return
    for bound, fill in ((low, None), (high, "tonexty")):
        figure.add_scatter(
            x=each.x, y=bound, mode="lines", line={"width": 0}, hoverinfo="skip", fill=fill,
            fillcolor=faded(each.look.colour, 0.18),
        )  # fmt: skip


def _stroke(
    figure: go.Figure, each: Line, values: Sequence[float | None], quantity: Quantity, scale: Scale, pale: bool
) -> None:
    many = f", mean of {len(each.runs)} seeds" if len(each.runs) > 1 else ""
    figure.add_scatter(
        x=np.array(each.x, np.float32),
        y=np.array([None if value is None else scale.at(value) for value in values], np.float32),
        customdata=np.array(values, np.float32),
        mode="lines+markers" if len(values) <= DOTTED else "lines",
        name=f"{each.letter} raw" if pale else each.letter,
        opacity=0.3 if pale else 1.0,
        line={"color": each.look.colour, "dash": each.look.dash, "width": 1.5 if pale else 3},
        marker={"color": each.look.colour, "size": 9 if len(values) == 1 else 6},
        hovertemplate=f"<b>{each.letter}</b> {plotted(each.name)}{many}<br>epoch %{{x:.4~g}}: "
        f"%{{customdata:{quantity.shown}}}<extra>{'raw' if pale else ''}</extra>",
    )


def _ends(
    lines: Sequence[Line],
    quantity: Quantity,
    weight: float,
    scale: Scale,
    bounds: tuple[float, float],
    height: int,
) -> list[Part]:
    """Each line's letter and last figure at the right, at the height of its end, moved apart where they would touch."""
    ends: list[tuple[float, float, float, Line]] = []
    for each in lines:
        values = smoothed(each.mean, weight) if weight else each.mean
        there = [(x, value) for x, value in zip(each.x, values, strict=True) if value is not None]
        if there:
            x, value = there[-1]
            ends.append((scale.place(value), value, x, each))
    ends.sort(key=lambda end: end[0])
    beyond = max((x for _, _, x, _ in ends), default=0.0)  # beside a shorter line's end others may pass
    gap = (bounds[1] - bounds[0]) * LABEL_PIXELS / (height - 60)
    half = gap / 2
    inside = (bounds[0] + half, bounds[1] - half)
    places = apart([min(max(end[0], inside[0]), inside[1]) for end in ends], gap, inside)
    return [
        {
            "x": beyond, "y": place, "text": f"<b>{each.letter}</b> {value:{quantity.shown}}"
            + (" ↓" if there < bounds[0] else ""),
            "showarrow": False, "xanchor": "left", "xshift": 6, "font": {"color": each.look.colour, "size": 14},
        }
        for (there, value, _, each), place in zip(ends, places, strict=True)
    ]  # fmt: skip


def apart(places: Sequence[float], gap: float, bounds: tuple[float, float]) -> list[float]:
    """Rising places at least `gap` from each other, each as near as may be to where it was, within the bounds."""
    pools: list[list[float]] = []  # of neighbours that touch: each one's place less its rank times the gap
    for rank, place in enumerate(places):
        pools.append([place - gap * rank])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    bases = [fmean(pool) for pool in pools for _ in pool]
    top = bounds[1] - gap * (len(bases) - 1)
    return [min(max(base, bounds[0]), max(top, bounds[0])) + gap * rank for rank, base in enumerate(bases)]


def seeds(rows: Sequence[Shown], target: float = CHALLENGE.accuracy) -> go.Figure:
    """A row for each entry: a dot for each seed's last epoch, a stroke at their mean. A test measures the overlap."""
    figure = go.Figure()
    for place, each in enumerate(rows):
        accuracies = [100 * run.last for run in each.entry.ended]
        figure.add_scatter(
            x=accuracies, y=[place] * len(accuracies), mode="markers", name=each.letter,
            marker={"color": each.look.colour, "size": 11, "opacity": 0.65},
            customdata=[run.seed for run in each.entry.ended],
            hovertemplate=f"<b>{each.letter}</b> {plotted(each.entry.name)}<br>seed %{{customdata}}: %{{x:.2f}}%"
            "<extra></extra>",
        )  # fmt: skip
        if len(accuracies) > 1:
            mean = fmean(accuracies)
            figure.add_shape(
                type="line", x0=mean, x1=mean, y0=place - 0.36, y1=place + 0.36,
                line={"color": each.look.colour, "width": 3},
            )  # fmt: skip
    figure.add_vline(x=100 * target, line={"color": PASS, "width": 1, "dash": "dash"})
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[f"<b>{each.letter}</b>" for each in rows], showgrid=False,
        range=[len(rows) - 0.5, -0.5], zeroline=False,
    )  # fmt: skip
    figure.update_xaxes(title="test accuracy after the last epoch, %; a dot a seed, the stroke their mean")
    margin = {"l": 34, "r": 16, "t": 6, "b": 46}
    return laid_out(figure, 62 + 38 * len(rows)).update_layout(showlegend=False, margin=margin)
