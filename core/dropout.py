"""Dropout whose masks come from a given generator, so that a run depends on its seed and on nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes a value with probability p while training, scales the rest by 1 / (1 - p). Srivastava et al. 2014."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None  # torch's own, until `draw_from` sets the run's

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.generator)
        return values * kept.div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def draw_from(network: nn.Module, generator: torch.Generator) -> None:
    """Make every dropout of the network draw its masks from this generator."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
