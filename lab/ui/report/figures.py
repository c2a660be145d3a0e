"""Charts as SVG for a page without scripts: they print, they scale, and they open from a file. The template draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

from core.challenge import CHALLENGE
from core.words import significant
from lab.ui.axes import CLOSE, WHOLE, accuracy_at, decades, epoch_step, spelt
from lab.ui.comparison_figure import DOTTED, Line, Quantity, apart
from lab.ui.report.templates import templates

DASHES = {"solid": "", "dash": "9 5", "dot": "2 5", "dashdot": "9 4 2 4"}


@dataclass(frozen=True)
class Frame:
    """The edges of the plot within the picture, in pixels; two charts stand beside each other on the page."""

    width: int = 460
    height: int = 300
    left: int = 58
    right: int = 376
    top: int = 12
    bottom: int = 256

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


FRAME = Frame()


@dataclass(frozen=True)
class Axis:
    """The ends of an axis, and what is marked on it, in the unit in which places are given."""

    low: float
    high: float
    marks: tuple[tuple[float, str], ...]
    at: Callable[[float], float] = float  # the place of a value

    def share(self, place: float) -> float:
        """How far along the axis the place lies; outside 0 to 1 where it lies beyond."""
        return (place - self.low) / (self.high - self.low)

    def across(self, value: float) -> float:
        """Pixels from the left edge."""
        return round(FRAME.left + self.share(self.at(value)) * (FRAME.right - FRAME.left), 1)

    def up(self, value: float) -> float:
        """Pixels from the top edge."""
        return self.row(self.at(value))

    def row(self, place: float) -> float:
        """Pixels from the top edge, of a place."""
        return round(FRAME.bottom - self.share(place) * (FRAME.bottom - FRAME.top), 1)


def axis_of(quantity: Quantity, values: Sequence[float], close: bool = False) -> Axis:
    """The axis of accuracies or losses on which all values stand; `close`: of the accuracies those from 98% on."""
    pixels = FRAME.bottom - FRAME.top
    if quantity.accuracy:
        view = CLOSE if close else WHOLE
        return Axis(
            *view.range,
            tuple((accuracy_at(mark), significant(mark, 6)) for mark in view.marks(pixels)),
            accuracy_at,
        )
    loss = decades(values)
    named = tuple((math.log10(mark), spelt(mark)) for mark in loss.marks(pixels))
    return Axis(*loss.range, named, lambda value: math.log10(loss.at(value)))


@dataclass(frozen=True)
class Stroke:
    """One line in pixels."""

    colour: str
    dashes: str
    path: str
    dots: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]]  # across, and the lowest and the highest seed

    @property
    def outline(self) -> str:
        there = [(x, low) for x, low, _ in self.band] + [(x, high) for x, _, high in reversed(self.band)]
        return " ".join(f"{x},{y}" for x, y in there)


@dataclass(frozen=True)
class End:
    """The words at the end of a line."""

    x: float
    y: float
    words: str
    colour: str


def chart(
    lines: Sequence[Line], quantity: Quantity, alt: str, close: bool = False, target: float = CHALLENGE.accuracy
) -> str:
    """Lines with their seeds' bands against the epochs, letter and last figure at each end; "" where there is no value.

    A dashed line at what the challenge asks for. `close`: the accuracies from 98% on; "" where there is none.
    """
    drawn = [line for line in lines if any(value is not None for value in line.mean)]
    values = [value for line in drawn for run in line.runs for value in run if value is not None]
    if not values or (close and max(values) < CLOSE.low):
        return ""
    last = max(line.x[-1] for line in drawn)
    x, y = Axis(0.5, last + 0.5, ()), axis_of(quantity, values, close)
    return (
        templates()
        .get_template("chart.svg.jinja")
        .render(
            frame=FRAME,
            alt=alt,
            clip=f"plot-{crc32(alt.encode())}",
            unit=f"{quantity.unit} (stretched)" if quantity.accuracy else quantity.unit,
            rows=[(y.row(place), words) for place, words in y.marks],
            columns=[
                (x.across(epoch), f"{epoch}") for epoch in range(1, int(last) + 1) if not epoch % epoch_step(last)
            ],
            target=(y.up(100 * target), f"target {significant(100 * target, 4)}%") if quantity.has_target else None,
            lines=[_stroke(line, x, y) for line in drawn],
            ends=_ends(drawn, x, y, quantity.shown),
        )
    )


def _stroke(line: Line, x: Axis, y: Axis) -> Stroke:
    path, dots, pen = "", [], "M"
    for epoch, value in zip(line.x, line.mean, strict=True):
        if value is None:
            pen = "M"
            continue
        dots.append((x.across(epoch), y.up(value)))
        path += f"{pen}{dots[-1][0]} {dots[-1][1]}"
        pen = "L"
    band = [
        (x.across(epoch), y.up(low), y.up(high))
        for epoch, low, high in zip(line.x, *line.band, strict=True)
        if len(line.runs) > 1 and low is not None and high is not None
    ]
    return Stroke(line.look.colour, DASHES[line.look.dash], path, dots if len(line.x) <= DOTTED else [], band)


def _ends(lines: Sequence[Line], x: Axis, y: Axis, shown: str) -> list[End]:
    """The letters at the lines' ends, moved apart where they would touch; an arrow to one that lies below."""
    bounds = (FRAME.top + 5.0, FRAME.bottom - 2.0)
    found = []
    for line in lines:
        epoch, value = [(at, value) for at, value in zip(line.x, line.mean, strict=True) if value is not None][-1]
        found.append((min(max(y.up(value), bounds[0]), bounds[1]), epoch, value, line))
    found.sort(key=lambda end: end[0])
    heights = apart([end[0] for end in found], 16.0, bounds)
    return [
        End(
            x.across(epoch) + 7,
            round(height + 4, 1),
            f"{line.letter} {value:{shown}}{' ↓' if y.share(y.at(value)) < 0 else ''}",
            line.look.colour,
        )
        for (_, epoch, value, line), height in zip(found, heights, strict=True)
    ]
