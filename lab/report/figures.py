"""Charts as SVG text for a page without scripts: they print, they scale, and they open from a file.

Built as an XML tree, so that whatever a name says is text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring
from zlib import crc32

from lab.compare.figures import Line, apart

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 92, 12, 44  # margins in pixels
DASHES = {"solid": "", "dash": "9 5", "dot": "2 5", "dashdot": "9 4 2 4"}


@dataclass(frozen=True)
class Axis:
    """From values to pixels, with the values that are marked."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis the value stands; outside 0 to 1 where it lies beyond."""
        return (self._of(value) - self._of(self.low)) / (self._of(self.high) - self._of(self.low))

    def _of(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value

    @property
    def marks(self) -> list[float]:
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            decades = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
            return [value for value in decades if self.low <= value <= self.high]
        step = _step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _step(extent: float) -> float:
    """1, 2 or 5 times a power of ten, so that about five marks fit."""
    rough = extent / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def chart(
    lines: Sequence[Line],
    unit: str,
    alt: str,
    shown: str,
    floor: float | None = None,
    target: float | None = None,
    log: bool = False,
) -> str:
    """Lines with their seeds' bands against the epochs, letter and last figure at each end; "" where there is no value.

    `floor`: what lies below is cut off. `target`: a dashed line with its figure. `shown`: the figures' format.
    """  # fmt: skip
    drawn = [line for line in lines if any(value is not None for value in line.mean)]
    values = [value for line in drawn for run in line.runs for value in run if value is not None]
    if not values:
        return ""
    low, high = min(values), max([*values, *([target] if target is not None else [])])
    if floor is not None:
        low = max(low, min(floor, high - 0.1))
    if log:
        low, high = max(low, 1e-9) / 1.1, max(high, 1e-8) * 1.1
    else:
        low, high = low - 0.06 * (high - low or 1.0), high + 0.06 * (high - low or 1.0)
    x = Axis(0.5, max(line.x[-1] for line in drawn) + 0.5)
    y = Axis(low, high, log)
    svg = Element("svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", xmlns="http://www.w3.org/2000/svg")
    svg.set("aria-label", alt)
    SubElement(svg, "title").text = alt
    _grid(svg, x, y, unit, shown)
    if target is not None:
        _target(svg, y, target, shown)
    clip = SubElement(SubElement(svg, "defs"), "clipPath", id=f"plot-{crc32(alt.encode())}")
    SubElement(
        clip, "rect", x=f"{LEFT}", y=f"{TOP}", width=f"{WIDTH - LEFT - RIGHT}", height=f"{HEIGHT - TOP - BOTTOM}"
    )
    plot = SubElement(svg, "g", {"clip-path": f"url(#{clip.get('id')})"})
    for line in drawn:
        _line(plot, line, x, y)
    _ends(svg, drawn, x, y, shown)
    return tostring(svg, encoding="unicode")


def _grid(svg: Element, x: Axis, y: Axis, unit: str, shown: str) -> None:
    for value in y.marks:
        place = _y(y, value)
        SubElement(svg, "line", _ends_of(LEFT, place, WIDTH - RIGHT, place), stroke="#8884")
        _text(svg, LEFT - 6, place + 4, f"{value:{_ticks(shown, y)}}", "end")
    for value in x.marks:
        if value >= 1 and value == int(value):
            _text(svg, _x(x, value), HEIGHT - BOTTOM + 18, f"{value:g}", "middle")
    _text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "epochs", "middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    _text(svg, 13, middle, unit, "middle").set("transform", f"rotate(-90 13 {middle:g})")


def _ticks(shown: str, y: Axis) -> str:
    """The marks' format: no more digits than the marks need."""
    return "g" if y.log else f".{max(0, -math.floor(math.log10(_step(y.high - y.low)) + 1e-9))}f"


def _target(svg: Element, y: Axis, target: float, shown: str) -> None:
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


def _ends(svg: Element, lines: Sequence[Line], x: Axis, y: Axis, shown: str) -> None:
    """The letters at the lines' ends, moved apart where they would touch."""
    found = []
    for line in lines:
        place, value = [(at, value) for at, value in zip(line.x, line.mean, strict=True) if value is not None][-1]
        found.append((min(max(_y(y, value), TOP + 5.0), HEIGHT - BOTTOM - 2.0), _x(x, place), value, line))
    found.sort(key=lambda end: end[0])
    heights = apart([end[0] for end in found], 16.0, (TOP + 5.0, HEIGHT - BOTTOM - 2.0))
    for (_, place, value, line), height in zip(found, heights, strict=True):
        text = _text(svg, place + 7, height + 4, f"{line.letter} {value:{shown}}", "start")
        text.set("fill", line.look.colour)
        text.set("font-weight", "bold")


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _ends_of(x1: float, y1: float, x2: float, y2: float) -> dict[str, str]:
    return {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}


def _text(svg: Element, x: float, y: float, words: str, anchor: str) -> Element:
    text = SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    text.text = words
    return text
