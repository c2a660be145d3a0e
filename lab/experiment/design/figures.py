"""The feature maps of a network as boxes drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import plotly.graph_objects as go

from core.architecture.sizes import shape_words
from core.architecture.spec import AvgPool, Conv, Flatten, GlobalAvgPool, Linear, MaxPool, Op, Shape, op_words
from core.architecture.trace import Trace
from lab.ui.colours import CLAIM, PASS, TEST, TRAIN, VALIDATION, faded
from lab.ui.figures import laid_out

SLANT = 0.3  # of a pixel, right and up, that a pixel of width is drawn as: the third axis
GAP = 2.5  # pixels between boxes
PITCH = 7.5  # pixels at least from one box to the next: their names must not run into each other
ROOM = 112.0  # pixels side by side that a figure 900 wide has, where the image's 28 are drawn 8 each
MAX_UPRIGHT = 14  # boxes whose names can stand upright beside each other
THINNEST, THICKEST = 0.6, 26.0  # pixels a box is thick, whatever its channels
FACES = ("front", "top", "side")
SHADES = {"front": 0.85, "top": 0.5, "side": 0.65}  # opacity
LINEAR = "#CC79A7"
Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FeatureMap:
    """What comes out of an op that changes the shape; the image itself for the first."""

    index: int  # of the op; -1 for the image
    name: str
    kind: str
    shape: Shape
    words: str


KINDS: dict[str, str] = {
    "input": CLAIM,
    "convolution": TRAIN,
    "max pool": VALIDATION,
    "average pool": PASS,
    "linear layer": LINEAR,
}


def feature_maps(walked: Trace) -> list[FeatureMap]:
    """The image and every output that differs in shape or meaning from what came in; ReLUs and their like do not."""
    maps = [FeatureMap(-1, "input", "input", walked.architecture.input, "the image")]
    for layer in walked.layers:
        kind = _kind(layer.op)
        if kind and not (isinstance(layer.op, Flatten) and layer.input[1:] in ((1, 1), ())):
            words = f"{op_words(layer.op)}, field {layer.field.size}"
            maps.append(FeatureMap(layer.index, layer.name, kind, layer.output, words))
    return maps


def _kind(op: Op) -> str:
    if isinstance(op, Conv):
        return "convolution"
    if isinstance(op, MaxPool):
        return "max pool"
    if isinstance(op, AvgPool | GlobalAvgPool):
        return "average pool"
    return "linear layer" if isinstance(op, Linear | Flatten) else ""


def diagram(walked: Trace, selected: int, height: int = 370) -> go.Figure:
    """A box for each feature map: as high and deep as the map, as thick as its channels, on one scale each.

    The op numbered `selected` is framed, or the one before it whose box it works on.
    """
    maps = feature_maps(walked)
    thickness = channel_scale(maps)
    boxes, x = [], 0.0
    for each in maps:
        wide = _thick(each.shape, thickness)
        boxes.append((each, x, wide))
        x += max(PITCH, wide + SLANT * _side(each.shape) + GAP)
    figure = go.Figure()
    for kind, colour in KINDS.items():
        own = [box for box in boxes if box[0].kind == kind]
        for face in FACES if own else ():
            corners = [_face(face, left, wide, _side(each.shape)) for each, left, wide in own]
            figure.add_scatter(
                **_outlines(corners), mode="lines", fill="toself", fillcolor=faded(colour, SHADES[face]),
                line={"color": colour, "width": 1}, name=kind, legendgroup=kind, showlegend=face == "front",
                hoverinfo="skip",
            )  # fmt: skip
    framed = max((index for index, (each, _, _) in enumerate(boxes) if each.index <= selected), default=0)
    each, left, wide = boxes[framed]
    figure.add_scatter(
        **_outlines([_face(face, left, wide, _side(each.shape)) for face in FACES]), mode="lines", name="selected",
        line={"color": TEST, "width": 3}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=[left + wide / 2 for _, left, wide in boxes], y=[0.0] * len(boxes), mode="markers", showlegend=False,
        marker={"size": 24, "opacity": 0}, customdata=[[m.name, shape_words(m.shape), m.words] for m, _, _ in boxes],
        hovertemplate="<b>%{customdata[0]}</b>: %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
    )  # fmt: skip
    _labels(figure, boxes, walked.architecture.input[1])
    return _framed(laid_out(figure, height), x, walked.architecture.input[1])


def channel_scale(maps: Sequence[FeatureMap]) -> float:
    """Pixels that a channel is drawn thick, at most one: as much as lets all boxes stand side by side."""
    taken = sum(max(SLANT * _side(each.shape) + GAP, PITCH - THINNEST) for each in maps)
    room = max(ROOM * _side(maps[0].shape) / 28 - taken, 0.2 * taken)
    return min(1.0, room / sum(min(each.shape[0], 64) for each in maps))


def is_cut(each: FeatureMap, scale: float) -> bool:
    """Whether the box has more channels than can be drawn."""
    return each.shape[0] * scale > THICKEST


def in_words(walked: Trace) -> str:
    """The diagram as a sentence."""
    return " → ".join(f"{each.name} {shape_words(each.shape)}" for each in feature_maps(walked))


def _side(shape: Shape) -> int:
    return shape[1] if len(shape) == 3 else 1


def _thick(shape: Shape, scale: float) -> float:
    return min(THICKEST, max(THINNEST, shape[0] * scale))


def _face(face: str, left: float, wide: float, side: int) -> Corners:
    """The corners of one face of a box: it stands on the axis's middle, its width runs off to the right and up."""
    right, low, high, off = left + wide, -side / 2, side / 2, SLANT * side
    if face == "front":
        return (left, low), (right, low), (right, high), (left, high)
    if face == "top":
        return (left, high), (right, high), (right + off, high + off), (left + off, high + off)
    return (right, low), (right + off, low + off), (right + off, high + off), (right, high)


def _outlines(faces: Sequence[Corners]) -> dict[str, list[float | None]]:
    """Closed outlines in one trace, parted by gaps."""
    points = list(chain.from_iterable((*corners, corners[0], (None, None)) for corners in faces))
    return {"x": [x for x, _ in points], "y": [y for _, y in points]}


def _labels(figure: go.Figure, boxes: Sequence[tuple[FeatureMap, float, float]], size: int) -> None:
    """Name and shape under each box, slanted where there are too many to stand beside each other."""
    crowded = len(boxes) > MAX_UPRIGHT
    figure.update_layout(
        annotations=[
            {
                "x": left + wide / 2, "y": -size / 2 - 0.5, "text": _label(each, ", " if crowded else "<br>"),
                "showarrow": False, "yanchor": "top", "xanchor": "right" if crowded else "center",
                "textangle": -50 if crowded else 0, "font": {"size": 12},
            }
            for each, left, wide in boxes
        ]
    )  # fmt: skip


def _label(each: FeatureMap, parting: str) -> str:
    """`conv1`, `8 x`, `26 x 26`; of a vector the number of its values."""
    lines = [f"{each.shape[0]:,} x", f"{each.shape[1]} x {each.shape[2]}"] if len(each.shape) == 3 else []
    return parting.join(
        [f"<b>{each.name.replace('globalavgpool', 'global')}</b>", *(lines or [f"{each.shape[0]:,}", "values"])]
    )


def _framed(figure: go.Figure, right: float, size: int) -> go.Figure:
    """One scale for both axes, with room above for the slant and below for three lines of words."""
    wide = max(right, ROOM * size / 28)
    figure.update_xaxes(visible=False, range=[-0.045 * wide, wide], constrain="domain")
    figure.update_yaxes(
        visible=False, range=[-0.5 * size - 9, (0.5 + SLANT) * size + 1], scaleanchor="x", constrain="domain"
    )
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 30, "b": 0}, hovermode="closest", dragmode=False)
