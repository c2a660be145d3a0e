"""The explorer on the page: a real digit, a layer's map, and the square that one unit sees."""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.data.mnist import Pixels
from lab.learn.field.network import Viewed, keep
from lab.ui.caches import sample_digit
from lab.ui.explorer import Place, field_explorer


def grow(network: Viewed, place: Place, digit: int) -> None:
    """The explorer."""
    field_explorer(
        network.stages, _fitted(sample_digit(digit), network.side), place, lambda new: keep(network, new), "explorer"
    )


def _fitted(digit: Pixels, side: int) -> Pixels:
    """The digit as a square image of that side."""
    if digit.shape[0] == side:
        return digit
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BOX), np.uint8)
