"""Where the names of a figure's marks stand: boxes of words beside marks, in pixels, y upwards."""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[float, float, float, float]  # x from, x to, y from, y to
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))  # right of the mark, left, above, below
CORNERS = ((1, 1), (-1, 1), (1, -1), (-1, -1))
WORDS_COUNT = 20  # times as much as marks and lines: a word on a word cannot be read
SWEEPS = 4  # times that each word looks for its place


def beside(x: float, y: float, way: tuple[int, int], width: float, height: float) -> Box:
    """The box of a word, `width` by `height`, beside a mark at (x, y): one of SIDES or CORNERS."""
    right, up = way
    gap = 10.0 if not (right and up) else 5.0
    middle_x, middle_y = x + right * (gap + width / 2), y + up * (gap + height / 2)
    half = width / 2 + 2  # with the room that parts two words
    return middle_x - half, middle_x + half, middle_y - height / 2, middle_y + height / 2


def shared(one: Box, other: Box) -> float:
    """The area that two boxes share; 0.0 where they only touch."""
    wide, high = min(one[1], other[1]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[2], other[2])
    return max(0.0, wide) * max(0.0, high)


def least_shared(marks: Sequence[tuple[float, float, float]], taken: Sequence[Box], height: float) -> list[Box]:
    """The boxes of words beside marks (x, y, the word's width), of all ways those that share the least area.

    One after the other, and then each again, as the others stand by now.
    """
    ways = [[beside(x, y, way, width, height) for way in (*SIDES, *CORNERS)] for x, y, width in marks]
    boxes: list[Box] = []
    for turn in range(len(ways) * SWEEPS):
        number = turn % len(ways)
        words = [*boxes[:number], *boxes[number + 1 :]] * WORDS_COUNT
        best = min(
            ways[number], key=lambda box: sum(shared(box, other) for other in [*taken, *words])
        )  # else the first
        boxes[number : number + 1] = [best]
    return boxes


def free(x: float, y: float, width: float, height: float, taken: Sequence[Box], panel: Box) -> Box | None:
    """The first box at a side of the mark that lies in the panel and shares nothing; None where there is none."""
    for way in SIDES:
        box = beside(x, y, way, width, height)
        inside = panel[0] <= box[0] and box[1] <= panel[1] and panel[2] <= box[2] and box[3] <= panel[3]
        if inside and not any(shared(box, other) for other in taken):
            return box
    return None


def shifts(x: float, y: float, box: Box) -> dict[str, float]:
    """What brings a word's middle from its mark to its box, as Plotly's annotations take it."""
    return {"xshift": (box[0] + box[1]) / 2 - x, "yshift": (box[2] + box[3]) / 2 - y}
