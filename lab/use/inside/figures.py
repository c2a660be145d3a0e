"""Pictures of a network's inside: sheets of maps and filters as PNG, one value's arithmetic, what the answer rests on.

Values above zero are orange, below it blue, and zero is black, as MNIST's ground is: on one scale within a sheet.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image
from plotly.subplots import make_subplots

from core.data.mnist import Pixels
from core.words import rounded, signed_words
from lab.ui.colours import TEST
from lab.ui.figures import laid_out

if TYPE_CHECKING:  # it needs torch, which takes two seconds to import
    from core.analysis.inside import Activity, Occlusion, PixelArithmetic

Values = NDArray[np.floating[Any]]

ABOVE, BELOW = ("#D55E00", "#FFF3DC"), ("#0072B2", "#DDF1FF")  # half way up, and the most
COLOURS = ((0.0, BELOW[1]), (0.25, BELOW[0]), (0.5, "#000000"), (0.75, ABOVE[0]), (1.0, ABOVE[1]))
GAP = 255  # the palette's last entry: what lies between tiles, transparent
STEPS = 127  # of the palette on either side of zero
TILE = 128  # pixels of a tile's side, about; shown at half of that it is sharp on every screen
MAX_TILES = 64


def _palette() -> list[int]:
    """768 numbers: 255 colours from the most negative to the most positive, then one for the gaps."""
    stops = [place for place, _ in COLOURS]
    colours = np.array([[int(colour[first : first + 2], 16) for first in (1, 3, 5)] for _, colour in COLOURS])
    places = np.linspace(0, 1, 2 * STEPS + 1)
    levels = np.stack([np.interp(places, stops, colours[:, part]) for part in range(3)], 1)
    return [*levels.round().astype(int).ravel().tolist(), 0, 0, 0]


PALETTE = _palette()


def indices(values: Values, most: float) -> Pixels:
    """Each value's place in the palette: 127 at zero, 254 at `most`, 0 at minus `most`."""
    return np.asarray(np.rint(np.clip(values / (most or 1.0), -1, 1) * STEPS) + STEPS, np.uint8)


def strongest(values: Values) -> float:
    """The scale of a sheet: the largest absolute value on it."""
    return float(np.abs(values).max(initial=0))


def sheet(tiles: Values, per_row: int, most: float | None = None, tile: int = TILE) -> bytes:
    """The tiles (N, H, W) side by side, `per_row` in a row, as a PNG; each about `tile` pixels wide.

    `most`: what the brightest colour stands for; by default the largest absolute value of all.
    """
    count, height, width = tiles.shape
    zoom = max(1, round(tile / max(height, width)))
    shown = indices(tiles, strongest(tiles) if most is None else most)
    rows = -(-count // per_row)
    gap = max(2, tile // 16)
    high, wide = height * zoom + gap, width * zoom + gap
    picture = np.full((rows * high - gap, min(per_row, count) * wide - gap), GAP, np.uint8)
    for number, each in enumerate(shown):
        top, left = number // per_row * high, number % per_row * wide
        picture[top : top + height * zoom, left : left + width * zoom] = each.repeat(zoom, 0).repeat(zoom, 1)
    return _png(picture)


def filter_sheet(kernels: Values, tile: int = 12) -> bytes:
    """The kernels (out, in, k, k) as a PNG: a row for each output channel, a column for each input channel."""
    out, into, size, _ = kernels.shape
    return sheet(kernels.reshape(out * into, size, size), into, tile=tile * size)


def _png(picture: Pixels) -> bytes:
    image = Image.fromarray(picture, "P")
    image.putpalette(PALETTE)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=GAP)
    return file.getvalue()


def in_rows(count: int) -> int:
    """How many tiles stand in a row, at most ten, so that the rows are about as long as one another."""
    return max(1, -(-count // -(-count // 10)))


def legend() -> bytes:
    """The colours from the most negative to the most positive, as a PNG."""
    return _png(np.repeat(np.arange(2 * STEPS + 1, dtype=np.uint8)[None], 12, axis=0))


def coloured(values: Values) -> Pixels:
    """Values (H, W) as colours (H, W, 3)."""
    table = np.array(PALETTE, np.uint8).reshape(-1, 3)
    return table[indices(values, strongest(values))]


# ------------------------------------------------------------------------------------------------ arithmetic of a value


def arithmetic(found: PixelArithmetic, which: int, height: int = 250) -> go.Figure:
    """Patch, kernel and their product for input channel `found.inputs[which]`, with every number."""
    grids = (found.patches[which], found.kernels[which], found.products[which])
    titles = ("patch", "× kernel", "= product")
    figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.04)
    size = grids[0].shape[0]
    digits = 2 if size <= 5 else 1
    for column, grid in enumerate(grids, 1):
        words = [[_short(value, digits) for value in row] for row in grid]
        if column != 2:
            words = [
                ["pad" if outside and column == 1 else word for word, outside in zip(*pair, strict=True)]
                for pair in zip(words, found.padded, strict=True)
            ]
        most = strongest(grid) or 1.0
        figure.add_heatmap(
            z=grid, text=words, texttemplate="%{text}", textfont={"size": 14 if size <= 5 else 10},
            colorscale=COLOURS, zmin=-1.35 * most, zmax=1.35 * most, showscale=False, xgap=2, ygap=2,
            hovertemplate="row %{y}, column %{x}: %{z:.5f}<extra></extra>", row=1, col=column,
        )  # fmt: skip
    figure.update_xaxes(visible=False, constrain="domain", fixedrange=True)
    figure.update_yaxes(visible=False, autorange="reversed", fixedrange=True)
    for axis in ("", "2", "3"):
        figure.update_layout({f"yaxis{axis}": {"scaleanchor": f"x{axis}", "constrain": "domain"}})
    return laid_out(figure, height).update_layout(showlegend=False, margin={"l": 4, "r": 4, "t": 30, "b": 4})


def _short(value: float, digits: int) -> str:
    text = rounded(value, digits)
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", "−")


# --------------------------------------------------------------------------------------------- what the answer rests on


def over_digit(values: Values, digit: Pixels, told: Sequence[Sequence[str]], height: int = 330) -> go.Figure:
    """Values (H, W) in colour, the digit's outline on top; `told` is what the hover says of each pixel."""
    most = strongest(values) or 1.0
    size = digit.shape[0]
    figure = go.Figure(
        go.Heatmap(
            z=values.round(4), colorscale=COLOURS, zmin=-most, zmax=most, showscale=False, customdata=told,
            hovertemplate="row %{y}, column %{x}<br>%{customdata}<extra></extra>",
        )
    )  # fmt: skip
    figure.add_contour(
        z=digit, contours={"start": 100, "end": 100, "size": 1, "coloring": "none"}, showscale=False,
        line={"color": "#FFFFFF", "width": 1.5, "smoothing": 0.6}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(range=[-0.5, size - 0.5], visible=False, constrain="domain", fixedrange=True)
    figure.update_yaxes(range=[size - 0.5, -0.5], visible=False, scaleanchor="x", constrain="domain", fixedrange=True)
    return laid_out(figure, height).update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, showlegend=False)


def occluded(found: Occlusion, digit: Pixels) -> go.Figure:
    """By how much the evidence falls when a square about the pixel is covered."""
    told = [
        [f"p {p:.2%}, read as {read}" for p, read in zip(*pair, strict=True)]
        for pair in zip(found.probability, found.read_as, strict=True)
    ]
    return over_digit(found.fall, digit, told)


def gradients(gradient: Values, digit: Pixels) -> go.Figure:
    """How the evidence changes with each pixel."""
    told = [[f"{signed_words(value, 2)} log-odds for white in place of black" for value in row] for row in gradient]
    return over_digit(gradient, digit, told)


# --------------------------------------------------------------------------------------------------------- dead filters


def answering(found: Sequence[Activity], height: int = 320) -> go.Figure:
    """The share of digits on which each channel is active, a row of points for each ReLU; dead ones are at 0."""
    figure = go.Figure()
    names = [each.layer.name for each in found]
    for each in found:
        dead = each.answers == 0
        figure.add_scatter(
            x=100 * each.answers, y=[each.layer.name] * len(each.answers), mode="markers", showlegend=False,
            customdata=list(range(len(each.answers))),
            marker={
                "size": 11, "opacity": 0.75, "color": [TEST if gone else "#0072B2" for gone in dead],
                "symbol": ["x" if gone else "circle" for gone in dead],
            },
            hovertemplate="%{y}, channel %{customdata}: active on %{x:.1f}% of the digits<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="digits on which the channel is active, %", range=[-3, 103], fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], fixedrange=True)
    return laid_out(figure, height).update_layout(showlegend=False, margin={"l": 80, "t": 8})
