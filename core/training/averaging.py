"""An exponential moving average of a network's weights, updated on the device without waiting."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from core.training.recipe import Recipe


class Average:
    """A copy of a network with averaged weights. The first update copies the weights; each later one goes 1 - decay of
    the way to them.

    With a constant decay the numbers are those of torch's AveragedModel with buffers; that class waits for the device
    at each update. Whole numbers, such as batch norm's count of batches, are copied. For the warm-up
    (`Recipe.ema_decay_at`) the count of updates is a tensor on the device, so that a CUDA graph can use it.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.network = deepcopy(network)
        self.recipe = recipe
        self.started = False
        self._pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        self._averaged, self._current = (
            [pair[n] for pair in self._pairs if pair[n].is_floating_point()] for n in (0, 1)
        )
        self._updates = torch.zeros((), device=self._current[0].device)

    def update(self) -> None:
        """Take the network's current weights into the average."""
        if self.started and self.recipe.ema_warm_up:
            way = (9 / (10 + self._updates)).clamp(min=1 - self.recipe.ema_decay)  # 1 - (1 + t) / (10 + t)
            steps = torch._foreach_sub(self._current, self._averaged)
            torch._foreach_mul_(steps, way)
            torch._foreach_add_(self._averaged, steps)
        elif self.started:
            torch._foreach_lerp_(self._averaged, self._current, 1 - self.recipe.ema_decay)
        for averaged, current in self._pairs:
            if not self.started or not averaged.is_floating_point():
                averaged.copy_(current)
        self._updates += 1
        self.started = True

    def load_state_dict(self, state: dict[str, Tensor], updates: int) -> None:
        """Continue from the averaged network's `state_dict`, after so many updates."""
        self.network.load_state_dict(state)
        self._updates.fill_(updates)
        self.started = True


def _tensors(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
