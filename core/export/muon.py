"""Muon as a training script has it: an optimizer of the weights of convolutions, to be used beside Adam.

The source of this class goes into the script, so it stands alone; `core.training.muon` has the lab's, with both in one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from core.training.muon import orthogonal


class Muon(torch.optim.Optimizer):
    """Jordan 2024, kellerjordan.github.io/posts/muon: the momentum of each weight, as a matrix, is made orthogonal."""

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        steps: int,
    ) -> None:
        settings = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "steps": steps}
        super().__init__(weights, {"lr": lr, **settings})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                average = self.state[weight].setdefault("average", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - group["momentum"])
                direction = weight.grad.lerp(average, group["momentum"]) if group["nesterov"] else average
                matrix = orthogonal(direction.flatten(1), group["steps"])
                out, rest = matrix.shape
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(group["lr"] * math.sqrt(max(1, out / rest)) * matrix.view_as(weight))
