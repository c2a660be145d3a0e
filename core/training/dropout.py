"""Dropout with masks from a given generator, so that a run depends only on its seed.

On a CPU torch's own dropout draws a number for every value with one thread, which takes a third of an iteration of the
small networks. Here numpy draws bytes, or only the indices of the few values that are dropped.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

FEW = 1 / 16  # a probability below which darts are faster than bytes


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
            if values.ndim != 4 or not values.is_contiguous(memory_format=torch.channels_last):
                values = values.contiguous()
            kept = mask(values.numel(), self.p, self.generator).as_strided(values.shape, values.stride())
        else:
            kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.generator).mul_(1 / (1 - self.p))
        return values * kept.to(values.dtype)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout2d(Dropout):
    """Zeroes a whole channel of an image with probability p while training, scales the rest by 1 / (1 - p)."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        return values * super().forward(values.new_ones(*values.shape[:2], 1, 1))


def mask(size: int, p: float, generator: torch.Generator | None) -> Tensor:
    """`size` values on the CPU, independently zero with probability exactly p, else 1 / (1 - p).

    A random byte below 256 p, rounded down, drops its value. Darts add the rest of p: a Poisson number of darts at
    random values hits each value independently of the others. If p is small, darts alone are enough.
    """
    seed = torch.randint(2**63 - 1, (), generator=generator).item()
    random = np.random.Generator(np.random.SFC64(int(seed)))
    edge = math.floor(256 * p) if p >= FEW else 0
    if edge:
        words = random.integers(2**64, size=(size + 7) // 8, dtype=np.uint64)
        kept = torch.from_numpy((words.view(np.uint8)[:size] >= edge).astype(np.float32)).mul_(1 / (1 - p))
    else:
        kept = torch.full((size,), 1 / (1 - p))
    darts = random.poisson(size * -math.log((1 - p) / (1 - edge / 256)))  # a value is missed by exp(-darts / size)
    kept.numpy()[random.integers(size, size=darts)] = 0
    return kept


def draw_from(network: nn.Module, generator: torch.Generator) -> None:
    """Let every dropout of the network draw its masks from this generator."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
