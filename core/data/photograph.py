"""A photograph of digits: which parts of its ink are a digit, each as a white-on-black picture.

Paper in any light, with printed lines, on a table, in a dark frame; chalk on a board; a close crop. What is not one
digit on a ground is said in a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.drawn_digit import Grey
from core.data.focus import in_focus
from core.data.ink import Ink, Levels, frame_of, grey_of, is_bright, on_flat, on_page, reduced, two_levels
from core.data.picture_file import FAINTEST_INK, WHOLE, Crop, read_colours
from core.data.printed_lines import without_lines
from core.errors import DrawingError

MOST_DIGITS = 24  # read in one picture
NOISE_PEAK = 5  # standard deviations of paper: noise, averaged over 3 x 3 pixels, never reaches it
NOISE_FLOOR = 2.5  # standard deviations of paper that are taken off each pixel of a digit
FAINT = 0.25  # of the strongest ink: the soft edge of a stroke is below it
PALE = 0.45  # of the strongest ink: a part that is paler everywhere is no ink of this pen
SMALLEST = 0.08  # of the picture's shorter side: what is smaller is no digit
SPECK = 0.03  # of the largest part's area
SHORT = 0.12  # of the largest part's side
THICK = 0.19  # half a stroke, of the digit's side: 99.7% of MNIST's test digits are thinner
FILLS = 0.85  # of the frame's longer side: a digit in a close crop
SHEET = 0.4  # of the frame's longer side; and
SOLID = 0.93  # of its convex hull, without holes: a sheet of paper, not a digit
TALL = 0.5  # of the tallest digit: what is shorter is a mark beside it


@dataclass(frozen=True)
class Photograph:
    """The digits of a picture, in the order of reading, and what is to be said about it."""

    digits: tuple[Grey, ...]  # each (H, W), white on black, the longer side at most 320 or a little more if turned
    remark: str  # a sentence, or ""


@dataclass(frozen=True)
class Box:
    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def side(self) -> int:
        return max(self.bottom - self.top, self.right - self.left)

    def around(self, other: Box) -> Box:
        """The smallest box with both."""
        return Box(
            min(self.top, other.top), min(self.left, other.left),
            max(self.bottom, other.bottom), max(self.right, other.right),
        )  # fmt: skip

    def holds(self, other: Box) -> bool:
        return self.around(other) == self


@dataclass(frozen=True)
class Part:
    """Ink that hangs together."""

    label: int
    box: Box
    area: int
    peak: float
    touches: bool  # the frame

    @property
    def weight(self) -> float:
        return self.area * self.peak


@dataclass(frozen=True)
class Found:
    """The parts that may be digits."""

    ink: Ink
    labels: NDArray[np.int32]  # (H, W)
    parts: tuple[Part, ...]
    main: Part
    heaviest: bool  # no part that was left out is heavier than the main one


def from_picture(data: bytes) -> Grey:
    """The white-on-black picture (H, W) of the first digit in an image file. Raises DrawingError."""
    return read_photograph(data).digits[0]


def read_photograph(data: bytes, crop: Crop = WHOLE) -> Photograph:
    """The digits in an image file, or in a part of it.

    Raises DrawingError for a file that is not a picture, or is too large, damaged or blank, or has too many parts.
    """
    return photograph_of(read_colours(data, crop))


def photograph_of(colours: NDArray[np.uint8]) -> Photograph:
    """The digits in a picture (H, W, 3). Raises DrawingError where it is blank or has too many parts."""
    grey = grey_of(colours)
    found = _found(grey)
    if found is None:
        contrast = float(np.ptp(grey))
        raise DrawingError(
            f"the picture is blank: contrast {contrast:.0f}, ink has at least {FAINTEST_INK}, and is wider than "
            f"{SMALLEST:.0%} of the picture: come closer to the digit"
        )
    groups = grouped(found.parts)
    tallest = max(box.side for _, box in groups)
    digits = in_reading_order([each for each in groups if each[1].side >= TALL * tallest])
    if len(digits) > MOST_DIGITS:
        raise DrawingError(f"the picture has {len(digits):,} parts of ink, at most {MOST_DIGITS} are read: crop it")
    pictures = tuple(_alone(found, parts) for parts, _ in digits)
    return Photograph(pictures, _remark(len(digits), len(groups) - len(digits), found))


def _remark(digits: int, marks: int, found: Found) -> str:
    said = []
    if digits > 1:
        said.append(f"There are {digits} digits or parts far apart in the picture: each is read by itself, in order.")
    if marks:
        said.append("Marks beside the digit are left out.")
    if found.main.touches:
        said.append("The ink touches the edge of the picture, so a part of the digit may be missing.")
    return " ".join(said)


def _found(grey: Levels) -> Found | None:
    """The parts that may be digits: on a page, else filling the frame, else of the other brightness."""
    small = reduced(grey)
    levels = two_levels(small)
    vote = is_bright(small)
    if levels is not None and (frame_of(levels).all() or not frame_of(levels).any()):
        vote = not levels[0, 0]
    first = _parts(without_lines(on_page(grey, vote)))
    sheet = first is not None and _is_sheet(first)
    if first and not sheet and first.heaviest and not first.main.touches and _is_stroke(first):
        return first
    if levels is not None and not sheet and (filling := _filling(grey, levels)):
        return filling
    if first and not sheet and not first.main.touches and _is_stroke(first):
        return first
    second = _parts(without_lines(on_page(grey, not vote)))
    if first is None or second is None:
        return first or second
    better = sheet or not _is_stroke(first)
    inside = not second.main.touches and second.main.box.side > SMALLEST * min(grey.shape)
    return second if better and inside and _is_stroke(second) else first


def _filling(grey: Levels, levels: NDArray[np.bool_]) -> Found | None:
    """A digit that fills its frame on a ground of one level, by the corners; None where there is none."""
    corners = int(levels[[0, 0, -1, -1], [0, -1, 0, -1]].sum())
    bright_ground = corners > 2 if corners != 2 else bool(frame_of(levels).mean() > 0.5)
    tried = (not bright_ground,) if corners in (0, 4) else (not bright_ground, bright_ground)
    for bright in tried:
        found = _parts(on_flat(grey, bright)) if 0.1 < float((levels == bright).mean()) < 0.9 else None
        if found and found.main.touches and _is_stroke(found) and found.main.box.side > FILLS * max(grey.shape):
            return found
    return None


def _parts(ink: Ink) -> Found | None:
    """The parts of the ink, and the heaviest of them that is large enough and free of the frame, if one is."""
    least = max(NOISE_PEAK * ink.noise, FAINTEST_INK * 0.8)
    labels, parts = _labelled(ink, least)
    main = _main(parts, ink)
    if main is None:
        return None
    labels, parts = _labelled(ink, max(least, FAINT * main.peak))
    parts = [part for part in parts if part.peak > PALE * main.peak]
    main = _main(parts, ink)
    if main is None or main.peak < FAINTEST_INK:
        return None
    large = [part for part in parts if part.area > SPECK * main.area and part.box.side > SHORT * main.box.side]
    kept = tuple(part for part in large if main.touches or not part.touches)
    return Found(ink, labels, kept, main, all(part.weight <= main.weight for part in parts))


def _main(parts: Sequence[Part], ink: Ink) -> Part | None:
    free = [part for part in parts if not part.touches and part.box.side > SMALLEST * min(ink.levels.shape)]
    return max(free or parts, key=lambda part: part.weight, default=None)


def _labelled(ink: Ink, least: float) -> tuple[NDArray[np.int32], list[Part]]:
    from scipy import ndimage

    calm = ndimage.uniform_filter(ink.levels, 3) if min(ink.levels.shape) > 60 else ink.levels
    labels, count = ndimage.label((calm > least) & ink.valid, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    peaks = ndimage.maximum(calm, labels, np.arange(1, count + 1)) if count else []
    inner = ndimage.binary_erosion(ink.valid)
    touching = set(np.unique(labels[ink.valid & ~inner]).tolist())
    return labels, [
        Part(
            label,
            Box(rows.start, columns.start, rows.stop, columns.stop),
            int(areas[label]),
            float(peak),
            label in touching,
        )
        for label, ((rows, columns), peak) in enumerate(zip(ndimage.find_objects(labels), peaks, strict=True), start=1)
    ]


def _mask(found: Found) -> NDArray[np.bool_]:
    """The main part, in its box with a margin of one pixel."""
    box = found.main.box
    return np.pad(found.labels[box.top : box.bottom, box.left : box.right] == found.main.label, 1)


def _is_stroke(found: Found) -> bool:
    """Is the main part as thin as a digit?"""
    from scipy import ndimage

    thickest: int = ndimage.distance_transform_cdt(_mask(found), "chessboard").max()
    return thickest <= max(THICK * found.main.box.side, 1)


def _is_sheet(found: Found) -> bool:
    """Is the main part a sheet of paper: large, convex but for what is written on it?"""
    if found.main.box.side < SHEET * max(found.ink.levels.shape):
        return False
    from scipy import ndimage
    from scipy.spatial import ConvexHull, QhullError

    filled = ndimage.binary_fill_holes(_mask(found))
    try:
        hull = float(ConvexHull(np.argwhere(filled)).volume)  # in two dimensions its area
    except QhullError:
        return False  # a line
    return float(filled.sum()) > SOLID * hull and float(_mask(found).sum()) > 0.3 * found.main.box.side**2


def grouped(parts: Sequence[Part]) -> list[tuple[list[Part], Box]]:
    """Parts that are close to each other, as one digit each."""
    groups = [([part], part.box) for part in parts]
    joined = True
    while joined:
        joined = False
        for one in range(len(groups)):
            other = next((each for each in range(one + 1, len(groups)) if _near(groups[one][1], groups[each][1])), None)
            if other is not None:
                parts_of, box = groups.pop(other)
                groups[one] = groups[one][0] + parts_of, groups[one][1].around(box)
                joined = True
                break
    return groups


def _near(one: Box, other: Box) -> bool:
    """Are these two of one digit? Two that stand side by side and are of one height are two digits."""
    across = max(one.left, other.left) - min(one.right, other.right)  # the gap; below 0 they overlap
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    side = max(one.side, other.side)
    if across > 0 > down and min(one.height, other.height) > 0.6 * max(one.height, other.height):
        return across < 0.08 * side
    return max(across, 0) + max(down, 0) < 0.22 * side


def in_reading_order(groups: Sequence[tuple[list[Part], Box]]) -> list[tuple[list[Part], Box]]:
    """From left to right, line by line."""
    lines: list[list[tuple[list[Part], Box]]] = []
    for each in sorted(groups, key=lambda group: group[1].top):
        middle = (each[1].top + each[1].bottom) / 2
        line = next((line for line in lines if line[0][1].top <= middle <= line[0][1].bottom), None)
        if line is None:
            lines.append([each])
        else:
            line.append(each)
    return [each for line in lines for each in sorted(line, key=lambda group: group[1].left)]


def _alone(found: Found, parts: Sequence[Part]) -> Grey:
    """The picture with these parts alone, paper 0 and the strongest ink 255."""
    from scipy import ndimage

    ink = found.ink
    mask = np.isin(found.labels, [part.label for part in parts])
    levels = np.where(ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=2), ink.levels, 0)
    strongest = float(np.percentile(levels[mask], 97)) if ink.noise > 0.5 else float(levels.max())
    floor = NOISE_FLOOR * ink.noise
    full = np.clip((levels - floor) / max(strongest - floor, 1), 0, 1) * 255
    return np.rint(in_focus(full)).astype(np.uint8)
