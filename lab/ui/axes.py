"""Axes on which every value has its true place: accuracies, stretched towards 100%; losses by powers of ten; epochs.

A linear axis that shows 10% squeezes the difference between two good networks into a line's width. So the axis is
the logarithm of the error: from 90 to 99% is about as far as from 99 to 100%.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Part = dict[str, object]  # of a figure, in Plotly's own words: a trace, an axis, a layout

SOFT = 0.2  # percentage points added to each error: a bare logarithm has no place for 100%
PLOT = 205.0  # pixels from the lowest to the highest value, in the lowest of our charts
APART = 15.0  # pixels between the middles of two tick labels, at least
TITLE = "accuracy, % (stretched)"

# Accuracies in per cent that may have a tick label, the most wanted first.
MARKS = (100, 99, 90, 0, 98, 99.5, 50, 95, 80, 99.8, 99.2, 99.9, 98.5, 97, 99.4, 99.3, 99.6, 99.7, 99.1, 98.8, 20, 70)


def accuracy_at(percent: float) -> float:
    """Where an accuracy, in per cent, stands on its axis."""
    return -math.log10(100 + SOFT - percent)


@dataclass(frozen=True)
class View:
    """A range of an accuracy axis, in per cent."""

    name: str
    low: float
    high: float = 100.0

    @property
    def range(self) -> tuple[float, float]:
        """The axis' ends, with room for a marker that stands at one of the values."""
        low, high = accuracy_at(self.low), accuracy_at(self.high)
        room = 0.03 * (high - low) or 0.03
        return low - room, high + room

    def marks(self, pixels: float = PLOT) -> list[float]:
        """The accuracies that have a tick label on so many pixels, none of them on another."""
        low, high = self.range
        found: list[float] = []
        for mark in MARKS:
            there = accuracy_at(mark)
            if low <= there <= high and all(
                abs(there - accuracy_at(each)) * pixels >= APART * (high - low) for each in found
            ):
                found.append(mark)
        return sorted(found)

    def axis(self, pixels: float = PLOT) -> Part:
        """Range and ticks, in Plotly's words."""
        marks = self.marks(pixels)
        return {
            "range": list(self.range),
            "tickvals": [round(accuracy_at(mark), 6) for mark in marks],
            "ticktext": [f"{mark:g}" for mark in marks],
        }


WHOLE = View("All", 0.0)
CLOSE = View("98–100%", 98.0)


def accuracy_axis(title: str = TITLE, pixels: float = PLOT) -> Part:
    """The axis of a chart that shows every accuracy; `zoom` gives it its buttons."""
    return {"title": {"text": title}, **WHOLE.axis(pixels)}


def zoom(pixels: float = PLOT, axes: Sequence[str] = ("yaxis",), **more: Sequence[object]) -> Part:
    """The layout's buttons that show all accuracies, or those from 98% on, with one click.

    `more`: what else of the layout changes, such as annotations, as a pair: for all, and for the zoom.
    """
    return view_buttons(
        {
            view.name: {f"{axis}.{key}": value for axis in axes for key, value in view.axis(pixels).items()}
            | {name: pair[number] for name, pair in more.items()}
            for number, view in enumerate((WHOLE, CLOSE))
        }
    )


def view_buttons(changes: Mapping[str, Part]) -> Part:
    """A layout's buttons, by name, each with what it changes; the first is how the figure is drawn.

    `live_plot` makes HTML buttons of them; where Plotly draws them itself, these colours suit both themes.
    """
    menu: Part = {
        "type": "buttons", "direction": "right", "active": 0, "showactive": True, "x": 1, "xanchor": "right", "y": 0,
        "yanchor": "top", "pad": {"t": 21, "r": 0, "b": 0, "l": 0}, "bgcolor": "#C9D1D9", "bordercolor": "#8A929B",
        "borderwidth": 1, "font": {"size": 11, "color": "#1B1F24"},
        "buttons": [{"label": name, "method": "relayout", "args": [each]} for name, each in changes.items()],
    }  # fmt: skip
    return {"updatemenus": [menu]}


@dataclass(frozen=True)
class Decades:
    """The range of a logarithmic axis, from one power of ten to another."""

    low: int
    high: int

    def at(self, value: float) -> float:
        """Where a value stands: at itself; 0, which has no logarithm, at the lower end of the axis."""
        return max(value, 10.0**self.low)

    @property
    def range(self) -> tuple[float, float]:
        """The axis' ends as exponents, with room for a marker that stands at one of the values."""
        room = 0.03 * (self.high - self.low)
        return self.low - room, self.high + room

    def marks(self, pixels: float = PLOT) -> list[float]:
        """1, 2 and 5 of each decade; where that is too many for so many pixels, powers of ten, at most eight."""
        wide = self.high - self.low
        if pixels >= 60 * wide:
            inner = [float(f"{digit}e{power}") for power in range(self.low, self.high) for digit in (1, 2, 5)]
            return [*inner, float(f"1e{self.high}")]
        return [float(f"1e{power}") for power in range(self.low, self.high + 1, math.ceil(wide / 7))]

    def axis(self, title: str, pixels: float = PLOT) -> Part:
        """The axis in Plotly's words, every tick labelled with its number."""
        marks = self.marks(pixels)
        return {
            "title": {"text": title}, "type": "log", "range": list(self.range), "tickvals": marks,
            "ticktext": [spelt(mark) for mark in marks],
        }  # fmt: skip


USUAL = Decades(-3, 1)  # of cross-entropies: 2.3 at first, where ten classes are guessed; of single batches 0.004


def decades(values: Iterable[float]) -> Decades:
    """The usual range of a loss, and as many whole decades more as the values need: it seldom moves during a run."""
    there = [math.log10(value) for value in values if value > 0 and math.isfinite(value)]
    return Decades(math.floor(min([USUAL.low, *there])), math.ceil(max([USUAL.high, *there])))


def spelt(mark: float) -> str:
    """A tick's number: 0.02, 10, 1,000 or 1e6."""
    if 1e-3 <= mark < 1e6:
        return f"{mark:,.6g}"
    digit, exponent = f"{mark:.0e}".split("e")
    return f"{digit}e{int(exponent)}"


def epochs_axis(planned: int, first: float = 0.0) -> Part:
    """From the start of a run to its planned end, so that nothing moves while it goes on."""
    last = max(1, planned)
    return {"title": {"text": "epochs"}, "range": [first, last + 0.02 * last], "dtick": epoch_step(last), "tick0": 0}


def epoch_step(epochs: float) -> int:
    """Epochs from tick to tick: whole ones, and few enough for a phone."""
    return next((step for step in (1, 5, 10, 20, 50) if epochs <= 10 * step), 100)
