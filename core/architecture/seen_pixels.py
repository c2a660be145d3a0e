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


def seen_pixels(walked: Trace) -> dict[str, Reached]:
    """By the name of each layer, also in bodies: which pixels reach each unit along one axis.

    A vector is one unit; both axes are alike.
    """
    found: dict[str, Reached] = {}
    _along(walked.layers, np.eye(walked.architecture.input[1], dtype=bool), found)
    return found


def _along(layers: tuple[Layer, ...], reached: Reached, found: dict[str, Reached]) -> Reached:
    """What reaches the units after the layers of one path; each layer's is put into `found`. `reached`: before it."""
    for layer in layers:
        reached = found[layer.name] = _after(layer, reached, found)
    return reached


def _after(layer: Layer, reached: Reached, found: dict[str, Reached]) -> Reached:
    if isinstance(layer.op, Repeat):
        return _along(tuple(each for branch in layer.branches for each in branch), reached, found)
    if layer.branches:
        return np.asarray(np.logical_or.reduce([_along(branch, reached, found) for branch in layer.branches]), bool)
    if isinstance(layer.op, Flatten | Linear):
        return np.asarray(reached.any(0, keepdims=True), bool)
    return _through(reached, layer.window, layer.output[1]) if len(layer.output) == 3 else reached


def _through(reached: Reached, window: Window, units: int) -> Reached:
    taps = np.arange(units)[:, None] * window.stride - window.padding + window.dilation * np.arange(window.kernel_size)
    looks = np.zeros((units, len(reached)), np.float32)  # whole numbers far below 2**24; a product of integers is slow
    unit, tap = np.nonzero((taps >= 0) & (taps < len(reached)))
    looks[unit, taps[unit, tap]] = 1
    return np.asarray(looks @ reached.astype(np.float32) > 0)
