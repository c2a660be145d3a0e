"""The picture of a search: parameters against held-out loss of each try, and the Pareto front as a line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.search.choice_words import choice_words
from core.words import loss_words, percent
from lab.runs.searches import Search, Try
from lab.ui.axes import Part, spelt
from lab.ui.colours import CLAIM, FRONT, PASS, VALIDATION
from lab.ui.figures import Plain, at_once

ROOM, NARROWEST = 0.08, 0.4  # decades above and below the losses, and that the axis has at least
HEIGHT = 360


def search_figure(search: Search, tries: Sequence[Try], front: Sequence[Try], start: Try | None) -> Plain:
    """Filled marks are on the front; a diamond is the design that the search starts from; the dotted line the
    budget."""
    done = [each for each in tries if each.loss is not None]
    budget = search.spec.budget
    traces: list[Part] = [
        {
            "x": [each.parameters for each in front], "y": [each.loss for each in front], "name": "Pareto front",
            "mode": "lines", "line": {"color": FRONT, "width": 2, "shape": "hv"}, "hoverinfo": "skip",
        },
        _marks([each for each in done if each not in front and each is not start], "tries", "circle-open", VALIDATION),
        _marks([each for each in front if each is not start], "on the front", "circle", PASS),
        _marks([start] if start in done else [], "the design", "diamond", CLAIM),
    ]  # fmt: skip
    losses = [each.loss for each in done if each.loss] or [0.02, 2.0]
    room = max(ROOM, (NARROWEST - math.log10(max(losses) / min(losses))) / 2)
    low, high = math.log10(min(losses)) - room, math.log10(max(losses)) + room
    marks = [mark for mark in _marks_of(low, high) if low <= math.log10(mark) <= high]
    layout: Part = {
        "xaxis": {"title": {"text": "parameters"}, "range": [0, 1.06 * budget], "tickformat": ",d"},
        "yaxis": {
            "title": {"text": "loss on held-out images"}, "type": "log", "range": [low, high], "tickvals": marks,
            "ticktext": [spelt(mark) for mark in marks],
        },
        "shapes": [
            {
                "type": "line", "yref": "y domain", "y0": 0, "y1": 1, "x0": budget, "x1": budget,
                "line": {"color": CLAIM, "dash": "dot", "width": 1.5},
            }
        ],
    }  # fmt: skip
    return at_once(traces, layout, HEIGHT)


def _marks_of(low: float, high: float) -> list[float]:
    """Losses that may have a tick label on an axis from one power of ten to another: more of them on a short one."""
    digits = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if high - low < 0.8 else (1, 2, 5)
    return [digit * 10.0**power for power in range(math.floor(low), math.ceil(high)) for digit in digits]


def _marks(some: Sequence[Try], name: str, symbol: str, colour: str) -> Part:
    return {
        "x": [each.parameters for each in some], "y": [each.loss for each in some], "mode": "markers", "name": name,
        "marker": {"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
        "customdata": [told(each) for each in some], "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip


def told(each: Try) -> str:
    """A try for the pointer."""
    if each.last is None or each.loss is None:
        return f"try {each.number + 1}"
    figures = f"{each.parameters:,} parameters, loss {loss_words(each.loss)}, {percent(each.last.held_out_accuracy)}"
    return f"try {each.number + 1}: {figures}<br>{choice_words(each.choices).replace(' · ', '<br>')}"
