"""Which pixels of a receptive field really reach a unit: padding and dilation leave some out.

The field of `core.architecture.receptive_field` goes from the first to the last pixel, on a map without borders. Where
paths part and join again, a pixel that reaches a unit on one of them reaches it. The mean over a whole map, which
`Layer.uses_whole_map` tells of, is left out here too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.architecture.receptive_field import Window
from core.architecture.spec import Flatten, Linear, Repeat
from core.architecture.trace import Layer, Trace

Reached = NDArray[np.bool_]  # (units, pixels): along one axis, whether the pixel reaches the unit


def seen_pixels(walked: Trace) -> list[Reached]:
    """For each layer, which pixels reach each unit along one axis. A vector is one unit; both axes are alike."""
    return _along(walked.layers, np.eye(walked.architecture.input[1], dtype=bool))


def _along(layers: tuple[Layer, ...], reached: Reached) -> list[Reached]:
    """For each of the layers on one path, which pixels reach its units; `reached`: those of its first input."""
    found = []
    for layer in layers:
        reached = _after(layer, reached)
        found.append(reached)
    return found


def _after(layer: Layer, reached: Reached) -> Reached:
    if isinstance(layer.op, Repeat):
        return _along(tuple(each for branch in layer.branches for each in branch), reached)[-1]
    if layer.branches:
        paths = [_along(branch, reached)[-1] if branch else reached for branch in layer.branches]
        return np.asarray(np.logical_or.reduce(paths), bool)
    if isinstance(layer.op, Flatten | Linear):
        return np.asarray(reached.any(0, keepdims=True), bool)
    return _through(reached, layer.window, layer.output[1]) if len(layer.output) == 3 else reached


def _through(reached: Reached, window: Window, units: int) -> Reached:
    taps = np.arange(units)[:, None] * window.stride - window.padding + window.dilation * np.arange(window.kernel_size)
    looks = np.zeros((units, len(reached)), np.float32)  # whole numbers far below 2**24; a product of integers is slow
    unit, tap = np.nonzero((taps >= 0) & (taps < len(reached)))
    looks[unit, taps[unit, tap]] = 1
    return np.asarray(looks @ reached.astype(np.float32) > 0)
