"""A digit out of focus, brought back: how steep its edges are, and the blur undone where they are not steep enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]  # (H, W), 0 to 255

PEN = 20  # units of a digit's longer side; a pen's line is about two of them in MNIST
STEEP = 0.6  # of the full ink, in one unit: MNIST's digits in focus have 0.7 to 1.1, through a camera and JPEG too
BLUR = 0.42  # the standard deviation of a blur in units is about this, divided by the steepness
STEPS = 20


def in_focus(levels: Levels) -> Levels:
    """The digit with edges as steep as a pen's; as it is where they are.

    Richardson's iteration (Richardson 1972, Lucy 1974) for a Gaussian blur: ink stays above 0, and all of it is kept.
    """
    from scipy import ndimage

    rows, columns = np.flatnonzero((levels > 64).any(axis=1)), np.flatnonzero((levels > 64).any(axis=0))
    if not rows.size:
        return levels
    unit = (max(np.ptp(rows), np.ptp(columns)) + 1) / PEN  # pixels
    steep = max(unit * _steepness(levels), 0.01)
    if steep >= STEEP or unit < 2:  # a digit of few pixels has no focus
        return levels
    blur = min(BLUR / steep, 2.0) * unit
    reach = int(3 * blur) + 1
    top, left = max(0, rows[0] - reach), max(0, columns[0] - reach)
    given = np.maximum(levels[top : rows[-1] + reach, left : columns[-1] + reach], 1e-3)
    found = given
    for _ in range(STEPS):
        ratio = given / np.maximum(ndimage.gaussian_filter(found, blur), 1e-3)
        found = found * ndimage.gaussian_filter(ratio, blur)
    sharp = np.zeros_like(levels)
    sharp[top : rows[-1] + reach, left : columns[-1] + reach] = np.minimum(
        found * (255 / float(np.percentile(found[given > 64], 97))), 255
    )
    return sharp


def _steepness(levels: Levels) -> float:
    """Of the full ink, in one pixel."""
    from scipy import ndimage

    inside = levels > 64
    slope = np.hypot(ndimage.sobel(levels, 0), ndimage.sobel(levels, 1)) / 8
    return float(np.percentile(slope[inside], 90) / np.percentile(levels[inside], 97))
