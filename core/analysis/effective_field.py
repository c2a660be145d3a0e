"""The effective receptive field: how much each pixel really changes a unit, within the field that the unit can see.

Luo, Li, Urtasun & Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NIPS
2016, arXiv:1701.04128: the mean absolute gradient of a unit with respect to the input. There are many paths from the
middle of a field to its unit and few from the edge, so the effect falls off like a Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.architecture.receptive_field import ReceptiveField
from core.architecture.spec import Architecture
from core.architecture.trace import trace
from core.training.network import evaluating
from core.training.resident import Normalisation, grey, normalised

MAX_CHANNELS = 16  # of a map with more, so many are used, evenly spaced; each costs a backward pass

Effects = NDArray[np.float64]


@dataclass(frozen=True)
class EffectiveField:
    """The effect of each pixel on the middle unit of a map, as a share of the effect of all pixels."""

    effect: Effects  # (H, W), sums to 1; all 0 if no pixel has an effect
    field: ReceptiveField  # the theoretical one
    unit: int  # row and column of the unit in its map
    images: int  # over which the mean was taken
    channels: int

    @property
    def centre(self) -> float:
        """The pixel, along either axis, on which the unit's field is centred."""
        return self.field.start + self.unit * self.field.jump

    @property
    def inside_half(self) -> float:
        """The share of the effect in the middle square of the field, half as wide as the field; an even effect has 1/4.

        A pixel on the border of the square counts by the part that is inside. The part of the field outside the image
        has no effect.
        """
        return share_within(self.effect, self.centre, self.field.size / 2)

    @property
    def even_share(self) -> float:
        """The value of `inside_half` if every pixel of the image inside the field had the same effect."""
        seen = covered(self.effect.shape[0], self.centre, self.field.size)
        return share_within(np.outer(seen, seen) / max(seen.sum() ** 2, 1e-300), self.centre, self.field.size / 2)

    @property
    def profile(self) -> Effects:
        """(W,) the mean of the effect of column i and row i; sums to 1."""
        return np.asarray((self.effect.sum(0) + self.effect.sum(1)) / 2, np.float64)

    @property
    def mean(self) -> float:
        """The middle of the profile, a pixel."""
        return float(np.average(np.arange(len(self.profile)), weights=self.profile)) if self.profile.any() else 0.0

    @property
    def deviation(self) -> float:
        """The profile's standard deviation, in pixels."""
        if not self.profile.any():
            return 0.0
        distance = np.arange(len(self.profile)) - self.mean
        return float(np.sqrt(np.average(distance**2, weights=self.profile)))

    @property
    def gaussian(self) -> Effects:
        """(W,) a Gaussian with the profile's mean and deviation; sums to 1."""
        if self.deviation == 0:
            return self.profile
        bell = np.exp(-((np.arange(len(self.profile)) - self.mean) ** 2) / (2 * self.deviation**2))
        return np.asarray(bell / bell.sum(), np.float64)


def covered(size: int, centre: float, side: float) -> Effects:
    """(size,) how much of each pixel, 0 to 1, is inside an interval of `side` pixels around `centre`."""
    pixels = np.arange(size)
    first, last = np.maximum(pixels - 0.5, centre - side / 2), np.minimum(pixels + 0.5, centre + side / 2)
    return np.asarray(np.clip(last - first, 0, 1), np.float64)


def share_within(effect: Effects, centre: float, side: float) -> float:
    """The share of the effect (H, H) in a square around the pixel `centre`; `side` in pixels."""
    inside = covered(effect.shape[0], centre, side)
    return float(inside @ effect @ inside)


def effective_field(
    network: nn.Sequential,
    architecture: Architecture,
    index: int,
    images: NDArray[np.uint8],
    normalisation: Normalisation,
) -> EffectiveField:
    """The field of the middle unit after op number `index`: the mean of |d unit / d pixel|, in evaluation mode.

    The mean is over the images (N, H, W) uint8 and the channels of the map.
    """
    layer = trace(architecture).layers[index]
    units = layer.output[1] if len(layer.output) == 3 else 1
    unit = units // 2
    wanted = np.linspace(0, layer.output[0] - 1, min(layer.output[0], MAX_CHANNELS)).round().astype(int)
    given = normalised(grey(torch.tensor(images)), normalisation).requires_grad_()  # (N, 1, H, W)
    with evaluating(network):
        output = network[: index + 1](given)
    at_unit = output[:, :, unit, unit] if output.ndim == 4 else output  # (N, C)
    effect = torch.zeros(images.shape[1:], dtype=torch.float64)
    for channel in wanted.tolist():
        # The images do not touch one another, so the gradient of their sum is each image's own.
        (gradient,) = torch.autograd.grad(at_unit[:, channel].sum(), given, retain_graph=True)
        effect += gradient.abs().double().mean((0, 1))
    total = effect.sum().item()
    shares = (effect / total).numpy() if total > 0 else effect.numpy()
    return EffectiveField(shares, layer.field, unit, len(images), len(wanted))
