"""Where to put the names of a figure's marks: beside the marks, or further away, at the end of a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # in pixels: x from, x to, y from, y to; y upwards
Screen = tuple[float, float]  # pixels of a plot, wide and high
Shift = tuple[float, float]  # in pixels, from a mark to the middle of its name
Floats = NDArray[np.float64]

AWAY = (10, 15, 22, 30, 40, 52, 66, 82, 100, 120, 142)  # pixels from a mark to its name
WAYS = 16  # directions
SWEEPS = 8  # times that each name looks for its place, given the places of the others
STEPS = np.linspace(0.3, 0.9, 5)  # points of a line that are checked for what lies below them

# What a place costs; a pixel of distance costs 1.
COVERS_NAME = 3_000.0  # so much and its share of the name
BARRED = 20_000.0  # outside the plot, or on other words
COVERS_MARK = 120.0
CROSSES = 60.0  # another's line or name


@dataclass(frozen=True)
class Mark:
    """A mark that needs a name: its place as shares of the plot, and how many pixels the name is wide."""

    x: float
    y: float
    wide: float


@dataclass(frozen=True)
class _Places:
    """Places that a name may take, on each screen."""

    shifts: Floats  # (places, 2)
    boxes: Floats  # (places, screens, 4)
    mark: Floats  # (screens, 2)
    line: Floats  # (places, screens, steps, 2): points of the line to the mark


def shared(one: Box, other: Box) -> float:
    """The area that two boxes share; 0.0 where they only touch."""
    return float(_shared(np.array(one), np.array(other)))


def box(mark: Mark, shift: Shift, high: float, screen: Screen) -> Box:
    """Where a name stands on a plot of that size; `high`: pixels of its line."""
    x, y = mark.x * screen[0] + shift[0], mark.y * screen[1] + shift[1]
    return x - mark.wide / 2, x + mark.wide / 2, y - high / 2, y + high / 2


def name_places(
    marks: Sequence[Mark],
    high: float,
    screens: Sequence[Screen],
    marks_on: Callable[[Screen], Sequence[Box]],
    words_on: Callable[[Screen], Sequence[Box]],
    furthest: float = AWAY[-1],
) -> list[Shift | None]:
    """How far from its mark each name stands, the same on a plot of any of those sizes; None: there is no room.

    Names cover each other on none of them. `marks_on`: on a plot of that size, the boxes where a name should not stand;
    it may where there is no other place. `words_on`: those where it never does. If two names need the same place, the
    first one gets it. `furthest`: pixels from a mark to its name.
    """
    there = [_places(mark, high, screens, furthest) for mark in marks]
    boxes = [tuple(np.array(some(on)).reshape(-1, 4) for some in (marks_on, words_on)) for on in screens]
    alone = [_cost_alone(each, screens, boxes) for each in there]
    chosen: list[int] = []
    for _ in range(SWEEPS):
        before = list(chosen)
        for number, each in enumerate(there):
            others = [(there[n], choice) for n, choice in enumerate(chosen) if n != number]
            best = int((alone[number] + _cost_beside(each, others)).argmin())
            chosen[number : number + 1] = [best]
        if chosen == before:
            break
    found: list[Shift | None] = []
    stand: list[Floats] = []
    for each, cost, choice in zip(there, alone, chosen, strict=True):
        here = each.boxes[choice]
        if cost[choice] >= BARRED or any(_shared(here, other).any() for other in stand):
            found.append(None)
        else:
            stand.append(here)
            found.append((float(each.shifts[choice][0]), float(each.shifts[choice][1])))
    return found


def _places(mark: Mark, high: float, screens: Sequence[Screen], furthest: float) -> _Places:
    angles = np.arange(WAYS) * 2 * np.pi / WAYS
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    away = np.array([each for each in AWAY if each <= furthest])[:, None, None]
    shifts = (ways * (np.array([mark.wide / 2, high / 2]) + away)).reshape(-1, 2).round(1)
    at = np.array([(mark.x * wide, mark.y * tall) for wide, tall in screens])
    middles = at[None] + shifts[:, None]  # (places, screens, 2)
    half = np.array([mark.wide / 2 + 2, high / 2])  # with the room that parts two words
    low, top = middles - half, middles + half
    boxes = np.stack([low[..., 0], top[..., 0], low[..., 1], top[..., 1]], axis=-1)
    line = at[None, :, None] + STEPS[None, None, :, None] * shifts[:, None, None, :]
    return _Places(shifts, boxes, at, np.broadcast_to(line, (len(shifts), len(screens), len(STEPS), 2)))


def _cost_alone(each: _Places, screens: Sequence[Screen], boxes: Sequence[tuple[Floats, ...]]) -> Floats:
    """What the places cost by themselves: distance, the plot's edge, the marks under the name and its line."""
    cost: Floats = np.hypot(each.shifts[:, 0], each.shifts[:, 1])
    for number, ((wide, tall), (marks, words)) in enumerate(zip(screens, boxes, strict=True)):
        here = each.boxes[:, number, None]  # (places, 1, 4)
        x0, x1, y0, y1 = here[:, 0].T
        barred = (x0 < 0) | (x1 > wide) | (y0 < 0) | (y1 > tall) | _shared(here, words[None]).any(axis=1)
        covered = _shared(here, marks[None])  # (places, marks)
        share = covered.sum(axis=1) / ((x1 - x0) * (y1 - y0))
        cost = cost + BARRED * barred + COVERS_MARK * (share + 0.5 * (covered > 0).any(axis=1))
        others = marks[~_inside(each.mark[number], marks)]
        cost = cost + 8.0 * _inside(each.line[:, number, :, None], others[None, None]).sum(axis=(1, 2))
    return cost


def _cost_beside(each: _Places, others: Sequence[tuple[_Places, int]]) -> Floats:
    """What the places cost because of the other names and lines."""
    if not others:
        return np.zeros(len(each.shifts))
    boxes = np.stack([other.boxes[choice] for other, choice in others])  # (others, screens, 4)
    lines = np.stack([other.line[choice] for other, choice in others])  # (others, screens, steps, 2)
    area = (each.boxes[..., 1] - each.boxes[..., 0]) * (each.boxes[..., 3] - each.boxes[..., 2])
    covered = _shared(each.boxes[:, None], boxes[None])  # (places, others, screens)
    cost = COVERS_NAME * (covered / area[:, None] + (covered > 0)).sum(axis=(1, 2))
    passes = _inside(each.line[:, None], boxes[None, :, :, None]).any(axis=-1)
    under = _inside(lines[None], each.boxes[:, None, :, None]).any(axis=-1)
    starts, ends = np.stack([o.mark for o, _ in others]), np.stack([o.mark + o.shifts[c] for o, c in others])
    cross = _cross(each.mark[None, None], each.mark[None, None] + each.shifts[:, None, None], starts[None], ends[None])
    summed: Floats = cost + CROSSES * (passes.astype(float) + under + cross).sum(axis=(1, 2))
    return summed


def _shared(one: Floats, other: Floats) -> Floats:
    wide = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    high = np.minimum(one[..., 3], other[..., 3]) - np.maximum(one[..., 2], other[..., 2])
    area: Floats = np.maximum(wide, 0) * np.maximum(high, 0)
    return area


def _inside(points: Floats, boxes: Floats) -> NDArray[np.bool_]:
    x, y = points[..., 0], points[..., 1]
    found: NDArray[np.bool_] = (boxes[..., 0] < x) & (x < boxes[..., 1]) & (boxes[..., 2] < y) & (y < boxes[..., 3])
    return found


def _cross(a: Floats, b: Floats, c: Floats, d: Floats) -> NDArray[np.bool_]:
    """Whether the lines from a to b and from c to d cross."""

    def side(p: Floats, q: Floats, r: Floats) -> Floats:
        found: Floats = (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (
            r[..., 0] - p[..., 0]
        )
        return found

    crossing: NDArray[np.bool_] = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    return crossing
