"""A digit shifted, turned, scaled, thickened and with noise, to see what a network can still recognise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.analysis.distortion import distorted
from core.data.drawn_digit import Grey
from core.training.augment import rotation, scaling, translation


@dataclass(frozen=True)
class Alteration:
    """How much of each change; by default none. First turn and size around the centre, then shift, then the rest."""

    right: float = 0.0  # pixels; below 0 to the left
    down: float = 0.0  # pixels
    turn: float = 0.0  # degrees, anticlockwise
    size: float = 1.0  # times
    thicker: float = 0.0  # pixels on each side of a stroke; below 0 thinner
    noise: float = 0.0  # standard deviation of what is added to each pixel, grey levels of 255


def altered(digit: Grey, by: Alteration, seed: int = 0) -> Grey:
    """The changed digit (28, 28); without any change it is the same. `seed` is for the noise.

    One bilinear resampling for shift, turn and size, as in `core.analysis.distortion`; black outside the image.
    """
    if (by.right, by.down, by.turn, by.size) != (0, 0, 0, 1):
        shift = translation(torch.tensor([float(by.right)]), torch.tensor([float(by.down)]))
        turned = rotation(torch.tensor([float(by.turn)])) @ shift  # each maps where a pixel lands to where it was read
        digit = distorted(torch.tensor(digit)[None], scaling(torch.tensor([float(by.size)])) @ turned)[0].numpy()
    if by.thicker:
        digit = _thickened(digit, by.thicker)
    if by.noise:
        added = np.random.default_rng(seed).normal(0, by.noise, digit.shape)
        digit = np.clip(np.rint(digit + added), 0, 255).astype(np.uint8)
    return digit


def _thickened(digit: Grey, pixels: float) -> Grey:
    """Grey dilation by a disc of that radius, erosion for a negative one; between whole pixels a mean of both."""
    from scipy.ndimage import grey_dilation, grey_erosion  # here, as few digits need it

    grow = grey_dilation if pixels > 0 else grey_erosion
    whole, part = divmod(abs(pixels), 1)
    less, more = (
        grow(digit, footprint=_disc(radius), mode="constant").astype(np.float64)
        for radius in (int(whole), int(whole) + 1)
    )
    mixed: Grey = np.rint((1 - part) * less + part * more).astype(np.uint8)
    return mixed


def _disc(radius: int) -> NDArray[np.bool_]:
    """The pixels within the radius of the middle: for 1 a plus of five."""
    along = np.arange(-radius, radius + 1)
    return np.hypot(along[:, None], along) <= radius
