"""Ruled lines, squares and margins, found by their direction and taken out of the ink.

A line is thin, straight, and goes through much of the picture. Where it crosses a stroke the stroke is kept: there the
ink is thicker than the line.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.data.ink import Ink, Levels, Mask

THICKEST = 0.016  # of the longer side
LEAST = 0.45  # of the shorter side: a row with fewer thin pixels says nothing about direction
THROUGH = 0.55  # of the picture's width: a row with more thin pixels is a line; a thin stroke is shorter
SMALLEST = 100  # pixels of the shorter side: in a smaller picture a stroke is as thin as a line
MOST_TURNED = 22  # degrees


def without_lines(ink: Ink) -> Ink:
    """The ink without printed lines, turned so that they are upright; as it is where there are none."""
    angle = _direction(ink) if min(ink.levels.shape) >= SMALLEST else None
    if angle is None:
        return ink
    upright = _turned(ink, angle)
    levels = upright.levels
    for axis in (1, 0):  # along rows, then along columns
        levels = _without_rows(levels, upright, axis)
    return replace(upright, levels=levels) if levels is not upright.levels else ink


def _thick(ink: Ink) -> int:
    return max(3, round(THICKEST * float(max(ink.levels.shape))))


def _thin(ink: Ink, levels: Levels, least: float) -> Mask:
    from scipy import ndimage

    thick = _thick(ink)
    thin: Mask = levels - ndimage.grey_opening(levels, (thick, thick)) > least
    return thin


def _direction(ink: Ink) -> float | None:
    """The angle in degrees by which lines are turned, clockwise; None where there is no line."""
    shorter = min(ink.levels.shape)
    y, x = np.nonzero(_thin(ink, ink.levels, max(4 * ink.noise, 10)))
    if not 0.5 * shorter <= len(y) <= 0.5 * ink.levels.size:
        return None
    y, x = y - ink.levels.shape[0] / 2, x - ink.levels.shape[1] / 2
    reach = int(np.hypot(*ink.levels.shape)) // 2 + 2

    def lined(degrees: float) -> float:
        """How much of the thin ink lies in rows, or in columns, of the picture turned by this."""
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        across = np.bincount((y * cosine - x * sine + reach + 0.5).astype(int))
        down = np.bincount((x * cosine + y * sine + reach + 0.5).astype(int))
        return sum(float((np.maximum(counts - LEAST * shorter, 0) ** 2).sum()) for counts in (across, down))

    def best(angles: NDArray[np.float64]) -> tuple[float, float]:
        return max((lined(float(degrees)), float(degrees)) for degrees in angles)

    found, angle = best(np.arange(-MOST_TURNED, MOST_TURNED + 0.1, 0.5))
    if found == 0:
        return None
    angle = best(angle + np.arange(-0.5, 0.51, 0.1))[1]
    return 0.0 if abs(angle) < 0.3 else angle


def _turned(ink: Ink, angle: float) -> Ink:
    from scipy import ndimage

    if angle == 0:
        return ink
    levels = ndimage.rotate(ink.levels, angle, order=1, mode="constant")
    valid = ndimage.rotate(ink.valid.astype(np.float32), angle, order=1, mode="constant") > 0.99
    return replace(ink, levels=levels, valid=valid)


def _without_rows(levels: Levels, ink: Ink, axis: int) -> Levels:
    """Without the lines along this axis: 1 for rows, 0 for columns."""
    from scipy import ndimage

    length = ink.valid.sum(axis)
    count = (_thin(ink, levels, max(3 * ink.noise, 8)) & ink.valid).sum(axis)
    lines = count > THROUGH * np.maximum(length, 0.5 * length.max())
    if not lines.any():
        return levels
    named, _ = ndimage.label(lines)
    wide = min(int(np.median(np.bincount(named)[1:])), _thick(ink))  # pixels of a line
    band = np.expand_dims(ndimage.binary_dilation(lines, iterations=2 if wide > 1 else 1), axis)

    def across(pixels: int) -> tuple[int, int]:
        return (pixels, 1) if axis == 1 else (1, pixels)

    cleaned = np.where(band, ndimage.grey_opening(levels, across(wide + 2)), levels)
    return np.where(band, np.maximum(cleaned, ndimage.grey_closing(cleaned, across(wide + 5))), cleaned)
