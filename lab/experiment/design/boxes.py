"""Where the boxes of a network's diagram stand: side by side, the ops of a shortcut in a lane above the body's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.architecture.place import Place
from core.architecture.sizes import shape_words
from core.architecture.spec import (
    AvgPool,
    Concatenate,
    Conv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Linear,
    MaxPool,
    Op,
    Repeat,
    Shape,
    SqueezeExcite,
    op_words,
)
from core.architecture.trace import Layer, Trace

SLANT = 0.3  # of a pixel, right and up, that a pixel of width is drawn as: the third axis
GAP = 2.5  # pixels between boxes
PITCH = 7.5  # pixels at least from one box to the next: their names must not run into each other
ROOM = 112.0  # pixels side by side that a figure 900 wide has, where the image's 28 are drawn 8 each
THINNEST, THICKEST = 0.6, 26.0  # pixels a box is thick, whatever its channels
NAMES = 8.5  # pixels below a lane for the names of its boxes
IMAGE: Place = (-1,)
JOIN = "side by side"  # the kind of what comes out of a Concatenate


@dataclass(frozen=True)
class FeatureMap:
    """What comes out of an op that changes the shape; the image itself for the first."""

    place: Place  # of the op; IMAGE for the image
    name: str
    kind: str
    shape: Shape
    words: str

    @property
    def side(self) -> int:
        return self.shape[1] if len(self.shape) == 3 else 1

    @property
    def order(self) -> Place:
        """Places sorted by it are in the order of drawing: what joins two branches comes after the boxes in them."""
        return (*self.place, 2) if self.kind == JOIN else self.place


@dataclass(frozen=True)
class Box:
    """A map where it is drawn: its left edge, its thickness, and the height of its middle."""

    map: FeatureMap
    left: float
    wide: float
    middle: float


@dataclass(frozen=True)
class Path:
    """A way around a body: up at `start`, across at `top`, down at `end`, where it meets what the body gives."""

    start: float
    end: float
    middle: float
    top: float
    sign: str
    cut: tuple[float, float] | None = None  # where the shortcut's own boxes interrupt it


@dataclass(frozen=True)
class Frame:
    """Around the ops that run several times."""

    left: float
    right: float
    bottom: float
    top: float
    times: int


@dataclass
class Drawing:
    """All of it; it is filled from left to right."""

    scale: float  # pixels that a channel is thick
    boxes: list[Box] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    right: float = 0.0
    top: float = 0.0


def drawing(walked: Trace) -> Drawing:
    """The boxes, paths and frames of a network."""
    maps = feature_maps(walked)
    drawn = Drawing(channel_scale(maps))
    drawn.right, drawn.top = _box(drawn, maps[0], 0.0, 0.0)
    drawn.right, top = _draw(drawn, walked.layers, (), drawn.right, 0.0)
    drawn.top = max(drawn.top, top)
    return drawn


def feature_maps(walked: Trace) -> list[FeatureMap]:
    """The image and every output that differs in shape or meaning from what came in; ReLUs and their like do not."""
    image = FeatureMap(IMAGE, "input", "input", walked.architecture.input, "the image")
    return [image, *_maps(walked.layers, ())]


def _maps(layers: tuple[Layer, ...], within: Place) -> list[FeatureMap]:
    found = []
    for layer in layers:
        place = (*within, layer.index)
        for number, branch in enumerate(_shown(layer)):
            found += _maps(branch, (*place, number))
        if kind := kind_of(layer):
            words = f"{op_words(layer.op)}, field {layer.field.size}"
            found.append(FeatureMap(place, layer.name, kind, layer.output, words))
    return found


def _shown(layer: Layer) -> tuple[tuple[Layer, ...], ...]:
    """The branches that are drawn: of Repeat the first time."""
    return layer.branches[:1] if isinstance(layer.op, Repeat) else layer.branches


def kind_of(layer: Layer) -> str:
    """The kind of a box; empty for an op that has none."""
    kinds: tuple[tuple[tuple[type[Op], ...], str], ...] = (
        ((Conv,), "convolution"),
        ((MaxPool, GlobalMaxPool), "max pool"),
        ((AvgPool, GlobalAvgPool), "average pool"),
        ((Linear, Flatten), "linear layer"),
        ((SqueezeExcite,), "squeeze-excite"),
        ((Concatenate,), JOIN),
    )
    if isinstance(layer.op, Flatten) and layer.input[1:] in ((1, 1), ()):
        return ""
    return next((name for each, name in kinds if isinstance(layer.op, each)), "")


def channel_scale(maps: Sequence[FeatureMap]) -> float:
    """Pixels that a channel is drawn thick, at most one: as much as lets all boxes stand side by side."""
    taken = sum(max(SLANT * each.side + GAP, PITCH - THINNEST) for each in maps)
    room = max(ROOM * maps[0].side / 28 - taken, 0.2 * taken)
    return min(1.0, room / sum(min(each.shape[0], 64) for each in maps))


def is_cut(each: FeatureMap, scale: float) -> bool:
    """Whether the box has more channels than can be drawn."""
    return each.shape[0] * scale > THICKEST


def in_words(walked: Trace) -> str:
    """The diagram as a sentence."""
    parts = [f"input {shape_words(walked.architecture.input)}", *_words(walked.layers)]
    return " → ".join(parts)


def _words(layers: tuple[Layer, ...]) -> list[str]:
    parts = []
    for layer in layers:
        if layer.branches:
            body, *rest = (" → ".join(_words(branch)) for branch in _shown(layer))
            if isinstance(layer.op, Repeat):
                parts.append(f"{layer.op.times} times ({body or 'no change of shape'})")
            else:
                joined = "beside" if isinstance(layer.op, Concatenate) else "plus"
                other = rest[0] or ("the same" if layer.branches[1] else "its input")
                parts.append(f"({body or 'no change of shape'}, {joined} {other}) {shape_words(layer.output)}")
        elif kind_of(layer):
            parts.append(f"{layer.name} {shape_words(layer.output)}")
    return parts


def _draw(drawn: Drawing, layers: tuple[Layer, ...], within: Place, x: float, middle: float) -> tuple[float, float]:
    """Draw ops that stand together from x on; where the next begins, and the top of what was drawn."""
    top = middle
    for layer in layers:
        place = (*within, layer.index)
        if isinstance(layer.op, Repeat):
            x, reached = _repeat(drawn, layer, place, x, middle)
            top = max(top, reached)
        elif layer.branches:
            x, reached = _joined(drawn, layer, place, x, middle)
            top = max(top, reached)
        if kind := kind_of(layer):
            words = f"{op_words(layer.op)}, field {layer.field.size}"
            x, reached = _box(drawn, FeatureMap(place, layer.name, kind, layer.output, words), x, middle)
            top = max(top, reached)
    return x, top


def _repeat(drawn: Drawing, layer: Layer, place: Place, x: float, middle: float) -> tuple[float, float]:
    start = x + GAP
    lowest = middle - _half(layer) - 0.6
    end, top = _draw(drawn, layer.branches[0], (*place, 0), start, middle)
    end = max(end, start + PITCH)
    times = layer.op.times if isinstance(layer.op, Repeat) else 1
    top = max(top, middle + _half(layer)) + 1.5
    drawn.frames.append(Frame(start - GAP / 2, end - GAP / 4, lowest, top, times))
    return end + GAP, top + 3


def _joined(drawn: Drawing, layer: Layer, place: Place, x: float, middle: float) -> tuple[float, float]:
    """The body, the way around it with the shortcut's boxes on it, and where they are joined."""
    start = x + GAP / 2
    end, top = _draw(drawn, layer.branches[0], (*place, 0), start + GAP / 2, middle)
    end = max(end, start + PITCH)
    across = max(top, middle + _half(layer)) + 1.5
    cut = None
    if shortcut := layer.branches[1]:
        half = max(_half(each) for each in shortcut)
        lane = across + NAMES + half
        count = len(drawn.boxes)
        right, reached = _draw(drawn, shortcut, (*place, 1), start + GAP, lane)
        if len(drawn.boxes) > count:
            cut, across, top = (start + GAP / 2, right - GAP / 2), lane, reached
            end = max(end, right)
    end += GAP / 2
    sign = "+" if not isinstance(layer.op, Concatenate) else "∥"
    drawn.paths.append(Path(start, end, middle, across, sign, cut))
    return end + 1.5 * GAP, max(top, across)


def _box(drawn: Drawing, each: FeatureMap, x: float, middle: float) -> tuple[float, float]:
    wide = min(THICKEST, max(THINNEST, each.shape[0] * drawn.scale))
    drawn.boxes.append(Box(each, x, wide, middle))
    return x + max(PITCH, wide + SLANT * each.side + GAP), middle + (0.5 + SLANT) * each.side


def _half(layer: Layer) -> float:
    """Half the height of what comes out of an op, with its slant on top."""
    return (0.5 + SLANT) * (layer.output[1] if len(layer.output) == 3 else 1)
