"""Charts as SVG text for a page without scripts: they print, they scale, and they open from a file.

Built as an XML tree, so that whatever a name says is text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring
from zlib import crc32

from lab.ui.axes import CLOSE, WHOLE, accuracy_at, decades, epoch_step, spelt
from lab.ui.comparison_figure import DOTTED, Line, Quantity, apart

WIDTH, HEIGHT = 460, 300  # two stand beside each other on the page
LEFT, RIGHT, TOP, BOTTOM = 58, 84, 12, 44  # margins in pixels
PLOT = HEIGHT - TOP - BOTTOM
DASHES = {"solid": "", "dash": "9 5", "dot": "2 5", "dashdot": "9 4 2 4"}


@dataclass(frozen=True)
class Axis:
    """The ends of an axis, and what is marked on it, in the unit in which places are told."""

    low: float
    high: float
    marks: tuple[tuple[float, str], ...]
    at: Callable[[float], float] = float  # the place of a value

    def share(self, value: float) -> float:
        """How far along the axis the value stands; outside 0 to 1 where it lies beyond."""
        return (self.at(value) - self.low) / (self.high - self.low)


def axis_of(quantity: Quantity, values: Sequence[float], close: bool = False) -> Axis:
    """The axis of accuracies or losses on which all values stand; `close`: of the accuracies those from 98% on."""
    if quantity.accuracy:
        view = CLOSE if close else WHOLE
        marks = view.marks(PLOT)
        return Axis(*view.range, tuple((accuracy_at(mark), f"{mark:g}") for mark in marks), accuracy_at)
    loss = decades(values)
    named = tuple((math.log10(mark), spelt(mark)) for mark in loss.marks(PLOT))
    return Axis(*loss.range, named, lambda value: math.log10(loss.at(value)))


def chart(lines: Sequence[Line], quantity: Quantity, alt: str, target: float | None = None, close: bool = False) -> str:
    """Lines with their seeds' bands against the epochs, letter and last figure at each end; "" where there is no value.

    `target`: a dashed line with its figure. `close`: the accuracies from 98% on; "" where there is none.
    """
    drawn = [line for line in lines if any(value is not None for value in line.mean)]
    values = [value for line in drawn for run in line.runs for value in run if value is not None]
    if not values or (close and max(values) < CLOSE.low):
        return ""
    last = max(line.x[-1] for line in drawn)
    step = epoch_step(last)
    x = Axis(
        0.5, last + 0.5, tuple((float(epoch), f"{epoch}") for epoch in range(1, int(last) + 1) if not epoch % step)
    )
    y = axis_of(quantity, values, close)
    svg = Element("svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", xmlns="http://www.w3.org/2000/svg")
    svg.set("aria-label", alt)
    SubElement(svg, "title").text = alt
    _grid(svg, x, y, f"{quantity.unit} (stretched)" if quantity.accuracy else quantity.unit)
    if target is not None:
        _target(svg, y, target)
    clip = SubElement(SubElement(svg, "defs"), "clipPath", id=f"plot-{crc32(alt.encode())}")
    SubElement(
        clip, "rect", x=f"{LEFT}", y=f"{TOP}", width=f"{WIDTH - LEFT - RIGHT}", height=f"{HEIGHT - TOP - BOTTOM}"
    )
    plot = SubElement(svg, "g", {"clip-path": f"url(#{clip.get('id')})"})
    for line in drawn:
        _line(plot, line, x, y)
    _ends(svg, drawn, x, y, quantity.shown)
    return tostring(svg, encoding="unicode")


def _grid(svg: Element, x: Axis, y: Axis, unit: str) -> None:
    for value, words in y.marks:
        place = _up(y, value)
        SubElement(svg, "line", _ends_of(LEFT, place, WIDTH - RIGHT, place), stroke="#8884")
        _text(svg, LEFT - 6, place + 4, words, "end")
    for value, words in x.marks:
        _text(svg, _x(x, value), HEIGHT - BOTTOM + 18, words, "middle")
    _text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "epochs", "middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    _text(svg, 13, middle, unit, "middle").set("transform", f"rotate(-90 13 {middle:g})")


def _target(svg: Element, y: Axis, target: float) -> None:
    place = _y(y, target)
    ends = _ends_of(LEFT, place, WIDTH - RIGHT, place)
    SubElement(svg, "line", {**ends, "stroke": "#009E73", "stroke-dasharray": "5 4"})
    _text(svg, LEFT + 4, place - 4, f"target {target:.4g}%", "start").set("fill", "#009E73")


def _line(plot: Element, line: Line, x: Axis, y: Axis) -> None:
    places = [_x(x, value) for value in line.x]
    if len(line.runs) > 1:
        low, high = line.band
        both = [(place, one, other) for place, one, other in zip(places, low, high, strict=True)]
        there = [(place, one, other) for place, one, other in both if one is not None and other is not None]
        outline = [f"{place:.1f},{_y(y, one):.1f}" for place, one, _ in there]
        outline += [f"{place:.1f},{_y(y, other):.1f}" for place, _, other in reversed(there)]
        SubElement(plot, "polygon", points=" ".join(outline), fill=line.look.colour, opacity="0.2")
        if len(there) == 1:  # an outline of one epoch has no width
            ((place, one, other),) = there
            bar = {"stroke": line.look.colour, "stroke-width": "10", "opacity": "0.3"}
            SubElement(plot, "line", {**_ends_of(place, _y(y, one), place, _y(y, other)), **bar})
    path, pen = [], "M"
    for place, value in zip(places, line.mean, strict=True):
        if value is None:
            pen = "M"
            continue
        path.append(f"{pen}{place:.1f} {_y(y, value):.1f}")
        pen = "L"
    stroke = {"stroke": line.look.colour, "stroke-width": "2.5", "fill": "none", "stroke-linejoin": "round"}
    if line.look.dash != "solid":
        stroke["stroke-dasharray"] = DASHES[line.look.dash]
    SubElement(plot, "path", {"d": " ".join(path), "stroke-linecap": "round", **stroke})
    if len(places) <= DOTTED:
        for place, value in zip(places, line.mean, strict=True):
            if value is not None:
                dot = {"cx": f"{place:.1f}", "cy": f"{_y(y, value):.1f}", "r": "3.5", "fill": line.look.colour}
                SubElement(plot, "circle", dot)


def _ends(svg: Element, lines: Sequence[Line], x: Axis, y: Axis, shown: str) -> None:
    """The letters at the lines' ends, moved apart where they would touch; an arrow to one that lies below."""
    found = []
    for line in lines:
        place, value = [(at, value) for at, value in zip(line.x, line.mean, strict=True) if value is not None][-1]
        found.append((min(max(_y(y, value), TOP + 5.0), HEIGHT - BOTTOM - 2.0), _x(x, place), value, line))
    found.sort(key=lambda end: end[0])
    heights = apart([end[0] for end in found], 16.0, (TOP + 5.0, HEIGHT - BOTTOM - 2.0))
    for (_, place, value, line), height in zip(found, heights, strict=True):
        below = " ↓" if y.share(value) < 0 else ""
        text = _text(svg, place + 7, height + 4, f"{line.letter} {value:{shown}}{below}", "start")
        text.set("fill", line.look.colour)
        text.set("font-weight", "bold")


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return _up(axis, axis.at(value))


def _up(axis: Axis, place: float) -> float:
    return HEIGHT - BOTTOM - (place - axis.low) / (axis.high - axis.low) * (HEIGHT - TOP - BOTTOM)


def _ends_of(x1: float, y1: float, x2: float, y2: float) -> dict[str, str]:
    return {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}


def _text(svg: Element, x: float, y: float, words: str, anchor: str) -> Element:
    text = SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    text.text = words
    return text
