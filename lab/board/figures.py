"""The board's picture: parameters against held accuracy, the challenge's corner, the front, the ladder pale behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.challenge import MAX_PARAMETERS, TARGET_ACCURACY
from core.words import plural
from lab.board.ranking import Standing, front
from lab.figures import CLAIM, FRONT, PASS, TEST, laid_out, stairs
from lab.labels import Box, free, shifts
from lab.studies import in_words
from lab.words import plotted

FLOOR, TOP = 98.5, 99.72  # per cent; what lies below is drawn on the floor, with its number at the pointer
SMALL = (0.0, 12_000.0)  # parameters on the linear panel, where the challenge is decided
LARGE = (12_000.0, 2e7)  # on the logarithmic one, which keeps the others from squeezing it
SHARES = (0.82, 0.16)  # of the width
WIDTH, HEIGHT = 700.0, 340.0  # about the linear panel's pixels on a window 1280 wide: there words must not touch
LABELS = 14  # names at marks; the others are in the table and at the pointer


@lru_cache(maxsize=16)  # a class looks at the same board, and looks again every few seconds
def board(ranked: tuple[Standing, ...], ladder: tuple[Standing, ...], ink: str, height: int = 400) -> go.Figure:
    """Who meets the challenge is a filled green circle, who does not a hollow one; the axes keep their place.

    `ink` is the colour of the names.
    """
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=list(SHARES), horizontal_spacing=0.02)
    kinds = ((False, "misses it", "circle-open", TEST), (True, "meets it", "circle", PASS))
    _front_line(figure, ranked)
    for column in (1, 2):
        _pale(figure, [each for each in ladder if _column(each) == column], column)
        for passed, name, symbol, colour in kinds:
            some = [each for each in ranked if each.passed == passed and _column(each) == column]
            _marks(figure, some, name, symbol, colour, column)
    corner = {
        "type": "rect", "xref": "x", "yref": "y", "x0": SMALL[0], "x1": MAX_PARAMETERS, "y0": 100 * TARGET_ACCURACY,
        "y1": TOP, "fillcolor": PASS, "opacity": 0.12, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    figure.update_layout(shapes=[corner], annotations=[_corner_words(), *_names(ranked, ladder, ink)])
    figure.update_xaxes(title="parameters", range=SMALL, tickformat=",", dtick=2_000, row=1, col=1)
    figure.update_xaxes(
        type="log", range=[math.log10(each) for each in LARGE], tickvals=[1e5, 1e6, 1e7],
        ticktext=["0.1 M", "1 M", "10 M"], row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(range=[FLOOR - 0.05, TOP], dtick=0.2, tickformat=".1f")
    figure.update_yaxes(title="held: least of the last three epochs, %", row=1, col=1)
    figure.update_xaxes(tickfont_size=14, title_font_size=15).update_yaxes(tickfont_size=14, title_font_size=15)
    return laid_out(figure, height).update_layout(legend_font_size=14)


def _column(each: Standing) -> int:
    return 2 if each.parameters > SMALL[1] else 1


def _shown(each: Standing) -> float:
    return max(FLOOR, 100 * each.figures.held)


def _corner_words() -> dict[str, object]:
    return {
        "xref": "x", "yref": "y", "x": SMALL[0], "y": TOP, "xanchor": "left", "yanchor": "top", "showarrow": False,
        "text": f"the challenge: at least {TARGET_ACCURACY:.1%} held,<br>at most {MAX_PARAMETERS:,} parameters",
        "align": "left", "font": {"color": PASS, "size": 14}, "xshift": 6,
    }  # fmt: skip


def _pale(figure: go.Figure, ladder: Sequence[Standing], column: int) -> None:
    figure.add_scatter(
        x=[each.parameters for each in ladder], y=[_shown(each) for each in ladder],
        mode="markers" if column == 1 else "markers+text",  # on the first panel names find places of their own
        text=[each.name for each in ladder], textposition="bottom center", textfont={"color": CLAIM, "size": 11},
        name="the ladder's steps", opacity=0.6, marker={"symbol": "diamond", "size": 8, "color": CLAIM},
        hovertemplate="%{customdata}<extra>the ladder</extra>", customdata=[_told(each) for each in ladder],
        showlegend=column == 1, legendgroup="ladder", row=1, col=column,
    )  # fmt: skip


def _front_line(figure: go.Figure, ranked: Sequence[Standing]) -> None:
    """A stair on each panel: the most that so many parameters hold, on to the panel's right edge."""
    corners = [(float(each.parameters), _shown(each)) for each in front(ranked)]
    for column, stair in enumerate(stairs(corners, SMALL, LARGE), 1):
        figure.add_scatter(
            x=[x for x, _ in stair], y=[y for _, y in stair], mode="lines", name="Pareto front", hoverinfo="skip",
            line={"color": FRONT, "width": 2, "shape": "hv"}, showlegend=column == 1, legendgroup="front",
            row=1, col=column,
        )  # fmt: skip


def _marks(figure: go.Figure, some: Sequence[Standing], name: str, symbol: str, colour: str, column: int) -> None:
    """Single runs, and groups with their bar of one deviation; a bar of nothing would show in a hollow mark."""
    alone = [each for each in some if each.figures.sd is None or _shown(each) <= FLOOR]
    groups = [each for each in some if each not in alone]
    for part in (alone, groups):
        bars = [100 * each.figures.sd for each in part if each.figures.sd is not None] if part is groups else []
        figure.add_scatter(
            x=[each.parameters for each in part], y=[_shown(each) for each in part], mode="markers", name=name,
            error_y={"array": bars, "color": colour, "thickness": 1.5, "width": 4, "visible": bool(bars)},
            customdata=[_told(each) for each in part], hovertemplate="%{customdata}<extra></extra>",
            marker={
                "symbol": ["triangle-down-open" if _shown(each) <= FLOOR else symbol for each in part],
                "size": 14, "color": colour, "line": {"width": 2, "color": colour},
            },
            showlegend=column == 1 and part is alone, legendgroup=name, row=1, col=column,
        )  # fmt: skip


def _told(each: Standing) -> str:
    """What a mark says at the pointer; names are text, never markup."""
    nickname = f"<b>{plotted(each.owner)}</b> · " if each.owner else ""
    return (
        f"{nickname}{plotted(each.name)}<br>{each.parameters:,} parameters, {plural(each.epochs, 'epoch')}<br>"
        f"held {each.figures.held:.2%} · last epoch {in_words(each.figures)}"
    )


def _names(ranked: Sequence[Standing], ladder: Sequence[Standing], ink: str) -> list[dict[str, object]]:
    """The best ones' names beside their marks, then the ladder's, each where it touches nothing, or nowhere."""
    near = [each for each in ranked if _column(each) == 1]
    behind = [each for each in ladder if _column(each) == 1]
    taken: list[Box] = [_around(each, 7) for each in near] + [_around(each, 5) for each in behind]
    taken.append((0.0, 250.0, HEIGHT - 44, HEIGHT))  # the corner's words
    words: list[dict[str, object]] = []
    on_front = {each.key for each in front(ranked)}
    for each in sorted(near, key=lambda each: (not each.passed, each.key not in on_front))[: 2 * LABELS]:
        text = each.who if len(each.who) <= 18 else f"{each.who[:17]}…"
        if len(words) < LABELS and (word := _beside(each, text, {"size": 14, "color": ink}, taken)):
            words.append(word)
    pale = (_beside(each, each.name, {"size": 11, "color": CLAIM}, taken) for each in behind)
    return words + [word for word in pale if word]


def _beside(each: Standing, text: str, font: dict[str, Any], taken: list[Box]) -> dict[str, object] | None:
    """A name at its mark, where it touches nothing; what it takes is taken then."""
    x, y = _pixels(each)
    box = free(x, y, 0.57 * font["size"] * len(text), font["size"] + 2, taken, (0.0, WIDTH, 0.0, HEIGHT))
    if box is None:
        return None
    taken.append(box)
    return {
        "xref": "x", "yref": "y", "x": each.parameters, "y": _shown(each), "text": plotted(text), "showarrow": False,
        "font": font, **shifts(x, y, box),
    }  # fmt: skip


def _around(each: Standing, radius: float) -> Box:
    x, y = _pixels(each)
    return x - radius, x + radius, y - radius, y + radius


def _pixels(each: Standing) -> tuple[float, float]:
    """About where a mark stands in the linear panel, y upwards."""
    return WIDTH * each.parameters / SMALL[1], HEIGHT * (_shown(each) - FLOOR + 0.05) / (TOP - FLOOR + 0.05)
