"""Muon for the weights of convolutions, Adam for all others (Jordan 2024, kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from core.training.optimizers import Muon

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # Jordan's, of a polynomial that pulls singular values to about 1
EPSILON = 1e-7


class MuonAndAdam(torch.optim.Adam):
    """torch.optim.Muon's step for weights of four dimensions, as matrices (out, rest); torch's takes only matrices.

    The first group of parameters is that of the convolutions. The other one has a learning rate of its own.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: Tensor | float, settings: Muon) -> None:
        weights = list(weights)
        kernels = [each for each in weights if each.ndim == 4]
        rest = [each for each in weights if each.ndim != 4]
        on_gpu = isinstance(lr, Tensor)
        own = settings.adam_learning_rate
        groups: list[dict[str, Any]] = [
            {"params": kernels, "momentum": settings.momentum},
            {"params": rest, "lr": torch.full_like(lr, own) if isinstance(lr, Tensor) else own, "own_rate": own},
        ]
        self.settings = settings
        super().__init__(groups, lr=lr, fused=on_gpu or None, capturable=on_gpu)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here evaluates a loss again
        """One step of all weights; the gradients of convolutions are dropped, so that Adam leaves these as they are."""
        group, settings = self.param_groups[0], self.settings
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state, gradient = self.state[weight], weight.grad
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
                state["step"] = torch.zeros(())  # Adam wants one of every weight when it reads its state again
            average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
            direction = gradient.lerp(average, group["momentum"]) if settings.nesterov else average
            matrix = orthogonal(direction.flatten(1), settings.ns_steps)
            out, rest = matrix.shape
            weight.mul_(1 - group["lr"] * settings.weight_decay)
            weight.sub_(group["lr"] * math.sqrt(max(1, out / rest)) * matrix.reshape(weight.shape))
            weight.grad = None
        super().step()


def orthogonal(matrix: Tensor, steps: int) -> Tensor:
    """Nearly the orthogonal matrix that is nearest to the matrix (A, B): its singular values become about 1.

    Newton and Schulz's iteration in bfloat16, as Jordan's and torch's: no step of it waits for the device.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.bfloat16() if len(matrix) <= matrix.shape[1] else matrix.bfloat16().T
    wide = wide / wide.norm().clamp(min=EPSILON)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return (wide if len(matrix) <= matrix.shape[1] else wide.T).to(matrix.dtype)
