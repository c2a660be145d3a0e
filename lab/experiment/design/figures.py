"""The feature maps of a network as boxes drawn to scale, with the ways around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import plotly.graph_objects as go

from core.architecture.place import Place
from core.architecture.sizes import shape_words
from core.architecture.trace import Trace
from lab.experiment.design.boxes import JOIN, NAMES, ROOM, SLANT, Box, Drawing, FeatureMap, Frame, Path, drawing
from lab.ui.colours import CLAIM, FRONT, PASS, TEST, TRAIN, VALIDATION, faded
from lab.ui.figures import laid_out

HEIGHT = 370  # pixels of the figure of a network in one lane
MAX_HEIGHT = 760
MAX_UPRIGHT = 14  # boxes whose names can stand upright beside each other
FACES = ("front", "top", "side")
SHADES = {"front": 0.85, "top": 0.5, "side": 0.65}  # opacity
CORNER = 1.2  # pixels that a path's corners are rounded by
Corners = tuple[tuple[float, float], ...]
KINDS: dict[str, str] = {
    "input": CLAIM,
    "convolution": TRAIN,
    "max pool": VALIDATION,
    "average pool": PASS,
    "linear layer": "#CC79A7",
    "squeeze-excite": "#F0E442",
    JOIN: FRONT,
}


def diagram(walked: Trace, selected: Place) -> go.Figure:
    """A box for each feature map: as high and deep as the map, as thick as its channels, on one scale each.

    The selected op is framed, or the one before it whose box it works on. A shortcut leads around its body, and what
    runs several times has a frame.
    """
    drawn = drawing(walked)
    figure = go.Figure()
    for kind, colour in KINDS.items():
        own = [box for box in drawn.boxes if box.map.kind == kind]
        for face in FACES if own else ():
            figure.add_scatter(
                **_outlines([_face(face, box) for box in own]),
                mode="lines",
                fill="toself",
                fillcolor=faded(colour, SHADES[face]),
                line={"color": colour, "width": 1},
                name=kind,
                legendgroup=kind,
                showlegend=face == "front",
                hoverinfo="skip",
            )
    framed = [box for box in drawn.boxes if box.map.order <= (*selected, 2)][-1]
    figure.add_scatter(
        **_outlines([_face(face, framed) for face in FACES]),
        mode="lines",
        name="selected",
        line={"color": TEST, "width": 3},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=[box.left + box.wide / 2 for box in drawn.boxes],
        y=[box.middle for box in drawn.boxes],
        mode="markers",
        showlegend=False,
        marker={"size": 24, "opacity": 0},
        customdata=[[box.map.name, shape_words(box.map.shape), box.map.words] for box in drawn.boxes],
        hovertemplate="<b>%{customdata[0]}</b>: %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
    )
    size = walked.architecture.input[1]
    figure.update_layout(
        shapes=[*map(_path_line, drawn.paths), *map(_frame_line, drawn.frames)],
        annotations=[*_labels(drawn, size), *map(_sign, drawn.paths), *map(_times, drawn.frames)],
    )
    return _framed(laid_out(figure, height_of(drawn, size)), drawn, size)


def height_of(drawn: Drawing, size: int) -> int:
    """Pixels of the figure: more where lanes stand above each other."""
    alone = (1 + SLANT) * size + NAMES + 1.5
    return min(MAX_HEIGHT, round(HEIGHT * max(1.0, (size / 2 + NAMES + 0.5 + drawn.top + 1) / alone)))


def _face(face: str, box: Box) -> Corners:
    """The corners of one face of a box: around its middle, its width runs off to the right and up."""
    side, left, right = box.map.side, box.left, box.left + box.wide
    low, high, off = box.middle - side / 2, box.middle + side / 2, SLANT * side
    if face == "front":
        return (left, low), (right, low), (right, high), (left, high)
    if face == "top":
        return (left, high), (right, high), (right + off, high + off), (left + off, high + off)
    return (right, low), (right + off, low + off), (right + off, high + off), (right, high)


def _outlines(faces: Sequence[Corners]) -> dict[str, list[float | None]]:
    """Closed outlines in one trace, parted by gaps."""
    points = list(chain.from_iterable((*corners, corners[0], (None, None)) for corners in faces))
    return {"x": [x for x, _ in points], "y": [y for _, y in points]}


def _path_line(path: Path) -> dict[str, object]:
    """A way around a body, with round corners; interrupted where the shortcut's boxes are."""
    x, y, r = (path.start, path.end), (path.middle, path.top), CORNER
    rise = f"M {x[0]},{y[0]} L {x[0]},{y[1] - r} Q {x[0]},{y[1]} {x[0] + r},{y[1]}"
    fall = f"L {x[1] - r},{y[1]} Q {x[1]},{y[1]} {x[1]},{y[1] - r} L {x[1]},{y[0]}"
    gap = f"L {path.cut[0]},{y[1]} M {path.cut[1]},{y[1]}" if path.cut else ""
    return {"type": "path", "path": f"{rise} {gap} {fall}", "line": {"color": CLAIM, "width": 2}}


def _frame_line(frame: Frame) -> dict[str, object]:
    return {
        "type": "rect",
        "x0": frame.left,
        "x1": frame.right,
        "y0": frame.bottom,
        "y1": frame.top,
        "line": {"color": CLAIM, "width": 2, "dash": "dash"},
    }


def _sign(path: Path) -> dict[str, object]:
    """What happens where the ways meet."""
    return {
        "x": path.end,
        "y": path.middle,
        "text": f"<b>{path.sign}</b>",
        "showarrow": False,
        "bgcolor": CLAIM,
        "font": {"size": 15, "color": "#FFFFFF"},
        "borderpad": 2,
    }


def _times(frame: Frame) -> dict[str, object]:
    return {
        "x": frame.right,
        "y": frame.top,
        "text": f"<b>x {frame.times}</b>",
        "showarrow": False,
        "xanchor": "right",
        "yanchor": "bottom",
        "font": {"size": 14},
    }


def _labels(drawn: Drawing, size: int) -> list[dict[str, object]]:
    """Name and shape under each box, slanted where there are too many to stand beside each other."""
    crowded = sum(box.middle == 0 for box in drawn.boxes) > MAX_UPRIGHT
    letters = max(9, round(12 * min(1.0, ROOM * size / 28 / drawn.right)))  # ways around bodies make it wider
    return [
        {
            "x": box.left + box.wide / 2,
            "y": (-size / 2 if box.middle == 0 else box.middle - box.map.side / 2) - 0.5,
            "text": _label(box.map, ", " if crowded else "<br>"),
            "showarrow": False,
            "yanchor": "top",
            "xanchor": "right" if crowded else "center",
            "textangle": -50 if crowded else 0,
            "font": {"size": letters},
        }
        for box in drawn.boxes
    ]


def _label(each: FeatureMap, parting: str) -> str:
    """`conv1`, `8 x`, `26 x 26`; of a vector the number of its values."""
    lines = [f"{each.shape[0]:,} x", f"{each.shape[1]} x {each.shape[2]}"] if len(each.shape) == 3 else []
    name = (
        each.name.replace("globalavgpool", "global")
        .replace("squeezeexcite", "squeeze")
        .replace("concatenate", "concat")
    )
    return parting.join([f"<b>{name}</b>", *(lines or [f"{each.shape[0]:,}", "values"])])


def _framed(figure: go.Figure, drawn: Drawing, size: int) -> go.Figure:
    """One scale for both axes, with room above for the slant and below for three lines of words."""
    wide = max(drawn.right, ROOM * size / 28)
    figure.update_xaxes(visible=False, range=[-0.045 * wide, wide], constrain="domain")
    figure.update_yaxes(
        visible=False, range=[-0.5 * size - NAMES - 0.5, drawn.top + 1], scaleanchor="x", constrain="domain"
    )
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 30, "b": 0}, hovermode="closest", dragmode=False)
