"""The board's picture: parameters against held accuracy, the challenge's corner, the front, the ladder pale behind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import plotly.graph_objects as go

from core.challenge import CHALLENGE, Challenge
from core.words import plural
from lab.studies.ranking import Standing, front
from lab.studies.results import in_words
from lab.ui import panels
from lab.ui.axes import CLOSE, WHOLE, Part, accuracy_at, zoom
from lab.ui.colours import CLAIM, PASS, TEST
from lab.ui.labels import Box, Mark, Screen, box, name_places
from lab.ui.words import plotted

BEYOND = 1.5  # times the budget: so far goes the linear panel, where the challenge is decided
LEFT = -1 / 40  # of the budget: where it begins
LARGE = 2e7  # parameters: the end of the logarithmic one, which keeps the others from squeezing it
# The plot's width, and what of the figure's height is not plot: on windows 1280 and 1600 pixels wide, and on smaller
# ones, 390 and 768: there are other places for names.
WIDE = ((790.0, 90.0), (1044.0, 90.0))
NARROW = ((282.0, 121.0), (481.0, 90.0))
NARROW_BELOW = 600  # pixels of the figure
LABELS = 14  # names at marks; the others are in the table and at the pointer
NAME, PALE_NAME = 14, 11  # the sizes of a run's and of a step's name, in pixels


@lru_cache(maxsize=16)  # a class looks at the same board, and looks again every few seconds
def board(
    ranked: tuple[Standing, ...],
    ladder: tuple[Standing, ...],
    ink: str,
    height: int = 440,
    challenge: Challenge = CHALLENGE,
) -> go.Figure:
    """A run that meets the challenge is a filled green circle, another one a hollow circle; the axes keep their place.

    `ink` is the colour of the names.
    """
    kinds = ((False, "misses it", "circle-open", TEST), (True, "meets it", "circle", PASS))
    small = (LEFT * challenge.parameters, BEYOND * challenge.parameters)
    large = (small[1], max([LARGE, 2 * small[1], *(1.5 * each.parameters for each in (*ranked, *ladder))]))
    plot = panels.Plot(small, large, WHOLE)
    figure = panels.two_panels(plot, height, "held, % (stretched)")
    panels.front_line(figure, _stairs(ranked, plot), "Pareto front")
    for column in (1, 2):
        _pale(figure, [each for each in ladder if _column(each, plot) == column], column)
        for passed, name, symbol, colour in kinds:
            some = [each for each in ranked if each.passed == passed and _column(each, plot) == column]
            _marks(figure, some, name, symbol, colour, column)
    asked = f"the challenge: at least {challenge.target} held,<br>at most {challenge.parameters:,} parameters"
    asks, views = panels.corner_words(asked, 6), [panels.Plot(small, large, view) for view in (WHOLE, CLOSE)]
    screens = ([(wide, height - rest) for wide, rest in some] for some in (WIDE, NARROW))
    words, narrow = ([[asks, *_names(ranked, ladder, each, ink, some)] for each in views] for some in screens)
    figure.update_layout(shapes=panels.corner(plot, challenge), annotations=words[0])
    figure.update_layout(zoom(height - 80.0, ("yaxis", "yaxis2"), annotations=words))
    figure.update_layout(meta={"narrow": {"below": NARROW_BELOW, "views": [{"annotations": some} for some in narrow]}})
    figure.update_xaxes(tickvals=[0, challenge.few_parameters, challenge.parameters], row=1, col=1)
    return figure.update_xaxes(tickvals=[1e5, 1e7], ticktext=["0.1M", "10M"], row=1, col=2)


def _column(each: Standing, plot: panels.Plot) -> int:
    return 2 if each.parameters > plot.small[1] else 1


def _percent(each: Standing) -> float:
    return 100 * each.figures.held


def _pale(figure: go.Figure, ladder: Sequence[Standing], column: int) -> None:
    figure.add_scatter(
        x=[each.parameters for each in ladder], y=[accuracy_at(_percent(each)) for each in ladder], mode="markers",
        name="the ladder's steps", opacity=0.6, marker={"symbol": "diamond", "size": 8, "color": CLAIM},
        hovertemplate="%{customdata}<extra>the ladder</extra>", customdata=[_told(each) for each in ladder],
        showlegend=column == 1, legendgroup="ladder", row=1, col=column,
    )  # fmt: skip


def _stairs(ranked: Sequence[Standing], plot: panels.Plot) -> list[panels.Stair]:
    return panels.stairs([(float(each.parameters), _percent(each)) for each in front(ranked)], plot)


def _marks(figure: go.Figure, some: Sequence[Standing], name: str, symbol: str, colour: str, column: int) -> None:
    """Single runs, and groups with their bar of one deviation; a bar of nothing would show in a hollow mark."""
    alone = [each for each in some if each.figures.sd is None]
    groups = [each for each in some if each not in alone]
    for part in (alone, groups):
        bars = panels.deviation_bars([each.figures for each in part], lambda figures: figures.held)
        figure.add_scatter(
            x=[each.parameters for each in part], y=[accuracy_at(_percent(each)) for each in part], mode="markers",
            error_y=bars | {"color": colour, "thickness": 1.5, "width": 4, "visible": part is groups and bool(part)},
            name=name, customdata=[_told(each) for each in part], hovertemplate="%{customdata}<extra></extra>",
            marker={"symbol": symbol, "size": 14, "color": colour, "line": {"width": 2, "color": colour}},
            showlegend=column == 1 and part is alone, legendgroup=name, row=1, col=column,
        )  # fmt: skip


def _told(each: Standing) -> str:
    """What a mark says at the pointer; names are text, never markup."""
    nickname = f"<b>{plotted(each.owner)}</b> · " if each.owner else ""
    return (
        f"{nickname}{plotted(each.name)}<br>{each.parameters:,} parameters, {plural(each.epochs, 'epoch')}<br>"
        f"held {each.figures.held:.2%} · last epoch {in_words(each.figures)}"
    )


def _names(
    ranked: Sequence[Standing], ladder: Sequence[Standing], plot: panels.Plot, ink: str, screens: Sequence[Screen]
) -> list[Part]:
    """The best ones' names at their marks, then the ladder's, each where it covers no other, or nowhere."""
    low, high = plot.view.range
    seen = [each for each in ranked if low <= accuracy_at(_percent(each)) <= high]
    behind = [each for each in ladder if low <= accuracy_at(_percent(each)) <= high]
    on_front = {each.key for each in front(ranked)}
    best = sorted(seen, key=lambda each: (not each.passed, each.key not in on_front))[:LABELS]
    texts = [each.who if len(each.who) <= 18 else f"{each.who[:17]}…" for each in best]

    def marks_on(screen: Screen) -> list[Box]:
        return _marks_on(ranked, seen, behind, plot, screen)

    def corner_on(screen: Screen) -> list[Box]:
        return [(0.0, 210.0, screen[1] - 44, screen[1])]

    marks = [_mark(each, text, NAME, plot) for each, text in zip(best, texts, strict=True)]
    places = name_places(marks, NAME + 2, screens, marks_on, corner_on, furthest=70.0)

    def words_on(screen: Screen) -> list[Box]:
        there = zip(marks, places, strict=True)
        return corner_on(screen) + [box(mark, place, NAME + 2, screen) for mark, place in there if place]

    pale = [_mark(each, each.name, PALE_NAME, plot) for each in behind]
    ends = name_places(pale, PALE_NAME + 2, screens, marks_on, words_on, furthest=30.0)
    return [
        _name(each, text, mark, place, {"size": NAME, "color": ink}, plot)
        for each, text, mark, place in zip(best, texts, marks, places, strict=True)
        if place
    ] + [
        _name(each, each.name, mark, place, {"size": PALE_NAME, "color": CLAIM}, plot)
        for each, mark, place in zip(behind, pale, ends, strict=True)
        if place
    ]


def _mark(each: Standing, text: str, size: int, plot: panels.Plot) -> Mark:
    return Mark(*plot.share(each.parameters, _percent(each)), 0.6 * size * len(text))


def _marks_on(
    ranked: Sequence[Standing], seen: Sequence[Standing], behind: Sequence[Standing], plot: panels.Plot, screen: Screen
) -> list[Box]:
    """The front and the marks on a plot of that size."""
    taken = panels.front_boxes(_stairs(ranked, plot), plot, screen)
    for some, radius in ((seen, 8.0), (behind, 5.0)):
        for x, y in (plot.pixels(each.parameters, _percent(each), screen) for each in some):
            taken.append((x - radius, x + radius, y - radius, y + radius))
    return taken


def _name(each: Standing, text: str, mark: Mark, place: tuple[float, float], font: Part, plot: panels.Plot) -> Part:
    return panels.name_at(
        each.parameters, _percent(each), plotted(text), font, plot, panels.led_to(place, mark.wide, 16.0)
    )
