"""Which pixels of a receptive field really reach a unit: padding and dilation leave some out.

The field of `core.architecture.receptive_field` goes from the first to the last pixel, on a map without borders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.architecture.receptive_field import Window
from core.architecture.spec import Flatten, Linear
from core.architecture.trace import Trace

Reached = NDArray[np.bool_]  # (units, pixels): along one axis, whether the pixel reaches the unit


def seen_pixels(walked: Trace) -> list[Reached]:
    """For each layer, which pixels reach each unit along one axis. A vector is one unit; both axes are alike."""
    reached: Reached = np.eye(walked.architecture.input[1], dtype=bool)
    found = []
    for layer in walked.layers:
        if isinstance(layer.op, Flatten | Linear):
            reached = np.asarray(reached.any(0, keepdims=True), bool)
        elif len(layer.output) == 3:
            reached = _through(reached, layer.window, layer.output[1])
        found.append(reached)
    return found


def _through(reached: Reached, window: Window, units: int) -> Reached:
    taps = np.arange(units)[:, None] * window.stride - window.padding + window.dilation * np.arange(window.kernel_size)
    looks = np.zeros((units, len(reached)), np.float32)  # whole numbers far below 2**24; a product of integers is slow
    unit, tap = np.nonzero((taps >= 0) & (taps < len(reached)))
    looks[unit, taps[unit, tap]] = 1
    return np.asarray(looks @ reached.astype(np.float32) > 0)
